"""Payoff tables as text: the score of each row against each column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.views.grid import Column, Grid, one_line
from league.views.text import MISSING, aligned, clean, duration, half_width, number, shortened

if TYPE_CHECKING:
    from league.studies.payoff_report import Cell, PayoffReport, PayoffTable


def payoff_table(report: PayoffReport) -> RenderableType:
    """All tables of a report; for rated games, each is followed by a grid of the numbers of games."""
    parts: list[RenderableType] = []
    for table in report.tables:
        parts += [one_line(_heading(table, len(report.tables) > 1)), _grid(table, _scores(table)), Text()]
        if not report.played:
            counts = [[str(cell.games) if cell else MISSING for cell in row] for row in table.cells]
            parts += [Text("rated games", "dim"), _grid(table, counts), Text()]
    ending = ["rated games of the ledger; name policies to play new games"]
    if report.played:
        games = {cell.games for table in report.tables for row in table.cells for cell in row if cell}
        ending = [f"{max(games)} games per cell", f"{report.episodes} episodes", f"seed {report.seed}"]
        ending = [", ".join([*ending, duration(report.seconds)]), *filter(None, [clean(report.note)])]
    return Group(*parts, Text("; ".join(ending), "dim"))


def _heading(table: PayoffTable, several: bool) -> Text:
    what = "mean result" if table.unit == "result" else "mean score"
    if table.together:
        who = "of the team: row at one seat, column at all others"
        if table.role:
            who = f"of the team: {clean(table.role)} (rows) with {clean(table.against)} (columns)"
    elif table.role == table.against:
        who = f"of the row against the column{f' · {clean(table.role)}' if several else ''}"
    else:
        who = f"of {clean(table.role)} (rows) against {clean(table.against)} (columns)"
    return Text(f"{what} {who} ± 95 % interval", "dim")


def _scores(table: PayoffTable) -> list[list[str]]:
    """The cells as text, all with the decimals that suit the narrowest interval."""
    cells = [cell for row in table.cells for cell in row if cell is not None]
    halves = [half_width(cell.low, cell.high) for cell in cells]
    finest = min((half for half in halves if half > 0), default=0.01)
    digits = min(max(1 - math.floor(math.log10(finest)), 0), 3) if math.isfinite(finest) else 2
    return [[_text(cell, digits) for cell in row] for row in table.cells]


def _text(cell: Cell | None, digits: int) -> str:
    if cell is None:
        return MISSING
    return f"{number(cell.score, digits)} ±{number(half_width(cell.low, cell.high), digits)}"


def _grid(table: PayoffTable, cells: Sequence[Sequence[str]]) -> Grid:
    titles = [(clean(label), shortened(clean(label))) for label in table.columns]
    columns = [Column(title, right=True, keep=len(titles) - place) for place, title in enumerate(titles)]
    texts = [aligned([row[k] for row in cells]) for k in range(len(columns))]
    rows = [
        [
            Text(clean(label), "bold"),
            *(Text(column[place], "dim" if column[place].strip() == MISSING else "") for column in texts),
        ]
        for place, label in enumerate(table.rows)
    ]
    return Grid([Column(("",), keep=len(columns) + 1), *columns], rows)
