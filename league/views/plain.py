"""A run as plain lines, for logs, pipes and `--plain`: one line per finished round and one per other event."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TextIO

from league.events import Event, Evicted, Exploited, RoundFinished, RunStarted, RunStopped, SnapshotTaken, Warned
from league.views.text import DOWNGRADE, clean, count, duration, half_width, interval, number, places
from league.views.watch import REASONS, Watch, evicted_text, exploit_text, snapshot_text

_NAMED = 4


class PlainConsole:
    """Writes lines to `stream` as a listener of a run. No colours, no control characters.

    every: the least number of seconds between two lines of rounds. Rounds in between are skipped, but never the last.
    Snapshots are listed together before the next line of a round; all other events are written at once.
    """

    def __init__(self, stream: TextIO, every: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._every, self._clock = stream, every, clock
        self._watch = Watch(clock())
        self._written: float | None = None
        self._waiting: RoundFinished | None = None
        self._snapshots: list[SnapshotTaken] = []

    def __call__(self, event: Event) -> None:
        """Handle an event and write the lines that are due."""
        now = self._clock()
        self._watch.see(event, now)
        match event:
            case RunStarted():
                self._write(_started(event))
                if event.seating:
                    self._write(f"seats: {clean(event.seating)}")
            case SnapshotTaken():
                self._snapshots.append(event)
            case Evicted():
                self._write(f"round {event.round}  evicted  {evicted_text(event)}")
            case Exploited():
                self._write(f"round {event.round}  exploit  {exploit_text(event)}")
            case Warned():
                self._write(f"round {event.round}  warning  {clean(event.message)}")
            case RoundFinished():
                self._waiting = event
                if self._written is None or now - self._written >= self._every:
                    self._flush(now)
            case RunStopped():
                self._flush(now)
                reason = REASONS.get(event.reason, clean(event.reason))
                steps = f"{count(event.steps)} agent-steps"
                self._write(f"round {event.round}  {reason} after {duration(event.seconds)}, {steps}")

    def _flush(self, now: float) -> None:
        """Write the waiting snapshots, then the waiting round."""
        if self._snapshots:
            named = ", ".join(map(snapshot_text, self._snapshots[-_NAMED:]))
            earlier = len(self._snapshots) - _NAMED
            word = "snapshot" if len(self._snapshots) == 1 else "snapshots"
            more = f"{earlier} more, " if earlier > 0 else ""
            self._write(f"round {self._snapshots[-1].round}  {word}  {more}{named}")
            self._snapshots.clear()
        if self._waiting is not None:
            self._write(self._round(self._waiting, now))
            self._waiting, self._written = None, now

    def _round(self, event: RoundFinished, now: float) -> str:
        remaining = self._watch.remaining(now)
        facts = [f"round {event.round}", f"steps {count(event.steps)}", f"{count(self._watch.pace or 0.0)}/s"]
        if remaining is not None:
            facts.append(f"eta {duration(remaining)}")
        facts += self._best(event)
        for name in ("return", "entropy", "epsilon"):
            values = [metrics[name] for metrics in event.metrics.values() if name in metrics]
            if values:
                facts.append(f"{name} {_range(values)}")
        return "  ".join(facts)

    def _best(self, event: RoundFinished) -> Iterable[str]:
        one_sided = self._watch.one_sided
        for role, lines in event.standings.items():
            of = f" {clean(role)}" if len(event.standings) > 1 else ""
            for line in lines:
                if line.best:
                    # The score against the field, which orders the standings; one-sided games have mean scores.
                    shown = line.rating if one_sided or line.field is None else line.field
                    digits = 3 if shown is line.field else places([shown.value, half_width(shown.low, shown.high)])
                    score = interval(shown.value, shown.low, shown.high, digits)
                    yield f"best{of} {clean(line.snapshot.name)} {score}"

    def _write(self, line: str) -> None:
        # A log line must not raise an error, whatever the stream can encode.
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(line.encode(encoding, DOWNGRADE).decode(encoding) + "\n")
        self._stream.flush()


def _started(event: RunStarted) -> str:
    """The run that starts, and its budget."""
    budgets = [
        f"{event.rounds_budget} rounds" if event.rounds_budget else "",
        f"{count(event.steps_budget)} agent-steps" if event.steps_budget else "",
        duration(event.seconds_budget) if event.seconds_budget else "",
    ]
    until = " or ".join(budget for budget in budgets if budget)
    learners = f"{len(event.learners)} learner{'' if len(event.learners) == 1 else 's'}"
    going = f"goes on after round {event.round}" if event.resumed else "begins"
    facts = [clean(event.game), clean(event.matchmaking), learners, clean(event.folder)]
    return f"{', '.join(facts)}: {going}" + (f", until {until}" if until else "")


def _range(values: list[float]) -> str:
    """One learner's value, or the lowest and highest of several learners."""
    digits = places(values)
    low, high = number(min(values), digits), number(max(values), digits)
    return low if low == high else f"{low} to {high}"
