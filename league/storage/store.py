"""A run's folder: the database `league.db`, the snapshot and checkpoint files it names, and its writer's lock.

`<run>/league.db` is created atomically, so a folder is a run if and only if it contains that file. Files are written
before the rows that name them, and a round's rows are written in one transaction. So after a kill at any instant all
committed rounds are complete, and nothing of an unfinished one is visible.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlite_utils import Database

from league import files
from league.errors import RunError, SnapshotError
from league.files import canonical_json, plain
from league.rating.standings import Record
from league.records import ExploitabilityBound, MatchResult, PolicyId, Rating, Snapshot, TrainingResult
from league.storage import migrations, rows
from league.storage.lock import RunLock, require_byte_locks
from league.storage.reading import EVICTION_KIND, EXPLOITABILITY_KIND, Reading, content_ids

FILE = "league.db"
"""The database's name in a run's folder."""

_STORABLE = (int, float, str, bool, type(None))  # types that SQLite stores correctly
_BUSY_TIMEOUT = 30.0  # seconds to wait for another connection's lock on the database


class Store(Reading):
    """A run on disk, open for its single writer (`create`, `open`) or for reading (`reader`). Close it, or use `with`.

    Each `put_…` is atomic; inside `with store.transaction()` they are atomic together. Values may be numpy scalars.
    SQLite's errors are raised as RunError.
    """

    def __init__(self, folder: Path, db: Database, lock: RunLock | None) -> None:
        self.folder, self.path = folder, folder / FILE
        self._db, self._conn, self._lock = db, db.conn, lock

    @staticmethod
    def create(
        folder: Path, config: Mapping[str, object], facts: Mapping[str, object], provenance: Mapping[str, str]
    ) -> Store:
        """Create a run in a folder and open it for writing. Raises RunError if it is a run already, or is in use."""
        try:
            for each in (folder, folder / "snapshots", folder / "checkpoints"):
                files.make_folder(each)
        except OSError as problem:
            raise RunError(f"{folder} cannot be made a run: {problem.strerror}") from problem
        lock, path = RunLock(folder), folder / FILE
        try:
            if path.exists():
                raise RunError(f"{folder} is a run already; resume it, or start a new one in another folder")
            for orphan in (f"{FILE}-wal", f"{FILE}-shm"):
                # SQLite would replay a deleted database's log into the new one.
                (folder / orphan).unlink(missing_ok=True)
            files.write_durably(path, _initial_database(config, facts, provenance))
        except BaseException as problem:
            lock.release()
            if isinstance(problem, OSError):
                raise RunError(f"{path} cannot be written: {problem.strerror}") from problem
            raise
        return Store._opened(folder, lock)

    @staticmethod
    def open(folder: Path) -> Store:
        """Open a run for writing, migrate its tables and remove the leftovers of killed writes.

        Raises RunError if the folder is not a run, is from a newer version, or is in use (the message says by whom).
        """
        _require_run(folder)
        return Store._opened(folder, RunLock(folder))

    @staticmethod
    def _opened(folder: Path, lock: RunLock) -> Store:
        try:
            store = Store(folder, _connect(folder, "rw"), lock)
        except BaseException:
            lock.release()
            raise
        try:
            with _raising_run_error(store.path):
                if store._conn.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                    raise RunError(f"{store.path} cannot use write-ahead logging (WAL) there; use a local disk")
                migrations.STEPS.apply(store._db)
            for each in (folder, store.snapshot_folder, store.checkpoint_folder):
                files.make_folder(each)
                files.remove_leftovers(each)
            if store.replay_folder.exists():
                files.remove_leftovers(store.replay_folder)
        except BaseException:
            store.close()
            raise
        return store

    @staticmethod
    def reader(folder: Path) -> Store:
        """Open a run read-only, even while a writer has it open. Raises RunError if it is not a run of this version."""
        _require_run(folder)
        try:
            db = _connect(folder, "ro")
        except RunError:
            # SQLite needs the index of its log beside the database. If it is missing and the folder is read-only, there
            # is no writer and no log, so the database file alone holds everything.
            if os.access(folder, os.W_OK) or (folder / f"{FILE}-wal").exists():
                raise
            db = _connect(folder, "ro&immutable=1")
        store = Store(folder, db, None)
        if migrations.STEPS.pending(db):
            store.close()
            raise RunError(
                f"{folder} was made by an older version of league: resume it, or update it by "
                f"`league rate --run {shlex.quote(str(folder.absolute()))}`"
            )
        return store

    @staticmethod
    def find_runs(root: Path) -> list[Path]:
        """The runs among the folders in `root`, most recently written first."""
        found = [path.parent for path in root.glob(f"*/{FILE}") if path.is_file()]
        return sorted(found, key=lambda folder: (-written_at(folder), folder.name))

    def close(self) -> None:
        """Close the database and release the lock; uncommitted rows are dropped."""
        self._conn.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction: an exception rolls back everything inside. A reader sees one consistent state throughout."""
        with _raising_run_error(self.path):
            try:
                # IMMEDIATE, because a deferred transaction could fail later, at its first write.
                self._conn.execute("BEGIN IMMEDIATE" if self._lock else "BEGIN")
                yield
                files.reach("commit")
                self._conn.execute("COMMIT")
            except BaseException:
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                raise

    # Writing

    def put_snapshot(self, snapshot: Snapshot, created: float) -> None:
        """Add to the roster. created: seconds since 1970. Raises SnapshotError if its file does not exist yet."""
        if snapshot.origin != "anchor":
            _require_file(self.snapshot_folder, snapshot.id)
        with self._writing():
            self._insert("snapshots", [rows.snapshot_row(snapshot, created)])
            if snapshot.guest:
                seq = self._seq_by_id([snapshot.id])
                self._insert("guests", [{"snapshot": seq[snapshot.id], "name": snapshot.guest}])

    def put_results(self, results: Sequence[MatchResult]) -> None:
        """Append to the ledger, in order. Raises RunError if a lineup names a policy that is not in this run."""
        with self._writing():
            first = self.last_match() + 1
            seq = self._seq_by_id(policy for result in results for policy in result.policies)
            numbered = list(enumerate(results, first))
            self._insert("matches", (rows.match_row(id, result) for id, result in numbered))
            self._insert("match_posts", (row for id, result in numbered for row in rows.post_rows(id, result, seq)))
            self._insert("match_seats", (row for id, result in numbered for row in rows.seat_rows(id, result)))

    def put_training(self, results: Sequence[TrainingResult]) -> None:
        """Add training results: one row per learner, round and opponent."""
        names = TrainingResult.__dataclass_fields__
        self._insert("training", [{name: getattr(result, name) for name in names} for result in results])

    def put_metrics(self, round: int, learner: str, values: Mapping[str, float]) -> None:
        """Add a learner's metrics of one round; NaN and infinities are stored as NULL and read back as NaN."""
        fixed = {"round": round, "learner": learner}
        self._insert(
            "metrics", [fixed | {"name": name, "value": rows.known_number(value)} for name, value in values.items()]
        )

    def put_event(self, round: int, kind: str, data: Mapping[str, object]) -> None:
        """Add an event. data: JSON without times. Raises ValueError or TypeError if it is not JSON."""
        self._insert("events", [{"round": round, "kind": kind, "data": canonical_json(dict(data))}])

    def put_evicted(self, round: int, gone: Sequence[PolicyId]) -> None:
        """Record that snapshots were evicted from the pool of opponents."""
        if gone:
            self.put_event(round, EVICTION_KIND, {"snapshots": list(gone)})

    def put_exploitability(self, round: int, found: Mapping[PolicyId, ExploitabilityBound]) -> None:
        """Record the exploitability of snapshots."""
        with self._writing():
            for snapshot, one in found.items():
                self.put_event(round, EXPLOITABILITY_KIND, {"snapshot": snapshot, "found": asdict(one)})

    def put_round(
        self,
        round: int,
        steps: int,
        checkpoint: str,
        learners: Mapping[str, Mapping[str, object]],
        seconds: float,
        phases: Mapping[str, float],
    ) -> None:
        """Close a round: the run resumes from here. Raises SnapshotError if the checkpoint's file does not exist."""
        _require_file(self.checkpoint_folder, checkpoint)
        row = {
            "round": round,
            "steps": steps,
            "checkpoint": checkpoint,
            "learners": canonical_json({name: dict(state) for name, state in learners.items()}),
            "seconds": seconds,
            "phases": canonical_json(dict(phases)),
            "finished_at": time.time(),
        }
        self._insert("rounds", [row])

    def put_ratings(self, kind: str, ratings: Mapping[PolicyId, Rating], upto: int, settings: str = "") -> None:
        """Replace the cached ratings of one kind, computed from the ledger up to the match `upto` with `settings`."""
        names = ("value", "low", "high", "games")
        with self._writing():
            seq = self._seq_by_id(ratings)
            self._execute("DELETE FROM ratings WHERE kind = ?", kind)
            self._execute("INSERT OR REPLACE INTO rating_kinds VALUES (?, ?, ?)", kind, upto, settings)
            self._insert(
                "ratings",
                (
                    {"kind": kind, "snapshot": seq[id]} | {name: getattr(rating, name) for name in names}
                    for id, rating in ratings.items()
                ),
            )

    def put_records(self, records: Mapping[PolicyId, Record], upto: int) -> None:
        """Replace the cached records of all policies, counted from the ledger up to the match `upto`."""
        names = ("wins", "draws", "losses", "score")
        with self._writing():
            seq = self._seq_by_id(records)
            self._execute("DELETE FROM records")
            self._execute("INSERT OR REPLACE INTO records_upto VALUES (1, ?)", upto)
            self._insert(
                "records",
                (
                    {"snapshot": seq[id]} | {name: getattr(record, name) for name in names}
                    for id, record in records.items()
                ),
            )

    def put_fact(self, key: str, value: object) -> None:
        """Set a fact that was decided at run time, such as the number of threads. value: JSON."""
        self._execute("INSERT OR REPLACE INTO facts (key, value) VALUES (?, ?)", key, canonical_json(value))

    def add_provenance(self, data: Mapping[str, str]) -> None:
        """Record where the run is resumed, if that has changed."""
        if self.provenance()[-1] != dict(data):
            self._insert("provenance", [{"data": canonical_json(dict(data)), "seen_at": time.time()}])

    def sweep_checkpoints(self, keep: Iterable[str] = ()) -> set[str]:
        """Remove checkpoint files except those of the last two rounds and those in `keep`. Call it after a commit.

        Returns the ids of the kept ones.
        """
        last = self.query("SELECT checkpoint FROM rounds ORDER BY round DESC LIMIT 2")
        named = {id for (id,) in last} | set(keep)
        for id in content_ids(self.checkpoint_folder) - named:
            files.content_path(self.checkpoint_folder, id).unlink(missing_ok=True)
        return named

    def sweep_replay(self, named: Iterable[str]) -> None:
        """Remove replay segments except those in `named`, which kept checkpoints need. Call it after a commit."""
        for id in content_ids(self.replay_folder) - set(named):
            files.content_path(self.replay_folder, id).unlink(missing_ok=True)

    def query(self, sql: str, *parameters: object) -> list[Any]:
        """All rows of a SELECT or PRAGMA, as tuples. Only for `league.storage`; other code reads records."""
        with _raising_run_error(self.path):
            return self._conn.execute(sql, parameters).fetchall()

    # Helpers

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Join the open transaction, or start one."""
        if self._conn.in_transaction:
            yield
        else:
            with self.transaction():
                yield

    def _insert(self, table: str, records: Iterable[rows.Row]) -> None:
        """Insert rows that all have the same columns."""
        rest = iter(records)
        head = next(rest, None)
        if head is None:
            return
        values = (
            [value if type(value) in _STORABLE else plain(value) for value in row.values()]
            for row in chain([head], rest)
        )
        columns, places = ", ".join(head), ", ".join("?" * len(head))
        with self._writing(), _raising_run_error(self.path):
            self._conn.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", values)

    def _execute(self, sql: str, *parameters: object) -> None:
        with self._writing(), _raising_run_error(self.path):
            self._conn.execute(sql, tuple(map(plain, parameters)))

    def _seq_by_id(self, named: Iterable[PolicyId]) -> dict[PolicyId, int]:
        """Each snapshot's `seq`. Raises RunError if one of `named` is not in the roster."""
        seq = dict(self.query("SELECT id, seq FROM snapshots"))
        if unknown := set(named) - seq.keys():
            raise RunError(
                f"{self.path}: {sorted(unknown)} are not snapshots of this run, so it cannot store results of them"
            )
        return seq


@contextmanager
def _raising_run_error(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as problem:
        raise RunError(f"{path}: {problem}") from problem


def _require_run(folder: Path) -> None:
    if not (folder / FILE).is_file():
        raise RunError(f"{folder} is not a run: it has no {FILE}")


def _require_file(folder: Path, id: str) -> None:
    path = files.content_path(folder, id)
    if not path.is_file():
        raise SnapshotError(f"{path} is missing; write a file before the row that names it")


def _connect(folder: Path, mode: str) -> Database:
    """Connect to a database that this or an older version of league made. Raises RunError otherwise."""
    path = folder / FILE
    require_byte_locks(folder)
    with _raising_run_error(path):
        # Never "rwc": neither a reader nor a mistyped folder may create a database.
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        conn = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT, isolation_level=None)
        try:
            conn.execute("PRAGMA synchronous = FULL")
            conn.execute("PRAGMA foreign_keys = ON")
            db = Database(conn, execute_plugins=False)
            applied = {step.name for step in migrations.STEPS.applied(db)}
            if not applied:
                raise RunError(f"{folder} is not a run: its {FILE} was not made by league")
            if unknown := applied - set(migrations.names()):
                raise RunError(
                    f"{folder} was made by a newer version of league (which added {sorted(unknown)}); update league"
                )
        except BaseException:
            conn.close()
            raise
        return db


def _initial_database(
    config: Mapping[str, object], facts: Mapping[str, object], provenance: Mapping[str, str]
) -> bytes:
    """The bytes of a new run's database."""
    db = Database(memory=True, execute_plugins=False)
    try:
        migrations.STEPS.apply(db)
        now = time.time()
        db.table("run").insert({"id": 1, "config": canonical_json(dict(config)), "created_at": now})
        db.table("facts").insert_all({"key": key, "value": canonical_json(value)} for key, value in facts.items())
        db.table("provenance").insert({"data": canonical_json(dict(provenance)), "seen_at": now})
        return db.conn.serialize()
    finally:
        db.close()


def written_at(folder: Path) -> int:
    """When a run was last written to, in ns since 1970. An empty log does not count: readers may leave one behind."""
    log = folder / f"{FILE}-wal"
    times = [(folder / FILE).stat().st_mtime_ns]
    if log.exists() and log.stat().st_size:
        times.append(log.stat().st_mtime_ns)
    return max(times)
