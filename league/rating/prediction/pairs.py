"""Head-to-head results as columns: one row for each pair of policies that met, for models of the whole payoff."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from league.rating.core import pairwise_results
from league.rating.ledger import Bools, Floats, Ints, Ledger

_FEWEST_MATCHES = 50
"""Degrees of freedom from which on the variance between matches is used."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """M pairs of N policies that met, sorted by `first`, then `second`.

    first, second: `[M]` numbers of the policies in `Ledger.ids`, first < second. games: `[M]` comparisons; between
    more than two sides a game is one for each pair of sides. score: `[M]` mean result of `first` in [0, 1], a draw
    being half a win. spread: the variance of one game's result as a share of a coin's, pooled over all pairs. Draws
    bring it below 1; it is above 1 where the games of a match go together, as beside the same others.
    Where matches fade (`of`), games counts less than were played, and the score is the weighted mean.
    """

    count: int
    first: Ints
    second: Ints
    games: Floats
    score: Floats
    spread: float

    @staticmethod
    def of(ledger: Ledger, upto: int | None = None, fading: bool = False) -> Pairs:
        """The pairs of the first `upto` matches (None: of all).

        A policy counts once for a side and never against itself. N counts the policies that have played until then;
        they are the first of the ledger, so that the result is the same when the ledger has grown.

        fading: for games in which two policies are compared beside others that are drawn from the history. Results
        beside the history of long ago say less about games beside the history of now, so a match counts (n / N)^2,
        where n policies had played by then.
        """
        count, seen = len(ledger.ids), 0
        keys, scores, seatings, weights = [], [], [], []
        by_sides: dict[tuple[int, int], Floats] = {}
        for table, members, outcome in ledger.chunks(upto=upto):
            numbers = np.array(outcome, dtype=np.int64)
            played = np.maximum(np.maximum.accumulate(members.max(1)) + 1, seen)
            seen = int(played[-1])
            for post, (side, _) in enumerate(table.posts):
                for other, (against, _) in enumerate(table.posts[:post]):
                    if side == against:
                        continue
                    one, two = members[:, other], members[:, post]
                    use = (one != two) & _first_on_side(members, table.sides[against], other)
                    use &= _first_on_side(members, table.sides[side], post)
                    if (against, side) not in by_sides:
                        by_sides[against, side] = _totals(ledger, against, side)
                    swapped = one > two
                    key = np.where(swapped, two * count + one, one * count + two)
                    found = by_sides[against, side][numbers]
                    found[swapped, 1] = found[swapped, 0] - found[swapped, 1]
                    keys.append(key[use])
                    scores.append(found[use])
                    seatings.append(swapped[use])
                    weights.append(played[use])
        if not keys or not sum(map(len, keys)):
            none = np.zeros(0, dtype=np.int64)
            return Pairs(count=seen, first=none, second=none, games=np.zeros(0), score=np.zeros(0), spread=1.0)
        distinct, which = np.unique(np.concatenate(keys), return_inverse=True)
        totals = np.concatenate(scores)
        # Matches that two policies fill are independent. There it would measure that pairs whose first games surprise
        # are met again, and mistake that for games that go together.
        together = fading or any(len(table.posts) > 2 for table in ledger.tables)
        between, design = _between_matches(2 * which + np.concatenate(seatings), totals) if together else 0.0, 1.0
        if fading:
            weight = (np.concatenate(weights)[:, None] / seen) ** 2
            # Kish's design effect: a weighted mean varies like one of fewer games.
            design = float((weight**2 * totals[:, :1]).sum() / (weight * totals[:, :1]).sum())
            totals = weight * totals
        games, won, drawn = (np.bincount(which, totals[:, k], len(distinct)).astype(np.float64) for k in range(3))
        score = won / games
        # A win or a loss lies (1 - score)^2 or score^2 from the mean: a coin's variance less a quarter of the draws.
        coin = (games * score * (1.0 - score)).sum()
        spread = 1.0 - 0.25 * drawn.sum() / coin if coin > 0.0 else 1.0
        spread = max(spread, between) * design
        return Pairs(
            count=seen,
            first=distinct // count,
            second=distinct % count,
            games=games,
            score=score,
            spread=float(max(spread, 0.05)),
        )

    def __len__(self) -> int:
        return len(self.first)

    def where(self, chosen: Bools) -> Pairs:
        """The pairs that are chosen. chosen: `[M]`."""
        return replace(
            self,
            first=self.first[chosen],
            second=self.second[chosen],
            games=self.games[chosen],
            score=self.score[chosen],
        )


def _between_matches(group: Ints, totals: Floats) -> float:
    """The variance of one game's result as a share of a coin's, from how much matches of the same group differ.

    0 where too few matches can be compared. group: `[n]` pair and seating. totals: `[n, 3]` games, result, draws.
    """
    _, group = np.unique(group, return_inverse=True)
    games, won, matches = np.bincount(group, totals[:, 0]), np.bincount(group, totals[:, 1]), np.bincount(group)
    mean = (won / games)[group]
    coin = np.bincount(group, mean * (1.0 - mean))
    # Groups of one match, or all of whose games ended alike, tell nothing.
    useful = (matches > 1) & (coin > 0.0)
    freedom = (matches[useful] - 1).sum()
    if freedom < _FEWEST_MATCHES:
        return 0.0
    squares = np.bincount(group, (totals[:, 1] - totals[:, 0] * mean) ** 2 / totals[:, 0])
    typical = (coin / matches)[useful]
    return float((squares[useful] / typical).sum() / freedom)


def _totals(ledger: Ledger, one: int, two: int) -> Floats:
    """`[outcomes, 3]` by the number of an outcome: games, the result of side `one` against side `two`, and draws."""
    found = np.zeros((len(ledger.outcomes), 3))
    for number, placements in enumerate(ledger.outcomes):
        for pattern, games in placements.items():
            if max(one, two) < len(pattern):
                score = next(score for i, j, score in pairwise_results(pattern) if (i, j) == (one, two))
                found[number] += games, games * score, games * (score == 0.5)
    return found


def _first_on_side(members: Ints, side: slice, post: int) -> Bools:
    """`[n]` whether the policy at a post sits at no earlier post of its side."""
    first: Bools = (members[:, side.start : post] != members[:, post : post + 1]).all(1)
    return first
