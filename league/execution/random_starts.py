"""Training episodes that begin with random play."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from league.games.core import GameSpec
from league.games.counter_rng import mix, uniform
from league.play.table import Opening
from league.policies.scripted import Random
from league.records import PolicyId

_NAME = "opening/"
"""What begins the names of those who play random starts; it ends with the role's."""


@dataclass(frozen=True, slots=True)
class RandomStarts:
    """Training episodes that begin with random legal play of all seats, so that learners see more than their own games.

    share: of the episodes. turns: the most; their number is drawn uniformly from 1 to this. An episode that ends while
    it is played at random teaches nothing.
    """

    share: float
    turns: int

    def drawn(self, job: int, episodes: Tensor) -> Tensor:
        """`[B]` int64, how many turns of the episodes `[B]` are played at random."""
        chance, length = (uniform(mix(job, 2, episodes), draw) for draw in range(2))
        return torch.where(chance < self.share, 1 + (length * self.turns).to(torch.int64), 0)

    def openers(self, spec: GameSpec) -> dict[PolicyId, Random]:
        """Who plays random starts, one for each role, by the names that a table's carry gives them."""
        return {f"{_NAME}{role.name}": Random(role.name, role.actions) for role in spec.roles}

    def opening(self, job: int, number: Mapping[PolicyId, int], openers: Mapping[PolicyId, Random]) -> Opening:
        """What a table has to know of them. number: the index of a policy at the table, by name."""
        return Opening(partial(self.drawn, job), {one.role: number[name] for name, one in openers.items()})
