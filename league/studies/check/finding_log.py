"""Collects the findings of the checks: each fault once, with the first place where it occurred."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Hashable
from pathlib import Path

from league.studies.check.check_report import Finding, Level


class FindingLog:
    """Findings, each the first of its kind. code: the environment's class, used to locate its methods.

    setting: the options, if they differ from the configured ones, such as "N=1".
    """

    def __init__(self, code: type | None = None, setting: str = "") -> None:
        self.found: list[Finding] = []
        self._code, self._setting = code, setting
        self._known: set[Hashable] = set()

    def add(
        self,
        level: Level,
        check: str,
        what: str,
        where: str = "",
        advice: str = "",
        method: str = "",
        of: Hashable = "",
    ) -> None:
        """Add a finding, unless `check` was already found for the same `of` (an agent).

        method: of the environment; its place is added to `where`.
        """
        if (check, of) in self._known:
            return
        self._known.add((check, of))
        parts = [self._setting, where, self.place(method) if method else ""]
        self.found.append(Finding(level, check, what, "; ".join(part for part in parts if part), advice))

    def has(self, group: str, *levels: Level) -> bool:
        """Whether a group of checks ("" for all) has a finding of one of these levels."""
        return any(one.level in levels and one.check.startswith(group) for one in self.found)

    def place(self, method: str) -> str:
        """A method of the environment as `file.py:41 (Name.method)`; as far as it is known."""
        if self._code is None:
            return ""
        function = inspect.unwrap(getattr(self._code, method, None) or self._code)
        code = getattr(function, "__code__", None)
        owner = next((one for one in self._code.__mro__ if method in vars(one)), self._code).__name__
        if code is None:
            return f"{owner}.{method}"
        return f"{display_path(code.co_filename)}:{code.co_firstlineno} ({owner}.{method})"


def display_path(file: str) -> str:
    """A path to show: relative to the working directory, or to site-packages."""
    path, here = Path(file), Path.cwd()
    if "site-packages" in path.parts:
        return str(Path(*path.parts[path.parts.index("site-packages") + 1 :]))
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def raised_at(error: Exception) -> str:
    """Where an exception was raised, as `file.py:41`; empty if that is unknown."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{display_path(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
