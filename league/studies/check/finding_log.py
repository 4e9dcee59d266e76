"""Where findings are gathered while checks watch: each fault once, with the first place where it was."""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from pathlib import Path

from league.studies.check.check_report import Finding, Level


class FindingLog:
    """Findings, each the first of its kind. code: the environment's class, to say where its methods stand.

    setting: what the options were where they are not the configured ones, such as "N=1".
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
        """Note something, unless `check` was found before for the same `of` (an agent).

        method: of the environment, to be named in `where`.
        """
        if (check, of) in self._known:
            return
        self._known.add((check, of))
        parts = [self._setting, where, self.place(method) if method else ""]
        self.found.append(Finding(level, check, what, "; ".join(part for part in parts if part), advice))

    def has(self, group: str, *levels: Level) -> bool:
        """Whether something was found in a group of checks (all of them: "") with one of these levels."""
        return any(one.level in levels and one.check.startswith(group) for one in self.found)

    def place(self, method: str) -> str:
        """A method of the environment as `file.py:41 (Name.method)`; as much of it as there is."""
        if self._code is None:
            return ""
        function = inspect.unwrap(getattr(self._code, method, None) or self._code)
        code = getattr(function, "__code__", None)
        owner = next((one for one in self._code.__mro__ if method in vars(one)), self._code).__name__
        if code is None:
            return f"{owner}.{method}"
        return f"{display_path(code.co_filename)}:{code.co_firstlineno} ({owner}.{method})"


def display_path(file: str) -> str:
    """A file's path as it is shown: relative to the working directory, or to where packages are installed."""
    path, here = Path(file), Path.cwd()
    if "site-packages" in path.parts:
        return str(Path(*path.parts[path.parts.index("site-packages") + 1 :]))
    return str(path.relative_to(here)) if path.is_relative_to(here) else file
