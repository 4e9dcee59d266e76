"""Elo's sequential rating: cheap, familiar, and dependent on order. The ledger's order is its order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pydantic import Field

from league.rating.core import (
    Z95,
    Pattern,
    comparisons,
    games_played,
    require_opponents,
    tells_nothing,
)
from league.records import MatchResult, PolicyId, Rating
from league.settings import Settings


class EloSettings(Settings):
    """Settings of Elo's rating."""

    k: float = Field(default=16.0, gt=0.0, le=400.0)
    """The most points that one game can move a policy."""
    scale: float = Field(default=400.0, gt=0.0)
    """Points that stand for odds of ten to one."""


class Elo:
    """Elo 1978: after each game a policy moves by K (result - expectation). Everybody starts at 0; anchors stay there.

    - A row of n games is n updates. The ledger keeps no order within a row, so each of them takes the row's mean
      result: for one game, or n equal ones, this is the textbook's rule, and it never overshoots what a row implies.
    - A side's strength is the sum of its policies' ratings, and all of them move by the same amount.
    - More than two sides are all pairs of them, each moved by K / (sides - 1) per pair.
    - Elo has no seat terms and no model of error. The interval is of our making: its variance is the sum of
      1 / (information of the games), p(1-p) each, and of Elo's own jitter, K/2 in log-odds (the stationary variance
      of its linearised recursion). It takes the opponents' ratings as known, so it is a rough guide.
    """

    settings_type = EloSettings

    def __init__(self, settings: EloSettings | None = None) -> None:
        self.settings = settings or EloSettings()

    def rate(self, results: Sequence[MatchResult], anchors: frozenset[PolicyId]) -> dict[PolicyId, Rating]:
        """Rate in ledger order. Raises RatingError for one-sided games."""
        require_opponents(results)
        points_per_logit = self.settings.scale / math.log(10.0)
        step = self.settings.k / points_per_logit
        strength: dict[PolicyId, float] = {}
        information: dict[PolicyId, float] = {}
        for row in results:
            if not tells_nothing(row.lineup):
                _replay(row, strength, information, anchors, step)
        ratings = {}
        for policy, games in games_played(results).items():
            value, half = strength.get(policy, 0.0) * points_per_logit, 0.0
            if policy not in anchors:
                variance = 1.0 / max(information.get(policy, 0.0), 1e-6) + step / 2.0
                half = Z95 * math.sqrt(variance) * points_per_logit
            ratings[policy] = Rating(value, value - half, value + half, games)
        return ratings


def _replay(
    row: MatchResult,
    strength: dict[PolicyId, float],
    information: dict[PolicyId, float],
    anchors: frozenset[PolicyId],
    step: float,
) -> None:
    """Play a row's games in turn. strength, information: in log-odds, updated in place."""
    if tuple(map(len, row.lineup)) == (1, 1):
        (a,), (b,) = row.lineup
        free = (a not in anchors) + (b not in anchors)
        score = mean_results(row.placements)[0][2]
        gain, told = _duel(strength.get(a, 0.0) - strength.get(b, 0.0), score, row.games, step, free)
        by_side = [(row.lineup[0], gain, told), (row.lineup[1], -gain, told)]
    else:
        by_side = _brawl(row, strength, anchors, step)
    for side, gain, told in by_side:
        for policy in side:
            if policy not in anchors:
                strength[policy] = strength.get(policy, 0.0) + gain
                information[policy] = information.get(policy, 0.0) + told


def _duel(gap: float, score: float, games: int, step: float, free: int) -> tuple[float, float]:
    """What the first of two policies gains (the second loses it), and the information of the games.

    gap: first minus second. free: how many of them move, each of whose gains widens the gap.
    """
    gained = told = 0.0
    for _ in range(games):
        expected = 1.0 / (1.0 + math.exp(-gap))
        told += expected * (1.0 - expected)
        move = step * (score - expected)
        gained += move
        gap += move * free
    return gained, told


def _brawl(
    row: MatchResult, strength: Mapping[PolicyId, float], anchors: frozenset[PolicyId], step: float
) -> list[tuple[tuple[PolicyId, ...], float, float]]:
    """The same for any sides: each side's policies, their gain, and the information (the mean over its pairs)."""
    start = [sum(strength.get(policy, 0.0) for policy in side) for side in row.lineup]
    free = [sum(policy not in anchors for policy in side) for side in row.lineup]
    pairs, share = mean_results(row.placements), 1.0 / (len(start) - 1)
    gained, told = [0.0] * len(start), [0.0] * len(start)
    for _ in range(row.games):
        now = [side + gain * movers for side, gain, movers in zip(start, gained, free, strict=True)]
        for i, j, score in pairs:
            expected = 1.0 / (1.0 + math.exp(now[j] - now[i]))
            for side, sign in ((i, 1.0), (j, -1.0)):
                gained[side] += sign * step * share * (score - expected)
                told[side] += share * expected * (1.0 - expected)
    return list(zip(row.lineup, gained, told, strict=True))


def mean_results(placements: Mapping[Pattern, int]) -> list[tuple[int, int, float]]:
    """The mean result of a row's games by pair of sides: `(i, j, score of i against j in [0, 1])`."""
    if len(placements) == 1:
        return list(comparisons(next(iter(placements))))
    total = sum(placements.values())
    sums: dict[tuple[int, int], float] = {}
    for pattern, count in placements.items():
        for i, j, score in comparisons(pattern):
            sums[i, j] = sums.get((i, j), 0.0) + count * score
    return [(i, j, value / total) for (i, j), value in sums.items()]
