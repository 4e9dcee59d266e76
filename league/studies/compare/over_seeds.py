"""Figures over seeds: means with Student's 95 % intervals. Letters in shapes: K seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from league.rating.mean_score import mean_interval


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """The mean of one value for each seed, and its 95 % interval; None with a single seed, whose spread is unknown."""

    mean: float
    low: float | None
    high: float | None
    values: tuple[float, ...]

    @staticmethod
    def of(values: Sequence[float]) -> OverSeeds:
        """Student's interval, t of K - 1."""
        mean, low, high = mean_interval(len(values), math.fsum(values), math.fsum(value * value for value in values))
        known = math.isfinite(low)
        return OverSeeds(mean, low if known else None, high if known else None, tuple(values))


def head_to_head(scores: npt.NDArray[np.float64]) -> OverSeeds:
    """The mean score of one config against another over all pairs of their seeds. scores: `[K, K]`, row's by column's.

    Both configs' seeds are draws: the variance of the mean is that of the rows' means plus that of the columns' means,
    each divided by K (two crossed random effects; what the pairs add to them is counted in both, so that the interval
    is a little wider than need be). The values are the rows' means.
    """
    from scipy.special import stdtrit

    rows, columns, seeds = scores.mean(1), scores.mean(0), len(scores)
    mean, values = float(scores.mean()), tuple(rows.tolist())
    if seeds < 2:
        return OverSeeds(mean, None, None, values)
    half = float(stdtrit(seeds - 1, 0.975)) * math.sqrt((rows.var(ddof=1) + columns.var(ddof=1)) / seeds)
    return OverSeeds(mean, mean - half, mean + half, values)
