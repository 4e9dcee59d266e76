"""The adapter's own options for a PettingZoo environment, apart from those of the environment itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeVar

from league.errors import GameError
from league.games.pettingzoo.sources import Channels
from league.plugins import short

OutcomeKind = Literal["placements", "score"]
Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterOptions:
    """How an environment becomes a game. What is left out is inferred.

    roles: `{name: [agents]}`, which agents share a policy (default: `roles.infer_roles`).
    sides: `[[agents], …]`, which agents share an outcome (default: `roles.known_sides`, `roles.sides_from_returns`).
    horizon: "truncation" if the environment's time limit is not part of the rules, "terminal" if it is. Default:
        terminal for classic environments and OpenSpiel, otherwise truncation.
    outcome: "placements" or "score" (default: `roles.infer_outcome`).
    channels: "last" or "first", the position of the channels in images. Default: first for OpenSpiel, otherwise last.
    shrink: n makes images n times smaller in height and in width, by averaging squares of n by n pixels.
    pad: True gives all agents the same observation shape and number of actions, so that one policy can serve them all:
        observations become one row of numbers, padded with zeros, and actions that an agent does not have are never
        legal. Unless `roles` says otherwise, all agents then have one role.
    wrappers: names of callables (`package.module:Name`, `file.py:Name`) that wrap each environment, the first one
        innermost. They receive a ParallelEnv where the environment can be one.
    """

    roles: object = None
    sides: object = None
    horizon: Literal["truncation", "terminal"] | None = None
    outcome: OutcomeKind | None = None
    channels: Channels | None = None
    shrink: int = 1
    pad: bool = False
    wrappers: tuple[str, ...] = ()


def split_options(options: Mapping[str, object]) -> tuple[AdapterOptions, dict[str, object]]:
    """The adapter's own options, and those of the environment. Raises GameError for an invalid value."""
    own = {field.name for field in fields(AdapterOptions)}
    shrink, pad = options.get("shrink", 1), options.get("pad", False)
    if not isinstance(shrink, int) or isinstance(shrink, bool) or shrink < 1:
        raise GameError(f"shrink must be a whole number > 0, not {shrink!r}")
    if not isinstance(pad, bool):
        raise GameError(f"pad must be true or false, not {pad!r}")
    adapter = AdapterOptions(
        roles=options.get("roles"),
        sides=options.get("sides"),
        horizon=_one_of(options, "horizon", ("truncation", "terminal")),
        outcome=_one_of(options, "outcome", ("placements", "score")),
        channels=_one_of(options, "channels", ("last", "first")),
        shrink=shrink,
        pad=pad,
        wrappers=_wrappers(options.get("wrappers", ())),
    )
    return adapter, {name: value for name, value in options.items() if name not in own}


def comparable(options: Mapping[str, object]) -> dict[str, object]:
    """A game's options as snapshots are bound to them: wrappers by the names of their files, wherever these are."""
    wrappers = options.get("wrappers")
    if not isinstance(wrappers, list | tuple):
        return dict(options)
    return {**options, "wrappers": [short(one) if isinstance(one, str) else one for one in wrappers]}


def _wrappers(wrappers: object) -> tuple[str, ...]:
    if not isinstance(wrappers, Sequence) or isinstance(wrappers, str) or not all(isinstance(w, str) for w in wrappers):
        raise GameError(f"wrappers must be a list such as ['package.module:Name', 'file.py:Name'], not {wrappers!r}")
    return tuple(str(wrapper) for wrapper in wrappers)


def _one_of(options: Mapping[str, object], name: str, choices: tuple[Choice, Choice]) -> Choice | None:
    """The option `name`, or None if it was not given. Raises GameError unless it is one of `choices`."""
    if name not in options:
        return None
    for choice in choices:
        if options[name] == choice:
            return choice
    raise GameError(f"{name} must be '{choices[0]}' or '{choices[1]}', not {options[name]!r}")
