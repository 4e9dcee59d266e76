"""Hashes of games as they are played, by which repeated games are recognised."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from league.games.core import Acting
from league.games.counter_rng import mix
from league.play.table import Move

Words = NDArray[np.uint64]


class TrajectoryHashes:
    """A running hash of the episode in each of B slots: who acted, what they saw and did, and in the end the score.

    Equal hashes are equal games, whoever played them: two that differ have one hash with a chance of 2⁻⁴⁰ or less. A
    deal that nobody sees and that changes no score does not count.
    """

    def __init__(self, slots: int) -> None:
        self._running = torch.zeros(slots, dtype=torch.int64)

    def ended(self, move: Move) -> Tensor:
        """Take a turn into account; returns the hashes of the episodes that ended with it, in the order of slots."""
        for role, acting in move.acts.items():
            taken = _taken(acting, move.action[role])
            for column in taken.unbind(1):
                self._running = mix(self._running, column)
        rows = move.turn.ended.cpu().nonzero()[:, 0]
        if not len(rows):
            return rows
        scores = torch.from_numpy(_digest(_rows(move.turn.score.cpu()[rows])).view(np.int64))
        whole = mix(self._running[rows], scores)
        self._running = self._running.index_fill(0, rows, 0)
        return whole

    def keep(self, rows: Tensor) -> None:
        """Go on with the slots `rows` only."""
        self._running = self._running[rows.cpu()]


def _taken(acting: Acting, action: Tensor) -> Tensor:
    """`[B, K]` int64: a hash of what each acting seat saw and did, -1 where nobody acts."""
    slots, seats = acting.seat.shape
    # Different weights tell an action from an observation, and a seat from either.
    parts = [acting.obs.cpu(), action.cpu(), acting.seat.cpu()]
    rows = [_rows(part.reshape(slots * seats, -1)) for part in parts]
    digest = sum(
        (_digest(row) * np.uint64(2 * number + 1) for number, row in enumerate(rows)), np.zeros(1, dtype=np.uint64)
    )
    return torch.where(acting.present.cpu(), torch.from_numpy(digest.view(np.int64)).view(slots, seats), -1)


def _rows(values: Tensor) -> NDArray[np.unsignedinteger]:
    """`[N, n]` values of any type → `[N, words]`: their bytes, in the widest words that fill a row."""
    array = np.ascontiguousarray(values.numpy())
    size = array.shape[1] * array.itemsize
    width = next(width for width in (8, 4, 2, 1) if size % width == 0)
    return array.view(f"u{width}")


def _digest(rows: NDArray[np.unsignedinteger]) -> Words:
    """`[N]`: the rows' dot product with random odd weights, modulo 2⁶⁴ (a universal hash; Dietzfelbinger 1996)."""
    found: Words = rows.astype(np.uint64, copy=False) @ _weights(rows.shape[1])
    return found


@lru_cache(maxsize=64)
def _weights(count: int) -> Words:
    words: Words = mix(0x5EED, torch.arange(count)).numpy().view(np.uint64) | np.uint64(1)
    return words
