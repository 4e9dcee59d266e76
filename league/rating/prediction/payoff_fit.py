"""The fit of the payoff model.

The parameters are those of the highest posterior, by penalised quasi-likelihood (Breslow and Clayton 1993, "Approximate
Inference in Generalized Linear Mixed Models"): the deviations are integrated out by counting n games of a pair as
n / (1 + tau^2 I), I being their information on eta (Williams 1982, "Extra-Binomial Variation in Logistic Linear
Models"), and tau^2 is the mean of its posterior, given Pearson's statistic.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from league.errors import RatingError
from league.rating.ledger import Floats, Ints
from league.rating.prediction.pairs import Pairs
from league.rating.prediction.payoff_model import Origins, PayoffModel, Shape, features_of

STRENGTH = 11.5
"""Standard deviation of the strength of a policy without a parent, in log-odds (2000 Elo points)."""

DEVIATION = 0.05
"""The tau^2 with which a fit begins, and the size from which on deviations are rare. Beforehand every order of
magnitude up to it is as likely: the density is proportional to exp(-tau^2 / `DEVIATION`) / tau^2."""

_TRIED = np.geomspace(1e-7, 4.0, 80)
"""The tau^2 over which its posterior is summed."""

_ROUGH, _FINE = 1e-6, 1e-9
"""Relative changes in the log-posterior at which a fit ends."""

_CERTAIN = 1e-9
_NEWTON_STEPS = 8


def fit(pairs: Pairs, origins: Origins, shape: Shape, start: PayoffModel | None = None) -> PayoffModel:
    """Fit the model. Raises RatingError if the fit does not converge.

    start: a fitted model with as many components, from which the fit begins; several times faster than anew. It may be
    of other results, and of fewer policies: the others begin at their parents.
    """
    if start is None:
        return path(pairs, origins, shape)[-1]
    with _blas().limit(limits=1):
        return _Problem(pairs, origins, shape).solve(_extended(start.vectors, origins), start.deviation, (_ROUGH,))


def path(pairs: Pairs, origins: Origins, shape: Shape) -> list[PayoffModel]:
    """The models with 0, 1, … `shape.components` components, each grown from the one before; see `fit`.

    A new component begins at the largest cyclic part of the deviations.
    """
    # Vectors of a few hundred numbers gain nothing from threads; where another job holds a core, BLAS threads that wait
    # for each other make the fit forty times slower.
    with _blas().limit(limits=1):
        return _path(_Problem(pairs, origins, shape), shape.components)


@cache
def _blas() -> ThreadpoolController:
    """The BLAS libraries that numpy and scipy have loaded."""
    return ThreadpoolController()


def _path(problem: _Problem, most: int) -> list[PayoffModel]:
    """`path` with up to `most` components."""
    found: list[PayoffModel] = []
    vectors, deviation = problem.first_guess(), np.full(2, DEVIATION)
    for components in range(most + 1):
        if components:
            vectors = problem.grown(vectors, found[-1].effect)
        # A model that only begins the next one need not be exact.
        rounds = (_ROUGH, _FINE) if components == most else (_ROUGH,)
        found.append(problem.solve(vectors, deviation, rounds))
        vectors, deviation = found[-1].vectors, found[-1].deviation
    return found


def _extended(vectors: Floats, origins: Origins) -> Floats:
    """`[N, d]` the vectors of the first policies, and for each later one its parent's; 0 without a parent."""
    known, parents = len(vectors), origins.parents
    vectors = np.concatenate([vectors, np.zeros((len(parents) - known, vectors.shape[1]))])
    for number in range(known, len(parents)):
        if parents[number] >= 0:
            vectors[number] = vectors[parents[number]]
    return vectors


class _Problem:
    """The posterior of the parameters, given the results of the pairs. Vectors are `[N, d]` as in `PayoffModel`."""

    def __init__(self, pairs: Pairs, origins: Origins, shape: Shape) -> None:
        self.pairs, self.origins, self.count = pairs, origins, pairs.count
        self.shape = shape
        self._kind = origins.kinds(pairs.first, pairs.second)
        self.games = pairs.games / pairs.spread
        rows = np.concatenate([pairs.first, pairs.second])
        columns = np.concatenate([pairs.second, pairs.first])
        self._order = np.lexsort((columns, rows))
        self._columns = columns[self._order]
        self._starts = np.append(0, np.cumsum(np.bincount(rows, minlength=self.count)))
        self._strength_prior = _descent_precision(origins, STRENGTH, shape.step)
        self._component_prior = _descent_precision(origins, 1.0, shape.turn)

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

    def solve(self, vectors: Floats, deviation: Floats, rounds: tuple[float, ...]) -> PayoffModel:
        """The maximum from a start. rounds: tolerances; tau^2 is estimated after each."""
        for tolerance in rounds:
            weight = self.games / (1.0 + deviation[self._kind] * self._information(vectors, self.games))
            vectors = self._maximise(vectors, weight, tolerance)
            deviation = self._deviation(vectors, deviation)
        effect, information = self._effects(vectors, deviation[self._kind])
        return PayoffModel(
            shape=replace(self.shape, components=(vectors.shape[1] - 1) // 2),
            vectors=vectors,
            covariance=self._covariance(self._blocks(vectors, self._shared_information(vectors, deviation))),
            deviation=deviation,
            origins=self.origins,
            known=np.diff(self._starts) > 0,
            first=self.pairs.first,
            second=self.pairs.second,
            effect=effect,
            information=information,
        )

    def _effects(self, vectors: Floats, deviation: Floats) -> tuple[Floats, Floats]:
        """`[M]` the most probable e of each pair, by Newton's method, and the information of its games there.

        deviation: `[M]` tau^2 of each pair.
        """
        eta, effect = self._log_odds(vectors), np.zeros(len(self.pairs))
        # Where a score is saturated a step can overshoot; no deviation is larger than a few of its own spread.
        limit = 3.0 * np.sqrt(deviation)
        for _ in range(_NEWTON_STEPS):
            score, slope = self._score(eta + effect)
            information = self.games * slope**2 / (score * (1.0 - score))
            pull = deviation * self.games * (self.pairs.score - score) * slope / (score * (1.0 - score)) - effect
            effect = np.clip(effect + pull / (1.0 + deviation * information), -limit, limit)
        score, slope = self._score(eta + effect)
        return effect, self.games * slope**2 / (score * (1.0 - score))

    def _maximise(self, start: Floats, weight: Floats, tolerance: float) -> Floats:
        """The vectors of the highest posterior, `weight` `[M]` games of each pair counting.

        Quasi-Newton steps in coordinates in which each policy's own information is the identity.
        """
        width = start.shape[1]
        # A lower bound keeps the coordinates of policies that win all their games from being stretched.
        information = weight * np.maximum(self._information(start, np.ones(len(weight))), 0.02)
        blocks = self._blocks(start, information) + self._prior_blocks(width)
        basis = np.linalg.inv(np.linalg.cholesky(blocks))
        pairs, upset = self.pairs, self.shape.upset

        def vectors_at(point: Floats) -> Floats:
            return np.asarray(np.einsum("nba,nb->na", basis, point.reshape(-1, width)))

        def loss(point: Floats) -> tuple[float, Floats]:
            vectors = vectors_at(point)
            share = expit(self._log_odds(vectors))
            score = np.clip(upset / 2.0 + (1.0 - upset) * share, _CERTAIN, 1.0 - _CERTAIN)
            likelihood = weight @ (pairs.score * np.log(score) + (1.0 - pairs.score) * np.log1p(-score))
            pull = weight * (pairs.score - score) / (score * (1.0 - score)) * (1.0 - upset) * share * (1.0 - share)
            gradient = self._matrix(pull, -pull) @ features_of(vectors)
            drag = np.column_stack([self._strength_prior @ vectors[:, :1], self._component_prior @ vectors[:, 1:]])
            gradient = gradient - drag
            value = float(likelihood - 0.5 * (vectors * drag).sum())
            return -value, -np.einsum("nab,nb->na", basis, gradient).ravel()

        begin = np.linalg.solve(basis.transpose(0, 2, 1), start[:, :, None]).ravel()
        found = minimize(
            loss,
            begin,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 2000, "maxcor": 20, "ftol": tolerance, "gtol": 1e-3},
        )
        if not np.isfinite(found.x).all():
            raise RatingError("the fit of the payoff did not converge: a parameter is not finite")
        return vectors_at(found.x)

    def _deviation(self, vectors: Floats, before: Floats) -> Floats:
        """`[2]` tau^2 by kind of pair; before: the last estimate."""
        score, _ = self._score(self._log_odds(vectors))
        information = self._information(vectors, self.games)
        pearson = self.games * (self.pairs.score - score) ** 2 / (score * (1.0 - score))
        data = self._blocks(vectors, self._shared_information(vectors, before))
        fitted = np.einsum("nab,nba->", data, self._covariance(data))
        # The degrees of freedom that the fit takes are shared by all pairs alike.
        left = max(1.0 - fitted / max(len(self.pairs), 1), 0.25)
        kinds = [self._kind == kind for kind in range(2)]
        return np.array([_excess_variance(pearson[here], information[here], left) for here in kinds])

    def _log_odds(self, vectors: Floats) -> Floats:
        """`[M]` m of the pairs."""
        first, second = self.pairs.first, self.pairs.second
        return np.asarray(
            vectors[first, 0]
            - vectors[second, 0]
            + np.einsum("md,md->m", vectors[first, 1:], features_of(vectors)[second, 1:])
        )

    def _score(self, eta: Floats) -> tuple[Floats, Floats]:
        """Score and slope at eta, both away from 0."""
        share = expit(eta)
        score = np.clip(self.shape.upset / 2.0 + (1.0 - self.shape.upset) * share, _CERTAIN, 1.0 - _CERTAIN)
        return score, np.maximum((1.0 - self.shape.upset) * share * (1.0 - share), _CERTAIN)

    def _information(self, vectors: Floats, games: Floats) -> Floats:
        """`[M]` the information of so many `games` `[M]` of each pair on its eta."""
        score, slope = self._score(self._log_odds(vectors))
        return np.asarray(games * slope**2 / (score * (1.0 - score)))

    def _shared_information(self, vectors: Floats, deviation: Floats) -> Floats:
        """`[M]` the information of a pair's games on m, of which its deviation takes a part. deviation: `[2]` tau^2."""
        information = self._information(vectors, self.games)
        return information / (1.0 + deviation[self._kind] * information)

    def _blocks(self, vectors: Floats, information: Floats) -> Floats:
        """`[N, d, d]` the information on each policy's vector, the others' given. information: `[M]` of the pairs."""
        z = features_of(vectors)
        width = z.shape[1]
        outer = (z[:, :, None] * z[:, None, :]).reshape(-1, width * width)
        return np.asarray((self._matrix(information, information) @ outer).reshape(-1, width, width))

    def _covariance(self, data: Floats) -> Floats:
        """`[N, d, d]` of each policy's vector, its opponents' given and its relatives' not.

        data: `[N, d, d]` the games' information on each vector. Descent is a tree, so two passes are exact (Pearl 1988,
        "Probabilistic Reasoning in Intelligent Systems", sec. 7.2): towards the roots, what is known of a policy's
        descendants is added to what its own games say; back from them, a policy varies with its parent, and beyond it.
        """
        parents, width = self.origins.parents, data.shape[1]
        closeness = np.r_[self.shape.step, np.full(width - 1, self.shape.turn)] ** -2.0
        links = np.eye(width) * closeness / self.origins.generations[:, None, None]
        precision = data + self._prior_blocks(width)
        found, children = np.empty_like(data), _parents_first(parents)
        found[:] = np.linalg.inv(precision)
        for number in reversed(children):
            above = parents[number]
            precision[above] -= links[number] @ found[number] @ links[number]
            found[above] = np.linalg.inv(precision[above])
        for number in children:
            follows = found[number] @ links[number]
            found[number] += follows @ found[parents[number]] @ follows.T
        return found

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


def _descent_precision(origins: Origins, root: float, step: float) -> sparse.csr_matrix:
    """`[N, N]` the inverse covariance of a random walk along descent.

    root, step: standard deviations, of a policy without a parent and of the change in one generation.
    """
    parents, count = origins.parents, len(origins.parents)
    children = np.flatnonzero(parents >= 0)
    above, link = parents[children], 1.0 / (step**2 * origins.generations[children])
    diagonal = np.full(count, root**-2.0)
    diagonal[children] = link
    diagonal += np.bincount(above, link, count)
    entries = np.concatenate([diagonal, -link, -link])
    rows = np.concatenate([np.arange(count), children, above])
    columns = np.concatenate([np.arange(count), above, children])
    return sparse.csr_matrix((entries, (rows, columns)), shape=(count, count))


def _parents_first(parents: Ints) -> list[int]:
    """The policies with a parent, each after its parent. parents: `[N]`, -1 for none."""
    depth, above = np.zeros(len(parents), dtype=np.int64), parents
    while (above >= 0).any():
        depth += above >= 0
        above = np.where(above >= 0, parents[above], -1)
    order = np.argsort(depth, kind="stable")
    return [number for number in order.tolist() if parents[number] >= 0]


def _excess_variance(pearson: Floats, information: Floats, left: float) -> float:
    """The posterior mean of tau^2, given the terms of Pearson's statistic of n pairs.

    A residual has the variance 1 + tau^2 information, of which the fit has left a share (restricted likelihood). Games
    tell tau^2 so roughly that its most likely value is often 0; with its mean, intervals hold as often as they claim.
    pearson, information: `[n]`; left: the share of the degrees of freedom.
    """
    widened = 1.0 + _TRIED[:, None] * information
    log_density = -0.5 * (left * np.log(widened) + pearson / widened).sum(1) - _TRIED / DEVIATION
    weight = np.exp(log_density - log_density.max())
    return float(weight @ _TRIED / weight.sum())
