"""Recovery (`population.recover`): a learner that fell behind its own past goes on from the best of it.

Everything is decided by what is stored, so a run that goes on decides as one that never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from league.config.sections import PopulationConfig
from league.learning.learner import Learner
from league.rating.core import Z95
from league.records import Exploit, PolicyId, Rating, Snapshot
from league.run.progress import LearnerProgress, hyperparameters_of
from league.run.roster.entrants import Entrants

_EXPLORATION = {"entropy": math.inf, "entropy_end": math.inf, "epsilon": 1.0, "epsilon_end": 1.0}
"""The hyperparameters that a recovery raises, and the most that each may be."""


@dataclass(frozen=True, slots=True)
class AgainstPast:
    """A learner's newest snapshot beside the best of those that it descends from.

    ahead: its score against the field less that of `best`; in games with one side, the difference of the mean scores.
    high: the upper end of the 95 % interval of `ahead`, which is widened because the best of several is picked by the
    same results (Bonferroni).
    """

    latest: Snapshot
    best: Snapshot
    ahead: float
    high: float

    @property
    def behind(self) -> bool:
        """Whether the newest snapshot is significantly worse."""
        return self.high < 0.0

    @property
    def metrics(self) -> dict[str, float]:
        """As metrics of the learner, by name."""
        return {"against_past": self.ahead, "against_past_high": self.high}

    @property
    def sentence(self) -> str:
        """What is worse, and by how much, for people."""
        return f"{self.latest.name} is worse by {-self.ahead:.2g}, at least {-self.high:.2g}"


def against_past(entrants: Entrants, rated: Mapping[PolicyId, Rating], window: int) -> dict[str, AgainstPast]:
    """How learners fare against their own past, by name.

    rated: the scores against the field (mean scores in games with one side). window: the newest ancestors that count. A
    learner is left out until its newest snapshot and one of these are rated.
    """
    found = {}
    for learner, latest in {one.learner: one for one in entrants.snapshots}.items():
        before = [one for one in entrants.lineage(latest)[:-1][-window:] if one.id in rated]
        if before and latest.id in rated:
            found[learner] = _compare(latest, before, rated)
    return found


def recoveries(
    past: Mapping[str, AgainstPast],
    learners: Mapping[str, Learner],
    progress: Mapping[str, LearnerProgress],
    snapshots: Sequence[Snapshot],
    settings: PopulationConfig,
) -> list[Exploit]:
    """Resets of the learners that are significantly worse than their own past, to the best of it.

    past: by learner. learners: those that may be reset. progress: by learner. snapshots: all of the run.
    """
    return [
        _recovery(past[name], learner, progress[name], settings.recover_exploration)
        for name, learner in learners.items()
        if name in past and past[name].behind and _may_recover(progress[name], name, snapshots, settings.recover_window)
    ]


def _compare(latest: Snapshot, before: Sequence[Snapshot], rated: Mapping[PolicyId, Rating]) -> AgainstPast:
    # Among equals the newest, so that least is lost.
    best = max(reversed(before), key=lambda one: rated[one.id].value)
    mine, other = rated[latest.id], rated[best.id]
    wider = NormalDist().inv_cdf(1 - 0.025 / len(before)) / Z95
    half = wider * math.hypot(mine.high - mine.low, other.high - other.low) / 2
    ahead = mine.value - other.value
    return AgainstPast(latest, best, ahead, ahead + half)


def _may_recover(state: LearnerProgress, learner: str, snapshots: Sequence[Snapshot], window: int) -> bool:
    """Whether a learner was never copied or reset, or has had `window` snapshots since."""
    since = sum(one.learner == learner and one.round >= state.exploited for one in snapshots)
    return state.exploited == 0 or since >= window


def _recovery(past: AgainstPast, learner: Learner, state: LearnerProgress, factor: float) -> Exploit:
    """The reset of a learner to the best of its past. factor: by which exploration is raised."""
    values = hyperparameters_of(learner)
    # A snapshot of an earlier version may have others.
    values |= {name: value for name, value in past.best.hyperparameters.items() if name in values}
    values |= {name: min(factor * values[name], most) for name, most in _EXPLORATION.items() if name in values}
    # A snapshot from before the learner was last copied over or reset can only be that from which it went on.
    steps = state.exploited_at if past.best.round < state.exploited else past.best.steps
    age = max(steps - learner.begun, 0)
    return Exploit(learner.name, learner.name, past.best.id, values, age, past.sentence)
