"""`league rate` with games: guests play against a run's roster."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from league.cli.readers import read_standings
from league.cli.shared import found_run, print_json, progress_bar
from league.errors import ConfigError


def rate_guests(run: str | None, guests: Sequence[str], games: int, by: str | None, as_json: bool) -> None:
    """`league rate --guest`."""
    from league.studies.rate_guests import rate_guests as play
    from league.studies.rate_guests import welcome
    from league.studies.rated_games import RatedGames

    if games < 1:
        raise ConfigError(f"guests need one game or more, not --games {games}")
    folder = found_run(run)
    try:
        with RatedGames(folder) as rated, progress_bar("playing") as tick:
            play(rated, welcome(rated, guests), games, tick)
    except KeyboardInterrupt:
        print("Interrupted: what was played counts; the same command goes on.", file=sys.stderr)
        raise
    shown = read_standings(str(folder), by, None, False, quiet=True)
    if as_json:
        print_json(shown.record())
        return
    for table in shown.tables(False):
        Console(highlight=False).print(table)
