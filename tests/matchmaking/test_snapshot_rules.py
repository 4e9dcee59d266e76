"""When learners are frozen by win rate, and which snapshots are evicted: time is covered; newest, first, best stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import log, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leagues import BOARD, SPEAKERS, TAG, league, result

from league.matchmaking.snapshot_rules import evictions, frozen_by_win_rate, gate_is_open, interval_is_over
from league.records import LeagueView, Snapshot, TrainingResult


def taken(rounds: Sequence[int]) -> list[Snapshot]:
    """Snapshots of one learner, called by their rounds."""
    return [
        Snapshot(
            id=str(round),
            role="player",
            learner="main",
            number=number,
            round=round,
            steps=100 * round,
            origin="trained" if number else "initial",
        )
        for number, round in enumerate(rounds)
    ]


def test_the_snapshot_whose_neighbours_are_the_least_apart_goes_first() -> None:
    # Six may stay, four are left. log((1 + next) / (1 + previous)) of 1, 2, 4, 8 and 16, which have two neighbours, is
    # log 3, log 5/2, log 3, log 17/5 and log 2: 16 goes. Of 8 it is log 18/5 then, and 2 goes; then of 1 log 5, of 4
    # log 9/2, and 8 goes.
    assert evictions(taken([0, 1, 2, 4, 8, 16, 17]), 6) == ["16", "2", "8"]


def test_nothing_is_evicted_as_long_as_there_are_no_more_than_the_limit() -> None:
    assert evictions(taken(range(100)), 100) == []
    assert len(evictions(taken(range(101)), 100)) == 35


rosters = st.lists(st.integers(1, 10_000), unique=True, min_size=1, max_size=60).map(lambda found: [0, *sorted(found)])


@given(rosters, st.integers(4, 40), st.data())
def test_the_first_the_newest_and_the_best_stay_and_the_limit_holds(rounds, most, data):
    snapshots = taken(rounds)
    best = data.draw(st.sampled_from(snapshots)).id
    gone = evictions(snapshots, most, [best])
    left = [one.id for one in snapshots if one.id not in gone]
    assert len(set(gone)) == len(gone)
    assert set(gone) <= {one.id for one in snapshots}
    assert len(left) <= most
    assert {snapshots[0].id, snapshots[-1].id, best} <= set(left)
    assert evictions(snapshots, most, [best]) == gone
    assert evictions([one for one in snapshots if one.id in left], most, [best]) == [], "it is done with at once"


def pool_after(rounds: Sequence[int], most: int) -> tuple[list[Snapshot], int]:
    """The pool of a run that takes its snapshots in these rounds, and how many it had at most."""
    pool, largest = list[Snapshot](), 0
    for one in taken(rounds):
        pool.append(one)
        gone = set(evictions(pool, most))
        pool = [other for other in pool if other.id not in gone]
        largest = max(largest, len(pool))
    return pool, largest


@pytest.mark.parametrize("growth", [0.0, 0.01])
def test_a_long_run_keeps_snapshots_of_its_whole_history(growth: float) -> None:
    rounds = [0]
    for number in range(1, 10_001):
        if interval_is_over(number, rounds[-1], 5, growth):
            rounds.append(number)
    pool, largest = pool_after(rounds, 100)
    assert largest == 100
    assert 66 <= len(pool) <= 100
    assert pool[0].round == 0
    assert [one.round for one in pool[-16:]] == rounds[-16:], "the newest are together, as they were taken"
    # Evenly over the logarithm of time, 50 snapshots from round 5 to round 10,000 are 0.15 apart.
    assert max(log1p(b.round) - log1p(a.round) for a, b in pairwise(pool[1:])) < max(0.45, log(11 / 6) + 1e-9)
    for begin in (10, 40, 160, 640, 2560):
        assert sum(begin < one.round <= 4 * begin for one in pool) >= 3


def test_a_gate_opens_by_strength_after_the_least_time_and_by_itself_after_the_most() -> None:
    assert gate_is_open(strong=True, least=True, most=False)
    assert gate_is_open(strong=False, least=True, most=True)
    assert not gate_is_open(strong=False, least=True, most=False)
    assert not gate_is_open(strong=True, least=False, most=True)


def before_round(number: int, *training: TrainingResult, sides: Sequence[Sequence[str]] = BOARD) -> LeagueView:
    """A league of two tables, whose last snapshots are of round 3."""
    return replace(league(sides, tables=2, training=training), round=number)


def test_learners_are_frozen_that_win_more_than_the_gate_against_the_pool() -> None:
    met = (
        result("main-0", "main-1.2", 0.9, round=5),
        result("main-1", "main-0.1", 0.6, round=5),
        result("main-1", "main-1.1", 0.7, round=6),
    )
    assert frozen_by_win_rate(before_round(9, *met), 0.7, timeout=50, every=5, growth=0.0) == ("main-0",)
    # 200.5 games and one that is drawn: 130.5 of 201 won, 0.649.
    assert frozen_by_win_rate(before_round(9, *met), 0.64, 50, 5, 0.0) == ("main-0", "main-1")
    assert frozen_by_win_rate(before_round(9, *met), 0.65, 50, 5, 0.0) == ("main-0",)
    assert frozen_by_win_rate(before_round(7, *met), 0.5, 50, 5, 0.0) == (), "the interval is not over"
    assert frozen_by_win_rate(before_round(9, *met), 0.5, 50, 5, 0.9) == (), "nor where it grows"


def test_only_games_against_the_pool_since_the_last_snapshot_count() -> None:
    old = result("main-0", "main-1.2", 1.0, round=3)
    live = result("main-0", "main-1", 1.0, round=5)
    lost = result("main-0", "main-1.0", 0.2, round=5)
    assert frozen_by_win_rate(before_round(9, old, live, lost), 0.5, 50, 5, 0.0) == ()
    assert frozen_by_win_rate(before_round(9, result("main-0", "main-1.2", 1.0, round=4)), 0.5, 50, 5, 0.0)


def test_games_from_before_a_learner_was_copied_over_do_not_count() -> None:
    view = before_round(12, result("main-0", "main-1.2", 1.0, round=5))
    copied = replace(view, learners=(replace(view.learners[0], exploited=8), view.learners[1]))
    assert frozen_by_win_rate(view, 0.5, 50, 5, 0.0) == ("main-0",)
    assert frozen_by_win_rate(copied, 0.5, 50, 5, 0.0) == ()


def test_after_the_timeout_everybody_is_frozen() -> None:
    weak = result("main-0", "main-1.2", 0.0, round=5)
    assert frozen_by_win_rate(before_round(22, weak), 0.7, 20, 5, 0.0) == ()
    assert frozen_by_win_rate(before_round(23, weak), 0.7, 20, 5, 0.0) == ("main-0", "main-1")


def test_the_learners_of_a_table_are_frozen_together() -> None:
    view = before_round(9, result("prey-1", "predator-0.2", 0.9, round=5), sides=TAG)
    assert frozen_by_win_rate(view, 0.7, 50, 5, 0.0) == ("predator-1", "prey-1")


def test_partners_open_no_gate() -> None:
    view = before_round(9, result("speaker-0", "listener-0.2", 1.0, round=5), sides=SPEAKERS)
    assert frozen_by_win_rate(view, 0.5, 50, 5, 0.0) == ()
