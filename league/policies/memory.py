"""Memory layers of networks: recurrent cells, attention over the last observations, and windows of a sequence.

All are plain functions of tensors and Linear weights, so that several sets of weights can be evaluated at once
(`torch.func.vmap`). Letters in shapes: C decisions in a row, N rows, K observations attended to, U units.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

_HEADS = 4
"""Most heads of an attention layer."""


def heads_of(units: int) -> int:
    """Heads of attention: as many as divide the units, and four at most."""
    return next(heads for heads in range(_HEADS, 0, -1) if units % heads == 0)


class StackedLinear(nn.Linear):
    """A linear layer that is several of equal width side by side, each initialised on its own."""

    def __init__(self, inputs: int, width: int, count: int) -> None:
        super().__init__(inputs, width * count)
        self.count = count


class Cell(nn.Module):
    """A recurrent cell. Its inputs are projected separately, so that those of many decisions are projected at once.

    memory: width of a row of its memory; the first U numbers are the cell's output. `input`, `state`: weights of the
    gates, in the order of torch's own cells.
    """

    def __init__(self, inputs: int, units: int, gates: int, memory: int) -> None:
        super().__init__()
        self.units, self.memory = units, memory
        self.input = StackedLinear(inputs, units, gates)
        self.state = StackedLinear(units, units, gates)

    def forward(self, given: Tensor, memory: Tensor) -> Tensor:
        """The memory after a decision, `[N, memory]`. given: `[N, gates * U]`, of `input`. memory: that before it."""
        raise NotImplementedError


class GRU(Cell):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), in torch's form. Memory: h."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__(inputs, units, gates=3, memory=units)

    def forward(self, given: Tensor, memory: Tensor) -> Tensor:
        """See `Cell.forward`."""
        both = 2 * self.units
        held = self.state(memory)
        reset, keep = (given[:, :both] + held[:, :both]).sigmoid().chunk(2, 1)
        new = (given[:, both:] + reset * held[:, both:]).tanh()
        return cast(Tensor, new + keep * (memory - new))


class LSTM(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), in torch's form. Memory: h and c side by side."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__(inputs, units, gates=4, memory=2 * units)

    def forward(self, given: Tensor, memory: Tensor) -> Tensor:
        """See `Cell.forward`."""
        hidden, cell = memory.chunk(2, 1)
        write, keep, new, show = (given + self.state(hidden)).chunk(4, 1)
        cell = keep.sigmoid() * cell + write.sigmoid() * new.tanh()
        return torch.cat((show.sigmoid() * cell.tanh(), cell), 1)


class Attention(nn.Module):
    """One pre-norm transformer block that returns only the output of the last place, the current observation.

    Vaswani et al. 2017, arXiv:1706.03762, with the norms before (Xiong et al. 2020, arXiv:2002.04745). `ages`: learned
    embedding of how long ago each observation was, `[K, U]`, the oldest first.
    """

    def __init__(self, inputs: int, units: int, length: int, activation: nn.Module) -> None:
        super().__init__()
        self.parts = (heads_of(units), units // heads_of(units))
        self.embed = nn.Linear(inputs, units)
        self.ages = nn.Parameter(torch.empty((length, units)))
        self.before = nn.LayerNorm(units)
        self.query, self.value = nn.Linear(units, units), nn.Linear(units, units)
        # A bias of the keys would add the same to all of a row's scores.
        self.key = nn.Linear(units, units, bias=False)
        self.join = nn.Linear(units, units)
        self.after = nn.LayerNorm(units)
        self.wide = nn.Sequential(nn.Linear(units, 4 * units), activation, nn.Linear(4 * units, units))

    def forward(self, window: Tensor, present: Tensor) -> Tensor:
        """`[N, U]`. window: `[N, K, U]` of `embed`, the current one last. present: `[N, K]` bool, the last True."""
        placed = window + self.ages
        normed = self.before(placed)
        query = self.query(normed[:, -1]).unflatten(1, self.parts) / math.sqrt(self.parts[1])
        # There is one query. It is multiplied by the keys' weights, and the mixture by the values' weights, so that K
        # observations need neither keys nor values. With H heads of D numbers: [N, H, U], and [N, H, K] from it.
        asked = torch.einsum("nhd,hdu->nhu", query, self.key.weight.unflatten(0, self.parts))
        weight = torch.where(present[:, None], asked @ normed.mT, -torch.inf).softmax(2)
        value = torch.einsum("nhu,hdu->nhd", weight @ normed, self.value.weight.unflatten(0, self.parts))
        found = placed[:, -1] + self.join(value.flatten(1) + self.value.bias)
        return cast(Tensor, found + self.wide(self.after(found)))


def windows(sequence: Tensor, length: int) -> Tensor:
    """`[K - 1 + C, N, ...]` → `[C, N, K, ...]`: for each of the last C places, itself and the K - 1 before it."""
    decisions = len(sequence) - length + 1
    return torch.stack([sequence[begin : begin + decisions] for begin in range(length)], 2)


def window_mask(fresh: Tensor, length: int) -> Tensor:
    """`[C, N, K]` bool: which places of `windows` belong to the episode of their decision.

    fresh: `[C, N]` bool, True where a decision is its episode's first.
    """
    decision = torch.arange(len(fresh), device=fresh.device)
    begin = torch.where(fresh, decision[:, None] + length - 1, 0).cummax(0).values
    place = decision[:, None] + torch.arange(length, device=fresh.device)
    return place[:, None] >= begin[..., None]
