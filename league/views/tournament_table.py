"""A tournament as text: its standings, the crosstable, and the rounds of a Swiss one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from league.rating.core import META_GAMES, heading
from league.views.grid import Column, Grid, one_line
from league.views.text import MISSING, aligned, clean, half_width, number, places

if TYPE_CHECKING:
    from league.rating.swiss import SwissRound
    from league.studies.payoff.report import Cell
    from league.studies.tournament_report import Entrant, TournamentReport


def tournament_table(report: TournamentReport) -> RenderableType:
    """The whole tournament."""
    kind = "Swiss" if report.swiss else "round-robin"
    title = f"{kind} · {clean(report.game)} · {clean(heading(report.by))}"
    parts: list[RenderableType] = [one_line(Text(title, "dim")), _standings(report), Text()]
    parts += [one_line(Text("score of the row against the column ± 95 % interval", "dim")), _Crosstable(report)]
    if report.rounds:
        parts += [Text(), _rounds(report.rounds)]
    ending = [f"{clean(report.folder)}, seed {report.seed}"]
    ending += ["a game is a pair of episodes with the seats swapped"] if report.paired else []
    return Group(*parts, Text(), Text("; ".join(ending), "dim"))


def _standings(report: TournamentReport) -> Grid:
    lines = report.entrants
    ratings = [line.rating for line in lines if line.rating is not None]
    halves = [half_width(rating.low, rating.high) for rating in ratings]
    digits = places([*(rating.value for rating in ratings), *halves])
    columns = [
        Column(("#",), right=True, keep=8),
        Column(("policy",), least=8, keep=9),
        *([Column(("points",), right=True, keep=7)] if report.swiss else []),
        Column(("rating",), right=True, keep=6),
        Column(("score",), right=True, keep=5),
        Column(("games",), right=True, keep=4),
        Column(("W",), right=True, keep=1),
        Column(("D",), right=True, keep=1),
        Column(("L",), right=True, keep=1),
    ]
    rated = aligned([_rated(line, digits, report.by not in META_GAMES) for line in lines])
    scores = aligned([_cell(line.score, 3) for line in lines])
    rows: list[list[str | Text]] = [
        [
            Text(str(line.rank), "dim"),
            Text(clean(line.name), "bold"),
            *([_points(line)] if report.swiss else []),
            rating,
            score,
            *(str(count) for count in (line.games, line.wins, line.draws, line.losses)),
        ]
        for line, rating, score in zip(lines, rated, scores, strict=True)
    ]
    return Grid(columns, rows, named=1)


def _rated(line: Entrant, digits: int, signed: bool) -> str:
    if line.rating is None:
        return MISSING
    half, value = half_width(line.rating.low, line.rating.high), number(line.rating.value, digits, signed)
    return f"{value} ±{number(half, digits)}" if math.isfinite(half) else value


def _points(line: Entrant) -> Text:
    """The points of a Swiss tournament, and how many of them are from byes."""
    bye = f" ({line.byes} bye{'s' * (line.byes > 1)})" if line.byes else ""
    return Text(f"{line.points:.1f}{bye}")


class _Crosstable:
    """Everybody's score against everybody. Where there is no room for the intervals, the widest stands below."""

    def __init__(self, report: TournamentReport) -> None:
        self._entrants, self._rows = report.entrants, report.cells

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for digits in (3, 2):
            whole = self._grid(digits, intervals=True)
            if len(whole.fit(options.max_width)) == len(whole.columns):
                yield whole
                return
        short = self._grid(3, intervals=False)
        yield short
        widest = max((half_width(cell.low, cell.high) for row in self._rows for cell in row if cell), default=0.0)
        hidden = len(short.columns) - len(short.fit(options.max_width))
        missing = f"; {hidden} columns do not fit (--json has all)" if hidden else ""
        yield Text(f"95 % intervals: at most ±{number(widest, 3)}{missing}", "dim")

    def _grid(self, digits: int, intervals: bool) -> Grid:
        size = len(self._entrants)
        columns = [Column((str(line.rank),), right=True, keep=size - line.rank + 1) for line in self._entrants]
        texts = [aligned([_cell(row[place], digits, intervals) for row in self._rows]) for place in range(size)]
        rows = [
            [
                Text(f"{line.rank:{len(str(size))}} {clean(line.name)}", "bold"),
                *(Text(column[place], "dim" if column[place].strip() == MISSING else "") for column in texts),
            ]
            for place, line in enumerate(self._entrants)
        ]
        return Grid([Column(("",), least=10, keep=size + 2), *columns], rows)


def _cell(cell: Cell | None, digits: int, intervals: bool = True) -> str:
    """A score, with half of its interval if wanted."""
    if cell is None:
        return MISSING
    return number(cell.score, digits) + (f" ±{number(half_width(cell.low, cell.high), digits)}" if intervals else "")


def _rounds(rounds: Sequence[SwissRound]) -> Grid:
    """Who met whom in each round, and who had the bye."""
    rows = []
    for place, one in enumerate(rounds, start=1):
        met = [f"{clean(a)} – {clean(b)}" for a, b in one.pairs] + ([f"{clean(one.bye)}: bye"] if one.bye else [])
        rows.append([Text(str(place), "dim"), Text(", ".join(met))])
    return Grid([Column(("round",), right=True, keep=3), Column(("pairs",), least=10, keep=2, wrap=True)], rows)
