"""Shapley values: worked by hand, their axioms for any coalitional game, and orders drawn instead of all."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from league.rating.mean_score import mean_interval
from league.studies.shapley import antithetic, sampled, shapley

Worth = NDArray[np.float64]


def worth_of(members: int, value: Callable[[set[int]], float]) -> Worth:
    """`[2**members]`: the value of every coalition, by its number."""
    return np.array([value({i for i in range(members) if number >> i & 1}) for number in range(1 << members)])


def chains(orders: NDArray[np.int64], worth: Worth) -> Worth:
    """`[P, n + 1]`: the worth of the first 0 … n members of each order."""
    return np.array([[worth[sum(1 << int(i) for i in order[:k])] for k in range(len(order) + 1)] for order in orders])


@st.composite
def games(draw: st.DrawFn, least: int = 1, most: int = 5) -> Worth:
    """A coalitional game of a few members; nobody need not be worth 0."""
    members = draw(st.integers(least, most))
    numbers = st.floats(-100, 100, allow_subnormal=False)
    return np.array(draw(st.lists(numbers, min_size=1 << members, max_size=1 << members)))


def test_the_glove_game():
    # Two have a left glove, one a right one; a pair is worth 1. The right one misses out only if it comes first (1/3);
    # a left one brings the pair in one order of six: right, it, left.
    worth = worth_of(3, lambda team: float(2 in team and len(team) > 1))
    assert_allclose(shapley(worth), [1 / 6, 1 / 6, 2 / 3])


def test_the_airport_game():
    # Whoever lands needs a runway of length 1, 2 or 3: each stretch is paid by those who need it, in equal parts.
    worth = worth_of(3, lambda team: float(max(team, default=-1) + 1))
    assert_allclose(shapley(worth), [1 / 3, 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 1])


def test_a_parliament():
    # Votes 4, 3, 2, 1 and a majority of 6: of the 24 orders 10, 6, 6 and 2 are decided by them (Shapley, Shubik 1954).
    votes = (4, 3, 2, 1)
    worth = worth_of(4, lambda team: float(sum(votes[i] for i in team) >= 6))
    assert_allclose(shapley(worth) * 24, [10, 6, 6, 2])


def test_nobody_and_one_alone():
    assert shapley(np.array([3.0])).shape == (0,)
    assert_allclose(shapley(np.array([3.0, 5.0])), [2.0])


@pytest.mark.parametrize("coalitions", [0, 3, 6])
def test_coalitions_of_no_number_of_members_are_refused(coalitions):
    with pytest.raises(ValueError, match="2\\*\\*n"):
        shapley(np.zeros(coalitions))


@given(games())
def test_efficiency(worth):
    assert_allclose(shapley(worth).sum(), worth[-1] - worth[0], atol=1e-9)


@given(games(2), st.data())
def test_symmetry(worth, data):
    one, other = data.draw(st.permutations(range(len(worth).bit_length() - 1)))[:2]

    def swapped(number: int) -> int:
        low, high = number >> one & 1, number >> other & 1
        return number & ~(1 << one | 1 << other) | high << one | low << other

    alike = (worth + worth[[swapped(number) for number in range(len(worth))]]) / 2
    share = shapley(alike)
    assert_allclose(share[one], share[other], atol=1e-9)


@given(games(), st.data())
def test_null_player(worth, data):
    idle = data.draw(st.integers(0, len(worth).bit_length() - 2))
    without = worth[[number & ~(1 << idle) for number in range(len(worth))]]
    assert shapley(without)[idle] == 0.0


@given(games(3, 3), games(3, 3), st.floats(-10, 10))
def test_linearity_and_many_games_at_once(first, second, factor):
    both = np.stack((first, second), 1)
    assert_allclose(shapley(both), np.stack((shapley(first), shapley(second)), 1), atol=1e-9)
    assert_allclose(shapley(first + factor * second), shapley(first) + factor * shapley(second), atol=1e-7)


@given(games(1, 4))
def test_it_is_the_mean_over_all_orders(worth):
    orders = np.array(list(permutations(range(len(worth).bit_length() - 1))))
    assert_allclose(sampled(orders, chains(orders, worth)), shapley(worth), atol=1e-9)


def test_orders_come_with_their_reverses():
    orders = antithetic(6, 10, np.random.default_rng(0))
    assert orders.shape == (10, 6)
    assert (np.sort(orders, 1) == np.arange(6)).all()
    assert (orders[1::2] == orders[::2, ::-1]).all()
    assert len(np.unique(orders[::2], axis=0)) == 5
    with pytest.raises(ValueError, match="even, not 3"):
        antithetic(6, 3, np.random.default_rng(0))


def test_drawn_orders_agree_with_all_coalitions_within_their_interval():
    rng = np.random.default_rng(5)
    worth = rng.normal(size=64).cumsum()
    pairs = [antithetic(6, 2, rng) for _ in range(400)]
    found = np.array([sampled(orders, chains(orders, worth)) for orders in pairs])
    assert_allclose(found.sum(1), worth[-1] - worth[0])
    for member, exact in enumerate(shapley(worth)):
        values = found[:, member]
        mean, low, high = mean_interval(len(values), values.sum(), np.square(values).sum())
        # Six intervals of 95 %, made half as wide again: all hold in 98 % of draws, and in this one.
        assert abs(mean - exact) < 1.5 * (high - low) / 2
        assert high - low < 1.0


def test_a_pair_tells_more_than_two_orders():
    rng = np.random.default_rng(1)
    # A convex game: the later one joins, the more it brings.
    worth = worth_of(6, lambda team: len(team) ** 2 + 0.3 * max(team, default=0))
    pairs = np.array([sampled(o, chains(o, worth)) for o in (antithetic(6, 2, rng) for _ in range(200))])
    twos = np.array(
        [sampled(o, chains(o, worth)) for o in (np.stack([rng.permutation(6) for _ in range(2)]) for _ in range(200))]
    )
    assert (pairs.std(0) < twos.std(0) / 2).all()
