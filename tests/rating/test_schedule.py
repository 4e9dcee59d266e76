"""Which matches are played next: newcomers meet many, few games each, and then whatever pair is most in doubt."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pytest
from builders import duel, row, snapshot

from league.errors import RatingError
from league.rating.core import RosterFacts
from league.rating.ledger import Floats, Ledger
from league.rating.payoff import Payoff
from league.rating.prediction.fitted_payoff import fitted_payoff
from league.rating.prediction.forecast import Forecast, forecast, pair_games
from league.rating.prediction.pairs import Pairs
from league.rating.schedule import (
    ENOUGH,
    ENOUGH_WITH_ANCHOR,
    FEWEST_OPPONENTS,
    LEADER_AGAINST_RANDOM,
    LEADER_ENOUGH,
    MOST_OPPONENTS,
    RatedMatch,
    next_matches,
    next_one_sided,
)
from league.records import MatchResult, Post, Rating, Snapshot

TWO = (Post(0, "any", (0,)), Post(1, "any", (1,)))
THREE = (*TWO, Post(2, "any", (2,)))
HUNT = (Post(0, "fox", (0,)), Post(1, "hen", (1,)))
TEAMS = (Post(0, "back", (0,)), Post(0, "front", (1,)), Post(1, "back", (2,)), Post(1, "front", (3,)))

RANDOM = snapshot("random", 0, "anchor")
ONE_PLY = snapshot("one-ply", 0, "anchor")


def _line(count: int) -> list[Snapshot]:
    """Random play and `count` snapshots, each the parent of the next: s0, s1, …"""
    return [RANDOM, *(snapshot(f"s{n}", n, parent=f"s{n - 1}" if n else None) for n in range(count))]


def _known(
    roster: Sequence[Snapshot],
    newcomers: Iterable[str] = (),
    games: float = 16.0,
    doubt: Mapping[tuple[str, str], float] | None = None,
) -> Forecast:
    """Everybody has played `games` games with everybody, except the newcomers; strength grows with the index.

    Newcomers are in no doubt, so that only their being new brings them matches.
    """
    count, place = len(roster), {one.id: i for i, one in enumerate(roster)}
    new = np.array([one.id in set(newcomers) for one in roster])
    played = np.where(new[:, None] | new, 0.0, games)
    np.fill_diagonal(played, 0.0)
    strength = 8.0 * np.arange(count) / count
    unsure = np.where(new[:, None] | new, 0.0, 0.05)
    for (a, b), value in (doubt or {}).items():
        unsure[place[a], place[b]] = unsure[place[b], place[a]] = value
    return Forecast(played, 1.0 / (1.0 + np.exp(strength - strength[:, None])), unsure)


def _pair_games(results: Sequence[MatchResult], ids: Sequence[str]) -> Floats:
    ledger = Ledger(results)
    return pair_games(Pairs.of(ledger), ledger.ids, ids)


def _wanted(
    matches: int, roster: Sequence[Snapshot], known: Forecast, posts: Sequence[Post] = TWO, seed: int = 0
) -> tuple[RatedMatch, ...]:
    return next_matches(roster, known, matches, 16, posts, np.random.default_rng(seed))


def _met(matches: Sequence[RatedMatch], policy: str) -> list[str]:
    """Everybody whom `policy` meets, in order."""
    return [other for match in matches if policy in match.lineup for other in match.lineup if other != policy]


def _games(matches: Iterable[RatedMatch]) -> dict[frozenset[str], int]:
    found: Counter[frozenset[str]] = Counter()
    for match in matches:
        found[frozenset(match.lineup)] += match.games
    return dict(found)


# Leaders


def test_the_best_meets_random_play_until_its_rating_is_known() -> None:
    roster = _line(20)
    rng = np.random.default_rng(0)
    best = frozenset(("random", "s7"))
    found = next_matches(roster, _known(roster, ["s19"]), 200, 16, TWO, rng, ["s7"])
    assert _games(found)[best] == LEADER_AGAINST_RANDOM * 200 * 16
    known = _known(roster)
    known.games[0, 8] = known.games[8, 0] = LEADER_ENOUGH - 32
    assert _games(next_matches(roster, known, 200, 16, TWO, rng, ["s7"]))[best] == 32


# Newcomers


def test_in_a_small_roster_a_newcomer_meets_everybody() -> None:
    roster = _line(20)
    found = _wanted(40, roster, _known(roster, ["s19"]))
    assert _met(found, "s19")[:2] == ["random", "s18"]
    assert set(_met(found, "s19")) == {one.id for one in roster[:-1]}
    assert sum(match.games for match in found) == 40 * 16


def test_everybody_has_met_everybody_after_a_small_roster_has_grown() -> None:
    roster, results = _line(12), list[MatchResult]()
    for size in range(2, len(roster) + 1):
        known = Forecast(_pair_games(results, [one.id for one in roster[:size]]), *np.full((2, size, size), 0.5))
        for match in _wanted(30, roster[:size], known, seed=size):
            results.append(duel(*match.lineup, match.games // 2, 0, match.games // 2))
    games = _pair_games(results, [one.id for one in roster])
    assert (games + 16 * np.eye(len(roster)) >= 16).all()


def test_the_first_opponents_are_the_anchors_the_parent_and_the_latest() -> None:
    roster = [RANDOM, ONE_PLY, *_line(9)[1:], snapshot("branch", 9, parent="s3")]
    known = _known(roster, ["branch"])
    assert _met(_wanted(4, roster, known), "branch") == ["random", "one-ply", "s3", "s8"]


def test_new_anchors_meet_each_other_once() -> None:
    roster = [RANDOM, ONE_PLY, *_line(4)[1:]]
    found = _wanted(40, roster, _known(roster, ["random", "one-ply", "s3"]))
    assert found[0] == RatedMatch(("one-ply", "random"), 16)
    later = _wanted(40, roster, _known(roster, ["s3"]))
    assert _met(later, "s3")[:2] == ["random", "one-ply"]
    assert frozenset(("random", "one-ply")) not in _games(later)


def test_newcomers_take_turns_so_that_few_matches_connect_all() -> None:
    roster = _line(30)
    found = _wanted(3, roster, _known(roster, ["s27", "s28", "s29"]))
    assert [match.lineup for match in found] == [("s27", "random"), ("s28", "random"), ("s29", "random")]


def test_two_newcomers_meet_once() -> None:
    roster = _line(6)
    found = _wanted(20, roster, _known(roster, ["s4", "s5"], doubt={("s0", "s1"): 0.5}))
    assert _games(found)[frozenset(("s4", "s5"))] == 16


@pytest.mark.parametrize("count", [200, 1000])
def test_in_a_large_roster_a_newcomer_meets_some_of_every_age(count: int) -> None:
    roster = _line(count)
    newest = roster[-1].id
    most = int(MOST_OPPONENTS * math.log2(len(roster)))
    met = _met(_wanted(2 * most, roster, _known(roster, [newest])), newest)
    assert len(met) == len(set(met)) == most + 1
    assert met[:2] == ["random", roster[-2].id]
    ages = np.sort([int(policy[1:]) for policy in met[1:]])
    # Half of them are drawn one from each of equal strata, so two neighbours are less than two strata apart.
    assert np.diff([0, *ages, count]).max() < 2 * count / (most // 2 - 1)


def test_a_roster_costs_matches_in_proportion_to_n_log_n() -> None:
    cost = []
    for count in (250, 500, 1000):
        roster = _line(count)
        found = _wanted(1000, roster, _known(roster, [roster[-1].id]))
        cost.append(count * len(_met(found, roster[-1].id)))
    growth = [1000 * math.log2(1001) / (250 * math.log2(251)), cost[2] / cost[0]]
    assert growth[1] == pytest.approx(growth[0], rel=0.02)


def test_on_a_small_budget_opponents_are_still_spread_over_the_history() -> None:
    roster = _line(100)
    for seed in range(10):
        met = _met(_wanted(FEWEST_OPPONENTS, roster, _known(roster, ["s99"]), seed=seed), "s99")
        assert len(met) == FEWEST_OPPONENTS
        ages = [int(policy[1:]) for policy in met[2:]]
        assert min(ages) < 50 <= max(ages)


def test_half_of_a_selection_differs_by_payoff_profile() -> None:
    """Of 300 snapshots one loses to everybody whom the others beat: no stratum of age finds it for sure."""
    roster = _line(300)
    known = _known(roster, ["s299"])
    odd = 123
    score = np.full_like(known.score, 0.5)
    score[odd, ::2], score[::2, odd], score[odd, 1::2], score[1::2, odd] = 0.1, 0.9, 0.9, 0.1
    known = Forecast(known.games, score, known.doubt)
    for seed in range(10):
        assert roster[odd].id in _met(_wanted(20, roster, known, seed=seed), "s299")


def test_few_matches_between_snapshots_and_newcomers_leave_some_for_doubt() -> None:
    roster = _line(100)
    found = _wanted(40, roster, _known(roster, ["s99"], doubt={("s1", "s2"): 0.4}))
    assert len(_met(found, "s99")) == 24
    assert frozenset(("s1", "s2")) in _games(found)


# Pairs in doubt


def test_repeats_go_to_the_pair_that_is_most_in_doubt() -> None:
    roster = _line(10)
    (found,) = (
        one for one in _wanted(4, roster, _known(roster, doubt={("s3", "s7"): 0.9})) if "random" not in one.lineup
    )
    assert found == RatedMatch(("s7", "s3"), found.games)
    assert found.games >= 16


def test_doubt_shrinks_with_the_games_chosen() -> None:
    """At 0.5 each, variance 0.25: doubt 0.1 becomes 0.1 / sqrt(1 + 0.01 * 16 / 0.25) = 0.078 after one match."""
    roster = _line(3)
    doubt = {("s0", "s1"): 0.1, ("s1", "s2"): 0.079, ("s0", "s2"): 0.077}
    known = _known(roster, doubt=doubt | {("random", f"s{n}"): 0.01 for n in range(3)})
    known = Forecast(known.games, np.full_like(known.score, 0.5), known.doubt)
    order = [_games(_wanted(matches, roster, known)) for matches in (1, 2, 3, 4)]
    first, second, third = (frozenset(pair) for pair in doubt)
    assert order[0] == {first: 16}
    assert order[1] == {first: 16, second: 16}
    assert order[2] == {first: 32, second: 16}
    assert order[3] == {first: 32, second: 16, third: 16}


def test_a_pair_with_enough_games_is_left_alone() -> None:
    roster = _line(2)
    found = _games(_wanted(1000, roster, _known(roster, games=368)))
    assert found == {frozenset(pair): 32 for pair in (("s0", "s1"), ("random", "s0"), ("random", "s1"))}
    assert _wanted(1000, roster, _known(roster, games=ENOUGH)) == ()


def test_a_scripted_anchor_has_enough_sooner_than_random_play() -> None:
    roster = [RANDOM, ONE_PLY, snapshot("s0", 0)]
    found = _games(_wanted(1000, roster, _known(roster)))
    assert found == {frozenset(("random", "s0")): ENOUGH - 16, frozenset(("one-ply", "s0")): ENOUGH_WITH_ANCHOR - 16}


def test_one_lineup_is_named_once_with_all_its_games() -> None:
    roster = _line(8)
    found = _wanted(300, roster, _known(roster, ["s7"]))
    assert len({frozenset(match.lineup) for match in found}) == len(found)
    assert sum(match.games for match in found) == 300 * 16
    assert all(match.games % 16 == 0 for match in found)


def test_nobody_plays_itself_and_no_budget_means_no_matches() -> None:
    roster = _line(5)
    assert all(len(set(match.lineup)) == 2 for match in _wanted(100, roster, _known(roster, ["s4"])))
    assert _wanted(0, roster, _known(roster, ["s4"])) == ()
    assert _wanted(9, roster[:1], _known(roster[:1])) == ()


def test_the_choice_is_a_function_of_its_arguments_and_the_generator() -> None:
    roster = _line(150)
    known = _known(roster, ["s148", "s149"])
    for posts in (TWO, THREE):
        assert _wanted(60, roster, known, posts, seed=4) == _wanted(60, roster, known, posts, seed=4)
        assert len({_wanted(60, roster, known, posts, seed=seed) for seed in range(5)}) == 5


def test_choosing_among_a_thousand_snapshots_takes_a_fraction_of_a_second() -> None:
    roster = _line(999)
    known = _known(roster, ["s998"])
    _wanted(120, roster, known)
    took = []
    for _ in range(3):
        began = time.process_time()
        _wanted(120, roster, known)
        took.append(time.process_time() - began)
    assert min(took) < 0.3  # about 0.05 on one idle core


# More sides, roles, teams


def test_between_three_sides_whoever_met_as_a_companion_has_met() -> None:
    roster = _line(15)
    found = _wanted(200, roster, _known(roster, ["s14"]), THREE)
    connecting = [match for match in found if "s14" in match.lineup]
    assert set(_met(connecting, "s14")) == {one.id for one in roster[:-1]}
    first = [match.lineup for match in found[:9]]
    assert set(first[0]) == {"s14", "random"}
    assert all(len(set(lineup)) == 3 for lineup in first[1:])


def test_beside_an_anchor_a_third_post_is_random_plays() -> None:
    roster = [RANDOM, ONE_PLY, *_line(5)[1:]]
    found = _wanted(12, roster, _known(roster, ["s4"]), THREE)
    assert {"one-ply", "s4", "random"} in [set(match.lineup) for match in found]
    assert not [match for match in found if "one-ply" in match.lineup and "random" not in match.lineup]


def test_between_more_than_two_sides_who_comes_after_whom_changes() -> None:
    """Lineups are only rotated: were the newcomer always just before whom it meets, its place would be part of it."""
    roster, after = _line(4), Counter[int]()
    for seed in range(40):
        second = _wanted(2, roster, _known(roster, ["s3"]), THREE, seed)[1].lineup
        after[(second.index("s2") - second.index("s3")) % 3] += 1
    assert sorted(after) == [1, 2]
    assert min(after.values()) > 8


def _hunters() -> list[Snapshot]:
    kinds = [("random/fox", 0, "anchor", "fox"), ("random/hen", 0, "anchor", "hen")]
    kinds += [
        ("f0", 0, "initial", "fox"),
        ("h0", 0, "initial", "hen"),
        ("f1", 1, "trained", "fox"),
        ("h1", 1, "trained", "hen"),
    ]
    return [snapshot(id, n, origin, role, parent=f"{id[0]}0" if n else None) for id, n, origin, role in kinds]


def test_where_roles_differ_each_post_has_its_role_and_the_anchors_meet_once() -> None:
    roster = _hunters()
    found = _wanted(100, roster, _known(roster, [one.id for one in roster]), HUNT)
    assert found[0] == RatedMatch(("random/fox", "random/hen"), 16)
    role = {one.id: one.role for one in roster}
    assert all((role[fox], role[hen]) == ("fox", "hen") for fox, hen in (match.lineup for match in found))
    assert len(found) == 9  # every fox has met every hen
    assert sum(match.games for match in found) == 100 * 16


def test_newcomers_of_two_roles_meet_the_other_role() -> None:
    roster = _hunters()
    found = [match.lineup for match in _wanted(5, roster, _known(roster, ["f1", "h1"]), HUNT)]
    assert found == [("f1", "random/hen"), ("random/fox", "h1"), ("f1", "h1"), ("f1", "h0"), ("f0", "h1")]


def test_teammates_of_a_compared_pair_are_the_same_on_both_sides() -> None:
    roster = [snapshot(f"{role}{n}", n, role=role) for role in ("back", "front") for n in (1, 2, 3)]
    for lineup, _ in _wanted(30, roster, _known(roster, ["back3", "front3"]), TEAMS):
        same_back, same_front = lineup[0] == lineup[2], lineup[1] == lineup[3]
        assert [policy[:-1] for policy in lineup] == ["back", "front", "back", "front"]
        # Two of one role are compared with equal company; a front against a back of the other side is no such pair.
        assert not (same_back and same_front)


def test_a_role_that_nobody_plays_is_named() -> None:
    with pytest.raises(RatingError, match="'hen'"):
        _wanted(1, _hunters()[:1], _known(_hunters()[:1]), HUNT)
    with pytest.raises(RatingError, match="'hen'"):
        next_one_sided(_hunters()[:1], {}, 1, 16, (Post(0, "hen", (0,)),))


# One side


def _rating(value: float, half: float) -> Rating:
    return Rating(value, value - half, value + half, 100)


def test_one_sided_newcomers_play_alone_and_then_the_widest_interval() -> None:
    ratings = {"random": _rating(-20.0, 1.0), "s0": _rating(-15.0, 9.0), "s1": _rating(-9.0, 2.0)}
    found = next_one_sided(_line(4), ratings, 4, 10, TWO[:1])
    assert found == (RatedMatch(("s2",), 10), RatedMatch(("s3",), 10), RatedMatch(("s0",), 20))


def test_one_sided_companions_of_one_round_play_together() -> None:
    posts = (Post(0, "fox", (0,)), Post(0, "hen", (1,)))
    found = next_one_sided(_hunters(), {}, 9, 10, posts)
    assert [match.lineup for match in found] == [("random/fox", "random/hen"), ("f0", "h0"), ("f1", "h1")]


# What is known about pairs


def test_the_games_of_pairs_are_those_of_the_payoff() -> None:
    results = [
        duel("a", "b", 3, 2, 1),
        duel("b", "a", 4, 0, 0),
        row("c", "a", "b", placements={(0, 1, 2): 5, (1, 0, 1): 2}),
        row("a c", "b b", placements={(0, 1): 3, (0, 0): 4}),
        row("a b", "a c", placements={(1, 0): 6}),
    ]
    ids, payoff = ["c", "b", "a", "stranger"], Payoff(results)
    games = _pair_games(results, ids)
    assert games.tolist() == [[payoff.games(one, other) for other in ids] for one in ids]
    assert _pair_games(results, ["c", "b"])[0, 1] == games[0, 1]


def _forecast(roster: Sequence[Snapshot], results: Sequence[MatchResult]) -> Forecast:
    ledger, parents = Ledger(results), {one.id: one.parent for one in roster if one.parent}
    return forecast(roster, fitted_payoff(ledger, frozenset({"random"}), RosterFacts(parents=parents)))


def test_the_forecast_is_the_payoff_models_and_a_newcomer_is_like_its_parent() -> None:
    roster = [*_line(3), snapshot("orphan", 9)]
    known = _forecast(roster, [duel("s1", "s0", 90, 0, 10), duel("s0", "random", 90, 0, 10)])
    assert known.score[2, 1] == pytest.approx(0.9, abs=0.05)
    np.testing.assert_allclose(known.score + known.score.T, 1.0)
    np.testing.assert_array_equal(known.score[3, :3], known.score[2, :3])  # s2 has not played; its parent is s1
    assert (known.score[4] == 0.5).all()
    assert known.games[2, 1] == 100
    assert known.doubt[3, 0] == known.doubt[4, 2] == known.doubt.max()
    empty = forecast(roster, None)
    assert (empty.games.any(), set(empty.score.flat)) == (False, {0.5})


def test_a_pair_with_games_is_less_in_doubt_than_one_that_never_met() -> None:
    roster = _line(4)
    results = [duel(a.id, b.id, 50, 0, 50) for i, a in enumerate(roster) for b in roster[i + 1 :]]
    known = _forecast(roster, [one for one in results if set(one.policies) != {"s1", "s3"}])
    pairs = np.triu_indices(len(roster), 1)
    unmet = known.games[pairs] == 0
    assert unmet.sum() == 1
    assert known.doubt[pairs][unmet] > known.doubt[pairs][~unmet].max()


def _even_but_for(one: str, other: str, a: str, b: str) -> tuple[int, int, int]:
    """Won, drawn, lost: much is known against random play, whose doubt counts more."""
    return (31, 0, 1) if (a, b) == (one, other) else (160, 0, 160) if "random" in (a, b) else (16, 0, 16)


def test_doubt_about_a_score_against_random_play_counts_more() -> None:
    roster = _line(3)
    known = _known(roster, doubt={("s0", "s1"): 0.1, ("random", "s2"): 0.05})
    known = Forecast(known.games, np.full_like(known.score, 0.5), np.where(known.doubt >= 0.05, known.doubt, 0.01))
    assert _games(_wanted(1, roster, known)) == {frozenset(("random", "s2")): 16}


def test_repeats_go_to_the_pair_whose_games_contradict_the_prediction() -> None:
    """Five policies of equal strength but for one pair, of which one wins nearly always."""
    roster = _line(5)
    results = [
        duel(a.id, b.id, *_even_but_for("s1", "s3", a.id, b.id)) for i, a in enumerate(roster) for b in roster[i + 1 :]
    ]
    known = _forecast(roster, results)
    found = next_matches(roster, known, 30, 16, TWO, np.random.default_rng(1))
    first = next(match for match in found if "random" not in match.lineup)
    assert set(first.lineup) == {"s1", "s3"}
