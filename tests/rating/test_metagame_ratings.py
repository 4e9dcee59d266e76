"""The meta-game's rating systems rate a ledger: values of the fitted payoff, by role."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import RANDOM, duel, row, simulated

from league.errors import ConfigError, RatingError
from league.rating.core import META_GAMES, NO_FACTS, make_rating
from league.rating.ledger import Ledger
from league.rating.prediction.fitted_payoff import fitted_payoff

LEDGER = Ledger(simulated({"a": 2.0, "b": 1.0, "random": 0.0}, 200, np.random.default_rng(1)))


def values(name: str, ledger: Ledger = LEDGER, **settings: object) -> dict[str, float]:
    return {policy: rating.value for policy, rating in make_rating(name, **settings).rate(ledger, RANDOM).items()}


def test_on_a_ladder_everybody_is_measured_against_the_best() -> None:
    payoff = fitted_payoff(LEDGER, RANDOM, NO_FACTS)
    score = payoff.model.scores()
    against_best = dict(zip(payoff.ids, score[:, payoff.ids.index("a")].tolist(), strict=True))
    assert values("nash") == pytest.approx(against_best)
    assert values("deviation") == pytest.approx({policy: score - 0.5 for policy, score in against_best.items()})
    assert values("alpharank") == {"a": 1.0, "b": 0.0, "random": 0.0}


def test_a_finite_intensity_of_selection_spreads_the_mass() -> None:
    mass = values("alpharank", alpha=0.1, population=10)
    assert 0.0 < mass["random"] < mass["b"] < mass["a"] < 1.0
    assert sum(mass.values()) == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="alpha"):
        make_rating("alpharank", alpha=-1.0)


def test_intervals_are_those_of_the_score_against_the_equilibrium() -> None:
    nash, gains = (make_rating(name).rate(LEDGER, RANDOM) for name in ("nash", "deviation"))
    # All weight is on "a", which scores 0.5 against itself for certain; for "b" it is the interval of one pair.
    assert (nash["a"].low, nash["a"].value, nash["a"].high) == pytest.approx((0.5, 0.5, 0.5))
    assert nash["b"].low < nash["b"].value < nash["b"].high < 0.5
    _, pair_low, pair_high = fitted_payoff(LEDGER, RANDOM, NO_FACTS).predict("b", "a") or (0.0, 0.0, 0.0)
    assert (nash["b"].low, nash["b"].high) == pytest.approx((pair_low, pair_high), abs=0.005)
    for policy in ("a", "b", "random"):
        ends = (nash[policy].low - 0.5, nash[policy].value - 0.5, nash[policy].high - 0.5)
        assert (gains[policy].low, gains[policy].value, gains[policy].high) == pytest.approx(ends, abs=1e-9)


def test_a_cycle_shares_the_equilibrium() -> None:
    rows = [duel("a", "b", 140, 0, 60), duel("b", "c", 140, 0, 60), duel("c", "a", 140, 0, 60)]
    rows += [duel(one, "random", 180, 0, 20) for one in "abc"]
    nash = make_rating("nash").rate(Ledger(rows), RANDOM)
    assert [nash[one].value for one in "abc"] == pytest.approx([0.5] * 3, abs=1e-9)
    assert nash["random"].high < 0.3
    # Members of a mixture are not known to score exactly one half against the others in it.
    assert all(0.01 < nash[one].high - 0.5 < 0.1 for one in "abc")
    mass = values("alpharank", Ledger(rows))
    assert [mass[one] for one in "abc"] == pytest.approx([1 / 3] * 3)


def test_masses_have_no_interval_and_games_are_counted() -> None:
    rating = make_rating("alpharank").rate(LEDGER, RANDOM)["a"]
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
    # The first match is beside the others of an earlier day, so it counts a little less.
    assert ratings["random/x"].value == pytest.approx(ratings["b"].value, abs=0.03)
    assert ratings["b"].value < best


@pytest.mark.parametrize("name", META_GAMES)
def test_games_of_three_sides_are_refused(name: str) -> None:
    with pytest.raises(RatingError, match="1 against 1 against 1"):
        make_rating(name).rate(Ledger([row("a", "b", "c", placements={(0, 1, 2): 4})]), RANDOM)
