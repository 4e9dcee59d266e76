"""Nash averaging: published values, hand-worked equilibria, and indifference to copies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.errors import RatingError
from league.rating.metagame.nash import nash_mixture

ROCK_PAPER_SCISSORS = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])


def antisymmetric(upper: np.ndarray) -> np.ndarray:
    return np.triu(upper, 1) - np.triu(upper, 1).T


def copied(advantage: np.ndarray, policy: int, times: int) -> np.ndarray:
    order = [*range(len(advantage)), *[policy] * times]
    return advantage[np.ix_(order, order)]


def random_game(kind: str, size: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "dense":
        return antisymmetric(rng.uniform(-0.5, 0.5, (size, size)))
    if kind == "won, drawn or lost":
        return antisymmetric(rng.integers(-1, 2, (size, size)) / 2.0)
    # Several of a field of equals beat all the others by different amounts: many equilibria.
    game = np.zeros((size, size))
    game[: size // 2, size // 2 :] = rng.uniform(-0.05, 0.5, (size // 2, size - size // 2))
    return antisymmetric(game)


KINDS = ["dense", "won, drawn or lost", "many equilibria"]


@pytest.mark.parametrize(
    ("advantage", "mixture", "values"),
    [
        # The published cases of OpenSpiel's nash_averaging_test.
        ([[0, -1, -1], [1, 0, -1], [1, 1, 0]], [0, 0, 1], [-1, -1, 0]),
        (ROCK_PAPER_SCISSORS, [1 / 3, 1 / 3, 1 / 3], [0, 0, 0]),
        (
            [[0, 234, 34, -270], [-234, 0, -38, -464], [-34, 38, 0, -270], [270, 464, 270, 0]],
            [0, 0, 0, 1],
            [-270, -464, -270, 0],
        ),
        # Balduzzi et al. 2018, sec. 4: biased rock-paper-scissors is played in inverse proportion.
        ([[0, -1, 2], [1, 0, -3], [-2, 3, 0]], [3 / 6, 2 / 6, 1 / 6], [0, 0, 0]),
        # The first two are level and beat the third: the most even mixture is half and half.
        ([[0, 0, 0.4], [0, 0, 0.1], [-0.4, -0.1, 0]], [0.5, 0.5, 0], [0, 0, -0.25]),
        # The third beats the second, which bounds how even: -0.2 x + 0.4 (1 - x) <= 0.
        ([[0, 0, 0.2], [0, 0, -0.4], [-0.2, 0.4, 0]], [2 / 3, 1 / 3, 0], [0, 0, 0]),
        (np.zeros((4, 4)), [0.25] * 4, [0] * 4),
        ([[0.0]], [1], [0]),
    ],
)
def test_known_equilibria(advantage: list, mixture: list, values: list) -> None:  # type: ignore[type-arg]
    game = np.array(advantage, dtype=np.float64)
    found = nash_mixture(game)
    assert found == pytest.approx(np.array(mixture), abs=1e-7)
    assert game @ found == pytest.approx(np.array(values, dtype=np.float64), abs=1e-6 * max(1.0, np.abs(game).max()))


@pytest.mark.parametrize("kind", KINDS)
@given(size=st.integers(2, 12), seed=st.integers(0, 10_000))
def test_nobody_gains_on_the_mixture(kind: str, size: int, seed: int) -> None:
    game = random_game(kind, size, seed)
    mixture = nash_mixture(game)
    assert mixture.min() >= 0.0
    assert mixture.sum() == pytest.approx(1.0, abs=1e-12)
    assert (game @ mixture).max() <= 1e-9


@given(size=st.integers(4, 9), seed=st.integers(0, 10_000), toward=st.integers(0, 10_000))
def test_no_other_equilibrium_is_more_even(size: int, seed: int, toward: int) -> None:
    from scipy.optimize import linprog

    game = random_game("many equilibria", size, seed)
    mixture = nash_mixture(game)
    direction = np.random.default_rng(toward).normal(size=size)
    other = linprog(direction, game, np.zeros(size), np.ones((1, size)), [1.0]).x
    between = 0.9 * mixture + 0.1 * np.maximum(other, 0.0)

    def entropy(x: np.ndarray) -> float:
        x = x[x > 0]
        return float(-(x * np.log(x)).sum())

    assert entropy(between) <= entropy(mixture) + 1e-9


@pytest.mark.parametrize("kind", KINDS)
@given(size=st.integers(2, 10), seed=st.integers(0, 10_000), which=st.integers(0, 100))
def test_ten_copies_of_a_policy_change_no_value(kind: str, size: int, seed: int, which: int) -> None:
    game = random_game(kind, size, seed)
    mixture, more = nash_mixture(game), copied(game, which % size, 10)
    with_copies = nash_mixture(more)
    assert (more @ with_copies)[:size] == pytest.approx(game @ mixture, abs=1e-6)
    # The copies share the weight of what they are copies of.
    assert with_copies[size:] == pytest.approx(np.full(10, with_copies[which % size]), abs=1e-9)


def test_a_thousand_policies() -> None:
    game = random_game("dense", 1000, 3)
    mixture = nash_mixture(game)
    assert (game @ mixture).max() <= 1e-9
    assert 400 < (mixture > 0).sum() < 600  # about half of a random game's policies are played


@pytest.mark.parametrize(
    ("advantage", "message"),
    [
        (np.zeros((2, 3)), "square"),
        (np.array([[0.0, np.nan], [np.nan, 0.0]]), "policy 0 over policy 1 is not known"),
        (np.array([[0.0, 0.2], [0.1, 0.0]]), "0 over 1 is 0.2 and that of 1 over 0 is 0.1"),
    ],
)
def test_what_is_no_game_is_refused(advantage: np.ndarray, message: str) -> None:
    with pytest.raises(RatingError, match=message):
        nash_mixture(advantage)
