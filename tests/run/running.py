"""What the tests of whole runs share: a tiny config, the command line in this process or in another, runs compared."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from calling import Called as Called
from calling import league as league

from league import files
from league.config.load import with_overrides
from league.config.run import RunConfig
from league.orchestrator import League
from league.storage import audit
from league.storage.store import Store

TINY = """\
threads = 1
workers = 0

[game]
id = "tictactoe"

[budget]
rounds = 6

[population]
learners = 2
snapshot_every = 2
spread = { learning_rate = [1e-4, 1e-2] }

[matchmaking]
kind = "pbt"
exploit_steps = 200

[algorithm]
slots = 16
turns = 16
epochs = 1
minibatch = 128

[network]
actor = [16]
critic = [16]

[rating]
matches_per_snapshot = 3
games_per_match = 8
"""
"""Two learners at tic-tac-toe: a round takes a fraction of a second and exercises every part."""

COPIES = '''
"""Copies one learner over the other every second round; the new learning rate is a digest of all that it sees."""

import hashlib

from league.records import Exploit, Plan, Seating


class Copies:
    def plan(self, view, rng):
        one, other = view.learners
        seated = tuple((Seating((own.name, view.snapshots[-1].id), 1.0),) for own in view.learners)
        if one.steps_since_exploit < 250:
            return Plan(seated)
        seen = hashlib.sha256(repr((view, rng.random())).encode()).digest()
        rate = 1e-4 * (1 + int.from_bytes(seen[:4], "big") / 2**32)
        return Plan(seated, (Exploit(one.name, other.name, other.latest, {"learning_rate": rate}),))
'''
"""A matchmaker file for `matchmaking.kind`, for runs of two learners."""


def tiny(*overrides: str) -> RunConfig:
    """The tiny config with KEY=VALUE overrides."""
    return with_overrides(tomllib.loads(TINY), overrides, "tiny")


def started(*args: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """`python -m league ARGS` in a process of its own, on one thread."""
    return subprocess.Popen(
        [sys.executable, "-m", "league", *map(str, args)],
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(config: RunConfig, folder: Path) -> Path:
    """Train to the config's budget in this process; returns the folder."""
    with League(config, folder) as run:
        assert run.run() == "budget"
    return folder


def committed(folder: Path) -> int:
    """The last committed round, 0 before any; asserts that the run is whole."""
    with Store.reader(folder) as store:
        assert audit.verify(store) == []
        last = store.last_round()
        return last.round if last else 0


def content(folder: Path) -> dict[str, str]:
    """All of a run that must not depend on whether it was stopped: its tables without clocks, and its files."""
    with Store.reader(folder) as store:
        assert audit.verify(store) == []
        last = store.last_round()
        assert last is not None
        return {
            "tables": audit.dump(store),
            "snapshots": " ".join(sorted(store.snapshot_files())),
            "checkpoint": files.digest_file(files.content_path(store.checkpoint_folder, last.checkpoint)),
        }
