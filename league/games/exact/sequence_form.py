"""Small two-player games in sequence form: each seat's information sets, and the payoff of every pair of sequences.

The sequence form (von Stengel 1996, "Efficient Computation of Behavior Strategies") has the size of the game and holds
everything that values and best responses need, provided that seats have perfect recall.
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

MAX_HISTORIES = 1_000_000
"""The largest game that is traversed, in histories: positions, each with the moves that led to it."""

Observe = Callable[[], tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]]
"""Returns a seat's observation, `[*obs_shape]`, in any dtype that its own can hold, and its mask `[A]` or None."""


@dataclass(frozen=True, slots=True)
class InformationSets:
    """The information sets of one seat, each after those that lead to it.

    obs: `[I, *obs_shape]`, as the seat's policy observes them. mask: `[I, A]` bool. parent: `[I]` int64, the seat's
    sequence that leads there. depth: `[I]` int64, how many of its own decisions that sequence has. Sequence 0 is empty;
    sequence 1 + i * A + a ends with action a in information set i.
    """

    obs: Tensor
    mask: Tensor
    parent: npt.NDArray[np.int64]
    depth: npt.NDArray[np.int64]

    @property
    def sequences(self) -> int:
        """Q."""
        return 1 + self.mask.numel()


@dataclass(frozen=True, slots=True)
class SequenceForm:
    """A two-player zero-sum game as a whole.

    seats: the information sets of seat 0 and seat 1. payoff: sparse `[Q0, Q1]` float64, seat 0's payoff where these two
    sequences end the game, times the probability of chance's moves. histories: how many there are, terminal ones
    included.
    """

    spec: GameSpec
    seats: tuple[InformationSets, InformationSets]
    payoff: csr_array
    histories: int


def too_large(id: str) -> GameError:
    """The error for a game with more than `MAX_HISTORIES` histories."""
    return GameError(f"{id} is too large to be traversed: it has more than {MAX_HISTORIES:,} histories")


def not_zero_sum(id: str) -> GameError:
    """The error for a game that is not zero-sum."""
    return GameError(f"{id} is not zero-sum: one seat's gain is not the other's loss, so NashConv means nothing")


class SequenceFormBuilder:
    """Builds the sequence form during a traversal that visits every decision after those that lead to it.

    Raises GameError where a role's actions are not Discrete.
    """

    def __init__(self, spec: GameSpec) -> None:
        self._spec = spec
        self._roles = [next(role for role in spec.roles if seat in role.seats) for seat in (0, 1)]
        for role in self._roles:
            if not isinstance(role.actions, Discrete):
                raise GameError(f"{spec.id} cannot be traversed: the actions of {role.name} are not Discrete")
        self._seats = [_SeatBuilder(width=role.actions.width) for role in self._roles]
        self._terminals: list[tuple[int, int, float]] = []
        self._decisions = 0

    @property
    def histories(self) -> int:
        """How many were added so far, terminal ones included."""
        return self._decisions + len(self._terminals)

    def add_decision(self, seat: int, key: Hashable, parent: int, observe: Observe) -> int:
        """Add a history in which a seat decides; returns the sequence to which 1 + action is added.

        key: what the seat knows there. parent: the seat's sequence so far: with perfect recall, it is part of what the
        seat knows. observe: called once for each information set.
        """
        self._decisions += 1
        return self._seats[seat].add(key, parent, observe)

    def add_terminal(self, sequences: tuple[int, int], payoff: float) -> None:
        """Add a terminal history. payoff: seat 0's, times the probability of chance's moves."""
        self._terminals.append((*sequences, payoff))

    def build(self) -> SequenceForm:
        """The sequence form, once the whole game was traversed."""
        from scipy.sparse import csr_array

        first, second = (
            seat.build(role.obs_shape, role.obs_dtype) for seat, role in zip(self._seats, self._roles, strict=True)
        )
        rows, columns, payoffs = (np.array(part) for part in zip(*self._terminals, strict=True))
        payoff = csr_array((payoffs, (rows, columns)), shape=(first.sequences, second.sequences))
        return SequenceForm(self._spec, (first, second), payoff, self.histories)


@dataclass(slots=True, kw_only=True)
class _SeatBuilder:
    """The information sets of one seat so far. number: of each, by the seat's sequence and what it knows."""

    width: int
    number: dict[tuple[int, Hashable], int] = field(default_factory=dict)
    obs: list[npt.NDArray[Any]] = field(default_factory=list)
    mask: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)

    def add(self, key: Hashable, parent: int, observe: Observe) -> int:
        """See `SequenceFormBuilder.add_decision`."""
        number = self.number.setdefault((parent, key), len(self.parent))
        if number == len(self.parent):
            obs, mask = observe()
            self.obs.append(obs)
            self.mask.append(np.ones(self.width, np.bool_) if mask is None else mask.astype(np.bool_))
            self.parent.append(parent)
            self.depth.append(self.depth[(parent - 1) // self.width] + 1 if parent else 0)
        return number * self.width

    def build(self, shape: tuple[int, ...], dtype: torch.dtype) -> InformationSets:
        """All of them as arrays. shape, dtype: of an observation."""
        obs, mask = torch.zeros((0, *shape), dtype=dtype), torch.zeros((0, self.width), dtype=torch.bool)
        if self.obs:
            obs, mask = torch.from_numpy(np.stack(self.obs)).to(dtype), torch.from_numpy(np.stack(self.mask))
        return InformationSets(obs, mask, np.array(self.parent, np.int64), np.array(self.depth, np.int64))


def with_move(sequences: tuple[int, int], seat: int, sequence: int) -> tuple[int, int]:
    """Both seats' sequences after a move of one seat."""
    return (sequence, sequences[1]) if seat == 0 else (sequences[0], sequence)
