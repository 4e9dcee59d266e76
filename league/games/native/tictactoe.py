"""Tic-tac-toe: three in a row on 3 by 3 cells win. Rules as in PettingZoo's `classic/tictactoe_v3`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from league.games.native.boards import StoneGame
from league.games.symmetry import moved_planes

_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


class TicTacToe(StoneGame):
    """Three in a row on 3 by 3. Action 3 * row + column; observation `[2, 3, 3]` uint8 (own, other).

    The same rules, actions and rewards as PettingZoo's `classic/tictactoe_v3`, whose planes are `[3, 3, 2]`.
    """

    does = "the cell, 3 * row + column; row 0 is on top"

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        symmetries = tuple(moved_planes((2, 3, 3), move) for move in (np.fliplr, np.transpose))
        super().__init__("tictactoe", [[0, 1, 2], [3, 4, 5], [6, 7, 8]], 9, slots, device, symmetries)
        lines = {sum(1 << cell for cell in line) for line in _LINES}
        wins = [any(board & line == line for line in lines) for board in range(512)]
        self._wins = torch.tensor(wins, device=self.device)

    def filled(self, occupied: Tensor, action: Tensor) -> Tensor:
        return self._cells.index_select(0, action).bitwise_or_(occupied)

    def won(self, board: Tensor) -> Tensor:
        return self._wins.index_select(0, board)

    def open(self, occupied: Tensor) -> Tensor:
        return ((~occupied).unsqueeze(1) & self._cells).bool()
