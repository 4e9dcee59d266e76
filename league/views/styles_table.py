"""Who plays like whom, and the openings of a population, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from league.studies.styles.report import spread
from league.views.grid import Column, Grid, one_line
from league.views.heat import COLOURS, heat_style
from league.views.text import MISSING, clean, count, duration, number, sparkline

if TYPE_CHECKING:
    from league.studies.styles.report import Change, Style, StylesReport

_DIGITS = 3
_LABEL = 16
"""The most columns of a policy's name in the map."""

_MOST_OPENINGS = 15


def styles_table(report: StylesReport) -> RenderableType:
    """The map of who plays like whom, what it says, a line for each policy, and the openings that have been common."""
    parts: list[RenderableType] = [_Map(report), Text(), *_sentences(report), Text(), _lines(report)]
    if any(one.steps is not None for one in report.policies):
        parts += [Text(), *_openings(report)]
    return Group(*parts, Text(), Text(_ending(report), "dim"))


class _Map:
    """The distances of policies in hundredths, like beside like; red is near, blue is far.

    Where there is no room for all policies, some of them, evenly spread.
    """

    def __init__(self, report: StylesReport) -> None:
        self.report = report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        report, coloured = self.report, console.color_system in COLOURS and not console.no_color
        hundredths = [[f"{100 * distance:.0f}" for distance in row] for row in report.distances]
        cell = max(2, *(len(text) for row in hundredths for text in row)) + 1
        names = [Text(clean(one.label), "bold") for one in report.policies]
        room = min(max(name.cell_len for name in names), _LABEL)
        numbers = len(str(len(names)))
        begin = numbers + 2 + room
        everyone = len(names)
        room_for = max((options.max_width - begin) // cell, 2)
        kept = set(spread([one.learner for one in report.policies], room_for))
        shown = [place for place in report.order if place in kept]
        yield one_line(Text("distance of play in hundredths: 0 is the same, 100 has nothing in common", "dim"))
        yield one_line(Text(" " * begin + "".join(f"{column:>{cell}}" for column in range(1, len(shown) + 1)), "dim"))
        farthest = max(map(max, report.distances)) or 1.0
        for line, row in enumerate(shown, 1):
            text = Text(no_wrap=True, overflow="ellipsis").append(f"{line:>{numbers}}", "dim")
            names[row].truncate(room, overflow="ellipsis", pad=True)
            text.append("  ").append_text(names[row])
            for column in shown:
                distance, style = report.distances[row][column], ""
                if coloured:
                    style = heat_style(distance / farthest)
                if row == column:
                    text.append("·".rjust(cell), "dim")
                else:
                    text.append(hundredths[row][column].rjust(cell), style)
            yield text
        if len(shown) < everyone:
            yield Text(f"{len(shown)} of {everyone} policies, evenly spread; --json has the distances of all", "dim")


def _sentences(report: StylesReport) -> list[Text]:
    """What the distances say."""
    names = [clean(one.label) for one in report.policies]
    if not report.copies:
        copies = "No two of them are near-copies (less than 0.01 apart)."
    elif len(report.copies[0]) == len(names):
        copies = "They are all near-copies: no two of them are 0.01 apart."
    else:
        groups = "; ".join(_together(names, group) for group in report.copies)
        copies = f"Near-copies, less than 0.01 apart: {groups}."
    return [Text(copies), *(Text(_changed(change)) for change in report.changes)]


def _together(names: Sequence[str], group: Sequence[int]) -> str:
    """The names of a group in order; of three or more in a row only the first and the last."""
    runs: list[list[int]] = []
    for place in group:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(
        f"{names[run[0]]} to {names[run[-1]]}" if len(run) > 2 else ", ".join(names[place] for place in run)
        for run in runs
    )


def _changed(change: Change) -> str:
    learner, before, after = map(clean, (change.learner, change.before, change.after))
    most = number(change.distance, _DIGITS)
    if float(most) == 0:
        return f"{learner} has hardly changed from one snapshot to the next."
    if change.steps == 1:
        return f"{learner} changed by {most} from {before} to {after}."
    return (
        f"{learner} changed most from {before} to {after}: by {most}, against {number(change.mean, _DIGITS)} on "
        "average from one snapshot to the next."
    )


def _lines(report: StylesReport) -> Grid:
    """One line for each policy."""
    columns = [
        Column(("policy",), keep=9, least=8),
        Column(("steps",), right=True, keep=2),
        Column(("nearest",), keep=6, least=8),
        Column(("distance",), right=True, keep=6),
        Column(("commonest opening", "opening"), keep=5, least=7),
        Column(("share",), right=True, keep=5),
        Column(("distinct games", "distinct"), right=True, keep=4),
    ]
    return Grid(columns, [_line(one) for one in report.policies])


def _line(style: Style) -> list[str | Text]:
    return [
        Text(clean(style.label), "bold"),
        MISSING if style.steps is None else count(style.steps),
        clean(style.nearest),
        number(style.distance, _DIGITS),
        clean(style.opening),
        number(style.share, 2),
        number(style.distinct, 2),
    ]


def _openings(report: StylesReport) -> list[RenderableType]:
    """The openings that have been common, in order of appearance."""
    share = f"{100 * report.common:.0f} % of a snapshot's games with itself"
    if not report.openings:
        moves = "one move" if report.plies == 1 else f"{report.plies} moves"
        return [Text(f"No opening of {moves} has been common: none begins {share}.")]
    moves = "first move" if report.plies == 1 else f"first {report.plies} moves"
    columns = [
        Column((moves, "moves"), keep=9, least=8),
        Column(("first common in", "first in"), keep=8, least=8),
        Column(("steps",), right=True, keep=6),
        Column(("highest share", "highest"), right=True, keep=4),
        Column(("latest",), right=True, keep=5),
        Column(("oldest to newest", "course"), keep=3),
    ]
    rows: list[list[str | Text]] = [
        [
            Text(clean(one.opening), "bold"),
            clean(one.first),
            count(one.steps),
            number(max(one.course), 2),
            number(one.course[-1], 2),
            sparkline(one.course, 0.0),
        ]
        for one in report.openings[:_MOST_OPENINGS]
    ]
    title = f"openings with which at least {share} begin"
    parts: list[RenderableType] = [one_line(Text(title, "dim")), Grid(columns, rows)]
    if (more := len(report.openings) - _MOST_OPENINGS) > 0:
        parts.append(Text(f"and {more} more, which --json has", "dim"))
    return parts


def _ending(report: StylesReport) -> str:
    """What was played."""
    picked, snapshots = len(report.policies), all(one.steps is not None for one in report.policies)
    some = f"{picked} of {report.snapshots} snapshots, " if snapshots and picked < report.snapshots else ""
    parts = [
        f"{some}{report.games} games of each policy with itself, {report.positions:,} positions of games among all",
        f"distances ±{number(report.margin, _DIGITS)} or less (95 %)",
        *([clean(report.note)] if report.note else []),
        f"seed {report.seed}, {duration(report.seconds)}",
    ]
    return "; ".join(parts)
