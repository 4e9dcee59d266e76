"""The physics of the multi-particle environments (MPE) for B worlds at once: touching discs, motion, distances.

As in mpe2 1.1.1 (`_mpe_utils/core.py`; Lowe et al. 2017, Mordatch and Abbeel 2017). Tensors are slot-last, `[2, E, B]`
(x and y, entities, slots): operations then run along B, many times faster than along a last dimension of 2 or 3.

A world's course must not depend on its slot, to the last bit. So this file uses only operations that IEEE 754 rounds
exactly, and sums in a fixed order: torch's `exp` and `softplus` round vectors and their tails differently, its `sqrt`
is not exact, `sum` orders its terms by their position, and `alpha` may or may not fuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

CYCLE_SECONDS = 0.1
"""Length of one cycle."""
DAMPING = 0.25
"""Share of its velocity that a body loses in one cycle."""
STIFFNESS, MARGIN = 100.0, 1e-3
"""Force per depth of a contact; the scale on which it sets in softly (mpe2's `contact_force`, `contact_margin`)."""
_SOFT = 32 * MARGIN
"""Beyond this gap or depth, the soft part of the force is below 1e-14 of the margin."""
_CELLS = 4096
_TINY = 1e-12


class InterpolatedFunction:
    """A smooth function on [low, high] as a parabola on each of 4096 equal cells; constant beyond the ends.

    Each parabola agrees with the function at its cell's ends and middle. The error is about 1e-2 times the third
    derivative times the cube of the cell's width (Newton's interpolation).
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], low: float, high: float, dtype: torch.dtype, device: torch.device
    ) -> None:
        value = function(torch.linspace(low, high, 2 * _CELLS + 1, dtype=torch.float64))
        left, middle, right = value[:-2:2], value[1::2], value[2::2]
        bend = 2 * (left - 2 * middle + right)
        self._low, self._scale = low, _CELLS / (high - low)
        # One more cell, for the upper end and everything beyond it.
        parts = (value[::2], torch.cat((right - left - bend, value[:1] * 0)), torch.cat((bend, value[:1] * 0)))
        self._parts = [part.to(device, dtype).contiguous() for part in parts]

    def at(self, x: Tensor) -> Tensor:
        """The function's values at `x`, of any shape."""
        scaled = (x - self._low).mul_(self._scale).clamp_(0, _CELLS)
        cell, within = scaled.to(torch.int32).flatten(), scaled.frac_().flatten()
        left, slope, bend = (part.index_select(0, cell) for part in self._parts)
        return bend.mul_(within).add_(slope).mul_(within).add_(left).view(x.shape)


def exact_sqrt(square: Tensor) -> Tensor:
    """The square root, rounded exactly on every device. On a CPU it is numpy's, because torch's is not exact."""
    return torch.from_numpy(np.sqrt(square.numpy())) if square.device.type == "cpu" else square.sqrt()


def length(vector: Tensor) -> Tensor:
    """`[2, …]` → `[…]`: Euclidean lengths."""
    return exact_sqrt(squared_length(vector))


def squared_length(vector: Tensor) -> Tensor:
    """`[2, …]` → `[…]`: squares of Euclidean lengths."""
    squares = vector * vector
    return squares[0] + squares[1]


def squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """`[2, M, B]` and `[2, N, B]` → `[M, N, B]`: squared distances of all pairs."""
    return squared_length(one.unsqueeze(2) - other.unsqueeze(1))


def ordered_sum(parts: Tensor) -> Tensor:
    """`[N, …]` → `[…]`: the sum over the first dimension, from first to last."""
    return reduce(torch.add, parts.unbind(0))


class ContactForces:
    """Repulsive forces between discs that overlap: `movers` with each other and with `walls`, which do not move.

    movers, walls: radii. Discs at the same place exert no force (mpe2 divides by zero there).
    """

    def __init__(
        self, movers: Sequence[float], walls: Sequence[float], dtype: torch.dtype, device: torch.device
    ) -> None:
        count, radii = len(movers), [*movers, *walls]
        pairs = [*combinations(range(count), 2), *((a, b) for a in range(count) for b in range(count, len(radii)))]
        self.movers, self.pairs = count, len(pairs)
        """The numbers of moving discs and of pairs that can touch."""
        self._first, self._second = (torch.tensor([pair[i] for pair in pairs], device=device) for i in (0, 1))
        reach = [radii[a] + radii[b] for a, b in pairs]
        self._reach = torch.tensor(reach, dtype=dtype, device=device).unsqueeze(1)
        # The pairs of each mover, and the sign of their force: it acts on the second disc in the other direction.
        touching = [[index for index, pair in enumerate(pairs) if mover in pair] for mover in range(count)]
        sign = [[1.0 if pairs[index][0] == mover else -1.0 for index in each] for mover, each in enumerate(touching)]
        whose = torch.tensor(touching, dtype=torch.int64, device=device).t()
        # Their rows among x of every pair, then y of every pair.
        self._rows = torch.stack((whose, whose + self.pairs), 1)
        self._sign = torch.tensor(sign, dtype=dtype, device=device).t().unsqueeze(1).unsqueeze(3)
        self._soft = InterpolatedFunction(_softness, 0.0, _SOFT, dtype, device)

    def forces(self, place: Tensor) -> Tensor:
        """`[2, movers + walls, B]` positions → `[2, movers, B]`: the force on every mover. There must be a pair."""
        apart = place.index_select(1, self._first).sub_(place.index_select(1, self._second))
        distance = length(apart).clamp_min_(_TINY)
        depth = self._reach - distance
        strength = self._soft.at(depth.abs()).add_(depth.clamp_min_(0).mul_(STIFFNESS)).div_(distance)
        push = apart.mul_(strength).flatten(0, 1).index_select(0, self._rows.flatten())
        return ordered_sum(push.view(*self._rows.shape, place.shape[2]).mul_(self._sign))


def integrate(place: Tensor, speed: Tensor, force: Tensor, max_speed: Tensor | None) -> tuple[Tensor, Tensor]:
    """Positions and velocities one cycle later, for bodies of mass 1: `[2, N, B]` each. max_speed: `[N, 1]`, or None.

    The position changes by the old velocity; then the force changes the velocity.
    """
    place = (speed * CYCLE_SECONDS).add_(place)
    speed = (speed * (1 - DAMPING)).add_(force * CYCLE_SECONDS)
    if max_speed is not None:
        speed.mul_((max_speed / length(speed).clamp_min_(_TINY)).clamp_max_(1.0))
    return place, speed


def _softness(gap: Tensor) -> Tensor:
    """The soft part of a contact's force, which is added to the hard one: log(1 + exp(-gap / MARGIN)), scaled."""
    return torch.log1p(torch.exp(-gap / MARGIN)) * (MARGIN * STIFFNESS)
