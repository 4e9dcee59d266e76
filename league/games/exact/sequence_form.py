"""Small games of two seats in sequence form: all that each seat can be asked, and what every two lines of play bring.

The sequence form (von Stengel 1996, "Efficient Computation of Behavior Strategies") holds everything that values and
best responses need where seats remember what they knew and did, in the size of the game.
Letters in shapes: I information sets of a seat, A actions, Q = 1 + I * A sequences of a seat.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import Discrete
from league.games.core import GameSpec

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST = 1_000_000
"""Histories (positions, each with all that led there) of the largest game that is traversed."""

Look = Callable[[], tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]]
"""What a seat sees, `[*obs_shape]`, in any dtype that can become its own; what is legal, `[A]`, None for everything."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """All that one seat can be asked: its information sets, each behind those that lead to it.

    obs: `[I, *obs_shape]`, as the seat's policy sees it. mask: `[I, A]` bool. before: `[I]` int64, the sequence that
    leads there; depth: `[I]` int64, how many decisions of the seat's own that is. A sequence of the seat is 0 before
    its first move, and 1 + i * A + a where its last move was action a in information set i.
    """

    obs: Tensor
    mask: Tensor
    before: npt.NDArray[np.int64]
    depth: npt.NDArray[np.int64]

    @property
    def sequences(self) -> int:
        """Q."""
        return 1 + self.mask.numel()


@dataclass(frozen=True, slots=True)
class SequenceForm:
    """A zero-sum game of two seats, whole.

    seats: seat 0 and seat 1. payoff: sparse `[Q0, Q1]` float64, what seat 0 gets where these two sequences end the
    game, times the probability of the chance in it. histories: how many positions there are, ends included.
    """

    spec: GameSpec
    seats: tuple[Decisions, Decisions]
    payoff: csr_array
    histories: int


def too_large(id: str) -> GameError:
    """What to raise of a game with more than `MOST` histories."""
    return GameError(f"{id} is too large to be traversed: it has more than {MOST:,} histories")


def not_zero_sum(id: str) -> GameError:
    """What to raise of a game in which one seat may win what the other does not lose."""
    return GameError(f"{id} is not zero-sum: what one seat wins the other need not lose, so NashConv says nothing")


@dataclass(slots=True)
class _Asked:
    """What one seat was asked so far, by information set. known: their numbers, by the seat's sequence before and what
    it knows."""

    width: int
    known: dict[tuple[int, Hashable], int] = field(default_factory=dict)
    obs: list[npt.NDArray[Any]] = field(default_factory=list)
    mask: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)

    def decisions(self, shape: tuple[int, ...], dtype: torch.dtype) -> Decisions:
        """All of it as arrays. shape, dtype: of an observation."""
        obs, mask = torch.zeros((0, *shape), dtype=dtype), torch.zeros((0, self.width), dtype=torch.bool)
        if self.obs:
            obs, mask = torch.from_numpy(np.stack(self.obs)).to(dtype), torch.from_numpy(np.stack(self.mask))
        return Decisions(obs, mask, np.array(self.before, np.int64), np.array(self.depth, np.int64))


class Unrolling:
    """Puts a game together while it is walked through: every decision after those that led to it, and every end."""

    def __init__(self, spec: GameSpec) -> None:
        self.spec = spec
        self._roles = [next(role for role in spec.roles if seat in role.seats) for seat in (0, 1)]
        for role in self._roles:
            if not isinstance(role.actions, Discrete):
                raise GameError(f"{spec.id} cannot be traversed: a decision of {role.name} is not one of n actions")
        self._asked = [_Asked(role.actions.width) for role in self._roles]
        self._ends: list[tuple[int, int, float]] = []
        self._decided = 0

    def decision(self, seat: int, key: Hashable, before: int, look: Look) -> int:
        """Note that a seat decides; returns the sequence before action 0 there, to which 1 + action is added.

        key: what the seat knows there. before: the seat's sequence so far, which it remembers whatever the key says.
        """
        asked = self._asked[seat]
        self._decided += 1
        number = asked.known.setdefault((before, key), len(asked.before))
        if number == len(asked.before):
            obs, mask = look()
            asked.obs.append(obs)
            asked.mask.append(np.ones(asked.width, np.bool_) if mask is None else mask.astype(np.bool_))
            asked.before.append(before)
            asked.depth.append(asked.depth[(before - 1) // asked.width] + 1 if before else 0)
        return number * asked.width

    def end(self, sequences: tuple[int, int], payoff: float) -> None:
        """Note an end. payoff: seat 0's, times the probability of the chance that led there."""
        self._ends.append((*sequences, payoff))

    def form(self) -> SequenceForm:
        """The whole game, when all of it was noted."""
        from scipy.sparse import csr_array

        first, second = (
            asked.decisions(role.obs_shape, role.obs_dtype)
            for asked, role in zip(self._asked, self._roles, strict=True)
        )
        rows, columns, payoffs = (np.array(part) for part in zip(*self._ends, strict=True))
        payoff = csr_array((payoffs, (rows, columns)), shape=(first.sequences, second.sequences))
        return SequenceForm(self.spec, (first, second), payoff, self._decided + len(self._ends))


def with_move(sequences: tuple[int, int], seat: int, sequence: int) -> tuple[int, int]:
    """Both seats' sequences after a move of one."""
    return (sequence, sequences[1]) if seat == 0 else (sequences[0], sequence)
