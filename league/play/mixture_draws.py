"""Who decides at each post: the policy that the lineup names or, of a mixture, the member drawn for the episode.

Letters in shapes: B slots, P posts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from league.games.counter_rng import uniform
from league.policies.core import Policy
from league.policies.mixture import Mixture

_DRAW = -1
"""In the place of the turn, in the hash of a draw: decisions are made on turns from 0 on."""


class MixtureDraws:
    """The policies that can decide: those given, and behind them the members of the mixtures among them.

    places: the most rows that each of them can have in one turn, if known of those given.
    """

    def __init__(self, policies: Sequence[Policy], places: Sequence[int] | None, device: torch.device) -> None:
        self.policies = list(policies)
        self.places = None if places is None else list(places)
        self._mixtures: list[tuple[int, int, Tensor]] = []
        for index, policy in enumerate(policies):
            if isinstance(policy, Mixture):
                bounds = torch.tensor(policy.weights, dtype=torch.float64).cumsum(0)[:-1]
                self._mixtures.append((index, len(self.policies), bounds.to(device)))
                self.policies += policy.members
                if self.places is not None:
                    self.places += [self.places[index]] * len(policy.members)

    def deciding(self, lineup: Tensor, key: Tensor) -> Tensor:
        """`[B, P]` the index of the policy that decides at each post. lineup: `[B, P]`. key: `[B, 1]`, the episodes'.

        A mixture's members are drawn anew for each episode and post.
        """
        if not self._mixtures:
            return lineup
        draw = uniform(key, _DRAW, torch.arange(lineup.shape[1], device=lineup.device)).double()
        found = lineup
        for index, first, bounds in self._mixtures:
            # A draw equal to a bound belongs to the member above it, as in `choose`.
            member = torch.searchsorted(bounds, draw, right=True)
            found = torch.where(lineup == index, first + member, found)
        return found
