"""A PettingZoo game of a user's own, in one file."""

BOARD = '''\
"""A board whose size is a constant of the file: whoever takes the last square wins."""

from gymnasium.spaces import Box, Discrete
import numpy as np
from pettingzoo import AECEnv

SQUARES = 3


class Board(AECEnv):
    metadata = {"name": "board", "is_parallelizable": True}
    possible_agents = ["first", "second"]
    render_mode = None

    def observation_space(self, agent):
        return Box(0, 1, (SQUARES,), np.float32)

    def action_space(self, agent):
        return Discrete(SQUARES)

    def reset(self, seed=None, options=None):
        self.agents, self.agent_selection = list(self.possible_agents), "first"
        self.taken = np.zeros(SQUARES, np.float32)
        self.rewards = self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}

    def observe(self, agent):
        return np.resize(self.taken, self.observation_space(agent).shape)

    def step(self, action):
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self.infos = {agent: {} for agent in self.agents}
        other = self.possible_agents[agent == "first"]
        self.taken[action % SQUARES] = 1
        over = bool(self.taken.all())
        self.rewards = {agent: float(over), other: -float(over)}
        self._cumulative_rewards = dict(self.rewards)
        self.terminations = dict.fromkeys(self.agents, over)
        self.agent_selection = other
'''
