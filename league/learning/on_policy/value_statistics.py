"""Running statistics of value targets, by which critics normalise them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from league.errors import SnapshotError

_DECAY = 0.99
_NAMES = ("mean", "square", "weight")


@dataclass(slots=True)
class ValueStatistics:
    """Running mean and standard deviation of value targets, debiased (Yu et al. 2022, sec. 5.1).

    `mean`, `square` and `weight` are scalar float64 tensors on the CPU; weight debiases averages that began at 0.
    """

    mean: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    square: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    weight: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))

    def update(self, targets: Tensor) -> None:
        """Move towards the mean and mean square of `targets`, `[M]`. Targets that are not finite change nothing."""
        values = targets.to(torch.float64)
        mean, square = values.mean().cpu(), values.square().mean().cpu()
        if bool(torch.isfinite(mean + square)):
            self.mean = _DECAY * self.mean + (1 - _DECAY) * mean
            self.square = _DECAY * self.square + (1 - _DECAY) * square
            self.weight = _DECAY * self.weight + (1 - _DECAY)

    def scale(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (at least 0.01), float32; 0 and 1 before any update."""
        known = self.weight > 0
        weight = torch.where(known, self.weight, 1.0)
        mean = self.mean / weight
        deviation = (self.square / weight - mean.square()).clamp(min=1e-4).sqrt()
        return mean.to(torch.float32), torch.where(known, deviation, 1.0).to(torch.float32)

    def normalised(self, values: Tensor) -> Tensor:
        """Values in the game's own units → in the critic's, in which targets have mean 0 and deviation 1."""
        mean, deviation = (number.to(values.device) for number in self.scale())
        return (values - mean) / deviation

    def in_game_units(self, values: Tensor) -> Tensor:
        """The inverse of `normalised`."""
        mean, deviation = (number.to(values.device) for number in self.scale())
        return values * deviation + mean

    def tensors(self) -> dict[str, Tensor]:
        """All of it, by name."""
        return {name: getattr(self, name) for name in _NAMES}

    @staticmethod
    def of(tensors: Mapping[str, Tensor], owner: str) -> ValueStatistics:
        """The inverse of `tensors`. Raises SnapshotError, which calls its owner so, where something is missing."""
        if missing := [name for name in _NAMES if name not in tensors]:
            raise SnapshotError(f"{owner}: the checkpoint lacks its value statistics ({', '.join(missing)})")
        return ValueStatistics(*(tensors[name].to("cpu", copy=True) for name in _NAMES))
