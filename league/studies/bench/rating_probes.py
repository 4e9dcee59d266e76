"""How long it takes to rate a large ledger anew, and to show its standings from a cold start."""

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
    """A run in a temporary folder with a large ledger, made when it is first asked for."""

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
        """Remove it."""
        if self._place is not None:
            self._place.cleanup()


class RatingRefit(Probe):
    """Seconds in which everybody is rated anew: the whole ledger read from the database, and rated."""

    unit = "s"
    most = 1

    def __init__(self, archive: SyntheticRun, kind: str) -> None:
        super().__init__(f"rating.{kind}", f"{archive.matches:,} matches rated anew, {kind}")
        self._archive, self._kind = archive, kind

    def prepare(self) -> None:
        self._folder = self._archive.folder

    def warm(self) -> None:
        """Nothing: it takes long, and is long enough."""

    def sample(self) -> float:
        began = time.perf_counter()
        with Store.reader(self._folder) as store:
            make_rating(self._kind).rate(store.ledger(scored=False), frozenset({anchor_id("", 1)}))
        return time.perf_counter() - began


class ColdStandings(Probe):
    """Seconds of a whole process of `league standings --json`."""

    unit = "s"

    def __init__(self, archive: SyntheticRun) -> None:
        super().__init__("rating.standings", f"league standings, {archive.matches:,} matches, whole process")
        self._archive = archive

    def prepare(self) -> None:
        self._folder = self._archive.folder

    def sample(self) -> float:
        command = [sys.executable, "-m", "league", "standings", "--run", str(self._folder), "--json"]
        # Found as this process found it, wherever it was started.
        paths = os.pathsep.join(path for path in sys.path if path)
        began = time.perf_counter()
        called = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - began
        if called.returncode:
            raise RatingError(f"`league standings` of a ledger of {self._archive.matches} failed: {called.stderr}")
        return took
