"""Best responses: the learners against one frozen policy, and nobody else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from league.errors import PlanError
from league.matchmaking.core import seatings, self_play_lineup, tables
from league.records import LeagueView, Plan, PolicyId
from league.settings import Settings


class BestResponse(Settings):
    """Every table's learners hold each side in turn, with equal shares; the frozen policy holds all others."""

    target: Mapping[str, PolicyId]
    """The id of the frozen policy, by role."""

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """One lineup for each side. Raises PlanError where the game has a single side."""
        sides = dict.fromkeys(post.side for post in view.posts)
        if len(sides) < 2:
            raise PlanError("a best response needs a game of two sides or more")
        planned = []
        for table in tables(view):
            live = self_play_lineup(view, table)
            lineups = [
                tuple(
                    own if post.side == mine else self.target[post.role]
                    for own, post in zip(live, view.posts, strict=True)
                )
                for mine in sides
            ]
            planned.append(seatings([(1.0, lineups)]))
        return Plan(tuple(planned))
