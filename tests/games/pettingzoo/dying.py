"""Two tiny environments whose agents die early, with a reward, and whose off-turn masks lie. No torch, for workers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv


class Mortal(AECEnv):  # type: ignore[type-arg]
    """Three agents take turns for two cycles. b dies in c's first step, which rewards b with 5 and a with 1."""

    metadata: ClassVar[dict[str, Any]] = {"name": "mortal_v0"}

    def __init__(self, cut: bool = False) -> None:
        self.possible_agents, self.cut = ["a_0", "b_0", "c_0"], cut

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Dict({"observation": spaces.Box(-1, 1, (2,), np.float64), "action_mask": spaces.MultiBinary(3)})

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(3)

    def observe(self, agent: str) -> dict[str, Any]:
        # The mask of an agent off its turn lies: it allows everything.
        mask = [1, 1, 0] if agent == self.agent_selection else [1, 1, 1]
        return {"observation": np.array([self.count / 10, 1]), "action_mask": np.array(mask, dtype=np.int8)}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self.agents, self.count, self.agent_selection = self.possible_agents[:], 0, "a_0"
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations, self.truncations = dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}

    def step(self, action: int | None) -> None:
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self.count += 1
        if agent == "c_0" and "b_0" in self.agents:
            self.rewards |= {"b_0": 5.0, "a_0": 1.0}
            self.terminations["b_0"] = True
        self.agent_selection = self.agents[(self.agents.index(agent) + 1) % len(self.agents)]
        if self.count == 5:
            self.rewards |= {"a_0": -1.0, "c_0": 2.0}
            (self.truncations if self.cut else self.terminations).update(a_0=True, c_0=True)
        self._accumulate_rewards()
        self._deads_step_first()


class Duel(ParallelEnv):  # type: ignore[type-arg]
    """Two pairs act at once, with masks in the infos. red_1 dies on turn 2 with a reward; blue agents get no flag."""

    metadata: ClassVar[dict[str, Any]] = {"name": "duel_v0"}

    def __init__(self) -> None:
        self.possible_agents = ["red_0", "red_1", "blue_0", "blue_1"]

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(5)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(2, start=3)

    def _infos(self) -> dict[str, dict[str, Any]]:
        return {agent: {"action_mask": np.array([1, self.count % 2], dtype=np.int8)} for agent in self.agents}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.agents, self.count, self.luck = self.possible_agents[:], 0, (seed or 0) % 7 - 3
        return dict.fromkeys(self.agents, 0), self._infos()

    def step(self, actions: dict[str, int]) -> Any:
        assert set(actions) == set(self.agents)
        assert set(actions.values()) <= {3, 4}
        self.count += 1
        present = self.agents
        rewards = {agent: float(self.luck if agent.startswith("red") else -self.luck) for agent in present}
        over = dict.fromkeys(present, False)
        if self.count == 2:
            over["red_1"], rewards["red_1"] = True, 9.0
            self.agents = ["red_0", "blue_0", "blue_1"]
        cut = {agent: self.count == 4 and agent == "red_0" for agent in present}
        if self.count == 3:  # a rude environment: it goes on about agents that are over
            over["red_1"], rewards["red_1"] = True, 4.0
        if self.count == 4:
            self.agents = []
        return dict.fromkeys(present, self.count), rewards, over, cut, self._infos()
