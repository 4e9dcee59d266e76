"""Memory layout: tensors are stored slot last, because batched operations are fastest along the longest dimension."""

from __future__ import annotations

import torch
from torch import Tensor

from league.games.core import State
from league.games.native.core import NativeGame


def slot_last(value: Tensor) -> Tensor:
    """Reverses all dimensions, as `[B, S, 2]` → `[2, S, B]`. A view of a tensor that came from `slot_first`."""
    return value.permute(*reversed(range(value.dim()))).contiguous()


def slot_first(value: Tensor) -> Tensor:
    """The inverse of `slot_last`, always a view."""
    return value.permute(*reversed(range(value.dim())))


def slot_first_float32(rows: Tensor) -> Tensor:
    """`[N, B]` → `[B, N]` float32, as a contiguous copy."""
    return torch.empty((rows.shape[1], rows.shape[0]), dtype=torch.float32, device=rows.device).copy_(rows.t())


def renew_ended(game: NativeGame, state: State, ended: Tensor, seeds: Tensor) -> State:
    """`NativeGame.renewed` for games with an expensive `deal`: on a CPU, only ended episodes are dealt anew.

    On other devices, counting them would wait for the device.
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
