"""Deviation ratings: hand-worked games, the reduction for symmetric zero-sum games, and indifference to copies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from league.rating.metagame.deviation import deviation_ratings, symmetric_deviation_ratings
from league.rating.metagame.nash import nash_mixture


def random_game(kind: str, size: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "dense":
        game = rng.uniform(-0.5, 0.5, (size, size))
    elif kind == "won, drawn or lost":
        game = rng.integers(-1, 2, (size, size)) / 2.0
    else:
        game = np.zeros((size, size))
        game[:2, 2:] = rng.uniform(-0.1, 0.5, (2, size - 2))
    return np.triu(game, 1) - np.triu(game, 1).T


KINDS = ["dense", "won, drawn or lost", "many equilibria"]


def test_a_dilemma_is_rated_by_what_cooperating_alone_would_cost() -> None:
    # Both defect in the only equilibrium, for 1 each; whoever cooperated would get 0.
    payoff = np.array([[3.0, 0.0], [5.0, 1.0]])
    for ratings in deviation_ratings([payoff, payoff.T]):
        assert ratings == pytest.approx(np.array([-1.0, 0.0]), abs=1e-9)


def test_coordination_is_rated_by_the_equilibrium_that_is_hardest_to_leave() -> None:
    # Half the time both choose 0, half the time both 1: sticking to either loses half of the games.
    same = np.eye(2)
    for ratings in deviation_ratings([same, same]):
        assert ratings == pytest.approx(np.array([-0.5, -0.5]), abs=1e-9)


def test_games_of_three_players() -> None:
    agree = np.zeros((2, 2, 2))
    agree[0, 0, 0] = agree[1, 1, 1] = 1.0
    for ratings in deviation_ratings([agree, agree, agree]):
        assert ratings == pytest.approx(np.array([-0.5, -0.5]), abs=1e-9)


def test_offsets_by_what_the_others_choose_make_no_difference() -> None:
    rng = np.random.default_rng(4)
    rows, columns = rng.normal(size=(2, 3, 3))
    moved = deviation_ratings([rows + rng.normal(size=3), columns + rng.normal(size=(3, 1))])
    for one, other in zip(deviation_ratings([rows, columns]), moved, strict=True):
        assert one == pytest.approx(other, abs=1e-8)


def test_of_several_equilibria_the_strictest_counts() -> None:
    # Both of the first two are safe. Only the first makes the third lose 0.4; Nash averaging plays both.
    game = np.array([[0, 0, 0.4], [0, 0, 0.1], [-0.4, -0.1, 0]])
    assert symmetric_deviation_ratings(game) == pytest.approx(np.array([0.0, 0.0, -0.4]), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(size=st.integers(3, 6), seed=st.integers(0, 10_000))
def test_the_symmetric_zero_sum_case_equals_the_definition(kind: str, size: int, seed: int) -> None:
    game = random_game(kind, size, seed)
    rows, columns = deviation_ratings([game, -game])
    found = symmetric_deviation_ratings(game)
    assert found == pytest.approx(rows, abs=1e-7)
    assert found == pytest.approx(columns, abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@given(size=st.integers(3, 9), seed=st.integers(0, 10_000), which=st.integers(0, 100))
def test_ten_copies_of_a_policy_change_no_rating(kind: str, size: int, seed: int, which: int) -> None:
    game = random_game(kind, size, seed)
    order = [*range(size), *[which % size] * 10]
    before = symmetric_deviation_ratings(game)
    assert symmetric_deviation_ratings(game[np.ix_(order, order)]) == pytest.approx(before[order], abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_ten_copies_change_no_rating_of_the_definition_either(kind: str) -> None:
    game = random_game(kind, 4, 7)
    order = [0, 1, 2, 3, *[1] * 10]
    more = game[np.ix_(order, order)]
    for before, after in zip(deviation_ratings([game, -game]), deviation_ratings([more, -more]), strict=True):
        assert after == pytest.approx(before[order], abs=1e-6)


def test_with_one_equilibrium_they_are_the_values_of_nash_averaging() -> None:
    game = random_game("dense", 200, 5)
    assert symmetric_deviation_ratings(game) == pytest.approx(game @ nash_mixture(game), abs=1e-9)


def test_a_large_game_with_many_equilibria() -> None:
    game = np.zeros((400, 400))
    game[:10, 10:] = np.random.default_rng(6).uniform(-0.01, 0.5, (10, 390))
    game -= game.T
    ratings = symmetric_deviation_ratings(game)
    assert ratings[:10] == pytest.approx(np.zeros(10), abs=1e-12)
    assert -0.5 < ratings[10:].min() < ratings[10:].max() <= 0.0
    # No equilibrium lets the best of the beaten lose more.
    assert ratings[10:].max() <= (game @ nash_mixture(game))[10:].max() + 1e-9
