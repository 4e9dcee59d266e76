"""A model of the whole payoff: the score of every policy against every other, also of those that never met.

Multidimensional Elo (Balduzzi et al. 2018, "Re-evaluating Evaluation", sec. 3.2, mElo_2k) with an upset share, a prior
that follows descent, and deviations of single pairs. Policy i against policy j, i, j of N:

    score_ij = u / 2 + (1 - u) / (1 + exp(-eta_ij)),    eta_ij = m_ij + e_ij,
    m_ij = theta_i - theta_j + sum over k of (x_ik y_jk - y_ik x_jk)

- theta is strength in log-odds. The K components (x, y) are the cyclic part, for which no order of strength exists.
- u is the **upset share**: how often anybody may lose to anybody, because sampled policies blunder.
- e_ij ~ N(0, tau^2) is the pair's own **deviation** from what the components say. It is what makes the interval of a
  pair that never met as wide as pairs are found to deviate, and lets a pair with many games be told by its games.
- Priors are Gaussian. A policy lies near its parent: theta_i ~ N(theta_parent, `STEP`^2), x_ik, y_ik likewise with
  `TURN`. One without a parent has theta ~ N(0, `STRENGTH`^2) and x, y ~ N(0, 1).

The parameters are those of the highest posterior, by penalised quasi-likelihood (Breslow and Clayton 1993, "Approximate
Inference in Generalized Linear Mixed Models"): the deviations are integrated out by counting n games of a pair as
n / (1 + tau^2 I), I being their information on eta (Williams 1982, "Extra-Binomial Variation in Logistic Linear
Models"), and tau^2 makes Pearson's statistic equal its degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from league.errors import RatingError
from league.rating.core import Z95
from league.rating.ledger import Bools, Floats, Ints
from league.rating.pairs import Pairs

STRENGTH = 11.5
"""Standard deviation of the strength of a policy without a parent, in log-odds (2000 Elo points)."""

STEP = 2.0
"""Standard deviation of the change in strength from a policy to its child, in log-odds."""

TURN = 0.25
"""Standard deviation of the change in a component from a policy to its child. Components are of order 1."""

DEVIATION = 0.05
"""The tau^2 that is assumed before any games, with the weight of `_ASSUMED` pairs."""

_ASSUMED = 4.0
_ROUNDS = 2
_CERTAIN = 1e-9


@dataclass(frozen=True, slots=True)
class Shape:
    """What the model has beside strength: the number of cyclic components, and the upset share in [0, 1)."""

    components: int = 0
    upset: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PayoffModel:
    """A fitted model of N policies, numbered as in `Pairs`, d = 1 + 2 K.

    vectors: `[N, d]`: strength, then x, then y. covariance: `[N, d, d]` of each policy's vector, the others' given.
    deviation: tau^2. known: `[N]` who has played. first, second, effect, information: `[M]` of the pairs that met,
    the estimate of e and the information of their games on eta.
    """

    shape: Shape
    vectors: Floats
    covariance: Floats
    deviation: float
    known: Bools
    first: Ints
    second: Ints
    effect: Floats
    information: Floats

    def log_odds(self) -> tuple[Floats, Floats]:
        """`[N, N]` eta of the row against the column, and its standard deviation; 0 on the diagonal.

        A pair's own games count: its deviation is shrunk from what they show by tau^2 / (tau^2 + 1 / information).
        """
        mean, one_way = self._components()
        unsure = self._unsure()
        spread = np.sqrt(unsure * self.deviation + unsure**2 * (one_way + one_way.T))
        np.fill_diagonal(spread, 0.0)
        return mean + self._square(self.effect, -self.effect), spread

    def doubt(self) -> Floats:
        """`[N, N]` how wrong the predicted score of a pair may be: what is not known of it, and how wrong it was."""
        eta, spread = self.log_odds()
        _, slope = self.expected(eta, spread)
        return np.asarray(slope * np.hypot(spread, self._square(self.effect, -self.effect)))

    def unmet_log_odds(self, first: Ints, second: Ints) -> tuple[Floats, Floats]:
        """eta of pairs as if they had never met, and its standard deviation. first, second: `[n]`."""
        mean, one_way = self._components()
        variance = one_way[first, second] + one_way[second, first] + self.deviation
        return mean[first, second], np.sqrt(variance)

    def mean_score(self, weight: Floats) -> tuple[Floats, Floats]:
        """`[N]` each policy's score, averaged over opponents, and its standard deviation.

        weight: `[N, N]` of each opponent (column); rows sum to 1, or to 0 for policies without opponents. A policy's
        own vector and the upset share err in the same way against all; the opponents' vectors and the deviations err on
        their own.
        """
        mean, one_way = self._components()
        unsure = self._unsure()
        eta = mean + self._square(self.effect, -self.effect)
        score, slope = self.expected(eta, np.sqrt(unsure * self.deviation + unsure**2 * (one_way + one_way.T)))
        pull = weight * slope
        along = (pull * unsure) @ self.features()
        own = np.einsum("na,nab,nb->n", along, self.covariance, along)
        apart = (pull**2 * (unsure * self.deviation + unsure**2 * one_way.T)).sum(1)
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
        """The standard deviation of the score at eta because the upset share is not known: taken as half of it."""
        return np.asarray(0.5 * self.shape.upset * np.abs(0.5 - expit(log_odds)))

    def interval(self, log_odds: Floats, spread: Floats) -> tuple[Floats, Floats, Floats]:
        """The expected score and its 95 % interval (low, high), each as `log_odds`. spread: as in `expected`."""
        middle, upset = self.score(log_odds), Z95 * self.upset_error(log_odds)
        below = np.hypot(middle - self.score(log_odds - Z95 * spread), upset)
        above = np.hypot(self.score(log_odds + Z95 * spread) - middle, upset)
        low, high = np.maximum(middle - below, 0.0), np.minimum(middle + above, 1.0)
        return self.expected(log_odds, spread)[0], low, high

    def features(self) -> Floats:
        """`[N, d]` z, so that m_ij = vector_i . z_j - theta_j."""
        return _features(self.vectors)

    def _components(self) -> tuple[Floats, Floats]:
        """`[N, N]` m, and its variance by the row's vector alone."""
        z = self.features()
        mean = self.vectors @ z.T - self.vectors[:, 0]
        mean = (mean - mean.T) / 2.0  # exactly antisymmetric
        return mean, np.einsum("iab,ja,jb->ij", self.covariance, z, z, optimize=True)

    def _unsure(self) -> Floats:
        """`[N, N]` the share of a pair's deviation that its games leave open: 1 where two never met."""
        return np.asarray(1.0 / (1.0 + self.deviation * self._square(self.information, self.information)))

    def _square(self, upper: Floats, lower: Floats) -> Floats:
        """`[N, N]` values `[M]` of the pairs that met; 0 elsewhere."""
        found = np.zeros((len(self.vectors), len(self.vectors)))
        found[self.first, self.second], found[self.second, self.first] = upper, lower
        return found


def fit(
    pairs: Pairs, parents: Ints, shape: Shape, known: PayoffModel | None = None, fresh: Ints | None = None
) -> PayoffModel:
    """Fit the model.

    parents: `[N]` number of each policy's parent, -1 for none. known: a model of the same shape, of which only the
    policies `fresh` are fitted, with the others held fixed. Raises RatingError if the fit does not converge.
    """
    return path(pairs, parents, shape, known, fresh)[-1]


def path(
    pairs: Pairs, parents: Ints, shape: Shape, known: PayoffModel | None = None, fresh: Ints | None = None
) -> list[PayoffModel]:
    """The models with 0, 1, … `shape.components` components, each grown from the one before; see `fit`.

    A new component begins at the largest cyclic part of the deviations. With `known` there is only the last model.
    """
    # Vectors of a few hundred numbers gain nothing from threads; where another job holds a core, BLAS threads that wait
    # for each other make the fit forty times slower.
    with _blas().limit(limits=1):
        return _path(_Problem(pairs, parents, shape.upset), parents, shape.components, known, fresh)


@cache
def _blas() -> ThreadpoolController:
    """The BLAS libraries that numpy and scipy have loaded."""
    return ThreadpoolController()


def _path(
    problem: _Problem, parents: Ints, most: int, known: PayoffModel | None, fresh: Ints | None
) -> list[PayoffModel]:
    """`path` with up to `most` components."""
    if known is not None:
        free = np.zeros(problem.count, dtype=bool)
        free[fresh] = True
        vectors = np.concatenate(
            [known.vectors, np.zeros((problem.count - len(known.vectors), known.vectors.shape[1]))]
        )
        for number in np.flatnonzero(free):
            if parents[number] >= 0:
                vectors[number] = vectors[parents[number]]
        return [problem.solve(vectors, known.deviation, free, rounds=1)]
    found: list[PayoffModel] = []
    vectors, deviation = problem.first_guess(), DEVIATION
    for components in range(most + 1):
        if components:
            vectors = problem.grown(vectors, found[-1].effect)
        rounds = _ROUNDS if components == most else 1
        found.append(problem.solve(vectors, deviation, np.ones(problem.count, dtype=bool), rounds))
        vectors, deviation = found[-1].vectors, found[-1].deviation
    return found


class _Problem:
    """The posterior of the parameters, given the results of the pairs. Vectors are `[N, d]` as in `PayoffModel`."""

    def __init__(self, pairs: Pairs, parents: Ints, upset: float) -> None:
        self.pairs, self.upset, self.count = pairs, upset, pairs.count
        self.games = pairs.games / pairs.spread
        rows = np.concatenate([pairs.first, pairs.second])
        columns = np.concatenate([pairs.second, pairs.first])
        self._order = np.lexsort((columns, rows))
        self._columns = columns[self._order]
        self._starts = np.append(0, np.cumsum(np.bincount(rows, minlength=self.count)))
        self._strength_prior = _descent_precision(parents, STRENGTH, STEP)
        self._component_prior = _descent_precision(parents, 1.0, TURN)

    def first_guess(self) -> Floats:
        """`[N, 1]` strengths from mean results, stretched, as wins over the weakest saturate."""
        pairs = self.pairs
        won = np.bincount(pairs.first, pairs.games * pairs.score, self.count)
        won += np.bincount(pairs.second, pairs.games * (1.0 - pairs.score), self.count)
        games = np.bincount(pairs.first, pairs.games, self.count) + np.bincount(pairs.second, pairs.games, self.count)
        share = (won + 0.5) / (games + 1.0)
        strength = 1.5 * np.log(share / (1.0 - share))
        return np.asarray((strength - strength.mean())[:, None])

    def grown(self, vectors: Floats, effect: Floats) -> Floats:
        """Vectors with one component more: the leading singular vectors of the antisymmetric `effect` `[M]`."""
        from scipy.sparse.linalg import svds

        matrix, x, y, scale = self._matrix(effect, -effect), np.zeros(self.count), np.zeros(self.count), 0.0
        if np.abs(effect).max(initial=0.0) > _CERTAIN:
            left, size, _ = svds(matrix, k=1, v0=np.linspace(0.5, 1.0, self.count))
            x, scale = left[:, 0], np.sqrt(size[0])
            y = matrix.T @ x / size[0]
        k = (vectors.shape[1] - 1) // 2
        return np.column_stack([vectors[:, : 1 + k], scale * x, vectors[:, 1 + k :], scale * y])

    def solve(self, vectors: Floats, deviation: float, free: Bools, rounds: int) -> PayoffModel:
        """The maximum from a start, with the deviations re-estimated `rounds` times. free: `[N]` who may change."""
        for _ in range(rounds):
            weight = self.games / (1.0 + deviation * self._information(vectors))
            vectors = self._maximise(vectors, weight, free) if free.any() else vectors
            deviation = self._deviation(vectors, deviation) if free.all() else deviation
        information = self._information(vectors)
        eta = self._log_odds(vectors)
        score, slope = self._score(eta)
        effect = (self.pairs.score - score) / slope * deviation * information / (1.0 + deviation * information)
        # Where a score is saturated, one linear step overshoots; no deviation is larger than a few of its own spread.
        limit = 3.0 * np.sqrt(deviation)
        return PayoffModel(
            shape=Shape((vectors.shape[1] - 1) // 2, self.upset),
            vectors=vectors,
            covariance=np.asarray(
                np.linalg.inv(self._blocks(vectors, deviation) + self._prior_blocks(vectors.shape[1]))
            ),
            deviation=deviation,
            known=np.diff(self._starts) > 0,
            first=self.pairs.first,
            second=self.pairs.second,
            effect=np.clip(effect, -limit, limit),
            information=information,
        )

    def _maximise(self, start: Floats, weight: Floats, free: Bools) -> Floats:
        """The vectors of the highest posterior, `weight` `[M]` games of each pair counting.

        Quasi-Newton steps in coordinates in which each policy's own information is the identity.
        """
        width = start.shape[1]
        blocks = self._blocks(start, 0.0, weight) + self._prior_blocks(width)
        basis = np.linalg.inv(np.linalg.cholesky(blocks[free]))
        pairs, upset = self.pairs, self.upset

        def vectors_at(point: Floats) -> Floats:
            vectors = start.copy()
            vectors[free] = np.einsum("nba,nb->na", basis, point.reshape(-1, width))
            return vectors

        def loss(point: Floats) -> tuple[float, Floats]:
            vectors = vectors_at(point)
            share = expit(self._log_odds(vectors))
            score = np.clip(upset / 2.0 + (1.0 - upset) * share, _CERTAIN, 1.0 - _CERTAIN)
            likelihood = weight @ (pairs.score * np.log(score) + (1.0 - pairs.score) * np.log1p(-score))
            pull = weight * (pairs.score - score) / (score * (1.0 - score)) * (1.0 - upset) * share * (1.0 - share)
            gradient = self._matrix(pull, -pull) @ _features(vectors)
            drag = np.column_stack([self._strength_prior @ vectors[:, :1], self._component_prior @ vectors[:, 1:]])
            gradient = gradient - drag
            value = float(likelihood - 0.5 * (vectors * drag).sum())
            return -value, -np.einsum("nab,nb->na", basis, gradient[free]).ravel()

        begin = np.linalg.solve(basis.transpose(0, 2, 1), start[free][:, :, None]).ravel()
        found = minimize(
            loss,
            begin,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 2000, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-3},
        )
        if not np.isfinite(found.x).all():
            raise RatingError("the fit of the payoff did not converge: a parameter is not finite")
        return vectors_at(found.x)

    def _deviation(self, vectors: Floats, before: float) -> float:
        """tau^2 at which Pearson's statistic equals its degrees of freedom; before: the last estimate."""
        from scipy.optimize import brentq

        eta = self._log_odds(vectors)
        score, _ = self._score(eta)
        information = self._information(vectors)
        pearson = self.games * (self.pairs.score - score) ** 2 / (score * (1.0 - score))
        data = self._blocks(vectors, before)
        fitted = np.trace(data @ np.linalg.inv(data + self._prior_blocks(vectors.shape[1])), axis1=1, axis2=2).sum()
        pairs = len(self.pairs)
        freedom = max(pairs - fitted, 0.25 * pairs) + _ASSUMED
        typical = float(information.mean()) if pairs else 1.0
        assumed = _ASSUMED * (1.0 + DEVIATION * typical)

        def excess(deviation: float) -> float:
            found = (pearson / (1.0 + deviation * information)).sum() + assumed / (1.0 + deviation * typical)
            return float(found - freedom)

        largest = 4.0
        return (
            float(brentq(excess, 0.0, largest))
            if excess(0.0) > 0.0 > excess(largest)
            else (0.0 if excess(0.0) <= 0.0 else largest)
        )

    def _log_odds(self, vectors: Floats) -> Floats:
        """`[M]` m of the pairs."""
        first, second = self.pairs.first, self.pairs.second
        return np.asarray(
            vectors[first, 0]
            - vectors[second, 0]
            + np.einsum("md,md->m", vectors[first, 1:], _features(vectors)[second, 1:])
        )

    def _score(self, eta: Floats) -> tuple[Floats, Floats]:
        """Score and slope at eta, both away from 0."""
        share = expit(eta)
        score = np.clip(self.upset / 2.0 + (1.0 - self.upset) * share, _CERTAIN, 1.0 - _CERTAIN)
        return score, np.maximum((1.0 - self.upset) * share * (1.0 - share), _CERTAIN)

    def _information(self, vectors: Floats) -> Floats:
        """`[M]` the information of a pair's games on its eta."""
        score, slope = self._score(self._log_odds(vectors))
        return np.asarray(self.games * slope**2 / (score * (1.0 - score)))

    def _blocks(self, vectors: Floats, deviation: float, weight: Floats | None = None) -> Floats:
        """`[N, d, d]` the information of the games on each policy's vector, the others' given."""
        if weight is None:
            information = self._information(vectors)
            information = information / (1.0 + deviation * information)
        else:
            score, slope = self._score(self._log_odds(vectors))
            # A lower bound keeps the coordinates of policies that win all their games from being stretched.
            information = weight * np.maximum(slope**2 / (score * (1.0 - score)), 0.02)
        z = _features(vectors)
        width = z.shape[1]
        outer = (z[:, :, None] * z[:, None, :]).reshape(-1, width * width)
        return np.asarray((self._matrix(information, information) @ outer).reshape(-1, width, width))

    def _prior_blocks(self, width: int) -> Floats:
        """`[N, d, d]` the diagonal of the prior's precision."""
        blocks = np.zeros((self.count, width, width))
        blocks[:, 0, 0] = self._strength_prior.diagonal()
        for k in range(1, width):
            blocks[:, k, k] = self._component_prior.diagonal()
        return blocks

    def _matrix(self, upper: Floats, lower: Floats) -> sparse.csr_matrix:
        """`[N, N]` values of the pairs: `upper` `[M]` at (first, second), `lower` at (second, first)."""
        data = np.concatenate([upper, lower])[self._order]
        return sparse.csr_matrix((data, self._columns, self._starts), shape=(self.count, self.count))


def _features(vectors: Floats) -> Floats:
    """`[N, d]` z of the vectors: (1, y, -x)."""
    k = (vectors.shape[1] - 1) // 2
    return np.column_stack([np.ones(len(vectors)), vectors[:, 1 + k :], -vectors[:, 1 : 1 + k]])


def _descent_precision(parents: Ints, root: float, step: float) -> sparse.csr_matrix:
    """`[N, N]` the inverse covariance of a random walk along descent. root, step: standard deviations."""
    count = len(parents)
    children = np.flatnonzero(parents >= 0)
    above = parents[children]
    weight = np.full(len(children), 1.0 / step**2)
    diagonal = np.where(parents >= 0, 1.0 / step**2, 1.0 / root**2) + np.bincount(above, weight, count)
    entries = np.concatenate([diagonal, -weight, -weight])
    rows = np.concatenate([np.arange(count), children, above])
    columns = np.concatenate([np.arange(count), above, children])
    return sparse.csr_matrix((entries, (rows, columns)), shape=(count, count))
