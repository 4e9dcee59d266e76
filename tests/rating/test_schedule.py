"""Which matches are played next: newcomers are tied in first, then what tells most; roles and sides are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from builders import duel, row, snapshot

from league.errors import RatingError
from league.rating.ledger import Ledger
from league.rating.schedule import next_matches
from league.records import MatchResult, Post, Rating, Snapshot

TWO = (Post(0, "any", (0,)), Post(1, "any", (1,)))
THREE = (*TWO, Post(2, "any", (2,)))
HUNT = (Post(0, "fox", (0,)), Post(1, "hen", (1,)))
TEAMS = (Post(0, "back", (0,)), Post(0, "front", (1,)), Post(1, "back", (2,)), Post(1, "front", (3,)))

ROSTER = [
    snapshot("random", 0, "anchor"),
    snapshot("i", 0, "initial"),
    snapshot("a", 1, parent="i"),
    snapshot("b", 2, parent="a"),
    snapshot("c", 3, parent="b"),
]
PLAYED = [duel("i", "random", 9, 0, 9), duel("a", "random", 9, 0, 1), duel("b", "a", 9, 0, 5), duel("b", "i", 9, 0, 5)]


def _rating(value: float, half: float = 50.0) -> Rating:
    return Rating(value, value - half, value + half, 100)


RATINGS = {"random": _rating(0.0), "i": _rating(20.0), "a": _rating(400.0), "b": _rating(500.0)}


def _wanted(
    matches: int,
    snapshots: Sequence[Snapshot] = ROSTER,
    results: Sequence[MatchResult] = PLAYED,
    ratings: dict[str, Rating] = RATINGS,
    posts: Sequence[Post] = TWO,
    seed: int = 0,
) -> list[tuple[str, ...]]:
    return list(
        next_matches(snapshots, Ledger(results), ratings, matches * 10 + 9, 10, posts, np.random.default_rng(seed))
    )


def test_a_newcomer_meets_the_anchor_then_its_parent_then_its_neighbours() -> None:
    assert _wanted(4) == [("c", "random"), ("c", "b"), ("c", "a"), ("c", "i")]


def test_a_newcomer_meets_the_best_where_that_is_not_its_parent() -> None:
    orphan = snapshot("d", 4, parent="i")
    assert _wanted(3, [*ROSTER[:4], orphan]) == [("d", "random"), ("d", "i"), ("d", "b")]


def test_newcomers_take_turns_so_that_a_small_budget_ties_in_all() -> None:
    newer = snapshot("d", 4, parent="c")
    assert _wanted(3, [*ROSTER, newer]) == [("c", "random"), ("d", "random"), ("c", "b")]


def test_the_budget_holds() -> None:
    assert _wanted(0) == []
    assert len(_wanted(25)) == 25


def test_what_is_uncertain_and_undecided_is_played_most() -> None:
    close = {name: _rating(1000.0, 20.0) for name in "ab"} | {"c": _rating(1000.0, 400.0), "i": _rating(-1500.0, 20.0)}
    met = [duel(x, y, 5, 0, 5) for x in "abci" for y in "abci" if x < y] + [duel(x, "random", 9, 0, 0) for x in "abci"]
    seated = Counter(policy for lineup in _wanted(4, results=met, ratings=close) for policy in lineup)
    assert seated["c"] == 4
    assert seated["i"] == 0


def test_a_match_chosen_lessens_the_doubt_that_it_was_chosen_for() -> None:
    wide = {name: _rating(1000.0, 300.0) for name in "iabc"}
    met = [duel(x, y, 5, 0, 5) for x in "abci" for y in "abci" if x < y] + [duel(x, "random", 9, 0, 0) for x in "abci"]
    seated = Counter(policy for lineup in _wanted(2, results=met, ratings=wide) for policy in lineup)
    assert set(seated.values()) == {1}


def test_of_equal_pairs_one_that_never_met_goes_first() -> None:
    alike = {name: _rating(700.0) for name in "iabc"}
    met = [duel(x, y, 5, 0, 5) for x in "abci" for y in "abci" if x < y and (x, y) != ("a", "c")]
    assert set(_wanted(1, ROSTER[1:], met, alike)[0]) == {"a", "c"}


def test_nobody_plays_against_itself_and_anchors_not_among_themselves() -> None:
    for lineup in _wanted(40):
        assert lineup[0] != lineup[1]


def test_a_lone_policy_meets_the_anchor() -> None:
    assert _wanted(1, ROSTER[:2], [], {}) == [("i", "random")]
    assert _wanted(3, ROSTER[:1], [], {}) == []


def test_the_choice_is_a_function_of_its_arguments_and_the_generator() -> None:
    assert _wanted(12, posts=THREE, seed=4) == _wanted(12, posts=THREE, seed=4)
    assert len({tuple(_wanted(12, posts=THREE, seed=seed)) for seed in range(5)}) > 1


def test_a_third_post_beside_an_anchor_is_an_anchors_and_else_somebody_elses() -> None:
    first, second, *rest = _wanted(10, posts=THREE)
    assert sorted(first) == ["c", "random", "random"]
    assert len(set(second)) == 3
    assert all(len(lineup) == 3 for lineup in rest)


ONE_PLY = snapshot("one-ply", 0, "anchor")


def test_a_newcomer_meets_every_anchor_and_the_anchors_each_other_once() -> None:
    roster = [ROSTER[0], ONE_PLY, *ROSTER[1:]]
    assert _wanted(4, roster) == [("random", "one-ply"), ("c", "random"), ("c", "one-ply"), ("c", "b")]
    met = [*PLAYED, duel("one-ply", "random", 9, 0, 1)]
    lineups = _wanted(40, roster, met, RATINGS | {"one-ply": _rating(300.0, 500.0)})
    assert lineups[:3] == [("c", "random"), ("c", "one-ply"), ("c", "b")]
    assert not [lineup for lineup in lineups if set(lineup) == {"random", "one-ply"}]


def test_an_anchor_whose_rating_is_open_is_met_again() -> None:
    met = [duel(x, y, 5, 0, 5) for x in "abci" for y in "abci" if x < y]
    met += [duel(x, y, 5, 0, 5) for x in "abci" for y in ("random", "one-ply")] + [duel("one-ply", "random", 9, 0, 1)]
    ratings = {name: _rating(500.0, 20.0) for name in "abci"} | {"random": _rating(500.0, 0.0)}
    roster = [ROSTER[0], ONE_PLY, *ROSTER[1:]]
    assert "one-ply" in _wanted(1, roster, met, ratings | {"one-ply": _rating(500.0, 400.0)})[0]
    assert "one-ply" not in _wanted(1, roster, met, ratings | {"one-ply": _rating(2500.0, 400.0)})[0]


def test_beside_an_anchor_a_third_post_is_random_plays() -> None:
    roster = [ROSTER[0], ONE_PLY, *ROSTER[1:]]
    lineups = _wanted(12, roster, posts=THREE)
    # Who comes after whom changes from match to match.
    assert set(lineups[2]) == {"c", "one-ply", "random"}
    assert not [lineup for lineup in lineups if "one-ply" in lineup and not {"random"} & set(lineup)]


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
    lineups = _wanted(20, roster, [], {}, HUNT)
    assert lineups[0] == ("random/fox", "random/hen")
    assert lineups.count(("random/fox", "random/hen")) == 1
    role = {one.id: one.role for one in roster}
    assert all((role[fox], role[hen]) == ("fox", "hen") for fox, hen in lineups)
    assert {("f1", "random/hen"), ("random/fox", "h1")} <= set(lineups[:5])


def test_newcomers_of_two_roles_meet_the_other_roles_best() -> None:
    ratings = {"f0": _rating(100.0), "h0": _rating(100.0), "random/fox": _rating(0.0), "random/hen": _rating(0.0)}
    results = [row("f0", "h0", placements={(0, 1): 1}), row("random/fox", "random/hen", placements={(0, 1): 1})]
    assert _wanted(4, _hunters(), results, ratings, HUNT) == [
        ("f1", "random/hen"),
        ("random/fox", "h1"),
        ("f1", "h0"),
        ("f0", "h1"),
    ]


def test_teammates_of_a_compared_pair_are_the_same_on_both_sides() -> None:
    roster = [snapshot(f"{role}{n}", n, role=role) for role in ("back", "front") for n in (1, 2, 3)]
    results = [row(" ".join(["back1", f"front{n}"]), f"back{n} front1", placements={(0, 1): 1}) for n in (1, 2, 3)]
    ratings = {one.id: _rating(100.0) for one in roster if one.id != "back3"}
    for lineup in _wanted(10, roster, results, ratings, TEAMS):
        same_back, same_front = lineup[0] == lineup[2], lineup[1] == lineup[3]
        assert [policy[:-1] for policy in lineup] == ["back", "front", "back", "front"]
        # Two of one role are compared with equal company; a front against a back of the other side is no such pair.
        assert not (same_back and same_front)


def test_a_role_that_nobody_plays_is_named() -> None:
    with pytest.raises(RatingError, match="'hen'"):
        _wanted(1, _hunters()[:1], [], {}, HUNT)


def test_one_sided_newcomers_play_alone_and_then_the_widest_interval() -> None:
    ratings = {"random": _rating(-20.0, 1.0), "i": _rating(-15.0, 9.0), "a": _rating(-9.0, 2.0)}
    results = [row(name, placements={(0,): 10}) for name in ratings]
    assert _wanted(4, ROSTER, results, ratings, TWO[:1]) == [("b",), ("c",), ("i",), ("i",)]


def test_one_sided_companions_of_one_round_play_together() -> None:
    posts = (Post(0, "fox", (0,)), Post(0, "hen", (1,)))
    assert _wanted(9, _hunters(), [], {}, posts) == [("random/fox", "random/hen"), ("f0", "h0"), ("f1", "h1")]


def test_between_more_than_two_sides_who_comes_after_whom_changes() -> None:
    """Lineups are only rotated: were the newcomer always just before whom it meets, its place would be part of it."""
    after = Counter()
    for seed in range(40):
        (_, second) = _wanted(2, posts=THREE, seed=seed)
        after[(second.index("b") - second.index("c")) % 3] += 1
    assert sorted(after) == [1, 2]
    assert min(after.values()) > 8
