"""Board games on bitboards: the base of all (`BoardGame`), and of games that only place stones (`StoneGame`)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from league.games.actions import Discrete
from league.games.core import Acting, GameSpec, RoleSpec, State
from league.games.native.core import ActsAndState, NativeGame, Outcome
from league.games.symmetry import Symmetry


class BoardGame(NativeGame):
    """A game of two seats' stones on a grid: one wins (1, -1), or nobody does (0, 0).

    State: `boards` `[B, 2]` int64, bitboards of the mover's and of the other's stones; `mover` `[B]` int64, the seat to
    act. Observation: `[2, height, width]` uint8, the mover's own stones and the other's, row 0 on top.

    A subclass defines the bit of each cell (`bits`: `[height][width]`, row 0 on top), the symmetries and the rules.
    """

    sees = "planes of ones and zeros: own stones, the other's stones; row 0 is on top"

    def __init__(
        self,
        name: str,
        bits: list[list[int]],
        actions: int,
        slots: int,
        device: torch.device | str,
        symmetries: tuple[Symmetry, ...],
    ) -> None:
        shape = (2, len(bits), len(bits[0]))
        role = RoleSpec(
            name="player",
            seats=(0, 1),
            acting=1,
            obs_shape=shape,
            obs_dtype=torch.uint8,
            actions=Discrete(actions),
            symmetries=symmetries,
        )
        spec = GameSpec(
            id=name,
            version="1",
            seats=("player_0", "player_1"),
            sides=((0,), (1,)),
            roles=(role,),
            score_range=(-1.0, 1.0),
            perfect_information=True,
        )
        super().__init__(spec, slots, device)
        self._shape = shape
        # The last of 64 bits is the sign of an int64.
        cells = [1 << bit if bit < 63 else -1 << 63 for row in bits for bit in row]
        self._cells = torch.tensor(cells, device=self.device)

    def text(self, state: State) -> str:
        mover = int(state["mover"][0])
        boards = state["boards"][0].tolist()
        marks = "XO" if mover == 0 else "OX"
        cells = [next((m for m, b in zip(marks, boards, strict=True) if b & c), ".") for c in self._cells.tolist()]
        width = self._shape[2]
        rows = [" ".join(cells[start : start + width]) for start in range(0, len(cells), width)]
        return "\n".join([*rows, f"{'XO'[mover]} to move"])


class StoneGame(BoardGame):
    """A game of placing stones: the seats alternate, a line wins, a full board is a draw.

    A subclass defines where a move puts its stone, what wins, and which moves are legal. The rules of a slot read no
    other slot, and nothing waits for the device.
    """

    def __init__(
        self,
        name: str,
        bits: list[list[int]],
        actions: int,
        slots: int,
        device: torch.device | str,
        symmetries: tuple[Symmetry, ...],
    ) -> None:
        super().__init__(name, bits, actions, slots, device, symmetries)
        self._full = sum(1 << bit for row in bits for bit in row)
        win = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], device=self.device)
        self._scores = torch.cat((win * 0, win))
        """`[4, 2]`: row `mover`, or `mover + 2` where the mover has won."""

    @abstractmethod
    def filled(self, occupied: Tensor, action: Tensor) -> Tensor:
        """The occupied cells after a legal move, as a bitboard. occupied, action: `[N]` int64."""

    @abstractmethod
    def won(self, board: Tensor) -> Tensor:
        """Whether the stones `[N]` of one seat hold a winning line: `[N]` bool."""

    @abstractmethod
    def open(self, occupied: Tensor) -> Tensor:
        """Legal moves `[N, A]` bool on boards that are not full."""

    def deal(self, seeds: Tensor) -> State:
        return {"boards": seeds.new_zeros((len(seeds), 2)), "mover": torch.zeros_like(seeds)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        (own, other), mover = state["boards"].unbind(1), state["mover"]
        filled = self.filled(own | other, actions["player"].flatten())
        own = filled ^ other
        won = self.won(own)
        score = self._scores.index_select(0, torch.add(mover, won, alpha=2))
        outcome = Outcome(score, (filled == self._full).bitwise_or_(won), score)
        return {"boards": torch.stack((other, own), 1), "mover": mover ^ 1}, outcome

    def renewed(self, state: State, ended: Tensor, seeds: Tensor) -> State:
        # Every episode begins with zeros, whatever its seed.
        running = ~ended
        return {"boards": state["boards"] * running.unsqueeze(1), "mover": state["mover"] * running}

    def look(self, state: State) -> ActsAndState:
        boards, seat = state["boards"], state["mover"].unsqueeze(1)
        own, other = boards.unbind(1)
        # bool viewed as bytes: no copy, and networks convert bytes to floats much faster than bools.
        planes = (boards.unsqueeze(2) & self._cells).bool().view(torch.uint8).view(-1, 1, *self._shape)
        mask = self.open(own | other).unsqueeze(1)
        return {"player": Acting(planes, mask, seat, torch.ones_like(seat, dtype=torch.bool))}, None
