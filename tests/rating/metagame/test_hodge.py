"""The Hodge decomposition: what strengths explain, what cycles, and what is only noise."""

from __future__ import annotations

import numpy as np
import pytest

from league.errors import RatingError
from league.rating.metagame.hodge import decompose

CYCLE = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
STRENGTH = np.array([2.0, 0.0, -2.0])
LADDER = STRENGTH[:, None] - STRENGTH


def test_strengths_alone_are_transitive() -> None:
    found = decompose(LADDER)
    assert found.strength == pytest.approx(STRENGTH)
    assert (found.transitive_share, found.cyclic_share) == pytest.approx((1.0, 0.0))


def test_rock_paper_scissors_is_cyclic() -> None:
    found = decompose(CYCLE)
    assert found.strength == pytest.approx(np.zeros(3))
    assert (found.transitive_share, found.cyclic_share) == pytest.approx((0.0, 1.0))
    # With errors of 1 the sum of squares over pairs, 3, is one chi-square of 1 degree of freedom.
    assert decompose(CYCLE, noise=np.ones((3, 3))).chance == pytest.approx(0.0833, abs=1e-4)
    assert decompose(CYCLE, noise=np.zeros((3, 3))).chance == 0.0
    assert decompose(LADDER, noise=np.zeros((3, 3))).chance == pytest.approx(1.0)


def test_both_parts_are_found_in_their_sum() -> None:
    found = decompose(LADDER + CYCLE)
    assert found.transitive == pytest.approx(LADDER)
    assert found.cyclic == pytest.approx(CYCLE)
    # Sums of squares over pairs: 4 + 4 + 16 of the ladder, 1 + 1 + 1 of the cycle.
    assert found.cyclic_share == pytest.approx(3 / 27)


def test_weights_fit_by_least_squares_and_the_parts_are_orthogonal() -> None:
    rng = np.random.default_rng(2)
    flow = rng.normal(size=(7, 7))
    flow = flow - flow.T
    weight = rng.uniform(size=(7, 7))
    weight = np.where(weight + weight.T > 0.6, weight + weight.T, 0.0)
    found = decompose(np.where(weight > 0, flow, np.nan), weight)
    pairs = [(i, j) for i in range(7) for j in range(i) if weight[i, j] > 0]
    root = np.sqrt([weight[pair] for pair in pairs])
    design = np.array([np.eye(7)[i] - np.eye(7)[j] for i, j in pairs]) * root[:, None]
    strength = np.linalg.lstsq(design, root * [flow[pair] for pair in pairs])[0]
    assert found.strength == pytest.approx(strength - strength.mean())
    assert (weight * found.transitive * found.cyclic).sum() == pytest.approx(0.0, abs=1e-9)


def test_noise_is_not_taken_for_cycles() -> None:
    rng, shares, raw, chances = np.random.default_rng(9), [], [], []
    strength = rng.normal(size=12)
    for _ in range(200):
        noise = np.triu(rng.normal(0.0, 0.7, (12, 12)), 1)
        flow = strength[:, None] - strength + noise - noise.T
        raw.append(decompose(flow).cyclic_share)
        found = decompose(flow, noise=np.full((12, 12), 0.49))
        shares.append(found.cyclic_share)
        chances.append(found.chance)
    assert np.mean(raw) > 0.15
    # It cannot be negative, so that it does not average to 0 exactly.
    assert np.mean(shares) < 0.015
    # The test errs as often as it says: ten times of 200, give or take three.
    assert 4 <= sum(chance < 0.05 for chance in chances) <= 16


def test_no_variance_is_transitive() -> None:
    for size in (0, 1, 3):
        found = decompose(np.zeros((size, size)))
        assert (found.transitive_share, found.strength.tolist()) == (1.0, [0.0] * size)


def test_policies_that_no_game_connects_are_refused() -> None:
    weight = np.kron(np.eye(2), np.ones((2, 2)))
    with pytest.raises(RatingError, match="not all connected"):
        decompose(np.zeros((4, 4)), weight)
