"""Creating, opening and finding runs: one writer, readers that leave no trace, folders that are not runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from stores import put_round

from league import files
from league.errors import RunError
from league.storage.store import Store


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


def test_a_folder_that_is_not_a_run_stays_unchanged(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        for way in (Store.reader, Store.open):
            with pytest.raises(RunError, match=r"not a run: it has no league\.db"):
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
    # Root may write anywhere, so a process of the user "nobody" reads.
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
