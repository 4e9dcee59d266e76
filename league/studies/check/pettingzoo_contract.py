"""PettingZoo's contract: agents and spaces, what every call returns, and how agents leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gymnasium import spaces

from league.games.pettingzoo.answers import PAUSES, UnusableError, read_flags, read_number
from league.studies.check.environment import (
    Agent,
    BareEnvironment,
    EnvCallError,
    EnvironmentCheck,
    EpisodeRecord,
    TurnState,
)
from league.studies.check.finding_log import FindingLog


def check_declarations(bare: BareEnvironment, log: FindingLog) -> None:
    """Check the agents and spaces that an environment declares before it is played."""
    env = bare.env
    if not bare.agents:
        log.add(
            "error", "api.agents", "possible_agents is empty", method="__init__", advice="list every agent that can act"
        )
    if len(set(bare.agents)) < len(bare.agents):
        twice = next(agent for agent, count in Counter(bare.agents).items() if count > 1)
        log.add("error", "api.agents", f"possible_agents names '{twice}' twice", method="__init__")
    for method, found in (("observation_space", bare.observation_spaces), ("action_space", bare.action_spaces)):
        for agent, space in found.items():
            if not isinstance(space, spaces.Space):
                what = f"{method}('{agent}') is a {type(space).__name__}, not a Gymnasium space"
                log.add("error", f"api.{method}", what, f"agent '{agent}'", method=method)
            elif getattr(env, method)(agent) is not space:
                log.add(
                    "warning",
                    f"api.{method}",
                    f"{method}('{agent}') returns a new space at every call",
                    method=method,
                    advice="create the spaces once, in __init__: seeding a returned space does not affect the next",
                )


def report_unreadable_agents(failed: EnvCallError, log: FindingLog) -> None:
    """Report an environment whose agents or spaces cannot be read."""
    advice = {
        "possible_agents": "set possible_agents in __init__, with every agent that can act",
        "observation_space": "give every agent of possible_agents an observation space",
        "action_space": "give every agent of possible_agents an action space",
    }[failed.call]
    if failed.call == "possible_agents":
        what = f"possible_agents cannot be read: {type(failed.error).__name__}: {failed.error}"
        log.add("error", "api.agents", what, "", advice, "__init__")
    else:
        log.add("error", f"api.{failed.call}", str(failed), failed.place, advice)


def report_failed_episode(episode: EpisodeRecord, log: FindingLog) -> None:
    """Report an episode that an exception ended, if no other check explains it."""
    failed = episode.failed
    if failed is None:
        return
    where = f"seed {episode.seed}"
    if episode.last is not None:
        alone = episode.last.acting[0] if failed.call == "step" and len(episode.last.acting) == 1 else None
        where = episode.last.place(alone)
    advice, method = f"fix {failed.call}() there", ""
    if failed.returned:
        advice, method = "", failed.call
    elif failed.call == "step":
        advice = f"step() must accept every action that the spaces and masks allow; it got {dict(episode.tried)}"
    places = [where, failed.place] if failed.place else [where]
    log.add("error", f"api.{failed.call}", str(failed), "; ".join(places), advice, method)


class DepartureCheck(EnvironmentCheck):
    """Agents whose episode is over must leave, and must neither act nor be rewarded again.

    An agent that leaves without a flag and comes back only pauses.
    """

    def __init__(self, bare: BareEnvironment, log: FindingLog) -> None:
        super().__init__(bare, log)
        self._ended_at: dict[Agent, int] = {}
        self._departed: set[Agent] = set()
        self._away: dict[Agent, TurnState] = {}
        self._stayed_away: dict[Agent, TurnState] = {}
        self._paused: set[Agent] = set()

    def begin(self, state: TurnState) -> None:
        """See `Watcher`."""
        self._ended_at, self._departed, self._away = {}, set(), {}
        if state.acting:
            return
        log, method = self._log, "reset"
        if not state.agents:
            log.add(
                "error",
                "api.reset",
                "there are no agents after reset()",
                state.place(),
                "fill `agents` in reset()",
                method,
            )
        elif state.dead is not None:
            what = f"after reset() agent '{state.dead}' is over before it has acted"
            log.add("error", "api.reset", what, state.place(), "clear terminations and truncations in reset()", method)

    def turn(self, before: TurnState, actions: Mapping[Agent, Any], after: TurnState) -> None:
        """See `Watcher`."""
        if before.dead is not None:
            self._check_removal(before, after)
        for agent in after.acting if self._env.in_turn else after.agents:
            if agent in self._ended_at:
                self._report_acting_after_end(agent, after)
        for agent, reward in after.rewards.items():
            # In AEC, step(None) still returns the rewards that an agent got before it.
            late = agent in self._ended_at and (agent in self._departed or not self._env.in_turn)
            if late and as_float(reward):
                self._log.add(
                    "warning",
                    "agents.paid-when-over",
                    f"'{agent}' is given a reward of {as_float(reward):g} after its episode's end",
                    after.place(agent),
                    "give the reward on the step that ends the episode: later rewards belong to no decision",
                    "step",
                    of=agent,
                )
        left = set(before.agents) - set(after.agents)
        self._departed |= left
        for agent in self._env.agents:
            if after.is_over(agent) and agent not in self._ended_at:
                self._ended_at[agent] = after.turn
            elif agent in left and agent not in self._ended_at and after.agents:
                self._away[agent] = after
        for agent in [agent for agent in after.agents if agent in self._away]:
            self._note_pause(agent, self._away.pop(agent), after)
        if not after.agents:
            self._stayed_away = self._away | self._stayed_away

    def finish(self) -> None:
        """Report the agents that left without a flag and never came back."""
        for agent, left in self._stayed_away.items():
            if agent in self._paused:
                continue
            self._log.add(
                "warning",
                "agents.unflagged",
                f"'{agent}' leaves `agents` without being terminated or truncated, and does not come back",
                left.place(agent),
                "set its flag on the step on which it leaves for good; otherwise its end looks like a pause",
                "step",
                of=agent,
            )

    def _note_pause(self, agent: Agent, left: TurnState, after: TurnState) -> None:
        self._paused.add(agent)
        self._log.add(
            "note",
            "agents.pause",
            f"'{agent}' leaves `agents` without a flag and is back {after.turn - left.turn} turns later",
            left.place(agent),
            "it does not act in between; what it is paid meanwhile counts for its last action",
            "step",
            of=agent,
        )

    def _check_removal(self, before: TurnState, after: TurnState) -> None:
        if before.dead in after.agents:
            self._ended_at[before.dead] = before.turn
            self._log.add(
                "error",
                "agents.stay",
                f"'{before.dead}' is over, but step(None) does not remove it from `agents`",
                before.place(before.dead),
                "begin step() with: if this agent is terminated or truncated, `return self._was_dead_step(action)`",
                "step",
            )

    def _report_acting_after_end(self, agent: Agent, after: TurnState) -> None:
        over = f"'{agent}' was over on turn {self._ended_at[agent]}, but is"
        if agent in self._departed:
            what, advice = f"{over} back in `agents`", PAUSES
        elif self._env.in_turn:
            what = f"{over} selected again and asked for an action"
            advice = "keep its flag set until its step(None), and leave it out of the order after that"
        else:
            what = f"{over} still in `agents` and asked for an action"
            advice = "remove agents from `agents` on the step that terminates or truncates them"
        self._log.add("error", "agents.act-when-over", what, after.place(agent), advice, "step", of=agent)


class StepResultCheck(EnvironmentCheck):
    """Every agent gets its observation, reward, flags and info, and every reward is a finite number."""

    def turn(self, before: TurnState, actions: Mapping[Agent, Any], after: TurnState) -> None:
        """See `Watcher`."""
        self.look(after)
        known = set(self._env.agents)
        named = {
            "rewards": after.rewards,
            "terminations": after.terminated,
            "truncations": after.truncated,
            "infos": after.infos,
        }
        for name, given in named.items():
            for agent in set(given) - known:
                what = f"{name} names '{agent}', which is not in possible_agents"
                self._log.add("error", f"api.{name}", what, after.place(), method="step", of=agent)
            # Parallel: every agent that acted needs an entry; AEC: every agent in `agents`.
            for agent in after.agents if self._env.in_turn else before.acting:
                if agent not in given:
                    self._log.add(
                        "warning",
                        f"api.{name}",
                        f"{name} does not name '{agent}', which {'is in `agents`' if self._env.in_turn else 'acted'}",
                        after.place(agent),
                        f"give every agent its entry in {name}, also on its last step",
                        "step",
                        of=agent,
                    )
        for agent, reward in (*after.rewards.items(), *after.cumulative.items()):
            try:
                read_number(reward)
            except UnusableError as fault:
                what = f"'{agent}' is given a reward of {fault.what}"
                self._log.add(
                    "error", f"rewards.{fault.kind}", what, after.place(agent), fault.advice, "step", of=agent
                )
        for name in ("terminations", "truncations"):
            try:
                read_flags(named[name])
            except UnusableError as fault:
                what = f"{name} holds {fault.what}"
                self._log.add("error", f"api.{name}", what, after.place(), fault.advice, "step", of="flag")

    def look(self, state: TurnState) -> None:
        """See `Watcher`."""
        method = self._env.observing_method(state)
        for agent in state.acting:
            if agent not in self._env.observation_spaces:
                what = f"'{agent}' must act, but is not in possible_agents"
                self._log.add(
                    "error", "api.agents", what, state.place(agent), "list it in possible_agents", method, of=agent
                )
            elif agent not in state.observations:
                what = f"'{agent}' must act, but gets no observation"
                advice = "give every agent in `agents` its observation"
                self._log.add("error", "observations.missing", what, state.place(agent), advice, method, of=agent)


def as_float(value: object, otherwise: float = 0.0) -> float:
    """A reward as a number, or `otherwise` if it is not one."""
    try:
        return read_number(value)
    except UnusableError:
        return otherwise
