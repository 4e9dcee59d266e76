"""Connect Four: stones drop into 7 columns of 6, four in a row win. Rules as in PettingZoo's `connect_four_v3`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from league.games.native.boards import StoneGame
from league.games.symmetry import moved_planes

_HEIGHT, _WIDTH = 6, 7
_STRIDE = _HEIGHT + 1
"""Bits per column: one more than its height. The extra bit is always empty, so that no line crosses into the next."""


class ConnectFour(StoneGame):
    """Four in a row on 7 columns of 6. Action: the column; observation `[2, 6, 7]` uint8 (own, other), row 0 on top.

    The same rules, actions and rewards as PettingZoo's `classic/connect_four_v3`, whose planes are `[6, 7, 2]`.
    Bitboards as in Tromp's Fhourstones: bit `7 * column + height`.
    """

    does = "the column, from 0 on the left"

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        bits = [[_STRIDE * x + y for x in range(_WIDTH)] for y in reversed(range(_HEIGHT))]
        mirror = moved_planes((2, _HEIGHT, _WIDTH), np.fliplr, range(_WIDTH)[::-1])
        super().__init__("connect_four", bits, _WIDTH, slots, device, (mirror,))
        self._floor = torch.tensor([1 << bit for bit in bits[-1]], device=self.device)
        self._top = torch.tensor([1 << bit for bit in bits[0]], device=self.device)
        # Up, along a row, and along both diagonals.
        self._step = torch.tensor([1, _STRIDE, _STRIDE - 1, _STRIDE + 1], device=self.device)[:, None]
        self._two_steps = 2 * self._step

    def filled(self, occupied: Tensor, action: Tensor) -> Tensor:
        # Adding the column's lowest bit carries through its stones into its first empty cell.
        return self._floor.index_select(0, action).add_(occupied).bitwise_or_(occupied)

    def won(self, board: Tensor) -> Tensor:
        pairs = (board >> self._step).bitwise_and_(board)
        return (pairs >> self._two_steps).bitwise_and_(pairs).amax(0).bool()

    def open(self, occupied: Tensor) -> Tensor:
        return ((~occupied).unsqueeze(1) & self._top).bool()
