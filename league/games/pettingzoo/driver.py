"""One PettingZoo environment behind one interface, whether its agents act in turn (AEC) or at once (Parallel)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from league.errors import GameError
from league.games.pettingzoo.answers import RESET, STEP
from league.games.pettingzoo.reader import Floats, Reader
from league.games.pettingzoo.sources import Environment, Source
from league.games.pettingzoo.spaces import Encoding

Flags = Mapping[Any, bool]
"""By agent."""
SeatObservations = Sequence[npt.NDArray[Any] | None]
"""By seat, its encoded observation, or None where its episode is over."""

_DRAWN = ("tictactoe", "connect_four")


@dataclass(slots=True, kw_only=True)
class Step:
    """The result of one turn of one environment.

    reward: by seat. terminated, truncated: the seats whose episode ends now; no seat is in both. ended: no seat acts
    any more. final_state, final_obs: the global state and the seats' observations after the turn, where some seat was
    truncated; otherwise None and empty.
    """

    reward: list[float]
    terminated: list[int]
    truncated: list[int]
    ended: bool
    final_state: Floats | None = None
    final_obs: SeatObservations = ()


class Driver(ABC):
    """One environment and its current episode.

    acting: seats that choose an action now. done: by seat, whether its episode is over.
    uses_env_state: take the global state from the environment's own `state()`. Otherwise it is all seats' observations
        in seat order, with zeros for seats that are done; or, where there are `mean_groups` of seats, the mean
        observation of the seats in each group that are not done.
    horizon_is_terminal: a truncation by the environment counts as a termination.

    An agent may leave `agents` without a flag and come back in the same episode: it does not act in between.
    Where what the environment returns or raises cannot be used, any method raises a GameError (`Reader`).
    """

    acting: tuple[int, ...] = ()

    def __init__(self, game: str, env: Environment, agents: Sequence[Any], encodings: Sequence[Encoding]) -> None:
        self.game, self.env, self.agents, self.encodings = game, env, agents, encodings
        self.done = [False] * len(agents)
        self.uses_env_state = self.horizon_is_terminal = False
        self.mean_groups: Sequence[Sequence[int]] = ()
        self._reader = Reader(game, env, agents)
        self._decode = [encoding.decode_action for encoding in encodings]
        self._gone: set[int] = set()

    def reset(self, seed: int) -> None:
        """Begin an episode. seed: below 2**31. Raises GameError where no seat acts."""
        self.done, self._reader.begun = [False] * len(self.agents), False
        self._gone.clear()
        self._reset(seed)
        self._find_acting()
        if not self.acting:
            raise self._reader.fault(f"after reset(seed={seed}) the environment has no agent that acts")

    def step(self, actions: Sequence[Any]) -> Step:
        """Take one turn. actions: by seat, as `Encoding.decode_action` takes them; entries of seats that do not act are
        ignored.

        If the environment ends without flags for some seats, they end with the others, by termination or truncation.
        Rewards that an environment pays to agents whose episode is over belong to no decision and are dropped.
        """
        before, reward, self._reader.begun = self.done, [0.0] * len(self.agents), True
        terminations, truncations = self._step(actions, reward)
        terminated, truncated = self._newly_done(terminations, truncations)
        final_state, final_obs = self._final(truncated, before)
        self._find_acting()
        if True in before:
            for seat, over in enumerate(before):
                if over:
                    reward[seat] = 0.0
        ended = not self.acting
        if ended and False in self.done:
            rest = truncated or terminated
            rest += [seat for seat, over in enumerate(self.done) if not over]
            self.done = [True] * len(self.agents)
        return Step(
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            ended=ended,
            final_state=final_state,
            final_obs=final_obs,
        )

    @abstractmethod
    def observe_with_mask(self, seat: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """The encoded observation of a seat that acts, and its mask `[A]` (nonzero where legal), or None without one.

        The environment is asked once. Raises GameError where the mask allows no action.
        """

    @abstractmethod
    def observe(self, seat: int) -> npt.NDArray[Any]:
        """The encoded observation of any seat."""

    def state(self) -> Floats:
        """`[state]` float32: the global state of the current position, for the critic."""
        return self._state(() if self.uses_env_state else self._observations())

    @abstractmethod
    def _reset(self, seed: int) -> None:
        """Begin an episode of the environment."""

    @abstractmethod
    def _step(self, actions: Sequence[Any], reward: list[float]) -> tuple[Flags, Flags]:
        """Step the environment, and write the new rewards by seat. Returns terminations and truncations by agent."""

    @abstractmethod
    def _find_acting(self) -> None:
        """Set `acting` after a reset or a step."""

    def _final(self, truncated: Sequence[int], before: Sequence[bool]) -> tuple[Floats | None, SeatObservations]:
        """`final_state` and `final_obs` of a step. before: `done` before it."""
        if not truncated:
            return None, ()
        # Copies: some environments keep writing into the observations that they have returned.
        observations = [None if over else self.observe(seat).copy() for seat, over in enumerate(before)]
        return self._state(observations), observations

    def _observations(self) -> SeatObservations:
        return [None if over else self.observe(seat) for seat, over in enumerate(self.done)]

    def _state(self, observations: SeatObservations) -> Floats:
        """The global state: the environment's own, or made of the observations of all seats."""
        if self.uses_env_state:
            return self._reader.state()
        if self.mean_groups:
            return np.concatenate([self._mean(observations, seats) for seats in self.mean_groups])
        parts = [
            np.zeros(encoding.size, dtype=np.float32) if one is None else one.reshape(-1)
            for encoding, one in zip(self.encodings, observations, strict=True)
        ]
        return np.concatenate(parts, dtype=np.float32, casting="unsafe")

    def _mean(self, observations: SeatObservations, seats: Sequence[int]) -> Floats:
        total, living = np.zeros(self.encodings[seats[0]].size, dtype=np.float32), 0
        for seat in seats:
            one = observations[seat]
            if one is not None:
                total += one.reshape(-1)
                living += 1
        return total / np.float32(max(living, 1))

    def _newly_done(self, terminations: Flags, truncations: Flags) -> tuple[list[int], list[int]]:
        """The seats that are terminated and truncated by flags that are new; marks them as done."""
        over: list[int] = []
        cut: list[int] = []
        terminations = self._reader.flags("terminations", terminations)
        truncations = self._reader.flags("truncations", truncations)
        if True in terminations.values() or True in truncations.values():
            for seat, agent in enumerate(self.agents):
                if not self.done[seat]:
                    if terminations.get(agent, False) or (self.horizon_is_terminal and truncations.get(agent, False)):
                        over.append(seat)
                    elif truncations.get(agent, False):
                        cut.append(seat)
            self.done = [done or seat in over or seat in cut for seat, done in enumerate(self.done)]
        return over, cut

    def _read(
        self, seat: int, observation: Any, infos: Mapping[Any, Any]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """A seat's observation, encoded, and its mask."""
        agent, encoding = self.agents[seat], self.encodings[seat]
        encoded = self._reader.observation(agent, encoding, observation)
        return encoded, self._reader.mask(agent, encoding, observation, infos.get(agent))


class TurnDriver(Driver):
    """Drives an AECEnv directly: one live agent decides a turn; dead agents are stepped over."""

    def _reset(self, seed: int) -> None:
        self._reader.call("reset", self.env.reset, seed=seed)

    def _step(self, actions: Sequence[Any], reward: list[float]) -> tuple[Flags, Flags]:
        env, (seat,) = self.env, self.acting
        self._reader.alone = self.agents[seat]
        # Read now: PettingZoo adds to a reward that is an array in place.
        rewards_before = self._cumulative_rewards()
        self._reader.call("step", env.step, self._decode[seat](actions[seat]))
        # An agent's cumulative reward counts from its own last action. The agent that acts has just read its own, so
        # its whole value is new now; for the others the difference is. (Summing `rewards` instead would count
        # twice where an environment does not clear them; so would reading again after dead agents are skipped.)
        rewards_before[self.agents[seat]] = 0.0
        for name, total in self._cumulative_rewards().items():
            reward[self._reader.seat(name)] = total - rewards_before.get(name, 0.0)
        return self._reader.shown("terminations"), self._reader.shown("truncations")

    def observe_with_mask(self, seat: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        return self._read(seat, self._observed(seat), self._reader.shown("infos"))

    def observe(self, seat: int) -> npt.NDArray[Any]:
        return self._reader.observation(self.agents[seat], self.encodings[seat], self._observed(seat))

    def _find_acting(self) -> None:
        """Steps dead agents (`step(None)`) until a live one is selected."""
        reader = self._reader
        for _ in range(len(self.agents) + 1):
            if not reader.anybody() or False not in self.done:
                self.acting = ()
                return
            agent = getattr(self.env, "agent_selection", None)
            seat = reader.seat(agent)
            if not reader.is_over(agent):
                if self.done[seat]:
                    raise reader.returned(agent)
                self.acting = (seat,)
                return
            reader.call("step", self.env.step, None)
        raise self._reader.fault("the environment does not remove dead agents (step(None) has no effect)", "step")

    def _cumulative_rewards(self) -> dict[Any, float]:
        read = self._reader.reward
        return {name: read(name, total) for name, total in self._reader.shown("_cumulative_rewards").items()}

    def _observed(self, seat: int) -> Any:
        return self._reader.call("observe", self.env.observe, self.agents[seat])


class ParallelDriver(Driver):
    """Drives a ParallelEnv: all live agents decide at once."""

    def _reset(self, seed: int) -> None:
        given = self._reader.call("reset", self.env.reset, seed=seed)
        self._raw, self._infos = self._reader.dicts("reset", given, RESET)

    def _step(self, actions: Sequence[Any], reward: list[float]) -> tuple[Flags, Flags]:
        agents, decode = self.agents, self._decode
        chosen = {agents[seat]: decode[seat](actions[seat]) for seat in self.acting}
        given = self._reader.call("step", self.env.step, chosen)
        self._raw, rewards, terminations, truncations, self._infos = self._reader.dicts("step", given, STEP)
        for agent, value in rewards.items():
            seat = self._reader.seat(agent)
            reward[seat] = self._reader.reward(agent, value)
        return terminations, truncations

    def observe_with_mask(self, seat: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        agent = self.agents[seat]
        if agent not in self._raw:
            raise self._reader.missing(agent)
        return self._read(seat, self._raw[agent], self._infos)

    def observe(self, seat: int) -> npt.NDArray[Any]:
        agent, encoding = self.agents[seat], self.encodings[seat]
        if agent not in self._raw:
            return np.zeros(encoding.shape, dtype=encoding.dtype)
        return self._reader.observation(agent, encoding, self._raw[agent])

    def _find_acting(self) -> None:
        present = self._reader.present()
        if True in self.done:
            self._check_returns(present)
        self.acting = tuple([seat for seat in present if not self.done[seat]])

    def _check_returns(self, present: Sequence[int]) -> None:
        """Raises GameError where an agent whose episode was over has left and is back."""
        for seat, over in enumerate(self.done):
            if over and seat not in present:
                self._gone.add(seat)
            elif seat in self._gone:
                raise self._reader.returned(self.agents[seat])


def new_driver(game: str, env: Environment, agents: Sequence[Any], encodings: Sequence[Encoding]) -> Driver:
    """The driver for an environment. Raises GameError for an object that is not a PettingZoo environment."""
    return (TurnDriver if takes_turns(game, env) else ParallelDriver)(game, env, agents, encodings)


def takes_turns(game: str, env: Environment) -> bool:
    """Whether agents act in turn (AEC) or at once (Parallel). Raises GameError for anything else."""
    from pettingzoo import AECEnv, ParallelEnv

    if isinstance(env, AECEnv):
        return True
    if isinstance(env, ParallelEnv):
        return False
    raise GameError(f"{game} returned a {type(env).__name__}, which is neither a PettingZoo AECEnv nor a ParallelEnv")


def fold_seed(seed: int) -> int:
    """A 64-bit seed as the 31 bits that environments take; seeds below 2**31 stay as they are."""
    seed &= (1 << 64) - 1
    return (seed ^ (seed >> 31) ^ (seed >> 62)) & 0x7FFFFFFF


def has_text(source: Source) -> bool:
    """Whether positions can be shown as text."""
    return source.family == "openspiel" or (source.family == "classic" and source.name in _DRAWN)


def text_of(source: Source, driver: Driver) -> str:
    """A position as text: tic-tac-toe and Connect Four as boards (X moves first), otherwise OpenSpiel's own text."""
    if source.family == "openspiel":
        return str(driver.env.game_state)
    own, other = driver.observe(0)
    marks = np.where(own > 0, "X", np.where(other > 0, "O", "."))
    return "\n".join(" ".join(row) for row in marks)
