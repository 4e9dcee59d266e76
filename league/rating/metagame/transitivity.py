"""What the results between pairs of policies say about transitivity: shares, a test, and which edges are certain."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from league.errors import RatingError
from league.rating.ledger import Floats
from league.rating.metagame.hodge import Decomposition, decompose
from league.rating.payoff import wilson_bounds

PRIOR = 10.0
"""Standard deviation of the prior of strengths in log-odds, which keeps those finite that win every game."""

UPSETS = 1.0
"""The least expected number of wins of the weaker of a pair from which on the pair is tested: with fewer, a single
result outweighs all others."""

MAX_STEPS = 100
"""Newton steps before a fit of strengths is given up; ten are usual."""


def decompose_results(score: Floats, games: Floats | None = None) -> Decomposition:
    """The Hodge decomposition of the log-odds of mean results.

    score: `[N, N]` in [0, 1]; `score + score.T` is 1. games: `[N, N]` how many each is the mean of, 0 where two have
    not met; None: scores are exact. Each pair has the weight of the information in a game at its odds. What sampling
    adds is taken off the shares; half a win is added to either side, so that odds are finite.
    """
    if games is None:
        score = np.clip(score, 1e-9, 1.0 - 1e-9)
        return decompose(np.log(score / (1.0 - score)), score * (1.0 - score))
    score = (score * games + 0.5) / (games + 1.0)
    information = score * (1.0 - score)
    return decompose(np.log(score / (1.0 - score)), information * (games > 0), 1.0 / ((games + 1.0) * information))


def chance_if_transitive(score: Floats, games: Floats, spread: float = 1.0) -> float:
    """The probability that sampling alone makes scores deviate so much from what strengths (Bradley-Terry) explain.

    Pearson's statistic, the sum over pairs of games (score - p)^2 / (p (1 - p) spread), is compared with the gamma
    distribution of its mean and variance; with many games a pair this is the chi-square test.

    score, games: `[N, N]` as in `decompose_results`. spread: the variance of one
    game's result as a share of a coin's (`Pairs.spread`). Raises RatingError where the fit of strengths fails.
    """
    from scipy.sparse.csgraph import connected_components
    from scipy.special import gammaincc

    strength = _strengths(score, games)
    p = _logistic(strength[:, None] - strength)
    tested = np.triu(games * np.minimum(p, 1.0 - p) >= UPSETS, 1)
    parts, _ = connected_components(tested, directed=False)
    freedom = int(np.count_nonzero(tested)) - (len(score) - int(parts))
    if freedom <= 0:
        return 1.0
    n, coin = games[tested], (p * (1.0 - p))[tested]
    statistic = float((n * (score - p)[tested] ** 2 / coin).sum()) / spread
    # Of a single pair the variance is that of a squared standardised binomial.
    variance = float((2.0 + (1.0 / coin - 6.0) / n).mean()) * freedom
    if variance <= 0.0:
        return 1.0
    return float(gammaincc(freedom * freedom / variance, statistic * freedom / variance))


def certain_advantage(score: Floats, games: Floats, confidence: float) -> Floats:
    """`[N, N]` lower bounds of scores less 1/2, all of which hold together with this confidence (Bonferroni).

    score, games: as in `decompose_results`. 0 where two have not met.
    """
    pairs = int(np.count_nonzero(games)) // 2
    # Each pair has a bound either way.
    deviations = NormalDist().inv_cdf(1.0 - (1.0 - confidence) / max(2 * pairs, 1))
    low, _ = wilson_bounds(score, np.maximum(games, 1.0), deviations)
    bound: Floats = np.where(games > 0, low - 0.5, 0.0)
    return bound


def _strengths(score: Floats, games: Floats) -> Floats:
    """`[N]` the strengths in log-odds of highest posterior, by Newton's method."""
    strength = np.zeros(len(score))
    won = np.where(games > 0, score * games, 0.0).sum(1)
    for _ in range(MAX_STEPS):
        p = _logistic(strength[:, None] - strength)
        slope = won - (games * p).sum(1) - strength / PRIOR**2
        weight = games * p * (1.0 - p)
        curvature = np.diag(weight.sum(1) + 1.0 / PRIOR**2) - weight
        # Far from the maximum a full step can overshoot.
        step = np.clip(np.linalg.solve(curvature, slope), -1.0, 1.0)
        strength = strength + step
        if np.abs(step).max(initial=0.0) < 1e-8:
            return np.asarray(strength)
    raise RatingError(f"the fit of strengths did not converge in {MAX_STEPS} steps")


def _logistic(gap: Floats) -> Floats:
    p: Floats = 0.5 * (1.0 + np.tanh(0.5 * gap))
    return p
