"""What may be said of how a PettingZoo environment is adapted: options beside those of the environment itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeVar

from league.errors import GameError
from league.games.pettingzoo.roles import Outcome
from league.games.pettingzoo.sources import Channels

Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Adapting:
    """The adapter's own options; what is left out is found out.

    roles: `{name: [agents]}`, who shares a policy (else by the agents' names, `inference.roles_of`).
    sides: `[[agents], …]`, who shares an outcome (else `inference.known_sides`, `inference.sides_from_returns`).
    horizon: "truncation" or "terminal": whether being cut off at the environment's last cycle comes from outside or is
        part of the rules. Terminal for classic environments and OpenSpiel, else truncation.
    outcome: "placements" or "score" (else `inference.outcome_of`).
    channels: "last" or "first", where images keep their channels. First for OpenSpiel, else last.
    shrink: n makes images n times smaller in height and in width, by averaging squares of n by n pixels.
    pad: True makes all agents see and act alike, so that one policy can serve them all: observations become one row of
        numbers, zeros behind, and actions that an agent does not have are never legal. Unless `roles` says otherwise,
        they are all of one role.
    wrappers: names of callables (`package.module:Name`, `file.py:Name`) that are put around each environment, the first
        one innermost. They are given a ParallelEnv where the environment can be one.
    """

    roles: object = None
    sides: object = None
    horizon: Literal["truncation", "terminal"] | None = None
    outcome: Outcome | None = None
    channels: Channels | None = None
    shrink: int = 1
    pad: bool = False
    wrappers: tuple[str, ...] = ()


def adapting(options: Mapping[str, object]) -> tuple[Adapting, dict[str, object]]:
    """The adapter's own options, and those of the environment. Raises GameError for a value that cannot be."""
    own = {field.name for field in fields(Adapting)}
    shrink, pad = options.get("shrink", 1), options.get("pad", False)
    if not isinstance(shrink, int) or isinstance(shrink, bool) or shrink < 1:
        raise GameError(f"shrink must be a whole number > 0, not {shrink!r}")
    if not isinstance(pad, bool):
        raise GameError(f"pad must be true or false, not {pad!r}")
    wanted = Adapting(
        options.get("roles"),
        options.get("sides"),
        _one_of(options, "horizon", ("truncation", "terminal")),
        _one_of(options, "outcome", ("placements", "score")),
        _one_of(options, "channels", ("last", "first")),
        shrink,
        pad,
        _wrappers(options.get("wrappers", ())),
    )
    return wanted, {name: value for name, value in options.items() if name not in own}


def _wrappers(wrappers: object) -> tuple[str, ...]:
    if not isinstance(wrappers, Sequence) or isinstance(wrappers, str) or not all(isinstance(w, str) for w in wrappers):
        raise GameError(f"wrappers must be a list such as ['package.module:Name', 'file.py:Name'], not {wrappers!r}")
    return tuple(str(wrapper) for wrapper in wrappers)


def _one_of(options: Mapping[str, object], name: str, choices: tuple[Choice, Choice]) -> Choice | None:
    """The option `name` if it was given. Raises GameError unless it is one of `choices`."""
    if name not in options:
        return None
    for choice in choices:
        if options[name] == choice:
            return choice
    raise GameError(f"{name} must be '{choices[0]}' or '{choices[1]}', not {options[name]!r}")
