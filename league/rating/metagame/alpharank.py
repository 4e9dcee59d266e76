"""Alpha-rank: how often a population that keeps adopting better policies holds each (Omidshafiei et al. 2019).

A population of m holds one policy s. A mutant r appears, all others being equally likely, and takes over with the
fixation probability of the pairwise Fermi process,

    rho(u) = (1 - exp(-u)) / (1 - exp(-m u)),  u = alpha (payoff[r, s] - payoff[s, r]),  rho(0) = 1 / m

which is the paper's single population with local selection. The rank of a policy is its mass in the stationary
distribution of this Markov chain. As alpha grows, rho becomes 1 for better mutants, 1 / m for equal ones and 0 for
worse ones. Of any two policies at least one replaces the other, so that in the limit a single class is never left.
"""

from __future__ import annotations

import numpy as np

from league.errors import RatingError
from league.rating.ledger import Bools, Floats, Ints

EQUAL = 1e-9
"""Differences in payoff up to which a mutant counts as equal in the limit."""


def alpha_rank(payoff: Floats, alpha: float | None = None, population: int = 50) -> Floats:
    """The mass `[N]` of every policy, which sums to 1.

    payoff: `[N, N]` the row's payoff against the column, of any scale. alpha: the intensity of selection; None: its
    limit at infinity. population: m. Raises RatingError where a payoff is not known.
    """
    if not np.isfinite(payoff).all():
        i, j = np.argwhere(~np.isfinite(payoff))[0]
        raise RatingError(f"the payoff of policy {i} against policy {j} is not known")
    gain = (payoff - payoff.T).T  # [s, r]: what r gains on s
    if alpha is not None:
        return _stationary(_log_fixation(alpha * gain, population))
    with np.errstate(divide="ignore"):
        rate = np.log(np.select([gain > EQUAL, gain >= -EQUAL], [1.0, 1.0 / population], 0.0))
    mass = np.zeros(len(payoff))
    kept = _never_left(rate > -np.inf)
    mass[kept] = _stationary(rate[np.ix_(kept, kept)])
    return mass


def _log_fixation(u: Floats, population: int) -> Floats:
    """log rho(u), also where rho underflows: rho(-u) = rho(u) exp(-(m - 1) u)."""
    size = np.abs(u)
    with np.errstate(divide="ignore", invalid="ignore"):
        up = np.log(-np.expm1(-size)) - np.log(-np.expm1(-population * size))
    fixation: Floats = np.where(size > 0, up, -np.log(population)) + (population - 1) * np.minimum(u, 0.0)
    return fixation


def _never_left(moves: Bools) -> Ints:
    """The members of the one class that the chain with these moves `[N, N]` never leaves."""
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(moves, directed=True, connection="strong")
    left = np.zeros(count, dtype=bool)
    left[label[(moves & (label[:, None] != label)).any(1)]] = True
    return np.flatnonzero(~left[label])


def _stationary(log_rate: Floats) -> Floats:
    """The stationary distribution `[N]` of an irreducible chain with the logarithms of its rates `[N, N]`.

    State reduction (Grassmann, Taksar and Heyman 1985): nothing is subtracted, so that masses are exact to rounding
    even if rates differ by thousands of orders of magnitude. The diagonal is not read.
    """
    rate, size = log_rate.copy(), len(log_rate)
    for last in range(size - 1, 0, -1):
        rate[:last, last] -= np.logaddexp.reduce(rate[last, :last])
        rate[:last, :last] = np.logaddexp(rate[:last, :last], rate[:last, last, None] + rate[last, :last])
    mass = np.zeros(size)
    for state in range(1, size):
        mass[state] = np.logaddexp.reduce(mass[:state] + rate[:state, state])
    mass = np.exp(mass - mass.max())
    normalised: Floats = mass / mass.sum()
    return normalised
