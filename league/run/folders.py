"""Finding runs: by folder, or by name under runs/. Does not import torch, so that it is fast."""

from __future__ import annotations

import shlex
from pathlib import Path

from league.errors import RunError
from league.storage.store import FILE, Store

RUNS = Path("runs")
"""The folder that contains the runs given by name."""

BEGUN_FACT = "begun_from"
"""The key of the fact that names the policies that a run began from (`population.init`), by their ids."""

TOURNAMENT_FACT = "tournament"
"""The key of the fact that marks a folder as a tournament's (`league tournament`); runs have no such fact."""


def find_run(name: str | None) -> Path:
    """The folder of a run: a folder, a name under runs/, or the newest run where `name` is None.

    Raises RunError if there is none, or if the name is that of two different runs.
    """
    if name is None:
        runs = Store.find_runs(RUNS)
        if not runs:
            raise RunError("there is no run yet under runs/: start one with `league run`, or name a folder with --run")
        return runs[0]
    found = _runs_called(name)
    if not found:
        known = ", ".join(run.name for run in Store.find_runs(RUNS)[:8]) or "none"
        raise RunError(
            f"'{name}' is not a run: neither a folder with a {FILE} nor a name under runs/ (there are: {known})"
        )
    return found[0]


def new_run(name: str) -> Path:
    """The folder of a run that may not exist yet: `name` itself if it is a path or a run, else a name under runs/.

    A folder of that name that is not a run, such as a package's source, does not count. Raises as `find_run` does.
    """
    found = _runs_called(name)
    return found[0] if found else Path(name).expanduser() if _is_path(name) else RUNS / name


def _is_path(name: str) -> bool:
    return "/" in name or name.startswith((".", "~"))


def _runs_called(name: str) -> list[Path]:
    """The folders of the runs that a name means. Raises RunError if they are two."""
    here, below = Path(name).expanduser(), RUNS / name
    places = [here] if name.startswith((".", "~")) else [here, below]
    found = {folder.resolve(): folder for folder in places if (folder / FILE).is_file()}
    if len(found) > 1:
        raise RunError(f"'{name}' is two runs: write ./{here} or {below}, as is meant")
    return list(found.values())


def run_option(folder: Path) -> str:
    """The option that names a run, to be printed in commands: it works in whatever folder they are typed."""
    return f" --run {shlex.quote(str(folder.absolute()))}"


def require_run(store: Store) -> None:
    """Raises RunError for a tournament: its folder has a ledger like a run's, but nothing that trains."""
    if TOURNAMENT_FACT in store.facts():
        raise RunError(
            f"{store.folder} is a tournament, not a run: "
            f"`league tournament --out {shlex.quote(str(store.folder.absolute()))}` shows it"
        )


def beside(folder: Path) -> Path:
    """The first unused name of `folder`, `folder-2`, `folder-3`, …"""
    number, free = 2, folder
    while free.exists():
        free, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return free
