"""Prioritised fictitious self-play: win rates from training results, the four weightings, and who is met."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leagues import BOARD, SPEAKERS, TAG, THREE, league, result

from league.matchmaking.core import versus
from league.matchmaking.pfsp import PFSP, pfsp_weights
from league.matchmaking.win_rates import WinRates
from league.records import LeagueView

WEIGHTINGS = ("squared", "linear", "linear_capped", "variance")
rates = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)


@pytest.mark.parametrize(
    ("weighting", "weights"),
    # Of the win rates 1, 0.75, 0.5 and 0.
    [
        ("squared", [0, 1 / 16, 4 / 16, 16 / 16]),
        ("linear", [0, 0.25, 0.5, 1]),
        ("linear_capped", [0, 0.25, 0.5, 0.5]),
        ("variance", [0, 0.1875, 0.25, 0]),
    ],
)
def test_weights_by_hand(weighting, weights):
    found = pfsp_weights(np.array([1, 0.75, 0.5, 0.0]), weighting)
    assert found == pytest.approx(np.array(weights) / sum(weights))


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_where_every_weight_vanishes_all_are_equally_likely(weighting):
    assert pfsp_weights(np.ones(4), weighting) == pytest.approx(np.full(4, 0.25))
    if weighting == "variance":
        assert pfsp_weights(np.zeros(5), weighting) == pytest.approx(np.full(5, 0.2))


@given(rates, st.sampled_from(WEIGHTINGS))
def test_probabilities_sum_to_one_and_depend_on_the_win_rate_alone(win_rates, weighting):
    found = pfsp_weights(win_rates, weighting)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    order = np.argsort(win_rates)
    assert pfsp_weights(win_rates[order], weighting) == pytest.approx(found[order])


@given(rates, st.sampled_from(["squared", "linear", "linear_capped"]))
def test_whoever_is_harder_to_beat_is_met_at_least_as_often(win_rates, weighting):
    found = pfsp_weights(np.sort(win_rates), weighting)
    # Where all weights vanish but for rounding, they are equal.
    assert (np.diff(found) <= 1e-12).all()


def test_win_rates_count_draws_half_and_every_round_by_its_age():
    # Draws are in the score: of 4 games 2 won, 1 drawn, 1 lost is 2.5 / 4.
    training = [result("main-0", "main-0.1", 2.5 / 4, 4, round=10), result("main-0", "main-0.1", 0.0, 8, round=5)]
    view = replace(league(past=3, training=training), round=10)
    found = WinRates.of(view, half_life=5).against(0, ["main-0.1"])
    # The older 8 games count 4; one drawn game is added: (2.5 + 0 + 0.5) / (4 + 4 + 1).
    assert found == pytest.approx([3 / 9])


def test_unseen_pairs_are_even_and_so_are_pairs_whose_results_have_faded():
    view = league(past=3, training=[result("main-0", "main-0.1", 1.0, 1000)])
    assert WinRates.of(view, 10.0).against(0, ["main-0.0", "main-0.2"]) == pytest.approx([0.5, 0.5])
    rates = [WinRates.of(replace(view, round=at), 10.0).against(0, ["main-0.1"])[0] for at in (3, 50, 100, 150, 300)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.999
    assert rates[-1] == pytest.approx(0.5, abs=1e-3)


def test_tables_have_win_rates_of_their_own():
    view = league(tables=2, past=2, training=[result("main-0", "main-1.0", 1.0), result("main-1", "main-1.0", 0.0)])
    found = [WinRates.of(view, 100.0).against(table, ["main-1.0"])[0] for table in range(2)]
    assert found == pytest.approx([100.5 / 101, 0.5 / 101], rel=0.02)


def test_a_result_against_several_counts_against_each_of_them_once():
    training = [result("main-0", "main-0.1+main-0.1", 1.0, 3), result("main-0", "main-0.0+main-0.1", 0.0, 4)]
    view = replace(league(THREE, past=3, training=training), round=0)
    assert WinRates.of(view, 1.0).against(0, ["main-0.0", "main-0.1"]) == pytest.approx([0.5 / 5, 3.5 / 8])


def met(view: LeagueView, rounds: int = 400, **options: object) -> dict[str, float]:
    """The mean share of slots by snapshot, over many rounds."""
    found: Counter[str] = Counter()
    rng = np.random.default_rng(5)
    matchmaker = PFSP.model_validate({"self_play": 0.0, **options})
    for _ in range(rounds):
        for seating in matchmaker.plan(view, rng).seatings[0]:
            found.update({policy: seating.share / rounds for policy in seating.lineup if "." in policy})
    return dict(found)


@pytest.mark.parametrize("opponents", [1, 2, 4, 16])
def test_snapshots_are_met_by_their_weight_whatever_the_number_drawn(opponents):
    training = [result("main-0", f"main-0.{n}", score, 10**9) for n, score in enumerate([1.0, 0.75, 0.5, 0.0])]
    found = met(league(past=4, training=training), weighting="linear", opponents=opponents)
    # Of shares 0, 1/7, 2/7 and 4/7; one draw a round has a standard error of 0.025 over 400 rounds.
    assert [found.get(f"main-0.{n}", 0.0) for n in range(4)] == pytest.approx([0, 1 / 7, 2 / 7, 4 / 7], abs=0.08)


def test_whom_nobody_has_met_is_met_uniformly():
    assert met(league(past=8)) == pytest.approx({f"main-0.{n}": 1 / 8 for n in range(8)}, abs=0.03)


def test_each_role_meets_the_snapshots_that_are_hard_for_it():
    training = [result("predator-0", f"prey-0.{n}", float(n != 1), 10**9) for n in range(3)]
    training += [result("prey-0", f"predator-0.{n}", float(n != 2), 10**9) for n in range(3)]
    assert met(league(TAG, past=3, training=training)) == pytest.approx(
        {"prey-0.1": 0.5, "predator-0.2": 0.5}, abs=1e-3
    )


def test_partners_have_no_win_rate_so_they_are_met_uniformly():
    # Games of one side are scored 0.5 in the training results.
    training = [result("speaker-0", f"listener-0.{n}", 0.5) for n in range(2)]
    found = met(league(SPEAKERS, past=4, training=training))
    assert found == pytest.approx(
        {f"{role}-0.{n}": 1 / 8 for role in ("speaker", "listener") for n in range(4)}, abs=0.03
    )


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20).filter(lambda weights: sum(weights) > 1e-6),
    st.integers(1, 12),
    st.integers(0, 2**32),
)
def test_each_weighted_draw_is_its_share_rounded_up_or_down(weights, count, seed):
    view = league(BOARD, past=len(weights))
    pool = [snapshot.id for snapshot in view.snapshots]
    lineups = versus(view, 0, {"main": pool}, count, np.random.default_rng(seed), {"main": weights})
    drawn = Counter(lineup[1] for lineup in lineups if lineup[0] == "main-0")
    assert sum(drawn.values()) == count
    for policy, weight in zip(pool, weights, strict=True):
        assert abs(drawn[policy] - count * weight / sum(weights)) < 1 + 1e-6
        assert weight > 0 or drawn[policy] == 0
