"""`league styles`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from league.cli.output import console, print_json
from league.cli.shared import opened_context, progress_bar
from league.errors import ConfigError

if TYPE_CHECKING:
    from league.studies.styles.report import StylesRequest


def show_styles(run: str | None, game: str | None, asked: StylesRequest, as_json: bool) -> None:
    """`league styles`."""
    from league.studies.styles.styles import styles
    from league.views.styles_table import styles_table

    if not (asked.games >= 1 and asked.plies >= 1 and asked.size >= 2):
        raise ConfigError(
            "comparing styles needs at least one game, one move of an opening and a size of 2, "
            f"not --games {asked.games} --plies {asked.plies} --size {asked.size}"
        )
    with opened_context(run, asked.texts, game) as opened, progress_bar("playing") as tick:
        report = styles(opened.make, opened.roster, replace(asked, texts=opened.texts), tick)
    if as_json:
        print_json(asdict(report))
    else:
        console().print(styles_table(report))
