"""By how much policies win where scores count: the expected margin of every pair, met or not.

Results in [0, 1] do not tell it: in poker, who wins most deals may lose more chips in the others. Letters in shapes: N
policies, M pairs that met.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from league.rating.ledger import Floats, Ledger
from league.records import PolicyId


def expected_margins(ledger: Ledger, ids: Sequence[PolicyId], log_odds: Floats) -> Floats:
    """`[N, N]` the expected margin of the row over the column in an episode: half of the difference of their scores.

    In a zero-sum game this is the row's score. ledger: with scores; only matches of one policy against one count, and
    only those among `ids`. log_odds: `[N, N]` of the fitted payoff model for `ids`, antisymmetric. A pair's margin is
    normally distributed around `slope * log_odds` with a variance `tau^2` that the ledger's pairs show (method of
    moments), and its mean in n episodes around that; what is returned is its posterior mean (Efron and Morris 1975,
    "Data Analysis Using Stein's Estimator"). Zeros where no scores are known.
    """
    first, second, episodes, mean, noise = _seen(ledger, ids)
    if not len(first):
        return np.zeros_like(log_odds)
    prior = log_odds[first, second]
    squares = (episodes * prior**2).sum()
    slope = (episodes * prior * mean).sum() / squares if squares > 0.0 else 0.0
    rest = mean - slope * prior
    tau_squared = max((episodes * rest**2).sum() - noise * len(first), 0.0) / episodes.sum()
    expected = slope * log_odds
    # Where games have no luck, the pairs' means are the truth.
    kept = episodes * tau_squared / (episodes * tau_squared + noise) if noise > 0.0 else 1.0
    expected[first, second] += rest * kept
    expected[second, first] = -expected[first, second]
    return np.asarray(expected)


def _seen(ledger: Ledger, ids: Sequence[PolicyId]) -> tuple[np.ndarray, np.ndarray, Floats, Floats, float]:
    """The pairs that met: their numbers, first < second, `[M]`, episodes `[M]`, and the first's mean margin `[M]`.

    The last value is the variance of one episode's score, pooled over all pairs.
    """
    keys, values, count = [], [], len(ids)
    place = {policy: number for number, policy in enumerate(ids)}
    numbers = np.array([place.get(policy, -1) for policy in ledger.ids], dtype=np.int64)
    for table in ledger.tables:
        if table.sizes != (1, 1) or not len(table.members):
            continue
        one, two = numbers[table.members[:, 0]], numbers[table.members[:, 1]]
        swapped = one > two
        margin = 0.5 * (table.score_sum[:, 0] - table.score_sum[:, 1]) * np.where(swapped, -1.0, 1.0)
        squares = 0.5 * table.score_sq.sum(1)
        use = (one != two) & (one >= 0) & (two >= 0)
        keys.append(np.where(swapped, two * count + one, one * count + two)[use])
        values.append(np.stack([table.episodes.astype(np.float64), margin, squares], 1)[use])
    if not sum(map(len, keys)):
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0), np.zeros(0), 0.0
    distinct, which = np.unique(np.concatenate(keys), return_inverse=True)
    summed = np.zeros((len(distinct), 3))
    np.add.at(summed, which, np.concatenate(values))
    episodes, total, squares = summed.T
    mean = total / np.maximum(episodes, 1.0)
    noise = (squares - episodes * mean**2).sum() / max(episodes.sum() - len(distinct), 1.0)
    return distinct // count, distinct % count, episodes, mean, float(max(noise, 0.0))
