"""The probe table: one line for each policy, and uniform play below them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.views.grid import Column, Grid, one_line
from league.views.text import MISSING, clean, count, duration, interval

if TYPE_CHECKING:
    from league.studies.probe.probe import Probed, ProbeReport

_DIGITS = 3


def probe_table(report: ProbeReport) -> RenderableType:
    """The report's lines in order, then uniform play, and below them what was probed."""
    columns = [
        Column(("policy",), keep=9, least=8),
        Column(("round",), right=True, keep=0),
        Column(("steps",), right=True, keep=1),
        Column(("probability of moves that keep it", "sampled"), right=True, keep=9),
        Column(("most likely move keeps it", "most likely"), right=True, keep=8),
    ]
    rows = [_row(line, "bold") for line in report.lines] + [_row(report.uniform, "dim")]
    if any(line.asymmetry is not None for line in report.lines):
        columns.append(Column(("asymmetry",), right=True, keep=7))
        for row, line in zip(rows, (*report.lines, report.uniform), strict=True):
            row.append(MISSING if line.asymmetry is None else f"{line.asymmetry:.{_DIGITS}f}")
    heading = "moves that keep the result of best play ± 95 % interval"
    ending = (
        f"{report.positions:,} positions of {clean(report.game)} in {clean(report.file)}, {duration(report.seconds)}"
    )
    return Group(one_line(Text(heading, "dim")), Grid(columns, rows), Text(), Text(ending, "dim"))


def _row(line: Probed, style: str) -> list[str | Text]:
    return [
        Text(clean(line.label), style),
        MISSING if line.round is None else str(line.round),
        MISSING if line.steps is None else count(line.steps),
        interval(*line.sampled, _DIGITS),
        interval(*line.most_likely, _DIGITS),
    ]
