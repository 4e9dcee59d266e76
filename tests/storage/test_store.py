"""The store: what is put is what is read, all or nothing; incomplete content is refused."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from stores import PLACE, RANDOM, put_round, result, snapshot

from league import files
from league.errors import RunError, SnapshotError
from league.records import Rating, SeatScore, TrainingResult
from league.storage import audit
from league.storage.rows import EventRow, MetricsRow, RatingsRow
from league.storage.store import Store


def test_everything_put_is_read_back_equal_also_by_a_reader(store):
    first = snapshot(store, hyperparameters={"lr": 3e-4}, origin="initial")
    second = snapshot(store, 1, parent=first.id)
    results = [
        result((first.id,), (second.id,)),
        result((first.id, second.id), ("random",), placements={(0, 1): 20}, forfeits=(0, 2, 0), round=3),
        result((second.id,), placements={(0,): 20}, paired=True),
    ]
    training = [
        TrainingResult(learner="main", round=1, opponent=opponent, episodes=5, score=0.25, return_mean=-1.5)
        for opponent in ("b", "a")
    ]
    with store.transaction():
        for each in (RANDOM, first, second):
            store.put_snapshot(each, 1.0)
        store.put_results(results)
        store.put_training(training)
        store.put_metrics(1, "main", {"entropy": 0.5})
        store.put_event(1, "exploit", {"source": "other", "before": {"lr": 0.1}})
        checkpoint = put_round(store, 1, {"main": {"steps": 100, "hyperparameters": {"lr": 0.1}}})
        store.put_ratings("elo", {first.id: Rating(12.5, 2.0, 23.0, 40)}, store.last_match())
        store.put_fact("threads", 2)
    with Store.reader(store.folder) as reader:
        for seen in (store, reader):
            assert seen.config() == {"seed": 7, "game": {"id": "kuhn"}}
            assert seen.facts() == {"game": "kuhn", "threads": 2}
            assert seen.provenance() == [PLACE]
            assert seen.snapshots() == [RANDOM, first, second]
            assert seen.snapshot_files() == {first.id, second.id}
            assert seen.results() == results
            assert seen.results(since=1) == results[1:]
            assert seen.last_match() == 3
            assert seen.training() == training
            assert seen.metrics() == [MetricsRow(1, "main", {"entropy": 0.5})]
            assert seen.events() == [EventRow(1, "exploit", {"source": "other", "before": {"lr": 0.1}})]
            assert seen.ratings("elo") == RatingsRow({first.id: Rating(12.5, 2.0, 23.0, 40)}, 3, "")
            assert seen.ratings("openskill") == RatingsRow({}, 0, "")
            last = seen.last_round()
            assert (last.round, last.steps, last.checkpoint, last.seconds) == (1, 100, checkpoint, 1.5)
            assert last.learners == {"main": {"steps": 100, "hyperparameters": {"lr": 0.1}}}
            assert last.phases == {"play": 1.0}
            assert audit.verify(seen) == []


def test_a_new_run_has_nothing_yet(store):
    assert store.last_round() is None
    assert (store.snapshots(), store.results(), store.training(), store.metrics(), store.events()) == ([],) * 5
    assert store.last_match() == 0
    assert audit.verify(store) == []


def test_an_exception_undoes_the_whole_transaction(store):
    before = audit.dump(store, clocks=True)

    def interrupted() -> None:
        with store.transaction():
            store.put_snapshot(snapshot(store), 1.0)
            put_round(store, 1)
            store.put_fact("threads", 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert audit.dump(store, clocks=True) == before
    put_round(store, 1)
    assert store.last_round().round == 1


def test_a_failing_commit_undoes_the_whole_transaction(store, monkeypatch):
    def fail(point: str) -> None:
        if point == "commit":
            raise OSError("no power")

    monkeypatch.setattr(files, "faults", fail)
    with pytest.raises(OSError, match="no power"):
        put_round(store, 1)
    monkeypatch.setattr(files, "faults", None)
    assert store.last_round() is None


def test_a_put_by_itself_is_atomic(store):
    store.put_snapshot(RANDOM, 1.0)
    with pytest.raises(RunError, match="NOT NULL"):
        store.put_results([result(("random",)), result(("random",), score_sum=(math.nan,))])
    assert store.results() == []


def test_the_ledger_and_the_roster_are_append_only(store):
    store.put_snapshot(RANDOM, 1.0)
    store.put_results([result(("random",))])
    store.put_results([result(("random",), seats=(SeatScore(0, 2, 9, 1.0, 2.0),))])
    statements = (
        "UPDATE matches SET games = 1",
        "DELETE FROM match_posts",
        "DELETE FROM match_seats",
        "DELETE FROM snapshots",
    )
    for statement in statements:
        with pytest.raises(RunError, match="append-only"):
            store.query(statement)
    assert store.results()[0] == result(("random",))


def test_scores_by_seat_come_back_and_are_summed_by_policy(store):
    main = snapshot(store)
    for one in (RANDOM, main):
        store.put_snapshot(one, 1.0)
    rows = [
        result((main.id,), ("random",), seats=(SeatScore(0, 0, 5, 2.5, 4.0), SeatScore(0, 1, 5, -1.0, 3.0))),
        result((main.id,), ("random",)),
        result(("random",), (main.id,), seats=(SeatScore(0, 1, 2, 0.5, 0.25), SeatScore(1, 0, 2, 0.5, 1.0))),
    ]
    store.put_results(rows)
    assert store.results() == rows
    assert store.results(since=2) == rows[2:]
    assert store.seat_scores() == {
        (main.id, 0): (7, 3.0, 5.0),
        (main.id, 1): (5, -1.0, 3.0),
        ("random", 1): (2, 0.5, 0.25),
    }
    assert audit.verify(store) == []


def test_a_match_of_an_unknown_policy_is_refused_by_name(store):
    store.put_snapshot(RANDOM, 1.0)
    with pytest.raises(RunError, match="main-0"):
        store.put_results([result(("random",), ("main-0",))])


def test_a_row_never_names_a_file_that_is_not_there(store):
    absent = files.digest(b"absent")
    with pytest.raises(SnapshotError, match=absent):
        store.put_snapshot(snapshot(store, id=absent), 1.0)
    with pytest.raises(SnapshotError, match=absent):
        store.put_round(1, 0, absent, {}, 0.0, {})
    with pytest.raises(SnapshotError, match="not the id"):
        store.put_round(1, 0, "../../elsewhere", {}, 0.0, {})


def test_metrics_that_are_not_finite_come_back_as_nan(store):
    store.put_metrics(1, "main", {"kl": math.nan, "loss": math.inf, "fine": 1.0})
    (row,) = store.metrics()
    assert math.isnan(row.values["kl"])
    assert math.isnan(row.values["loss"])
    assert row.values["fine"] == 1.0


def test_metrics_and_training_of_the_last_rounds_and_of_one_learner(store):
    for round in range(1, 5):
        with store.transaction():
            for learner in ("a", "b"):
                store.put_metrics(round, learner, {"x": round})
                store.put_training(
                    [TrainingResult(learner=learner, round=round, opponent="a", episodes=1, score=0.5, return_mean=0.0)]
                )
            put_round(store, round)
    assert [(row.round, row.learner) for row in store.metrics(last=2)] == [(3, "a"), (3, "b"), (4, "a"), (4, "b")]
    assert [row.round for row in store.metrics("b")] == [1, 2, 3, 4]
    assert [(row.round, row.learner) for row in store.training(1)] == [(4, "a"), (4, "b")]


def test_numpy_scalars_become_plain_numbers(store):
    store.put_snapshot(snapshot(store, steps=np.int64(5), hyperparameters={"lr": np.float32(0.5)}), np.float64(1.0))
    store.put_snapshot(RANDOM, 1.0)
    numbers = {"games": np.int64(20), "seed": np.int64(3), "score_sum": (np.float32(0.5),), "paired": np.bool_(True)}
    store.put_results([result(("random",), placements={(0,): np.int32(20)}, **numbers)])
    store.put_metrics(np.int64(1), "main", {"x": np.float32(0.25)})
    store.put_fact("threads", np.int64(2))
    assert store.snapshots()[0].steps == 5
    assert store.snapshots()[0].hyperparameters == {"lr": 0.5}
    assert store.results() == [
        result(("random",), paired=True, games=20, seed=3, score_sum=(0.5,), placements={(0,): 20})
    ]
    assert store.metrics() == [MetricsRow(1, "main", {"x": 0.25})]
    assert store.facts()["threads"] == 2


def test_cached_ratings_are_replaced(store):
    store.put_snapshot(RANDOM, 1.0)
    store.put_snapshot(other := snapshot(store), 1.0)
    store.put_ratings("elo", {"random": Rating(0, 0, 0, 1), other.id: Rating(1, 1, 1, 1)}, 1)
    store.put_ratings("elo", {other.id: Rating(2, 1, 3, 2)}, 2)
    assert store.ratings("elo") == RatingsRow({other.id: Rating(2, 1, 3, 2)}, 2, "")


def test_provenance_grows_only_where_something_changed(store):
    store.add_provenance(PLACE)
    store.add_provenance(PLACE | {"torch": "2.7"})
    assert store.provenance() == [PLACE, PLACE | {"torch": "2.7"}]


def test_the_checkpoints_of_the_last_two_rounds_are_kept(store):
    ids = [put_round(store, round) for round in range(1, 5)]
    (store.checkpoint_folder / "notes.txt").write_text("somebody's")
    store.sweep_checkpoints(keep={ids[0]})
    left = {path.name for path in store.checkpoint_folder.iterdir()}
    assert left == {f"{id}.safetensors" for id in (ids[0], ids[2], ids[3])} | {"notes.txt"}


def test_a_hundred_thousand_matches_are_read_fast(store):
    store.put_snapshot(RANDOM, 1.0)
    one = result(("random",), ("random",))
    store.put_results([one] * 1000)
    tens = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)"
    with store.transaction():
        for _ in range(2):
            count = store.last_match()
            store.query(
                f"{tens} INSERT INTO matches "
                f"SELECT id + i * {count}, round, games, placements, episodes, turns, seed, paired, others "
                "FROM matches, n"
            )
            store.query(
                f"{tens} INSERT INTO match_posts "
                f"SELECT match + i * {count}, post, side, snapshot, score_sum, score_sq, forfeits FROM match_posts, n"
            )
    begin = time.process_time()
    results = store.results()
    assert time.process_time() - begin < 10
    assert results == [one] * 100_000
