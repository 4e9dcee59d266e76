"""The report of `league bench` as tables: training's share of the machine's limit, then every measured rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.views.grid import Column, Grid
from league.views.text import clean, count, duration, number

if TYPE_CHECKING:
    from league.studies.bench.bench_report import BenchReport, Change, Comparison, Summary

_SHARE, _LIMIT, _TRAINED = "training.share_of_limit", "machine.limit.float32", "training.self_play"
_MIXED = "training.bfloat16.of_self_play"

_GROUPS = {
    "machine": "the machine's limit",
    "training": "training",
    "inference": "inference",
    "stepping": "stepping",
    "matches": "match play",
    "rating": "ratings",
}
"""Titles of the groups of probes, by the first part of their names, in the order shown."""

_PHASES = {
    "games": ("games",),
    "inference": ("inference", "infer"),
    "advantages": ("advantages", "adv"),
    "update": ("update",),
    "rated matches": ("rated matches", "matches"),
    "storage": ("storage",),
}

_LEVEL = 0.02
"""Smaller relative changes are shown as unchanged: they are below the measurement noise."""

_MIN_SPEEDUP = 1.1
"""The speedup in every cycle from which bfloat16 is recommended."""


def bench_table(report: BenchReport, comparison: Comparison | None = None, given: str = "") -> RenderableType:
    """The report, beginning with the share of the limit; with a comparison, also earlier values and changes."""
    parts: list[RenderableType] = [*_headline(report), Text(_machine(report), "dim")]
    if comparison is not None:
        parts += [Text(f"not as in {clean(comparison.file)}: {clean(one)}", "yellow") for one in comparison.warnings]
    parts += [Text(), _grid(report.probes, None if comparison is None else comparison.probes)]
    if report.ratios:
        old = None if comparison is None else comparison.ratios
        parts += [Text(), _ratios(report.ratios, old)]
    if report.phases:
        parts += [Text(), _phases(report.phases)]
    if report.skipped:
        parts.append(Text())
        parts += [Text(f"not measured: {clean(name)}: {clean(why)}", "dim") for name, why in report.skipped.items()]
    return Group(*parts, Text(), *_next(report, comparison, f" {given}" * bool(given)))


def _headline(report: BenchReport) -> list[Text]:
    """Training's share of the limit, an explanation, and the phase that takes most time."""
    share, lines = report.ratios.get(_SHARE), []
    if share is not None:
        lines.append(
            Text.assemble(
                ("training reaches ", "bold"),
                (f"{_value(share.median, 'ratio')} of this machine's limit", "bold"),
                f"   {_value(share.low, 'ratio')} to {_value(share.high, 'ratio')}",
            )
        )
    sentences = []
    if share is not None:
        sentences.append("The limit is the rate of the matrix products of actor and critic alone, in float32.")
    phases = report.phases.get(_TRAINED)
    if phases:
        name, part = max(phases.items(), key=lambda phase: phase[1])
        sentences.append(f"{part:.0%} of the training time is {_spoken(name)}.")
    return lines + ([Text(" ".join(sentences))] if sentences else [])


def _spoken(phase: str) -> str:
    return f"the {phase}" if phase in ("update", "games", "advantages") else phase


def _machine(report: BenchReport) -> str:
    facts, tuning = report.machine, report.tuning
    device = facts.get("gpu", "") if facts.get("device", "cpu") != "cpu" else ""
    facts_shown = [
        facts.get("cpu", ""),
        f"{facts.get('cores', '?')} cores",
        *([device] if device else []),
        f"torch {facts.get('torch', '?')}",
        f"{tuning.get('threads')} thread{'' if tuning.get('threads') == 1 else 's'}",
        f"{count(report.flop_per_step)} FLOP per agent-step",
        f"{'quick, ' if report.quick else ''}{duration(report.seconds)}",
    ]
    return clean(" · ".join(one for one in facts_shown if one))


def _grid(probes: Mapping[str, Summary], old: Mapping[str, Change] | None) -> Grid:
    rows: list[Sequence[str | Text]] = []
    for group, title in _GROUPS.items():
        members = {name: one for name, one in probes.items() if name.partition(".")[0] == group}
        if not members:
            continue
        unit = next(iter(members.values())).unit
        heading = Text.assemble((title, "bold"), (f", {'seconds' if unit == 's' else unit}", "dim"))
        rows += [[""] * _width(old)] if rows else []
        rows.append([heading, *[""] * (_width(old) - 1)])
        rows += [_row(one, None if old is None else old.get(name), old is not None) for name, one in members.items()]
    return Grid(_columns("", old), rows)


def _ratios(ratios: Mapping[str, Summary], old: Mapping[str, Change] | None) -> Grid:
    heading: list[str | Text] = [Text("ratios, within a cycle", "bold"), *[""] * (_width(old) - 1)]
    rows = [_row(one, None if old is None else old.get(name), old is not None) for name, one in ratios.items()]
    return Grid(_columns("", old), [heading, *rows], heading=False)


def _width(old: Mapping[str, Change] | None) -> int:
    return 4 if old is None else 6


def _columns(title: str, old: Mapping[str, Change] | None) -> list[Column]:
    compared = () if old is None else (Column(("before",), right=True, keep=6), Column(("now/before", "×"), keep=8))
    return [
        Column((title,), keep=3, least=20),
        Column(("median",), right=True, keep=9),
        Column(("lowest to highest", "range"), right=True, keep=5),
        Column(("samples", "n"), right=True, keep=1),
        *compared,
    ]


def _row(one: Summary, change: Change | None, compared: bool) -> list[str | Text]:
    cells: list[str | Text] = [
        f"  {clean(one.about)}",
        Text(_value(one.median, one.unit), "bold"),
        f"{_value(one.low, one.unit)} to {_value(one.high, one.unit)}" if one.samples > 1 else "",
        Text(str(one.samples), "dim"),
    ]
    if compared:
        cells += ["", ""] if change is None else [_value(change.old, one.unit), _changed(change, one.unit)]
    return cells


def _value(value: float, unit: str) -> str:
    if unit == "s":
        return number(value, 2)
    return number(value, 2 if value >= 0.1 else 3) if unit == "ratio" else count(value)


def _changed(change: Change, unit: str) -> Text:
    """The ratio to the earlier value; green if better (for seconds: lower), red if worse."""
    better = change.ratio < 1 if unit == "s" else change.ratio > 1
    style = "dim" if abs(change.ratio - 1) <= _LEVEL else "green" if better else "red"
    return Text(f"× {change.ratio:.2f}", style)


def _phases(phases: Mapping[str, Mapping[str, float]]) -> Grid:
    """The time by phase, in percent; the rest is time outside all phases."""
    shown = [name for name in _PHASES if any(name in one for one in phases.values())]
    columns = [
        Column(("where the time goes, %", "time, %"), keep=9, least=12),
        *(Column(_PHASES[name], right=True, keep=5) for name in shown),
        Column(("rest",), right=True, keep=1),
    ]
    rows = []
    for probe, shares in phases.items():
        rest = max(1 - sum(shares.values()), 0.0)
        cells = [f"{100 * shares[name]:.0f}" if name in shares else "" for name in shown]
        what = probe.partition(".")[2]
        rows.append([f"  {clean(what.partition(':')[2] or what)}", *cells, f"{100 * rest:.0f}"])
    return Grid(columns, rows)


def _next(report: BenchReport, comparison: Comparison | None, given: str) -> list[Text]:
    lines, longer = ["Next:"], f"{given} --quick" if report.quick else given
    mixed = report.ratios.get(_MIXED)
    if mixed is not None and mixed.low > _MIN_SPEEDUP and report.tuning.get("precision") != "bfloat16":
        lines.append(
            f"  league run{given} --set algorithm.precision=bfloat16    trains {mixed.median:.1f} times as fast here"
        )
    if report.quick:
        lines.append(f"  league bench{given}    takes minutes, with more samples")
    if comparison is None:
        lines.append(f"  league bench{longer} --json > bench.json    saves the report")
        lines.append(f"  league bench{longer} --compare bench.json    shows changes since then")
    if len(lines) == 1:
        lines.append(f"  league run{given}")
    # No wrapping: a command that is broken into lines cannot be copied.
    return [Text(line, no_wrap=True, overflow="ignore") for line in lines]
