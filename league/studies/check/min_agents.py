"""The smallest number of agents that a game can be played with, because faults are easiest to see with few agents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from league.errors import GameError
from league.studies.check.check_report import Finding
from league.studies.check.game_under_test import GameUnderTest, game_under_test
from league.studies.check.pettingzoo_audit import audit
from league.studies.check.subprocess_call import call_in_subprocess

_COUNT = re.compile(r"N|n|players|agents|(n|nb|num|number_of)_?[a-z]\w*")
"""Names of parameters that may be a number of agents; each is tried."""

_TRIES, _SECONDS, _TIMEOUT = 4, 1.0, 15.0
"""Largest number to try, seconds of each audit, and seconds after which its process is stopped."""


@dataclass(frozen=True, slots=True)
class MinAgents:
    """Options with fewer agents, the number of agents, and the errors that the audit found with them."""

    options: Mapping[str, object] = field(default_factory=dict)
    agents: int = 0
    errors: tuple[Finding, ...] = ()

    @property
    def setting(self) -> str:
        """The options in words, such as "N=1"."""
        return ", ".join(f"{name}={value}" for name, value in self.options.items())


def find_min_agents(one: GameUnderTest, agents: int, seed: int) -> MinAgents:
    """The game with fewer than `agents` agents: for each parameter that counts agents, the smallest value that works.

    Without options if the game has no such parameter, or no smaller value works.
    """
    found = MinAgents(agents=agents)
    for name, count in agent_counts(one).items():
        for fewer in range(1, min(count, _TRIES + 1)):
            tried = _audit_in_subprocess(one, {**found.options, name: fewer}, seed)
            if tried is not None and tried.agents < found.agents:
                found = tried
                break
    return found


def agent_counts(one: GameUnderTest) -> dict[str, int]:
    """Parameters that may be a number of agents, with the number that is configured (at least 2)."""
    takes: Mapping[str, object] = {} if one.source is None else one.source.option_defaults
    return {
        name: value
        for name, value in {**takes, **one.options}.items()
        if _COUNT.fullmatch(name) and isinstance(value, int) and not isinstance(value, bool) and value > 1
    }


def _audit_in_subprocess(one: GameUnderTest, options: Mapping[str, object], seed: int) -> MinAgents | None:
    """Audit the game with other options; None if it cannot be made or played.

    In a process of its own: some environments hang in a step with too few agents.
    """
    tried = MinAgents(options)
    request = {"id": one.id, "options": {**one.options, **options}, "setting": tried.setting, "seed": seed}
    found, _ = call_in_subprocess("league.studies.check.min_agents:serve_audit", request, _TIMEOUT)
    if found is None:
        return None
    return replace(tried, agents=found["agents"], errors=tuple(Finding(**error) for error in found["errors"]))


def serve_audit(request: Mapping[str, Any]) -> dict[str, object] | None:
    """What `_audit_in_subprocess` calls in the other process."""
    try:
        one = game_under_test(request["id"], request["options"])
        log, audited = audit(one, request["setting"], _SECONDS, request["seed"])
    except GameError:
        return None
    if log.has("api", "error"):
        return None
    errors = [asdict(finding) for finding in log.found if finding.level == "error"]
    return {"agents": audited.agents, "errors": errors}
