"""Small environments with every kind of space, which show each agent its last action."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

TURNS = 5
ACTS: dict[str, spaces.Space[Any]] = {
    "box": spaces.Box(np.array([[-1.0, 0.0]], dtype=np.float32), np.array([[2.0, 0.5]], dtype=np.float32)),
    "multi": spaces.MultiDiscrete([3, 2, 4]),
    "bits": spaces.MultiBinary(2),
    "one": spaces.Discrete(4, start=2),
}
LATER = 0.25


class Odd(ParallelEnv):  # type: ignore[misc]
    """Agents `box`, `multi`, `bits` and `one` (some of them, by `agents`); each sees its last action, flat, and a
    number drawn at the start, and is paid the action's first number."""

    metadata: dict[str, Any] = {"name": "odd"}  # noqa: RUF012

    def __init__(self, agents: str = "box multi bits one") -> None:
        self.possible_agents = agents.split()
        self.render_mode = None

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Dict({"last": spaces.Box(-9, 9, (self._size(agent),)), "drawn": spaces.Discrete(3)})

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return ACTS[agent]

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.agents, self.turn = [*self.possible_agents], 0
        self.drawn = int(np.random.default_rng(seed).integers(3))
        last = {agent: np.zeros(self._size(agent)) for agent in self.agents}
        return self._seen(last), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        self.turn += 1
        for agent, action in actions.items():
            assert self.action_space(agent).contains(action), f"{agent} was given {action!r}"
        last = {agent: np.asarray(action, dtype=np.float64).reshape(-1) for agent, action in actions.items()}
        paid = {agent: float(values[0]) for agent, values in last.items()}
        never, cut = dict.fromkeys(actions, False), dict.fromkeys(actions, self.turn == TURNS)
        seen, infos = self._seen(last), {agent: {} for agent in actions}
        self.agents = [] if self.turn == TURNS else self.agents
        return seen, paid, never, cut, infos

    def _size(self, agent: str) -> int:
        return int(np.prod(ACTS[agent].shape or 1))

    def _seen(self, last: dict[str, Any]) -> dict[str, Any]:
        return {agent: {"last": values.astype(np.float32), "drawn": self.drawn} for agent, values in last.items()}


class Painted(Odd):
    """Both agents see an image of 5 rows and 7 columns, three channels last: red counts rows, green columns."""

    def __init__(self) -> None:
        super().__init__("one")

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0, 255, (5, 7, 3), dtype=np.uint8)

    def _seen(self, last: dict[str, Any]) -> dict[str, Any]:
        rows, columns = np.mgrid[:5, :7]
        return {agent: np.stack((10 * rows, 10 * columns, 0 * rows), -1).astype(np.uint8) for agent in last}


class Unbounded(Odd):
    """Acts in a box without bounds."""

    def __init__(self) -> None:
        super().__init__("box")

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(-np.inf, np.inf, (2,))


def bounds(env: Any) -> Any:
    """A wrapper that adds bounds to a Box and to every reward a little."""
    step = env.step

    def paid_more(actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        seen, paid, *rest = step(actions)
        return seen, {agent: value + LATER for agent, value in paid.items()}, *rest

    env.action_space, env.step = ACTS.__getitem__, paid_more
    return env


def broken_wrapper(env: Any) -> Any:
    """A wrapper that fails."""
    raise ValueError("no such thing")
