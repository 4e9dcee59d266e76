"""Environments that are right but for one thing, which happens to one agent from one turn on."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

TURNS = 12
"""Turns of an episode; what goes wrong does so before."""

WIDTH = 3
"""Numbers that an agent sees."""


class Tensor:
    """What cannot be made an array of, such as a tensor on a GPU or one with a gradient."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("call detach() first")


MASKS: dict[str, Any] = {
    "mask_short": lambda mask: mask[:-1],
    "mask_long": lambda mask: np.append(mask, mask.dtype.type(1)),
    "mask_additive": lambda mask: np.where(np.arange(len(mask)), 0.0, -np.inf),
    "mask_nan": lambda mask: mask * np.nan,
    "mask_two": lambda mask: mask * 2,
    "mask_negative": lambda mask: mask * -1.0,
    "mask_empty": lambda mask: mask * 0,
    "mask_matrix": lambda mask: mask[None],
    "mask_text": lambda mask: "all",
    "mask_tensor": lambda mask: Tensor(),
    "mask_object": lambda mask: [None, *mask[1:]],
}
REWARDS: dict[str, Any] = {
    "reward_none": None,
    "reward_text": "1.0",
    "reward_two": np.array([1.0, 2.0]),
    "reward_empty": np.array([]),
    "reward_nan": float("nan"),
    "reward_infinite": np.float32("-inf"),
    "reward_ragged": [[1.0], [1.0, 2.0]],
    "reward_tensor": Tensor(),
    "reward_dict": {"reward": 1.0},
}
OBSERVATIONS: dict[str, Any] = {
    "seen_short": np.zeros(WIDTH - 1, dtype=np.float32),
    "seen_long": np.zeros(WIDTH + 1, dtype=np.float32),
    "seen_matrix": np.zeros((WIDTH, WIDTH), dtype=np.float32),
    "seen_nan": np.full(WIDTH, np.nan, dtype=np.float32),
    "seen_infinite": np.array([0, np.inf, 0], dtype=np.float32),
    "seen_none": None,
    "seen_text": "nothing",
    "seen_ragged": [[1.0], [1.0, 2.0]],
    "seen_tensor": Tensor(),
    "seen_objects": [None, 1.0, 2.0],
}
FLAGS: dict[str, Any] = {
    "flag_text": "no",
    "flag_none": None,
    "flag_two": np.array([False, False]),
    "flag_ragged": [[True], [True, False]],
    "flag_number": 0.5,
}
CALLS = ("step_raises", "step_rejects", "stranger", "back")
PARALLEL_CALLS = ("seen_missing", "step_four", "step_none", "step_list", "reset_alone", "reset_none", "reset_three")
AEC_CALLS = ("observe_raises", "unset_rewards", "selects_stranger")
SPACES = ("space_none", "space_other", "space_raises", "acts_none", "acts_unbounded", "acts_text")
FAULTS = (*MASKS, *REWARDS, *OBSERVATIONS, *FLAGS, *CALLS, *SPACES, "reset_unseeded")
"""What can go wrong in both kinds."""


class Space:
    """A space of another library."""


class _Rules:
    """What both kinds share: `count` agents that choose one of three actions, or one of two and one of three."""

    metadata: ClassVar[dict[str, Any]] = {"name": "faulty_v0"}

    def __init__(
        self, fault: str = "", count: int = 2, who: int = 0, turn: int = 2, parts: bool = False, place: str = "obs"
    ) -> None:
        self.fault, self.turn, self.parts, self.place = fault, max(turn, fault == "back"), parts, place
        self.possible_agents = [f"seat_{number}" for number in range(count)]
        self.who = self.possible_agents[who]
        self.render_mode = None
        acts = spaces.MultiDiscrete([2, 3]) if parts else spaces.Discrete(3)
        self._acts: dict[str, Any] = dict.fromkeys(self.possible_agents, acts)
        seen: spaces.Space[Any] = spaces.Box(-1, 99, (WIDTH,), np.float32)
        if place == "obs":
            seen = spaces.Dict({"observation": seen, "action_mask": spaces.MultiBinary(5 if parts else 3)})
        self._sees: dict[str, Any] = dict.fromkeys(self.possible_agents, seen)
        if fault in ("space_none", "space_other"):
            self._sees[self.who] = None if fault == "space_none" else Space()
        if fault in ("acts_none", "acts_unbounded", "acts_text"):
            wide = spaces.Box(-3.4e38, 3.4e38, (2,), np.float32)
            self._acts[self.who] = {"acts_none": None, "acts_unbounded": wide, "acts_text": spaces.Text(3)}[fault]

    def observation_space(self, agent: str) -> Any:
        if self.fault == "space_raises" and agent == self.who:
            raise KeyError(agent)
        return self._sees[agent]

    def action_space(self, agent: str) -> Any:
        return self._acts[agent]

    def wrong(self, agent: str) -> bool:
        """Whether it is this agent's turn to go wrong."""
        return agent == self.who and self.count >= self.turn

    def look(self, agent: str) -> tuple[Any, dict[str, Any]]:
        """An agent's observation and info."""
        wrong = self.wrong(agent)
        seen: Any = np.array([self.count, self.rng.random(), self.last.get(agent, 0)], dtype=np.float32)
        mask: Any = np.ones(5 if self.parts else 3, dtype=np.int8)
        mask[self.count % 2] = 0
        if wrong and self.fault in MASKS:
            mask = MASKS[self.fault](mask)
        if wrong and self.fault in OBSERVATIONS:
            seen = OBSERVATIONS[self.fault]
        if self.place == "obs":
            return {"observation": seen, "action_mask": mask}, {}
        return seen, {"action_mask": mask}

    def paid(self, agent: str, action: Any) -> Any:
        """An agent's reward."""
        self.last[agent] = int(np.sum(action))
        return REWARDS[self.fault] if self.wrong(agent) and self.fault in REWARDS else float(self.last[agent])

    def flag(self, agent: str) -> Any:
        """An agent's flag of termination."""
        return FLAGS[self.fault] if self.wrong(agent) and self.fault in FLAGS else False

    def begin(self, seed: int | None) -> None:
        self.rng, self.count, self.last = np.random.default_rng(seed), 0, dict[str, int]()
        self.agents = [*self.possible_agents]
        if self.fault == "stranger":
            self.agents.append("stranger")

    def check(self, agent: str, action: Any) -> None:
        if self.wrong(agent) and self.fault == "step_raises":
            raise RuntimeError("the dice fell off the table")
        if self.wrong(agent) and self.fault == "step_rejects":
            raise ValueError


class Together(_Rules, ParallelEnv):  # type: ignore[misc]
    """All act at once."""

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        if self.fault == "reset_unseeded" and kwargs:
            raise TypeError("reset() got an unexpected keyword argument 'seed'")
        self.begin(kwargs.get("seed"))
        seen, infos = self._looks()
        if self.fault in ("reset_alone", "reset_none", "reset_three"):
            return {"reset_alone": seen, "reset_none": None, "reset_three": (seen, infos, {})}[self.fault]
        return seen, infos

    def step(self, actions: dict[str, Any]) -> Any:
        self.count += 1
        acted = list(actions)
        for agent in acted:
            self.check(agent, actions[agent])
        paid = {agent: self.paid(agent, actions[agent]) for agent in acted}
        over, cut = {agent: self.flag(agent) for agent in acted}, dict.fromkeys(acted, self.count >= TURNS)
        if self.fault == "back" and self.count == self.turn and self.who in acted:
            over[self.who] = True
            self.agents.remove(self.who)
        elif self.fault == "back" and self.count == self.turn + 2:
            self.agents.append(self.who)
        seen, infos = self._looks()
        if self.count >= TURNS:
            self.agents = []
        given = seen, paid, over, cut, infos
        if self.count < self.turn or self.fault not in ("step_four", "step_none", "step_list"):
            return given
        return {"step_four": (seen, paid, over, infos), "step_none": None, "step_list": [*given]}[self.fault]

    def _looks(self) -> tuple[dict[str, Any], dict[str, Any]]:
        looks = {agent: self.look(agent) for agent in self.possible_agents}
        if self.fault == "seen_missing" and self.wrong(self.who):
            del looks[self.who]
        return {agent: seen for agent, (seen, _) in looks.items()}, {agent: info for agent, (_, info) in looks.items()}


class InTurn(_Rules, AECEnv):  # type: ignore[misc]
    """One after the other."""

    def reset(self, *args: Any, **kwargs: Any) -> None:
        if self.fault == "reset_unseeded" and kwargs:
            raise TypeError("reset() got an unexpected keyword argument 'seed'")
        self.begin(kwargs.get("seed"))
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations, self.truncations = dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, False)
        self.agent_selection = "stranger" if self.fault == "stranger" else self.possible_agents[0]
        self.infos: dict[str, Any] = {agent: {} for agent in self.agents}
        self._note()

    def observe(self, agent: str) -> Any:
        if self.fault == "observe_raises" and self.wrong(agent):
            raise IndexError("list index out of range")
        return self.look(agent)[0]

    def step(self, action: Any) -> None:
        agent = self.agent_selection
        if self.terminations[agent] is True or self.truncations[agent]:
            self.agents.remove(agent)
            self.agent_selection = self.agents[0] if self.agents else agent
            return
        self.check(agent, action)
        self.count += 1
        self._cumulative_rewards[agent] = 0.0
        paid, self.terminations[agent] = self.paid(agent, action), self.flag(agent)
        if isinstance(paid, float):
            self.rewards = dict.fromkeys(self.agents, 0.0) | {agent: paid}
            self._accumulate_rewards()
        else:
            self._cumulative_rewards[agent] = paid
        places = self.possible_agents
        if self.fault == "back" and self.count == self.turn + 1 + 2 * len(places):
            self.agents.append(self.who)
            self.terminations[self.who] = False
        elif self.fault == "back" and self.count == self.turn + 1:
            self.terminations[self.who] = True
        after = [places[(places.index(agent) + 1 + step) % len(places)] for step in range(len(places))]
        self.agent_selection = next(place for place in after if place in self.agents)
        if self.fault == "selects_stranger" and self.count >= self.turn:
            self.agent_selection = "stranger"
        if self.fault == "unset_rewards" and self.count >= self.turn:
            self._cumulative_rewards = None  # type: ignore[assignment]
        if self.count >= TURNS * len(places):
            self.truncations = dict.fromkeys(self.agents, True)
        self._note()

    def _note(self) -> None:
        for agent in self.infos:
            self.infos[agent] = self.look(agent)[1] if agent in self.possible_agents else {}
