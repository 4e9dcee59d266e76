"""How much of a payoff strengths explain: the Hodge decomposition (Jiang, Lim, Yao and Ye 2011, sec. 3).

An antisymmetric matrix Y is the sum of a transitive part, r_i - r_j for strengths r, and of a cyclic part that no
strengths explain, orthogonal to it. The strengths minimise sum_ij w_ij (Y_ij - (r_i - r_j))^2, which the graph's
Laplacian gives; on a complete graph with equal weights they are the row means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from league.errors import RatingError
from league.rating.ledger import Bools, Floats


@dataclass(frozen=True, slots=True)
class Decomposition:
    """strength: `[N]`, mean 0. transitive, cyclic: `[N, N]`, antisymmetric; they sum to the flow where it has weight.

    transitive_share, cyclic_share: of the variance of the flow; they sum to 1. With a known `noise` (`decompose`), its
    expected share of the two parts is taken off before. A flow without variance is transitive.
    chance: the probability that noise alone makes a transitive flow look at least this cyclic; None without noise.
    """

    strength: Floats
    transitive: Floats
    cyclic: Floats
    transitive_share: float
    cyclic_share: float
    chance: float | None = None


def decompose(flow: Floats, weight: Floats | None = None, noise: Floats | None = None) -> Decomposition:
    """The decomposition of an antisymmetric `flow` `[N, N]`.

    weight: `[N, N]` symmetric, at least 0; 0 where the flow is not known. None: 1 everywhere.
    noise: `[N, N]` the variance of each value's error, if errors are independent.
    Raises RatingError if the pairs with weight do not connect all policies.
    """
    from scipy.sparse.csgraph import connected_components

    size = len(flow)
    weight = np.ones((size, size)) if weight is None else weight.astype(np.float64)
    weight = weight * ~np.eye(size, dtype=bool)
    known = np.where(weight > 0, flow, 0.0)
    if connected_components(weight > 0, directed=False)[0] > 1:
        raise RatingError("the payoff cannot be decomposed: its policies are not all connected by games")
    degree = weight.sum(1)
    # The Laplacian has one direction without curvature, in which all strengths move alike; any curvature will do there.
    inverse = np.linalg.inv(np.diag(degree) - weight + max(degree.sum(), 1e-300) / max(size, 1) ** 2)
    strength = inverse @ (weight * known).sum(1)
    transitive = strength[:, None] - strength
    cyclic = np.where(weight > 0, known - transitive, 0.0)
    parts = [float((weight * part**2).sum()) for part in (transitive, cyclic)]
    if noise is not None:
        # A pair's leverage is the share of its own error that the fitted strengths take up.
        diagonal = np.diag(inverse)
        leverage = weight * (diagonal[:, None] + diagonal - 2.0 * inverse)
        errors = weight * np.where(weight > 0, noise, 0.0)
        parts = [
            max(part - float((errors * share).sum()), 0.0)
            for part, share in zip(parts, (leverage, 1.0 - leverage), strict=True)
        ]
    cyclic_share = parts[1] / sum(parts) if sum(parts) > 0 else 0.0
    chance = None if noise is None else _chance(known, weight > 0, noise)
    return Decomposition(strength, transitive, cyclic, 1.0 - cyclic_share, cyclic_share, chance)


def _chance(flow: Floats, known: Bools, noise: Floats) -> float:
    """The chi-square test of goodness of fit of the strengths that fit best, each pair weighted by its precision."""
    from scipy.special import chdtrc

    # Errors of 0, as of games whose result is always the same, must not weigh infinitely much.
    least = 1e-12 * float((flow**2).mean())
    if least == 0.0:
        return 1.0
    precision = known / np.maximum(noise, least)
    left = decompose(flow, precision).cyclic
    freedom = np.count_nonzero(precision) // 2 - len(flow) + 1
    return float(chdtrc(freedom, (precision * left**2).sum() / 2.0)) if freedom > 0 else 1.0
