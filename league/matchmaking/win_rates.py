"""Win rates of learners in training, from the table of training results; old results fade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from league.records import LeagueView, PolicyId

Floats = NDArray[np.float64]

_FADED = 12
"""Half-lives after which results no longer count: by then, a thousand games weigh as much as a quarter of one."""


@dataclass(frozen=True, slots=True)
class WinRates:
    """How tables fared against other policies. games, won: by table and policy, faded; a draw is half a win."""

    games: Mapping[tuple[int, PolicyId], float]
    won: Mapping[tuple[int, PolicyId], float]

    @staticmethod
    def of(view: LeagueView, half_life: float) -> WinRates:
        """The win rates in a league. half_life: rounds after which a result counts half.

        A result belongs to each policy that held another post, and to the table of the learner, for the learners of a
        table sit on one side. Results of a learner from before it was last copied over or reset do not count.
        """
        table = {learner.name: learner.table for learner in view.learners}
        since = {learner.name: learner.exploited for learner in view.learners}
        games: dict[tuple[int, PolicyId], float] = {}
        won: dict[tuple[int, PolicyId], float] = {}
        for row in reversed(view.training):
            if view.round - row.round > _FADED * half_life:
                break
            if row.round < since[row.learner]:
                continue
            count = row.episodes * 0.5 ** ((view.round - row.round) / half_life)
            for policy in set(row.opponent.split("+")):
                if row.round < since.get(policy, 0):
                    continue
                pair = table[row.learner], policy
                games[pair] = games.get(pair, 0.0) + count
                won[pair] = won.get(pair, 0.0) + count * row.score
        return WinRates(games, won)

    def against(self, table: int, policies: Sequence[PolicyId]) -> Floats:
        """`[n]` a table's win rate against each policy, in [0, 1].

        One drawn game is added to the results: it makes the rate 0.5 where there are none, or where all have faded.
        """
        pairs = [(table, policy) for policy in policies]
        games, won = (np.array([counted.get(pair, 0.0) for pair in pairs]) for counted in (self.games, self.won))
        return np.asarray((won + 0.5) / (games + 1.0), dtype=np.float64)
