"""Naive self-play: always the latest weights, never the past."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from league.matchmaking.core import MatchmakingSettings, others, part_self_play, versus
from league.records import LeagueView, Plan


class Naive(MatchmakingSettings):
    """The latest weights play each other: a learner's own, and those of the other learners if there are any."""

    self_play: float = Field(1.0, ge=0, le=1)
    """Share of the slots in pure self-play; the rest is against the other learners (a lone learner plays itself)."""

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """Self-play, and equal shares for the other learners that were drawn."""
        return part_self_play(
            view, self.self_play, lambda table: versus(view, table, others(view, table), self.opponents, rng)
        )
