"""The sequential test: published log-likelihood ratios, error rates by simulation, matches without any variance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from league.errors import RatingError
from league.rating.sequential import (
    Evidence,
    SequentialTest,
    elo,
    expected_remaining,
    fixed_length,
    log_likelihood_ratio,
    normalised_elo,
    score_interval,
    weigh,
)

NONE = (0, 0, 0, 0, 0)


def ratio(counts: list[int], elo0: float, elo1: float) -> float:
    return float(log_likelihood_ratio(SequentialTest(elo0=elo0, elo1=elo1), np.array([counts]))[0])


@pytest.mark.parametrize(
    ("counts", "elo0", "elo1", "expected"),
    [
        ([36027, 68692, 36433], 0, 2, 0.92),
        ([10650, 20431, 10871], -1.75, 0.25, 2.30),
        ([0, 0, 4250], 0, 10, 120.56),
        ([365, 16618, 36229, 16974, 390], 0, 2, 2.25),
        ([127, 4883, 10712, 5150, 104], -1.75, 0.25, 3.01),
        ([0, 0, 0, 0, 5550], 0, 5, 111.82),
    ],
)
def test_it_is_the_ratio_of_the_chess_world(counts: list[int], elo0: float, elo1: float, expected: float) -> None:
    """The values that fastchess (app/tests/sprt_test.cpp) is tested with, to its 1 %."""
    assert ratio(counts, elo0, elo1) == pytest.approx(expected, rel=0.01)


def test_a_ratio_by_hand() -> None:
    """With t0 = 0 and results 0 and 1 only, p(t0) is 1/2 each and (p - 1/2)² = t² p (1 - p) gives p(t1)."""
    t = 40 / (800 / math.log(10))
    p = (1 + t / math.sqrt(1 + t * t)) / 2
    expected = 30 * math.log(2 * (1 - p)) + 45 * math.log(2 * p)
    # Draws that were never seen count as a thousandth of one, which changes the third digit.
    assert ratio([30, 0, 45], 0, 40) == pytest.approx(expected, rel=5e-3)


def test_the_mirrored_match_has_the_mirrored_ratio() -> None:
    assert ratio([7, 20, 31, 25, 9], 0, 30) == pytest.approx(-ratio([9, 25, 31, 20, 7], -30, 0), abs=1e-4)


def test_the_bounds_are_walds() -> None:
    test = SequentialTest(alpha=0.05, beta=0.1)
    assert (test.lower, test.upper) == pytest.approx((math.log(0.1 / 0.95), math.log(0.9 / 0.05)))


@pytest.mark.parametrize(
    ("outcome", "accepted", "longest"), [(4, "H1", 80), (0, "H0", 80), (2, "H0", 1900), (3, "H1", 120)]
)
def test_matches_without_any_variance_end(outcome: int, accepted: str, longest: int) -> None:
    """Every pair won, lost, drawn, or won by half: with 10 points between the hypotheses, in so many pairs."""
    found = weigh(SequentialTest(), Evidence(NONE), np.full(2000, outcome))
    assert found.accepted == accepted
    assert found.results <= longest
    assert found.counts[outcome] == found.results


def test_a_decision_does_not_depend_on_how_results_arrive() -> None:
    test, rng = SequentialTest(elo1=50), np.random.default_rng(5)
    outcomes = rng.choice(5, 2000, p=[0.05, 0.15, 0.3, 0.3, 0.2])
    whole = weigh(test, Evidence(NONE), outcomes)
    assert whole.accepted == "H1"
    for size in (1, 7, 300):
        found = Evidence(NONE)
        for begin in range(0, len(outcomes), size):
            found = weigh(test, found, outcomes[begin : begin + size])
        assert found.counts == whole.counts
        assert found.llr == pytest.approx(whole.llr, abs=1e-9)
        assert found.accepted == "H1"
    before = weigh(test, Evidence(NONE), outcomes[: whole.results - 1])
    assert before.accepted is None
    assert before.llr < test.upper <= whole.llr


def test_what_is_left_is_expected_from_the_drift() -> None:
    test = SequentialTest(elo1=50)
    variance = (50 / (800 / math.log(10)) * math.sqrt(2)) ** 2
    assert expected_remaining(test, Evidence(NONE)) == math.inf
    level = Evidence((0, 0, 100, 0, 0), 0.0)
    assert expected_remaining(test, level) == pytest.approx(test.upper**2 / variance), "no drift: (b - x)(x - a) / σ²"
    steep = Evidence((0, 0, 0, 0, 10), 2.0)
    assert expected_remaining(test, steep) == pytest.approx((test.upper - 2.0) / 0.2, rel=0.01)
    fallen = Evidence((10, 0, 0, 0, 0), -2.0)
    assert expected_remaining(test, fallen) == pytest.approx(expected_remaining(test, steep))


def test_estimates_are_finite_where_they_can_be() -> None:
    won = np.array([0, 0, 0, 0, 50])
    assert score_interval(won)[1] == 1.0
    assert 0.9 < score_interval(won)[0] < 0.99
    assert elo(won).value == elo(won).high == math.inf
    assert 400 < elo(won).low < 700
    assert 0 < normalised_elo(won).low < normalised_elo(won).value < normalised_elo(won).high < math.inf
    drawn = np.array([0, 0, 50, 0, 0])
    low, high = score_interval(drawn)
    assert 0.5 - low == pytest.approx(high - 0.5)
    # By the rule of three up to 3 / 50 of the pairs may be something else: half of that, at most, is the score.
    assert 0.005 < high - 0.5 < 0.03


def test_seats_that_decide_games_do_not_widen_the_interval() -> None:
    """Pairs won and lost by the seat alone differ in nothing: 0.5 ± 0.05 for 400 coin tosses, far less here."""
    low, high = score_interval(np.array([2, 4, 188, 4, 2]))
    deviation = math.sqrt((4 * 0.25 + 8 * 0.0625) / 200 / 200)
    assert (high - low) / 2 == pytest.approx(1.96 * deviation, rel=0.01)


def test_normalised_elo_by_hand() -> None:
    """Without draws: μ = 0.6, σ = √0.24 a game, so 0.1 / √0.24 standard deviations."""
    found = normalised_elo(np.array([4000, 1, 5999]))
    assert found.value == pytest.approx(0.1 / math.sqrt(0.24) * 800 / math.log(10), rel=2e-3)
    assert elo(np.array([40, 0, 60])).value == pytest.approx(400 * math.log10(1.5))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"elo0": 5, "elo1": 5}, "the smaller one first, not elo0 5 and elo1 5"),
        ({"elo1": 300}, "from -100 to 100 normalised Elo"),
        ({"elo1": math.nan}, "not elo0 0 and elo1 nan"),
        ({"alpha": 0}, "between 0 and 0.5, not alpha 0 and beta 0.05"),
        ({"beta": 0.5}, "not alpha 0.05 and beta 0.5"),
    ],
)
def test_what_cannot_be_tested_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(RatingError, match=message):
        SequentialTest(**values)


BASES = {
    "no draws": (0.25, 0.0, 0.5, 0.0, 0.25),
    "many draws": (0.01, 0.15, 0.68, 0.15, 0.01),
    "the seat decides": (0.02, 0.03, 0.9, 0.03, 0.02),
    "single results": (0.45, 0.1, 0.45),
}


def tilted(base: tuple[float, ...], effect: float) -> NDArray[np.float64]:
    """The distribution base · exp(m · result) with this effect, by bisection."""
    value, low, high = np.linspace(0, 1, len(base)), -20.0, 20.0
    for _ in range(100):
        middle = (low + high) / 2
        found = np.array(base) * np.exp(middle * value)
        found /= found.sum()
        mean = found @ value
        under = (mean - 0.5) / math.sqrt(found @ (value - mean) ** 2) < effect
        low, high = (middle, high) if under else (low, middle)
    return found


def simulated(test: SequentialTest, chances: NDArray[np.float64], matches: int, seed: int) -> list[Evidence]:
    """Matches played to their end."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(matches):
        evidence = Evidence((0,) * len(chances))
        while evidence.accepted is None:
            evidence = weigh(test, evidence, rng.choice(len(chances), 256, p=chances))
        found.append(evidence)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("truth", [0, 1])
def test_error_rates_are_kept(name: str, truth: int) -> None:
    """1,000 matches at each hypothesis: at most 5 % end wrongly, within three binomial standard deviations (2.1 %).

    They take less than 0.65 of the results that a fixed-length test of equal power takes, in the mean.
    """
    test = SequentialTest(elo1=40)
    chances = tilted(BASES[name], test.effects(len(BASES[name]))[truth])
    found = simulated(test, chances, 1000, 11)
    wrong = sum(one.accepted != f"H{truth}" for one in found) / len(found)
    assert wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)
    length = sum(one.results for one in found) / len(found)
    assert length < 0.65 * fixed_length(test, len(chances))


@pytest.mark.parametrize("truth", [0, 1])
def test_a_hundred_matches_mostly_end_rightly(truth: int) -> None:
    """At most 5 of 100 wrong in expectation, 11 (three standard deviations more) at worst."""
    test = SequentialTest(elo1=100)
    found = simulated(test, tilted(BASES["no draws"], test.effects(5)[truth]), 100, 2)
    assert sum(one.accepted != f"H{truth}" for one in found) <= 11
    assert sum(one.results for one in found) / 100 < fixed_length(test, 5)
