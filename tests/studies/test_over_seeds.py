"""Figures over seeds: Student's intervals, and the head-to-head score of two configs whose seeds are both draws."""

from __future__ import annotations

import numpy as np
import pytest

from league.studies.compare.over_seeds import OverSeeds, head_to_head

T2 = 4.302653
"""Student's t, two degrees of freedom, 0.975."""


def test_of_three_seeds_by_hand() -> None:
    found = OverSeeds.of([0.2, 0.4, 0.9])
    half = T2 * (0.13 / 3) ** 0.5
    assert found.mean == pytest.approx(0.5)
    assert (found.low, found.high) == (pytest.approx(0.5 - half), pytest.approx(0.5 + half))
    assert found.values == (0.2, 0.4, 0.9)


def test_one_seed_says_nothing_of_others() -> None:
    assert OverSeeds.of([0.7]) == OverSeeds(0.7, None, None, (0.7,))
    assert head_to_head(np.array([[0.7]])) == OverSeeds(0.7, None, None, (0.7,))


def test_head_to_head_by_hand() -> None:
    # Rows' means 0.5, 0.6, 0.7 and columns' means 0.4, 0.6, 0.8: variances 0.01 and 0.04.
    scores = np.array([[0.3, 0.5, 0.7], [0.4, 0.6, 0.8], [0.5, 0.7, 0.9]])
    found = head_to_head(scores)
    half = T2 * (0.05 / 3) ** 0.5
    assert found.mean == pytest.approx(0.6)
    assert (found.low, found.high) == (pytest.approx(0.6 - half), pytest.approx(0.6 + half))
    assert found.values == pytest.approx((0.5, 0.6, 0.7))


def test_head_to_head_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    held, trials, seeds = 0, 2000, 4
    for _ in range(trials):
        rows, columns = rng.normal(0, 0.1, (seeds, 1)), rng.normal(0, 0.1, (1, seeds))
        found = head_to_head(0.6 + rows - columns + rng.normal(0, 0.03, (seeds, seeds)))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.6 <= found.high
    assert held / trials >= 0.94
