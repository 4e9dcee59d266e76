"""Linear programs by HiGHS, with tolerances tight enough to tell which constraints bind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from league.errors import RatingError
from league.rating.ledger import Floats

TOLERANCE = 1e-9
"""HiGHS's feasibility tolerances, a hundredth of their defaults. Its smallest, 1e-10, is too close to rounding."""


@dataclass(frozen=True, slots=True)
class Solution:
    """x: `[K]` where the minimum is. value: the minimum. price: `[R]` by how much it falls per unit that the bound of
    an inequality is raised; at least 0."""

    x: Floats
    value: float
    price: Floats


def minimise(
    cost: Floats,
    upper: Floats,
    bound: Floats,
    equal: Floats,
    equal_to: Floats,
    limits: Sequence[tuple[float | None, float | None]] | None = None,
) -> Solution:
    """Minimise `cost @ x` with `upper @ x <= bound` `[R]` and `equal @ x == equal_to`.

    limits: of each variable; None: all are at least 0. Raises RatingError where the solver finds no solution.
    """
    from scipy.optimize import linprog

    found = linprog(
        cost,
        upper,
        bound,
        equal,
        equal_to,
        (0.0, None) if limits is None else list(limits),
        # Interior point with crossover: on dense games of a thousand policies several times faster than simplex.
        "highs-ipm",
        options={"primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE},
    )
    if found.status != 0 or found.fun is None:
        raise RatingError(f"a linear program of the meta-game failed: {found.message}")
    return Solution(np.asarray(found.x), found.fun, -np.asarray(found.ineqlin.marginals))
