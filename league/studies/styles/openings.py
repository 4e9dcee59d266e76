"""Openings: how games begin, when each way first appeared in a population, and how it went since.

An opening is the first moves of a role's seats in a game, written as their numbers: `3 3` is action 3, then action 3;
`0/2` are the actions of seats that moved at once. Letters in shapes: K acting seats, E episodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from league.games.core import RoleSpec
from league.play.table import Move

_COMMON, _FEWEST = 0.1, 5
"""An opening is common if this share of a policy's games begin with it, and so many games, lest it be chance."""

_NOBODY = -1


class FirstMoves:
    """Records the first `plies` moves of a role's seats in the episodes 0 to `episodes` - 1 of a table."""

    def __init__(self, role: RoleSpec, episodes: int, plies: int) -> None:
        self._role, self._episodes = role, episodes
        # One extra row takes the moves of slots without further episodes.
        self._taken = torch.full((episodes + 1, plies, len(role.seats)), _NOBODY)
        self._made = torch.zeros(episodes + 1, dtype=torch.int64)
        self._place = torch.zeros(max(role.seats) + 1, dtype=torch.int64)
        self._place[list(role.seats)] = torch.arange(len(role.seats))

    def observe(self, move: Move) -> None:
        """Take a move of the table into account."""
        acting, action = move.acts[self._role.name], move.action[self._role.name]
        episode = move.episode.clamp(max=self._episodes)
        early = self._made[episode] < self._taken.shape[1]
        slot, row = (acting.present & early[:, None]).nonzero(as_tuple=True)
        into = episode[slot]
        self._taken[into, self._made[into], self._place[acting.seat[slot, row]]] = action[slot, row]
        moved = episode[acting.present.any(1) & early]
        # An extra row may be there several times; it counts for nothing.
        self._made[moved] += 1

    def shares(self, begin: int, end: int) -> dict[str, float]:
        """The share of the episodes from `begin` to `end` that begin with each opening, the most common first."""
        found = Counter(map(_written, self._taken[begin:end]))
        ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        return {opening: count / (end - begin) for opening, count in ordered}


def common(games: int) -> float:
    """The share of a policy's `games` games from which on an opening is common."""
    return min(max(_COMMON, _FEWEST / games), 1.0)


def appearances(shares: Sequence[Mapping[str, float]], least: float) -> dict[str, int]:
    """By opening: the first of some policies, in order of age, of which it is common; in order of appearance.

    shares: of each policy, its openings. least: the share from which on an opening is common.
    """
    first: dict[str, int] = {}
    for number, found in enumerate(shares):
        for opening, share in found.items():
            if share >= least:
                first.setdefault(opening, number)
    return first


def _written(plies: Tensor) -> str:
    """One episode's first moves, `[plies, K]`, as text."""
    moves = ["/".join(str(action) for action in ply if action != _NOBODY) for ply in plies.tolist()]
    return " ".join(filter(None, moves))
