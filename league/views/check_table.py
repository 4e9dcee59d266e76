"""The report of `league check` as text: the verdict, what to fix and where, then play, learning curves and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.studies.check.check_report import Mean
from league.views.grid import Column, Grid, facts_grid
from league.views.text import average, clean, count, duration, interval, number, sparkline

if TYPE_CHECKING:
    from league.studies.check.check_report import Curve, Finding, Play, Report, ShortTraining

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "ok": "green"}

_MOST = 10
"""The most curves of a training, or seats, that are shown one by one; more are shown by role."""

_CHANGED = 3.0
"""A return is shown as changed from this number of standard errors on."""


def check_table(report: Report, given: str) -> RenderableType:
    """The report, its verdict first."""
    parts: list[RenderableType] = [_verdict(report), Text(_about(report), "dim")]
    if report.words:
        parts += [Text(), facts_grid([(name, Text(clean(words))) for name, words in report.words.items()])]
    parts += [Text(), _findings(report.findings)]
    if report.play is not None:
        parts += [Text(), *_play(report.play, report.roles)]
    if report.lessons:
        parts += [Text(), _lessons(report.lessons, report.roles)]
    if report.cost is not None:
        parts += [Text(), *_cost(report)]
    return Group(*parts, Text(), *_next(report, given))


def _verdict(report: Report) -> Text:
    """Whether the game passes, and the number of findings of each level."""
    counts = [
        f"{found} {level}{'' if found == 1 else 's'}"
        for level in ("error", "warning", "note")
        if (found := report.count(level))
    ]
    passed = ("passes", "bold green") if report.passed else ("fails", "bold red")
    return Text.assemble((f"{clean(report.game)} ", "bold"), passed, f"   {', '.join(counts) or 'nothing found'}")


def _about(report: Report) -> str:
    facts = [{"aec": "AEC", "parallel": "Parallel", "native": "batched torch"}.get(report.kind, report.kind)]
    if report.seats:
        facts.append(_counted(len(report.seats), "agent"))
        facts.append(f"{_counted(len(report.roles), 'role')}: {', '.join(map(clean, report.roles))}")
        facts.append(_counted(len(report.sides), "side"))
    facts.append(duration(report.seconds))
    return " · ".join(one for one in facts if one)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _findings(findings: Sequence[Finding]) -> Grid:
    """What is wrong, where, and how to fix it; checks that passed take one line each."""
    rows: list[Sequence[str | Text]] = []
    for finding in findings:
        rows.append([Text(finding.level, _STYLES[finding.level]), clean(finding.what)])
        if finding.level != "ok":
            rows += [["", Text(clean(finding.where), "dim")]] if finding.where else []
            rows += [["", Text(f"→ {clean(finding.advice)}")]] if finding.advice else []
    return Grid([Column(("",), keep=9), Column(("",), keep=8, least=20, wrap=True)], rows, heading=False)


def _play(play: Play, roles: Mapping[str, Sequence[str]]) -> list[RenderableType]:
    endings = {"terminated": play.terminated, "truncated": play.truncated, "not ended": play.unfinished}
    facts = [
        f"{play.shortest} to {play.longest} turns (median {play.median:g})",
        ", ".join(f"{found} {how}" for how, found in endings.items() if found),
        "zero-sum" if play.zero_sum else "not zero-sum",
        f"{count(play.steps_per_second)} steps/s",
    ]
    rows: list[Sequence[str | Text]] = []
    for name, seats in roles.items():
        scores = [play.scores[seat] for seat in seats]
        if len(play.scores) > _MOST:
            rows.append([f"  {clean(name)} ({_counted(len(seats), 'agent')})", _value(Mean.average(scores))])
        else:
            rows += [[f"  {clean(seat)}", _value(one)] for seat, one in zip(seats, scores, strict=True)]
    grid = Grid([Column(("",), keep=8, least=8), Column(("score ± 95 %", "score"), right=True, keep=9)], rows)
    heading = Text.assemble(("random play", "bold"), f", {play.episodes} episodes: {' · '.join(facts)}")
    return [heading, grid]


def _lessons(lessons: Sequence[ShortTraining], roles: Mapping[str, Sequence[str]]) -> Grid:
    rows: list[Sequence[str | Text]] = []
    for lesson in lessons:
        pace = f"{count(lesson.agent_steps)} agent-steps, {count(lesson.agent_steps / lesson.seconds)}/s"
        rows.append([Text(f"{clean(lesson.role)} learns", "bold"), "", "", Text(pace, "dim"), ""])
        for name, learns, curves in _grouped(lesson.curves, roles):
            points = [average([curve.returns[at] for curve in curves]) for at in range(lesson.rounds)]
            at_random = Mean.average([curve.random for curve in curves])
            at_end = Mean.average([curve.last for curve in curves])
            change = sum(curve.change for curve in curves) / len(curves)
            arrow = "↑" if change >= _CHANGED else "↓" if change <= -_CHANGED else "="
            rows.append(
                [
                    f"  {clean(name)}",
                    "learns" if learns else "random",
                    Text(sparkline(points), "green" if learns else "dim"),
                    f"{_value(at_random)} → {_value(at_end)}",
                    arrow,
                ]
            )
    columns = [
        Column(("learning against random play", "learning"), keep=8, least=10),
        Column(("plays",), keep=2),
        Column(("return by round", "curve"), keep=3),
        Column(("random play → last rounds", "return"), keep=9),
        Column(("",), keep=4),
    ]
    return Grid(columns, rows)


def _grouped(curves: Sequence[Curve], roles: Mapping[str, Sequence[str]]) -> list[tuple[str, bool, list[Curve]]]:
    """The curves one by one, or by role where there are many: (name, learns, curves)."""
    if len(curves) <= _MOST:
        return [(curve.agent, curve.learns, [curve]) for curve in curves]
    found: dict[tuple[str, bool], list[Curve]] = {}
    of_agent = {agent: role for role, agents in roles.items() for agent in agents}
    for curve in curves:
        found.setdefault((of_agent[curve.agent], curve.learns), []).append(curve)
    return [(f"{role} ({_counted(len(group), 'agent')})", learns, group) for (role, learns), group in found.items()]


def _value(mean: Mean) -> str:
    return interval(mean.value, mean.value - mean.half, mean.value + mean.half)


def _cost(report: Report) -> list[Text]:
    cost = report.cost
    assert cost is not None
    memory = "" if cost.megabytes is None else f" and {_memory(cost.megabytes)} of memory"
    how = f"{count(cost.agent_steps_per_second)} agent-steps/s, {_counted(cost.slots, 'game')} side by side"
    how += f", {_counted(cost.workers, 'worker')}" if cost.workers else ""
    what = Text.assemble(
        (f"a run of {count(cost.steps)} agent-steps", "bold"),
        f" takes about {duration(cost.seconds)} here{memory}",
    )
    return [what, Text(f"  {how}; rated matches not counted", "dim")]


def _memory(megabytes: float) -> str:
    return f"{number(megabytes / 1024, 1)} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def _next(report: Report, game: str) -> list[Text]:
    """game: with its options, as words of a command."""
    lines = ["Next:"]
    if not report.passed:
        lines.append(f"  league check {game}    again, once it is fixed")
    else:
        steps = 1_000_000 if report.cost is None else report.cost.steps
        lines.append(f"  league run --game {game} --steps {steps}")
        if any(finding.check in ("learning.flat", "learning.unknown") for finding in report.findings):
            lines.append(f"  league check {game} --seconds 120    learns for longer")
    lines.append(f"  league check {game} --json    shows all numbers")
    # No wrapping: a command that is broken into lines cannot be copied.
    return [Text(line, no_wrap=True, overflow="ignore") for line in lines]
