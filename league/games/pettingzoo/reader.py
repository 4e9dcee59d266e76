"""Calls one environment, and says what is wrong with what it hands back: with agent, method, file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any

import numpy as np
import numpy.typing as npt

from league.errors import GameError
from league.games.pettingzoo.answers import (
    PAUSES,
    UnusableError,
    method_place,
    observing_methods,
    raised_at,
    read_dicts,
    read_flags,
    read_mask,
    read_number,
    shortened,
)
from league.games.pettingzoo.sources import Environment
from league.games.pettingzoo.spaces import Encoding

Floats = npt.NDArray[np.float32]


class Reader:
    """One environment, called and read (`answers`). What cannot be used is a GameError in every method.

    begun: whether the episode has had a step. alone: the only agent that acts now, if it is just one.
    """

    def __init__(self, game: str, env: Environment, agents: Sequence[Any]) -> None:
        self.env, self.begun, self.alone = env, False, None
        self._game, self._code = game, type(getattr(env, "unwrapped", env))
        self._observing = observing_methods(env)
        self._seat_by_agent = {agent: seat for seat, agent in enumerate(agents)}
        self._state_size: int | None = None

    def call(self, method: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a method of the environment returns."""
        try:
            return function(*args, **kwargs)
        except (GameError, MemoryError):
            raise
        except Exception as error:  # an environment may raise anything
            entered = error.__traceback__ is not None and error.__traceback__.tb_next is not None
            place = raised_at(error) if entered else method_place(self._code, method)
            advice = ""
            if not entered and method == "reset" and "'seed'" in str(error):
                advice = "it must take a seed: def reset(self, seed=None, options=None)"
            given = [*map(shortened, args), *(f"{name}={shortened(value)}" for name, value in kwargs.items())]
            said = f"{type(error).__name__}{f': {error}' if str(error) else ''}"
            what = f"{self._whose(method)}{method}({', '.join(given)}) raised {said}"
            raise self._error(what, place, advice) from error

    def fault(self, what: str, method: str = "", advice: str = "") -> GameError:
        """An error on what a method gave; by default the last one. what: in words. advice: what would be right."""
        return self._error(what, method_place(self._code, method or ("step" if self.begun else "reset")), advice)

    def seat(self, agent: Any) -> int:
        """An agent's seat."""
        try:
            return self._seat_by_agent[agent]
        except (KeyError, TypeError):
            raise self.fault(f"agent '{agent}' is not among the environment's possible_agents") from None

    def anybody(self) -> bool:
        """Whether the environment's `agents` has any."""
        return len(self._agents()) > 0

    def present(self) -> list[int]:
        """The seats of the environment's `agents`, in its order."""
        return [self.seat(agent) for agent in self._agents()]

    def shown(self, name: str) -> Mapping[Any, Any]:
        """A dict by agent that an AEC environment shows as an attribute."""
        found: Any = getattr(self.env, name, None)
        if type(found) is not dict and not isinstance(found, Mapping):
            raise self.fault(f"{name} is {shortened(found)}, not a dict by agent", "", "set it in reset()")
        return found

    def is_over(self, agent: Any) -> bool:
        """Whether an AEC environment's flags say that an agent's episode is over."""
        return self._flag("terminations", agent) or self._flag("truncations", agent)

    def dicts(self, method: str, given: object, names: tuple[str, ...]) -> tuple[Mapping[Any, Any], ...]:
        """What `reset` or `step` of a ParallelEnv returned. names: of its dicts."""
        try:
            return read_dicts(given, names)
        except UnusableError as fault:
            raise self.fault(f"{self._whose(method)}{method}() {fault.what}", method, fault.advice) from None

    def flags(self, name: str, flags: Mapping[Any, Any]) -> Mapping[Any, bool]:
        """Terminations or truncations by agent."""
        try:
            return read_flags(flags)
        except UnusableError as fault:
            raise self.fault(f"{name} holds {fault.what}", "", fault.advice) from None

    def reward(self, agent: Any, value: object) -> float:
        """A reward of an agent."""
        try:
            return read_number(value)
        except UnusableError as fault:
            raise self.fault(f"agent '{agent}' was given a reward of {fault.what}", "", fault.advice) from None

    def observation(self, agent: Any, encoding: Encoding, observation: Any) -> npt.NDArray[Any]:
        """An agent's observation, encoded."""
        try:
            return encoding.encode(observation)
        except UnusableError as fault:
            raise self.fault(f"agent '{agent}' sees {fault.what}", self._observing[self.begun], fault.advice) from None

    def missing(self, agent: Any) -> GameError:
        """An error on an agent that acts and gets no observation."""
        what = f"agent '{agent}' must act, but gets no observation"
        return self.fault(what, self._observing[self.begun], "give every agent in `agents` its observation")

    def returned(self, agent: Any) -> GameError:
        """An error on an agent that acts again."""
        return self.fault(f"agent '{agent}' is back, though its episode was over", "step", PAUSES)

    def mask(self, agent: Any, encoding: Encoding, observation: Any, info: Any) -> npt.NDArray[Any] | None:
        """`[A]`, nonzero where legal: the mask in an agent's observation or info, or None without one."""
        method, raw = "", info.get("action_mask") if isinstance(info, Mapping) else None
        if encoding.mask_in_observation:
            method, raw = self._observing[self.begun], observation.get("action_mask")
            if raw is None:
                raise self.fault(f"agent '{agent}' sees no action_mask, which its observation space declares", method)
        if raw is None:
            return encoding.own_actions
        try:
            mask = read_mask(raw, encoding.mask_sizes)
        except UnusableError as fault:
            raise self.fault(f"the action mask of agent '{agent}' {fault.what}", method, fault.advice) from None
        if encoding.own_actions is None:
            return mask
        return np.concatenate((mask, np.zeros(len(encoding.own_actions) - len(mask), dtype=mask.dtype)))

    def state(self) -> Floats:
        """`[state]` float32: the environment's own global state."""
        raw = self.call("state", self.env.state)
        try:
            state = np.asarray(raw, dtype=np.float32).reshape(-1)
        except (TypeError, ValueError) as error:
            raise self.fault(f"state() is not an array of numbers: {error}", "state") from error
        known, self._state_size = self._state_size, state.size
        if known not in (None, state.size):
            raise self.fault(f"state() has {state.size} numbers, and had {known} before", "state")
        if not np.isfinite(state).all():
            raise self.fault("state() holds a number that is not finite", "state")
        return state

    def _agents(self) -> Any:
        agents = getattr(self.env, "agents", None)
        if isinstance(agents, Sized) and isinstance(agents, Iterable) and not isinstance(agents, str):
            return agents
        raise self.fault(f"`agents` is {shortened(agents)}, not a list of agents", "", "set it in reset()")

    def _flag(self, name: str, agent: Any) -> bool:
        flag = self.shown(name).get(agent, False)
        return flag if type(flag) is bool else self.flags(name, {agent: flag})[agent]

    def _error(self, what: str, place: str, advice: str) -> GameError:
        return GameError(f"{self._game}: {what} ({place}){advice and f'; {advice}'}; `league check GAME` looks closer")

    def _whose(self, method: str) -> str:
        """Who acted alone, at the beginning of a message on `step`."""
        return f"agent '{self.alone}' acted, and " if method == "step" and self.alone is not None else ""
