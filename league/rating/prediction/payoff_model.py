"""A model of the whole payoff: the score of every policy against every other, also of those that never met.

Multidimensional Elo (Balduzzi et al. 2018, "Re-evaluating Evaluation", sec. 3.2, mElo_2k) with an upset share, a prior
that follows descent, and deviations of single pairs. Policy i against policy j, i, j of N:

    score_ij = u / 2 + (1 - u) / (1 + exp(-eta_ij)),    eta_ij = m_ij + e_ij,
    m_ij = theta_i - theta_j + sum over k of (x_ik y_jk - y_ik x_jk)

- theta is strength in log-odds. The K components (x, y) are the cyclic part, for which no order of strength exists.
- u is the **upset share**: how often anybody may lose to anybody, because sampled policies blunder.
- e_ij ~ N(0, tau^2) is the pair's own **deviation** from what the components say. It is what makes the interval of a
  pair that never met as wide as pairs are found to deviate, and lets a pair with many games be told by its games. A
  policy from outside (random play, a scripted one) is of another kind than the snapshots of a run: its pairs have a
  tau of their own.
- Priors are Gaussian. A policy lies near its parent: theta_i ~ N(theta_parent, step^2) after one generation, x_ik,
  y_ik likewise with `turn`. One without a parent has theta ~ N(0, `STRENGTH`^2) and x, y ~ N(0, 1).

`payoff_fit` finds the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

from league.rating.core import Z95
from league.rating.ledger import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Shape:
    """What the model has beside strength: the number of cyclic components, and the upset share in [0, 1).

    step: standard deviation of the change in strength from a policy to its child, in log-odds. The wide default leaves
    strength to the games; a narrow one pools the games of a slowly changing lineage. turn: likewise of the change in a
    component; components are of order 1.
    """

    components: int = 0
    upset: float = 0.0
    step: float = 2.0
    turn: float = 0.125


@dataclass(frozen=True, slots=True)
class Origins:
    """Where N policies come from. parents: `[N]` number of each one's parent, -1 for none.

    outside: `[N]` whether it is anything but a snapshot of a learner. generations: `[N]` how many generations lie
    between a policy and that parent: 1, or more where the parent is the nearest ancestor of those that are considered.
    """

    parents: Ints
    outside: Bools
    generations: Ints

    @staticmethod
    def unknown(count: int) -> Origins:
        """Of policies of which nothing is known."""
        return Origins(np.full(count, -1), np.zeros(count, dtype=bool), np.ones(count, dtype=np.int64))

    def among(self, kept: Bools) -> Origins:
        """Those of the policies `kept` `[N]`, each descending from its nearest ancestor among them."""
        above, generations = self.parents.copy(), self.generations.copy()
        for number in np.flatnonzero(kept):
            while above[number] >= 0 and not kept[above[number]]:
                generations[number] += self.generations[above[number]]
                above[number] = self.parents[above[number]]
        above[~kept] = -1
        return Origins(above, self.outside, generations)

    def kinds(self, first: Ints, second: Ints) -> Ints:
        """`[n]` 1 for the pairs with a policy from outside, else 0. first, second: `[n]`."""
        return (self.outside[first] | self.outside[second]).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class PayoffModel:
    """A fitted model of N policies, numbered as in `Pairs`, d = 1 + 2 K.

    vectors: `[N, d]`: strength, then x, then y. covariance: `[N, d, d]` of each policy's vector, its opponents' given.
    deviation: `[2]` tau^2 by kind of pair (`Origins.kinds`). known: `[N]` who has played. first, second, effect,
    information: `[M]` of the pairs that met, the estimate of e and the information of their games on eta.
    """

    shape: Shape
    vectors: Floats
    covariance: Floats
    deviation: Floats
    origins: Origins
    known: Bools
    first: Ints
    second: Ints
    effect: Floats
    information: Floats

    def log_odds(self) -> tuple[Floats, Floats]:
        """`[N, N]` eta of the row against the column, and its standard deviation; 0 on the diagonal.

        A pair's own games count: its deviation is shrunk from what they show by tau^2 / (tau^2 + 1 / information).
        """
        return self._log_odds

    def doubt(self) -> Floats:
        """`[N, N]` how wrong the predicted score of a pair may be: what is not known of it, and how wrong it was."""
        eta, spread = self.log_odds()
        _, slope = self.expected(eta, spread)
        return np.asarray(slope * np.hypot(spread, self._square(self.effect, -self.effect)))

    def unmet_log_odds(self, first: Ints, second: Ints) -> tuple[Floats, Floats]:
        """eta of pairs as if they had never met, and its standard deviation. first, second: `[n]`."""
        mean, one_way = self._components
        variance = one_way[first, second] + one_way[second, first] + self.deviation[self.origins.kinds(first, second)]
        return mean[first, second], np.sqrt(variance)

    def mean_score(self, weight: Floats) -> tuple[Floats, Floats]:
        """`[N]` each policy's score, averaged over opponents, and its standard deviation.

        weight: `[N, N]` of each opponent (column); rows sum to 1, or to 0 for policies without opponents. A policy's
        own vector and the upset share err in the same way against all; the opponents' vectors and the deviations err on
        their own.
        """
        (_, one_way), deviation, unsure = self._components, self._deviations(), self._unsure()
        eta, spread = self._log_odds
        score, slope = self.expected(eta, spread)
        pull = weight * slope
        along = (pull * unsure) @ self.features()
        own = np.einsum("na,nab,nb->n", along, self.covariance, along)
        apart = (pull**2 * (unsure * deviation + unsure**2 * one_way.T)).sum(1)
        upset = (weight * self.upset_error(eta)).sum(1) ** 2
        return (weight * score).sum(1), np.sqrt(own + apart + upset)

    def score(self, log_odds: Floats) -> Floats:
        """The mean result in [0, 1] at eta, the same shape."""
        upset = self.shape.upset
        return np.asarray(upset / 2.0 + (1.0 - upset) * expit(log_odds))

    def expected(self, log_odds: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """The expectation of the score over eta ~ N(log_odds, spread^2), and its derivative by log_odds.

        The logistic function averaged over a normal distribution is about itself, flattened by
        sqrt(1 + pi spread^2 / 8) (MacKay 1992, "The Evidence Framework Applied to Classification Networks", eq. 10).
        """
        flatter = 1.0 / np.sqrt(1.0 + np.pi * spread**2 / 8.0)
        share = expit(flatter * log_odds)
        return self.score(flatter * log_odds), (1.0 - self.shape.upset) * flatter * share * (1.0 - share)

    def scores(self) -> Floats:
        """`[N, N]` the expected score of the row against the column; 0.5 on the diagonal."""
        return self.expected(*self.log_odds())[0]

    def upset_error(self, log_odds: Floats) -> Floats:
        """The standard deviation of the score at eta because the upset share is not known: taken as a third of it.

        The shares that are tried are that coarse.
        """
        return np.asarray(self.shape.upset / 3.0 * np.abs(0.5 - expit(log_odds)))

    def interval(self, log_odds: Floats, spread: Floats) -> tuple[Floats, Floats, Floats]:
        """The expected score and its 95 % interval (low, high), each as `log_odds`. spread: as in `expected`."""
        middle, upset = self.score(log_odds), Z95 * self.upset_error(log_odds)
        below = np.hypot(middle - self.score(log_odds - Z95 * spread), upset)
        above = np.hypot(self.score(log_odds + Z95 * spread) - middle, upset)
        low, high = np.maximum(middle - below, 0.0), np.minimum(middle + above, 1.0)
        return self.expected(log_odds, spread)[0], low, high

    def features(self) -> Floats:
        """`[N, d]` z, so that m_ij = vector_i . z_j - theta_j."""
        return features_of(self.vectors)

    # These tables are what nearly every question needs, so they are kept with the model.
    @cached_property
    def _log_odds(self) -> tuple[Floats, Floats]:
        """What `log_odds` returns."""
        (mean, one_way), unsure = self._components, self._unsure()
        spread = np.sqrt(unsure * self._deviations() + unsure**2 * (one_way + one_way.T))
        np.fill_diagonal(spread, 0.0)
        return mean + self._square(self.effect, -self.effect), spread

    @cached_property
    def _components(self) -> tuple[Floats, Floats]:
        """`[N, N]` m, and its variance by the row's vector alone."""
        z = self.features()
        mean = self.vectors @ z.T - self.vectors[:, 0]
        mean = (mean - mean.T) / 2.0  # exactly antisymmetric
        return mean, np.einsum("iab,ja,jb->ij", self.covariance, z, z, optimize=True)

    def _deviations(self) -> Floats:
        """`[N, N]` tau^2 of each pair."""
        outside = self.origins.outside
        return np.asarray(self.deviation[(outside[:, None] | outside).astype(np.int64)])

    def _unsure(self) -> Floats:
        """`[N, N]` the share of a pair's deviation that its games leave open: 1 where two never met."""
        return np.asarray(1.0 / (1.0 + self._deviations() * self._square(self.information, self.information)))

    def _square(self, upper: Floats, lower: Floats) -> Floats:
        """`[N, N]` values `[M]` of the pairs that met; 0 elsewhere."""
        found = np.zeros((len(self.vectors), len(self.vectors)))
        found[self.first, self.second], found[self.second, self.first] = upper, lower
        return found


def features_of(vectors: Floats) -> Floats:
    """`[N, d]` z of the vectors: (1, y, -x)."""
    k = (vectors.shape[1] - 1) // 2
    return np.column_stack([np.ones(len(vectors)), vectors[:, 1 + k :], -vectors[:, 1 : 1 + k]])
