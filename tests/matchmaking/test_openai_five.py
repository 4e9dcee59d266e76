"""Quality scores: replayed from training results by the rule of OpenAI Five, and who is met by them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leagues import TAG, league, result

from league.matchmaking.openai_five import MOST, OpenAIFive, qualities, softmax
from league.records import LeagueView


def replayed(view: LeagueView, rate: float = 0.01) -> list[float]:
    return qualities(view.snapshots, view.training, view.round, rate).tolist()


def late(past: int, *training: object) -> LeagueView:
    """A league in which snapshot n joined in round n, and then trained for a while."""
    return replace(league(past=past, training=training), round=100)


def test_a_quality_falls_by_the_rate_over_the_number_and_the_probability_for_every_loss():
    # Two snapshots, p = 1/2 each: of 10 games the first lost 6 and drew 1, which counts 6.5.
    view = late(2, result("main-0", "main-0.0", 0.65, 10, round=5))
    assert replayed(view) == pytest.approx([-0.01 / (2 * 0.5) * 6.5, 0])
    # A round later p is the softmax of (-0.065, 0); the second loses 3 of 3.
    then = replace(view, training=(*view.training, result("main-0", "main-0.1", 1.0, 3, round=6)))
    chance = 1 / (1 + np.exp(-0.065))
    assert replayed(then) == pytest.approx([-0.065, -0.01 / (2 * chance) * 3])


def test_games_that_a_snapshot_wins_change_nothing():
    assert replayed(late(3, result("main-0", "main-0.1", 0.0, 1000, round=5))) == [0, 0, 0]


def test_a_new_snapshot_has_the_highest_quality_of_its_time():
    training = [result("main-0", f"main-0.{n}", 1.0, games, round=2) for n, games in ((0, 10), (1, 5))]
    # p = 1/2 each before snapshots 2 and 3 joined.
    assert replayed(late(4, *training)) == pytest.approx([-0.1, -0.05, -0.05, -0.05])


def test_the_first_snapshot_has_quality_zero():
    assert replayed(late(1)) == [0]


def test_one_round_of_many_games_moves_a_quality_by_a_bounded_step():
    assert replayed(late(2, result("main-0", "main-0.0", 1.0, 10**9, round=5))) == [-MOST, 0]


def test_results_of_this_round_or_against_others_do_not_count():
    view = late(2, result("main-0", "main-0", 0.9, 50, round=5), result("main-0", "main-0.0", 1.0, 5, round=100))
    assert replayed(view) == [0, 0]


@given(
    st.lists(st.tuples(st.integers(0, 7), st.floats(0, 1), st.integers(1, 500), st.integers(8, 50)), max_size=40),
    st.floats(1e-3, 10),
)
def test_qualities_never_rise_and_are_a_distribution(games, rate):
    view = late(8, *(result("main-0", f"main-0.{n}", score, count, round) for n, score, count, round in games))
    found = qualities(view.snapshots, view.training, view.round, rate)
    assert (found <= 0).all()
    assert softmax(found).sum() == pytest.approx(1)
    assert (found[[n for n in range(8) if all(one != n for one, *_ in games)]] == 0).all()


def test_each_table_and_role_has_qualities_of_its_own():
    training = [result("predator-0", "prey-0.0", 1.0, 10**9, round) for round in range(5, 40)]
    view = replace(league(TAG, tables=2, past=2, training=training), round=100)
    met = [Counter[str](), Counter[str]()]
    rng = np.random.default_rng(1)
    for _ in range(200):
        plan = OpenAIFive.model_validate({"self_play": 0.0}).plan(view, rng)
        for table, seated in enumerate(plan.seatings):
            for seating in seated:
                met[table].update({policy: seating.share / 200 for policy in seating.lineup if "." in policy})
    # Prey have four snapshots, of two tables; of predators nothing is known.
    assert met[0]["prey-0.0"] == pytest.approx(0, abs=0.01)
    assert met[1]["prey-0.0"] == pytest.approx(0.125, abs=0.03)
    assert met[0]["predator-0.0"] == pytest.approx(0.125, abs=0.03)


def test_four_fifths_are_self_play_unless_told_otherwise():
    (seated,) = OpenAIFive().plan(league(past=5), np.random.default_rng(0)).seatings
    assert seated[0].lineup == ("main-0", "main-0")
    assert seated[0].share == pytest.approx(0.8)
