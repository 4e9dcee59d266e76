"""A process with one bare PettingZoo environment, stepped at random: what an adapter is measured against. No torch."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable

import numpy as np

from league.games.pettingzoo.sources import Environment

_DRAWN = 65536
"""Random numbers that are drawn beforehand, so that drawing them costs the environment nothing."""


def serve(id: str, seed: int) -> None:
    """The process's life: for each line of stdin, a number of seconds, step for so long; print `rate` and steps/s.

    id: `pettingzoo:FAMILY/NAME-vN` or `mpe2:NAME_vN`. The environment is its library's own `parallel_env` where agents
    act at once, else `raw_env`, without the wrappers that check every call. Agents choose any legal action.
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
