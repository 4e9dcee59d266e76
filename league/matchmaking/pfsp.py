"""Prioritised fictitious self-play (Vinyals et al. 2019, "Grandmaster level in StarCraft II", methods)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from league.matchmaking.core import Lineup, MatchmakingSettings, part_self_play, past, versus
from league.matchmaking.win_rates import Floats, WinRates
from league.records import LeagueView, Plan

Weighting = Literal["squared", "linear", "linear_capped", "variance"]
"""How the win rate against an opponent becomes its weight."""

_WEIGHTINGS: dict[Weighting, Callable[[Floats], Floats]] = {
    "squared": lambda x: (1.0 - x) ** 2,
    "linear": lambda x: 1.0 - x,
    "linear_capped": lambda x: np.minimum(0.5, 1.0 - x),
    "variance": lambda x: x * (1.0 - x),
}

_VANISHED = 1e-10


class PFSP(MatchmakingSettings):
    """Part pure self-play, part against past snapshots of all learners, in proportion to how hard they are to beat."""

    weighting: Weighting = "squared"
    """Weight of a snapshot by the win rate x against it in training: squared, (1 − x)², and linear, 1 − x, prefer the
    hardest; linear_capped, min(0.5, 1 − x), treats all that are ahead alike; variance, x (1 − x), prefers equals."""
    half_life: float = Field(20.0, gt=0)
    """Rounds after which a training result counts half in win rates. An opponent that is no longer met slowly returns
    to 0.5, and is tried again."""

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """Self-play, and the snapshots that were drawn by weight; self-play alone before there are any."""
        pools, rates = past(view), WinRates.of(view, self.half_life)

        def others(table: int) -> Sequence[Lineup]:
            weights = {
                role: pfsp_weights(rates.against(table, pool), self.weighting).tolist() for role, pool in pools.items()
            }
            return versus(view, table, pools, self.opponents, rng, weights)

        return part_self_play(view, self.self_play, others)


def pfsp_weights(win_rate: Floats, weighting: Weighting) -> Floats:
    """`[n]` the probability of each opponent. win_rate: `[n]` in [0, 1]. Uniform where every weight vanishes."""
    weight = _WEIGHTINGS[weighting](win_rate)
    total = float(weight.sum())
    return np.full(len(weight), 1.0 / max(len(weight), 1)) if total < _VANISHED else weight / total
