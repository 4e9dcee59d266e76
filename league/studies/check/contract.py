"""What PettingZoo asks of an environment: its agents and spaces, what every call hands out, and how agents leave."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from gymnasium import spaces

from league.studies.check.bare import Agent, Bare, FailedError, Moment, Walk
from league.studies.check.notes import Notes


def declared(bare: Bare, notes: Notes) -> None:
    """What an environment says of itself before it is played."""
    env = bare.env
    if not bare.agents:
        notes.add(
            "error", "api.agents", "possible_agents is empty", method="__init__", advice="list every agent that can act"
        )
    if len(set(bare.agents)) < len(bare.agents):
        twice = next(agent for agent, count in Counter(bare.agents).items() if count > 1)
        notes.add("error", "api.agents", f"possible_agents names '{twice}' twice", method="__init__")
    for method, found in (("observation_space", bare.sees), ("action_space", bare.acts)):
        for agent, space in found.items():
            if not isinstance(space, spaces.Space):
                what = f"{method}('{agent}') is a {type(space).__name__}, not a Gymnasium space"
                notes.add("error", f"api.{method}", what, f"agent '{agent}'", method=method)
            elif getattr(env, method)(agent) is not space:
                notes.add(
                    "warning",
                    f"api.{method}",
                    f"{method}('{agent}') makes a new space at every call",
                    method=method,
                    advice="make the spaces once, in __init__: seeding the one that is handed out seeds nothing else",
                )


def not_made(failed: FailedError, notes: Notes) -> None:
    """An environment whose agents or spaces cannot even be asked for."""
    advice = {
        "possible_agents": "set possible_agents in __init__, with every agent that can act",
        "observation_space": "give every agent of possible_agents an observation space",
        "action_space": "give every agent of possible_agents an action space",
    }[failed.call]
    if failed.call == "possible_agents":
        what = f"possible_agents cannot be read: {type(failed.error).__name__}: {failed.error}"
        notes.add("error", "api.agents", what, "", advice, "__init__")
    else:
        notes.add("error", f"api.{failed.call}", str(failed), failed.place, advice)


def stopped(walk: Walk, notes: Notes) -> None:
    """A walk that an exception ended, where no other check explains it."""
    failed = walk.failed
    if failed is None:
        return
    where = "" if walk.last is None else walk.last.at(next(iter(walk.last.acting), None))
    notes.add(
        "error",
        f"api.{failed.call}",
        str(failed),
        f"{where or f'seed {walk.seed}'}; {failed.place}",
        f"{failed.call}() must take what the spaces and masks allow; it was given {dict(walk.tried)}"
        if failed.call == "step"
        else f"mend {failed.call}() there",
    )


class Leaving:
    """Agents whose episode is over: they must go, and neither act nor be paid any more."""

    def __init__(self, bare: Bare, notes: Notes) -> None:
        self._bare, self._notes = bare, notes
        self._over: dict[Agent, int] = {}
        self._gone: set[Agent] = set()

    def begin(self, moment: Moment) -> None:
        """See `Watcher`."""
        self._over, self._gone = {}, set()
        if moment.acting:
            return
        notes, method = self._notes, "reset"
        if not moment.agents:
            notes.add("error", "api.reset", "after reset() there are no agents", moment.at(), "fill agents", method)
        elif moment.dead is not None:
            what = f"after reset() agent '{moment.dead}' is over before it has acted"
            notes.add("error", "api.reset", what, moment.at(), "clear terminations and truncations in reset()", method)

    def turn(self, before: Moment, actions: Mapping[Agent, Any], after: Moment) -> None:
        """See `Watcher`."""
        if before.dead is not None:
            self._taken_off(before, after)
        for agent in after.acting if self._bare.in_turn else after.agents:
            if agent in self._over:
                self._still_there(agent, after)
        for agent, reward in after.rewards.items():
            # In AEC, what an agent is paid until its step(None) is handed to it there.
            late = agent in self._gone if self._bare.in_turn else agent in self._over
            if late and number(reward):
                self._notes.add(
                    "warning",
                    "agents.paid-when-over",
                    f"'{agent}' is given a reward of {number(reward):g} after its episode's end",
                    after.at(agent),
                    "pay on the step that ends it: what comes later belongs to no decision and is dropped",
                    "step",
                    of=agent,
                )
        self._gone |= set(before.agents) - set(after.agents)
        left = set(before.agents) - set(after.agents)
        for agent in self._bare.agents:
            if after.over(agent) and agent not in self._over:
                self._over[agent] = after.turn
            elif agent in left and agent not in self._over and after.agents:
                self._notes.add(
                    "warning",
                    "agents.unflagged",
                    f"'{agent}' leaves `agents` without being terminated or truncated",
                    after.at(agent),
                    "set its flag on the step on which it leaves, or its last decision cannot be told from a pause",
                    "step",
                    of=agent,
                )

    def _taken_off(self, before: Moment, after: Moment) -> None:
        if before.dead in after.agents:
            self._over[before.dead] = before.turn
            self._notes.add(
                "error",
                "agents.stay",
                f"'{before.dead}' is over, but step(None) does not remove it from `agents`",
                before.at(before.dead),
                "begin step() with: if this agent is terminated or truncated, `return self._was_dead_step(action)`",
                "step",
            )

    def _still_there(self, agent: Agent, after: Moment) -> None:
        when = self._over[agent]
        if self._bare.in_turn:
            what = f"'{agent}' was over on turn {when}, but is selected again and asked for an action"
            advice = "keep its flag set until its step(None), and leave it out of the order after that"
        else:
            what = f"'{agent}' was over on turn {when}, but is still in `agents`, where it is asked for an action"
            advice = "take agents out of `agents` on the step that terminates or truncates them"
        self._notes.add("error", "agents.act-when-over", what, after.at(agent), advice, "step", of=agent)


class Handed:
    """Observations, rewards, flags and infos: everybody gets theirs, and every reward is a finite number."""

    def __init__(self, bare: Bare, notes: Notes) -> None:
        self._bare, self._notes = bare, notes

    def begin(self, moment: Moment) -> None:
        """See `Watcher`."""
        self._seen(moment, self._bare.looks[0])

    def turn(self, before: Moment, actions: Mapping[Agent, Any], after: Moment) -> None:
        """See `Watcher`."""
        self._seen(after, self._bare.looks[1])
        known = set(self._bare.agents)
        named = {
            "rewards": after.rewards,
            "terminations": after.terminated,
            "truncations": after.truncated,
            "infos": after.infos,
        }
        for name, given in named.items():
            for agent in set(given) - known:
                what = f"{name} names '{agent}', which is not in possible_agents"
                self._notes.add("error", f"api.{name}", what, after.at(), method="step", of=agent)
            # Whoever acted must hear of it; in AEC all that are on the table.
            for agent in after.agents if self._bare.in_turn else before.acting:
                if agent not in given:
                    self._notes.add(
                        "warning",
                        f"api.{name}",
                        f"{name} does not name '{agent}', which {'is in `agents`' if self._bare.in_turn else 'acted'}",
                        after.at(agent),
                        f"give every agent its entry in {name}, also on its last step",
                        "step",
                        of=agent,
                    )
        for agent, reward in after.rewards.items():
            if not math.isfinite(number(reward, math.nan)):
                self._notes.add(
                    "error",
                    "rewards.finite",
                    f"'{agent}' is given a reward of {reward!r}",
                    after.at(agent),
                    "rewards are finite numbers: one that is not ends all learning",
                    "step",
                    of=agent,
                )

    def _seen(self, moment: Moment, method: str) -> None:
        for agent in moment.acting:
            if agent not in self._bare.sees:
                what = f"'{agent}' is to act, but is not in possible_agents"
                self._notes.add("error", "api.agents", what, moment.at(agent), "list it there", method, of=agent)
            elif agent not in moment.seen:
                what = f"'{agent}' is to act, but gets no observation"
                advice = "give every agent in `agents` its observation"
                self._notes.add("error", "observations.missing", what, moment.at(agent), advice, method, of=agent)


def number(value: object, otherwise: float = 0.0) -> float:
    """A reward as a number; `otherwise` where it is none."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return otherwise
