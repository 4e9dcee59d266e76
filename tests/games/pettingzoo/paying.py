"""A game in turn whose every step pays both agents, in numbers or in arrays of one."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv

TURNS = 6
FORMS: dict[str, Any] = {
    "float": float,
    "one": lambda value: np.array([value], dtype=np.float32),
    "scalar": lambda value: np.array(value, dtype=np.float64),
    "matrix": lambda value: np.array([[value]]),
}


class Paying(AECEnv):  # type: ignore[misc]
    """Who acts gets 1/4, and the other loses 1/2; the last step pays 1 and -1."""

    metadata: ClassVar[dict[str, Any]] = {"name": "paying_v0"}

    def __init__(self, form: str = "float") -> None:
        super().__init__()
        self._form, self.possible_agents, self.render_mode = FORMS[form], ["left", "right"], None
        self._sees, self._acts = spaces.Box(0, TURNS, (1,), np.float32), spaces.Discrete(2)

    def observation_space(self, agent: str) -> Any:
        return self._sees

    def action_space(self, agent: str) -> Any:
        return self._acts

    def observe(self, agent: str) -> Any:
        return np.array([self._turn], dtype=np.float32)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self._turn, self.agents = 0, [*self.possible_agents]
        self.rewards = {agent: self._form(0.0) for agent in self.agents}
        self._cumulative_rewards = {agent: self._form(0.0) for agent in self.agents}
        self.terminations, self.truncations = dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, False)
        self.infos: dict[str, Any] = {agent: {} for agent in self.agents}
        self.agent_selection = "left"

    def step(self, action: Any) -> None:
        own = self.agent_selection
        if self.terminations[own]:
            self._was_dead_step(action)
            return
        other = "right" if own == "left" else "left"
        self._turn += 1
        over = self._turn == TURNS
        self._cumulative_rewards[own] = self._form(0.0)
        self.rewards = {own: self._form(1.0 if over else 0.25), other: self._form(-1.0 if over else -0.5)}
        self._accumulate_rewards()
        self.terminations = dict.fromkeys(self.agents, over)
        self.agent_selection = other
