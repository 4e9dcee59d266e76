"""When a run stops, how long is left, and how an interrupt ends a round."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from league.config.sections import BudgetConfig

GRACE = 10.0
"""Seconds in which a round may end after an interrupt. A round that takes longer is dropped and replayed later."""


class RoundDropped(BaseException):
    """The round in progress is dropped after an interrupt; committed rounds are untouched.

    Like KeyboardInterrupt, it is not an Exception, so that no listener or cleanup can swallow it.
    """


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: totals of rounds and agent-steps, and seconds of this call; None where unlimited."""

    rounds: int | None = None
    steps: int | None = None
    seconds: float | None = None

    @staticmethod
    def of(config: BudgetConfig) -> Budget:
        """The budget that a config states."""
        return Budget(config.rounds, config.steps, None if config.minutes is None else 60.0 * config.minutes)

    def reached(self, rounds: int, steps: int, seconds: float) -> bool:
        """Whether one of the limits is reached."""
        return (
            (self.rounds is not None and rounds >= self.rounds)
            or (self.steps is not None and steps >= self.steps)
            or (self.seconds is not None and seconds >= self.seconds)
        )

    def remaining(self, rounds: int, steps: int, seconds: float, pace: float) -> float | None:
        """Estimated seconds until the first limit is reached; None if unlimited. pace: seconds per round."""
        estimates = []
        if self.rounds is not None:
            estimates.append((self.rounds - rounds) * pace)
        if self.steps is not None and steps:
            estimates.append((self.steps - steps) * pace * rounds / steps)
        if self.seconds is not None:
            estimates.append(self.seconds - seconds)
        return max(min(estimates), 0.0) if estimates else None


@dataclass(slots=True)
class RoundClock:
    """Times rounds. Only how an interrupted round ends depends on this clock."""

    _began: float = 0.0
    _running: bool = False
    _last: deque[float] = field(default_factory=lambda: deque(maxlen=10))

    def start(self) -> None:
        """Start timing a round."""
        self._began, self._running = time.monotonic(), True

    def finish(self) -> float:
        """End the round. Returns the seconds that it took."""
        self._running, seconds = False, self.seconds
        self._last.append(seconds)
        return seconds

    def stop(self) -> None:
        """Stop timing; an unfinished round does not count."""
        self._running = False

    @property
    def seconds(self) -> float:
        """Seconds since the round began."""
        return time.monotonic() - self._began

    @property
    def pace(self) -> float:
        """Mean seconds of the last ten rounds; 0 before the first."""
        return sum(self._last) / len(self._last) if self._last else 0.0

    @property
    def left(self) -> float:
        """Estimated seconds until the running round ends; 0 if none is running."""
        return max(self.pace - self.seconds, 0.0) if self._running else 0.0


@dataclass(slots=True)
class Interruption:
    """A request to stop: after the round in progress if that ends within `GRACE` seconds, else at once."""

    _asked: float | None = None

    @property
    def asked(self) -> bool:
        """Whether the run was asked to stop."""
        return self._asked is not None

    def ask(self, left: float) -> None:
        """Ask to stop. left: estimated seconds until the round ends. Raises RoundDropped if `left` exceeds `GRACE`."""
        self._asked = time.monotonic()
        if left > GRACE:
            raise RoundDropped

    def check(self) -> None:
        """Raises RoundDropped if a request was made and `GRACE` has passed since."""
        if self._asked is not None and time.monotonic() - self._asked > GRACE:
            raise RoundDropped

    def clear(self) -> None:
        """Forget the request."""
        self._asked = None
