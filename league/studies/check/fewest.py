"""The fewest agents that a game can be played with: where it takes a number of them, faults show best with few."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from league.errors import GameError
from league.studies.check.bare import FailedError, walk
from league.studies.check.process import ask
from league.studies.check.subject import Subject, subject

_COUNT = re.compile(r"N|n|players|agents|(n|nb|num|number_of)_?[a-z]\w*")
"""Names of parameters that may say how many agents there are; whether they do is tried."""

_TRIES, _TURNS, _PATIENCE = 4, 20, 15.0


def fewest(one: Subject, agents: int) -> dict[str, object]:
    """Options with fewer agents than the `agents` that there are: for each number of agents, the smallest that works.

    Empty where the game takes no such number, or fewer do not work.
    """
    found: dict[str, object] = {}
    most = agents
    for name, count in counts(one).items():
        for fewer in range(1, min(count, _TRIES + 1)):
            left = _agents(one, {**found, name: fewer})
            if left is not None and left < most:
                found[name], most = fewer, left
                break
    return found


def counts(one: Subject) -> dict[str, int]:
    """Parameters that may be a number of agents, with the number that is configured (at least 2)."""
    takes: Mapping[str, object] = {} if one.source is None else one.source.takes
    return {
        name: value
        for name, value in {**takes, **one.options}.items()
        if _COUNT.fullmatch(name) and isinstance(value, int) and not isinstance(value, bool) and value > 1
    }


def _agents(one: Subject, options: Mapping[str, object]) -> int | None:
    """How many agents there are with other options; None where it cannot be made or played.

    Tried in a process of its own: some environments never come back from a step with too few agents.
    """
    request = {"id": one.id, "options": {**one.options, **options}}
    found: int | None = ask("league.studies.check.fewest:agents_asked", request, _PATIENCE)[0]
    return found


def agents_asked(request: Mapping[str, Any]) -> int | None:
    """What `_agents` asks of another process."""
    try:
        bare = subject(request["id"], request["options"]).bare()
        return None if walk(bare, 0, _TURNS).stopped else len(bare.agents)
    except (GameError, FailedError):
        return None
