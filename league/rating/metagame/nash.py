"""Nash averaging: everybody's score against the maximum-entropy Nash equilibrium (Balduzzi et al. 2018, sec. 4).

In a symmetric zero-sum game with advantages A, the equilibria are the mixtures x that no policy gains on:

    F = {x >= 0, sum(x) = 1, A x <= 0}

The face F is found by linear programs; the mixture of highest entropy on it by Newton's method.

Copies of a policy count as one and share its weight. Entropy alone does not see to that: where a game has several
equilibria it would move weight towards what has been copied, and with it the values of policies outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from league.errors import RatingError
from league.rating.ledger import Bools, Floats, Ints
from league.rating.metagame.advantage import checked, distinct
from league.rating.metagame.linear_program import minimise

ZERO = 1e-8
"""Up to which weights and losses count as 0, as a share of the largest advantage."""

CAP = 1e-3
"""How much one policy's weight or loss can add to the objective that looks for an inner point of the face."""


@dataclass(frozen=True, slots=True)
class Face:
    """All equilibria of a symmetric zero-sum game.

    advantage: `[N, N]`, scaled so that its largest value is 1. inner: `[N]` an equilibrium in the face's interior: it
    gives weight to everybody whom some equilibrium gives weight to, and beats everybody whom some equilibrium beats.
    support: `[N]` who has weight there; nobody can have weight and be beaten (Goldman and Tucker 1956).
    """

    advantage: Floats
    inner: Floats
    support: Bools

    def directions(self) -> Floats:
        """`[support, D]` an orthonormal basis of the directions in which weights can move within the face."""
        fixed = np.vstack([self.advantage[np.ix_(self.support, self.support)], np.ones(int(self.support.sum()))])
        _, singular, basis = np.linalg.svd(fixed)
        rank = int((singular > ZERO).sum())
        return np.ascontiguousarray(basis[rank:].T)


def nash_mixture(advantage: Floats) -> Floats:
    """The maximum-entropy Nash equilibrium `[N]` of a symmetric zero-sum game with `advantage` `[N, N]`.

    `advantage @ mixture` are everybody's values: 0 in the support of any equilibrium, negative outside.
    Raises RatingError as `checked` does, and where a solver fails.
    """
    if not len(advantage):
        return np.zeros(0)
    advantage = checked(advantage)
    first, kind = distinct(advantage)
    mixture = _most_even(equilibria(advantage[np.ix_(first, first)]))
    return mixture[kind] / np.bincount(kind)[kind]


def equilibria(advantage: Floats) -> Face:
    """All equilibria of an antisymmetric game without copies. Raises RatingError where a linear program fails."""
    scaled = advantage / (np.abs(advantage).max() or 1.0)
    size = len(scaled)
    inner = minimise(np.zeros(size), scaled, np.zeros(size), np.ones((1, size)), np.ones(1)).x
    open_ = np.flatnonzero((inner <= ZERO) & (scaled @ inner >= -ZERO))
    if len(open_):
        inner = _towards_interior(scaled, inner, open_)
    return Face(scaled, inner, inner > ZERO)


def _towards_interior(scaled: Floats, inner: Floats, undecided: Ints) -> Floats:
    """An equilibrium in the interior of the face, from one on its boundary.

    undecided: who has no weight there and yet is not beaten. Each linear program maximises their sum of
    min(weight + loss, CAP); the mean of all equilibria found decides for everybody for whom any of them does.
    """
    # Whoever is beaten by one equilibrium has no weight in any.
    columns = np.flatnonzero(scaled @ inner >= -ZERO)
    found = [inner]
    while len(undecided):
        size, extra = len(columns), len(undecided)
        loss = -scaled[:, columns]
        weight = (columns[None, :] == undecided[:, None]).astype(np.float64)
        # Variables: the weights of `columns`, then each undecided policy's share of the objective.
        upper = np.block([[-loss, np.zeros((len(scaled), extra))], [-weight - loss[undecided], np.eye(extra)]])
        solution = minimise(
            np.append(np.zeros(size), -np.ones(extra)),
            upper,
            np.zeros(len(upper)),
            np.append(np.ones(size), np.zeros(extra))[None, :],
            np.ones(1),
            [(0.0, None)] * size + [(0.0, CAP)] * extra,
        ).x
        mixture = np.zeros(len(scaled))
        mixture[columns] = solution[:size]
        decided = (mixture[undecided] > ZERO) | ((scaled @ mixture)[undecided] < -ZERO)
        if not decided.any():
            break
        found.append(mixture)
        undecided = undecided[~decided]
    middle: Floats = np.mean(found, axis=0)
    return middle


def _most_even(face: Face) -> Floats:
    """The point of highest entropy on the face `[N]`.

    Within the face, x = inner + Z z. Newton's method minimises sum(x log x) - mu sum(log(losses outside the support))
    for falling mu (Boyd and Vandenberghe 2004, sec. 11.3).
    """
    support = face.support
    basis, x = face.directions(), face.inner[support]
    mixture = np.zeros(len(support))
    if basis.shape[1]:
        outside = face.advantage[np.ix_(~support, support)]
        # Only policies whose loss depends on the point of the face can bound it.
        outside = outside[np.abs(outside @ basis).max(1) > ZERO]
        mu = 1e-2
        while mu > 1e-13:
            x = _centre(x, basis, outside, mu)
            mu *= 0.1
    else:
        fixed = np.vstack([face.advantage[np.ix_(support, support)], np.ones(len(x))])
        x = np.maximum(np.linalg.lstsq(fixed, np.append(np.zeros(len(x)), 1.0))[0], 0.0)
    mixture[support] = x / x.sum()
    return mixture


def _centre(x: Floats, basis: Floats, outside: Floats, mu: float) -> Floats:
    """Newton's method for one `mu`, from an inner point `x` `[support]`; outside: `[rows, support]`."""

    def objective(x: Floats) -> float:
        loss = -outside @ x
        if x.min() <= 0.0 or loss.min(initial=1.0) <= 0.0:
            return np.inf
        return float(x @ np.log(x) - mu * np.log(loss).sum())

    value = objective(x)
    for _ in range(100):
        pull = outside / (outside @ x)[:, None]
        gradient = basis.T @ (np.log(x) + 1.0 - mu * pull.sum(0))
        reduced = pull @ basis
        hessian = basis.T @ (basis / x[:, None]) + mu * reduced.T @ reduced
        step = -np.linalg.solve(hessian, gradient)
        decrement = float(-gradient @ step)
        if decrement <= 1e-12:
            # Too little for the objective to show; the step itself is still exact to its square.
            return x + basis @ step
        scale = 1.0
        while objective(x + scale * basis @ step) > value - 0.25 * scale * decrement and scale > 1e-9:
            scale /= 2.0
        x = x + scale * basis @ step
        value = objective(x)
    raise RatingError("Nash averaging did not converge: no mixture of highest entropy was found in 100 steps")
