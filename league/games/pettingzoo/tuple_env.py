"""A Gymnasium environment whose spaces are tuples with one part for each agent, as a ParallelEnv."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import Env, spaces
from pettingzoo import ParallelEnv

from league.errors import GameError


class TupleEnv(ParallelEnv):  # type: ignore[misc]
    """All agents act at once and their episodes end together. Agents are called `agent_0`, `agent_1`, …

    Raises GameError unless both spaces are tuples of one length.
    """

    metadata: dict[str, Any] = {"name": "tuple", "is_parallelizable": True}  # noqa: RUF012

    def __init__(self, game: str, env: Env[Any, Any]) -> None:
        seen, acts = env.observation_space, env.action_space
        if not isinstance(seen, spaces.Tuple) or not isinstance(acts, spaces.Tuple) or len(seen) != len(acts):
            raise GameError(
                f"{game}: a Gymnasium environment needs Tuple spaces with one part for each agent, not {seen} and "
                f"{acts}"
            )
        self.env = env
        self.possible_agents = [f"agent_{number}" for number in range(len(acts))]
        self.agents: list[str] = []
        self.observation_spaces: dict[str, spaces.Space[Any]] = dict(zip(self.possible_agents, seen, strict=True))
        self.action_spaces: dict[str, spaces.Space[Any]] = dict(zip(self.possible_agents, acts, strict=True))
        self.render_mode = None

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """See `ParallelEnv.observation_space`."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """See `ParallelEnv.action_space`."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], ...]:
        """See `ParallelEnv.reset`."""
        observations, info = self.env.reset(seed=seed, options=options)
        self.agents = [*self.possible_agents]
        return self._by_agent(observations), dict.fromkeys(self.agents, info)

    def step(self, actions: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        """See `ParallelEnv.step`. The environment's reward and flags are shared by all agents, or one per agent."""
        agents = self.possible_agents
        observations, rewards, terminated, truncated, info = self.env.step(tuple(actions[agent] for agent in agents))
        over, cut = (np.broadcast_to(np.asarray(flag, dtype=bool), len(agents)) for flag in (terminated, truncated))
        paid = np.broadcast_to(np.asarray(rewards, dtype=np.float64), len(agents))
        self.agents = [] if bool((over | cut).all()) else [*agents]
        return (
            self._by_agent(observations),
            self._by_agent(paid.tolist()),
            self._by_agent(over.tolist()),
            self._by_agent(cut.tolist()),
            dict.fromkeys(agents, info),
        )

    def render(self) -> None:
        """Renders nothing."""

    def close(self) -> None:
        """See `ParallelEnv.close`."""
        self.env.close()

    def _by_agent(self, values: Any) -> dict[str, Any]:
        return dict(zip(self.possible_agents, values, strict=True))
