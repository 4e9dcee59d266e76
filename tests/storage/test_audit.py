"""Audits: a dump depends on content alone, and `verify` names every damaged file, reference and page."""

from __future__ import annotations

import time

from stores import PLACE, RANDOM, put_round, snapshot

from league import files
from league.storage import audit
from league.storage.store import Store


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
    assert any("match_posts refers to a row of matches that" in problem for problem in audit.verify(store))


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
