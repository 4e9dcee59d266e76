"""Ratings: the time to refit them from a large ledger, and the time of `league standings` from a cold start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from league.errors import RatingError
from league.rating.core import make_rating
from league.records import anchor_id
from league.storage.store import Store
from league.studies.bench.probe import Effort, Probe
from league.studies.synthetic_ledger import synthetic_run


class SyntheticRun:
    """A run with a large synthetic ledger in a temporary folder, created on first use."""

    def __init__(self, effort: Effort) -> None:
        self.matches, self.snapshots = effort.matches, effort.snapshots
        self._place: tempfile.TemporaryDirectory[str] | None = None

    @property
    def folder(self) -> Path:
        """The run's folder."""
        if self._place is None:
            self._place = tempfile.TemporaryDirectory(prefix="league-bench-")
            synthetic_run(Path(self._place.name) / "run", self.matches, self.snapshots)
        return Path(self._place.name) / "run"

    def close(self) -> None:
        """Remove the run."""
        if self._place is not None:
            self._place.cleanup()


class RatingRefit(Probe):
    """Seconds to read the whole ledger from the database and to rate every policy from it."""

    unit = "s"
    most = 1

    def __init__(self, archive: SyntheticRun, kind: str) -> None:
        super().__init__(f"rating.{kind}", f"{archive.matches:,} matches refitted, {kind}")
        self._archive, self._kind = archive, kind

    def prepare(self) -> None:
        self._folder = self._archive.folder

    def warm(self) -> None:
        """Not needed: a sample takes long enough that a cold start does not matter."""

    def sample(self) -> float:
        began = time.perf_counter()
        with Store.reader(self._folder) as store:
            make_rating(self._kind).rate(store.ledger(scored=False), frozenset({anchor_id("", 1)}))
        return time.perf_counter() - began


class ColdStandings(Probe):
    """Seconds of a `league standings --json` process, from start to exit."""

    unit = "s"

    def __init__(self, archive: SyntheticRun) -> None:
        super().__init__("rating.standings", f"league standings, {archive.matches:,} matches, whole process")
        self._archive = archive

    def prepare(self) -> None:
        self._folder = self._archive.folder

    def sample(self) -> float:
        command = [sys.executable, "-m", "league", "standings", "--run", str(self._folder), "--json"]
        # The new process must import the same league as this one, whatever the working directory is.
        paths = os.pathsep.join(path for path in sys.path if path)
        began = time.perf_counter()
        called = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - began
        if called.returncode:
            raise RatingError(f"`league standings` of a ledger of {self._archive.matches} failed: {called.stderr}")
        return took
