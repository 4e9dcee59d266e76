"""The payoff table: who won how often against whom, and Wilson's interval of a score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from league.errors import RatingError
from league.rating.core import Z95, pairwise_results
from league.rating.ledger import Floats, Pattern, Sides
from league.records import MatchResult, PolicyId

if TYPE_CHECKING:
    from league.rating.ledger import Ledger


class Payoff:
    """Wins, draws and losses by pair of policies; grows with the ledger.

    More than two sides are compared pair by pair, by placement; a policy is counted once a side. Against itself
    nothing is counted. One-sided games have no pairs.
    """

    def __init__(self, results: Iterable[MatchResult] = ()) -> None:
        self._counts: dict[tuple[PolicyId, PolicyId], list[int]] = {}
        self.add(results)

    def add(self, results: Iterable[MatchResult]) -> None:
        """Count more rows."""
        for row in results:
            self._add_row(row.lineup, row.placements)

    @staticmethod
    def of(ledger: Ledger) -> Payoff:
        """The table of a whole ledger, from its sums by lineup."""
        payoff = Payoff()
        for table in ledger.tables:
            for members, counts in zip(table.members.tolist(), table.counts.tolist(), strict=True):
                lineup = tuple(tuple(ledger.ids[number] for number in members[side]) for side in table.sides)
                payoff._add_row(lineup, dict(zip(table.patterns, counts, strict=True)))
        return payoff

    def counts(self, a: PolicyId, b: PolicyId) -> tuple[int, int, int]:
        """Wins, draws and losses of `a` against `b`; zeros where they never met."""
        first, second = min(a, b), max(a, b)
        wins, draws, losses = self._counts.get((first, second), (0, 0, 0))
        return (wins, draws, losses) if a == first else (losses, draws, wins)

    def games(self, a: PolicyId, b: PolicyId) -> int:
        """How many games `a` and `b` have played against each other."""
        return sum(self.counts(a, b))

    def score(self, a: PolicyId, b: PolicyId) -> float:
        """Mean result of `a` against `b` in [0, 1], a draw being half a win. Raises RatingError if they never met."""
        wins, draws, losses = self.counts(a, b)
        if wins + draws + losses == 0:
            raise RatingError(f"{a} and {b} have played no rated game against each other")
        return (wins + draws / 2) / (wins + draws + losses)

    def matrix(self, ids: Sequence[PolicyId]) -> NDArray[np.float64]:
        """`[N, N]` mean results, row against column: NaN where two never met, 0.5 on the diagonal."""
        table = np.full((len(ids), len(ids)), np.nan)
        np.fill_diagonal(table, 0.5)
        for i, a in enumerate(ids):
            for j in range(i + 1, len(ids)):
                if self.games(a, ids[j]):
                    table[i, j] = self.score(a, ids[j])
                    table[j, i] = 1.0 - table[i, j]
        return table

    def _add_row(self, lineup: Sides, placements: Mapping[Pattern, int]) -> None:
        sides = [tuple(dict.fromkeys(side)) for side in lineup]
        for pattern, count in placements.items():
            for i, j, score in pairwise_results(pattern) if count else ():
                for a in sides[i]:
                    for b in sides[j]:
                        self._add(a, b, score, count)

    def _add(self, a: PolicyId, b: PolicyId, score: float, count: int) -> None:
        if a == b:
            return
        if a > b:
            a, b, score = b, a, 1.0 - score
        entry = self._counts.setdefault((a, b), [0, 0, 0])
        entry[0 if score == 1.0 else 2 if score == 0.0 else 1] += count


def beaten(placements: Mapping[Pattern, int], side: int) -> float:
    """The share of the other sides that `side` beat (level: half), summed over all games. Alone, it beat nobody."""
    total = 0.0
    for pattern, count in placements.items():
        halves = sum(2 * (rank > pattern[side]) + (rank == pattern[side]) for rank in pattern) - 1
        total += count * halves / (2.0 * max(len(pattern) - 1, 1))
    return total


def wilson(score: float, games: float) -> tuple[float, float]:
    """The 95 % interval (low, high) of a mean result. score: wins plus half the draws; games: how many, 0 gives (0, 1).

    Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference". With draws, whose spread is
    smaller than a coin's, it is wider than need be.
    """
    if games <= 0:
        return 0.0, 1.0
    low, high = wilson_bounds(np.asarray(score / games), np.asarray(games), Z95)
    return float(low), float(high)


def wilson_bounds(mean: Floats, games: Floats, deviations: float) -> tuple[Floats, Floats]:
    """Wilson's interval (low, high) of mean results of at least one game each, of any shape.

    deviations: half its width, in standard deviations of a normal distribution.
    """
    z2 = deviations**2
    centre = (mean + z2 / (2.0 * games)) / (1.0 + z2 / games)
    half = deviations / (1.0 + z2 / games) * np.sqrt(mean * (1.0 - mean) / games + z2 / (4.0 * games**2))
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
