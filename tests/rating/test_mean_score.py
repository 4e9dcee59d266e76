"""Mean score: the mean and Student's interval, over all posts and rows of a policy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import row

from league.rating.ledger import Ledger
from league.rating.mean_score import MeanScore, mean_interval
from league.records import MatchResult

RANDOM = frozenset({"random"})


def _alone(policy: str, *scores: float) -> MatchResult:
    return row(policy, placements={(0,): len(scores)}, scores=(sum(scores),), squares=(sum(s * s for s in scores),))


def test_the_interval_is_students() -> None:
    # 1..5: mean 3, standard error sqrt(2.5 / 5), t(4, 0.975) = 2.776445.
    assert mean_interval(5, 15.0, 55.0) == pytest.approx(
        (3.0, 3 - 2.776445 * math.sqrt(0.5), 3 + 2.776445 * math.sqrt(0.5))
    )


def test_rows_add_up() -> None:
    rating = MeanScore().rate(Ledger([_alone("a", 1.0, 2.0), _alone("a", 3.0, 4.0, 5.0)]), RANDOM)["a"]
    assert rating.value == pytest.approx(3.0)
    assert rating.games == 5
    assert rating.low == pytest.approx(3 - 2.776445 * math.sqrt(0.5))


def test_anchors_are_rated_like_all_others_in_the_games_own_unit() -> None:
    ratings = MeanScore().rate(Ledger([_alone("random", -20.0, -22.0), _alone("a", -5.0, -7.0)]), RANDOM)
    assert ratings["random"].value == -21.0
    assert ratings["a"].value == -6.0


def test_companions_share_a_row_and_keep_their_own_scores() -> None:
    both = row("speaker listener", placements={(0,): 2}, scores=(4.0, 10.0), squares=(8.0, 52.0))
    ratings = MeanScore().rate(Ledger([both]), RANDOM)
    assert (ratings["speaker"].value, ratings["listener"].value) == (2.0, 5.0)
    assert ratings["speaker"].low == ratings["speaker"].high == 2.0
    assert ratings["listener"].low < 5.0 < ratings["listener"].high


def test_one_episode_says_nothing_of_the_spread() -> None:
    rating = MeanScore().rate(Ledger([_alone("a", 3.0)]), RANDOM)["a"]
    assert (rating.value, rating.low, rating.high) == (3.0, -math.inf, math.inf)


def test_equal_scores_have_no_spread_whatever_the_rounding() -> None:
    rating = MeanScore().rate(Ledger([_alone("a", *[0.1] * 30)]), RANDOM)["a"]
    assert rating.low == pytest.approx(0.1) == rating.high


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    samples = np.random.default_rng(0).normal(3.0, 2.0, (2000, 6))
    ends = [mean_interval(6, float(s.sum()), float((s * s).sum())) for s in samples]
    assert np.mean([low <= 3.0 <= high for _, low, high in ends]) == pytest.approx(0.95, abs=0.015)
