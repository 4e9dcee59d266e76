"""Population-based training (Jaderberg et al. 2017, arXiv:1711.09846): train, exploit, explore."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from league.errors import PlanError
from league.matchmaking.core import (
    LogRange,
    MatchmakingSettings,
    log_uniform,
    others,
    past,
    seatings,
    self_play_lineup,
    tables,
    versus,
)
from league.records import Exploit, LeagueView, LearnerView, Plan, Rating

DEFAULT_RANGES = {"learning_rate": (3e-5, 3e-3), "entropy": (1e-3, 0.2)}
"""Ranges of hyperparameters if a config names none; not every algorithm has both."""


class PBT(MatchmakingSettings):
    """Learners train against each other and their past; weak ones copy strong ones and change hyperparameters."""

    self_play: float = Field(0.25, ge=0, le=1)
    """Share of the slots in pure self-play."""
    past: float = Field(0.5, ge=0, le=1)
    """Share of the slots against past snapshots of all learners; the rest is against live weights of the others."""
    exploit_steps: PositiveInt = 500_000
    """Agent-steps that a learner trains since its start or last exploit before it may copy another."""
    fraction: float = Field(0.2, gt=0, le=0.5)
    """The share of learners that may copy (the lowest-rated) and be copied (the highest-rated), at least one each."""
    perturb: tuple[PositiveFloat, ...] = Field((0.8, 1.25), min_length=1)
    """Each copied hyperparameter is multiplied by one of these factors."""
    resample_probability: float = Field(0.25, ge=0, le=1)
    """Probability that a copied hyperparameter is drawn anew from its range instead, log-uniformly."""
    ranges: dict[str, LogRange] = Field(default_factory=lambda: dict(DEFAULT_RANGES))
    """Lowest and highest value of each hyperparameter that is changed; all others are copied unchanged. The default
    covers those of its two that the algorithm has."""

    @model_validator(mode="after")
    def _shares_fit(self) -> PBT:
        if self.self_play + self.past > 1 + 1e-9:
            raise ValueError(f"self_play + past must be at most 1, not {self.self_play} + {self.past}")
        return self

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """Self-play, past snapshots and other learners by their shares, and exploits.

        A lone table has no other learners: their share goes to the past.

        Raises PlanError where `ranges` names a hyperparameter that a learner does not have.
        """
        pools = past(view)
        # Rounded, so that an empty share is exactly 0 and not 1e-17.
        live = max(0.0, round(1 - self.self_play - self.past, 9)) if len(tables(view)) > 1 else 0.0
        rest = 1 - self.self_play - live
        seated = tuple(
            seatings(
                [
                    (self.self_play, [self_play_lineup(view, table)]),
                    (rest, versus(view, table, pools, self.opponents, rng)),
                    (live, versus(view, table, others(view, table), self.opponents, rng)),
                ]
            )
            for table in tables(view)
        )
        roles = dict.fromkeys(post.role for post in view.posts)
        return Plan(seated, tuple(exploit for role in roles for exploit in self._exploits(view, role, rng)))

    def _exploits(self, view: LeagueView, role: str, rng: np.random.Generator) -> list[Exploit]:
        rated = sorted(
            (learner for learner in view.learners if learner.role == role and learner.latest in view.ratings),
            key=lambda learner: view.ratings[learner.latest].value,
        )
        if len(rated) < 2:
            return []
        count = max(1, int(self.fraction * len(rated) + 1e-9))
        exploits = []
        for learner in rated[:count]:
            rating = view.ratings[learner.latest]
            better = [source for source in rated[-count:] if exceeds(view.ratings[source.latest], rating)]
            if learner.steps_since_exploit >= self.exploit_steps and better:
                source = better[int(rng.integers(len(better)))]
                exploits.append(Exploit(learner.name, source.name, source.latest, self._explore(source, rng)))
        return exploits

    def _explore(self, source: LearnerView, rng: np.random.Generator) -> Mapping[str, float]:
        explored = dict(source.hyperparameters)
        for name, (low, high) in sorted(self.ranges.items()):
            if name not in explored and self.ranges == DEFAULT_RANGES:
                continue
            if name not in explored:
                raise PlanError(
                    f"matchmaking.ranges names '{name}'; learner '{source.name}' has the hyperparameters "
                    f"{', '.join(explored) or '(none)'}"
                )
            if rng.random() < self.resample_probability:
                explored[name] = log_uniform({name: (low, high)}, rng)[name]
            else:
                factor = self.perturb[int(rng.integers(len(self.perturb)))]
                explored[name] = float(np.clip(explored[name] * factor, low, high))
        return explored


def exceeds(one: Rating, other: Rating) -> bool:
    """Whether `one` is significantly above `other`: Δ > 1.96 √(se₁² + se₂²), with independent errors.

    Half the width of a 95 % interval is 1.96 se.
    """
    return one.value - other.value > math.hypot((one.high - one.low) / 2, (other.high - other.low) / 2)
