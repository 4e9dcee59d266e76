"""The replay buffer: what a learner kept of its latest rounds, and how sequences of it are drawn.

Letters in shapes: R rows of the buffer, n seats of a side, Z sides, G sequences, Q drawn sequences, C decisions learnt
from, W rows before them, M numbers of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from league.errors import SnapshotError
from league.learning.off_policy.experience import Segment

_TINY = 1e-6
"""Added to priorities, so that no sequence is lost for ever."""
_MOST, _MEAN = 0.9, 0.1
"""How much the largest and the mean error of a sequence count (Kapturowski et al. 2019, R2D2, sec. 2.3)."""


@dataclass(slots=True)
class Held:
    """A segment in the buffer: its rows, sequences and decisions. id: of its file, None before it has one."""

    rows: int
    sequences: int
    decisions: int
    id: str | None = None


@dataclass(slots=True)
class Drawn:
    """Sequences to learn from. number: `[Q]`, which. weight: `[Q]`, of its loss, at most 1."""

    number: Tensor
    weight: Tensor


@dataclass(slots=True)
class Window:
    """Rows of drawn sequences, side by side, turn-major.

    rows: by name as in `Segment.rows`, `[W + C + 1, Q, ...]`: the last is only bootstrapped from. Where a sequence is
    shorter, `present` and `learns` are False. memory: `[Q, n, M]`.
    """

    rows: dict[str, Tensor]
    memory: Tensor


class Replay:
    """Segments, the oldest first; those beyond `capacity` decisions leave it, but never the latest.

    Rows lie in one ring, so that windows of sequences are gathered at once whichever segments they come from.
    seats: `[Z, n]` and there: `[Z, n]` as in `Sides`. priority: `[G, n]` float64, each seat's share of the error of
    each sequence; 0 where it is not in it. highest: `[Z, n]` the highest so far. turn: whose turn to draw it is.
    """

    def __init__(self, capacity: int, there: Tensor) -> None:
        self.capacity, self.there = capacity, there
        self._empty()

    def _empty(self) -> None:
        there = self.there
        self.held: list[Held] = []
        self.ring: dict[str, Tensor] = {}
        self._start = 0
        device = there.device
        self.first, self.before, self.count, self.side = (torch.zeros(0, dtype=torch.int64, device=device),) * 4
        self.memory = torch.zeros(0, device=device)
        self.priority = torch.zeros((0, there.shape[1]), dtype=torch.float64, device=device)
        self.highest = there.to(torch.float64)
        self.turn = 0

    @property
    def decisions(self) -> int:
        """Decisions of sides that it holds."""
        return sum(one.decisions for one in self.held)

    @property
    def full(self) -> bool:
        """Whether one more round like the latest would push out the oldest."""
        return bool(self.held) and self.decisions + self.held[-1].decisions > self.capacity

    def add(self, segment: Segment, id: str | None = None) -> None:
        """Take in a round's segment; its sequences have the highest priority so far. id: of its file, if it has one."""
        rows, decisions = len(segment.rows["side"]), segment.decisions
        if not rows:
            return
        while self.held and self.decisions + decisions > self.capacity:
            self._drop(self.held.pop(0))
        used = sum(one.rows for one in self.held)
        if used + rows > self._size:
            self._grow(segment, used + rows)
        at = self._start + used
        place = (at + torch.arange(rows, device=self.there.device)) % self._size
        for name, ring in self.ring.items():
            ring[place] = segment.rows[name]
        side = segment.rows["side"][segment.first]
        found = {
            "first": (at + segment.first) % self._size,
            "before": segment.before,
            "count": segment.count,
            "side": side,
            "memory": segment.memory,
            "priority": torch.where(_learning_seats(segment), self.highest[side], 0.0),
        }
        for name, value in found.items():
            old = getattr(self, name)
            setattr(self, name, torch.cat((old, value)) if len(old) else value)
        self.held.append(Held(rows, len(segment.first), decisions, id))

    def segment(self, index: int) -> Segment:
        """The segment `index`, as it was added."""
        past = self.held[:index]
        rows, sequences = sum(one.rows for one in past), sum(one.sequences for one in past)
        one = self.held[index]
        at = self._start + rows
        place = (at + torch.arange(one.rows, device=self.there.device)) % self._size
        mine = slice(sequences, sequences + one.sequences)
        first = (self.first[mine] - at) % self._size
        found = {name: ring[place] for name, ring in self.ring.items()}
        return Segment(found, first, self.before[mine], self.count[mine], self.memory[mine])

    def ids(self, write: Callable[[Mapping[str, Tensor]], str]) -> list[str]:
        """The segments' ids, the oldest first. write: gives an id to the tensors of one that has none yet."""
        found = []
        for index, one in enumerate(self.held):
            if one.id is None:
                one.id = write(self.segment(index).tensors())
            found.append(one.id)
        return found

    def draw(self, count: int, exponent: float, correction: float, generator: torch.Generator) -> Drawn:
        """`count` sequences, with replacement.

        exponent: 0: all are as likely. Else seats take turns, and each draws with probabilities in proportion to its
        priorities, to this power (Schaul et al. 2016, eq. 1). correction: exponent of the weights by which sequences
        that are drawn more often than others count less (sec. 3.4).
        """
        held, device = len(self.first), self.there.device
        numbers = torch.rand(count, generator=generator, dtype=torch.float64).to(device)
        if exponent == 0.0:
            number = (numbers * held).to(torch.int64).clamp(max=held - 1)
            return Drawn(number, torch.ones(count, device=device))
        chances = torch.where(self.priority > 0, (self.priority + _TINY) ** exponent, 0.0)
        # Side by side, since the order in which a device adds floats to one place in one call is not fixed.
        totals = torch.stack([chances[self.side == side].sum(0) for side in range(len(self.there))])
        seats = (totals > 0).nonzero().tolist()
        number = torch.zeros(count, dtype=torch.int64, device=device)
        mixed = torch.zeros(held, dtype=torch.float64, device=device)
        for index, (side, place) in enumerate(seats):
            mine = torch.where(self.side == side, chances[:, place], 0.0) / totals[side, place]
            mixed += mine
            draws = slice((index - self.turn) % len(seats), None, len(seats))
            bounds = mine.cumsum(0)
            # Never one of no chance at all, whatever rounding does at the end.
            most = mine.nonzero()[-1, 0]
            number[draws] = torch.searchsorted(bounds, numbers[draws] * bounds[-1], right=True).clamp(max=most)
        self.turn = (self.turn + count) % len(seats)
        weight = (mixed[number] * held / len(seats)) ** -correction
        return Drawn(number, (weight / weight.max()).to(torch.float32))

    def window(self, number: Tensor, chunk: int, burn_in: int) -> Window:
        """The rows of the sequences `number` `[Q]`. chunk, burn_in: C and W."""
        before, count = self.before[number], self.count[number]
        offset = torch.arange(-burn_in, chunk + 1, device=number.device)[:, None]
        there = (offset >= -before) & (offset <= count)
        row = (self.first[number] + torch.where(there, offset, 0)) % self._size
        found = {name: ring[row] for name, ring in self.ring.items()}
        found["present"] &= there[..., None]
        found["learns"] &= there & (offset >= 0) & (offset < count)
        return Window(found, self.memory[number])

    def learnt(self, number: Tensor, error: Tensor, present: Tensor) -> None:
        """Sequences were learnt from: their priorities, the highest where one was drawn several times.

        number: `[Q]`. error, present: `[C, Q, n]`.
        """
        size = torch.where(present, error, 0.0).abs().to(torch.float64)
        mean = size.sum(0) / present.sum(0).clamp(min=1)
        found = torch.where(present.any(0), _MOST * size.amax(0) + _MEAN * mean + _TINY, 0.0)
        highest = torch.full_like(self.priority, -1.0)
        highest.scatter_reduce_(0, number[:, None].expand_as(found), found, "amax")
        self.priority = torch.where(highest < 0, self.priority, highest)
        flat = torch.zeros_like(self.highest).flatten()
        where = self.side[number][:, None] * found.shape[1] + torch.arange(found.shape[1], device=number.device)
        flat.scatter_reduce_(0, where.flatten(), found.flatten(), "amax")
        self.highest = torch.maximum(self.highest, flat.view(self.highest.shape))

    def tensors(self) -> dict[str, Tensor]:
        """What is not in the segments."""
        return {"priority": self.priority, "highest": self.highest, "turn": torch.tensor(self.turn)}

    def load(self, segments: Sequence[tuple[str, Segment]], tensors: Mapping[str, Tensor]) -> None:
        """Hold these segments, with their ids, and go on as `tensors` had it. Raises SnapshotError."""
        self._empty()
        for id, segment in segments:
            self.add(segment, id)
        if tensors["priority"].shape != self.priority.shape or tensors["highest"].shape != self.highest.shape:
            raise SnapshotError("the checkpoint's priorities do not fit the replay buffer that it names")
        self.priority, self.highest = (tensors[name].to(self.there.device).clone() for name in ("priority", "highest"))
        self.turn = int(tensors["turn"])

    @property
    def _size(self) -> int:
        return len(self.ring["side"]) if self.ring else 0

    def _drop(self, one: Held) -> None:
        """Forget the oldest segment's sequences."""
        self._start = (self._start + one.rows) % self._size
        for name in ("first", "before", "count", "side", "memory", "priority"):
            setattr(self, name, getattr(self, name)[one.sequences :])

    def _grow(self, like: Segment, rows: int) -> None:
        """Make room for so many rows, and some more."""
        size = rows if not self.ring else rows + rows // 2
        place = (self._start + torch.arange(self._size, device=self.there.device)) % max(self._size, 1)
        old, self.first = self.ring, (self.first - self._start) % max(self._size, 1)
        self.ring, self._start = {}, 0
        for name, value in like.rows.items():
            self.ring[name] = torch.zeros((size, *value.shape[1:]), dtype=value.dtype, device=value.device)
            if old:
                self.ring[name][: len(place)] = old[name][place]


def _learning_seats(segment: Segment) -> Tensor:
    """`[G, n]`: seats with a decision that is learnt from in each sequence."""
    acts = segment.rows["present"] & segment.rows["learns"][:, None]
    sums = torch.cat((torch.zeros_like(acts[:1], dtype=torch.int64), acts.cumsum(0)))
    return (sums[segment.first + segment.count] - sums[segment.first]) > 0
