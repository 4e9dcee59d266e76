"""Deviation ratings (Marris et al. 2025, arXiv:2502.11645): what one loses by insisting on a policy.

A coarse correlated equilibrium is a distribution sigma over joint choices that nobody gains by leaving for a fixed
policy. The deviation gain of player p's policy a' is

    delta_p(a') = sum_a sigma(a) (G_p(a', a_-p) - G_p(a))

Among all sigma, the one is taken that minimises the largest gain, then the next largest, and so on; the gains are the
ratings. They are at most 0, unique, and do not change when a policy is copied.

One linear program a level. At each, the gains are fixed whose constraint has a dual price: they are as large in every
solution, whichever the solver returned. Where it could have priced others, these come at the next level, with the same
value. So ratings do not depend on how the solver breaks ties.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from league.errors import RatingError
from league.rating.ledger import Bools, Floats
from league.rating.metagame.advantage import checked, distinct
from league.rating.metagame.linear_program import Solution, minimise
from league.rating.metagame.nash import ZERO, equilibria


def deviation_ratings(payoffs: Sequence[Floats]) -> list[Floats]:
    """The ratings of each player's policies in a game of P players, in the payoffs' unit.

    payoffs: by player, `[A1, ..., AP]` by the choices of all. The linear programs have a variable for each joint
    choice, so this is for small games. Raises RatingError where a solver fails.
    """
    rows = np.concatenate(
        [
            np.stack([(np.take(payoff, [choice], player) - payoff).ravel() for choice in range(payoff.shape[player])])
            for player, payoff in enumerate(payoffs)
        ]
    )
    scale = np.abs(rows).max() or 1.0
    gains, _ = _least_gains(rows / scale, np.ones((1, rows.shape[1])), np.ones(1))
    ends = np.cumsum([payoff.shape[player] for player, payoff in enumerate(payoffs)])
    return np.split(gains * scale, ends[:-1])


def symmetric_deviation_ratings(advantage: Floats) -> Floats:
    """The ratings `[N]` in a symmetric zero-sum game with `advantage` `[N, N]`, the same for both players.

    Here gains depend on sigma only by its marginals x, y and the first player's payoff v: they are A y - v and A x + v.
    None is above 0 only if v is 0 and both marginals are Nash equilibria, and then x and y can be chosen apart. So the
    ratings are A y for the `strictest_equilibrium` y. If there is only one equilibrium they are the values of Nash
    averaging. Raises RatingError as `checked` does, and where a solver fails.
    """
    return advantage @ strictest_equilibrium(advantage)


def strictest_equilibrium(advantage: Floats) -> Floats:
    """The Nash equilibrium `[N]` against which everybody loses most: lexicographically, the most successful first.

    Where several do not differ in that, it is one of them. Copies share their weight. Raises RatingError.
    """
    if not len(advantage):
        return np.zeros(0)
    advantage = checked(advantage)
    first, kind = distinct(advantage)
    face = equilibria(advantage[np.ix_(first, first)])
    mixture, columns = face.inner, face.advantage[:, face.support]
    open_ = ~face.support & (np.abs(columns @ face.directions()).max(1, initial=0.0) > ZERO)
    if open_.any():
        size = columns.shape[1]
        equal = np.vstack([columns[face.support], np.ones(size)])
        _, weight = _least_gains(columns[open_], equal, np.append(np.zeros(size), 1.0), columns[~open_])
        mixture = np.zeros(len(first))
        mixture[face.support] = np.maximum(weight, 0.0) / np.maximum(weight, 0.0).sum()
    return mixture[kind] / np.bincount(kind)[kind]


def _least_gains(rows: Floats, equal: Floats, equal_to: Floats, no_gain: Floats | None = None) -> tuple[Floats, Floats]:
    """The gains `rows @ sigma` `[R]`, lexicographically least from the largest on, and a sigma `[K]` that has them.

    sigma is at least 0, with `equal @ sigma == equal_to`. no_gain: `[_, K]` further rows that must not exceed 0.
    """
    gains = np.zeros(len(rows))
    fixed = np.zeros(len(rows), dtype=bool)
    while True:
        found = _least_largest(rows, gains, fixed, equal, equal_to, no_gain)
        priced = ~fixed & (found.price[: len(rows)] > 1e-7)
        if not priced.any():
            raise RatingError("deviation ratings failed: no gain has a dual price")
        gains[priced] = found.value
        fixed |= priced
        sigma = found.x[:-1]
        if not _open(rows[~fixed], np.vstack([equal, rows[fixed]])):
            gains[~fixed] = rows[~fixed] @ sigma
            return gains, sigma


def _open(rows: Floats, fixed: Floats) -> bool:
    """Whether any of `rows @ sigma` `[R]` can still change where `fixed @ sigma` cannot."""
    _, singular, basis = np.linalg.svd(fixed)
    free = basis[int((singular > ZERO).sum()) :]
    return bool(np.abs(rows @ free.T).max(initial=0.0) > ZERO)


def _least_largest(
    rows: Floats, gains: Floats, fixed: Bools, equal: Floats, equal_to: Floats, no_gain: Floats | None
) -> Solution:
    """The least possible largest gain among those not fixed; it is the last variable, and the gains have prices."""
    upper = np.hstack([rows, -1.0 * ~fixed[:, None]])
    bound = np.where(fixed, gains, 0.0)
    if no_gain is not None:
        upper = np.vstack([upper, np.hstack([no_gain, np.zeros((len(no_gain), 1))])])
        bound = np.append(bound, np.zeros(len(no_gain)))
    size = rows.shape[1]
    return minimise(
        np.append(np.zeros(size), 1.0),
        upper,
        bound,
        np.hstack([equal, np.zeros((len(equal), 1))]),
        equal_to,
        [(0.0, None)] * size + [(None, None)],
    )
