"""Action spaces: what one decision is. Imports no torch.

The probability of a decision under a policy's output is computed in `policies/distributions.py`.
Letters in shapes: D numbers in one action, W numbers that a policy outputs for one decision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from league.errors import GameError

if TYPE_CHECKING:
    from torch import Tensor

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Discrete:
    """One of `n` actions: an int64 from 0 to n - 1. A policy outputs one logit for each."""

    n: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one action."""
        return ()

    @property
    def draws(self) -> int:
        """How many uniform random numbers one decision takes."""
        return 1

    @property
    def width(self) -> int:
        """W: how many numbers a policy outputs for one decision, and the length of a mask."""
        return self.n

    def legal(self, action: Tensor, mask: Tensor | None) -> Tensor:
        """`[...]` bool: whether actions `[...]` are in the space and allowed by the mask `[..., W]`."""
        inside = (action >= 0) & (action < self.n)
        if mask is None:
            return inside
        return inside & mask.gather(-1, action.clamp(0, self.n - 1)[..., None])[..., 0]

    def uniform(self, draw: Tensor, mask: Tensor | None) -> Tensor:
        """A uniformly random legal action, `[...]`, from numbers in [0, 1), `[..., 1]`."""
        if mask is None:
            return (draw[..., 0] * self.n).long()
        wanted = (draw * mask.sum(-1, keepdim=True)).long()
        found: Tensor = ((mask.cumsum(-1) == wanted + 1) & mask).byte().argmax(-1)
        return found

    def to_json(self) -> object:
        """The space as JSON, for a snapshot's metadata; see `from_json`."""
        return self.n


@dataclass(frozen=True, slots=True)
class MultiDiscrete:
    """One action in each of D parts: `[D]` int64, part d from 0 to sizes[d] - 1. A policy outputs the logits of all
    parts in a row."""

    sizes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """See `Discrete.shape`."""
        return (len(self.sizes),)

    @property
    def draws(self) -> int:
        """See `Discrete.draws`."""
        return len(self.sizes)

    @property
    def width(self) -> int:
        """See `Discrete.width`."""
        return sum(self.sizes)

    def parts(self, values: Tensor | None) -> list[Tensor] | list[None]:
        """`[..., W]` split into the parts; None becomes a None for each."""
        return [None] * len(self.sizes) if values is None else list(values.split(list(self.sizes), -1))

    def legal(self, action: Tensor, mask: Tensor | None) -> Tensor:
        """See `Discrete.legal`; actions are `[..., D]`."""
        good = [
            Discrete(n).legal(one, part)
            for n, one, part in zip(self.sizes, action.unbind(-1), self.parts(mask), strict=True)
        ]
        found = good[0]
        for one in good[1:]:
            found = found & one
        return found

    def uniform(self, draw: Tensor, mask: Tensor | None) -> Tensor:
        """See `Discrete.uniform`; `[..., D]` from `[..., D]`."""
        action = draw.new_empty(draw.shape).long()
        for d, (n, part) in enumerate(zip(self.sizes, self.parts(mask), strict=True)):
            action[..., d] = Discrete(n).uniform(draw[..., d : d + 1], part)
        return action

    def to_json(self) -> object:
        """See `Discrete.to_json`."""
        return {"sizes": list(self.sizes)}


@dataclass(frozen=True, slots=True)
class Box:
    """A point in a box: `[D]` float32, number d from low[d] to high[d]. A policy outputs D means and D logarithms of
    standard deviations of a Gaussian that is squashed into the box. There are no masks."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        good = len(self.low) == len(self.high) > 0
        if not good or not all(-math.inf < a < b < math.inf for a, b in zip(self.low, self.high, strict=True)):
            raise GameError(f"a Box of actions needs finite bounds with low below high, not {self.low} and {self.high}")

    @property
    def shape(self) -> tuple[int, ...]:
        """See `Discrete.shape`."""
        return (len(self.low),)

    @property
    def draws(self) -> int:
        """See `Discrete.draws`."""
        return len(self.low)

    @property
    def width(self) -> int:
        """See `Discrete.width`."""
        return 2 * len(self.low)

    def legal(self, action: Tensor, mask: Tensor | None) -> Tensor:
        """See `Discrete.legal`; actions are `[..., D]`. NaN is illegal."""
        low, high = self.bounds(action)
        return ((action >= low) & (action <= high)).all(-1)

    def uniform(self, draw: Tensor, mask: Tensor | None) -> Tensor:
        """See `Discrete.uniform`; `[..., D]` from `[..., D]`."""
        low, high = self.bounds(draw)
        return low + draw * (high - low)

    def bounds(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """`low` and `high`, `[D]`, as tensors with the dtype and device of `like`."""
        return like.new_tensor(self.low), like.new_tensor(self.high)

    def to_json(self) -> object:
        """See `Discrete.to_json`."""
        return {"low": list(self.low), "high": list(self.high)}


ActionSpace = Discrete | MultiDiscrete | Box


def from_json(value: object) -> ActionSpace:
    """The inverse of `to_json`. Raises ValueError for any other value."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return Discrete(value)
    try:
        if isinstance(value, Mapping) and set(value) == {"sizes"}:
            return MultiDiscrete(tuple(_numbers(value["sizes"], int)))
        if isinstance(value, Mapping) and set(value) == {"low", "high"}:
            return Box(tuple(_numbers(value["low"], float)), tuple(_numbers(value["high"], float)))
    except (TypeError, GameError) as error:
        raise ValueError(f"this is not an action space: {value!r} ({error})") from error
    raise ValueError(f"this is not an action space: {value!r}")


def _numbers(values: object, kind: type[Number]) -> list[Number]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(f"{values!r} is not a list")
    return [kind(value) for value in values]
