"""`league metrics`: a run's metrics and warning signs as a table, JSON or CSV. Imports no torch, like all readers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from league.cli.output import console, print_json
from league.cli.shared import reading
from league.errors import ConfigError, nearest
from league.files import write_durably
from league.learning.diagnostics.catalogue import DIAGNOSTICS, EVENT_KIND
from league.storage.rows import EventRow, MetricsRow
from league.storage.store import Store
from league.views.metrics_table import metrics_table, signs_table

COLUMNS = ("round", "learner", "name", "value")
"""Columns of the CSV: one line per value; a value that was not finite is empty."""


def show_metrics(
    run: str | None, learner: str | None, last: int | None, names: Sequence[str], out: str | None, as_json: bool
) -> None:
    """`league metrics`. out: a file for CSV, "-" for stdout, None for a table or JSON."""
    if last is not None and last < 1:
        raise ConfigError(f"--last takes a number of rounds, at least 1, not {last}")
    if out is not None and (as_json or (out.startswith("-") and out != "-")):
        raise ConfigError("--csv takes a file, or - for standard output, and cannot be combined with --json")
    with reading(run) as store:
        whole = store.metrics(last=last)
        learners = _learners(store)
        seen = [event for event in store.events() if event.kind == EVENT_KIND]
    if learner is not None and learner not in learners:
        raise ConfigError(
            f"there is no learner '{learner}'{nearest(learner, learners)} (there are: {', '.join(learners)})"
        )
    rows = [row for row in whole if learner in (None, row.learner)]
    rows = [MetricsRow(row.round, row.learner, _chosen(row.values, names)) for row in rows]
    _require(names, whole, rows)
    first = min((row.round for row in rows), default=0)
    seen = [event for event in seen if learner in (None, event.data["learner"]) and event.round >= first]
    if out is not None:
        _write_csv(rows, out)
    elif as_json:
        print_json(
            {
                "metrics": [{"round": row.round, "learner": row.learner, "values": row.values} for row in rows],
                "signs": [{"round": event.round} | event.data for event in seen],
            }
        )
    else:
        _print(rows, seen)


def list_signs(as_json: bool) -> None:
    """`league metrics --signs`."""
    if as_json:
        fields = ("name", "metrics", "threshold", "cause", "setting")
        print_json([{field: getattr(sign, field) for field in fields} for sign in DIAGNOSTICS])
    else:
        console().print(signs_table(DIAGNOSTICS))


def _learners(store: Store) -> list[str]:
    last = store.last_round()
    return sorted(last.learners) if last else []


def _chosen(values: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    """The metrics with these names, and those below them (`return` includes `return/SEAT`)."""
    if not names:
        return values
    return {
        metric: value
        for metric, value in values.items()
        if any(metric == name or metric.startswith(name + "/") for name in names)
    }


def _require(names: Sequence[str], whole: Iterable[MetricsRow], rows: Iterable[MetricsRow]) -> None:
    """Raises ConfigError for a name that matches no measured metric."""
    measured = {metric for row in rows for metric in row.values}
    known = sorted({metric for row in whole for metric in row.values})
    for name in names:
        if known and not any(metric == name or metric.startswith(name + "/") for metric in measured):
            raise ConfigError(f"there is no metric '{name}'{nearest(name, known)} (there are: {', '.join(known)})")


def _write_csv(rows: Iterable[MetricsRow], out: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        for name, value in row.values.items():
            writer.writerow((row.round, row.learner, name, repr(value) if math.isfinite(value) else ""))
    if out == "-":
        print(text.getvalue(), end="")
    else:
        write_durably(Path(out), text.getvalue().encode())


def _print(rows: Sequence[MetricsRow], seen: Sequence[EventRow]) -> None:
    usual = {sign.name: sign.setting for sign in DIAGNOSTICS}
    shown = []
    for event in seen:
        name = event.data["sign"]
        look = event.data.get("setting", usual.get(name))
        shown.append((event.round, event.data["learner"], name, event.data["what"], look))
    console().print(metrics_table(rows, shown))
