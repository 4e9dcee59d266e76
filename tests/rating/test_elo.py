"""Elo: the textbook's numbers, its dependence on order, anchors, teams, several sides."""

from __future__ import annotations

import pytest
from builders import RANDOM, duel, row

from league.errors import RatingError
from league.rating.core import expected_score
from league.rating.elo import Elo, EloSettings, mean_results
from league.rating.ledger import Ledger

NONE: frozenset[str] = frozenset()


def test_a_win_between_equals_moves_each_by_half_of_k() -> None:
    ratings = Elo().rate(Ledger([duel("a", "b", 1, 0, 0)]), NONE)
    assert (ratings["a"].value, ratings["b"].value) == (8.0, -8.0)


def test_a_draw_between_equals_moves_nobody() -> None:
    ratings = Elo().rate(Ledger([duel("a", "b", 0, 1, 0)]), NONE)
    assert (ratings["a"].value, ratings["b"].value) == (0.0, 0.0)


def test_the_second_game_is_expected_from_the_first() -> None:
    # After 8 : -8 the winner expects 1 / (1 + 10^(-16/400)) = 0.5230096.
    ratings = Elo().rate(Ledger([duel("a", "b", 1, 0, 0), duel("a", "b", 1, 0, 0)]), NONE)
    assert ratings["a"].value == pytest.approx(8.0 + 16.0 * (1 - 0.5230096), abs=1e-5)
    # Against somebody else at 0 the winner expects 1 / (1 + 10^(-8/400)) = 0.5115108.
    ratings = Elo().rate(Ledger([duel("a", "b", 1, 0, 0), duel("c", "a", 1, 0, 0)]), NONE)
    assert ratings["a"].value == pytest.approx(8.0 - 16.0 * 0.5115108, abs=1e-5)


def test_equal_games_in_one_row_are_as_many_single_games() -> None:
    one = Elo().rate(Ledger([duel("a", "b", 20, 0, 0)]), NONE)
    many = Elo().rate(Ledger([duel("a", "b", 1, 0, 0)] * 20), NONE)
    assert one["a"].value == pytest.approx(many["a"].value)
    assert one["a"].games == many["a"].games == 20


def test_a_long_row_settles_at_what_it_implies_and_never_beyond() -> None:
    values = [Elo().rate(Ledger([duel("a", "random", 3 * n, 0, n)]), RANDOM)["a"].value for n in (1, 10, 100, 1000)]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(190.85, abs=0.01)  # 400 log10(3)
    assert values[-1] <= 190.8486


def test_the_order_of_first_meetings_is_elos_order() -> None:
    rows = [duel("a", "b", 9, 0, 1), duel("b", "c", 9, 0, 1), duel("a", "c", 2, 0, 8)]
    forth, back = Elo().rate(Ledger(rows), NONE), Elo().rate(Ledger(rows[::-1]), NONE)
    assert forth["a"].value != pytest.approx(back["a"].value, abs=1.0)


def test_anchors_stay_at_0() -> None:
    ratings = Elo().rate(Ledger([duel("a", "random", 9, 0, 1), duel("random", "a", 0, 1, 4)]), RANDOM)
    assert (ratings["random"].value, ratings["random"].low, ratings["random"].high) == (0.0, 0.0, 0.0)
    assert ratings["a"].value > 0.0


def test_a_team_is_the_sum_of_its_policies_which_move_together() -> None:
    rows = [duel("a", "x", 1, 0, 0), row("a b", "c d", placements={(0, 1): 1})]
    ratings = Elo().rate(Ledger(rows), NONE)
    gain = 16.0 * (1.0 - expected_score(8.0, 0.0))
    assert ratings["a"].value == pytest.approx(8.0 + gain)
    assert ratings["b"].value == pytest.approx(gain)
    assert ratings["c"].value == ratings["d"].value == pytest.approx(-gain)


def test_three_sides_are_their_pairs() -> None:
    ratings = Elo().rate(Ledger([row("a", "b", "c", placements={(0, 1, 2): 1})]), NONE)
    # Each of two pairs moves by K/2 times the surprise of 1/2.
    assert {name: rating.value for name, rating in ratings.items()} == {"a": 8.0, "b": 0.0, "c": -8.0}


def test_a_mean_result_counts_draws_as_halves() -> None:
    assert mean_results({(0, 1): 1, (0, 0): 2, (1, 0): 1}) == [(0, 1, 0.5)]
    assert mean_results({(0, 1, 1): 3, (1, 0, 0): 1}) == [(0, 1, 0.75), (0, 2, 0.75), (1, 2, 0.5)]


def test_more_games_narrow_the_interval_down_to_elos_own_jitter() -> None:
    def width(games: int) -> float:
        rating = Elo().rate(Ledger([duel("a", "random", games, 0, games)]), RANDOM)["a"]
        return rating.high - rating.low

    assert width(5) > width(50) > width(5000)
    # sqrt(K/2) in log-odds: sqrt(16 * 173.7178 / 2) = 37.28 points, twice 1.96 of them.
    assert width(100_000) == pytest.approx(2 * 1.96 * 37.28, rel=0.01)


def test_games_against_oneself_change_nothing() -> None:
    ratings = Elo().rate(Ledger([duel("a", "a", 9, 0, 1)]), RANDOM)
    assert (ratings["a"].value, ratings["a"].games) == (0.0, 10)


def test_k_and_scale_are_settings() -> None:
    ratings = Elo(EloSettings(k=32.0)).rate(Ledger([duel("a", "b", 1, 0, 0)]), NONE)
    assert ratings["a"].value == pytest.approx(16.0)
    wide = Elo(EloSettings(k=16.0, scale=800.0)).rate(Ledger([duel("a", "random", 3000, 0, 1000)]), RANDOM)
    assert wide["a"].value == pytest.approx(2 * 190.8485, abs=0.1)


def test_one_sided_games_are_refused() -> None:
    with pytest.raises(RatingError, match="mean-score"):
        Elo().rate(Ledger([row("a", placements={(0,): 1})]), NONE)
