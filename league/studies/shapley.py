"""Shapley values: what each member of a coalition adds to what it is worth, over all orders in which they may join.

Letters in shapes: n members, P orders. A coalition is a number whose bit i says whether member i is in it.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray


def shapley(worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each member's share, `[n, ...]`, of what all are worth beyond what nobody is. worth: `[2**n, ...]`, by coalition.

    phi_i(v) = sum over S without i of  |S|! (n - |S| - 1)! / n! * (v(S + i) - v(S))

    (Shapley 1953, "A Value for n-Person Games", the theorem of section 3.) The shares add up to v(all) - v(nobody)
    (efficiency), are equal for members that add the same to every coalition (symmetry), zero for one that adds nothing
    to any (null player), and linear in v: the shares of a mean over games are the means of the games' shares.
    Raises ValueError where the number of coalitions is no power of two.
    """
    coalitions = len(worth)
    members = max(coalitions.bit_length() - 1, 0)
    if coalitions != 1 << members:
        raise ValueError(f"n members form 2**n coalitions, not {coalitions}")
    number = np.arange(coalitions)
    size = sum((number >> member) & 1 for member in range(members)) + np.zeros_like(number)
    share = np.zeros((members, *worth.shape[1:]))
    for member in range(members):
        without = number[(number >> member) & 1 == 0]
        # |S|! (n - |S| - 1)! / n! in whole numbers that stay small.
        weight = np.array([1 / (members * comb(members - 1, int(others))) for others in size[without]])
        share[member] = np.tensordot(weight, worth[without | 1 << member] - worth[without], 1)
    return share


def sampled(orders: NDArray[np.int64], worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """An unbiased estimate `[n]` of the shares, from some of the orders in which members join.

    phi_i(v) ~ mean over the orders of  v(those before i, and i) - v(those before i)

    (Castro, Gomez and Tejada 2009, "Polynomial calculation of the Shapley value based on sampling", ApproShapley.)
    orders: `[P, n]`, drawn uniformly. worth: `[P, n + 1]`, of the first 0 … n members of each. In each order the shares
    add up to v(all) - v(nobody), so that they do here, too.
    """
    share = np.zeros(orders.shape[1])
    np.add.at(share, orders, np.diff(worth, axis=1))
    return share / len(orders)


def antithetic(members: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` orders of the members, `[count, members]`: drawn uniformly, and after each its reverse.

    Who joins late in the one joins early in the other, so that the errors of a pair partly cancel (antithetic variates;
    Mitchell, Cooper, Frank and Holmes 2022, "Sampling Permutations for Shapley Value Estimation"). Raises
    ValueError where the count is not even.
    """
    if count % 2:
        raise ValueError(f"orders come in pairs, so their number is even, not {count}")
    drawn = np.stack([rng.permutation(members) for _ in range(count // 2)])
    return np.stack((drawn, drawn[:, ::-1]), 1).reshape(count, members)
