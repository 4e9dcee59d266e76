"""Who is rewarded: AEC's two records of rewards must agree, and agents should sometimes be rewarded for acting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from league.studies.check.environment import Agent, BareEnvironment, EnvironmentCheck, TurnState
from league.studies.check.finding_log import FindingLog
from league.studies.check.pettingzoo_contract import as_float

_CLOSE = 1e-6
_ENOUGH = 20
"""Rewards needed before a pattern counts."""


class RewardCheck(EnvironmentCheck):
    """Compares the rewards of a step with what `last()` will return, and counts who is rewarded when another acts."""

    def __init__(self, bare: BareEnvironment, log: FindingLog) -> None:
        super().__init__(bare, log)
        self._own = 0
        self._others: Counter[tuple[Agent, Agent]] = Counter()

    def turn(self, before: TurnState, actions: Mapping[Agent, Any], after: TurnState) -> None:
        """See `Watcher`."""
        if not self._env.in_turn or before.dead is not None:
            return
        actor = before.acting[0]
        self._agree(actor, before, after)
        paid = [agent for agent in after.agents if as_float(after.rewards.get(agent, 0.0))]
        if actor in paid:
            self._own += 1
        elif len(paid) == 1:
            self._others[actor, paid[0]] += 1

    def finish(self) -> None:
        """Report the pattern of a whole audit."""
        count = self._others.total()
        if self._own or count < _ENOUGH:
            return
        (actor, paid), _ = self._others.most_common(1)[0]
        self._log.add(
            "warning",
            "rewards.never-the-actor",
            f"the agent that acts is never rewarded on its own step, but one other agent always is ('{paid}' when "
            f"'{actor}' acts; {count} rewards)",
            f"agent '{actor}'",
            "are rewards set after agent_selection has moved on? Then `self.rewards[self.agent_selection]` belongs to "
            "the next agent",
            "step",
        )

    def _agree(self, actor: Agent, before: TurnState, after: TurnState) -> None:
        """`last()` returns `_cumulative_rewards`: earlier ones (the actor has had its own) and this step's rewards."""
        rose: dict[Agent, float] = {}
        paid: dict[Agent, float] = {}
        for agent in after.cumulative:
            old = 0.0 if agent == actor else as_float(before.cumulative.get(agent, 0.0))
            rose[agent] = as_float(after.cumulative[agent]) - old
            paid[agent] = as_float(after.rewards.get(agent, 0.0))
        wrong = [agent for agent in rose if abs(rose[agent] - paid[agent]) > _CLOSE]
        if not wrong:
            return
        if abs(sum(rose.values()) - sum(paid.values())) <= _CLOSE and len(wrong) > 1:
            lost = next(agent for agent in wrong if abs(paid[agent]) > abs(rose[agent]) or len(wrong) == 1)
            got = next(agent for agent in wrong if agent != lost)
            self._log.add(
                "error",
                "rewards.wrong-agent",
                f"rewards says '{lost}' is given {paid[lost]:g}, but _cumulative_rewards, which last() returns, "
                f"rises by {rose[got]:g} for '{got}'",
                before.place(actor),
                "set `rewards` for the right agents, then call `_accumulate_rewards()` once; write nothing else there",
                "step",
            )
            return
        agent = wrong[0]
        stale = (
            agent == actor and abs(rose[agent] - paid[agent] - as_float(before.cumulative.get(agent, 0.0))) <= _CLOSE
        )
        self._log.add(
            "warning",
            "rewards.sum",
            f"a step pays '{agent}' {paid[agent]:g} by rewards, but its _cumulative_rewards, which last() returns, "
            + ("still contains earlier rewards" if stale else f"rises by {rose[agent]:g}"),
            before.place(actor),
            "in step(): `self._cumulative_rewards[agent] = 0` for the acting agent, `self._clear_rewards()`, set "
            "rewards, `self._accumulate_rewards()`",
            "step",
        )
