"""The events of a run, and the bus that hands them to listeners. A listener that fails cannot stop the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from league.records import ExploitabilityBound, Snapshot, Standing

log = logging.getLogger("league")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run begins or goes on. round, steps: so far. The budgets are None if unlimited; seconds count from now.

    one_sided: the game has no opponents, so ratings are mean scores. seating: the sides and roles of the seats, in
    words (`GameSpec.seating`).
    """

    folder: str
    game: str
    matchmaking: str
    learners: tuple[str, ...]
    resumed: bool
    round: int
    steps: int
    rounds_budget: int | None = None
    steps_budget: int | None = None
    seconds_budget: float | None = None
    one_sided: bool = False
    seating: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress within a round. phase: what is being done. fraction: of the round that is done, in [0, 1]."""

    round: int
    phase: str
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFinished:
    """A round is committed. steps: agent-steps in total. seconds: of this round; phases: seconds by phase.

    metrics: by learner. standings: by role, best first. matches, games: rated so far. remaining: estimated seconds
    until the budget is reached; None if it is unlimited.
    """

    round: int
    steps: int
    seconds: float
    steps_per_second: float
    phases: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    standings: Mapping[str, tuple[Standing, ...]] = field(default_factory=dict)
    matches: int = 0
    games: int = 0
    remaining: float | None = None


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """A snapshot joined the roster. exploitability: if it was measured."""

    round: int
    snapshot: Snapshot
    exploitability: ExploitabilityBound | None = None


@dataclass(frozen=True, slots=True)
class Evicted:
    """Snapshots left the pool of opponents. left: how many are in it now."""

    round: int
    snapshots: int
    left: int


@dataclass(frozen=True, slots=True)
class Exploited:
    """`learner` was copied over from `source` and its hyperparameters perturbed (PBT).

    snapshot: the name of the snapshot from which it started again, if it is its own source; else empty. reason: as in
    `Exploit`.
    """

    KIND: ClassVar[str] = "exploit"
    """Its kind among a run's events."""

    round: int
    learner: str
    source: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    snapshot: str = ""
    reason: str = ""

    def record(self) -> dict[str, object]:
        """It as JSON values, as a run's events keep it."""
        values: dict[str, object] = {
            "learner": self.learner,
            "source": self.source,
            "snapshot": self.snapshot,
            "before": dict(self.before),
            "after": dict(self.after),
        }
        return values | ({"reason": self.reason} if self.reason else {})

    @staticmethod
    def restore(round: int, record: Mapping[str, Any]) -> Exploited:
        """The inverse of `record`. Runs of earlier versions may lack the last two values."""
        values = {key: record[key] for key in ("learner", "source", "before", "after")}
        return Exploited(round, **values, snapshot=record.get("snapshot", ""), reason=record.get("reason", ""))


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know that does not stop the run."""

    round: int
    message: str


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The run is over for now. reason: "budget", "interrupt" or "error"."""

    round: int
    steps: int
    seconds: float
    reason: str


Event = RunStarted | Progress | RoundFinished | SnapshotTaken | Evicted | Exploited | Warned | RunStopped
Listener = Callable[[Event], None]

Tick = Callable[[float], None]
"""Called with the fraction of a piece of work that is done, in [0, 1]. What it raises ends the work."""


def part(tick: Tick, begin: float, share: float) -> Tick:
    """A tick for a part of the work: it begins at the fraction `begin` of the whole and is `share` of it."""
    return lambda fraction: tick(begin + share * fraction)


class Bus:
    """Hands each event to every listener. A listener that raises an Exception is logged and removed."""

    def __init__(self, listeners: tuple[Listener, ...] = ()) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        """Hand an event to all listeners."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                self._listeners.remove(listener)
                log.exception("a listener failed and was removed: %r", listener)
