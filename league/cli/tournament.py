"""`league tournament`: play one, go on with it, or show what was played."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from league.cli.output import console
from league.cli.shared import found_run, game_maker, print_json, progress_bar
from league.errors import ConfigError
from league.rating.core import make_rating
from league.storage.store import FILE
from league.studies.tournament_report import read_tournament
from league.views.tournament_table import tournament_table

if TYPE_CHECKING:
    from league.studies.tournament_report import Request

TOURNAMENTS = Path("tournaments")
"""The folder that contains the tournaments that are given no other."""


def run_tournament(run: str | None, out: Path | None, asked: Request | None, by: str, as_json: bool) -> None:
    """`league tournament`. out: the tournament's folder; None is `tournaments/` with the run's name. asked: what to
    play; None shows what was played."""
    folder = out or TOURNAMENTS / found_run(run).name
    if out is None:
        print(f"tournament: {folder}", file=sys.stderr)
    make_rating(by)
    if asked is not None:
        _play(found_run(run, quiet=out is None), folder, asked)
    elif not (folder / FILE).is_file():
        raise ConfigError(f"{folder} is no tournament yet: name policies, as in `league tournament best random`")
    report = read_tournament(folder, by)
    if as_json:
        print_json(asdict(report))
    else:
        console().print(tournament_table(report))


def _play(run: Path, folder: Path, asked: Request) -> None:
    from league.api import open_run
    from league.studies.tournament import play_tournament

    if asked.games < 1 or (asked.rounds is not None and asked.rounds < 1):
        given = f"--games {asked.games}" + (f" --rounds {asked.rounds}" if asked.rounds is not None else "")
        raise ConfigError(f"a tournament needs one game a pairing or more, and one round or more, not {given}")
    if asked.rounds is not None and not asked.swiss:
        raise ConfigError("--rounds is of a Swiss tournament: add --swiss")
    try:
        with open_run(run) as opened, progress_bar("playing") as tick:
            play_tournament(folder, game_maker(opened.config), opened.config, opened.roster, asked, tick)
    except KeyboardInterrupt:
        print(f"Interrupted: what was played is in {folder}; the same command goes on.", file=sys.stderr)
        raise
