"""A PettingZoo environment driven by hand, and random episodes of it that checks watch. Imports no torch.

League's own driver (`league.games.pettingzoo.driver`) hides what is checked here: it merges flags, drops late rewards
and raises at the first fault.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from league.games.pettingzoo.answers import (
    RESET,
    STEP,
    UnusableError,
    mask_sizes,
    observing_methods,
    raised_at,
    read_dicts,
    read_flag,
    read_mask,
)
from league.games.pettingzoo.driver import takes_turns
from league.games.pettingzoo.sources import Environment
from league.games.pettingzoo.spaces import composed
from league.studies.check.finding_log import FindingLog

Agent = Any
"""Agents may be named by anything hashable."""


_SEED_OFFSET = 1 << 24

_OF_AGENTS = ("observe", "observation_space", "action_space")
"""Methods that take an agent."""


class EnvCallError(Exception):
    """A call of the environment raised, or returned something else than it must (`returned`, in words).

    call: its method. error: the exception. place: file and line. asked: the agents in the call's arguments.
    """

    def __init__(self, call: str, error: Exception, returned: str = "", asked: Sequence[Any] = ()) -> None:
        what = returned or f"raised {type(error).__name__}{f': {error}' if str(error) else ''}"
        super().__init__(f"{call}({', '.join(map(repr, asked))}) {what}")
        self.call, self.error, self.returned = call, error, returned
        self.place = "" if returned else raised_at(error)


@dataclass(slots=True, kw_only=True)
class TurnState:
    """What an environment shows after a call.

    turn: decisions taken so far. acting: agents that choose an action now. dead: the selected agent, if its episode is
    over and it needs `step(None)` (AEC). observations, masks: of the acting agents. rewards, terminated, truncated,
    infos: as the environment gives them. cumulative: AEC's `_cumulative_rewards`. output: what was printed.
    """

    seed: int
    turn: int
    agents: tuple[Agent, ...]
    acting: tuple[Agent, ...] = ()
    dead: Agent | None = None
    observations: dict[Agent, Any] = field(default_factory=dict)
    masks: dict[Agent, Any] = field(default_factory=dict)
    rewards: Mapping[Agent, Any] = field(default_factory=dict)
    cumulative: Mapping[Agent, Any] = field(default_factory=dict)
    terminated: Mapping[Agent, Any] = field(default_factory=dict)
    truncated: Mapping[Agent, Any] = field(default_factory=dict)
    infos: Mapping[Agent, Any] = field(default_factory=dict)
    output: str = ""

    def is_over(self, agent: Agent) -> bool:
        """Whether an agent is terminated or truncated."""
        return _is_set(self.terminated, agent) or _is_set(self.truncated, agent)

    def place(self, agent: Agent | None = None) -> str:
        """This turn and an agent in words."""
        who = "" if agent is None else f"agent '{agent}', "
        return f"{who}turn {self.turn} of the episode with seed {self.seed}"


class BareEnvironment:
    """An environment and its spaces, which are read once. in_turn: AEC, else Parallel. observing_methods: those that
    make observations at the start of an episode and later.

    Raises GameError for anything but a PettingZoo environment, EnvCallError if its agents or spaces cannot be read.
    """

    def __init__(self, game: str, env: Environment) -> None:
        self.env, self.in_turn = env, takes_turns(game, env)
        self.observing_methods = observing_methods(env)
        self.agents: tuple[Agent, ...] = tuple(_call("possible_agents", lambda: env.possible_agents))
        self.observation_spaces = {
            agent: _call("observation_space", env.observation_space, agent) for agent in self.agents
        }
        self.action_spaces = {agent: _call("action_space", env.action_space, agent) for agent in self.agents}

    def reset(self, seed: int) -> TurnState:
        """Begin an episode. Raises EnvCallError."""
        env = self.env
        with _captured_output() as output:
            given = _call("reset", env.reset, seed=seed)
        if self.in_turn:
            return self._read_aec(seed, 0, output.getvalue())
        seen, infos = _read_dicts("reset", given, RESET)
        state = TurnState(
            seed=seed,
            turn=0,
            agents=tuple(env.agents),
            acting=tuple(env.agents),
            infos=infos,
            output=output.getvalue(),
        )
        return self._inspect(state, seen)

    def step(self, before: TurnState, actions: Mapping[Agent, Any]) -> TurnState:
        """Take a turn; with `before.dead`, AEC's step(None). Raises EnvCallError."""
        env = self.env
        turn = before.turn + (before.dead is None)
        if self.in_turn:
            action = None if before.dead is not None else actions[before.acting[0]]
            with _captured_output() as output:
                _call("step", env.step, action)
            return self._read_aec(before.seed, turn, output.getvalue())
        with _captured_output() as output:
            given = _call("step", env.step, dict(actions))
        seen, rewards, terminated, truncated, infos = _read_dicts("step", given, STEP)
        state = TurnState(
            seed=before.seed,
            turn=turn,
            agents=tuple(env.agents),
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            infos=infos,
            output=output.getvalue(),
        )
        state.acting = tuple(agent for agent in state.agents if not state.is_over(agent))
        return self._inspect(state, seen)

    def observing_method(self, state: TurnState) -> str:
        """The method that makes the observations of a state."""
        return self.observing_methods[state.turn > 0]

    def close(self) -> None:
        """Close the environment."""
        close(self.env)

    def _read_aec(self, seed: int, turn: int, output: str) -> TurnState:
        """The current state of an AEC environment."""
        env = self.env

        def read() -> TurnState:
            return TurnState(
                seed=seed,
                turn=turn,
                agents=tuple(env.agents),
                rewards=dict(env.rewards),
                cumulative=deepcopy(dict(env._cumulative_rewards)),  # arrays are added to in place
                terminated=dict(env.terminations),
                truncated=dict(env.truncations),
                infos=dict(env.infos),
                output=output,
            )

        state: TurnState = _call("reset" if turn == 0 else "step", read)
        if not state.agents:
            return state
        agent = env.agent_selection
        if state.is_over(agent):
            state.dead = agent
            return state
        state.acting = (agent,)
        with _captured_output():
            seen = {agent: _call("observe", env.observe, agent)}
        return self._inspect(state, seen)

    def _inspect(self, state: TurnState, observations: Mapping[Agent, Any]) -> TurnState:
        for agent in state.acting:
            if agent in observations:
                one = state.observations[agent] = observations[agent]
                mask = one.get("action_mask") if isinstance(one, Mapping) else None
                info = state.infos.get(agent)
                state.masks[agent] = info.get("action_mask") if mask is None and isinstance(info, Mapping) else mask
        return state


def close(env: Environment) -> None:
    """Close an environment; errors while closing do not matter to play."""
    with suppress(Exception):
        env.close()


class Watcher:
    """Watches an episode as it is played. By default it looks at every state, the first included."""

    def begin(self, state: TurnState) -> None:
        """An episode has begun."""
        self.look(state)

    def turn(self, before: TurnState, actions: Mapping[Agent, Any], after: TurnState) -> None:
        """Agents have acted; or, if there is a `before.dead`, that agent was removed with step(None)."""
        self.look(after)

    def look(self, state: TurnState) -> None:
        """One state of the episode."""


class EnvironmentCheck(Watcher):
    """A watcher that logs what is wrong with one environment."""

    def __init__(self, bare: BareEnvironment, log: FindingLog) -> None:
        self._env, self._log = bare, log


@dataclass(slots=True, kw_only=True)
class EpisodeRecord:
    """A random episode. actions: by turn, of the acting agents. ended: no agent is left.

    stopped: why it could not go on, or empty. last: the last state. failed: the call that raised, after `last` and with
    the actions `tried`.
    """

    seed: int
    actions: list[dict[Agent, Any]] = field(default_factory=list)
    ended: bool = False
    stopped: str = ""
    failed: EnvCallError | None = None
    last: TurnState | None = None
    tried: dict[Agent, Any] = field(default_factory=dict)


def play_episode(
    bare: BareEnvironment,
    seed: int,
    turns: int,
    watchers: Sequence[Watcher] = (),
    draw: int | None = None,
    given: Sequence[Mapping[Agent, Any]] = (),
) -> EpisodeRecord:
    """Play one episode of random legal actions, at most `turns` turns.

    seed: of the environment; draw: of the actions (None: the same). given: actions to take first, instead of drawing.
    """
    found = EpisodeRecord(seed=seed)
    for index, agent in enumerate(bare.agents):
        # Far from the environment's own seeds, or actions and environment would draw the same random numbers.
        bare.action_spaces[agent].seed(_SEED_OFFSET + (seed if draw is None else draw) * 1000 + index)
    try:
        state = bare.reset(seed)
        for watcher in watchers:
            watcher.begin(state)
        stepped_over = 0
        while True:
            found.last = state
            if not state.acting and state.dead is None:
                found.ended = True
                return found
            if state.turn >= turns:
                return found
            actions: dict[Agent, Any] = {}
            if state.dead is None:
                stepped_over, place = 0, len(found.actions)
                actions = dict(given[place]) if place < len(given) else sample_actions(bare, state)
                if len(actions) < len(state.acting):
                    found.stopped = "an agent that must act has no action to choose"
                    return found
                found.actions.append(actions)
            elif (stepped_over := stepped_over + 1) > len(bare.agents):
                found.stopped = "agents whose episode is over are not removed"
                return found
            found.tried = actions
            after = bare.step(state, actions)
            for watcher in watchers:
                watcher.turn(state, actions, after)
            state = after
    except EnvCallError as failure:
        found.failed, found.stopped = failure, str(failure)
        return found


def sample_actions(bare: BareEnvironment, state: TurnState) -> dict[Agent, Any]:
    """A random legal action for every acting agent; agents without an observation or a legal action are left out."""
    actions = {}
    for agent in state.acting:
        if agent not in state.observations or agent not in bare.action_spaces:
            continue
        space, mask = bare.action_spaces[agent], state.masks.get(agent)
        if mask is None:
            actions[agent] = space.sample()
        elif (legal := legal_flags(mask, space)) is not None:
            actions[agent] = sample_legal(space, legal)
    return actions


def legal_flags(mask: Any, space: spaces.Space[Any]) -> npt.NDArray[np.int8] | None:
    """A mask as `[A]` zeros and ones (`read_mask`), or None if it cannot be used."""
    try:
        return read_mask(mask, mask_sizes(space)).astype(np.int8)
    except UnusableError:
        return None


def sample_legal(space: spaces.Space[Any], legal: npt.NDArray[np.int8]) -> Any:
    """A random action that `legal` `[A]` allows."""
    if isinstance(space, spaces.Discrete):
        return space.sample(legal)
    parts = np.split(legal, np.cumsum(mask_sizes(space))[:-1])
    return composed(space, [int(space.np_random.choice(np.flatnonzero(part))) for part in parts])


def _is_set(flags: Mapping[Agent, Any], agent: Agent) -> bool:
    """Whether an agent's flag is set; one that cannot be read is not."""
    try:
        return read_flag(agent, flags.get(agent, False))
    except UnusableError:
        return False


def _call(call: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    # Any exception of the environment is a finding.
    except Exception as error:
        raise EnvCallError(call, error, asked=args if call in _OF_AGENTS else ()) from error


@contextmanager
def _captured_output() -> Iterator[io.StringIO]:
    """Capture what is printed, warned or logged, so that it does not reach the terminal or `--json`."""
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        yield text


def _read_dicts(call: str, given: object, names: tuple[str, ...]) -> tuple[Mapping[Agent, Any], ...]:
    try:
        return read_dicts(given, names)
    except UnusableError as fault:
        raise EnvCallError(call, fault, f"{fault.what}: {fault.advice}") from None
