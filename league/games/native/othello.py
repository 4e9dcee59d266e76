"""Othello (Reversi): enclosed stones turn over, more stones win. Rules as in OpenSpiel's `othello`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_

import numpy as np
import torch
from torch import Tensor

from league.games.core import Acting, State
from league.games.native.boards import BoardGame
from league.games.native.core import ActsAndState, Outcome
from league.games.symmetry import Grid, Symmetry, moved_planes

_SIZE = 8
PASS = _SIZE * _SIZE
"""The action of a seat that cannot place a stone."""
_START = ((28, 35), (27, 36))
"""Cells of the first stones of seat 0 (black) and of seat 1 (white)."""
_MOVES: tuple[Callable[[Grid], Grid], ...] = (np.transpose, lambda grid: np.rot90(grid, 2))
"""Reflection at a diagonal, and rotation by half a turn: other moves change the first four stones."""
_OPENING = (19, 26, 37, 44)
"""Where seat 0 may place its first stone."""
_INNER_COLUMNS, _INNER_ROWS = 0x7E7E7E7E7E7E7E7E, 0x00FFFFFFFFFFFF00
_STEPS = ((1, _INNER_COLUMNS), (8, _INNER_ROWS), (7, _INNER_COLUMNS & _INNER_ROWS), (9, _INNER_COLUMNS & _INNER_ROWS))
"""Bits from a cell to its neighbours along a row, a column and both diagonals, and the cells that can be between two
others on such a line. Neither a run within them nor a step from it crosses an edge, so shifts need no other mask."""


class Othello(BoardGame):
    """Othello on 8 x 8, with OpenSpiel's `othello` actions and rules; seat 0 is black and begins.

    Action: the cell, 8 * row + column, row 0 on top, or 64 to pass, which is legal only where no stone can be placed.
    A stone turns over every run of the other's stones between it and another of one's own. The game is over when nobody
    can place a stone: the seat with more stones wins (1, -1), equal numbers draw (0, 0).
    Observation `[2, 8, 8]` uint8: own, other.
    State, besides `boards` and `mover`: `open` `[B]` int64, the cells where the mover may place a stone.

    Runs are found with shifts along all lines at once, doubling (Kogge and Stone 1973, as in Edax by Delorme).
    """

    does = "the cell, 8 * row + column, row 0 on top; 64 passes"

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        bits = [[_SIZE * y + x for x in range(_SIZE)] for y in range(_SIZE)]
        super().__init__("othello", bits, PASS + 1, slots, device, tuple(map(_symmetry, _MOVES)))
        self._step = torch.tensor([step for step, _ in _STEPS], device=self.device).unsqueeze(1)
        self._two_steps = 2 * self._step
        self._between = torch.tensor([between for _, between in _STEPS], device=self.device).unsqueeze(1)
        # The stone of each action: a pass places none.
        self._stones = torch.cat((self._cells, self._cells.new_zeros(1)))
        self._columns = torch.tensor([1 << column for column in range(_SIZE)], dtype=torch.uint8, device=self.device)
        self._boards = torch.tensor([sum(1 << cell for cell in cells) for cells in _START], device=self.device)
        self._opening = sum(1 << cell for cell in _OPENING)
        self._signs = torch.tensor([1.0, -1.0], device=self.device)

    def deal(self, seeds: Tensor) -> State:
        boards = self._boards.expand(len(seeds), 2).clone()
        mover = torch.zeros_like(seeds)
        return {"boards": boards, "mover": mover, "open": mover + self._opening}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        (own, other), mover = state["boards"].unbind(1), state["mover"]
        stone = self._stones.index_select(0, actions["player"].flatten())
        turned = self._turned(stone, own, other)
        own, other = own ^ (stone | turned), other ^ turned
        # The other seat moves next; the game is over only if neither seat can place a stone.
        following = self._open(torch.cat((other, own)), torch.cat((own, other)))
        following, again = following.view(2, -1).unbind(0)
        ended = (following | again) == 0
        ahead = (_count(own) - _count(other)).sign().mul_(1 - 2 * mover).mul_(ended)
        score = ahead.unsqueeze(1) * self._signs
        return {"boards": torch.stack((other, own), 1), "mover": mover ^ 1, "open": following}, Outcome(
            score, ended, score
        )

    def look(self, state: State) -> ActsAndState:
        seat, place = state["mover"].unsqueeze(1), state["open"].unsqueeze(1)
        planes = self._spread(state["boards"]).view(torch.uint8).view(-1, 1, *self._shape)
        mask = torch.cat((self._spread(place), place == 0), 1).unsqueeze(1)
        return {"player": Acting(planes, mask, seat, torch.ones_like(seat, dtype=torch.bool))}, None

    def _spread(self, boards: Tensor) -> Tensor:
        """`[N, P]` int64 → `[N, P * 64]` bool, cell by cell: each byte is a row of the board (bytes ascend)."""
        rows = boards.contiguous().view(torch.uint8).unsqueeze(2)
        return (rows & self._columns).bool().flatten(1)

    def _open(self, own: Tensor, other: Tensor) -> Tensor:
        """`[N]` int64: empty cells from which a run of the other's stones leads to one's own."""
        between = self._between & other
        up, down = self._runs(own, between)
        # A run has no corner, so none is negative: a right shift fills with zeros.
        ends = ((up << self._step) | (down >> self._step)).unbind(0)
        return reduce(or_, ends) & ~(own | other)

    def _turned(self, stone: Tensor, own: Tensor, other: Tensor) -> Tensor:
        """`[N]` int64: the other's stones between the new one and one's own."""
        up, down = self._runs(stone, self._between & other)
        up = up * ((up << self._step) & own).bool()
        down = down * ((down >> self._step) & own).bool()
        # Lines from one stone meet nowhere else, so the sum of their cells is their union.
        return (up + down).sum(0)

    def _runs(self, start: Tensor, between: Tensor) -> tuple[Tensor, Tensor]:
        """`[4, N]` int64 each: runs within `between` `[4, N]` that begin next to `start` `[N]`, towards either end."""
        step, two = self._step, self._two_steps
        up, down = (start << step) & between, (start >> step) & between
        up, down = up | ((up << step) & between), down | ((down >> step) & between)
        pairs_up, pairs_down = between & (between << step), between & (between >> step)
        for _ in range(2):
            up, down = up | ((up << two) & pairs_up), down | ((down >> two) & pairs_down)
        return up, down


def _count(boards: Tensor) -> Tensor:
    """`[N]` int64: how many bits are set, summed in pairs, fours and eights (SWAR)."""
    boards = boards - ((boards >> 1) & 0x5555555555555555)
    boards = (boards & 0x3333333333333333) + ((boards >> 2) & 0x3333333333333333)
    boards = (boards + (boards >> 4)) & 0x0F0F0F0F0F0F0F0F
    return (boards * 0x0101010101010101) >> 56


def _symmetry(move: Callable[[Grid], Grid]) -> Symmetry:
    cells = move(np.arange(PASS).reshape(_SIZE, _SIZE)).ravel().tolist()
    return moved_planes((2, _SIZE, _SIZE), move, (*cells, PASS))
