"""A process that steps one bare PettingZoo environment at random: the baseline for the adapter. Imports no torch."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable

import numpy as np

from league.games.pettingzoo.sources import Environment

_DRAWN = 65536
"""Random numbers drawn in advance, so that drawing them is not part of the measured time."""


def serve(id: str, seed: int) -> None:
    """Read a number of seconds per line of stdin, step for that long, and print `rate` and the steps per second.

    id: `pettingzoo:FAMILY/NAME-vN` or `mpe2:NAME_vN`. The environment is the library's `parallel_env` if it has one,
    else its `raw_env`, which lacks the wrappers that check every call. Agents take random legal actions.
    """
    module = importlib.import_module(id.translate(str.maketrans(":/-", ".._")))
    if hasattr(module, "parallel_env"):
        step = _together(module.parallel_env(), seed)
    else:
        step = _in_turn(module.raw_env(), seed)
    count = 0
    for line in sys.stdin:
        steps, began, end = 0, time.perf_counter(), float(line)
        while (took := time.perf_counter() - began) < end:
            step(count + steps)
            steps += 1
        count += steps
        sys.stdout.write(f"rate {steps / took}\n")
        sys.stdout.flush()


def _in_turn(environment: Environment, seed: int) -> Callable[[int], None]:
    drawn = np.random.default_rng(seed).integers(0, 1 << 30, _DRAWN).tolist()
    environment.reset(seed=seed)

    def step(number: int) -> None:
        agent = environment.agent_selection
        if environment.terminations[agent] or environment.truncations[agent]:
            environment.reset(seed=number)
            agent = environment.agent_selection
        legal = environment.observe(agent)["action_mask"].nonzero()[0]
        environment.step(int(legal[drawn[number % _DRAWN] % len(legal)]))

    return step


def _together(environment: Environment, seed: int) -> Callable[[int], None]:
    rng = np.random.default_rng(seed)
    environment.reset(seed=seed)
    drawn = {
        agent: rng.integers(0, environment.action_space(agent).n, _DRAWN).tolist()
        for agent in environment.possible_agents
    }

    def step(number: int) -> None:
        if not environment.agents:
            environment.reset(seed=number)
        place = number % _DRAWN
        environment.step({agent: drawn[agent][place] for agent in environment.agents})

    return step
