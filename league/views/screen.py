"""The live screen as a pure function of the run's events, the time and the terminal's size.

From top to bottom: the run and its progress; then, if there is room, the standings of every role, the learners'
metrics, recent events, and the time by phase. On wide terminals the standings are beside the rest.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from league.records import Standing
from league.views.grid import Column, Grid
from league.views.standings_table import NO_MATCHES, standings_grid
from league.views.text import clean, count, duration, number, places
from league.views.watch import EventLine, Watch

METRICS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("return",), 9),
    (("entropy",), 8),
    (("approx_kl", "kl"), 7),
    (("clip_fraction", "clip"), 5),
    (("explained_variance", "expl_var"), 6),
    (("value_loss", "v_loss"), 4),
    (("epsilon", "eps"), 8),
    (("td_loss",), 7),
    (("q_value", "q"), 6),
)
"""The metrics to show: (name, shorter name), and their importance if space is short.

Metrics that no learner has are left out after the first round, since algorithms have different ones.
"""

_TWO_COLUMNS = 140
_GUTTER = 4
_WARNING_LINES = 3
_STYLES = {"snapshot": "cyan", "best": "yellow", "exploit": "magenta", "warning": "bold yellow", "stop": "bold"}


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the screen of variable height: `draw(width, n)` returns a heading and n lines below it.

    wanted: the most lines that it can fill. weight: its share if there is not enough room.
    """

    draw: Callable[[int, int], RenderableType]
    wanted: int
    weight: float


def compose(watch: Watch, now: float, width: int, height: int) -> RenderableType:
    """The screen, at most `width` cells wide and `height` lines tall."""
    top = head(watch, now, width)
    return Constrain(Group(*top[: max(height, 1)], body(watch, width, height - len(top))), width)


def head(watch: Watch, now: float, width: int) -> list[RenderableType]:
    """The lines that change with the clock: the run, its progress and its current phase."""
    return [_title(watch, width), _bar(watch, now, width), _status(watch, width)]


def body(watch: Watch, width: int, room: int) -> RenderableType:
    """Everything below the head, in at most `room` lines. It changes only with events other than `Progress`."""
    half = (width - _GUTTER) // 2 if width >= _TWO_COLUMNS else width
    standings, rest = _standings(watch), [_learners(watch), _events(watch, half)]
    if watch.phases:
        rest.append(_Section(lambda wide, lines: _phases(watch, wide), 0, 0.0))
    if width < _TWO_COLUMNS:
        return Group(*_stack([*standings, *rest], width, room))
    left, right = _stack(standings, half, room), _stack(rest, half, room)
    if not left and not right:
        return Group()
    beside = Table.grid(padding=(0, _GUTTER, 0, 0), pad_edge=False)
    beside.add_column(width=half)
    beside.add_column(width=half)
    beside.add_row(Group(*left), Group(*right))
    return beside


def _stack(sections: Sequence[_Section], width: int, room: int) -> list[RenderableType]:
    """The sections that fit into `room` lines, in order, with blank lines between them if those fit, too."""
    shown = list(sections)
    while shown and sum(1 + min(section.wanted, 1) for section in shown) > room:
        shown.pop()
    least = sum(1 + min(section.wanted, 3) for section in shown)
    gap = 1 if least + len(shown) <= room else 0
    lines = allot([(section.wanted, section.weight) for section in shown], room - len(shown) * (1 + gap))
    parts: list[RenderableType] = []
    for section, given in zip(shown, lines, strict=True):
        parts += [Text()] * gap
        parts.append(section.draw(width, given))
    return parts


def allot(wanted: Sequence[tuple[int, float]], room: int) -> list[int]:
    """Share `room` lines by weight. wanted: (lines, weight) of each; none gets more lines than it wants."""
    given = [0] * len(wanted)
    while room > 0:
        short = [i for i, (lines, _) in enumerate(wanted) if given[i] < lines]
        if not short:
            break
        given[min(short, key=lambda i: (given[i] / wanted[i][1], i))] += 1
        room -= 1
    return given


def _title(watch: Watch, width: int) -> Text:
    run = watch.started
    if run is None:
        return Text("league", "bold cyan")
    several = [f"{len(run.learners)} learners"] if len(run.learners) > 1 else []
    named = [clean(run.game), clean(run.matchmaking), *several, clean(run.folder)]
    title = Text.assemble(("league", "bold cyan"), "  ", (named[0], "bold"), *((f"  {part}", "") for part in named[1:]))
    title.truncate(width, overflow="ellipsis")
    return title


def _bar(watch: Watch, now: float, width: int) -> RenderableType:
    """The used share of the run's budget; without a budget, the progress of the current round."""
    run, done = watch.started, watch.done(now)
    of = f"/{run.rounds_budget}" if run is not None and run.rounds_budget else ""
    share = watch.within if done is None else done
    current = watch.round + (watch.stopped is None)
    left = Text(f"round {current}{of}")
    remaining = watch.remaining(now)
    long = width >= 80
    right = [
        f"{100 * share:3.0f}%",
        ("elapsed " if long else "") + duration(watch.elapsed(now)),
        *([] if remaining is None else [f"eta {duration(remaining)}"]),
    ]
    facts = Text("  ".join(right))
    room = width - left.cell_len - facts.cell_len - 4
    if room < 5:
        line = Text.assemble(left, "  ", facts)
        line.truncate(width, overflow="ellipsis")
        return line
    bar = ProgressBar(1.0, share, width=room, complete_style="cyan", finished_style="green")
    row = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for part_width in (left.cell_len, room, facts.cell_len):
        row.add_column(width=part_width, no_wrap=True)
    row.add_row(left, bar, facts)
    return row


def _status(watch: Watch, width: int) -> Text:
    run, last = watch.started, watch.last
    phase = Text(watch.phase, "green" if watch.stopped is None else "bold")
    if watch.stopped is None and watch.phase_fraction > 0:
        phase.append(f" {100 * watch.phase_fraction:.0f}%", "")
    of = f"/{count(run.steps_budget)}" if run is not None and run.steps_budget else ""
    facts = [phase, Text(f"{count(watch.steps)}{of} agent-steps")]
    if watch.pace is not None:
        facts.append(Text(f"{count(watch.pace)}/s"))
    if last is not None:
        facts += [Text(f"{count(last.matches)} matches"), Text(f"{count(last.games)} games")]
    return _fields(facts, width)


def _fields(facts: Sequence[Text], width: int) -> Text:
    """As many facts on one line as fit."""
    line = Text(no_wrap=True)
    for fact in facts:
        if line.cell_len and line.cell_len + 3 + fact.cell_len > width:
            break
        line.append("   " if line.cell_len else "")
        line.append_text(fact)
    line.truncate(width, overflow="ellipsis")
    return line


def _standings(watch: Watch) -> list[_Section]:
    by_role = {role: lines for role, lines in watch.standings.items() if lines}
    if not by_role:
        waits = watch.last is None and watch.started is not None and watch.started.resumed
        text = "standings follow this round" if waits else NO_MATCHES
        return [_Section(lambda width, lines: _headed("standings", [Text(text, "dim italic")][:lines]), 1, 2.0)]
    several = len(by_role) > 1
    return [
        _Section(
            partial(_ranked, lines, watch.one_sided, clean(role)[:16] if several else "standings"), len(lines), 2.0
        )
        for role, lines in by_role.items()
    ]


def _ranked(lines: Sequence[Standing], one_sided: bool, title: str, width: int, n: int) -> RenderableType:
    top = "name" if n >= len(lines) else f"{n} of {len(lines)}"
    return standings_grid(lines[:n], one_sided, title, top)


def _learners(watch: Watch) -> _Section:
    metrics = watch.last.metrics if watch.last is not None else {}
    names = list(metrics) or list(watch.started.learners if watch.started is not None else ())

    def draw(width: int, n: int) -> RenderableType:
        shown = names[:n]
        of = f"{len(shown)} of {len(names)}"
        titles = ("learner",) if len(shown) == len(names) else (f"{of} learners", of)
        columns = [Column(titles, keep=10, least=8)]
        cells: list[list[str]] = [[clean(name) for name in shown]]
        for wordings, keep in METRICS if metrics else METRICS[:1]:
            if metrics and not any(wordings[0] in found for found in metrics.values()):
                continue
            values = [metrics.get(name, {}).get(wordings[0]) for name in shown]
            digits = places(value for value in values if value is not None)
            columns.append(Column(wordings, right=True, keep=keep))
            cells.append([number(value, digits) for value in values])
        return Grid(columns, list(zip(*cells, strict=True)))

    return _Section(draw, len(names), 2.0)


def _events(watch: Watch, width: int) -> _Section:
    """The latest events, oldest first. width: of the section, at which warnings are wrapped."""
    texts = [_event(event, width) for event in watch.events]

    def draw(width: int, n: int) -> RenderableType:
        shown: list[Text] = []
        for lines in reversed(texts):
            shown = lines[: n - len(shown)] + shown
        return _headed("events", shown or [Text("none yet", "dim italic")][:n])

    return _Section(draw, max(sum(map(len, texts)), 1), 1.0)


def _event(event: EventLine, width: int) -> list[Text]:
    """One event in lines of at most `width` cells. Only warnings take several lines."""
    label = Text.assemble((f"{event.round:>6}", "dim"), "  ", (f"{event.kind:<8}", _STYLES.get(event.kind, "")), "  ")
    texts = [event.text]
    if event.kind == "warning":
        texts = textwrap.wrap(event.text, max(width - label.cell_len, 20), max_lines=_WARNING_LINES, placeholder=" …")
    lines = [Text.assemble(label if index == 0 else " " * label.cell_len, text) for index, text in enumerate(texts)]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines or [label]


def _phases(watch: Watch, width: int) -> Text:
    """Each phase's share of the time since the start, largest first."""
    total = sum(watch.phases.values()) or 1.0
    shares = sorted(watch.phases.items(), key=lambda item: -item[1])
    return _fields(
        [Text("time", "bold"), *(Text(f"{name} {100 * seconds / total:.0f}%") for name, seconds in shares)], width
    )


def _headed(title: str, lines: Sequence[Text]) -> RenderableType:
    return Group(Text(title, "bold"), *lines)
