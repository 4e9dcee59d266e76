"""Shapley values: each member's marginal contribution to the value of coalitions, averaged over all joining orders.

Letters in shapes: n members, P orders. A coalition is a number; bit i is set if it contains member i.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray


def shapley(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each member's share, `[n, ...]`, of v(all) - v(nobody). value: v, `[2**n, ...]`, by coalition.

    phi_i(v) = sum over S without i of  |S|! (n - |S| - 1)! / n! * (v(S + i) - v(S))

    (Shapley 1953, "A Value for n-Person Games", the theorem of section 3.) The shares add up to v(all) - v(nobody)
    (efficiency), are equal for members that add the same to every coalition (symmetry), are zero for a member that adds
    nothing to any (null player), and are linear in v: the shares of a mean over games are the means of the games'
    shares. Raises ValueError if the number of coalitions is not a power of two.
    """
    coalitions = len(value)
    members = max(coalitions.bit_length() - 1, 0)
    if coalitions != 1 << members:
        raise ValueError(f"n members form 2**n coalitions, not {coalitions}")
    number = np.arange(coalitions)
    size = sum((number >> member) & 1 for member in range(members)) + np.zeros_like(number)
    share = np.zeros((members, *value.shape[1:]))
    for member in range(members):
        without = number[(number >> member) & 1 == 0]
        # |S|! (n - |S| - 1)! / n!, computed without large factorials.
        weight = np.array([1 / (members * comb(members - 1, int(others))) for others in size[without]])
        share[member] = np.tensordot(weight, value[without | 1 << member] - value[without], 1)
    return share


def sampled(orders: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.float64]:
    """An unbiased estimate `[n]` of the shares, from a sample of the joining orders.

    phi_i(v) ~ mean over the orders of  v(members up to i) - v(members before i)

    (Castro, Gomez and Tejada 2009, "Polynomial calculation of the Shapley value based on sampling", ApproShapley.)
    orders: `[P, n]`, drawn uniformly. value: `[P, n + 1]`, of the first 0 … n members of each order. The shares add up
    to v(all) - v(nobody), as they do in each order.
    """
    share = np.zeros(orders.shape[1])
    np.add.at(share, orders, np.diff(value, axis=1))
    return share / len(orders)


def antithetic(members: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` orders of the members, `[count, members]`: each order is drawn uniformly and followed by its reverse.

    A member that joins late in one joins early in the other, so that the errors of a pair partly cancel (antithetic
    variates; Mitchell, Cooper, Frank and Holmes 2022, "Sampling Permutations for Shapley Value Estimation"). Raises
    ValueError if the count is odd.
    """
    if count % 2:
        raise ValueError(f"orders come in pairs, so their number must be even, not {count}")
    drawn = np.stack([rng.permutation(members) for _ in range(count // 2)])
    return np.stack((drawn, drawn[:, ::-1]), 1).reshape(count, members)
