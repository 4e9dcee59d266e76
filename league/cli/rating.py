"""`league rate` with games: guests play against a run's roster, or everybody until every interval is small enough."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from league.cli.output import console, print_json
from league.cli.readers import read_standings
from league.cli.shared import found_run, progress_bar
from league.errors import ConfigError
from league.views.until_text import until_lines

if TYPE_CHECKING:
    from league.studies.rate.until import Ended

GUEST_GAMES = 1000
"""Rated games of a guest, unless another number is given."""


def rate_by_games(
    run: str | None, guests: Sequence[str], until: str | None, games: int | None, by: str | None, as_json: bool
) -> None:
    """`league rate --guest` and `--until`. games: of each guest; with `until`, the most that are played."""
    from league.studies.rate.games import RatedGames
    from league.studies.rate.guests import rate_guests, welcome
    from league.studies.rate.until import MOST_GAMES, rate_until, target_of

    if games is not None and games < 1:
        raise ConfigError(f"rated games are one or more, not --games {games}")
    half = None if until is None else _half_width(until)
    folder, ended = _home(run, guests), None
    try:
        with RatedGames(folder) as rated, progress_bar("playing") as tick:
            here = welcome(rated, guests)
            if half is None:
                rate_guests(rated, here, games or GUEST_GAMES, tick)
            else:
                ended = rate_until(rated, target_of(rated, half, by), games or MOST_GAMES, tick)
    except KeyboardInterrupt:
        print("Interrupted: what was committed counts; the same command goes on.", file=sys.stderr)
        raise
    _show(str(folder), by, ended, as_json)


def _home(run: str | None, guests: Sequence[str]) -> Path:
    """The run in which the guests are rated: by default the newest that plays their game."""
    if run is not None or not guests:
        return found_run(run)
    from league.run.context import context_of

    found = context_of(None, guests, home=True).run
    assert found is not None  # a home is wanted
    print(f"run: {found}", file=sys.stderr)
    return found


def _half_width(text: str) -> float:
    """The number of `±50` or `50`. Raises ConfigError."""
    if not re.fullmatch(r"(±|\+-|\+/-)?\d+(\.\d+)?", text) or not (half := float(text.lstrip("±+/-"))):
        raise ConfigError(f"--until takes half of an interval's width, such as ±50 points or ±0.02, not '{text}'")
    return half


def _show(run: str, by: str | None, ended: Ended | None, as_json: bool) -> None:
    """The standings, and how it ended."""
    shown = read_standings(run, by, None, False, quiet=True)
    if as_json:
        print_json({"standings": shown.record(), "until": None if ended is None else _record(ended)})
        return
    out = console()
    for table in shown.tables(False):
        out.print(table)
    for line in [] if ended is None else until_lines(ended):
        out.print(Text(line))


def _record(ended: Ended) -> dict[str, object]:
    """How it ended, as plain values for JSON."""
    wide, absent = (
        [{"id": one.snapshot.id, "name": one.snapshot.name, "half": one.half} for one in some]
        for some in (ended.wide, ended.absent)
    )
    return {
        "half": ended.target.half,
        "by": ended.target.by,
        "games": ended.games,
        "reached": not wide,
        "out_of_reach": bool(wide) and ended.out_of_reach,
        "wide": wide,
        "absent": absent,
    }
