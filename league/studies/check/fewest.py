"""The fewest agents that a game can be played with: where it takes a number of them, faults show best with few."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from league.errors import GameError
from league.studies.check.audit import audit
from league.studies.check.process import ask
from league.studies.check.report import Finding
from league.studies.check.subject import Subject, subject

_COUNT = re.compile(r"N|n|players|agents|(n|nb|num|number_of)_?[a-z]\w*")
"""Names of parameters that may say how many agents there are; whether they do is tried."""

_TRIES, _SECONDS, _PATIENCE = 4, 1.0, 15.0
"""Numbers that are tried, each audited for so long, in a process that is given up after so long."""


@dataclass(frozen=True, slots=True)
class Fewest:
    """Options with fewer agents, how many these are, and the errors that the audit found with them."""

    options: Mapping[str, object] = field(default_factory=dict)
    agents: int = 0
    errors: tuple[Finding, ...] = ()

    @property
    def setting(self) -> str:
        """The options in words, such as "N=1"."""
        return _setting(self.options)


def fewest(one: Subject, agents: int, seed: int) -> Fewest:
    """The game with fewer agents than the `agents` that there are: for each number of them, the smallest that works.

    Without options where the game takes no such number, or fewer do not work.
    """
    found = Fewest(agents=agents)
    for name, count in counts(one).items():
        for fewer in range(1, min(count, _TRIES + 1)):
            tried = _audited(one, {**found.options, name: fewer}, seed)
            if tried is not None and tried.agents < found.agents:
                found = tried
                break
    return found


def counts(one: Subject) -> dict[str, int]:
    """Parameters that may be a number of agents, with the number that is configured (at least 2)."""
    takes: Mapping[str, object] = {} if one.source is None else one.source.option_defaults
    return {
        name: value
        for name, value in {**takes, **one.options}.items()
        if _COUNT.fullmatch(name) and isinstance(value, int) and not isinstance(value, bool) and value > 1
    }


def _audited(one: Subject, options: Mapping[str, object], seed: int) -> Fewest | None:
    """The game with other options; None where it cannot be made or played.

    In a process of its own: some environments never come back from a step with too few agents.
    """
    request = {"id": one.id, "options": {**one.options, **options}, "setting": _setting(options), "seed": seed}
    found, _ = ask("league.studies.check.fewest:audit_asked", request, _PATIENCE)
    if found is None:
        return None
    return Fewest(options, found["agents"], tuple(Finding(**error) for error in found["errors"]))


def audit_asked(request: Mapping[str, Any]) -> dict[str, object] | None:
    """What `_audited` asks of another process."""
    try:
        one = subject(request["id"], request["options"])
        notes, audited = audit(one, request["setting"], _SECONDS, request["seed"])
    except GameError:
        return None
    if notes.has("api", "error"):
        return None
    errors = [asdict(finding) for finding in notes.found if finding.level == "error"]
    return {"agents": audited.agents, "errors": errors}


def _setting(options: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())
