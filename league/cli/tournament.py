"""`league tournament`: play one, go on with it, or show what was played."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from league.cli.output import console, print_json
from league.cli.shared import found_run, opened_context, progress_bar
from league.errors import ConfigError
from league.rating.core import make_rating
from league.storage.store import FILE
from league.studies.tournament_report import read_tournament
from league.views.tournament_table import tournament_table

if TYPE_CHECKING:
    from league.studies.tournament_report import Request

TOURNAMENTS = Path("tournaments")
"""The folder that contains the tournaments that are given no other."""


def run_tournament(
    run: str | None, game: str | None, out: Path | None, asked: Request | None, by: str, as_json: bool
) -> None:
    """`league tournament`. out: the tournament's folder; None is `tournaments/` with the name of the run, or else of
    the game. asked: what to play; None shows what was played."""
    make_rating(by)
    if asked is not None:
        folder = _play(run, game, out, asked)
    else:
        folder = _folder(out, found_run(run).name if out is None else "")
    if asked is None and not (folder / FILE).is_file():
        raise ConfigError(f"{folder} is no tournament yet: name the policies that are to play, such as best and random")
    report = read_tournament(folder, by)
    if as_json:
        print_json(asdict(report))
    else:
        console().print(tournament_table(report))


def _folder(out: Path | None, name: str) -> Path:
    """The tournament's folder, which is printed where the user did not name it."""
    if out is not None:
        return out
    folder = TOURNAMENTS / re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    print(f"tournament: {folder}", file=sys.stderr)
    return folder


def _play(run: str | None, game: str | None, out: Path | None, asked: Request) -> Path:
    """Play a tournament. Returns its folder."""
    from league.studies.tournament import play_tournament

    if asked.games < 1 or (asked.rounds is not None and asked.rounds < 1):
        given = f"--games {asked.games}" + (f" --rounds {asked.rounds}" if asked.rounds is not None else "")
        raise ConfigError(f"a tournament needs one game a pairing or more, and one round or more, not {given}")
    if asked.rounds is not None and not asked.swiss:
        raise ConfigError("--rounds is of a Swiss tournament: add --swiss")
    with opened_context(run, asked.texts, game) as opened:
        folder = _folder(out, opened.roster.spec.id if opened.folder is None else opened.folder.absolute().name)
        try:
            with progress_bar("playing") as tick:
                asked = replace(asked, texts=opened.texts)
                play_tournament(folder, opened.make, opened.config, opened.roster, asked, tick)
        except KeyboardInterrupt:
            print(f"Interrupted: what was played is in {folder}; the same command goes on.", file=sys.stderr)
            raise
    return folder
