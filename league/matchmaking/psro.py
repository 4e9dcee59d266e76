"""Policy-space response oracles (Lanctot et al. 2017, arXiv:1711.00832): answers to a solution of the meta-game."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from pydantic import Field

from league.errors import RatingError
from league.matchmaking.core import Lineup, MatchmakingSettings, Solution, part_self_play, past, versus
from league.matchmaking.win_rates import Floats
from league.rating.metagame.alpharank import alpha_rank
from league.rating.metagame.nash import nash_mixture
from league.rating.metagame.replicator import projected_replicator
from league.records import LeagueView, Plan

MetaSolver = Literal["uniform", "nash", "rectified_nash", "alpharank", "prd"]
"""What solves the meta-game."""


class PSRO(MatchmakingSettings):
    """Every learner trains against past snapshots, drawn by a solution of the meta-game that their payoff is."""

    self_play: float = Field(0.0, ge=0, le=1)
    """Share of the slots in pure self-play."""
    meta_solver: MetaSolver = "nash"
    """uniform; nash: the equilibrium of highest entropy; rectified_nash: of that, those whom the learner's latest
    snapshot does not lose to; alpharank; prd: projected replicator dynamics."""
    exploration: float = Field(0.01, ge=0, le=1)
    """With meta_solver prd: none of N snapshots has a probability below this / N."""

    @property
    def solution(self) -> Solution:
        """With the meta-solver "uniform" the average, else the equilibrium."""
        return "average" if self.meta_solver == "uniform" else "nash"

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """The snapshots that were drawn by their probability, and self-play; self-play alone before there are any."""
        pools = past(view)
        advantages = {role: view.gains(pool) for role, pool in pools.items()}

        def others(table: int) -> Sequence[Lineup]:
            latest = {learner.role: learner.latest for learner in view.learners if learner.table == table}
            weights = {
                role: self.mixture(advantages[role], pool.index(latest[role])).tolist()
                for role, pool in pools.items()
                if pool
            }
            return versus(view, table, pools, self.opponents, rng, weights)

        return part_self_play(view, self.self_play, others)

    def mixture(self, advantage: Floats, own: int) -> Floats:
        """The probability of each of a role's snapshots `[N]`. own: the place of the learner's latest among them."""
        if self.meta_solver == "uniform":
            return np.full(len(advantage), 1.0 / len(advantage))
        if self.meta_solver == "alpharank":
            return _remembered(alpha_rank, advantage)
        if self.meta_solver == "prd":
            return _remembered(projected_replicator, advantage, self.exploration)
        equilibrium = _remembered(nash, advantage)
        return equilibrium if self.meta_solver == "nash" else rectified(equilibrium, advantage[own])


def nash(advantage: Floats) -> Floats:
    """The Nash equilibrium of highest entropy, `[N]`; where its solver fails, what the replicator dynamics reach.

    A run must not end because a linear program is hard to solve.
    """
    try:
        return nash_mixture(advantage)
    except RatingError:
        return projected_replicator(advantage)


def rectified(equilibrium: Floats, own: Floats) -> Floats:
    """The part of an equilibrium `[N]` that a policy does not lose to, and all of it where it loses to everybody.

    own: `[N]` the policy's advantage over each. "Play to your strengths and ignore your weaknesses" (Balduzzi et al.
    2019, arXiv:1901.08106, algorithm 4).
    """
    kept = np.where(own >= 0.0, equilibrium, 0.0)
    return kept / kept.sum() if kept.sum() > 0.0 else equilibrium


def _remembered(solver: Callable[..., Floats], advantage: Floats, *options: float) -> Floats:
    """What a solver finds. The payoff changes only with new snapshots, so that most rounds ask for the same again."""
    return _solved(solver, len(advantage), np.ascontiguousarray(advantage).tobytes(), options)


@lru_cache(maxsize=8)
def _solved(solver: Callable[..., Floats], size: int, advantage: bytes, options: tuple[float, ...]) -> Floats:
    return solver(np.frombuffer(advantage).reshape(size, size), *options)
