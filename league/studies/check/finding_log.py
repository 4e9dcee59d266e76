"""Collects the findings of the checks: each fault once, with the first place where it occurred."""

from __future__ import annotations

from collections.abc import Hashable

from league.games.pettingzoo.answers import method_place
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
        return "" if self._code is None else method_place(self._code, method)
