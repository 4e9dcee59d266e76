"""The meta-game's rating systems rate a ledger: values of the predicted payoff, by role, without an interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import RANDOM, duel, row, simulated

from league.errors import ConfigError, RatingError
from league.rating.core import META_GAMES, make_rating
from league.rating.ledger import Ledger
from league.rating.prediction import predicted_payoff

LEDGER = Ledger(simulated({"a": 2.0, "b": 1.0, "random": 0.0}, 200, np.random.default_rng(1)))


def values(name: str, ledger: Ledger = LEDGER, **settings: object) -> dict[str, float]:
    return {policy: rating.value for policy, rating in make_rating(name, **settings).rate(ledger, RANDOM).items()}


def test_on_a_ladder_everybody_is_measured_against_the_best() -> None:
    payoff = predicted_payoff(LEDGER, RANDOM)
    against_best = dict(zip(payoff.ids, payoff.score[:, 0].tolist(), strict=True))
    assert values("nash") == pytest.approx(against_best)
    assert values("deviation") == pytest.approx({policy: score - 0.5 for policy, score in against_best.items()})
    assert values("alpharank") == {"a": 1.0, "b": 0.0, "random": 0.0}


def test_a_finite_intensity_of_selection_spreads_the_mass() -> None:
    mass = values("alpharank", alpha=0.1, population=10)
    assert 0.0 < mass["random"] < mass["b"] < mass["a"] < 1.0
    assert sum(mass.values()) == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="alpha"):
        make_rating("alpharank", alpha=-1.0)


@pytest.mark.parametrize("name", META_GAMES)
def test_no_interval_is_claimed_and_games_are_counted(name: str) -> None:
    rating = make_rating(name).rate(LEDGER, RANDOM)["a"]
    assert (rating.low, rating.high, rating.games) == (-math.inf, math.inf, 800)


@pytest.mark.parametrize("name", META_GAMES)
def test_each_role_is_a_game_of_its_own(name: str) -> None:
    rows = [
        duel("a", "random/x", 30, 0, 10, paired=True),
        duel("b", "random/y", 10, 0, 30, paired=True),
    ]
    ratings = make_rating(name).rate(Ledger(rows), frozenset({"random/x", "random/y"}))
    best = {"nash": 0.5, "alpharank": 1.0, "deviation": 0.0}[name]
    assert ratings["a"].value == ratings["random/y"].value == best
    assert ratings["random/x"].value == pytest.approx(ratings["b"].value)
    assert ratings["b"].value < best


@pytest.mark.parametrize("name", META_GAMES)
def test_games_of_three_sides_are_refused(name: str) -> None:
    with pytest.raises(RatingError, match="1 against 1 against 1"):
        make_rating(name).rate(Ledger([row("a", "b", "c", placements={(0, 1, 2): 4})]), RANDOM)
