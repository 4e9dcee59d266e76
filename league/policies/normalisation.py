"""Observation normalisation: running mean and deviation of the training data, frozen in the network for each update."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_CLIP = 10.0
"""Normalised values are clipped to plus or minus this."""

_MIN_DEVIATION = 1e-2
"""The smallest deviation used: dividing by a smaller one would blow up unseen values."""

_CONSTANT_BELOW = 1e-7
"""A deviation below this share of the mean is rounding error of float32: the value is constant."""

_INHERITED_COUNT = 100_000
"""How many observations inherited moments count as: a few rounds."""


def normalised(values: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """(x - mean) / deviation, clipped to ±10, float32. values: `[..., *shape]` of any dtype; the others broadcast."""
    return ((values.to(torch.float32) - mean) / deviation).clamp(-_CLIP, _CLIP)


class Normaliser(nn.Module):
    """`normalised` with its own moments; initially mean 0 and deviation 1.

    mean, deviation: float32 buffers of the shape of one observation, so that snapshots carry them.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """`[..., *shape]` of any dtype → float32 of the same shape."""
        return normalised(inputs, self.mean, self.deviation)

    def set(self, mean: Tensor, deviation: Tensor) -> None:
        """Replace the moments, `[*shape]` each, in place."""
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)


class RunningMoments:
    """Count, mean and sum of squared differences from the mean, of all observations so far; float64, on the CPU.

    Batches are merged by the parallel formula of Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise
    algorithm for computing sample variances".
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = torch.zeros((), dtype=torch.float64)
        self.mean = torch.zeros(shape, dtype=torch.float64)
        self.squares = torch.zeros(shape, dtype=torch.float64)

    def begin(self, mean: Tensor, deviation: Tensor) -> None:
        """Start from frozen moments, `[*shape]` each. Their observation count is unknown: taken as 100,000."""
        self.count = torch.tensor(float(_INHERITED_COUNT), dtype=torch.float64)
        self.mean = mean.to("cpu", torch.float64, copy=True)
        self.squares = deviation.to("cpu", torch.float64).square() * _INHERITED_COUNT

    def update(self, observations: Tensor) -> None:
        """Merge `[N, *shape]` of any dtype. Observations that are not all finite, or none at all, change nothing."""
        values = observations.to(torch.float64)
        if not len(values) or not bool(values.isfinite().all()):
            return
        middle = values.mean(0)
        squares, mean, count = (values - middle).square().sum(0).cpu(), middle.cpu(), len(values)
        total = self.count + count
        apart = mean - self.mean
        self.squares = self.squares + squares + apart.square() * (self.count * count / total)
        self.mean = self.mean + apart * (count / total)
        self.count = total

    def scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each component of an observation, float32; 0 and 1 before any update.

        A deviation is at least 0.01; that of a constant component is 1.
        """
        deviation = (self.squares / self.count.clamp(min=1)).sqrt()
        varied = deviation > _CONSTANT_BELOW * self.mean.abs()
        deviation = torch.where(varied, deviation.clamp(min=_MIN_DEVIATION), 1.0)
        return self.mean.to(torch.float32), deviation.to(torch.float32)
