"""A game in words: who sits where, what an observation and an action are, and what their numbers mean."""

from __future__ import annotations

from league.games.actions import ActionSpace, Box, Discrete, MultiDiscrete
from league.games.core import GameSpec, RoleSpec

UNSAID = "what its numbers mean is not said by the game"


def described(spec: GameSpec) -> dict[str, str]:
    """What an observation and an action are, by what it is called: "observation of agent" where roles differ."""
    several = len(spec.roles) > 1
    found = {}
    for role in spec.roles:
        whose = f" of {role.name}" if several else ""
        found[f"observation{whose}"] = f"{_shape(role)}; {spec.observation or UNSAID}"
        found[f"action{whose}"] = f"{_choice(role.actions)}; {spec.action or UNSAID}"
    return found


def _shape(role: RoleSpec) -> str:
    dtype = str(role.obs_dtype).removeprefix("torch.")
    shape = " x ".join(map(str, role.obs_shape))
    if len(role.obs_shape) == 3:
        return f"{shape} {dtype}, planes first"
    return f"{shape} number{'s' * (role.obs_shape != (1,))}, {dtype}"


def _choice(space: ActionSpace) -> str:
    if isinstance(space, Discrete):
        return f"one of {space.n}, from 0 to {space.n - 1}"
    if isinstance(space, MultiDiscrete):
        return f"{len(space.sizes)} choices, of {', '.join(map(str, space.sizes))}"
    if isinstance(space, Box):
        return f"{len(space.low)} numbers within bounds"
    return str(space)
