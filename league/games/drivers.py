"""One PettingZoo environment behind one interface, whether its agents act in turn (AEC) or at once (Parallel)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from league.errors import GameError
from league.games.environments import Environment
from league.games.spaces import Encoding

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Step:
    """What one turn of one environment brought.

    reward: `[S]` float64. terminated, truncated: `[S]`, True for seats whose episode ends now; never both.
    ended: nobody acts any more. final_state: the global state where some seat was truncated.
    """

    reward: npt.NDArray[np.float64]
    terminated: Bools
    truncated: Bools
    ended: bool
    final_state: Floats | None = None


class Driver(ABC):
    """One environment and its current episode.

    acting: seats that choose an action now. done: `[S]`, seats whose episode is over. native_state: take the global
    state from the environment's own `state()` (else it is all seats' observations in seat order, zeros for the dead).
    cut_is_end: an episode cut off at the environment's horizon counts as terminated, as where the rules set it.
    """

    acting: tuple[int, ...] = ()

    def __init__(self, game: str, env: Environment, agents: Sequence[Any], seen: Sequence[Encoding]) -> None:
        self.game, self.env, self.agents, self.seen = game, env, agents, seen
        self.index = {agent: seat for seat, agent in enumerate(agents)}
        self.done: Bools = np.zeros(len(agents), dtype=np.bool_)
        self.native_state = self.cut_is_end = False

    def reset(self, seed: int) -> None:
        """Begin an episode. seed: below 2**31. Raises GameError where nobody is to act."""
        self.done = np.zeros(len(self.agents), dtype=np.bool_)
        self._reset(seed)
        if not self.acting:
            raise GameError(f"{self.game}: after reset(seed={seed}) the environment has no agent that acts")

    def step(self, actions: Mapping[int, int]) -> Step:
        """Take one turn. actions: by seat, for every acting seat, counted from 0.

        Seats whose flags never came are over with the last turn, in the way of those who ended then. What an
        environment still pays to agents that are over belongs to no decision, and is dropped.
        """
        before = self.done.copy()
        step = self._step({seat: action + self.seen[seat].first for seat, action in actions.items()})
        step.reward[before] = 0.0
        if not np.isfinite(step.reward).all():
            seat = int(np.argmin(np.isfinite(step.reward)))
            raise GameError(f"{self.game}: agent '{self.agents[seat]}' was given a reward of {step.reward[seat]}")
        if step.ended and not self.done.all():
            rest = step.truncated if step.truncated.any() else step.terminated
            rest |= ~self.done
            self.done[:] = True
        return step

    @abstractmethod
    def observe(self, seat: int) -> npt.NDArray[Any]:
        """What the seat sees now, encoded."""

    @abstractmethod
    def mask(self, seat: int) -> Bools | None:
        """`[A]`, the legal actions of an acting seat, or None where the environment gives no mask."""

    def state(self) -> Floats:
        """`[state]` float32: the global state of the current position, for the critic."""
        return self._state(~self.done)

    @abstractmethod
    def _reset(self, seed: int) -> None: ...

    @abstractmethod
    def _step(self, actions: Mapping[int, int]) -> Step: ...

    def _state(self, alive: Bools) -> Floats:
        if self.native_state:
            return np.asarray(self.env.state(), dtype=np.float32).reshape(-1)
        parts = [
            self.observe(seat).reshape(-1) if alive[seat] else np.zeros(seen.size, dtype=np.float32)
            for seat, seen in enumerate(self.seen)
        ]
        return np.concatenate(parts, dtype=np.float32, casting="unsafe")

    def _settle(self, terminations: Mapping[Any, bool], truncations: Mapping[Any, bool]) -> tuple[Bools, Bools]:
        """The flags that are new, as `[S]` terminated and truncated; a seat is over only once."""
        over, cut = np.zeros_like(self.done), np.zeros_like(self.done)
        for agent, seat in self.index.items():
            if not self.done[seat]:
                ended, cut_off = bool(terminations.get(agent, False)), bool(truncations.get(agent, False))
                over[seat] = ended or (cut_off and self.cut_is_end)
                cut[seat] = cut_off and not over[seat]
        self.done |= over | cut
        return over, cut

    def _seat(self, agent: Any) -> int:
        if agent not in self.index:
            raise GameError(f"{self.game}: agent '{agent}' is not among the environment's possible_agents")
        return self.index[agent]

    def _legal(self, seat: int, observation: Any, infos: Mapping[Any, Any]) -> Bools | None:
        agent = self.agents[seat]
        raw = observation["action_mask"] if self.seen[seat].masked else (infos.get(agent) or {}).get("action_mask")
        if raw is None:
            return None
        mask = np.asarray(raw).astype(np.bool_)
        if not mask.any():
            raise GameError(f"{self.game}: agent '{agent}' is to act, but its action mask allows nothing")
        return mask


class TurnDriver(Driver):
    """Drives an AECEnv directly: one live agent decides a turn; dead agents are stepped over."""

    _raw: dict[int, Any]

    def _reset(self, seed: int) -> None:
        self.env.reset(seed=seed)
        self._pass_over_the_dead()

    def _step(self, actions: Mapping[int, int]) -> Step:
        env, agent, alive = self.env, self.env.agent_selection, ~self.done
        before = dict(env._cumulative_rewards)
        env.step(actions[self.index[agent]])
        self._raw = {}
        # An agent's `last()` is what it was given since it last acted. Whoever acts has just read its own, so what
        # stands there now is new; for the others the difference is. (Summing `rewards` instead would count twice
        # where an environment leaves them standing; so would looking again after the dead are stepped.)
        reward = np.zeros(len(self.agents), dtype=np.float64)
        for name, total in env._cumulative_rewards.items():
            reward[self._seat(name)] = total - (0.0 if name == agent else before.get(name, 0.0))
        over, cut = self._settle(env.terminations, env.truncations)
        final = self._state(alive) if cut.any() else None
        self._pass_over_the_dead()
        return Step(reward, over, cut, not self.acting, final)

    def observe(self, seat: int) -> npt.NDArray[Any]:
        return self.seen[seat].encode(self._observation(seat))

    def mask(self, seat: int) -> Bools | None:
        return self._legal(seat, self._observation(seat), self.env.infos)

    def _observation(self, seat: int) -> Any:
        if seat not in self._raw:
            self._raw[seat] = self.env.observe(self.agents[seat])
        return self._raw[seat]

    def _pass_over_the_dead(self) -> None:
        env = self.env
        for _ in range(len(self.agents) + 1):
            self._raw = {}
            agent = env.agent_selection
            if not env.agents:
                self.acting = ()
                return
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

    def _step(self, actions: Mapping[int, int]) -> Step:
        alive = ~self.done
        self._raw, rewards, terminations, truncations, self._infos = self.env.step(
            {self.agents[seat]: action for seat, action in actions.items()}
        )
        reward = np.zeros(len(self.agents), dtype=np.float64)
        for agent, value in rewards.items():
            reward[self._seat(agent)] = value
        over, cut = self._settle(terminations, truncations)
        final = self._state(alive) if cut.any() else None
        self._find_acting()
        return Step(reward, over, cut, not self.acting, final)

    def observe(self, seat: int) -> npt.NDArray[Any]:
        agent, seen = self.agents[seat], self.seen[seat]
        if agent not in self._raw:
            return np.zeros(seen.shape, dtype=seen.dtype)
        return seen.encode(self._raw[agent])

    def mask(self, seat: int) -> Bools | None:
        return self._legal(seat, self._raw[self.agents[seat]], self._infos)

    def _find_acting(self) -> None:
        self.acting = tuple(seat for seat in map(self._seat, self.env.agents) if not self.done[seat])


def drive(game: str, env: Environment, agents: Sequence[Any], seen: Sequence[Encoding]) -> Driver:
    """The driver that fits an environment. Raises GameError for what is no PettingZoo environment."""
    from pettingzoo import AECEnv, ParallelEnv

    if isinstance(env, AECEnv):
        return TurnDriver(game, env, agents, seen)
    if isinstance(env, ParallelEnv):
        return ParallelDriver(game, env, agents, seen)
    raise GameError(f"{game} gave a {type(env).__name__}, which is neither a PettingZoo AECEnv nor a ParallelEnv")
