"""Checks of a whole run: `verify` finds damage, `dump` shows all content that must not depend on a clock."""

from __future__ import annotations

from pathlib import Path

from league import files
from league.errors import RunError, SnapshotError
from league.storage.reading import content_ids
from league.storage.store import Store


def verify(store: Store) -> list[str]:
    """Describe every problem in the database, its references and the files that it names; empty if all is well.

    Hashes the files of all snapshots, the checkpoint of the last round and the segments of replay buffers.
    """
    try:
        problems = [f"{store.path}: {text}" for (text,) in store.query("PRAGMA integrity_check") if text != "ok"]
        for table, row, target, _ in store.query("PRAGMA foreign_key_check"):
            problems.append(f"{store.path}: row {row} of {table} refers to a row of {target} that does not exist")
        named = [(store.snapshot_folder, snapshot.id) for snapshot in store.snapshots() if snapshot.origin != "anchor"]
        last = store.last_round()
    except RunError as problem:
        # The database is too damaged for further queries.
        return [str(problem)]
    if last is not None:
        named.append((store.checkpoint_folder, last.checkpoint))
    named += [(store.replay_folder, id) for id in sorted(content_ids(store.replay_folder))]
    return problems + [text for folder, id in named if (text := _file_problem(folder, id))]


def clock_columns(store: Store) -> dict[str, list[str]]:
    """The columns that hold times, by table. Only they may differ between two equal runs."""
    clocks = {table: [name for name in names if _is_clock(name)] for table, names in _tables(store).items()}
    return {table: names for table, names in clocks.items() if names}


def dump(store: Store, clocks: bool = False) -> str:
    """All rows of all tables as text, one line each; equal for equal content. clocks: include the clock columns."""
    lines = []
    for table, names in _tables(store).items():
        kept = ", ".join(f'"{name}"' for name in names if clocks or not _is_clock(name))
        order = ", ".join(str(place + 1) for place in range(kept.count(",") + 1))
        lines.append(f"{table} ({kept})")
        lines += [repr(row) for row in store.query(f'SELECT {kept} FROM "{table}" ORDER BY {order}')]
    return "\n".join(lines) + "\n"


def _is_clock(column: str) -> bool:
    return column.endswith("_at") or column in ("seconds", "phases")


def _tables(store: Store) -> dict[str, list[str]]:
    """Column names by table, without SQLite's own tables."""
    names = store.query(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY 1"
    )
    return {name: [column for _, column, *_ in store.query(f'PRAGMA table_info("{name}")')] for (name,) in names}


def _file_problem(folder: Path, id: str) -> str | None:
    try:
        path = files.content_path(folder, id)
        found = files.digest_file(path)
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as problem:
        return f"{path} cannot be read: {problem.strerror}"
    except SnapshotError as problem:
        return str(problem)
    return None if found == id else f"{path} is damaged: its sha256 is {found}"
