"""A writer killed repeatedly: no acknowledged round is lost, none is partial, and the final content is the same."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from league import files
from league.storage import audit
from league.storage.store import FILE, Store

WRITER = Path(__file__).with_name("rounds.py")
FOREVER = 10**6


def writer(folder: Path, rounds: int, step: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), str(folder), str(rounds), str(step)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def acknowledged(output: str) -> int:
    """The last round that the writer printed; an incomplete line does not count."""
    lines = output.split("\n")[:-1]
    return max((int(line) for line in lines if line != "open"), default=0)


def examine(folder: Path, acknowledged: int) -> int:
    """Assert everything that must hold after a kill. Returns the last committed round."""
    with Store.reader(folder) as reader:
        seen = audit.dump(reader)
    with Store.open(folder) as store:
        assert audit.dump(store) == seen
        assert audit.verify(store) == []
        last = store.last_round()
        round = last.round if last else 0
        # The writer may be killed after it has committed a round and before it has printed it.
        assert acknowledged <= round
        assert [snapshot.round for snapshot in store.snapshots() if snapshot.origin != "anchor"] == [
            *range(1, round + 1)
        ]
        assert [result.round for result in store.results()] == [r for r in range(1, round + 1) for _ in range(2)]
        assert [row.round for row in store.metrics()] == [*range(1, round + 1)]
        assert store.ratings("elo").upto == 2 * round
        for each in (folder, store.snapshot_folder, store.checkpoint_folder):
            assert not list(each.glob("*.unfinished"))
    return round


def equals_a_run_that_was_never_killed(folder: Path, straight: Path, rounds: int) -> bool:
    for each in (folder, straight):
        assert writer(each, rounds).communicate()[0].split()[-1] in ("open", str(rounds))
    with Store.reader(folder) as one, Store.reader(straight) as other:
        assert one.snapshot_files() >= other.snapshot_files()
        return audit.dump(one) == audit.dump(other)


def test_kills_at_random_instants_lose_nothing(tmp_path):
    draw, last, kills = random.Random(20), 0, 0
    # How many rounds are written before a kill depends on the disk, so go on until there are some.
    while kills < 24 or last <= 20:
        kills += 1
        process = writer(tmp_path / "killed", FOREVER)
        assert process.stdout.readline() == "open\n"
        time.sleep(draw.uniform(0.0, 0.08))
        process.kill()
        output, _ = process.communicate()
        reached = examine(tmp_path / "killed", max(last, acknowledged(output)))
        assert reached <= max(last, acknowledged(output)) + 1
        last = reached
    assert equals_a_run_that_was_never_killed(tmp_path / "killed", tmp_path / "straight", last + 1)


def test_a_kill_before_each_step_of_writing_loses_nothing(tmp_path):
    folder, last, reached = tmp_path / "killed", 0, []
    for step in range(1, 17):
        process = writer(folder, FOREVER, step)
        output, _ = process.communicate()
        assert process.returncode == -9
        if (folder / FILE).exists():
            last = examine(folder, max(last, acknowledged(output)))
        reached.append(last)
    assert reached[0] == 0
    assert last >= 3
    assert equals_a_run_that_was_never_killed(folder, tmp_path / "straight", last + 1)


def test_the_files_are_durable_before_the_row_that_names_them(tmp_path, monkeypatch):
    steps: list[str] = []
    with Store.create(tmp_path, {}, {}, {}) as store:
        monkeypatch.setattr(files, "faults", steps.append)
        checkpoint = files.write_content(store.checkpoint_folder, b"checkpoint")
        store.put_round(1, 0, checkpoint, {}, 0.0, {})
    assert steps == ["write", "fsync", "rename", "folder", "commit"]
