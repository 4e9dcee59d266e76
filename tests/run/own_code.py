"""What the tests of a user's own code share: a game in three files with a bot and a config, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from running import Called, league

CONSTS = "ACTIONS = 3\n"

RULES = '''
from consts import ACTIONS


def better(a, b):
    """1 where a wins, -1 where b does: each action beats the one before it."""
    return 0.0 if a == b else 1.0 if (a - b) % ACTIONS == 1 else -1.0
'''

OTHER_RULES = RULES.replace("== 1 else", "== 2 else")
"""Each action beats the one after it: another game of the same shape."""

DUEL = """
import numpy as np
from consts import ACTIONS
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv


class Duel(ParallelEnv):
    metadata = {"name": "duel_v0"}
    possible_agents = ["p_0", "p_1"]

    def __init__(self, turns=1):
        self.turns = turns

    def observation_space(self, agent):
        return Box(0, 1, (1,), np.float32)

    def action_space(self, agent):
        return Discrete(ACTIONS)

    def reset(self, seed=None, options=None):
        self.agents, self.left = self.possible_agents[:], self.turns
        return self._seen(), {a: {} for a in self.agents}

    def _seen(self):
        return {a: np.zeros(1, np.float32) for a in self.possible_agents}

    def step(self, actions):
        from rules import better  # only when it is played

        won, who = better(actions["p_0"], actions["p_1"]), self.agents
        self.left -= 1
        over = dict.fromkeys(who, self.left == 0)
        self.agents = self.agents if self.left else []
        return self._seen(), {"p_0": won, "p_1": -won}, over, dict.fromkeys(who, False), {a: {} for a in who}
"""

BOTS = '''
import torch
from consts import ACTIONS


class First:
    """Always plays the first action."""

    def __init__(self, role, spec):
        self.role = role

    def logits(self, rows):
        found = torch.full((len(rows.obs), ACTIONS), -1e9)
        found[:, 0] = 0
        return found
'''

WRAP = """
def same(environment):
    return environment
"""

MATCHING = """
from league.matchmaking.core import MatchmakingSettings
from league.records import Plan, Seating


class Alone:
    def plan(self, view, rng):
        return Plan(tuple((Seating((own.name,) * len(view.posts), 1.0),) for own in view.learners))
"""

CONFIG = """\
workers = 0
threads = 1

[game]
id = "duel.py:Duel"
options = { turns = 2 }
wrappers = ["wrap.py:same"]

[matchmaking]
kind = "matching.py:Alone"

[population]
snapshot_every = 1

[budget]
rounds = 1

[algorithm]
slots = 8
turns = 4
epochs = 1

[network]
actor = [8]
critic = [8]

[rating]
games_per_match = 4
anchors = ["bots.py:First"]
"""

PROJECT = {
    "consts.py": CONSTS,
    "rules.py": RULES,
    "duel.py": DUEL,
    "bots.py": BOTS,
    "wrap.py": WRAP,
    "matching.py": MATCHING,
    "duel.toml": CONFIG,
}


def write_project(folder: Path, **changed: str) -> Path:
    """The project's folder. changed: texts of files, by name without suffix, instead of those above."""
    folder.mkdir(parents=True)
    for name, text in PROJECT.items():
        (folder / name).write_text(changed.get(Path(name).stem, text) if name.endswith(".py") else text)
    return folder


def go_on(run: Path, *args: str | Path) -> Called:
    """`league run` of the project's run, with plain lines."""
    return league("run", "--run", run, "--plain", *args)
