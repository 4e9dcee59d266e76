"""Payoff tables as text: the score of each row against each column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from league.views.grid import Column, Grid, one_line
from league.views.heat import COLOURS, heat_style
from league.views.text import MISSING, aligned, clean, duration, half_width, number, shortened

if TYPE_CHECKING:
    from league.studies.payoff.report import Cell, PayoffReport, PayoffTable


def payoff_table(report: PayoffReport) -> RenderableType:
    """All tables of a report, as heat maps where the terminal has the colours.

    For rated games, each is followed by a grid of the numbers of games.
    """
    parts: list[RenderableType] = []
    for table in report.tables:
        parts += [one_line(_heading(table, len(report.tables) > 1)), _HeatMap(table), Text()]
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


class _HeatMap:
    """The scores of a table; their background goes from red, the lowest, to blue, the highest."""

    def __init__(self, table: PayoffTable) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        coloured = console.color_system in COLOURS and not console.no_color
        yield _grid(self.table, _scores(self.table), _styles(self.table) if coloured else None)


def _styles(table: PayoffTable) -> list[list[str]]:
    """The style of each cell: by the result from 0 to 1; scores of the game's own unit span the whole scale."""
    scores = [cell.score for row in table.cells for cell in row if cell is not None]
    low, high = (0.0, 1.0) if table.unit == "result" else (min(scores, default=0.0), max(scores, default=0.0))
    return [
        ["" if cell is None else heat_style((cell.score - low) / (high - low) if high > low else 0.5) for cell in row]
        for row in table.cells
    ]


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


def _grid(table: PayoffTable, cells: Sequence[Sequence[str]], styles: Sequence[Sequence[str]] | None = None) -> Grid:
    """Cells as text, in the given styles."""
    titles = [(clean(label), shortened(clean(label))) for label in table.columns]
    columns = [Column(title, right=True, keep=len(titles) - place) for place, title in enumerate(titles)]
    texts = [aligned([row[k] for row in cells]) for k in range(len(columns))]
    rows = [
        [
            Text(clean(label), "bold"),
            *(
                Text(text, "dim" if text.strip() == MISSING else styles[place][k] if styles else "")
                for k, text in enumerate(column[place] for column in texts)
            ),
        ]
        for place, label in enumerate(table.rows)
    ]
    return Grid([Column(("",), keep=len(columns) + 1), *columns], rows)
