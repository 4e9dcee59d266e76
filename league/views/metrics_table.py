"""What `league metrics` shows: each learner's metrics with their course, the signs that were seen, or all there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.views.grid import Column, Grid
from league.views.text import clean, number, places, sparkline

if TYPE_CHECKING:
    from league.learning.diagnostics.catalogue import Diagnostic
    from league.storage.rows import MetricsRow

NOTHING = "no round was trained yet"
"""What stands in the place of metrics before there are any."""

NO_SIGN = "no bad sign was seen; league metrics --signs says what is looked for"
"""What stands in the place of bad signs where there are none."""

SeenSign = tuple[int, str, str, str, str | None]
"""A sign that was seen: round, learner, name, what it showed, and the settings to look at (None: unknown here)."""


def metrics_table(rows: Sequence[MetricsRow], seen: Sequence[SeenSign]) -> RenderableType:
    """Metrics by learner: the latest value, how far it is from the first one shown, and its course in between."""
    parts: list[RenderableType] = []
    for learner in dict.fromkeys(row.learner for row in rows):
        mine = [row for row in rows if row.learner == learner]
        heading = Text.assemble((clean(learner), "bold"), (f"  rounds {mine[0].round} to {mine[-1].round}", "dim"))
        parts += [heading, _metrics(mine), Text()]
    if not rows:
        parts += [Text(NOTHING, "italic"), Text()]
    parts.append(_seen(seen) if seen else Text(NO_SIGN, "dim"))
    return Group(*parts)


def signs_table(signs: Sequence[Diagnostic]) -> RenderableType:
    """All signs, with what each is, its usual cause and the settings to look at."""
    parts: list[RenderableType] = []
    for sign in signs:
        heading = Text.assemble((sign.name, "bold"), (f"  {', '.join(sign.metrics)}", "dim"))
        parts += [heading, _facts([("told", sign.threshold), ("cause", sign.cause), ("look at", sign.setting)])]
    return Group(*parts)


def _metrics(rows: Sequence[MetricsRow]) -> Grid:
    columns = [
        Column(("metric",), keep=9, least=12),
        Column(("latest",), right=True, keep=9),
        Column(("change",), right=True, keep=5),
        Column(("course",), keep=4),
    ]
    lines = []
    for name in sorted({name for row in rows for name in row.values}):
        values = [row.values.get(name, math.nan) for row in rows]
        known = [value for value in values if math.isfinite(value)]
        change = known[-1] - known[0] if len(known) > 1 else None
        course = sparkline([value if math.isfinite(value) else None for value in values])
        lines.append([clean(name), _value(values[-1]), _value(change, signed=True), course])
    return Grid(columns, lines)


def _value(value: float | None, signed: bool = False) -> str:
    """Three significant digits, also where a value is tiny."""
    if value is not None and 0 < abs(value) < 1e-3:
        return f"{value:{'+' if signed else ''}.1e}"
    return number(value, places([value or 0.0]), signed)


def _seen(seen: Sequence[SeenSign]) -> RenderableType:
    parts: list[RenderableType] = []
    for round, learner, name, what, setting in seen:
        parts.append(Text.assemble((clean(name), "bold yellow"), (f"  round {round}, {clean(learner)}", "dim")))
        parts.append(_facts([("shows", what), *([("look at", setting)] if setting else [])]))
    return Group(*parts)


def _facts(facts: Sequence[tuple[str, str]]) -> Grid:
    """Facts of a sign under each other, each with its name before it."""
    columns = [Column(("",), keep=9), Column(("",), keep=8, least=20, wrap=True)]
    return Grid(columns, [[Text(f"  {name}", "dim"), clean(text)] for name, text in facts], heading=False)
