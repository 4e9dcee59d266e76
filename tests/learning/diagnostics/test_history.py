"""Metric histories: aligned by round, with noise and correlations worked out by hand."""

from __future__ import annotations

import math

import pytest

from league.learning.diagnostics.history import LearnerFacts, change_correlation, history, noise


def test_histories_align_metrics_that_come_and_go() -> None:
    found = history(
        "m",
        LearnerFacts(("m",), {"a": 0, "b": 0}),
        [(4, {"m": {"x": 1.0}}), (5, {}), (6, {"m": {"x": math.inf, "y": 2.0}})],
    )
    assert found.curve("x")[0] == 1.0
    assert [math.isnan(value) for value in found.curve("x")] == [False, True, True]
    assert [math.isnan(value) for value in found.curve("y")] == [True, True, False]
    assert math.isnan(found.latest("z"))
    assert found.last("y", 1) == (2.0,)
    assert found.last("x", 2) == ()
    assert not found.complete
    assert found.window(1, 1).rounds == (5,)


def test_noise_and_correlation_of_changes_by_hand() -> None:
    assert noise((1.0, 2.0, 4.0, 3.0)) == 1.0
    assert change_correlation((0.0, 1.0, 0.0, 2.0), (0.0, -1.0, 0.0, -2.0)) == pytest.approx(-1.0)
    assert change_correlation((0.0, 1.0, 0.0, 2.0), (5.0, 5.0, 5.0, 5.0)) == 0.0
    # Changes 1, -1 and 1, 1 after their means 0 and 1 are taken off: 1, -1 and 0, 0.
    assert change_correlation((0.0, 1.0, 0.0), (0.0, 1.0, 2.0)) == 0.0
