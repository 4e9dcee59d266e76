"""The rating of one-sided games, which have no opponents: the mean score."""

from __future__ import annotations

import math

import numpy as np

from league.errors import RatingError
from league.rating.ledger import Ledger
from league.records import PolicyId, Rating
from league.settings import Settings


class MeanScoreSettings(Settings):
    """The mean score has no settings."""


class MeanScore:
    """A policy's mean score over the episodes it was rated in, with Student's 95 % interval (t of n - 1).

    A policy at several posts gets the mean over all of them. The score also depends on the policies it played with.
    Scores are in the game's own unit, and anchors are rated like all others. After a single episode the spread is
    unknown, so the interval is infinite.
    """

    settings_type = MeanScoreSettings

    def __init__(self, settings: MeanScoreSettings | None = None) -> None:
        self.settings = settings or MeanScoreSettings()

    def rate(self, ledger: Ledger, anchors: frozenset[PolicyId]) -> dict[PolicyId, Rating]:
        """Rate everybody who played; the anchors make no difference. Raises RatingError where no scores were kept."""
        if not ledger.scored:
            raise RatingError("this ledger was read without its scores; read it with them to rate by mean score")
        episodes = np.zeros(len(ledger.ids), dtype=np.int64)
        total, square = np.zeros(len(ledger.ids)), np.zeros(len(ledger.ids))
        for table in ledger.tables:
            for post, members in enumerate(table.members.T):
                np.add.at(episodes, members, table.episodes)
                np.add.at(total, members, table.score_sum[:, post])
                np.add.at(square, members, table.score_sq[:, post])
        games = ledger.games_played()
        sums = zip(ledger.ids, episodes.tolist(), total.tolist(), square.tolist(), strict=True)
        return {policy: Rating(*mean_interval(n, s, q), games[policy]) for policy, n, s, q in sums if n > 0}


def mean_interval(n: int, total: float, square: float) -> tuple[float, float, float]:
    """Mean of n values, low and high end of its 95 % interval (Student 1908). square: the sum of their squares."""
    from scipy.special import stdtrit

    mean = total / n
    if n < 2:
        return mean, -math.inf, math.inf
    # When all values are equal, rounding can leave the sum of squares slightly below n * mean**2.
    variance = max(square - n * mean * mean, 0.0) / (n - 1)
    half = float(stdtrit(n - 1, 0.975)) * math.sqrt(variance / n)
    return mean, mean - half, mean + half
