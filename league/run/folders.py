"""Finding runs: by folder, or by name under runs/. Does not import torch, so that it is fast."""

from __future__ import annotations

from pathlib import Path

from league.errors import RunError
from league.storage.store import FILE, Store

RUNS = Path("runs")
"""The folder that contains the runs given by name."""

TOURNAMENT_FACT = "tournament"
"""The key of the fact that marks a folder as a tournament's (`league tournament`); runs have no such fact."""


def find_run(name: str | None) -> Path:
    """The folder of a run: a folder, a name under runs/, or the newest run where `name` is None. Raises RunError."""
    if name is None:
        runs = Store.find_runs(RUNS)
        if not runs:
            raise RunError("there is no run yet under runs/: start one with `league run`, or name a folder with --run")
        return runs[0]
    for folder in (Path(name), RUNS / name):
        if (folder / FILE).is_file():
            return folder
    known = ", ".join(run.name for run in Store.find_runs(RUNS)[:8]) or "none"
    raise RunError(f"'{name}' is not a run: neither a folder with a {FILE} nor a name under runs/ (there are: {known})")


def new_run(name: str) -> Path:
    """The folder of a run that may not exist yet: `name` itself if it is a path or a run, else a name under runs/.

    A folder of that name that is not a run, such as a package's source, does not count.
    """
    is_path = "/" in name or name.startswith(".") or (Path(name) / FILE).is_file()
    return Path(name) if is_path else RUNS / name


def require_run(store: Store) -> None:
    """Raises RunError for a tournament: its folder has a ledger like a run's, but nothing that trains."""
    if TOURNAMENT_FACT in store.facts():
        raise RunError(f"{store.folder} is a tournament, not a run: league tournament --out {store.folder} shows it")


def beside(folder: Path) -> Path:
    """The first unused name of `folder`, `folder-2`, `folder-3`, …"""
    number, free = 2, folder
    while free.exists():
        free, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return free
