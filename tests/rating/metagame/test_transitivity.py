"""Whether results are transitive: a calibrated test, bounds that hold together, and finite shares."""

from __future__ import annotations

import numpy as np
import pytest

from league.rating.metagame.transitivity import certain_advantage, chance_if_transitive, decompose_results
from league.rating.payoff import wilson


def sampled(p: np.ndarray, games: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mean results of `games` games a pair; 0.5 where none are played."""
    won = np.triu(rng.binomial(games, p), 1)
    score = np.divide(won, games, out=np.full(p.shape, 0.5), where=games > 0)
    upper = np.triu(score, 1)
    return upper + np.tril(1.0 - upper.T, -1) + 0.5 * np.eye(len(p))


def ladder(size: int, spread: float) -> np.ndarray:
    strength = np.linspace(spread, -spread, size)
    return 1.0 / (1.0 + np.exp(strength - strength[:, None]))


def equal(size: int, games: int) -> np.ndarray:
    return np.full((size, size), games) * ~np.eye(size, dtype=bool)


@pytest.mark.parametrize(("spread", "games"), [(0.5, 8), (1.5, 16), (3.0, 64), (1.0, 400)])
def test_ladders_are_rejected_as_often_as_the_test_says(spread: float, games: int) -> None:
    rng, p, played = np.random.default_rng(4), ladder(16, spread), equal(16, games)
    chances = [chance_if_transitive(sampled(p, played, rng), played) for _ in range(300)]
    # One in twenty is fifteen, give or take four.
    assert 3 <= sum(chance < 0.05 for chance in chances) <= 29
    assert 0.4 < np.mean(chances) < 0.6


def test_a_cycle_and_saturation_are_found() -> None:
    rng, played = np.random.default_rng(5), equal(12, 200)
    p = ladder(12, 1.5)
    p[0, 11], p[11, 0] = 0.4, 0.6
    assert chance_if_transitive(sampled(p, played, rng), played) < 1e-6
    saturated = 0.1 + 0.8 * ladder(12, 6.0)
    assert chance_if_transitive(sampled(saturated, played, rng), played) < 1e-6


def test_draws_vary_less_than_coins() -> None:
    # Each game is drawn with probability 0.8: without the spread the test would never reject.
    rng, size, games = np.random.default_rng(6), 14, 100
    played, chances, blind = equal(size, games), [], []
    for _ in range(200):
        wins, losses, draws = np.moveaxis(rng.multinomial(games, [0.1, 0.1, 0.8], (size, size)), 2, 0)
        upper = np.triu((wins + draws / 2) / games, 1)
        score = upper + np.tril(1.0 - upper.T, -1) + 0.5 * np.eye(size)
        chances.append(chance_if_transitive(score, played, 0.2))
        blind.append(chance_if_transitive(score, played))
        assert (wins + losses + draws == games).all()
    assert 2 <= sum(chance < 0.05 for chance in chances) <= 20
    assert min(blind) > 0.9


def test_only_pairs_that_met_count() -> None:
    played = np.zeros((6, 6), dtype=np.int64)
    for i in range(5):
        played[i, i + 1] = played[i + 1, i] = 50
    # A chain has no circle in it, so whatever its results, strengths explain them.
    assert chance_if_transitive(sampled(ladder(6, 1.0), played, np.random.default_rng(7)), played) == 1.0


def test_a_policy_that_wins_every_game_has_finite_odds() -> None:
    score = np.array([[0.5, 1.0, 1.0], [0.0, 0.5, 0.6], [0.0, 0.4, 0.5]])
    assert np.isfinite(decompose_results(score, equal(3, 20)).strength).all()
    assert np.isfinite(decompose_results(score).strength).all()
    assert chance_if_transitive(score, equal(3, 20)) > 0.05


def test_bounds_of_all_pairs_hold_together() -> None:
    score, games = np.array([[0.5, 0.8], [0.2, 0.5]]), equal(2, 50)
    # A single pair needs no correction.
    bound = certain_advantage(score, games, 0.95)
    assert bound[0, 1] == pytest.approx(wilson(40, 50)[0] - 0.5)
    assert bound[1, 0] == pytest.approx(wilson(10, 50)[0] - 0.5)
    rng, p, played = np.random.default_rng(8), ladder(10, 0.2), equal(10, 60)
    wrong = sum((certain_advantage(sampled(p, played, rng), played, 0.95) > p - 0.5).any() for _ in range(400))
    assert wrong <= 28  # at most one in twenty, give or take two deviations
