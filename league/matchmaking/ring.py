"""A recency ring: self-play, and opponents from the newest snapshots only."""

from __future__ import annotations

import numpy as np
from pydantic import PositiveInt

from league.matchmaking.core import MatchmakingSettings, part_self_play, past, versus
from league.records import LeagueView, Plan


class Ring(MatchmakingSettings):
    """Part pure self-play, part against opponents drawn uniformly from the newest snapshots of all learners."""

    window: PositiveInt = 12
    """How many of the newest snapshots of each role, of all learners together, are opponents."""

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """Self-play, and equal shares for the snapshots that were drawn; self-play alone before there are any."""
        newest = {role: pool[-self.window :] for role, pool in past(view).items()}
        return part_self_play(view, self.self_play, lambda table: versus(view, table, newest, self.opponents, rng))
