"""The state of a run from its events, as the views need it: progress, pace, recent events. No terminal, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from league.events import (
    Event,
    Evicted,
    Exploited,
    Progress,
    RoundFinished,
    RunStarted,
    RunStopped,
    SnapshotTaken,
    Warned,
)
from league.records import Snapshot, Standing
from league.views.text import MISSING, clean, number

_PACE_ROUNDS = 10
_EVENTS_KEPT = 64

REASONS = {
    "budget": "budget reached",
    "interrupt": "stopped by an interrupt",
    "error": "stopped by an error",
}
"""The reasons for which a run stops, in words."""


@dataclass(frozen=True, slots=True)
class EventLine:
    """One line of recent events. kind: snapshot, best, exploit, warning, seats, start or stop."""

    round: int
    kind: str
    text: str


class Watch:
    """Follows one run. Times are in seconds of the caller's clock; `now` is its current time.

    round, steps: of the last committed round. within: the fraction of the current round that is done, in [0, 1].
    phases: seconds by phase since the start; unaccounted time is "other". last: the last finished round. seen: the
    number of events, without `Progress`.
    """

    def __init__(self, now: float) -> None:
        self.began = self._updated = now
        self.ended: float | None = None
        self.started: RunStarted | None = None
        self.last: RoundFinished | None = None
        self.stopped: RunStopped | None = None
        self.round = self.steps = self.seen = 0
        self.phase, self.phase_fraction, self.within = "starting", 0.0, 0.0
        self.phases: dict[str, float] = {}
        self.events: deque[EventLine] = deque(maxlen=_EVENTS_KEPT)
        self._pace: deque[tuple[float, float]] = deque(maxlen=_PACE_ROUNDS)
        self._best: dict[str, str] = {}
        self._start = 0.0

    def see(self, event: Event, now: float) -> None:
        """Handle one event."""
        self.seen += not isinstance(event, Progress)
        match event:
            case RunStarted():
                self.started, self.began, self._updated = event, now, now
                self.round, self.steps = event.round, event.steps
                self._start = self.done(now) or 0.0
                if event.seating:
                    self._note(event.round, "seats", clean(event.seating))
                if event.resumed:
                    self._note(event.round, "start", f"goes on after round {event.round}")
            case Progress():
                self.phase, self.phase_fraction = clean(event.phase), min(max(event.fraction, 0.0), 1.0)
                # Each phase restarts its fraction at 0; that of the round must never decrease.
                self.within = max(self.within, self.phase_fraction)
            case RoundFinished():
                self._finish(event, now)
            case SnapshotTaken():
                self._note(event.round, "snapshot", snapshot_text(event))
            case Evicted():
                self._note(event.round, "evicted", evicted_text(event))
            case Exploited():
                self._note(event.round, "exploit", exploit_text(event))
            case Warned():
                self._note(event.round, "warning", clean(event.message))
            case RunStopped():
                self.stopped, self.ended, self.phase = event, now, REASONS.get(event.reason, clean(event.reason))
                self._note(event.round, "stop", self.phase)

    def elapsed(self, now: float) -> float:
        """Seconds from the start of the run to now, or to its end if it has stopped."""
        return (self.ended if self.ended is not None else now) - self.began

    def done(self, now: float) -> float | None:
        """The used fraction of the budget that ends first, in [0, 1]; None for a run without a budget."""
        run = self.started
        if run is None:
            return None
        used = []
        if run.rounds_budget:
            used.append((self.round + self.within) / run.rounds_budget)
        if run.steps_budget:
            a_round = self._pace[-1][0] if self._pace else 0.0
            used.append((self.steps + self.within * a_round) / run.steps_budget)
        if run.seconds_budget:
            used.append(self.elapsed(now) / run.seconds_budget)
        return min(max(used), 1.0) if used else None

    def remaining(self, now: float) -> float | None:
        """Estimated seconds to the end of the budget; None if there is no estimate."""
        if self.stopped is not None:
            return None
        if self.last is not None and self.last.remaining is not None:
            return max(self.last.remaining - (now - self._updated), 0.0)
        done = self.done(now)
        if done is None or done - self._start < 0.005:
            return self.started.seconds_budget if self.started is not None else None
        return self.elapsed(now) * (1.0 - done) / (done - self._start)

    @property
    def one_sided(self) -> bool:
        """Whether ratings are mean scores."""
        return self.started is not None and self.started.one_sided

    @property
    def pace(self) -> float | None:
        """Agent-steps per second over the last rounds; None before the first."""
        seconds = sum(second for _, second in self._pace)
        return sum(steps for steps, _ in self._pace) / seconds if seconds > 0 else None

    @property
    def standings(self) -> Mapping[str, tuple[Standing, ...]]:
        """The last standings by role."""
        return self.last.standings if self.last is not None else {}

    def _finish(self, event: RoundFinished, now: float) -> None:
        self.last, self._updated = event, now
        self.round, self.steps, self.within, self.phase_fraction = event.round, event.steps, 0.0, 0.0
        self._pace.append((event.steps_per_second * event.seconds, event.seconds))
        for phase, seconds in event.phases.items():
            name = clean(phase)
            self.phases[name] = self.phases.get(name, 0.0) + seconds
        other = event.seconds - sum(event.phases.values())
        if other > 0:
            self.phases["other"] = self.phases.get("other", 0.0) + other
        for role, lines in event.standings.items():
            best = next((line.snapshot for line in lines if line.best), None)
            if best is None or self._best.get(role) == best.id:
                continue
            # When a run is resumed, the best so far is not an event.
            if role in self._best or self.started is None or not self.started.resumed:
                self._note(event.round, "best", best_text(best, len(event.standings)))
            self._best[role] = best.id

    def _note(self, round: int, kind: str, text: str) -> None:
        if kind == "snapshot" and self.events and (self.events[-1].round, self.events[-1].kind) == (round, kind):
            text = f"{self.events.pop().text}, {text}"
        self.events.append(EventLine(round, kind, text))


def best_text(snapshot: Snapshot, roles: int) -> str:
    """The new best snapshot, with its role if there are several roles."""
    of = f" of {clean(snapshot.role)}" if roles > 1 else ""
    return f"{clean(snapshot.name)} {clean(snapshot.short)} is best{of}"


def snapshot_text(event: SnapshotTaken) -> str:
    """The new snapshot's name and id, and its exploitability if it was measured."""
    named = f"{clean(event.snapshot.name)} {clean(event.snapshot.short)}"
    return (
        named if event.exploitability is None else f"{named} (exploitability {number(event.exploitability.value, 3)})"
    )


def evicted_text(event: Evicted) -> str:
    """How many snapshots are no longer opponents."""
    return f"{event.snapshots} snapshots are no longer opponents, {event.left} are"


def exploit_text(event: Exploited) -> str:
    """Which learner copied which, and what changed: `main-3 ← main-1  learning_rate 0.0003→0.00024`.

    For a reset, from where it started again: `main_exploiter ← main_exploiter.0`. The reason, if any, ends it.
    """
    changed = [
        f"{clean(name)} {_short(event.before.get(name))}→{_short(value)}"
        for name, value in event.after.items()
        if event.before.get(name) != value
    ]
    copied = f"{clean(event.learner)} ← {clean(event.snapshot or event.source)}"
    if changed or not event.snapshot:
        copied += f"  {', '.join(changed) or 'nothing changed'}"
    return f"{copied} ({clean(event.reason)})" if event.reason else copied


def _short(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3g}"
