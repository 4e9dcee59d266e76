"""What `league check` found, as records from which both the table and the JSON are made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

KIND = "league check"
"""The value of "report" in a report's JSON."""

Level = Literal["ok", "note", "warning", "error"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note", "ok")
"""The worst first."""

_MAX_DISTANCE = 1e3


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    check: an id for programs: a group of checks and, if there is a fault, its kind (`masks.empty`).
    what: a sentence. where: agent, turn, seed, and the method of the environment, as far as they are known.
    advice: what to fix; empty if there is nothing.
    """

    level: Level
    check: str
    what: str
    where: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of n values and its standard error; `half` is half of the 95 % interval."""

    value: float
    error: float
    n: int

    @classmethod
    def of(cls, values: npt.NDArray[np.float64]) -> Mean:
        """The mean of `[N]` values; 0 if there are none."""
        count = len(values)
        if not count:
            return cls(0.0, 0.0, 0)
        error = float(values.std(ddof=1)) / count**0.5 if count > 1 else 0.0
        return cls(float(values.mean()), error, count)

    @classmethod
    def average(cls, parts: Sequence[Mean]) -> Mean:
        """The mean of means, as uncertain as one of them, because they may all err together; 0 if there are none."""
        count = max(len(parts), 1)
        value, error = sum(part.value for part in parts) / count, sum(part.error for part in parts) / count
        return cls(value, error, min((part.n for part in parts), default=0))

    @property
    def half(self) -> float:
        """By the normal approximation, since n is large wherever it is shown."""
        return 1.96 * self.error

    def standard_errors_above(self, other: Mean) -> float:
        """The difference from `other` in its standard errors, within ±`_MAX_DISTANCE`; 0 if they are equal."""
        gap, error = self.value - other.value, math.hypot(self.error, other.error)
        if abs(gap) < 1e-9:
            return 0.0
        return max(min(gap / max(error, 1e-12), _MAX_DISTANCE), -_MAX_DISTANCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Uniformly random play.

    episodes: played to the end. unfinished: cut off by the check itself, after `limit` turns. terminated, truncated:
    how episodes ended (truncated: at least one agent was). shortest, median, longest: turns of an episode. scores: by
    seat. zero_sum: the scores of every episode sum to zero. steps_per_second: turns per second, summed over slots.
    """

    episodes: int
    unfinished: int
    limit: int
    terminated: int
    truncated: int
    shortest: int
    median: float
    longest: int
    scores: Mapping[str, Mean]
    zero_sum: bool
    steps_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """An agent's mean return per round of a training. learns: whether the learner played it, or random play did.

    returns: by round, None if no episode ended. random: its return when all play at random. last: over the last
    third of the rounds. change: standard errors from `random` to `last`.
    """

    agent: str
    learns: bool
    returns: tuple[float | None, ...]
    random: Mean
    last: Mean
    change: float


@dataclass(frozen=True, slots=True)
class ShortTraining:
    """A role that was trained briefly on its own rewards, among others that play at random."""

    role: str
    rounds: int
    agent_steps: int
    seconds: float
    curves: tuple[Curve, ...]

    @property
    def learner_returns(self) -> tuple[Mean, Mean]:
        """See `learner_returns`."""
        return learner_returns(self.curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The expected cost of a run of `steps` agent-steps. slots: games side by side; workers: their processes.

    megabytes: None on systems that do not say how much memory a process has used (Windows).
    """

    steps: int
    seconds: float
    agent_steps_per_second: float
    slots: int
    workers: int
    megabytes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One check of a game.

    kind: "aec", "parallel" or "native". seats, roles, sides: of the game; empty if it cannot be played.
    words: what an observation and an action are.
    fewest: options with the fewest agents that work, if the number of agents is an option. errors, warnings, notes:
    how many findings have that level. passed: there is no error.
    """

    version: str
    game: str
    kind: str
    options: Mapping[str, object]
    findings: tuple[Finding, ...]
    seats: tuple[str, ...] = ()
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sides: tuple[tuple[str, ...], ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    fewest: Mapping[str, object] = field(default_factory=dict)
    play: Play | None = None
    lessons: tuple[ShortTraining, ...] = ()
    cost: Cost | None = None
    seconds: float = 0.0
    report: str = KIND

    @property
    def passed(self) -> bool:
        """Whether there is no error."""
        return self.count("error") == 0

    def count(self, level: Level) -> int:
        """How many findings have a level."""
        return sum(finding.level == level for finding in self.findings)

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values."""
        counts = {f"{level}s": self.count(level) for level in LEVELS if level != "ok"}
        return {"passed": self.passed, **counts, **asdict(self)}


def learner_returns(curves: Sequence[Curve]) -> tuple[Mean, Mean]:
    """The learner's return in random play and at the end: the mean of its agents, as uncertain as one of them."""
    mine = [curve for curve in curves if curve.learns]
    return Mean.average([curve.random for curve in mine]), Mean.average([curve.last for curve in mine])
