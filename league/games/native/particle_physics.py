"""The physics of the multi-particle environments (MPE) for B worlds at once: touching discs, motion, distances.

As in mpe2 1.1.1 (`_mpe_utils/core.py`; Lowe et al. 2017, Mordatch and Abbeel 2017). Tensors are slot-last, `[2, E, B]`
(x and y, entities, slots): operations then run along B, many times faster than along a last dimension of 2 or 3.

What happens in a world must not depend on where it stands in the batch, to the last bit. So here are only operations
that IEEE 754 rounds exactly, and sums in a fixed order: torch's `exp` and `softplus` round vectors and their tails
differently, its `sqrt` is not exact, `sum` orders its terms by where they stand, and `alpha` may or may not fuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

CYCLE = 0.1
"""Seconds that one cycle lasts."""
DAMPING = 0.25
"""Share of its speed that a body loses in one cycle."""
STIFFNESS, MARGIN = 100.0, 1e-3
"""Force by depth of a contact; the depth at which it sets in softly."""
_SOFT = 32 * MARGIN
"""Beyond this gap, or this depth, softness is below 1e-14 of the margin."""
_CELLS = 4096
_TINY = 1e-12


class Curve:
    """A smooth function on [low, high], by a parabola in each of 4096 equal parts; beyond them, its values at the ends.

    Each parabola meets the function at its part's ends and middle, which leaves an error of about 1e-2 times the third
    derivative times the cube of the part's width (Newton's interpolation).
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], low: float, high: float, dtype: torch.dtype, device: torch.device
    ) -> None:
        value = function(torch.linspace(low, high, 2 * _CELLS + 1, dtype=torch.float64))
        left, middle, right = value[:-2:2], value[1::2], value[2::2]
        bend = 2 * (left - 2 * middle + right)
        self._low, self._scale = low, _CELLS / (high - low)
        # One part more, for the upper end and all beyond it.
        parts = (value[::2], torch.cat((right - left - bend, value[:1] * 0)), torch.cat((bend, value[:1] * 0)))
        self._parts = [part.to(device, dtype).contiguous() for part in parts]

    def at(self, x: Tensor) -> Tensor:
        """The function's values at `x`, of any shape."""
        scaled = (x - self._low).mul_(self._scale).clamp_(0, _CELLS)
        cell, within = scaled.to(torch.int32).flatten(), scaled.frac_().flatten()
        left, slope, bend = (part.index_select(0, cell) for part in self._parts)
        return bend.mul_(within).add_(slope).mul_(within).add_(left).view(x.shape)


def root(square: Tensor) -> Tensor:
    """The square root, rounded exactly on every device: numpy's is, on a CPU torch's is not."""
    return torch.from_numpy(np.sqrt(square.numpy())) if square.device.type == "cpu" else square.sqrt()


def length(vector: Tensor) -> Tensor:
    """`[2, …]` → `[…]`: Euclidean lengths."""
    return root(squared(vector))


def squared(vector: Tensor) -> Tensor:
    """`[2, …]` → `[…]`: squares of Euclidean lengths."""
    squares = vector * vector
    return squares[0] + squares[1]


def squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """`[2, M, B]` and `[2, N, B]` → `[M, N, B]`: squares of how far the first are from the second."""
    return squared(one.unsqueeze(2) - other.unsqueeze(1))


def total(parts: Tensor) -> Tensor:
    """`[N, …]` → `[…]`: the sum over the first dimension, from first to last."""
    return reduce(torch.add, parts.unbind(0))


class Contacts:
    """Forces between `movers`, discs that push each other apart, and between them and `walls`, which stay in place.

    movers, walls: radii. Equal places push in no direction (mpe2 divides by zero there).
    """

    def __init__(
        self, movers: Sequence[float], walls: Sequence[float], dtype: torch.dtype, device: torch.device
    ) -> None:
        count, radii = len(movers), [*movers, *walls]
        pairs = [*combinations(range(count), 2), *((a, b) for a in range(count) for b in range(count, len(radii)))]
        self.movers, self.pairs = count, len(pairs)
        """How many discs move; how many pairs can touch."""
        self._first, self._second = (torch.tensor([pair[i] for pair in pairs], device=device) for i in (0, 1))
        reach = [radii[a] + radii[b] for a, b in pairs]
        self._reach = torch.tensor(reach, dtype=dtype, device=device).unsqueeze(1)
        # The pairs of each mover, and the sign of their push: a pair pushes its second disc the other way.
        touching = [[index for index, pair in enumerate(pairs) if mover in pair] for mover in range(count)]
        sign = [[1.0 if pairs[index][0] == mover else -1.0 for index in each] for mover, each in enumerate(touching)]
        whose = torch.tensor(touching, dtype=torch.int64, device=device).t()
        # Their rows among x of every pair, then y of every pair.
        self._rows = torch.stack((whose, whose + self.pairs), 1)
        self._sign = torch.tensor(sign, dtype=dtype, device=device).t().unsqueeze(1).unsqueeze(3)
        self._soft = Curve(_softness, 0.0, _SOFT, dtype, device)

    def forces(self, place: Tensor) -> Tensor:
        """`[2, movers + walls, B]` places → `[2, movers, B]`: what pushes every mover. There must be pairs."""
        apart = place.index_select(1, self._first).sub_(place.index_select(1, self._second))
        distance = length(apart).clamp_min_(_TINY)
        depth = self._reach - distance
        strength = self._soft.at(depth.abs()).add_(depth.clamp_min_(0).mul_(STIFFNESS)).div_(distance)
        push = apart.mul_(strength).flatten(0, 1).index_select(0, self._rows.flatten())
        return total(push.view(*self._rows.shape, place.shape[2]).mul_(self._sign))


def moved(place: Tensor, speed: Tensor, force: Tensor, top: Tensor | None) -> tuple[Tensor, Tensor]:
    """Places and speeds one cycle later, of bodies of mass 1. All `[2, N, B]`; top: highest speeds `[N, 1]`, or None.

    A body goes on at the speed that it had; then the force changes that speed.
    """
    place = (speed * CYCLE).add_(place)
    speed = (speed * (1 - DAMPING)).add_(force * CYCLE)
    if top is not None:
        speed.mul_((top / length(speed).clamp_min_(_TINY)).clamp_max_(1.0))
    return place, speed


def _softness(gap: Tensor) -> Tensor:
    """What log(1 + exp(-gap / MARGIN)) adds to the force of a hard contact, by its gap or depth."""
    return torch.log1p(torch.exp(-gap / MARGIN)) * (MARGIN * STIFFNESS)
