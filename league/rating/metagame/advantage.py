"""The antisymmetric matrix that describes a symmetric zero-sum game, checked, and which of its policies are copies."""

from __future__ import annotations

import numpy as np

from league.errors import RatingError
from league.rating.ledger import Floats, Ints

SAME = 1e-9
"""Advantages, as a share of the largest, up to which two policies count as copies of each other."""


def checked(advantage: Floats) -> Floats:
    """The matrix `[N, N]`, made exactly antisymmetric.

    Raises RatingError where it is not square, has unknown values, or is not antisymmetric to `SAME`.
    """
    if advantage.ndim != 2 or len(set(advantage.shape)) != 1:
        raise RatingError(f"advantages must form a square matrix, not one of shape {list(advantage.shape)}")
    if not np.isfinite(advantage).all():
        i, j = np.argwhere(~np.isfinite(advantage))[0]
        raise RatingError(f"the advantage of policy {i} over policy {j} is not known")
    apart = np.abs(advantage + advantage.T)
    if apart.max(initial=0.0) > SAME * max(1.0, np.abs(advantage).max(initial=0.0)):
        i, j = np.unravel_index(apart.argmax(), apart.shape)
        raise RatingError(
            f"advantages must be opposite, but that of policy {i} over {j} is {advantage[i, j]:g} and that of {j} over "
            f"{i} is {advantage[j, i]:g}"
        )
    return (advantage - advantage.T) / 2.0


def distinct(advantage: Floats) -> tuple[Ints, Ints]:
    """The first policy of each kind `[M]`, and the place of every policy's kind among them `[N]`.

    Policies are of one kind if they have the same advantage over everybody.
    """
    tolerance = SAME * max(np.abs(advantage).max(initial=0.0), np.finfo(float).tiny)
    kind = np.full(len(advantage), -1)
    first: list[int] = []
    # Copies have equal row sums, which leaves few pairs to be compared value by value.
    sums = advantage.sum(1)
    for policy in range(len(advantage)):
        if kind[policy] >= 0:
            continue
        near = np.flatnonzero((kind < 0) & (np.abs(sums - sums[policy]) <= tolerance * len(advantage)))
        alike = np.abs(advantage[near] - advantage[policy]).max(1) <= tolerance
        kind[near[alike]] = len(first)
        first.append(policy)
    return np.array(first, dtype=np.int64), kind
