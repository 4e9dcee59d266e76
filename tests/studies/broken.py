"""Environments of a few lines, each with one fault of the kind that costs people days."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv


class InTurn(AECEnv):  # type: ignore[type-arg]
    """What the AEC environments here share: agents, spaces made once, and a turn that goes round."""

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
        """Whose turn comes after an agent's."""
        return self.agents[(self.agents.index(agent) + 1) % len(self.agents)]

    def leave(self, action: int | None) -> None:
        """An agent that is over is taken off the table."""
        self._was_dead_step(action)

    def begin(self) -> None:
        """Set up an episode."""

    def play(self, agent: str, action: int | None) -> None:
        """Take a turn."""
        raise NotImplementedError


class WrongMask(InTurn):
    """Take boxes in turn; who takes the last wins. The mask is that of the turn before: the newest gap is missing.

    how: what step() does about a box that is gone: it "raises", or it "punishes" (the episode ends with -1).
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
    """As WrongMask, with other faults. how: the mask "forbids" the last box although it is there; it is right, but
    step() "trusts" it; it is of the turn before, and a box that is gone "costs" 0.5 and asks again.
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
    """Three agents; b_0 is out after its second turn.

    how: it "acts" on (its flag is cleared by the next step), or it "stays" (step(None) does not remove it).
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
            # Every flag is set anew on each step, so that the dead rise.
            self.terminations = {one: one == "b_0" and self.count == 5 for one in self.agents}
        elif agent == "b_0" and self.count >= 5:
            self.terminations["b_0"] = True
        self.agent_selection = self.next_of(agent)

    def _deads_step_first(self) -> str:
        # Whoever is out is asked for step(None) when its turn comes.
        return self.agent_selection


class AtOnce(ParallelEnv):  # type: ignore[type-arg]
    """What the Parallel environments here share: two agents see a bit each, and score by naming it, eight times."""

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
        """Set all chance of an episode."""
        self.rng = np.random.default_rng(seed)

    def deal(self) -> dict[str, Any]:
        """A new bit for each agent, and what they see."""
        self.bits = {agent: int(self.rng.integers(2)) for agent in self.possible_agents}
        return {agent: self.look(agent) for agent in self.possible_agents}

    def look(self, agent: str) -> Any:
        """What an agent sees."""
        return np.array([2 * self.bits[agent] - 1, self.count / 8], np.float32)

    def pay(self, right: dict[str, float]) -> dict[str, float]:
        """What each agent is given, by who named its bit."""
        return right

    def step(self, actions: dict[str, int]) -> Any:
        agents, self.count = self.agents, self.count + 1
        rewards = self.pay({agent: float(actions[agent] == self.bits[agent]) for agent in agents})
        over = dict.fromkeys(agents, self.count == 8)
        self.agents = [] if self.count == 8 else self.agents
        return self.deal(), rewards, over, dict.fromkeys(agents, False), {agent: {} for agent in agents}


class Sound(AtOnce):
    """Nothing is wrong with this one. players: a number of agents."""

    def __init__(self, players: int = 3) -> None:
        super().__init__()
        self.possible_agents = [f"a_{number}" for number in range(players)]
        self._sees = {agent: spaces.Box(-1, 1, (2,), np.float32) for agent in self.possible_agents}
        self._acts = {agent: spaces.Discrete(2) for agent in self.possible_agents}


class NotANumber(AtOnce):
    """b_0 sees its mean score so far, which is 0/0 at first."""

    def look(self, agent: str) -> Any:
        seen = super().look(agent)
        if agent == "b_0" and self.count == 2:
            with np.errstate(invalid="ignore"):
                seen[1] = np.float32(0) / np.float32(0)
        return seen


class SeedIgnored(AtOnce):
    """reset(seed=…) does nothing with its seed: chance goes on from the episode before."""

    def seed(self, seed: int | None) -> None:
        pass


class Unseeded(AtOnce):
    """Chance comes from a generator that nobody seeds."""

    def seed(self, seed: int | None) -> None:
        self.rng = np.random.default_rng()


class HashOrder(AtOnce):
    """What an agent sees depends on the hash of a string, which is another in every process."""

    def look(self, agent: str) -> Any:
        return np.array([2 * self.bits[agent] - 1, hash("north") % 997 / 997], np.float32)


class Lingering(AtOnce):
    """b_0 is out on turn 4. how: it "stays" in `agents`, or it is "paid" on."""

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
    """An off-by-one: every agent is paid for what the one beside it did."""

    def pay(self, right: dict[str, float]) -> dict[str, float]:
        order = list(right)
        return {agent: right[order[(place + 1) % len(order)]] for place, agent in enumerate(order)}


class PaidAfterTheTurn(InTurn):
    """As WrongPay, in turn: rewards are set after agent_selection has moved on, so that the next agent has them."""

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
    """rewards and _cumulative_rewards, which last() hands out, name different agents."""

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
    """It has agents, but is neither an AECEnv nor a ParallelEnv."""

    possible_agents: ClassVar[list[str]] = ["a_0"]


class Odd(AtOnce):
    """Everything else that can be wrong, one thing at a time. how: which."""

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
