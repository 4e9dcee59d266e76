"""Environments whose agents come and go, and whose numbers come in odd but plain forms."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Pool(ParallelEnv):  # type: ignore[misc]
    """Three workers for twelve turns. Whoever takes 1 sits out for two turns, with a flag if `flagged`. With `late`,
    worker_2 joins on turn 3; with `leaver`, worker_1 leaves without a flag on turn 2 and stays away."""

    metadata: dict[str, Any] = {"name": "pool_v0"}  # noqa: RUF012

    def __init__(self, numbers: str = "plain", pauses: bool = True, **how: bool) -> None:
        self.sees, self.acts = spaces.Box(0, 50, (3,), np.float32), spaces.Discrete(2)
        self.possible_agents = [f"worker_{number}" for number in range(3)]
        self.flagged, self.late, self.leaver = (how.get(name, False) for name in ("flagged", "late", "leaver"))
        self.numbers, self.pauses = numbers, pauses
        self.render_mode = None

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self.sees

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self.acts

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.turn, self.out = 0, dict[str, int]()
        if self.late:
            self.out["worker_2"] = 3
        self.agents = [agent for agent in self.possible_agents if agent not in self.out]
        return self.look(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        self.turn += 1
        acted, over = list(actions), self.turn == 12
        caught = [agent for agent in acted if self.pauses and actions[agent] == 1]
        back = [agent for agent, until in self.out.items() if until <= self.turn]
        self.out = {agent: until for agent, until in self.out.items() if until > self.turn}
        self.out |= dict.fromkeys(caught, self.turn + 2)
        if self.leaver and self.turn == 2 and "worker_1" in acted:
            self.out["worker_1"] = 99
        self.agents = [] if over else [agent for agent in self.possible_agents if agent not in self.out]
        named = list(dict.fromkeys([*acted, *back]))
        paid = {agent: self.number(1.0 if agent in caught else 0.25) for agent in named}
        ended = {agent: self.flag(self.flagged and agent in caught) for agent in named}
        cut = {agent: self.flag(over) for agent in named}
        return self.look(), paid, ended, cut, {agent: {} for agent in named}

    def look(self) -> dict[str, Any]:
        forms = {"listed": list, "column": lambda seen: seen[:, None]}
        seen = np.array([self.turn, len(self.agents), len(self.out)], dtype=np.float32)
        return {agent: forms.get(self.numbers, np.copy)(seen) for agent in self.possible_agents}

    def number(self, value: float) -> Any:
        forms: dict[str, Any] = {"array": lambda one: np.array([one]), "scalar": np.float32, "zero_d": np.array}
        return forms.get(self.numbers, float)(value)

    def flag(self, value: bool) -> Any:
        forms: dict[str, Any] = {"array": lambda one: np.array([one]), "scalar": np.bool_, "zero_d": int}
        return forms.get(self.numbers, bool)(value)
