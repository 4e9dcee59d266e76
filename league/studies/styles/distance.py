"""How far apart policies choose at the same positions, and which of them choose alike. Pure numbers.

Letters in shapes: N policies, R positions, A actions.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NEAR_COPY = 0.01
"""Policies that are nearer than this are near-copies: a move tells less than so many bits about which of them moved."""


def jensen_shannon(chances: Tensor) -> Tensor:
    """`[N, N, R]` float64: the Jensen-Shannon divergence of every two policies at every position, in bits, in [0, 1].

    JS(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2 with base 2 (Lin 1991, "Divergence measures based on the Shannon
    entropy"): how much one action tells about which of two policies chose it, if either is equally likely to have.
    It is 0 for equal distributions, and 1 for distributions without a common action. chances: `[N, R, A]`,
    probabilities.
    """
    chances = chances.double()
    entropy = torch.special.entr(chances).sum(2)
    mixed = torch.stack([torch.special.entr((one + chances) / 2).sum(2) for one in chances])
    bits: Tensor = (mixed - (entropy[:, None] + entropy) / 2) / math.log(2.0)
    return bits.clamp(0.0, 1.0)


def arranged(distances: NDArray[np.float64]) -> tuple[list[int], list[list[int]]]:
    """An order in which policies that play alike stand beside each other, and the groups of near-copies.

    distances: `[N, N]`, symmetric, N at least 2. The order is that of the leaves of a complete-linkage clustering, with
    the least sum of distances between neighbours (Bar-Joseph, Gifford and Jaakkola 2001, "Fast optimal leaf ordering
    for hierarchical clustering"); the first policy stands before the last. Any two of a group are near-copies; groups
    of one are left out.
    """
    from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
    from scipy.spatial.distance import squareform

    tree = linkage(squareform(distances, checks=False), "complete", optimal_ordering=True)
    order = [int(place) for place in leaves_list(tree)]
    if order.index(0) > order.index(len(order) - 1):
        order.reverse()
    member: dict[int, list[int]] = {}
    # `fcluster` joins at distances up to its threshold; near-copies are below it.
    for policy, group in enumerate(fcluster(tree, np.nextafter(NEAR_COPY, 0.0), "distance").tolist()):
        member.setdefault(group, []).append(policy)
    return order, [group for group in member.values() if len(group) > 1]
