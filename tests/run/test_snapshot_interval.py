"""When snapshots are taken: at an interval that grows with the run, so that their number stays small."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import league

from league.matchmaking.snapshot_rules import interval_is_over
from league.storage.store import Store


def rounds_with_snapshots(until: int, every: int, growth: float) -> list[int]:
    taken = [0]
    for number in range(1, until + 1):
        if interval_is_over(number, taken[-1], every, growth):
            taken.append(number)
    return taken[1:]


def test_without_growth_the_interval_is_constant() -> None:
    assert rounds_with_snapshots(20, 4, 0.0) == [4, 8, 12, 16, 20]


def test_the_interval_grows_with_the_run() -> None:
    # Of round 8 a quarter is 2; of round 11, 2.75; of round 15, 3.75 …
    assert rounds_with_snapshots(30, 2, 0.25) == [2, 4, 6, 8, 11, 15, 20, 27]


def test_a_long_run_has_few_snapshots_spread_over_its_whole_time() -> None:
    taken = rounds_with_snapshots(10_000, 5, 0.01)
    assert taken[:100] == list(range(5, 501, 5)), "up to here, a hundredth of all rounds is less than the interval"
    assert 380 <= len(taken) <= 420
    for begin in (500, 1000, 2000, 4000):
        assert sum(begin < number <= 2 * begin for number in taken) == pytest.approx(69, abs=8)  # ln(2) / 0.01


@given(st.integers(1, 300), st.integers(1, 20), st.floats(0, 0.99))
def test_no_gap_is_longer_than_the_interval_asks_for(until, every, growth):
    taken = [0, *rounds_with_snapshots(until, every, growth)]
    for before, number in pairwise(taken):
        assert number - before >= every
        assert number - 1 - before < max(every, growth * (number - 1))


def test_a_run_takes_its_snapshots_by_it_and_plays_as_many_rated_games_for_them(away: Path) -> None:
    changes = ("population.learners=1", "matchmaking.kind=naive", "population.spread={}", "population.snapshot_every=1")
    rating = ("rating.matches_per_snapshot=none", "rating.share=0.6", "population.snapshot_growth=0.4")
    sets = [word for setting in (*changes, *rating) for word in ("--set", setting)]
    for until in ("3", "9"):
        called = league("run", "tiny.toml", "-r", "run", *sets, "--rounds", until, "--plain")
        assert called.code == 0, called.err
    with Store.reader(away / "runs" / "run") as store:
        taken = [one.round for one in store.snapshots() if one.origin == "trained"]
        games = {number: sum(one.games for one in store.results() if one.round == number) for number in taken}
    assert taken == rounds_with_snapshots(9, 1, 0.4) == [1, 2, 4, 7]
    # Three rounds of training pay for more rated games than two.
    assert games[7] > 1.2 * games[4]
