"""The commands that let a run's policies play against or with each other: match, credit."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from rich.text import Text

from league.cli.output import console, print_json
from league.cli.shared import opened_context, progress_bar
from league.errors import ConfigError
from league.views.match_table import match_table
from league.views.text import clean

if TYPE_CHECKING:
    from league.studies.credit import CreditRequest


def play_match(
    run: str | None,
    game: str | None,
    policies: Sequence[str],
    games: int | None,
    seed: int,
    temperature: float,
    show: bool,
    as_json: bool,
    until: bool,
    test: Mapping[str, float | None],
) -> None:
    """`league match`. until: until it is decided. test: its hypotheses and error rates; None for the defaults."""
    from league.rating.sequential import SequentialTest
    from league.studies.match import match
    from league.studies.rendered_game import render_game

    given = {name: value for name, value in test.items() if value is not None}
    if given and not until:
        raise ConfigError(f"--{' and --'.join(given)} set the test of a match until it is decided: add --until decided")
    games = games if games is not None else 100_000 if until else 400
    if not (games >= 1 and 0 <= temperature < math.inf):
        raise ConfigError(
            "a match needs at least one game and a finite temperature of 0 or more, "
            f"not --games {games} --temperature {temperature}"
        )
    if not policies:
        raise ConfigError("name the policies to play, such as best and random")
    sequential = SequentialTest(**given) if until else None
    with opened_context(run, policies, game) as opened:
        if show:
            for frame in render_game(opened.make, opened.roster, opened.texts, seed, temperature):
                print(frame, end="\n\n", file=sys.stderr if as_json else sys.stdout)
        with progress_bar("playing") as tick:
            report = match(opened.make, opened.roster, opened.texts, games, seed, temperature, tick, sequential)
    if as_json:
        print_json(asdict(report))
    else:
        console().print(match_table(report))


def show_credit(run: str | None, game: str | None, asked: CreditRequest, as_json: bool) -> None:
    """`league credit`."""
    from league.studies.credit import credit
    from league.views.credit_table import again, credit_table

    named = [one for one in (asked.text, asked.baseline, asked.against) if one is not None]
    with opened_context(run, named, game) as opened, progress_bar("playing") as tick:
        text, baseline, *against = opened.texts
        asked = replace(asked, text=text, baseline=baseline, against=against[0] if against else None)
        report = credit(opened.make, opened.roster, asked, tick)
    if as_json:
        print_json(asdict(report))
        return
    out = console()
    out.print(credit_table(report))
    lines = ["Next:", f"  league credit {again(asked, 4 * asked.games)}{opened.option}    halves the intervals"]
    lines += [f"  league standings{opened.option}"] if opened.folder is not None else []
    for line in lines:
        out.print(Text(clean(line)), soft_wrap=True)
