"""How much of a payoff is transitive, and its cycles, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.views.grid import Column, Grid, one_line
from league.views.text import MISSING, aligned, clean, duration, half_width, interval, interval_digits, number

if TYPE_CHECKING:
    from league.studies.payoff.cycles import CycleReport, CycleTable, Edge


def cycles_table(report: CycleReport) -> RenderableType:
    """All tables of a report, and what the numbers stand on."""
    parts: list[RenderableType] = []
    for table in report.tables:
        parts += [*_table(table, len(report.tables) > 1), Text()]
    source = "rated games of the ledger; shares and predictions are those of the fitted ratings"
    if report.played:
        source = f"{report.episodes} episodes, seed {report.seed}, {duration(report.seconds)}"
    return Group(*parts, Text(source, "dim"))


def _table(table: CycleTable, several: bool) -> list[RenderableType]:
    variance = "log-odds" if table.unit == "result" else "score"
    who = f"{len(table.policies)} policies{f' · {clean(table.role)}' if several else ''}, {table.pairs} pairs played"
    shares = Text(f"transitive {_percent(table.transitive)}, cyclic {_percent(table.cyclic)}", "bold")
    parts: list[RenderableType] = [
        one_line(Text(who, "dim")),
        shares.append(f"  of the variance of the {variance}", "not bold dim"),
        Text(),
        Text(_verdict(table)),
    ]
    for cycle in table.cycles:
        parts += [Text(), _circle(cycle, "bold"), _edges(cycle)]
    if table.expected:
        parts += [Text(), Text("predicted, but not certain from the games so far:", "dim")]
        for cycle in table.expected:
            parts += [Text(), _circle(cycle, ""), _edges(cycle)]
    return parts


def _verdict(table: CycleTable) -> str:
    if table.cycles:
        if len(table.cycles) == 1:
            return "One cycle is certain (at 95 % for all pairs together)."
        return f"{len(table.cycles)} cycles are certain (at 95 % for all pairs together), the strongest first."
    if table.verdict == "transitive":
        return (
            "The payoff is transitive, as far as the games tell: no cycle is certain, and strengths explain the scores."
        )
    return (
        "No cycle is certain. Yet strengths do not explain the scores: gains do not add up, as where scores saturate, "
        "or cycles are too weak for so few games."
    )


def _circle(cycle: Sequence[Edge], style: str) -> Text:
    """The names in order, the first again at the end."""
    names = [clean(edge.row) for edge in cycle]
    return Text(" beats ".join([*names, names[0]]), style)


def _edges(cycle: Sequence[Edge]) -> Grid:
    cells = [edge.played for edge in cycle]
    halves = [half_width(cell.low, cell.high) for cell in cells if cell]
    digits = max((interval_digits(0.0, half) for half in halves if half > 0), default=3)
    played = [
        f"{number(cell.score, digits)} ±{number(half_width(cell.low, cell.high), digits)}" if cell else MISSING
        for cell in cells
    ]
    predicted = [
        interval(edge.predicted.score, edge.predicted.low, edge.predicted.high, 3) for edge in cycle if edge.predicted
    ]
    columns = [
        Column(("",), keep=4),
        Column(("against",), keep=3),
        Column(("score ± 95 % interval", "score"), right=True, keep=4),
        Column(("games",), right=True, keep=2),
        *([Column(("predicted",), right=True, keep=3)] if predicted else []),
    ]
    rows = [
        [
            clean(edge.row),
            clean(edge.column),
            text,
            str(cell.games) if cell else MISSING,
            *([predicted[place]] if predicted else []),
        ]
        for place, (edge, cell, text) in enumerate(zip(cycle, cells, aligned(played), strict=True))
    ]
    return Grid(columns, rows, named=1)


def _percent(share: float) -> str:
    """Whole per cent, with a decimal where the share is nearly nothing or nearly all."""
    digits = 1 if 0.0 < min(share, 1.0 - share) < 0.01 else 0
    return f"{100.0 * share:.{digits}f} %"
