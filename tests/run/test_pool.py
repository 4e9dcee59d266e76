"""The pool of opponents: how a run evicts snapshots from it, and what evicted ones keep."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from running import content, league, tiny, trained

from league.rating.standings import BEST
from league.records import Rating
from league.run.roster.ranking import open_ranking, refresh
from league.storage.store import Store

SMALL = (
    "matchmaking.kind=pfsp",
    "population.snapshot_every=1",
    "population.most_snapshots=5",
    "algorithm.slots=32",
)
GATE = ("population.snapshot_gate=0.5", "population.snapshot_timeout=3")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two learners with pools of at most five snapshots each."""
    return trained(tiny(*SMALL, "budget.rounds=14"), tmp_path_factory.mktemp("small") / "runs" / "small")


def test_each_learner_has_at_most_the_limit_in_the_pool(small: Path) -> None:
    with Store.reader(small) as store:
        ranking = open_ranking(store)
        entrants = ranking.entrants
        assert store.evicted() == entrants.evicted
    assert len(entrants.snapshots) == 2 * 15
    for learner in ("main-0", "main-1"):
        pool = [one.round for one in entrants.pool if one.learner == learner]
        assert 3 <= len(pool) <= 5
        assert (pool[0], pool[-1]) == (0, 14)
    best = ranking.best("player")
    assert best is not None
    assert best.id not in entrants.evicted


def test_who_is_evicted_is_neither_seated_nor_matched_again(small: Path) -> None:
    with Store.reader(small) as store:
        went = {
            id: event.round for event in store.events() if event.kind == "eviction" for id in event.data["snapshots"]
        }
        matches, training = store.results(), store.training()
    assert len(went) >= 20
    for match in matches:
        assert all(match.round < went.get(policy, 99) for policy in match.policies)
    # Episodes that were under way are played to their end, which takes a round at most.
    assert all(row.round <= went.get(policy, 99) + 1 for row in training for policy in row.opponent.split("+"))
    assert {row.opponent for row in training} & went.keys(), "they were opponents before"


def test_who_is_evicted_keeps_its_file_its_results_and_its_last_rating(small: Path) -> None:
    with Store.reader(small) as store:
        ranking = open_ranking(store)
        played = {policy for match in store.results() for policy in match.policies}
        assert store.snapshot_files() == {one.id for one in ranking.entrants.snapshots}
        evicted, ratings = ranking.entrants.evicted, ranking.ratings
        assert evicted & played
        for policy in evicted & played:
            assert ratings.last(None, policy) is not None
            assert ratings.records[policy].games > 0
        shown = {line.snapshot.id for line in ranking.standings("player")}
        assert shown == {one.id for one in ranking.entrants.contenders if one.id in played}
        assert ratings.reference.keys() == shown
        assert len(ratings.ledger) > len(ratings.current) > 0


def test_the_ratings_in_the_cache_are_those_of_the_matches_within_the_pool(small: Path) -> None:
    with Store.open(small) as store:
        before = {kind: store.ratings(kind).ratings for kind in store.rated_kinds()}
        assert set(refresh(store).ratings.values()) == {0.0}
        assert {kind: store.ratings(kind).ratings for kind in store.rated_kinds()} == before


def test_the_best_of_a_run_is_in_the_pool_even_where_an_evicted_one_was_rated_higher(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(small, tmp_path / "runs" / "small"))
    monkeypatch.chdir(tmp_path)
    with Store.open(copy) as store:
        best = open_ranking(store).best("player")
        cached, gone = store.ratings(BEST), min(store.evicted())
        with store.transaction():
            rated = dict(cached.ratings) | {gone: Rating(1.0, 1.0, 1.0, 100)}
            store.put_ratings(BEST, rated, cached.upto, cached.settings)
        assert open_ranking(store).ratings.last(BEST, gone) == Rating(1.0, 1.0, 1.0, 100)
        assert open_ranking(store).best("player") == best
    assert best is not None
    (line,) = league("runs", "--json").json
    assert line["best"] == f"{best.name} {best.short}"


def test_an_evicted_snapshot_is_shown_with_its_last_rating(small: Path) -> None:
    with Store.reader(small) as store:
        ranking = open_ranking(store)
        played = {policy for match in store.results() for policy in match.policies}
    gone = next(one for one in ranking.entrants.snapshots if one.id in ranking.entrants.evicted & played)
    shown = league("show", gone.name, "--run", small)
    assert shown.code == 0, shown.err
    assert "from the pool of opponents" in shown.out
    found = league("show", gone.name, "--run", small, "--json").json
    assert found["evicted"] is True
    assert found["rating"]["games"] > 0
    against = league("match", gone.name, "latest", "--run", small, "--games", "8")
    assert against.code == 0, against.err


@pytest.mark.parametrize("settings", [SMALL, (*SMALL, *GATE)], ids=["interval", "gate"])
def test_a_run_with_a_small_pool_that_goes_on_is_the_same(settings: tuple[str, ...], tmp_path: Path) -> None:
    for name, ends in (("whole", [1, 16]), ("parts", [1, 5, 6, 7, 11, 16])):
        for end in ends:
            trained(tiny(*settings, f"budget.rounds={end}"), tmp_path / name)
    assert content(tmp_path / "whole") == content(tmp_path / "parts")
    with Store.reader(tmp_path / "whole") as store:
        assert store.evicted()


def test_a_gate_spaces_snapshots_by_win_rate_and_timeout(tmp_path: Path) -> None:
    closed = ("population.snapshot_gate=0.99", "population.snapshot_timeout=4", "budget.rounds=9")
    with Store.reader(trained(tiny(*SMALL, *closed), tmp_path / "closed")) as store:
        assert [one.round for one in store.snapshots() if one.learner == "main-0"] == [0, 4, 8]
    opened = ("population.snapshot_gate=0.0", "population.snapshot_timeout=4", "budget.rounds=4")
    with Store.reader(trained(tiny(*SMALL, *opened), tmp_path / "open")) as store:
        assert [one.round for one in store.snapshots() if one.learner == "main-0"] == [0, 1, 2, 3, 4]


def test_an_alphastar_league_has_a_gate_of_its_own(away: Path) -> None:
    called = league("run", "tiny.toml", "--set", "matchmaking.kind=alphastar", "--set", "population.snapshot_gate=0.7")
    assert called.code == 2
    assert "set matchmaking.win_rate" in called.err
