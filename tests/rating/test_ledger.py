"""The ledger as columns: it gives back what was put in, and how much came at once makes no difference."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from builders import RANDOM, duel, row
from hypothesis import given, settings
from hypothesis import strategies as st

from league.errors import RatingError
from league.rating.core import META_GAMES, RATINGS, make_rating
from league.rating.ledger import Ledger, MatchRow
from league.rating.mean_score import MeanScore
from league.rating.standings import records
from league.records import MatchResult, PolicyId, Rating

POLICIES = st.sampled_from(["random", "a", "b", "c"])


def _game(sides: int, size: int) -> st.SearchStrategy[MatchResult]:
    posts = sides * size
    patterns = st.lists(st.integers(0, sides - 1), min_size=sides, max_size=sides).map(_ranks)
    scores = st.tuples(*[st.floats(-9, 9)] * posts)
    return st.builds(
        lambda names, placements, paired, sums: row(
            *(" ".join(names[side * size : (side + 1) * size]) for side in range(sides)),
            placements=placements,
            paired=paired,
            scores=sums,
            squares=tuple(abs(one) for one in sums),
        ),
        st.lists(POLICIES, min_size=posts, max_size=posts),
        st.dictionaries(patterns, st.integers(1, 5), min_size=1, max_size=3),
        st.booleans(),
        scores,
    )


def _ranks(order: list[int]) -> tuple[int, ...]:
    """Any numbers as ranks: how many sides came before."""
    return tuple(sum(other < one for other in order) for one in order)


MIXED = st.lists(st.one_of(_game(2, 1), _game(2, 2), _game(3, 1)), min_size=1, max_size=8)


def _state(ledger: Ledger) -> list[object]:
    """All that rating systems can see, to the bit."""
    tables = [
        (
            t.sizes,
            t.paired,
            t.patterns,
            *(a.tolist() for a in (t.members, t.counts, t.episodes, t.score_sum, t.score_sq)),
        )
        for t in ledger.tables
    ]
    return [ledger.ids, ledger.games, list(ledger.rows()), tables]


@settings(max_examples=600)
@given(MIXED, st.lists(st.integers(0, 8), max_size=3))
def test_how_many_rows_come_at_once_makes_no_difference(rows: list[MatchResult], cuts: list[int]) -> None:
    whole, grown = Ledger(rows), Ledger()
    for start, end in pairwise([0, *sorted(cuts), max([len(rows), *cuts])]):
        grown.extend(rows[start:end])
    assert _state(grown) == _state(whole)


def test_lineups_that_all_came_before_may_come_again_alone() -> None:
    first, second = row("a", "b", placements={(0, 1): 1}), row("a", "c", placements={(1, 0): 1})
    grown = Ledger([first, second])
    grown.extend([first, first])
    assert _state(grown) == _state(Ledger([first, second, first, first]))


@given(MIXED)
def test_its_rows_are_those_that_were_put_in(rows: list[MatchResult]) -> None:
    assert list(Ledger(rows).rows()) == [MatchRow(one.lineup, one.placements, one.paired) for one in rows]
    assert list(Ledger(rows).rows(since=2)) == list(Ledger(rows[2:]).rows())


@given(MIXED)
def test_its_sums_are_those_of_the_rows(rows: list[MatchResult]) -> None:
    ledger = Ledger(rows)
    names = sorted(ledger.ids)
    games = {name: sum(one.games for one in rows if name in one.policies) for name in names}
    assert (len(ledger), ledger.games) == (len(rows), sum(one.games for one in rows))
    assert ledger.games_played() == games
    number = {name: i for i, name in enumerate(ledger.ids)}
    for allies in (False, True):
        met = ledger.played_together(allies)
        for a in names:
            for b in names:
                assert met[number[a], number[b]] == any(_together(one, a, b, allies) for one in rows)


@settings(max_examples=200)
@given(MIXED, st.integers(0, 8), st.sets(POLICIES))
def test_without_some_policies_it_is_the_ledger_of_the_other_matches_also_as_it_grows(
    rows: list[MatchResult], cut: int, gone: set[PolicyId]
) -> None:
    def others(results: list[MatchResult]) -> list[MatchResult]:
        return [one for one in results if gone.isdisjoint(one.policies)]

    whole, grown = Ledger(rows).without(gone), Ledger(rows[:cut]).without(gone)
    grown.extend(others(rows[cut:]))
    for found in (whole, grown):
        assert list(found.rows()) == list(Ledger(others(rows), scored=False).rows())
        assert found.ids == Ledger(others(rows)).ids
        assert found.games_played() == Ledger(others(rows)).games_played()
    assert [one.patterns for one in grown.tables] == [one.patterns for one in whole.tables]


def _together(one: MatchResult, a: PolicyId, b: PolicyId, allies: bool) -> bool:
    posts = [(side, policy) for side, policies in enumerate(one.lineup) for policy in policies]
    return any({p, q} == {a, b} and (allies or s != t) for i, (s, p) in enumerate(posts) for (t, q) in posts[:i])


@pytest.mark.parametrize("name", [name for name in RATINGS if name not in META_GAMES])
@settings(max_examples=15, deadline=None)
@given(rows=MIXED, cut=st.integers(0, 8))
def test_rating_as_the_ledger_grows_ends_where_rating_it_at_once_does(
    name: str, rows: list[MatchResult], cut: int
) -> None:
    model, grown = make_rating(name), Ledger(rows[:cut])
    model.rate(grown, RANDOM)
    grown.extend(rows[cut:])
    assert model.rate(grown, RANDOM) == make_rating(name).rate(Ledger(rows), RANDOM)


@given(MIXED)
def test_records_are_exact_in_any_order(rows: list[MatchResult]) -> None:
    assert records(Ledger(rows)) == records(Ledger(rows[::-1]))


def test_a_long_ledger_is_handed_out_in_stretches_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("league.rating.ledger.CHUNK", 3)
    rows = [duel("a", "b", 1, 0, 0), duel("a", "c", 1, 0, 0), row("a", "b", "c", placements={(0, 1, 2): 1})]
    ledger = Ledger([*rows, *rows[::-1], rows[0]])
    assert [len(outcomes) for _, _, outcomes in ledger.chunks()] == [2, 1, 1, 2, 1]
    assert [one.lineup for one in ledger.rows()] == [one.lineup for one in [*rows, *rows[::-1], rows[0]]]


def test_scores_that_were_not_kept_are_asked_for() -> None:
    with pytest.raises(RatingError, match="without its scores"):
        MeanScore().rate(Ledger([duel("a", "b", 1, 0, 0)], scored=False), RANDOM)


class Winners:
    """A rating system of a user's own: who won more often than it lost, from the rows."""

    needs_scores = False

    def rate(self, ledger: Ledger, anchors: frozenset[PolicyId]) -> dict[PolicyId, Rating]:
        values = dict.fromkeys(ledger.ids, 0.0)
        for (first, second), placements, _ in ledger.rows():
            gain = float(np.sign(placements.get((0, 1), 0) - placements.get((1, 0), 0)))
            values[first[0]] += gain
            values[second[0]] -= gain
        return {policy: Rating(value, value, value, 1) for policy, value in values.items()}


def test_a_users_own_system_reads_the_rows() -> None:
    ratings = Winners().rate(
        Ledger([duel("a", "b", 3, 0, 1), duel("b", "c", 2, 0, 0), duel("c", "a", 0, 5, 0)]), RANDOM
    )
    assert {policy: rating.value for policy, rating in ratings.items()} == {"a": 1.0, "b": 0.0, "c": -1.0}
