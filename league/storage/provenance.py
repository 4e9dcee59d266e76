"""Where a run was made (versions, hardware, commit), and what has changed since, in words."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

_NONE = "none"
_PACKAGES = {"league": "selfplay-league"} | {name: name for name in ("torch", "numpy", "pettingzoo", "openskill")}


def provenance(folder: Path | None = None) -> dict[str, str]:
    """Versions, platform, processor, usable cores, GPU, and the git commit of `folder` (the working directory).

    Missing facts are "none". Never fails; contains no time and no host name.
    """
    versions = {name: _version(package) for name, package in _PACKAGES.items()}
    return versions | {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "gpu": _gpu(),
        "commit": _commit((folder or Path.cwd()).absolute()),
    }


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """One sentence for each fact that has changed, such as "torch was 2.6.0 and is now 2.7.1"."""
    names = sorted(old.keys() | new.keys())
    pairs = [(name, old.get(name, _NONE), new.get(name, _NONE)) for name in names]
    return [f"{name} was {before} and is now {after}" for name, before, after in pairs if before != after]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return _NONE


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine() or _NONE


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else _NONE


def _commit(folder: Path) -> str:
    """The commit checked out in the repository around `folder`, read from `.git` so that git need not be installed."""
    try:
        for place in (folder, *folder.parents):
            git = place / ".git"
            if git.is_file():
                # In a worktree or submodule, `.git` is a file that points to the real folder.
                git = place / git.read_text().removeprefix("gitdir:").strip()
            if git.is_dir():
                return _head(git)
    except (OSError, UnicodeDecodeError):
        pass
    return _NONE


def _head(git: Path) -> str:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head or _NONE
    name = head.removeprefix("ref:").strip()
    common = git / "commondir"
    shared = git / common.read_text().strip() if common.is_file() else git
    for loose in (git / name, shared / name):
        if loose.is_file():
            return loose.read_text().strip() or _NONE
    packed = shared / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), _NONE)
