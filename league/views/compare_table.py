"""A comparison as text: one line for each config and kind of policy, and the head-to-head table; or as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.views.grid import Column, Grid, one_line
from league.views.text import MISSING, clean, count, duration, half_width, interval_digits, number

if TYPE_CHECKING:
    from league.studies.compare.judge import ComparisonReport, Line
    from league.studies.compare.over_seeds import OverSeeds

Shown = tuple[str, int, "Callable[[Line], OverSeeds | None]", "int | None"]
"""A column: its title, its importance, its figure, and its decimals (None: as the interval needs)."""

FIGURES: tuple[Shown, ...] = (
    ("cross-play", 9, lambda line: line.cross_play, 3),
    ("worst case", 8, lambda line: line.worst_case, 3),
    ("exploitability", 7, lambda line: line.exploitability, None),
    ("sampled", 6, lambda line: line.sampled, 3),
    ("most likely", 4, lambda line: line.most_likely, 3),
    ("rating", 3, lambda line: line.rating, 0),
)


def compare_table(report: ComparisonReport) -> RenderableType:
    """The lines in the order of the configs, then who scores what against whom, for each kind of policy."""
    over = f"mean over {report.seeds} seeds ± 95 % interval" if report.seeds > 1 else "one seed, so without intervals"
    parts: list[RenderableType] = [one_line(Text(over, "dim")), _lines(report)]
    for kind in report.against:
        heading = f"{kind}: score of the row against the column"
        parts += [Text(), one_line(Text(heading, "dim")), _against(report, report.against[kind])]
    return Group(*parts, Text(), *(Text(line, "dim") for line in _ending(report)))


def compare_markdown(report: ComparisonReport) -> str:
    """The same as Markdown tables, with every column."""
    shown = _figures(report)
    rows = [["config", "policy", *(title for title, *_ in shown), "agent-steps", "time"]]
    for line in report.lines:
        figures = [_text(figure(line), digits) for _, _, figure, digits in shown]
        rows.append([clean(line.config), line.policy, *figures, *_cost(line)])
    parts = [_markdown(rows)]
    for kind, table in report.against.items():
        heads = [f"{kind} against", *map(clean, report.configs)]
        cells = [
            [clean(name), *(_text(cell, 3) for cell in row)] for name, row in zip(report.configs, table, strict=True)
        ]
        parts.append(_markdown([heads, *cells]))
    return "\n\n".join([*parts, "\n".join(_ending(report))])


def _figures(report: ComparisonReport) -> list[Shown]:
    """The columns that have a figure in any line."""
    return [one for one in FIGURES if any(one[2](line) is not None for line in report.lines)]


def _lines(report: ComparisonReport) -> Grid:
    shown = _figures(report)
    columns = [
        Column(("config",), least=16, keep=10),
        Column(("policy",), keep=9),
        *(Column((title,), right=True, keep=keep) for title, keep, *_ in shown),
        Column(("agent-steps", "steps"), right=True, keep=1),
        Column(("time",), right=True, keep=2),
    ]
    rows: list[list[str | Text]] = [
        [
            Text(clean(line.config), "bold"),
            line.policy,
            *(_text(figure(line), digits) for _, _, figure, digits in shown),
            *_cost(line),
        ]
        for line in report.lines
    ]
    return Grid(columns, rows)


def _cost(line: Line) -> list[str]:
    return [count(line.steps.mean), duration(line.seconds.mean)]


def _against(report: ComparisonReport, table: Sequence[Sequence[OverSeeds | None]]) -> Grid:
    columns = [Column(("",), least=8, keep=len(report.configs) + 1)]
    columns += [
        Column((clean(name),), right=True, keep=len(report.configs) - k) for k, name in enumerate(report.configs)
    ]
    rows: list[list[str | Text]] = [
        [Text(clean(name), "bold"), *(_text(cell, 3) for cell in row)]
        for name, row in zip(report.configs, table, strict=True)
    ]
    return Grid(columns, rows)


def _text(figure: OverSeeds | None, digits: int | None) -> str:
    """A mean with half of its interval, or alone where there is none."""
    if figure is None:
        return MISSING
    if figure.low is None or figure.high is None:
        return number(figure.mean, 3 if digits is None else digits)
    half = half_width(figure.low, figure.high)
    places = interval_digits(figure.mean, half) if digits is None else digits
    return f"{number(figure.mean, places)} ±{number(half, places)}"


def _ending(report: ComparisonReport) -> list[str]:
    """What was played, and where."""
    unit = " (pairs of episodes with the seats swapped)" if report.paired else ""
    return [
        f"{clean(report.game)}: {len(report.configs)} configs, {report.seeds} seeds each, "
        f"{count(report.steps)} agent-steps a run; {report.games} games a pairing{unit}",
        f"runs and games are in {clean(report.folder)}; judged in {duration(report.seconds)}",
    ]


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row has the titles. Figures are aligned to the right."""
    escaped = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---", *("---:" for _ in rows[0][1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in [escaped[0], rule, *escaped[1:]])
