"""Fictitious self-play: a best response to the average of the past (Heinrich, Lanctot and Silver 2015)."""

from __future__ import annotations

import numpy as np

from league.matchmaking.core import MatchmakingSettings, Solution, part_self_play, past, versus
from league.records import LeagueView, Plan


class Fictitious(MatchmakingSettings):
    """Part pure self-play, part against opponents drawn uniformly from all past snapshots of all learners."""

    @property
    def solution(self) -> Solution:
        """The average of the past: that, not the newest policy, comes near an equilibrium (Brown 1951)."""
        return "average"

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """Self-play, and equal shares for the snapshots that were drawn; self-play alone before there are any."""
        pools = past(view)
        return part_self_play(view, self.self_play, lambda table: versus(view, table, pools, self.opponents, rng))
