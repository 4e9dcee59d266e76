"""Plays random episodes of a bare environment while every check of PettingZoo's contract watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from league.errors import GameError
from league.studies.check import pettingzoo_contract
from league.studies.check.environment import BareEnvironment, EnvCallError, Watcher, close, play_episode
from league.studies.check.finding_log import FindingLog
from league.studies.check.game_under_test import GameUnderTest
from league.studies.check.mask_checks import MaskCheck
from league.studies.check.observation_checks import ObservationCheck
from league.studies.check.reward_checks import RewardCheck

EPISODES, TURNS = 24, 1_000
"""Number of episodes, and the largest number of turns of each."""


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """What was played. kind: "aec" or "parallel". agents: their number. rate: turns per second. masks: any seen."""

    kind: str
    agents: int
    turns: int
    rate: float
    masks: bool


def audit(
    one: GameUnderTest, setting: str, seconds: float, seed: int, tick: Callable[[float], None] = lambda done: None
) -> tuple[FindingLog, AuditSummary]:
    """Play episodes for `seconds`, at most `EPISODES` and at least one.

    setting: the options, if they differ from the configured ones. Raises GameError if the game cannot be made.
    """
    assert one.source is not None
    env = one.source.build()
    log = FindingLog(type(getattr(env, "unwrapped", env)), setting)
    try:
        try:
            bare = BareEnvironment(one.id, env)
        except EnvCallError as failed:
            pettingzoo_contract.report_unreadable_agents(failed, log)
            return log, AuditSummary("", 0, 0, 0.0, False)
        except GameError as error:
            advice = "subclass pettingzoo.AECEnv or pettingzoo.ParallelEnv"
            log.add("error", "api.kind", str(error), advice=advice, method="__init__")
            return log, AuditSummary("", 0, 0, 0.0, False)
        kind = "aec" if bare.in_turn else "parallel"
        pettingzoo_contract.check_declarations(bare, log)
        if log.has("api", "error"):
            return log, AuditSummary(kind, len(bare.agents), 0, 0.0, False)
        masks, observations, rewards = MaskCheck(bare, log), ObservationCheck(bare, log), RewardCheck(bare, log)
        departures = pettingzoo_contract.DepartureCheck(bare, log)
        watchers: list[Watcher] = [
            departures,
            pettingzoo_contract.StepResultCheck(bare, log),
            observations,
            masks,
            rewards,
        ]
        began, turns = time.perf_counter(), 0
        for episode in range(EPISODES):
            found = play_episode(bare, seed + episode, TURNS, watchers)
            turns += len(found.actions)
            if found.failed is not None and not masks.explains(found):
                pettingzoo_contract.report_failed_episode(found, log)
            spent = time.perf_counter() - began
            tick(min(max(spent / seconds, (episode + 1) / EPISODES), 1.0))
            if spent >= seconds or found.stopped:
                break
        rate = turns / max(time.perf_counter() - began, 1e-9)
        departures.finish()
        observations.finish()
        rewards.finish()
        masks.finish(one.bare)
        return log, AuditSummary(kind, len(bare.agents), turns, rate, masks.found_masks)
    finally:
        close(env)
