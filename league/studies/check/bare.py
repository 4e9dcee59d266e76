"""A bare environment as people drive it by hand, and a random walk through it that checks listen to. Knows no torch."""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from league.games.pettingzoo.driver import takes_turns
from league.games.pettingzoo.sources import Environment
from league.studies.check.notes import short

Agent = Any
"""Agents may be named by anything hashable."""


_APART = 1 << 24


class FailedError(Exception):
    """A call of the environment that raised. call: its method. error: what it raised. place: file and line."""

    def __init__(self, call: str, error: Exception) -> None:
        super().__init__(f"{call}() raised {type(error).__name__}{f': {error}' if str(error) else ''}")
        frames = traceback.extract_tb(error.__traceback__)
        self.call, self.error = call, error
        self.place = f"{short(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""


@dataclass(slots=True)
class Moment:
    """What an environment says after a call.

    turn: decisions taken before. acting: agents that choose an action now. dead: the agent that is selected although
    its episode is over, which wants `step(None)` (AEC). seen, masks: of those who act. rewards, terminated, truncated,
    infos: as the environment gives them. cumulative: AEC's `_cumulative_rewards`. said: what was printed meanwhile.
    """

    seed: int
    turn: int
    agents: tuple[Agent, ...]
    acting: tuple[Agent, ...] = ()
    dead: Agent | None = None
    seen: dict[Agent, Any] = field(default_factory=dict)
    masks: dict[Agent, Any] = field(default_factory=dict)
    rewards: Mapping[Agent, Any] = field(default_factory=dict)
    cumulative: Mapping[Agent, Any] = field(default_factory=dict)
    terminated: Mapping[Agent, Any] = field(default_factory=dict)
    truncated: Mapping[Agent, Any] = field(default_factory=dict)
    infos: Mapping[Agent, Any] = field(default_factory=dict)
    said: str = ""

    def over(self, agent: Agent) -> bool:
        """Whether a flag says that an agent's episode has ended."""
        return bool(self.terminated.get(agent, False) or self.truncated.get(agent, False))

    def at(self, agent: Agent | None = None) -> str:
        """Where this is, for people."""
        who = "" if agent is None else f"agent '{agent}', "
        return f"{who}turn {self.turn} of the episode with seed {self.seed}"


class Bare:
    """An environment and its spaces, which are asked for once. in_turn: AEC, else Parallel. looks: the method in which
    observations are made at an episode's start, and later.

    Raises GameError for what is no PettingZoo environment, FailedError where it has no agents or spaces.
    """

    def __init__(self, game: str, env: Environment) -> None:
        self.env, self.in_turn = env, takes_turns(game, env)
        apart = hasattr(getattr(env, "unwrapped", env), "observe")
        self.looks = ("observe", "observe") if apart else ("reset", "step")
        self.agents: tuple[Agent, ...] = tuple(_called("possible_agents", lambda: env.possible_agents))
        self.sees = {agent: _called("observation_space", env.observation_space, agent) for agent in self.agents}
        self.acts = {agent: _called("action_space", env.action_space, agent) for agent in self.agents}

    def reset(self, seed: int) -> Moment:
        """Begin an episode. Raises FailedError."""
        env = self.env
        with _heard() as said:
            given = _called("reset", env.reset, seed=seed)
        if self.in_turn:
            return self._now(seed, 0, said.getvalue())
        if not (isinstance(given, tuple) and len(given) == 2 and all(isinstance(one, Mapping) for one in given)):
            raise FailedError(
                "reset", TypeError(f"it must return (observations, infos), two dicts, not {_kind(given)}")
            )
        moment = Moment(seed, 0, tuple(env.agents), tuple(env.agents), infos=given[1], said=said.getvalue())
        return self._look(moment, given[0])

    def step(self, before: Moment, actions: Mapping[Agent, Any]) -> Moment:
        """Take a turn; with `before.dead`, AEC's step(None). Raises FailedError."""
        env = self.env
        turn = before.turn + (before.dead is None)
        if self.in_turn:
            action = None if before.dead is not None else actions[before.acting[0]]
            with _heard() as said:
                _called("step", env.step, action)
            return self._now(before.seed, turn, said.getvalue())
        with _heard() as said:
            given = _called("step", env.step, dict(actions))
        if not (isinstance(given, tuple) and len(given) == 5 and all(isinstance(one, Mapping) for one in given)):
            wanted = "(observations, rewards, terminations, truncations, infos), five dicts"
            raise FailedError("step", TypeError(f"it must return {wanted}, not {_kind(given)}"))
        seen, rewards, terminated, truncated, infos = given
        moment = Moment(
            before.seed,
            turn,
            tuple(env.agents),
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            infos=infos,
            said=said.getvalue(),
        )
        moment.acting = tuple(agent for agent in moment.agents if not moment.over(agent))
        return self._look(moment, seen)

    def close(self) -> None:
        """Give back what the environment holds."""
        close(self.env)

    def _now(self, seed: int, turn: int, said: str) -> Moment:
        """An AEC environment as it stands."""
        env = self.env

        def read() -> Moment:
            return Moment(
                seed,
                turn,
                tuple(env.agents),
                rewards=dict(env.rewards),
                cumulative=dict(env._cumulative_rewards),
                terminated=dict(env.terminations),
                truncated=dict(env.truncations),
                infos=dict(env.infos),
                said=said,
            )

        moment: Moment = _called("reset" if turn == 0 else "step", read)
        if not moment.agents:
            return moment
        agent = env.agent_selection
        if moment.over(agent):
            moment.dead = agent
            return moment
        moment.acting = (agent,)
        with _heard():
            seen = {agent: _called("observe", env.observe, agent)}
        return self._look(moment, seen)

    def _look(self, moment: Moment, seen: Mapping[Agent, Any]) -> Moment:
        for agent in moment.acting:
            if agent in seen:
                one = moment.seen[agent] = seen[agent]
                mask = one.get("action_mask") if isinstance(one, Mapping) else None
                info = moment.infos.get(agent)
                moment.masks[agent] = info.get("action_mask") if mask is None and isinstance(info, Mapping) else mask
        return moment


def close(env: Environment) -> None:
    """Close an environment; what it raises then has nothing to do with play."""
    with suppress(Exception):
        env.close()


class Watcher(Protocol):
    """Something that listens to a walk."""

    def begin(self, moment: Moment) -> None:
        """An episode has begun."""
        ...

    def turn(self, before: Moment, actions: Mapping[Agent, Any], after: Moment) -> None:
        """Somebody acted (or, with `before.dead`, was taken off the table)."""
        ...


@dataclass(slots=True)
class Walk:
    """How an episode of random play went. actions: by turn, of those who acted. ended: nobody is left.

    stopped: why it could not go on, empty where it could. failed: what raised, at which `last` moment, at what `tried`.
    """

    seed: int
    actions: list[dict[Agent, Any]] = field(default_factory=list)
    ended: bool = False
    stopped: str = ""
    failed: FailedError | None = None
    last: Moment | None = None
    tried: dict[Agent, Any] = field(default_factory=dict)


def walk(
    bare: Bare,
    seed: int,
    turns: int,
    watchers: Sequence[Watcher] = (),
    draw: int | None = None,
    given: Sequence[Mapping[Agent, Any]] = (),
) -> Walk:
    """One episode of legal random play, `turns` turns of it at most.

    seed: of the environment; draw: of the actions (None: the same). given: actions to take first, instead of drawing.
    """
    found = Walk(seed)
    for index, agent in enumerate(bare.agents):
        # Far from the environment's own seeds: of equal ones, its chance and the actions would be the same numbers.
        bare.acts[agent].seed(_APART + (seed if draw is None else draw) * 1000 + index)
    try:
        moment = bare.reset(seed)
        for watcher in watchers:
            watcher.begin(moment)
        stepped_over = 0
        while True:
            found.last = moment
            if not moment.acting and moment.dead is None:
                found.ended = True
                return found
            if moment.turn >= turns:
                return found
            actions: dict[Agent, Any] = {}
            if moment.dead is None:
                stepped_over, at = 0, len(found.actions)
                actions = dict(given[at]) if at < len(given) else drawn(bare, moment)
                if len(actions) < len(moment.acting):
                    found.stopped = "an agent that is to act cannot choose"
                    return found
                found.actions.append(actions)
            elif (stepped_over := stepped_over + 1) > len(bare.agents):
                found.stopped = "agents that are over are not taken off the table"
                return found
            found.tried = actions
            after = bare.step(moment, actions)
            for watcher in watchers:
                watcher.turn(moment, actions, after)
            moment = after
    except FailedError as failure:
        found.failed, found.stopped = failure, str(failure)
        return found


def drawn(bare: Bare, moment: Moment) -> dict[Agent, Any]:
    """A legal action for everyone who acts, drawn from the action spaces; nothing for those who can have none."""
    actions = {}
    for agent in moment.acting:
        space, mask = bare.acts[agent], moment.masks.get(agent)
        if agent not in moment.seen:
            continue
        if mask is None or not isinstance(space, spaces.Discrete):
            actions[agent] = space.sample()
        elif (legal := usable(mask, space)) is not None and legal.any():
            actions[agent] = space.sample(legal)
    return actions


def usable(mask: Any, space: spaces.Discrete) -> npt.NDArray[np.int8] | None:
    """A mask as `[A]` of zeros and ones, or None where it is no such thing."""
    try:
        array = np.asarray(mask)
        right = array.shape == (space.n,) and bool(np.isin(array, (0, 1)).all())
    except (TypeError, ValueError):
        return None
    return array.astype(np.int8) if right else None


def _called(call: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    # Whatever the environment raises is what is to be found.
    except Exception as error:
        raise FailedError(call, error) from error


@contextmanager
def _heard() -> Iterator[io.StringIO]:
    """What is printed, warned or logged, which is not for the user's terminal (and not for programs that read it)."""
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        yield text


def _kind(value: object) -> str:
    return f"a tuple of {len(value)}" if isinstance(value, tuple) else f"a {type(value).__name__}"
