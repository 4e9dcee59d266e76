"""The fewest agents that a game can be played with: where it takes a number of them, faults show best with few."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from league.errors import GameError
from league.studies.check.check_report import Finding
from league.studies.check.game_under_test import GameUnderTest, game_under_test
from league.studies.check.pettingzoo_audit import audit
from league.studies.check.subprocess_call import call_in_subprocess

_COUNT = re.compile(r"N|n|players|agents|(n|nb|num|number_of)_?[a-z]\w*")
"""Names of parameters that may say how many agents there are; whether they do is tried."""

_TRIES, _SECONDS, _TIMEOUT = 4, 1.0, 15.0
"""Numbers that are tried, each audited for so long, in a process that is given up after so long."""


@dataclass(frozen=True, slots=True)
class MinAgents:
    """Options with fewer agents, how many these are, and the errors that the audit found with them."""

    options: Mapping[str, object] = field(default_factory=dict)
    agents: int = 0
    errors: tuple[Finding, ...] = ()

    @property
    def setting(self) -> str:
        """The options in words, such as "N=1"."""
        return _setting(self.options)


def find_min_agents(one: GameUnderTest, agents: int, seed: int) -> MinAgents:
    """The game with fewer agents than the `agents` that there are: for each number of them, the smallest that works.

    Without options where the game takes no such number, or fewer do not work.
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
    """The game with other options; None where it cannot be made or played.

    In a process of its own: some environments never come back from a step with too few agents.
    """
    request = {"id": one.id, "options": {**one.options, **options}, "setting": _setting(options), "seed": seed}
    found, _ = call_in_subprocess("league.studies.check.min_agents:serve_audit", request, _TIMEOUT)
    if found is None:
        return None
    return MinAgents(options, found["agents"], tuple(Finding(**error) for error in found["errors"]))


def serve_audit(request: Mapping[str, Any]) -> dict[str, object] | None:
    """What `_audited` asks of another process."""
    try:
        one = game_under_test(request["id"], request["options"])
        log, audited = audit(one, request["setting"], _SECONDS, request["seed"])
    except GameError:
        return None
    if log.has("api", "error"):
        return None
    errors = [asdict(finding) for finding in log.found if finding.level == "error"]
    return {"agents": audited.agents, "errors": errors}


def _setting(options: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())
