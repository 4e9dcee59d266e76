"""What is scored from each seat: results by side from lineups, mean scores from sums; paired matches tell no sides."""

from __future__ import annotations

import pytest
from builders import duel, row

from league.rating.ledger import Ledger
from league.rating.mean_score import mean_interval
from league.rating.payoff import wilson
from league.rating.seats import at_seat, at_side
from league.rating.standings import records
from league.records import Rating


def test_results_are_told_apart_by_the_side_they_were_reached_on() -> None:
    ledger = Ledger([duel("a", "b", 8, 2, 0), duel("b", "a", 6, 0, 4)])
    first, second = at_side(ledger, 0), at_side(ledger, 1)
    assert first == {"a": Rating(0.9, *wilson(9, 10), 10), "b": Rating(0.6, *wilson(6, 10), 10)}
    assert second == {"a": Rating(0.4, *wilson(4, 10), 10), "b": Rating(0.1, *wilson(1, 10), 10)}
    whole = records(ledger)
    assert all(first[who].games + second[who].games == whole[who].games for who in "ab")


def test_of_three_sides_each_has_its_own() -> None:
    ledger = Ledger([row("a", "b", "b", placements={(0, 1, 2): 3, (1, 0, 1): 1})])
    assert at_side(ledger, 0)["a"].value == pytest.approx((3 * 1.0 + 0.25) / 4)
    assert at_side(ledger, 1)["b"].value == pytest.approx((3 * 0.5 + 1.0) / 4)
    assert at_side(ledger, 2)["b"].value == pytest.approx((3 * 0.0 + 0.25) / 4)
    assert "b" not in at_side(ledger, 0)


def test_paired_games_say_nothing_of_sides() -> None:
    assert at_side(Ledger([row("a", "b", placements={(0, 1): 5}, paired=True)]), 0) == {}


def test_mean_scores_by_seat() -> None:
    sums = {("a", 0): (4, 8.0, 20.0), ("a", 1): (2, 2.0, 2.0), ("b", 1): (3, 0.0, 6.0)}
    assert at_seat(sums, 0) == {"a": Rating(*mean_interval(4, 8.0, 20.0), 4)}
    assert at_seat(sums, 1)["a"] == Rating(1.0, 1.0, 1.0, 2)
    assert at_seat(sums, 1)["b"].value == 0.0
    assert at_seat(sums, 2) == {}
