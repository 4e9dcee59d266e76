"""One PettingZoo environment behind one interface, whether its agents act in turn (AEC) or at once (Parallel)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from league.errors import GameError
from league.games.pettingzoo.sources import Environment
from league.games.pettingzoo.spaces import Encoding

Floats = npt.NDArray[np.float32]
Shown = Sequence[npt.NDArray[Any] | None]


@dataclass(slots=True)
class Step:
    """What one turn of one environment brought.

    reward: by seat. terminated, truncated: the seats whose episode ends now; none is in both. ended: nobody acts any
    more. final_state, final_obs: the global state where some seat was truncated, and by seat what it saw, encoded, None
    where its episode was over before.
    """

    reward: list[float]
    terminated: list[int]
    truncated: list[int]
    ended: bool
    final_state: Floats | None = None
    final_obs: Shown = ()


class Driver(ABC):
    """One environment and its current episode.

    acting: seats that choose an action now. done: by seat, whose episode is over. native_state: take the global state
    from the environment's own `state()` (else it is all seats' observations in seat order, zeros for the dead; or where
    there are `groups` of seats, the mean observation of each group's living).
    cut_is_end: an episode cut off at the environment's horizon counts as terminated, as where the rules set it.
    """

    acting: tuple[int, ...] = ()

    def __init__(self, game: str, env: Environment, agents: Sequence[Any], seen: Sequence[Encoding]) -> None:
        self.game, self.env, self.agents, self.seen = game, env, agents, seen
        self.index = {agent: seat for seat, agent in enumerate(agents)}
        self.act = [encoding.action for encoding in seen]
        self.done = [False] * len(agents)
        self.native_state = self.cut_is_end = False
        self.groups: Sequence[Sequence[int]] = ()

    def reset(self, seed: int) -> None:
        """Begin an episode. seed: below 2**31. Raises GameError where nobody is to act."""
        self.done = [False] * len(self.agents)
        self._reset(seed)
        if not self.acting:
            raise GameError(f"{self.game}: after reset(seed={seed}) the environment has no agent that acts")

    def step(self, actions: Sequence[Any]) -> Step:
        """Take one turn. actions: by seat, as `Encoding.action` takes them; what stands at a seat that does not act is
        not read.

        Seats whose flags never came are over with the last turn, in the way of those who ended then. What an
        environment still pays to agents that are over belongs to no decision, and is dropped.
        """
        before, reward = self.done, [0.0] * len(self.agents)
        step = self._step(actions, reward)
        if True in before:
            for seat, over in enumerate(before):
                if over:
                    reward[seat] = 0.0
        if not math.isfinite(sum(reward)):
            for seat, value in enumerate(reward):
                if not math.isfinite(value):
                    raise GameError(f"{self.game}: agent '{self.agents[seat]}' was given a reward of {value}")
        if step.ended and False in self.done:
            rest = step.truncated or step.terminated
            rest += [seat for seat, over in enumerate(self.done) if not over]
            self.done = [True] * len(self.agents)
        return step

    @abstractmethod
    def look(self, seat: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """What a seat that acts sees now, encoded, and its mask `[A]`, nonzero where legal, or None without one.

        The environment is asked once. Raises GameError where the mask allows nothing.
        """

    @abstractmethod
    def observe(self, seat: int) -> npt.NDArray[Any]:
        """What any seat sees now, encoded."""

    def state(self) -> Floats:
        """`[state]` float32: the global state of the current position, for the critic."""
        return self._state(() if self.native_state else self._shown())

    @abstractmethod
    def _reset(self, seed: int) -> None: ...

    @abstractmethod
    def _step(self, actions: Sequence[Any], reward: list[float]) -> Step: ...

    def _final(self, cut: Sequence[int], done: Sequence[bool]) -> tuple[Floats | None, Shown]:
        """`final_state` and `final_obs` of a step that cuts seats off. done: by seat, whose episode was over before."""
        if not cut:
            return None, ()
        # Copies: some environments go on writing into what they have shown.
        shown = [None if over else self.observe(seat).copy() for seat, over in enumerate(done)]
        return self._state(shown), shown

    def _shown(self) -> Shown:
        """By seat, what it sees now, encoded, None for those who are done."""
        return [None if over else self.observe(seat) for seat, over in enumerate(self.done)]

    def _state(self, shown: Shown) -> Floats:
        """The global state, which is made of what every seat sees unless the environment has one of its own."""
        if self.native_state:
            return np.asarray(self.env.state(), dtype=np.float32).reshape(-1)
        if self.groups:
            return np.concatenate([self._mean(shown, seats) for seats in self.groups])
        parts = [
            np.zeros(seen.size, dtype=np.float32) if one is None else one.reshape(-1)
            for seen, one in zip(self.seen, shown, strict=True)
        ]
        return np.concatenate(parts, dtype=np.float32, casting="unsafe")

    def _mean(self, shown: Shown, seats: Sequence[int]) -> Floats:
        total, living = np.zeros(self.seen[seats[0]].size, dtype=np.float32), 0
        for seat in seats:
            one = shown[seat]
            if one is not None:
                total += one.reshape(-1)
                living += 1
        return total / np.float32(max(living, 1))

    def _settle(self, terminations: Mapping[Any, bool], truncations: Mapping[Any, bool]) -> tuple[list[int], list[int]]:
        """The flags that are new, as seats terminated and truncated; a seat is over only once."""
        over: list[int] = []
        cut: list[int] = []
        if any(terminations.values()) or any(truncations.values()):
            for agent, seat in self.index.items():
                if not self.done[seat]:
                    if terminations.get(agent, False) or (self.cut_is_end and truncations.get(agent, False)):
                        over.append(seat)
                    elif truncations.get(agent, False):
                        cut.append(seat)
            self.done = [done or seat in over or seat in cut for seat, done in enumerate(self.done)]
        return over, cut

    def _seat(self, agent: Any) -> int:
        try:
            return self.index[agent]
        except KeyError:
            raise GameError(f"{self.game}: agent '{agent}' is not among the environment's possible_agents") from None

    def _looked(
        self, seat: int, observation: Any, infos: Mapping[Any, Any]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        agent, seen = self.agents[seat], self.seen[seat]
        raw = observation["action_mask"] if seen.masked else (infos.get(agent) or {}).get("action_mask")
        if raw is None:
            return seen.encode(observation), seen.legal
        mask = np.asarray(raw)
        if seen.legal is not None:
            mask = np.concatenate((mask, np.zeros(len(seen.legal) - len(mask), dtype=mask.dtype)))
        if not np.count_nonzero(mask):
            raise GameError(f"{self.game}: agent '{agent}' is to act, but its action mask allows nothing")
        return seen.encode(observation), mask


class TurnDriver(Driver):
    """Drives an AECEnv directly: one live agent decides a turn; dead agents are stepped over."""

    def _reset(self, seed: int) -> None:
        self.env.reset(seed=seed)
        self._pass_over_the_dead()

    def _step(self, actions: Sequence[Any], reward: list[float]) -> Step:
        env, (seat,), done = self.env, self.acting, self.done
        before = dict(env._cumulative_rewards)
        env.step(self.act[seat](actions[seat]))
        # An agent's `last()` is what it was given since it last acted. Whoever acts has just read its own, so what
        # stands there now is new; for the others the difference is. (Summing `rewards` instead would count twice
        # where an environment leaves them standing; so would looking again after the dead are stepped.)
        before[self.agents[seat]] = 0.0
        for name, total in env._cumulative_rewards.items():
            reward[self._seat(name)] = float(total - before.get(name, 0.0))
        over, cut = self._settle(env.terminations, env.truncations)
        final = self._final(cut, done)
        self._pass_over_the_dead()
        return Step(reward, over, cut, not self.acting, *final)

    def look(self, seat: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        return self._looked(seat, self.env.observe(self.agents[seat]), self.env.infos)

    def observe(self, seat: int) -> npt.NDArray[Any]:
        return self.seen[seat].encode(self.env.observe(self.agents[seat]))

    def _pass_over_the_dead(self) -> None:
        env = self.env
        for _ in range(len(self.agents) + 1):
            if not env.agents or False not in self.done:
                self.acting = ()
                return
            agent = env.agent_selection
            if not (env.terminations.get(agent, False) or env.truncations.get(agent, False)):
                self.acting = (self._seat(agent),)
                return
            env.step(None)
        raise GameError(f"{self.game}: the environment does not remove agents that are over (step(None) has no effect)")


class ParallelDriver(Driver):
    """Drives a ParallelEnv: all live agents decide at once."""

    def _reset(self, seed: int) -> None:
        self._raw, self._infos = self.env.reset(seed=seed)
        self._find_acting()

    def _step(self, actions: Sequence[Any], reward: list[float]) -> Step:
        done, agents, act = self.done, self.agents, self.act
        self._raw, rewards, terminations, truncations, self._infos = self.env.step(
            {agents[seat]: act[seat](actions[seat]) for seat in self.acting}
        )
        for agent, value in rewards.items():
            reward[self._seat(agent)] = float(value)
        over, cut = self._settle(terminations, truncations)
        final = self._final(cut, done)
        self._find_acting()
        return Step(reward, over, cut, not self.acting, *final)

    def look(self, seat: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        return self._looked(seat, self._raw[self.agents[seat]], self._infos)

    def observe(self, seat: int) -> npt.NDArray[Any]:
        agent, seen = self.agents[seat], self.seen[seat]
        if agent not in self._raw:
            return np.zeros(seen.shape, dtype=seen.dtype)
        return seen.encode(self._raw[agent])

    def _find_acting(self) -> None:
        self.acting = tuple([seat for seat in map(self._seat, self.env.agents) if not self.done[seat]])


def drive(game: str, env: Environment, agents: Sequence[Any], seen: Sequence[Encoding]) -> Driver:
    """The driver that fits an environment. Raises GameError for what is no PettingZoo environment."""
    return (TurnDriver if takes_turns(game, env) else ParallelDriver)(game, env, agents, seen)


def takes_turns(game: str, env: Environment) -> bool:
    """Whether agents act in turn (AEC) or at once (Parallel). Raises GameError for what is neither."""
    from pettingzoo import AECEnv, ParallelEnv

    if isinstance(env, AECEnv):
        return True
    if isinstance(env, ParallelEnv):
        return False
    raise GameError(f"{game} gave a {type(env).__name__}, which is neither a PettingZoo AECEnv nor a ParallelEnv")
