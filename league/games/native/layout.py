"""Slot last in memory, slot first to all who ask: batched games are fastest along their longest dimension."""

from __future__ import annotations

import torch
from torch import Tensor

from league.games.core import State
from league.games.native.core import NativeGame


def slot_last(value: Tensor) -> Tensor:
    """`[B, S, 2]` → `[2, S, B]`, and likewise any other: a view where it lies so in memory, as from `slot_first`."""
    return value.permute(*reversed(range(value.dim()))).contiguous()


def slot_first(value: Tensor) -> Tensor:
    """The way back: a view."""
    return value.permute(*reversed(range(value.dim())))


def table(rows: Tensor) -> Tensor:
    """`[N, B]` → `[B, N]` float32, in memory of its own."""
    return torch.empty((rows.shape[1], rows.shape[0]), dtype=torch.float32, device=rows.device).copy_(rows.t())


def renewed(game: NativeGame, state: State, ended: Tensor, seeds: Tensor) -> State:
    """As `NativeGame.renewed`, for games whose deals are dear: only what has ended is dealt, on a CPU.

    Elsewhere to count what has ended would wait for the device.
    """
    if ended.device.type != "cpu":
        return NativeGame.renewed(game, state, ended, seeds)
    rows = ended.nonzero()[:, 0]
    if not len(rows):
        return state
    fresh = game.deal(seeds[rows])
    if len(rows) == len(ended):
        return fresh
    return {key: value.index_copy(0, rows, fresh[key]) for key, value in state.items()}
