"""The replay buffer: what a learner keeps of its latest rounds, and how sequences are sampled from it.

Letters in shapes: n seats of a side, Z sides, G sequences, Q sampled sequences, C decisions learnt from, W burn-in rows
before them, M numbers of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from league.errors import SnapshotError
from league.learning.off_policy.experience import Segment

_EPSILON = 1e-6
"""Added to priorities, so that every sequence can still be sampled (Schaul et al. 2016, sec. 3.3)."""

_MAX_WEIGHT, _MEAN_WEIGHT = 0.9, 0.1
"""Weights of a sequence's largest and mean error in its priority (Kapturowski et al. 2019, R2D2, sec. 2.3)."""


@dataclass(slots=True, kw_only=True)
class StoredSegment:
    """How many rows, sequences and decisions a segment has in the buffer. id: of its file, None before it has one."""

    rows: int
    sequences: int
    decisions: int
    id: str | None = None


@dataclass(slots=True)
class Sample:
    """Sampled sequences. number: `[Q]`, which ones. weight: `[Q]`, importance weight of the loss, at most 1."""

    number: Tensor
    weight: Tensor


@dataclass(slots=True)
class SequenceBatch:
    """The rows of sampled sequences side by side, turn-major.

    rows: by name as in `Segment.rows`, `[W + C + 1, Q, ...]`; the last is only bootstrapped from. Where a sequence is
    shorter, `present` and `learns` are False. memory: `[Q, n, M]`.
    """

    rows: dict[str, Tensor]
    memory: Tensor


class ReplayBuffer:
    """Segments, oldest first. The oldest are dropped beyond `capacity` decisions, but the latest always stays.

    Rows are kept in one ring, so that sequences of different segments are gathered at once.
    has_seat: `[Z, n]`, as in `SideLayout`. priority: `[G, n]` float64, of each seat in each sequence; 0 where it has
    no decision there. highest_priority: `[Z, n]`, the highest so far. next_seat: the seat that samples next.
    """

    def __init__(self, capacity: int, has_seat: Tensor) -> None:
        self.capacity, self.has_seat = capacity, has_seat
        self._clear()

    def _clear(self) -> None:
        has_seat = self.has_seat
        self.segments: list[StoredSegment] = []
        self.ring: dict[str, Tensor] = {}
        self._start = 0
        device = has_seat.device
        self.first, self.before, self.count, self.side = (torch.zeros(0, dtype=torch.int64, device=device),) * 4
        self.memory = torch.zeros(0, device=device)
        self.priority = torch.zeros((0, has_seat.shape[1]), dtype=torch.float64, device=device)
        self.highest_priority = has_seat.to(torch.float64)
        self.next_seat = 0

    @property
    def decisions(self) -> int:
        """How many decisions of sides it holds."""
        return sum(one.decisions for one in self.segments)

    @property
    def full(self) -> bool:
        """Whether one more round like the latest would push out the oldest."""
        return bool(self.segments) and self.decisions + self.segments[-1].decisions > self.capacity

    def add(self, segment: Segment, id: str | None = None) -> None:
        """Add a round's segment; its sequences get the highest priority so far. id: of its file, if it has one."""
        rows, decisions = len(segment.rows["side"]), segment.decisions
        if not rows:
            return
        while self.segments and self.decisions + decisions > self.capacity:
            self._drop(self.segments.pop(0))
        used = sum(one.rows for one in self.segments)
        if used + rows > self._size:
            self._grow(segment, used + rows)
        at = self._start + used
        place = (at + torch.arange(rows, device=self.has_seat.device)) % self._size
        for name, ring in self.ring.items():
            ring[place] = segment.rows[name]
        side = segment.rows["side"][segment.first]
        found = {
            "first": (at + segment.first) % self._size,
            "before": segment.before,
            "count": segment.count,
            "side": side,
            "memory": segment.memory,
            "priority": torch.where(_learning_seats(segment), self.highest_priority[side], 0.0),
        }
        for name, value in found.items():
            old = getattr(self, name)
            setattr(self, name, torch.cat((old, value)) if len(old) else value)
        self.segments.append(StoredSegment(rows=rows, sequences=len(segment.first), decisions=decisions, id=id))

    def segment(self, index: int) -> Segment:
        """The segment `index`, as it was added."""
        past = self.segments[:index]
        rows, sequences = sum(one.rows for one in past), sum(one.sequences for one in past)
        one = self.segments[index]
        at = self._start + rows
        place = (at + torch.arange(one.rows, device=self.has_seat.device)) % self._size
        mine = slice(sequences, sequences + one.sequences)
        first = (self.first[mine] - at) % self._size
        found = {name: ring[place] for name, ring in self.ring.items()}
        return Segment(found, first, self.before[mine], self.count[mine], self.memory[mine])

    def ids(self, write: Callable[[Mapping[str, Tensor]], str]) -> list[str]:
        """The segments' ids, oldest first. write: stores the tensors of a segment without an id, and returns one."""
        found = []
        for index, one in enumerate(self.segments):
            if one.id is None:
                one.id = write(self.segment(index).tensors())
            found.append(one.id)
        return found

    def sample(self, count: int, exponent: float, correction: float, generator: torch.Generator) -> Sample:
        """`count` sequences, with replacement.

        exponent: 0 samples uniformly. Otherwise seats take turns, and each samples sequences with probabilities in
        proportion to its own priorities to this power (Schaul et al. 2016, arXiv:1511.05952, eq. 1). correction:
        exponent of the importance weights that make up for it (ibid., sec. 3.4).
        """
        held, device = len(self.first), self.has_seat.device
        numbers = torch.rand(count, generator=generator, dtype=torch.float64).to(device)
        if exponent == 0.0:
            number = (numbers * held).to(torch.int64).clamp(max=held - 1)
            return Sample(number, torch.ones(count, device=device))
        powers = torch.where(self.priority > 0, (self.priority + _EPSILON) ** exponent, 0.0)
        # Side by side: a device adds floats to one place in an unspecified order within one call.
        totals = torch.stack([powers[self.side == side].sum(0) for side in range(len(self.has_seat))])
        seats = (totals > 0).nonzero().tolist()
        number = torch.zeros(count, dtype=torch.int64, device=device)
        mixed = torch.zeros(held, dtype=torch.float64, device=device)
        for index, (side, place) in enumerate(seats):
            probabilities = torch.where(self.side == side, powers[:, place], 0.0) / totals[side, place]
            mixed += probabilities
            draws = slice((index - self.next_seat) % len(seats), None, len(seats))
            bounds = probabilities.cumsum(0)
            # Rounding must not choose a sequence at the end that has probability 0.
            most = probabilities.nonzero()[-1, 0]
            number[draws] = torch.searchsorted(bounds, numbers[draws] * bounds[-1], right=True).clamp(max=most)
        self.next_seat = (self.next_seat + count) % len(seats)
        weight = (mixed[number] * held / len(seats)) ** -correction
        return Sample(number, (weight / weight.max()).to(torch.float32))

    def gather(self, number: Tensor, chunk: int, burn_in: int) -> SequenceBatch:
        """The rows of the sequences `number` `[Q]`. chunk, burn_in: C and W."""
        before, count = self.before[number], self.count[number]
        offset = torch.arange(-burn_in, chunk + 1, device=number.device)[:, None]
        there = (offset >= -before) & (offset <= count)
        row = (self.first[number] + torch.where(there, offset, 0)) % self._size
        found = {name: ring[row] for name, ring in self.ring.items()}
        found["present"] &= there[..., None]
        found["learns"] &= there & (offset >= 0) & (offset < count)
        return SequenceBatch(found, self.memory[number])

    def update_priorities(self, number: Tensor, error: Tensor, present: Tensor) -> None:
        """Set the priorities of sampled sequences from their errors; the highest where one was sampled several times.

        number: `[Q]`. error, present: `[C, Q, n]`.
        """
        size = torch.where(present, error, 0.0).abs().to(torch.float64)
        mean = size.sum(0) / present.sum(0).clamp(min=1)
        found = torch.where(present.any(0), _MAX_WEIGHT * size.amax(0) + _MEAN_WEIGHT * mean + _EPSILON, 0.0)
        highest = torch.full_like(self.priority, -1.0)
        highest.scatter_reduce_(0, number[:, None].expand_as(found), found, "amax")
        self.priority = torch.where(highest < 0, self.priority, highest)
        flat = torch.zeros_like(self.highest_priority).flatten()
        where = self.side[number][:, None] * found.shape[1] + torch.arange(found.shape[1], device=number.device)
        flat.scatter_reduce_(0, where.flatten(), found.flatten(), "amax")
        self.highest_priority = torch.maximum(self.highest_priority, flat.view(self.highest_priority.shape))

    def tensors(self) -> dict[str, Tensor]:
        """What is not in the segments, by its name in checkpoints."""
        return {"priority": self.priority, "highest": self.highest_priority, "turn": torch.tensor(self.next_seat)}

    def load(self, segments: Sequence[tuple[str, Segment]], tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `ids` and `tensors`. Raises SnapshotError where they do not fit.

        segments: id and segment, oldest first.
        """
        self._clear()
        for id, segment in segments:
            self.add(segment, id)
        priority, highest = tensors["priority"], tensors["highest"]
        if priority.shape != self.priority.shape or highest.shape != self.highest_priority.shape:
            raise SnapshotError("the checkpoint's priorities do not fit the replay buffer that it names")
        device = self.has_seat.device
        self.priority, self.highest_priority = priority.to(device).clone(), highest.to(device).clone()
        self.next_seat = int(tensors["turn"])

    @property
    def _size(self) -> int:
        return len(self.ring["side"]) if self.ring else 0

    def _drop(self, one: StoredSegment) -> None:
        """Drop the sequences of the oldest segment."""
        self._start = (self._start + one.rows) % self._size
        for name in ("first", "before", "count", "side", "memory", "priority"):
            setattr(self, name, getattr(self, name)[one.sequences :])

    def _grow(self, like: Segment, rows: int) -> None:
        """Make room for at least so many rows."""
        size = rows if not self.ring else rows + rows // 2
        place = (self._start + torch.arange(self._size, device=self.has_seat.device)) % max(self._size, 1)
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
