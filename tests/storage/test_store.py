"""The store: what is put is what is read, all or nothing, one writer, readers that leave no trace elsewhere."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from league import files
from league.errors import RunError, SnapshotError
from league.records import MatchResult, Rating, SeatScore, Snapshot, TrainingResult
from league.storage import audit
from league.storage.rows import EventRow, MetricsRow, RatingsRow
from league.storage.store import Store

PLACE = {"torch": "2.6", "cpu": "some"}
RANDOM = Snapshot("random", "seat", "random", 0, 0, 0, "anchor")


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "run", {"seed": 7, "game": {"id": "kuhn"}}, {"game": "kuhn"}, PLACE) as store:
        yield store


def snapshot(store: Store, number: int = 0, **changes: object) -> Snapshot:
    """A snapshot with its file, not yet in the roster."""
    id = files.write_content(store.snapshot_folder, f"weights {number}".encode())
    return replace(Snapshot(id, "seat", "main", number, number, 9 * number, "trained"), **changes)


def result(*lineup: tuple[str, ...], **changes: object) -> MatchResult:
    posts = sum(map(len, lineup))
    usual = MatchResult(
        lineup=lineup,
        games=20,
        placements={(0, 1): 11, (1, 0): 6, (0, 0): 3},
        score_sum=tuple(0.1 * post for post in range(posts)),
        score_sq=(20.0,) * posts,
        episodes=20,
        turns=181,
        seed=2**63 - 1,
    )
    return replace(usual, **changes)


def put_round(store: Store, round: int, learners: dict[str, dict[str, object]] | None = None) -> str:
    checkpoint = files.write_content(store.checkpoint_folder, f"checkpoint {round}".encode())
    store.put_round(round, 100 * round, checkpoint, learners or {}, 1.5, {"play": 1.0})
    return checkpoint


def test_everything_put_is_read_back_equal_also_by_a_reader(store):
    first = snapshot(store, hyperparameters={"lr": 3e-4}, origin="initial")
    second = snapshot(store, 1, parent=first.id)
    results = [
        result((first.id,), (second.id,)),
        result((first.id, second.id), ("random",), placements={(0, 1): 20}, forfeits=(0, 2, 0), round=3),
        result((second.id,), placements={(0,): 20}, paired=True),
    ]
    training = [TrainingResult("main", 1, opponent, 5, 0.25, -1.5) for opponent in ("b", "a")]
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


def test_a_match_of_what_is_no_snapshot_is_refused_by_name(store):
    store.put_snapshot(RANDOM, 1.0)
    with pytest.raises(RunError, match="main-0"):
        store.put_results([result(("random",), ("main-0",))])


def test_a_row_never_names_a_file_that_is_not_there(store):
    absent = files.digest(b"absent")
    with pytest.raises(SnapshotError, match=absent):
        store.put_snapshot(snapshot(store, id=absent), 1.0)
    with pytest.raises(SnapshotError, match=absent):
        store.put_round(1, 0, absent, {}, 0.0, {})
    with pytest.raises(SnapshotError, match="no id"):
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
                store.put_training([TrainingResult(learner, round, "a", 1, 0.5, 0.0)])
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


def test_a_reader_sees_committed_rounds_only_and_one_moment_in_a_transaction(store):
    with Store.reader(store.folder) as reader:
        with store.transaction():
            put_round(store, 1)
            assert reader.last_round() is None
        assert reader.last_round().round == 1
        with reader.transaction():
            assert reader.last_round().round == 1
            put_round(store, 2)
            assert reader.last_round().round == 1
        assert reader.last_round().round == 2


def test_a_reader_cannot_write(store):
    with Store.reader(store.folder) as reader, pytest.raises(RunError, match="readonly"):
        reader.put_fact("threads", 2)


def test_a_folder_that_is_no_run_stays_as_it_is(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        for way in (Store.reader, Store.open):
            with pytest.raises(RunError, match=r"no run: it has no league\.db"):
                way(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "league.db").write_bytes(content)
    for way in (Store.reader, Store.open):
        with pytest.raises(RunError, match=r"league\.db"):
            way(tmp_path)
    assert (tmp_path / "league.db").read_bytes() == content


def test_a_run_in_a_folder_that_cannot_be_written_to_can_be_read(store):
    put_round(store, 1)
    store.close()
    # Root may write anywhere, so the reading is done by nobody.
    script = (
        "import os, sys; from pathlib import Path; from league.storage.store import Store\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "print(Store.reader(Path(sys.argv[1])).last_round().round)"
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "run")
        store.folder.rename(folder)
        os.chmod(place, 0o755)
        os.chmod(folder, 0o555)
        done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True)
        os.chmod(folder, 0o755)
        assert done.stdout == "1\n", done.stderr
        assert not (folder / "league.db-wal").exists()


def test_a_run_is_never_created_over_another(store):
    config = store.config()
    store.close()
    with pytest.raises(RunError, match="is a run already"):
        Store.create(store.folder, {}, {}, {})
    with Store.open(store.folder) as again:
        assert again.config() == config


def test_a_killed_creation_can_be_repeated(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(point: str) -> None:
        if point == "rename":
            raise Killed

    monkeypatch.setattr(files, "faults", kill)
    with pytest.raises(Killed):
        Store.create(tmp_path, {}, {}, {})
    monkeypatch.setattr(files, "faults", None)
    assert not (tmp_path / "league.db").exists()
    (tmp_path / ".league.db.0123456789abcdef.unfinished").write_bytes(b"half")
    (tmp_path / "league.db-wal").write_bytes(b"of a database that is gone")
    with Store.create(tmp_path, {"seed": 1}, {}, {}) as store:
        assert store.config() == {"seed": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "league.db", "lock", "snapshots"]


def test_runs_are_found_the_last_written_first(tmp_path):
    assert Store.find_runs(tmp_path / "absent") == []
    for name, stamp in {"old": 1, "new": 3, "middle": 2}.items():
        Store.create(tmp_path / name, {}, {}, {}).close()
        os.utime(tmp_path / name / "league.db", (stamp, stamp))
    (tmp_path / "stray").mkdir()
    assert [path.name for path in Store.find_runs(tmp_path)] == ["new", "middle", "old"]
    Store.reader(tmp_path / "old").close()
    assert [path.name for path in Store.find_runs(tmp_path)] == ["new", "middle", "old"]


def test_a_dump_depends_on_the_content_only(tmp_path):
    dumps = []
    for place in ("a", "b"):
        with Store.create(tmp_path / place, {"seed": 1}, {}, PLACE) as store:
            store.put_snapshot(snapshot(store), time.time())
            put_round(store, 1)
            dumps.append((audit.dump(store), audit.dump(store, clocks=True)))
    assert dumps[0][0] == dumps[1][0]
    assert dumps[0][1] != dumps[1][1]
    assert "weights" not in dumps[0][0]
    assert f"'{files.digest(b'weights 0')}'" in dumps[0][0]


def test_clock_columns_are_exactly_these(store):
    assert audit.clock_columns(store) == {
        "_sqlite_migrations": ["applied_at"],
        "provenance": ["seen_at"],
        "rounds": ["seconds", "phases", "finished_at"],
        "run": ["created_at"],
        "snapshots": ["created_at"],
    }


def test_verify_names_every_damaged_or_missing_file(store):
    kept, flipped, gone = (snapshot(store, number) for number in range(3))
    for each in (kept, flipped, gone):
        store.put_snapshot(each, 1.0)
    checkpoint = put_round(store, 1)
    path = files.content_path(store.snapshot_folder, flipped.id)
    path.write_bytes(path.read_bytes()[:-1])
    files.content_path(store.snapshot_folder, gone.id).unlink()
    files.content_path(store.checkpoint_folder, checkpoint).write_bytes(b"")
    damaged, missing, empty = audit.verify(store)
    assert flipped.id in damaged
    assert "damaged" in damaged
    assert gone.id in missing
    assert "missing" in missing
    assert checkpoint in empty


def test_verify_finds_broken_references(store):
    store.put_snapshot(RANDOM, 1.0)
    store.query("PRAGMA foreign_keys = OFF")
    store.query("INSERT INTO match_posts VALUES (77, 0, 0, 1, 0.0, 0.0, NULL)")
    store.query("PRAGMA foreign_keys = ON")
    assert any("match_posts refers to a row of matches" in problem for problem in audit.verify(store))


def test_verify_finds_broken_pages(store):
    for number in range(40):
        store.put_snapshot(snapshot(store, number), 1.0)
    ((page,),) = store.query("SELECT rootpage FROM sqlite_schema WHERE name = 'snapshots'")
    ((size,),) = store.query("PRAGMA page_size")
    store.close()
    with open(store.path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))
    with Store.reader(store.folder) as reader:
        problems = audit.verify(reader)
    assert problems
    assert all(problem.startswith(str(store.path)) for problem in problems)
