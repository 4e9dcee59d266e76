"""The rating of one-sided games: the mean score, where there is nobody to be better than."""

from __future__ import annotations

import math
from collections.abc import Sequence

from league.rating.core import games_played
from league.records import MatchResult, PolicyId, Rating
from league.settings import Settings


class MeanScoreSettings(Settings):
    """Mean score has nothing to set."""


class MeanScore:
    """A policy's mean score over the episodes it was rated in, with Student's 95 % interval (t of n - 1).

    At several posts it is the mean over all of them; what its companions did is in it, too. Scores are in the game's
    own unit and anchors are rated like all others. One episode says nothing of the spread: its interval is infinite.
    """

    settings_type = MeanScoreSettings

    def __init__(self, settings: MeanScoreSettings | None = None) -> None:
        self.settings = settings or MeanScoreSettings()

    def rate(self, results: Sequence[MatchResult], anchors: frozenset[PolicyId]) -> dict[PolicyId, Rating]:
        """Rate everybody who played; the order of the results and the anchors make no difference."""
        sums: dict[PolicyId, tuple[int, float, float]] = {}
        for row in results:
            for policy, total, square in zip(row.policies, row.score_sum, row.score_sq, strict=True):
                n, s, q = sums.get(policy, (0, 0.0, 0.0))
                sums[policy] = (n + row.episodes, s + total, q + square)
        games = games_played(results)
        return {policy: Rating(*mean_interval(n, s, q), games[policy]) for policy, (n, s, q) in sums.items() if n > 0}


def mean_interval(n: int, total: float, square: float) -> tuple[float, float, float]:
    """Mean of n values, low and high end of its 95 % interval (Student 1908). square: the sum of their squares."""
    from scipy.special import stdtrit

    mean = total / n
    if n < 2:
        return mean, -math.inf, math.inf
    # Rounding can leave a sum of squares a hair below n * mean**2 when all values are equal.
    variance = max(square - n * mean * mean, 0.0) / (n - 1)
    half = float(stdtrit(n - 1, 0.975)) * math.sqrt(variance / n)
    return mean, mean - half, mean + half
