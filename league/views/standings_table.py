"""Standings as a table, for the commands and the live screen, and the result of a refit of all ratings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.rating.core import META_GAMES, heading
from league.records import ExploitabilityBound, PolicyId, Rating, Standing
from league.views.grid import Column, Grid, one_line
from league.views.text import (
    MISSING,
    aligned,
    clean,
    count,
    duration,
    half_width,
    interval,
    interval_digits,
    number,
    places,
)

if TYPE_CHECKING:
    from league.run.roster.ratings import Refit

NO_MATCHES = "no rated matches yet"
"""Shown in place of standings until there are any."""

ANCHOR = "anchor"
"""Shown in place of the name of a policy that is rated but never trained."""

Seats = Mapping[str, Mapping[PolicyId, Rating]]
"""By the name of a seat (or a group of seats): every policy's score there."""


def standings_table(
    standings: Sequence[Standing], role: str | None, by: str, one_sided: bool, seats: Seats | None = None
) -> RenderableType:
    """The standings of one role (None: the game has one role), by the rating called `by`; by score in one-sided games.

    seats: if given, scores by seat, which are shown instead of wins, draws and losses.
    """
    how = "mean score ± 95 % interval" if one_sided else clean(heading(by))
    parts = [*([clean(role)] if role else []), how, *(["score by seat"] if seats else [])]
    title = Text(" · ".join(parts), "dim")
    if not standings:
        return Group(one_line(title), Text(NO_MATCHES, "italic"))
    grid = standings_grid(standings, one_sided, "snapshot", "name", signed=by not in META_GAMES)
    return Group(one_line(title), grid if seats is None else _seats_grid(grid, standings, one_sided, seats))


def _seats_grid(whole: Grid, lines: Sequence[Standing], one_sided: bool, seats: Seats) -> Grid:
    """The standings (`whole`) with a column of scores for each seat."""
    found = [[scores.get(line.snapshot.id) for line in lines] for scores in seats.values()]
    halves = [half_width(one.low, one.high) for scores in found for one in scores if one is not None]
    digits = max((interval_digits(0.0, half) for half in halves if half > 0), default=3)
    columns = [Column((f"score as {clean(name)}", clean(name)), right=True, keep=9) for name in seats]
    cells = [
        aligned([MISSING if one is None else interval(one.value, one.low, one.high, digits) for one in scores])
        for scores in found
    ]
    upto = 1 + next(place for place, column in enumerate(whole.columns) if column.titles == ("games",))
    rows: list[list[str | Text]] = [
        [*row[:upto], *(texts[place] for texts in cells)] for place, row in enumerate(whole.rows)
    ]
    return Grid([*whole.columns[:upto], *columns], rows, named=2)


def standings_grid(
    lines: Sequence[Standing], one_sided: bool, id_title: str, name_title: str, signed: bool = True
) -> Grid:
    """Standings as a grid: the best is starred, anchors are labelled and dimmed. The live screen shows it, too.

    signed: whether ratings are distances from 0, shown with their sign.
    """
    halves = [half_width(line.rating.low, line.rating.high) for line in lines]
    digits = places([*(line.rating.value for line in lines), *halves])
    # Some rating systems have no intervals.
    bounded = any(math.isfinite(half) for half in halves)
    half_texts = aligned([f" ±{number(half, digits)}" if bounded else "" for half in halves])
    outcomes, outcome_title = _outcomes(lines)
    fields = _fields(lines)
    exploited = any(line.exploitability is not None for line in lines)
    changes = [abs(line.trend) for line in lines if line.trend is not None]
    # The trend is in the unit of what orders the lines: scores of at most 1, or points.
    trend_digits = 3 if max(changes, default=0.0) < 1.0 else digits
    columns = [
        Column(("",), keep=9),
        Column(("#",), right=True, keep=8),
        Column((id_title,), keep=9),
        Column((name_title,), keep=7, least=8),
        *([] if one_sided else [Column(("against the field", "field"), right=True, keep=9)]),
        Column(("score" if one_sided else "rating",), right=True, keep=8),
        *([Column(("exploitability", "exploit."), right=True, keep=7)] if exploited else []),
        Column(("games",), right=True, keep=4),
        *([] if one_sided else [Column((outcome_title,), keep=0), Column(("score",), right=True, keep=0)]),
        Column(("trend",), right=True, keep=6),
        Column(("round",), right=True, keep=0),
        Column(("steps",), right=True, keep=0),
    ]
    rows = []
    for line, half, outcome, field in zip(lines, half_texts, outcomes, fields, strict=True):
        snapshot = line.snapshot
        anchor = snapshot.origin == "anchor"
        style = "dim" if anchor else "bold" if line.best else ""
        # In the standings of one role, the name of an anchor does not repeat the role.
        short = clean(snapshot.text if anchor and not snapshot.guest else snapshot.short)
        name = f"{clean(snapshot.guest)} (guest)" if snapshot.guest else ANCHOR if anchor else clean(snapshot.name)
        rows.append(
            [
                Text("★" if line.best else " ", "yellow"),
                Text(str(line.rank), "dim"),
                Text(short, "dim" if anchor else "cyan"),
                Text(name, style),
                *([] if one_sided else [Text(field, style)]),
                Text(f"{number(line.rating.value, digits, signed=signed and not one_sided)}{half}", style),
                *([Text(exploitability_text(line.exploitability), style)] if exploited else []),
                Text(str(line.rating.games), style),
                *([] if one_sided else [Text(outcome, "dim"), Text(number(line.score, 3), style)]),
                trend(line.trend, trend_digits),
                Text("" if anchor else str(snapshot.round), "dim"),
                Text("" if anchor else count(snapshot.steps), "dim"),
            ]
        )
    return Grid(columns, rows, named=2)


def _fields(lines: Sequence[Standing]) -> list[str]:
    """Each line's score against the field with its interval, aligned."""
    return aligned(
        [
            MISSING if one is None else interval(one.value, one.low, one.high, 3)
            for one in (line.field for line in lines)
        ]
    )


def exploitability_text(found: ExploitabilityBound | None) -> str:
    """What best responses gain; of trained ones the lower end of the interval, since others may gain more."""
    if found is None:
        return MISSING
    return number(found.value, 3) if found.exact else f"≥ {number(found.low, 3)}"


def _outcomes(lines: Sequence[Standing]) -> tuple[list[str], str]:
    """Each line's wins, draws and losses as one aligned text, and the title of the column."""
    parts = [
        aligned([title, *(str(n) for n in numbers)])
        for title, numbers in (
            ("W", [line.wins for line in lines]),
            ("D", [line.draws for line in lines]),
            ("L", [line.losses for line in lines]),
        )
    ]
    title, *texts = ("  ".join(row) for row in zip(*parts, strict=True))
    return texts, title


def trend(change: float | None, digits: int) -> Text:
    """A change with an arrow up or down; an equals sign if the change rounds to zero."""
    if change is None:
        return Text("")
    size = number(abs(change), digits)
    if not any(letter in "123456789∞" for letter in size):
        return Text(f"= {size}", "dim")
    return Text(f"↑ {size}", "green") if change > 0 else Text(f"↓ {size}", "red")


def refit_table(found: Refit) -> RenderableType:
    """The result of a full refit of the ratings."""
    columns = [Column(("rating",), least=8, keep=2), Column(("largest difference from the cache", "difference"))]
    differences = ["nothing was cached" if apart is None else f"{apart:.2g}" for apart in found.ratings.values()]
    rows = [[clean(name), apart] for name, apart in zip(found.ratings, differences, strict=True)]
    ending = f"{found.matches:,} matches, {found.policies:,} policies, {duration(found.seconds)}; "
    ending += f"{found.records} records differed; the cache is up to date"
    return Group(Grid(columns, rows), Text(), Text(ending, "dim"))
