"""Migrations: never edited once released, applied to old runs; databases that are not understood stay untouched."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from league.errors import RunError
from league.records import MatchResult
from league.storage import audit, migrations
from league.storage.store import Store

VERSION_1 = Path(__file__).with_name("version_1.sql").read_text()
"""`iterdump` of the database of a run that the first version made."""


@pytest.fixture
def old(tmp_path):
    with sqlite3.connect(tmp_path / "league.db") as database:
        database.executescript(VERSION_1)
    database.close()
    return tmp_path


def schema(path: Path) -> list[str]:
    database = sqlite3.connect(path)
    found = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")]
    database.close()
    return found


def test_a_run_of_version_1_opens_with_all_its_content(old):
    with Store.open(old) as store:
        assert store.config() == {"seed": 1}
        assert [snapshot.name for snapshot in store.snapshots()] == ["random", "main.1"]
        new, random = store.snapshots()[1].id, "random"
        assert store.results() == [
            MatchResult(
                lineup=((new,), (random,)),
                games=10,
                placements={(0, 1): 10},
                score_sum=(1.0, -1.0),
                score_sq=(1.0, 1.0),
                episodes=10,
                turns=99,
                seed=1,
                round=1,
            ),
            MatchResult(
                lineup=((new,), (random,)),
                games=20,
                placements={(0, 1): 20},
                score_sum=(1.0, -1.0),
                score_sq=(1.0, 1.0),
                episodes=20,
                turns=99,
                seed=1,
                round=1,
            ),
        ]
        assert store.last_round().learners == {"main": {"steps": 1}}
        assert store.seat_scores() == {}, "the first version did not store them"
        assert store.query("PRAGMA foreign_key_check") == []


def test_an_old_run_has_the_schema_of_a_new_one(old, tmp_path):
    Store.open(old).close()
    Store.create(tmp_path / "new", {}, {}, {}).close()
    assert schema(old / "league.db") == schema(tmp_path / "new" / "league.db")


def test_the_first_migration_is_unchanged_since_its_release(old):
    before = schema(old / "league.db")
    database = migrations.Database(memory=True, execute_plugins=False)
    later = migrations.names()[1:]
    migrations.STEPS.apply(database, stop_before=later)
    found = [row[0] for row in database.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")]
    database.close()
    assert found == before


def test_applying_the_migrations_again_changes_nothing(old):
    dumps = []
    for _ in range(2):
        with Store.open(old) as store:
            dumps.append(audit.dump(store, clocks=True))
    assert dumps[0] == dumps[1]


def test_every_table_is_strict(tmp_path):
    with Store.create(tmp_path, {}, {}, {}) as store:
        loose = store.query("SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT strict ORDER BY name")
        assert [name for (name,) in loose] == ["_sqlite_migrations", "sqlite_schema", "sqlite_temp_schema"]


def test_a_run_of_a_newer_version_is_refused_and_left_alone(old):
    database = sqlite3.connect(old / "league.db")
    database.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('league', 'm999_later', '2099')"
    )
    database.commit()
    database.close()
    before = (old / "league.db").read_bytes()
    for way in (Store.open, Store.reader):
        with pytest.raises(RunError, match=r"newer version of league .*m999_later"):
            way(old)
    assert (old / "league.db").read_bytes() == before


def test_a_reader_of_an_older_run_is_told_how_to_update_it(old):
    @migrations.STEPS(name="m999_pending")
    def pending(db: migrations.Database) -> None:
        db.execute("CREATE TABLE later (x INTEGER) STRICT")

    try:
        with pytest.raises(RunError, match="older version of league"):
            Store.reader(old)
        with Store.open(old) as store:
            assert store.query("SELECT * FROM later") == []
            assert len(store.results()) == 2
        Store.reader(old).close()
    finally:
        migrations.STEPS._migrations.pop()


def test_a_database_of_another_program_is_not_a_run(tmp_path):
    database = sqlite3.connect(tmp_path / "league.db")
    database.execute("CREATE TABLE theirs (x)")
    database.commit()
    database.close()
    before = (tmp_path / "league.db").read_bytes()
    for way in (Store.open, Store.reader):
        with pytest.raises(RunError, match="was not made by league"):
            way(tmp_path)
    assert (tmp_path / "league.db").read_bytes() == before
