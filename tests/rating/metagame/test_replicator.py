"""Projected replicator dynamics: OpenSpiel's, known equilibria, and the floor below which no weight falls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from league.errors import RatingError
from league.rating.metagame.replicator import projected_replicator

BIASED = np.array([[0.0, -1.0, 2.0], [1.0, 0.0, -3.0], [-2.0, 3.0, 0.0]]) / 6
"""Biased rock-paper-scissors (Balduzzi et al. 2018, sec. 4), whose equilibrium is (3, 2, 1) / 6."""


def random_game(size: int, seed: int) -> np.ndarray:
    upper = np.triu(np.random.default_rng(seed).uniform(-0.5, 0.5, (size, size)), 1)
    return upper - upper.T


@pytest.mark.parametrize("floor", [0.0, 0.05, 0.6])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_it_is_that_of_openspiel(size, floor):
    pytest.importorskip("pyspiel", reason="the oracle is OpenSpiel, which no extra of the tests installs")
    from open_spiel.python.algorithms.projected_replicator_dynamics import projected_replicator_dynamics

    game = random_game(size, seed=size)
    oracle = projected_replicator_dynamics([game, game.T], prd_iterations=300, prd_dt=0.2, prd_gamma=floor / size)
    assert projected_replicator(game, floor, steps=300, step=0.2) == pytest.approx(oracle[0], abs=1e-12)


def test_the_mean_over_the_dynamics_comes_near_the_equilibrium():
    assert projected_replicator(BIASED) == pytest.approx([3 / 6, 2 / 6, 1 / 6], abs=0.03)
    assert projected_replicator(random_game(3, 1) * 0) == pytest.approx([1 / 3] * 3)


def test_whoever_beats_everybody_takes_nearly_all_and_the_others_keep_the_floor():
    chain = np.sign(np.subtract.outer(np.arange(4.0), np.arange(4.0))) / 2
    found = projected_replicator(chain, floor=0.2)
    # The others' weight at the start enters the mean, too.
    assert found == pytest.approx([0.05, 0.05, 0.05, 0.85], abs=0.01)
    assert (found[:3] > 0.05).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 12), st.integers(0, 2**32), st.floats(0, 1))
def test_weights_sum_to_one_and_none_falls_below_the_floor(size, seed, floor):
    found = projected_replicator(random_game(size, seed), floor, steps=200, step=0.5)
    assert found.sum() == pytest.approx(1)
    assert (found >= floor / size - 1e-12).all()


def test_of_nobody_there_is_no_mixture_and_a_game_must_be_antisymmetric():
    assert projected_replicator(np.zeros((0, 0))).shape == (0,)
    with pytest.raises(RatingError, match="advantages must be opposite"):
        projected_replicator(np.ones((2, 2)))
