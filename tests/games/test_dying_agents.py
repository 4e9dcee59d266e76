"""The PettingZoo adapter on two tiny environments whose agents die early, are paid as they die, and lie off-turn."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

from league.games.conformance import check
from league.games.core import Turn
from league.games.pettingzoo import PettingZooGame


class Mortal(AECEnv):  # type: ignore[type-arg]
    """Three agents take turns for two cycles. b dies as c acts in the first; that very step pays it 5, and a 1."""

    metadata: ClassVar[dict[str, Any]] = {"name": "mortal_v0"}

    def __init__(self, cut: bool = False) -> None:
        self.possible_agents, self.cut = ["a_0", "b_0", "c_0"], cut

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Dict({"observation": spaces.Box(-1, 1, (2,), np.float64), "action_mask": spaces.MultiBinary(3)})

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(3)

    def observe(self, agent: str) -> dict[str, Any]:
        # The mask of whoever is not to act lies: everything is allowed.
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


def _step(game: PettingZooGame, turn: Turn, action: int = 0) -> Turn:
    actions = {name: torch.full_like(acting.seat, action) for name, acting in turn.acts.items()}
    return game.step(actions, torch.arange(game.slots))


def _actors(game: PettingZooGame, turn: Turn) -> list[str]:
    return [
        game.spec.seats[seat] for acting in turn.acts.values() for seat in acting.seat[0][acting.present[0]].tolist()
    ]


@pytest.mark.parametrize(("cut", "horizon"), [(False, "truncation"), (True, "truncation"), (True, "terminal")])
def test_turn_based_agent_dies_with_a_reward(cut: bool, horizon: str) -> None:
    game = PettingZooGame(Mortal, 2, cut=cut, horizon=horizon, sides=[["a_0"], ["b_0"], ["c_0"]])
    turn, seen = game.start(torch.tensor([0, 1])), []
    for _ in range(5):
        seen.append(_actors(game, turn))
        turn = _step(game, turn)
        if len(seen) == 3:
            assert turn.reward[0].tolist() == [1, 5, 0]
            assert turn.terminated[0].tolist() == [False, True, False]
            assert not turn.ended.any()
            assert turn.state is not None
            assert turn.state[0, 2:4].tolist() == [0, 0]
    assert seen == [["a_0"], ["b_0"], ["c_0"], ["a_0"], ["c_0"]]
    assert turn.ended.all()
    assert turn.score[0].tolist() == [0, 5, 2]
    last = [[True, False, True]] * 2
    truncated = cut and horizon == "truncation"
    assert turn.truncated.tolist() == (last if truncated else [[False] * 3] * 2)
    assert turn.terminated.tolist() == ([[False] * 3] * 2 if truncated else last)
    assert (turn.final_state is None) == (horizon == "terminal")
    if turn.final_state is not None and truncated:
        torch.testing.assert_close(turn.final_state[0], torch.tensor([0.5, 1, 0, 0, 0.5, 1]))
    check(lambda slots: PettingZooGame(Mortal, slots, cut=cut, horizon=horizon))


class Duel(ParallelEnv):  # type: ignore[type-arg]
    """Two pairs act at once, with masks in the infos. red_1 dies on turn 2, when it is paid; blues get no flag."""

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


def test_simultaneous_agent_dies_with_a_reward_and_flags_that_never_came_follow_the_end() -> None:
    game = PettingZooGame(Duel, 1, roles={"player": ["red_0", "red_1", "blue_0", "blue_1"]})
    turn = game.start(torch.tensor([5]))  # luck 2
    assert turn.acts["player"].obs.shape == (1, 4, 5)
    masks = []
    for count in range(1, 5):
        mask = turn.acts["player"].mask
        assert mask is not None
        masks.append(mask[0, 0].tolist())
        turn = _step(game, turn)
        assert bool(turn.ended[0]) == (count == 4)
        if count == 2:
            assert turn.reward[0].tolist() == [2, 9, -2, -2]
            assert turn.terminated[0].tolist() == [False, True, False, False]
            assert turn.acts["player"].present[0].tolist() == [True, False, True, True]
        if count == 3:
            assert turn.reward[0].tolist() == [2, 0, -2, -2]
            assert not turn.terminated.any()
    assert masks == [[True, False], [True, True], [True, False], [True, True]]
    assert turn.truncated[0].tolist() == [True, False, True, True]
    assert not turn.terminated.any()
    assert turn.score[0].tolist() == [8, 11, -8, -8]
    assert turn.final_state is not None
    assert turn.final_state[0].reshape(4, 5).argmax(1).tolist() == [4, 0, 4, 4]
    assert turn.final_state[0].sum() == 3
    check(lambda slots: PettingZooGame(Duel, slots))
