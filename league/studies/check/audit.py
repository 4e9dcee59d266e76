"""Random episodes of a bare environment with all checks of PettingZoo's contract listening."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from league.errors import GameError
from league.studies.check import contract
from league.studies.check.bare import Bare, FailedError, Watcher, close, walk
from league.studies.check.masks import Masks
from league.studies.check.notes import Notes
from league.studies.check.observations import Observations
from league.studies.check.rewards import Rewards
from league.studies.check.subject import Subject

EPISODES, TURNS = 24, 1_000
"""Episodes that are walked through, and turns of each at most."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What was walked through. kind: "aec" or "parallel". agents: how many. rate: turns a second. masks: there are."""

    kind: str
    agents: int
    turns: int
    rate: float
    masks: bool


def audit(
    one: Subject, setting: str, seconds: float, seed: int, tick: Callable[[float], None] = lambda done: None
) -> tuple[Notes, Audited]:
    """Walk through episodes for so long, or `EPISODES` of them; at least one.

    setting: what the options are where they are not the configured ones. Raises GameError where it cannot be made.
    """
    assert one.source is not None
    env = one.source.build()
    notes = Notes(type(getattr(env, "unwrapped", env)), setting)
    try:
        try:
            bare = Bare(one.id, env)
        except FailedError as failed:
            contract.not_made(failed, notes)
            return notes, Audited("", 0, 0, 0.0, False)
        except GameError as error:
            advice = "subclass pettingzoo.AECEnv or pettingzoo.ParallelEnv"
            notes.add("error", "api.kind", str(error), advice=advice, method="__init__")
            return notes, Audited("", 0, 0, 0.0, False)
        kind = "aec" if bare.in_turn else "parallel"
        contract.declared(bare, notes)
        if notes.has("api", "error"):
            return notes, Audited(kind, len(bare.agents), 0, 0.0, False)
        masks, observations, rewards = Masks(bare, notes), Observations(bare, notes), Rewards(bare, notes)
        watchers: list[Watcher] = [
            contract.Leaving(bare, notes),
            contract.Handed(bare, notes),
            observations,
            masks,
            rewards,
        ]
        began, turns = time.perf_counter(), 0
        for episode in range(EPISODES):
            found = walk(bare, seed + episode, TURNS, watchers)
            turns += len(found.actions)
            if found.failed is not None and not masks.refused(found):
                contract.stopped(found, notes)
            spent = time.perf_counter() - began
            tick(min(max(spent / seconds, (episode + 1) / EPISODES), 1.0))
            if spent >= seconds or found.stopped:
                break
        rate = turns / max(time.perf_counter() - began, 1e-9)
        observations.conclude()
        rewards.conclude()
        masks.conclude(one.bare)
        return notes, Audited(kind, len(bare.agents), turns, rate, masks.there)
    finally:
        close(env)
