"""The payoff model: planted payoffs come out, intervals cover, a fit may begin at another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from league.rating.prediction.held_out import choose, goodness_of
from league.rating.prediction.pairs import Pairs
from league.rating.prediction.payoff_fit import STRENGTH, _Problem, fit
from league.rating.prediction.payoff_model import Origins, Shape

UNKNOWN = Origins.unknown(40)


def planted(
    seed: int, count: int = 40, upset: float = 0.0, turn: float = 0.0, deviation: float = 0.0
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """`[N, N]` true scores: strengths N(0, 1.5^2), one cyclic component of size `turn`, deviations of single pairs."""
    rng = np.random.default_rng(seed)
    theta, x, y = 1.5 * rng.standard_normal(count), rng.standard_normal(count), rng.standard_normal(count)
    eta = theta[:, None] - theta + turn * (x[:, None] * y - y[:, None] * x)
    noise = np.triu(deviation * rng.standard_normal((count, count)), 1)
    return upset / 2.0 + (1.0 - upset) * expit(eta + noise - noise.T)


def played(score: np.ndarray, games: int, seed: int, share: float = 1.0) -> Pairs:
    """`games` games of each pair (or of a random share of the pairs)."""
    rng = np.random.default_rng([seed, 1])
    first, second = np.triu_indices(len(score), 1)
    met = rng.random(len(first)) < share
    first, second = first[met], second[met]
    return Pairs(
        count=len(score),
        first=first,
        second=second,
        games=np.full(len(first), float(games)),
        score=rng.binomial(games, score[first, second]) / games,
        spread=1.0,
    )


def test_a_fit_equals_a_slow_reference_that_knows_nothing_of_its_algebra() -> None:
    pairs = played(planted(0, 8, turn=0.7), 40, 0)
    model = fit(pairs, Origins.unknown(8), Shape(1, 0.05))
    weight = pairs.games / (1.0 + model.deviation[0] * model.information)

    def loss(point: np.ndarray) -> float:
        theta, x, y = point.reshape(3, 8)
        total = 0.5 * (theta**2).sum() / STRENGTH**2 + 0.5 * (x**2).sum() + 0.5 * (y**2).sum()
        for i, j, n, s in zip(pairs.first, pairs.second, weight, pairs.score, strict=True):
            p = 0.025 + 0.95 / (1.0 + np.exp(-(theta[i] - theta[j] + x[i] * y[j] - y[i] * x[j])))
            total -= n * (s * np.log(p) + (1.0 - s) * np.log(1.0 - p))
        return float(total)

    reference = minimize(loss, model.vectors.T.ravel() + 0.05, method="BFGS", options={"gtol": 1e-6})
    # The weights are those of the round before the last estimate of the deviation, hence not to the last digit.
    assert loss(model.vectors.T.ravel()) == pytest.approx(reference.fun, abs=0.05)


def test_a_transitive_payoff_needs_no_components_and_a_cyclic_one_gets_its_own() -> None:
    shape, _, _ = choose(played(planted(1), 40, 1), UNKNOWN, 4)
    assert shape == Shape(0, 0.0)
    shape, held, one_number = choose(played(planted(1, turn=1.0), 40, 1), UNKNOWN, 4)
    assert shape.components == 1
    assert goodness_of(held).error < 0.3 * goodness_of(one_number).error


def test_an_upset_share_is_found_where_scores_saturate() -> None:
    shape, _, _ = choose(played(planted(2, upset=0.1), 200, 2), UNKNOWN, 4)
    assert shape.upset > 0.0
    found = [choose(played(planted(seed), 200, seed), UNKNOWN, 4)[0].upset for seed in range(2, 7)]
    assert found.count(0.0) >= 4


def test_few_pairs_fall_back_to_one_strength_per_policy() -> None:
    assert choose(played(planted(3, 7), 40, 3), Origins.unknown(7), 4) == (Shape(), [], [])


@pytest.mark.parametrize(
    "truth", [{}, {"turn": 1.0}, {"upset": 0.04}, {"deviation": 0.5}, {"turn": 0.7, "deviation": 0.3, "upset": 0.04}]
)
def test_95_percent_intervals_hold_the_truth_as_often_as_they_claim(truth: dict[str, float]) -> None:
    covered = []
    for seed in range(10):
        score = planted(seed, 30, **truth)
        pairs = played(score, 50, seed)
        shape, _, _ = choose(pairs, Origins.unknown(30), 4)
        model = fit(pairs, Origins.unknown(30), shape)
        value, low, high = model.interval(*model.log_odds())
        upper = np.triu_indices(30, 1)
        covered.append(((low <= score) & (score <= high))[upper].mean())
        assert np.abs(value - score)[upper].mean() < 0.04
    assert 0.925 <= np.mean(covered) <= 0.98


def test_a_fit_may_begin_at_that_of_fewer_policies() -> None:
    score = planted(4, turn=0.7)
    pairs = played(score, 60, 4)
    before = fit(pairs.where((pairs.first < 36) & (pairs.second < 36)), UNKNOWN, Shape(1, 0.0))
    fewer = replace(before, vectors=before.vectors[:36])
    begun, whole = fit(pairs, UNKNOWN, Shape(1, 0.0), fewer), fit(pairs, UNKNOWN, Shape(1, 0.0))
    assert np.abs(begun.scores() - whole.scores()).mean() < 0.002
    assert np.abs(begun.scores() - whole.scores()).max() < 0.02


def test_everybody_at_a_half_is_predicted_a_half() -> None:
    pairs = played(np.full((12, 12), 0.5), 40, 5)
    level = Pairs(
        count=12, first=pairs.first, second=pairs.second, games=pairs.games, score=0 * pairs.score + 0.5, spread=1.0
    )
    for shape in (Shape(), Shape(2, 0.05)):
        assert fit(level, Origins.unknown(12), shape).scores() == pytest.approx(np.full((12, 12), 0.5), abs=1e-9)


def test_a_policy_lies_near_its_parent_where_games_do_not_tell() -> None:
    score = planted(6, 12)
    pairs = played(score, 200, 6)
    few = pairs.where((pairs.second < 11) | (pairs.first == 0))
    alone = fit(few, Origins.unknown(12), Shape())
    parents = np.full(12, -1)
    parents[11] = 10
    beside = fit(few, Origins(parents, np.zeros(12, dtype=bool), np.ones(12, dtype=np.int64)), Shape())
    assert np.ptp(beside.vectors[10:, 0]) < np.ptp(alone.vectors[10:, 0])


def test_a_policy_from_outside_deviates_by_a_measure_of_its_own() -> None:
    """Snapshots follow one strength each; how they do against random play has nothing to do with it."""
    score = planted(7)
    rng = np.random.default_rng(7)
    score[1:, 0] = rng.uniform(0.55, 0.95, 39)
    score[0, 1:] = 1.0 - score[1:, 0]
    outside = np.arange(40) == 0
    pairs = played(score, 50, 7)
    model = fit(pairs, replace(UNKNOWN, outside=outside), Shape())
    assert model.deviation[1] > 10.0 * model.deviation[0]
    value, low, high = model.interval(*model.log_odds())
    assert ((low <= score) & (score <= high))[1:, 0].mean() >= 0.87
    together = fit(pairs, UNKNOWN, Shape()).scores()
    assert np.abs(value - score)[1:, 0].mean() < np.abs(together - score)[1:, 0].mean()


def test_games_of_a_slowly_changing_lineage_are_pooled() -> None:
    """Sixty snapshots, each 0.1 stronger than its parent, with few games: pooling halves the error of the default."""
    strength = 0.1 * np.arange(60)
    score = expit(strength[:, None] - strength)
    pairs, lineage = played(score, 4, 5), replace(Origins.unknown(60), parents=np.arange(-1, 59))
    shape, _, _ = choose(pairs, lineage, 4)
    assert shape.step <= 0.25
    error = {step: np.abs(fit(pairs, lineage, Shape(step=step)).scores() - score).mean() for step in (2.0, shape.step)}
    assert error[shape.step] < 0.7 * error[2.0]


def test_a_lineage_of_large_steps_is_not_pooled() -> None:
    strength = 1.5 * np.random.default_rng(4).standard_normal(60)
    pairs = played(expit(strength[:, None] - strength), 50, 6)
    shape, _, _ = choose(pairs, replace(Origins.unknown(60), parents=np.arange(-1, 59)), 4)
    assert shape.step >= 1.0


def test_covariances_are_those_of_a_dense_inverse() -> None:
    """Of one number per policy, whose games carry so much information, and whose relatives are not given."""
    origins = replace(
        Origins.unknown(7), parents=np.array([-1, 0, 1, 1, -1, 6, 4]), generations=np.array([1, 2, 1, 3, 1, 1, 1])
    )
    data = np.random.default_rng(8).uniform(1.0, 50.0, 7)
    precision = np.diag(data)
    for number, (above, generations) in enumerate(zip(origins.parents, origins.generations, strict=True)):
        if above < 0:
            precision[number, number] += STRENGTH**-2.0
        else:
            both = np.ix_([number, above], [number, above])
            precision[both] += np.array([[1.0, -1.0], [-1.0, 1.0]]) / (0.3**2 * generations)
    found = _Problem(played(planted(8, 7), 10, 8), origins, Shape(step=0.3))._covariance(data[:, None, None])
    assert found[:, 0, 0] == pytest.approx(np.diag(np.linalg.inv(precision)), rel=1e-9)


def test_what_lies_between_two_policies_counts_as_generations() -> None:
    lineage = replace(Origins.unknown(6), parents=np.array([-1, 0, 1, 2, 3, 0]))
    kept = lineage.among(np.array([True, False, True, False, True, True]))
    assert kept.parents.tolist() == [-1, -1, 0, -1, 2, 0]
    assert kept.generations[[2, 4, 5]].tolist() == [2, 2, 1]
    again = kept.among(np.array([True, False, False, False, True, True]))
    assert (again.parents[4], again.generations[4]) == (0, 4)
