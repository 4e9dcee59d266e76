"""Estimates the time and memory of a run from a measured part of one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from math import prod

from league.config.run import RunConfig
from league.games.core import GameSpec
from league.studies.bench.probe import QUICK, workload
from league.studies.bench.training_probes import Training
from league.studies.check.check_report import Cost

_EFFORT = replace(QUICK, seconds=0.3, steps=2_048)
_COPIES = 3
"""Copies of a rollout's tensors that exist at once, roughly: as collected, in chains, and as a batch."""


def cost(config: RunConfig, steps: int, tick: Callable[[float], None] = lambda done: None) -> Cost:
    """Train briefly as `league run` would with this config, and estimate the time and memory of `steps` agent-steps.

    Raises LeagueError if training fails.
    """
    one = workload(config, _EFFORT)
    tick(0.2)
    probe = Training("training", config.game.id, one)
    try:
        probe.prepare()
        probe.warm()
        tick(0.6)
        rate = probe.sample()
    finally:
        probe.close()
    more = max(config.algorithm.turns - one.turns, 0)
    held = _COPIES * more * one.slots * _turn_bytes(one.spec)
    memory = _peak_memory(one.tuning.workers)
    return Cost(
        steps=steps,
        seconds=steps / rate,
        agent_steps_per_second=rate,
        slots=one.slots,
        workers=one.tuning.workers,
        megabytes=None if memory is None else (memory + held) / 2**20,
    )


def _turn_bytes(spec: GameSpec) -> int:
    """Bytes of one turn of one slot in a rollout."""
    rows = sum(role.acting * (prod(role.obs_shape) * role.obs_dtype.itemsize + 64) for role in spec.roles)
    state = 0 if spec.state_shape is None else 4 * prod(spec.state_shape) * (1 + spec.can_truncate)
    if spec.can_truncate:
        state += sum(len(role.seats) * prod(role.obs_shape) * role.obs_dtype.itemsize for role in spec.roles)
    return rows + state + 16 * len(spec.seats)


def _peak_memory(workers: int) -> float | None:
    """Peak memory in bytes of this process and `workers` like its largest child so far; None where nothing tells."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # Windows
        return None
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return float(own + workers * child) * (1 if sys.platform == "darwin" else 1024)
