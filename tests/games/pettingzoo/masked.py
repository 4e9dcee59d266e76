"""An environment that masks what each agent did last, in every form that a mask can have, for every action space."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

ACTS: dict[str, spaces.Space[Any]] = {
    "three": spaces.Discrete(3),
    "from_two": spaces.Discrete(3, start=2),
    "lines": spaces.MultiDiscrete([4, 3]),
    "from_five": spaces.MultiDiscrete([4, 3], start=[5, 6]),
    "table": spaces.MultiDiscrete([[2, 3], [4, 2]]),
    "bits": spaces.MultiBinary(3),
    "grid": spaces.MultiBinary((2, 2)),
    "point": spaces.Box(-1.0, 1.0, (2,)),
}
FORMS = ("flat", "bools", "floats", "listed", "tuple", "list", "nested", "joint", "matrix", "short", "long", "per_bit")


def sizes_of(space: spaces.Space[Any]) -> list[int]:
    """Choices by part, written out here."""
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete):
        return [int(n) for n in space.nvec.flatten()]
    return [2] * int(np.prod(space.shape))


class Masked(ParallelEnv):  # type: ignore[misc]
    """Two agents, five turns. Raises where an action repeats a part of the agent's last one."""

    metadata: dict[str, Any] = {"name": "masked_v0"}  # noqa: RUF012

    def __init__(self, acts: str = "lines", form: str = "flat", place: str = "obs") -> None:
        self.possible_agents = ["a", "b"]
        self.acts, self.form, self.place, self.render_mode = ACTS[acts], form, place, None
        self.sizes = sizes_of(self.acts)
        see: spaces.Space[Any] = spaces.Box(0, 10, (2,), np.float32)
        if place == "obs":
            see = spaces.Dict({"observation": see, "action_mask": spaces.MultiBinary(sum(self.sizes))})
        self.see = see

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self.see

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self.acts

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.agents, self.turn = [*self.possible_agents], 0
        self.last: dict[str, list[int]] = {}
        return self.look()

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        self.turn += 1
        agents = [*self.agents]
        for agent, action in actions.items():
            choices = self.choices(action)
            if any(one == old for one, old in zip(choices, self.last.get(agent, []), strict=False)):
                raise ValueError(f"illegal action {choices} after {self.last[agent]}")
            self.last[agent] = choices
        paid = {agent: float(self.last[agent][0]) for agent in agents}
        over = self.turn == 5
        seen, infos = self.look()
        self.agents = [] if over else agents
        return seen, paid, dict.fromkeys(agents, over), dict.fromkeys(agents, False), infos

    def choices(self, action: Any) -> list[int]:
        """The choice in each part, from 0 on."""
        if isinstance(self.acts, spaces.Box):
            return [0] * 2 if self.turn == 0 else [self.turn, self.turn]
        start = self.acts.start if isinstance(self.acts, spaces.Discrete | spaces.MultiDiscrete) else 0
        return [int(part) for part in np.asarray(action - start).flatten()]

    def look(self) -> tuple[dict[str, Any], dict[str, Any]]:
        seen = {agent: np.array([self.turn, len(self.last)], dtype=np.float32) for agent in self.agents}
        masks = {agent: self.mask(agent) for agent in self.agents}
        if self.place == "obs":
            looks = {agent: {"observation": seen[agent], "action_mask": masks[agent]} for agent in self.agents}
            return looks, {agent: {} for agent in self.agents}
        return seen, {agent: {"action_mask": masks[agent]} for agent in self.agents}

    def mask(self, agent: str) -> Any:
        parts = [np.ones(size, dtype=np.int8) for size in self.sizes]
        for part, old in zip(parts, self.last.get(agent, []), strict=False):
            if not isinstance(self.acts, spaces.Box):
                part[old] = 0
        flat = np.concatenate(parts)
        if self.form in ("joint", "matrix"):
            joint = parts[0]
            for part in parts[1:]:
                joint = np.multiply.outer(joint, part)
            return joint.reshape(-1) if self.form == "joint" else np.atleast_2d(joint)
        if self.form == "nested":
            half = len(parts) // 2
            return (tuple(parts[:half]), tuple(parts[half:]))
        return {
            "flat": flat,
            "bools": flat.astype(bool),
            "floats": flat.astype(np.float64),
            "listed": flat.tolist(),
            "tuple": tuple(parts),
            "list": parts,
            "short": flat[:-1],
            "long": np.append(flat, np.int8(1)),
            "per_bit": np.ones(len(parts), dtype=np.int8),
        }[self.form]
