"""The output of `league metrics`: each learner's metrics over the rounds, and the warning signs found in them."""

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

NOTHING = "no rounds have been trained yet"
"""Shown in place of metrics until there are any."""

NO_SIGN = "no warning signs; `league metrics --signs` lists all that are looked for"
"""Shown in place of warning signs if there are none."""

SeenSign = tuple[int, str, str, str, str | None]
"""A warning sign that was found: round, learner, name, what it showed, and the settings to look at (None: unknown)."""


def metrics_table(rows: Sequence[MetricsRow], seen: Sequence[SeenSign]) -> RenderableType:
    """Metrics by learner: the latest value, its change since the first round shown, and a curve."""
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
    """All warning signs: each with its threshold, its usual cause and the settings to look at."""
    parts: list[RenderableType] = []
    for sign in signs:
        heading = Text.assemble((sign.name, "bold"), (f"  {', '.join(sign.metrics)}", "dim"))
        parts += [heading, _facts([("when", sign.threshold), ("cause", sign.cause), ("look at", sign.setting)])]
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
        # Some metrics are not measured in every round.
        latest = next(row.values[name] for row in reversed(rows) if name in row.values)
        lines.append([clean(name), _value(latest), _value(change, signed=True), course])
    return Grid(columns, lines)


def _value(value: float | None, signed: bool = False) -> str:
    """Three significant digits, even of tiny values."""
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
    """The facts of a warning sign, one a line, each after its name."""
    columns = [Column(("",), keep=9), Column(("",), keep=8, least=20, wrap=True)]
    return Grid(columns, [[Text(f"  {name}", "dim"), clean(text)] for name, text in facts], heading=False)
