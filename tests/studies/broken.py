"""Small environments, each with one fault of a kind that is hard to find."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv


class InTurn(AECEnv):  # type: ignore[type-arg]
    """Base of the AEC environments: agents, spaces that are made once, and turns in a fixed order."""

    metadata: ClassVar[dict[str, Any]] = {"name": "broken_v0"}
    names: ClassVar[list[str]] = ["a_0", "b_0"]

    def __init__(self, seen: spaces.Space[Any], actions: int) -> None:
        self.possible_agents = list(self.names)
        self._sees = dict.fromkeys(self.names, seen)
        self._acts = {agent: spaces.Discrete(actions) for agent in self.names}

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._sees[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self._acts[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self.agents, self.agent_selection = self.possible_agents[:], self.possible_agents[0]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations, self.truncations = dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self.rng, self.count = np.random.default_rng(seed), 0
        self.begin()

    def step(self, action: int | None) -> None:
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self.leave(action)
            return
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self.count += 1
        self.play(agent, action)
        self._accumulate_rewards()
        self._deads_step_first()

    def next_of(self, agent: str) -> str:
        """The agent that acts after `agent`."""
        return self.agents[(self.agents.index(agent) + 1) % len(self.agents)]

    def leave(self, action: int | None) -> None:
        """Remove an agent whose episode is over."""
        self._was_dead_step(action)

    def begin(self) -> None:
        """Set up an episode."""

    def play(self, agent: str, action: int | None) -> None:
        """Take a turn."""
        raise NotImplementedError


class WrongMask(InTurn):
    """Agents take boxes in turn; the one that takes the last box wins. The mask still allows the box taken last.

    how: step()'s response to a box that is gone: it "raises", or it "punishes" (the episode ends with -1).
    """

    def __init__(self, how: str = "raises") -> None:
        seen = {"observation": spaces.Box(0, 1, (5,), np.int8), "action_mask": spaces.Box(0, 1, (5,), np.int8)}
        super().__init__(spaces.Dict(seen), 5)
        self.how = how

    def begin(self) -> None:
        self.boxes, self.before = np.ones(5, np.int8), np.ones(5, np.int8)

    def observe(self, agent: str) -> dict[str, Any]:
        return {"observation": self.boxes.copy(), "action_mask": self.before.copy()}

    def play(self, agent: str, action: int | None) -> None:
        other = self.next_of(agent)
        if not self.boxes[action]:
            if self.how == "raises":
                raise ValueError(f"box {action} is gone")
            self.rewards[agent] = -1.0
            self.terminations = dict.fromkeys(self.agents, True)
            return
        self.before = self.boxes.copy()
        self.boxes[action] = 0
        if not self.boxes.any():
            self.rewards.update({agent: 1.0, other: -1.0})
            self.terminations = dict.fromkeys(self.agents, True)
        self.agent_selection = other


class Boxes(WrongMask):
    """WrongMask with other faults. how: the mask "forbids" the last box although it is there; the mask is right, but
    step() "trusts" it; or the mask is one turn late, and a box that is gone "costs" 0.5 and the agent acts again.
    """

    def observe(self, agent: str) -> dict[str, Any]:
        mask = self.before.copy() if self.how == "costs" else self.boxes.copy()
        if self.how == "forbids" and mask[:4].any():
            mask[4] = 0
        return {"observation": self.boxes.copy(), "action_mask": mask}

    def play(self, agent: str, action: int | None) -> None:
        if self.boxes[action] or self.how == "forbids":
            self.how, how = "raises", self.how
            super().play(agent, action)
            self.how = how
        elif self.how == "trusts":
            self.agent_selection = self.next_of(agent)
        else:
            self.rewards[agent] = -0.5


class Undead(InTurn):
    """Three agents; the episode of b_0 ends after its second turn.

    how: it still "acts" (the next step clears its flag), or it "stays" (step(None) does not remove it).
    """

    names: ClassVar[list[str]] = ["a_0", "b_0", "c_0"]

    def __init__(self, how: str = "acts") -> None:
        super().__init__(spaces.Box(0, 1, (2,), np.float32), 2)
        self.how = how

    def observe(self, agent: str) -> Any:
        return np.array([self.count / 12, self.names.index(agent) / 2], np.float32)

    def leave(self, action: int | None) -> None:
        after = self.next_of(self.agent_selection)
        if self.how != "stays":
            super().leave(action)
            self.agent_selection = after

    def play(self, agent: str, action: int | None) -> None:
        self.rewards[agent] = float(action == self.count % 2)
        if self.count == 12:
            self.terminations = dict.fromkeys(self.agents, True)
        elif self.how == "acts":
            # Every step sets every flag again, so that b_0 is alive after the next one.
            self.terminations = {one: one == "b_0" and self.count == 5 for one in self.agents}
        elif agent == "b_0" and self.count >= 5:
            self.terminations["b_0"] = True
        self.agent_selection = self.next_of(agent)

    def _deads_step_first(self) -> str:
        # A dead agent gets its step(None) when its turn comes, not at once.
        return self.agent_selection


class AtOnce(ParallelEnv):  # type: ignore[type-arg]
    """Base of the Parallel environments: for eight turns, each of two agents sees a bit and scores by naming it."""

    metadata: ClassVar[dict[str, Any]] = {"name": "broken_v0"}

    def __init__(self) -> None:
        self.possible_agents = ["a_0", "b_0"]
        self._sees = {agent: spaces.Box(-1, 1, (2,), np.float32) for agent in self.possible_agents}
        self._acts = {agent: spaces.Discrete(2) for agent in self.possible_agents}
        self.rng = np.random.default_rng(0)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._sees[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self._acts[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.agents, self.count = self.possible_agents[:], 0
        self.seed(seed)
        return self.deal(), {agent: {} for agent in self.agents}

    def seed(self, seed: int | None) -> None:
        """Seed all random numbers of an episode."""
        self.rng = np.random.default_rng(seed)

    def deal(self) -> dict[str, Any]:
        """Draw a new bit for each agent; returns the observations."""
        self.bits = {agent: int(self.rng.integers(2)) for agent in self.possible_agents}
        return {agent: self.look(agent) for agent in self.possible_agents}

    def look(self, agent: str) -> Any:
        """The observation of an agent."""
        return np.array([2 * self.bits[agent] - 1, self.count / 8], np.float32)

    def pay(self, right: dict[str, float]) -> dict[str, float]:
        """The rewards by agent. right: 1 for each agent that named its bit, otherwise 0."""
        return right

    def step(self, actions: dict[str, int]) -> Any:
        agents, self.count = self.agents, self.count + 1
        rewards = self.pay({agent: float(actions[agent] == self.bits[agent]) for agent in agents})
        over = dict.fromkeys(agents, self.count == 8)
        self.agents = [] if self.count == 8 else self.agents
        return self.deal(), rewards, over, dict.fromkeys(agents, False), {agent: {} for agent in agents}


class Sound(AtOnce):
    """An environment without a fault. players: the number of agents."""

    def __init__(self, players: int = 3) -> None:
        super().__init__()
        self.possible_agents = [f"a_{number}" for number in range(players)]
        self._sees = {agent: spaces.Box(-1, 1, (2,), np.float32) for agent in self.possible_agents}
        self._acts = {agent: spaces.Discrete(2) for agent in self.possible_agents}


class NotANumber(AtOnce):
    """b_0 observes a NaN on turn 2, like the 0/0 of an empty mean."""

    def look(self, agent: str) -> Any:
        seen = super().look(agent)
        if agent == "b_0" and self.count == 2:
            with np.errstate(invalid="ignore"):
                seen[1] = np.float32(0) / np.float32(0)
        return seen


class SeedIgnored(AtOnce):
    """reset(seed=…) ignores its seed: the random numbers continue from the previous episode."""

    def seed(self, seed: int | None) -> None:
        pass


class Unseeded(AtOnce):
    """The random numbers come from a generator that is never seeded."""

    def seed(self, seed: int | None) -> None:
        self.rng = np.random.default_rng()


class HashOrder(AtOnce):
    """Observations depend on the hash of a string, which differs between processes."""

    def look(self, agent: str) -> Any:
        return np.array([2 * self.bits[agent] - 1, hash("north") % 997 / 997], np.float32)


class Lingering(AtOnce):
    """The episode of b_0 ends on turn 4. how: b_0 "stays" in `agents`, or it is still "paid" afterwards."""

    def __init__(self, how: str = "stays") -> None:
        super().__init__()
        self.how = how

    def step(self, actions: dict[str, int]) -> Any:
        acted = self.agents
        seen, rewards, over, cut, infos = super().step({"a_0": 0, "b_0": 0, **actions})
        if self.how == "paid" and "b_0" not in acted:
            rewards["b_0"] = 1.0
        if self.count >= 4 and self.agents:
            over["b_0"] = True
            self.agents = ["a_0", "b_0"] if self.how == "stays" else ["a_0"]
        return seen, rewards, over, cut, infos


class WrongPay(AtOnce):
    """An off-by-one error: every agent gets the reward of the next agent."""

    def pay(self, right: dict[str, float]) -> dict[str, float]:
        order = list(right)
        return {agent: right[order[(place + 1) % len(order)]] for place, agent in enumerate(order)}


class PaidAfterTheTurn(InTurn):
    """WrongPay as AEC: rewards are set after agent_selection has moved on, so that the next agent gets them."""

    def __init__(self) -> None:
        super().__init__(spaces.Box(-1, 1, (2,), np.float32), 2)

    def begin(self) -> None:
        self.bit = int(self.rng.integers(2))

    def observe(self, agent: str) -> Any:
        return np.array([2 * self.bit - 1, self.count / 8], np.float32)

    def play(self, agent: str, action: int | None) -> None:
        right, self.bit = float(action == self.bit), int(self.rng.integers(2))
        self.agent_selection = self.next_of(agent)
        self.rewards[self.agent_selection] = right
        if self.count == 8:
            self.terminations = dict.fromkeys(self.agents, True)


class PaidTwice(InTurn):
    """rewards and _cumulative_rewards, which last() returns, name different agents."""

    def __init__(self) -> None:
        super().__init__(spaces.Box(0, 1, (1,), np.float32), 2)

    def observe(self, agent: str) -> Any:
        return np.array([self.count / 8], np.float32)

    def play(self, agent: str, action: int | None) -> None:
        other = self.next_of(agent)
        self.rewards[agent] = 1.0
        self._cumulative_rewards[agent] -= 1.0
        self._cumulative_rewards[other] += 1.0
        self.agent_selection = other
        if self.count == 8:
            self.terminations = dict.fromkeys(self.agents, True)


class NoEnvironment:
    """An object with agents that is neither an AECEnv nor a ParallelEnv."""

    possible_agents: ClassVar[list[str]] = ["a_0"]


class Odd(AtOnce):
    """All other faults, one at a time. how: the fault."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        if how == "text":
            self._sees = {agent: spaces.Text(8) for agent in self.possible_agents}
        if how == "no-agents":
            self.possible_agents = []

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(-1, 1, (2,), np.float32) if self.how == "new-space" else super().observation_space(agent)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return super().action_space({}[agent] if self.how == "no-space" else agent)

    def look(self, agent: str) -> Any:
        seen = super().look(agent)
        odd = {
            "shape": seen[:1],
            "dtype": seen.astype(np.float64),
            "range": 3 * seen,
            "infinite": np.where(self.count == 5, np.float32(np.inf), seen),
            "constant": np.zeros(2, np.float32),
            "text": "abc",
        }
        return odd.get(self.how, seen)

    def pay(self, right: dict[str, float]) -> dict[str, float]:
        if self.how == "infinite-pay" and self.count == 3:
            right["b_0"] = float("inf")
        if self.how == "unpaid":
            right["b_0"] = 0.0
        if self.how == "not-named":
            del right["b_0"]
        return right

    def step(self, actions: dict[str, int]) -> Any:
        seen, rewards, over, cut, infos = super().step(actions)
        if self.how.startswith("mask"):
            masks: dict[str, Any] = {"mask-empty": [0, 0], "mask-length": [1, 1, 1], "mask-values": [1, 2]}
            masks["mask-one-empty"] = [0, 0]
            infos = {agent: {"action_mask": np.array(masks[self.how], np.int8)} for agent in infos}
            if self.how == "mask-one-empty":
                infos["a_0"] = {"action_mask": np.array([1, 0], np.int8)}
        if self.how == "unseen":
            seen.pop("b_0")
        if self.how == "unflagged" and self.count >= 4:
            self.agents = [agent for agent in self.agents if agent == "a_0"]
        if self.how == "old-api":
            return seen, rewards, over, infos
        if self.how == "raises" and self.count == 6:
            raise RuntimeError("lost my way")
        if self.how == "endless":
            self.agents, over = self.possible_agents[:], dict.fromkeys(over, False)
        return seen, rewards, over, cut, infos
