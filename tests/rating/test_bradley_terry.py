"""The Bradley-Terry fit: closed forms, an independent implementation, recovery of known strengths, and invariances."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from builders import RANDOM, duel, ids, row, simulated
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

from league.errors import RatingError
from league.rating import bradley_terry as module
from league.rating.bradley_terry import BradleyTerry, BradleyTerrySettings, fit, roster_variance
from league.rating.core import NO_FACTS, POINTS, RosterFacts, rate
from league.rating.ledger import Ledger
from league.rating.likelihood import RankingLikelihood
from league.records import MatchResult

SD = 2000.0 / POINTS
FLAT = BradleyTerrySettings(prior=1e6)


def test_two_policies_have_the_logit_of_their_score() -> None:
    ratings = BradleyTerry(FLAT).rate(Ledger([duel("a", "random", 30, 0, 10, paired=True)]), RANDOM)
    assert ratings["a"].value == pytest.approx(POINTS * math.log(3.0), rel=1e-5)
    assert ratings["random"].value == 0.0
    assert ratings["a"].games == ratings["random"].games == 40


def test_a_lone_policys_interval_is_that_of_a_logit() -> None:
    rating = BradleyTerry(FLAT).rate(Ledger([duel("a", "random", 30, 0, 10, paired=True)]), RANDOM)["a"]
    se = POINTS / math.sqrt(40 * 0.75 * 0.25)
    assert rating.high - rating.value == pytest.approx(1.959964 * se, rel=1e-4)
    assert rating.value - rating.low == pytest.approx(1.959964 * se, rel=1e-4)


def test_davidsons_draw_parameter_has_its_closed_form_between_equals() -> None:
    # Between equals P(draw) = nu / (2 + nu): 20 of 60 gives nu = 1.
    fitted = fit(Ledger([duel("a", "random", 20, 20, 20, paired=True)]), RANDOM, FLAT)
    assert fitted.draw == {2: pytest.approx(1.0, rel=1e-5)}
    assert fitted.theta == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_policy_that_wins_all_its_games_stays_finite_where_prior_and_games_balance() -> None:
    theta = float(fit(Ledger([duel("a", "random", 40, 0, 0, paired=True)]), RANDOM).theta[0])
    # One policy: level and strength together have variance 2 sd².
    expected = brentq(lambda x: 40.0 / (1.0 + math.exp(x)) - x / (2 * SD**2), 0.0, 50.0)
    assert theta == pytest.approx(expected, abs=1e-6)
    assert 4.0 < theta < 9.0


def _reference(rows: Sequence[MatchResult]) -> tuple[dict[str, float], list[float], list[float]]:
    """The written-out log-posterior, maximised by a generic optimiser: strengths, side terms, log deltas by size."""
    free = [policy for policy in ids(rows) if policy not in RANDOM]
    sides = max(len(one.lineup) for one in rows)
    ties = sorted({p.count(r) for one in rows for p in one.placements for r in p} - {1})
    covariance = SD**2 * (np.eye(len(free)) + 1.0)

    def unpack(x: np.ndarray) -> tuple[dict[str, float], list[float], dict[int, float]]:
        theta = dict(zip(free, x, strict=False)) | {"random": 0.0}
        delta = {1: 0.0} | dict(zip(ties, x[len(free) + sides :], strict=True))
        return theta, list(x[len(free) : len(free) + sides]), delta

    def loss(x: np.ndarray) -> float:
        theta, seat, delta = unpack(x)
        total = 0.5 * x[: len(free)] @ np.linalg.solve(covariance, x[: len(free)])
        total += 0.5 * (x[len(free) :] ** 2).sum() / SD**2
        for one in rows:
            utility = [
                sum(theta[p] for p in side) + (0.0 if one.paired else seat[i]) for i, side in enumerate(one.lineup)
            ]
            for pattern, count in one.placements.items():
                left = set(range(len(utility)))
                while len(left) > 1:
                    first = {i for i in left if pattern[i] == min(pattern[j] for j in left)}
                    weight = {}
                    for mask in range(1, 2 ** len(utility)):
                        chosen = frozenset(i for i in range(len(utility)) if mask >> i & 1)
                        if chosen <= left and len(chosen) in delta:
                            mean = sum(utility[i] for i in chosen) / len(chosen)
                            weight[chosen] = math.exp(delta[len(chosen)] + mean)
                    total -= count * math.log(weight[frozenset(first)] / sum(weight.values()))
                    left -= first
        return float(total)

    best = minimize(loss, np.zeros(len(free) + sides + len(ties)), method="BFGS", options={"gtol": 1e-7})
    theta, seat, delta = unpack(best.x)
    return theta, seat, [delta[size] for size in ties]


MIXED = {
    "two sides with draws": [
        duel("a", "b", 7, 2, 3),
        duel("b", "a", 4, 3, 1),
        duel("b", "random", 9, 0, 1),
        duel("random", "a", 0, 1, 8),
        duel("a", "c", 2, 2, 2, paired=True),
    ],
    "three sides with ties": [
        row("a", "b", "c", placements={(0, 1, 2): 5, (2, 0, 1): 2, (0, 0, 1): 3, (0, 1, 1): 2, (0, 0, 0): 1}),
        row("c", "random", "a", placements={(0, 2, 1): 4, (1, 2, 0): 5, (0, 2, 0): 1}),
        row("b", "c", "random", placements={(1, 0, 2): 3, (0, 1, 1): 3}),
    ],
    "teams": [
        row("a b", "c d", placements={(0, 1): 5, (1, 0): 4}),
        row("a c", "b random", placements={(0, 1): 6, (1, 0): 2, (0, 0): 1}),
        row("d a", "a b", placements={(0, 1): 3, (1, 0): 3}),
        row("random c", "d b", placements={(0, 1): 1, (1, 0): 5}),
    ],
}


@pytest.mark.parametrize("case", MIXED)
def test_the_fit_is_that_of_the_written_out_posterior(case: str) -> None:
    fitted, (theta, seat, delta) = fit(Ledger(MIXED[case]), RANDOM), _reference(MIXED[case])
    assert dict(zip(fitted.ids, fitted.theta, strict=True)) == pytest.approx(theta, abs=2e-4)
    assert list(fitted.side_terms) == pytest.approx(seat, abs=2e-4)
    assert [math.log(value) for value in fitted.draw.values()] == pytest.approx(delta, abs=2e-4)


@pytest.mark.parametrize("case", MIXED)
def test_gradient_and_information_are_the_derivatives_of_the_log_likelihood(case: str) -> None:
    choices = RankingLikelihood(Ledger(MIXED[case]), RANDOM)
    at, step = np.random.default_rng(3).normal(size=choices.size), 1e-5
    _, gradient, information = choices.evaluate(at)
    for i, unit in enumerate(np.eye(choices.size)):
        up, down = choices.evaluate(at + step * unit), choices.evaluate(at - step * unit)
        assert gradient[i] == pytest.approx((up[0] - down[0]) / (2 * step), abs=1e-5)
        assert information[i] == pytest.approx((down[1] - up[1]) / (2 * step), abs=1e-5)


def test_known_strengths_draws_and_seat_advantage_are_recovered() -> None:
    true = {"random": 0.0, "a": 1.0, "b": 2.0, "c": 2.5, "d": 3.2}
    rows = simulated(true, 2000, np.random.default_rng(1), side=0.4, nu=0.5)
    fitted = fit(Ledger(rows), RANDOM)
    assert dict(zip(fitted.ids, fitted.theta, strict=True)) == pytest.approx(true, abs=0.1)
    assert fitted.draw[2] == pytest.approx(0.5, abs=0.03)
    assert fitted.side_terms[0] - fitted.side_terms[1] == pytest.approx(0.4, abs=0.05)
    assert sum(fitted.side_terms) == pytest.approx(0.0, abs=1e-6)


def test_intervals_against_the_rosters_mean_hold_the_truth_as_often_as_they_say() -> None:
    true = {"random": 0.0} | {name: 1.0 + i / 3 for i, name in enumerate("abcdefgh")}
    mean = np.mean([value for name, value in true.items() if name != "random"])
    rng, inside = np.random.default_rng(7), []
    for _ in range(60):
        ratings = BradleyTerry().rate(Ledger(simulated(true, 6, rng, side=0.3, nu=0.3)), RANDOM)
        estimated = np.mean([ratings[name].value for name in "abcdefgh"])
        for name in "abcdefgh":
            shift = estimated - POINTS * mean
            inside.append(ratings[name].low - shift <= POINTS * true[name] <= ratings[name].high - shift)
    # 480 intervals; their count is binomial, a little correlated: 0.95 +- 0.03 is three standard errors.
    assert 0.92 <= np.mean(inside) <= 0.98


def test_a_large_roster_is_not_dragged_towards_an_anchor_that_few_games_tie_it_to() -> None:
    rng = np.random.default_rng(5)
    names = [f"p{i}" for i in range(60)]
    rows = simulated(dict.fromkeys(names, 0.0), 4, rng)
    rows.append(duel(names[0], "random", 190, 0, 10, paired=True))
    ratings = BradleyTerry().rate(Ledger(rows), RANDOM)
    level = np.mean([rating.value for name, rating in ratings.items() if name != "random"])
    first = ratings[names[0]].value
    assert first == pytest.approx(POINTS * math.log(19.0), abs=25.0)
    assert level == pytest.approx(first, abs=120.0)


def test_a_scripted_policy_that_wins_everything_leaves_the_intervals_as_they_are() -> None:
    pairs = (("a", "b", 30, 30), ("b", "c", 30, 30), ("a", "random", 60, 4))
    rows = [duel(x, y, wins, 0, losses, paired=True) for x, y, wins, losses in pairs]
    bot = [duel("bot", policy, 64, 0, 0, paired=True) for policy in ("a", "b", "c", "random")]
    alone, told = BradleyTerry().rate(Ledger(rows), RANDOM), frozenset({"bot"})
    apart, among = (
        BradleyTerry().rate(Ledger(rows + bot), RANDOM, facts) for facts in (RosterFacts(scripted=told), NO_FACTS)
    )
    for policy in "abc":
        width = alone[policy].high - alone[policy].low
        assert apart[policy].high - apart[policy].low == pytest.approx(width, rel=0.05)
        assert among[policy].high - among[policy].low > 1.5 * width
    assert apart["bot"].value == among["bot"].value > apart["a"].value
    assert rate(BradleyTerry(), Ledger(rows + bot), RANDOM, RosterFacts(scripted=told)) == apart


def test_intervals_compare_with_the_roster_and_not_with_an_anchor_that_loses_everything() -> None:
    rows = [duel("a", "random", 50, 0, 0), duel("b", "random", 50, 0, 0), duel("a", "b", 500, 0, 500, paired=True)]
    ratings = BradleyTerry().rate(Ledger(rows), RANDOM)
    assert ratings["a"].high - ratings["a"].low < 50.0
    assert ratings["random"].high - ratings["random"].low > 500.0


def test_roster_variance_of_two_is_a_quarter_of_that_of_their_difference() -> None:
    fitted = fit(Ledger([duel("a", "random", 5, 0, 3), duel("b", "random", 4, 0, 4), duel("a", "b", 6, 0, 5)]), RANDOM)
    covariance = fitted.covariance
    expected = (covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]) / 4
    assert roster_variance(fitted, RANDOM)[:2] == pytest.approx([expected, expected])


def test_roles_are_rosters_of_their_own() -> None:
    anchors = frozenset({"random/fox", "random/hen"})
    rows = [
        row("f1", "random/hen", placements={(0, 1): 9, (1, 0): 3}),
        row("f2", "random/hen", placements={(0, 1): 8, (1, 0): 4}),
        row("random/fox", "h1", placements={(0, 1): 6, (1, 0): 6}),
        row("random/fox", "random/hen", placements={(0, 1): 9, (1, 0): 9}),
    ]
    fitted = fit(Ledger(rows), anchors)
    assert fitted.groups == (frozenset({"f1", "f2", "random/fox"}), frozenset({"h1", "random/hen"}))
    assert dict(zip(fitted.ids, fitted.theta, strict=True))["random/fox"] == 0.0
    # h1 is alone in its role: its own variance stands.
    place = fitted.ids.index("h1")
    assert roster_variance(fitted, anchors)[place] == pytest.approx(fitted.covariance[place, place])


def test_a_seat_that_wins_by_itself_is_no_strength() -> None:
    rows = [duel("a", "b", 90, 0, 10), duel("b", "a", 90, 0, 10), duel("a", "random", 50, 0, 50, paired=True)]
    fitted = fit(Ledger(rows), RANDOM)
    assert fitted.theta == pytest.approx([0.0, 0.0, 0.0], abs=1e-3)
    assert fitted.side_terms[0] - fitted.side_terms[1] == pytest.approx(math.log(9.0), abs=0.01)


def test_games_against_oneself_say_nothing_of_strength() -> None:
    rows = [duel("a", "random", 30, 0, 10, paired=True)]
    with_self = BradleyTerry().rate(Ledger([*rows, duel("a", "a", 60, 0, 40, paired=True)]), RANDOM)
    assert with_self["a"].value == pytest.approx(BradleyTerry().rate(Ledger(rows), RANDOM)["a"].value, abs=1e-6)
    assert with_self["a"].games == 140


def test_a_result_is_merged_whether_it_comes_in_one_row_or_many() -> None:
    whole = fit(Ledger([duel("a", "b", 3, 1, 2), duel("b", "random", 4, 0, 1)]), RANDOM)
    parts = [duel("a", "b", 1, 0, 2), duel("b", "random", 4, 0, 1), duel("a", "b", 2, 1, 0)]
    assert fit(Ledger(parts), RANDOM).theta == pytest.approx(whole.theta, abs=1e-9)


def test_no_results_no_ratings_but_nothing_to_fit() -> None:
    assert BradleyTerry().rate(Ledger([]), RANDOM) == {}
    with pytest.raises(RatingError, match="no rated games"):
        fit(Ledger([]), RANDOM)


def test_one_sided_games_are_refused_by_name() -> None:
    with pytest.raises(RatingError, match="mean-score"):
        BradleyTerry().rate(Ledger([row("a", placements={(0,): 3})]), RANDOM)


def test_ties_too_many_to_enumerate_are_refused() -> None:
    sides = [f"p{i}" for i in range(20)]
    with pytest.raises(RatingError, match="20 sides"):
        BradleyTerry().rate(Ledger([row(*sides, placements={(0,) * 10 + (1,) * 10: 1})]), RANDOM)


def test_a_fit_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STEPS", 2)
    with pytest.raises(RatingError, match="did not converge in 2 steps"):
        fit(Ledger(MIXED["teams"]), RANDOM)


GAMES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["a", "b", "c", "d", "random"]), st.sampled_from([0, 1, 2])),
    min_size=1,
    max_size=25,
)


def _rows(games: Sequence[tuple[str, str, int]], paired: bool) -> list[MatchResult]:
    return [duel(a, b, int(out == 0), int(out == 1), int(out == 2), paired) for a, b, out in games]


@settings(max_examples=60, deadline=None)
@given(GAMES, st.permutations("abcd"))
def test_names_make_no_difference(games: list[tuple[str, str, int]], names: list[str]) -> None:
    new = dict(zip("abcd", names, strict=True)) | {"random": "random"}
    before = BradleyTerry().rate(Ledger(_rows(games, False)), RANDOM)
    after = BradleyTerry().rate(Ledger(_rows([(new[a], new[b], out) for a, b, out in games], False)), RANDOM)
    for policy, rating in before.items():
        assert after[new[policy]].value == pytest.approx(rating.value, abs=1e-3)
        assert after[new[policy]].low == pytest.approx(rating.low, abs=1e-2)


@settings(max_examples=60, deadline=None)
@given(GAMES)
def test_order_makes_no_difference(games: list[tuple[str, str, int]]) -> None:
    rows = _rows(games, False)
    assert BradleyTerry().rate(Ledger(rows), RANDOM) == BradleyTerry().rate(Ledger(rows[::-1]), RANDOM)


@settings(max_examples=60, deadline=None)
@given(GAMES, st.sampled_from("ab"))
def test_a_win_more_never_narrows_the_lead_over_the_loser(games: list[tuple[str, str, int]], winner: str) -> None:
    # Paired games without draws: seat and draw terms may take credit for a win, so there it holds only on the whole.
    loser = "b" if winner == "a" else "a"
    decided = [(a, b, 0 if out == 1 else out) for a, b, out in games if a != b]
    rows = [*_rows(decided, True), duel("a", "random", 1, 0, 1, paired=True), duel("b", "random", 1, 0, 1, paired=True)]
    before = BradleyTerry().rate(Ledger(rows), RANDOM)
    after = BradleyTerry().rate(Ledger([*rows, duel(winner, loser, 1, 0, 0, paired=True)]), RANDOM)
    lead = before[winner].value - before[loser].value
    assert after[winner].value - after[loser].value > lead
