"""One agent's Gymnasium spaces as arrays: how observations are encoded and actions decoded. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from league.errors import GameError
from league.games.actions import ActionSpace, Box, Discrete, MultiDiscrete
from league.games.pettingzoo.answers import (
    UnusableError,
    mask_sizes,
    method_place,
    raised_at,
    read_observation,
    shortened,
)
from league.games.pettingzoo.sources import Channels, Environment


@dataclass(frozen=True, slots=True)
class ObservationOptions:
    """How observations are encoded: the adapter options `channels`, `shrink` and `pad`, settled."""

    channels: Channels
    shrink: int = 1
    pad: bool = False


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How one agent's observations become arrays, and how its actions become what the environment takes.

    shape: of an observation: `(channels, height, width)` for images, otherwise `(length,)`. dtype: "uint8" for bits,
    bytes and one-hots; "int8" where small integers go below zero; otherwise "float32". actions: what one decision is.
    observation_space: without the action mask. mask_in_observation: the observation is a dict that holds the mask.
    key: of the observation in that dict, or None. channels_last: images are transposed. shrink: as the option.
    action_length: how many numbers an action takes in this game's arrays; 0 where it is a bare number.
    own_actions: `[A]` bool, the actions that this agent has, where others of its role have more; otherwise None.
    """

    shape: tuple[int, ...]
    dtype: str
    actions: ActionSpace
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    mask_in_observation: bool = False
    key: str | None = None
    channels_last: bool = False
    shrink: int = 1
    action_length: int = 0
    own_actions: npt.NDArray[np.bool_] | None = None

    @cached_property
    def size(self) -> int:
        """How many numbers an observation has."""
        return int(np.prod(self.shape))

    @cached_property
    def mask_sizes(self) -> tuple[int, ...]:
        """How many flags the mask of each part of this agent's own actions has; empty where there can be none."""
        return mask_sizes(self.action_space)

    @property
    def signature(self) -> tuple[tuple[int, ...], str, ActionSpace]:
        """What agents must have in common for one policy's weights to serve them all."""
        return self.shape, self.dtype, self.actions

    def encode(self, observation: Any) -> npt.NDArray[Any]:
        """`[*shape]`, in the environment's own dtype: it is converted where it is written. Raises UnusableError."""
        if self.key is not None or self.mask_in_observation:
            observation = self._unmasked(observation)
        array: npt.NDArray[Any] = read_observation(self.observation_space, observation)
        if not isinstance(self.observation_space, spaces.Box):
            array = np.asarray(spaces.flatten(self.observation_space, array))
        if self.channels_last:
            array = array.transpose(2, 0, 1)
        if self.shrink > 1:
            array = _shrunk(array, self.shrink)
        if array.size != self.size:
            padded = np.zeros(self.shape, dtype=array.dtype)
            padded[: array.size] = array.reshape(-1)
            return padded
        return array.reshape(self.shape)

    def _unmasked(self, observation: Any) -> Any:
        if not isinstance(observation, Mapping) or (self.key is not None and self.key not in observation):
            wanted = self.key or "action_mask"
            raise UnusableError(
                "missing", f"{shortened(observation)}, not a dict with '{wanted}'", "return what is declared"
            )
        return observation if self.key is None else observation[self.key]

    def decode_action(self, chosen: Any) -> Any:
        """What the environment takes for an action of ours: a number, or `action_length` numbers."""
        return composed(self.action_space, chosen[: self.actions.draws] if self.action_length else (chosen,))

    def random_action(self, rng: np.random.Generator, mask: npt.NDArray[Any] | None) -> Any:
        """A random legal action, in the form that `decode_action` takes. mask: `[A]`, or None."""
        space = self.actions
        if isinstance(space, Discrete):
            found = [int(rng.integers(space.n) if mask is None else rng.choice(np.flatnonzero(mask)))]
        elif isinstance(space, MultiDiscrete):
            ends = np.cumsum(space.sizes)[:-1]
            parts = np.split(np.ones(space.width) if mask is None else np.asarray(mask), ends)
            found = [int(rng.choice(np.flatnonzero(part))) for part in parts]
        else:
            return rng.uniform(space.low, space.high).astype(np.float32).tolist()
        return found if self.action_length else found[0]


def composed(space: spaces.Space[Any], numbers: Sequence[Any]) -> Any:
    """The action of a space that has these numbers: a choice from 0 on for each part, or the coordinates of a point."""
    if isinstance(space, spaces.Discrete):
        return int(numbers[0]) + int(space.start)
    values = np.asarray(numbers, dtype=space.dtype).reshape(space.shape)
    if isinstance(space, spaces.MultiDiscrete):
        return values + space.start
    return np.clip(values, space.low, space.high) if isinstance(space, spaces.Box) else values


def agents_of(
    game: str, environment: Environment, options: ObservationOptions
) -> tuple[tuple[Any, ...], tuple[Encoding, ...]]:
    """An environment's agents in seat order, and the encoding of each.

    Raises GameError where there are no agents, or where an observation or action space is not supported.
    """
    agents = tuple(getattr(environment, "possible_agents", None) or ())
    if not agents:
        raise GameError(
            f"{game}: a {type(environment).__name__} without possible_agents is not a PettingZoo environment"
        )
    encodings = [
        make_encoding(
            game,
            str(agent),
            _declared(game, environment, "observation_space", agent),
            _declared(game, environment, "action_space", agent),
            options,
        )
        for agent in agents
    ]
    return agents, _padded(game, encodings) if options.pad else _with_one_action_length(encodings)


def _declared(game: str, environment: Environment, method: str, agent: Any) -> spaces.Space[Any]:
    """An agent's space. Raises GameError where there is none."""
    try:
        space = getattr(environment, method)(agent)
    except Exception as error:  # an environment may raise anything
        said = f"{type(error).__name__}: {error}"
        raise GameError(f"{game}: {method}('{agent}') raised {said} ({raised_at(error)})") from error
    if not isinstance(space, spaces.Space):
        kind = type(space)
        place = method_place(type(getattr(environment, "unwrapped", environment)), method)
        raise GameError(
            f"{game}: {method}('{agent}') is a {kind.__module__}.{kind.__qualname__} ({place}), not a space of "
            "Gymnasium: import gymnasium.spaces"
        )
    return space


def make_encoding(
    game: str, agent: str, seen: spaces.Space[Any], acts: spaces.Space[Any], options: ObservationOptions
) -> Encoding:
    """The encoding of an agent with observation space `seen` and action space `acts`.

    Images get their channels first. Everything else becomes one row of numbers, with discrete parts one-hot. Raises
    GameError for spaces that are not a fixed number of numbers.
    """
    actions = _actions(game, agent, acts)
    masked, key, inner = False, None, seen
    if isinstance(seen, spaces.Dict):
        masked = "action_mask" in seen.spaces
        rest = {name: space for name, space in seen.spaces.items() if name != "action_mask"}
        inner, key = (rest["observation"], "observation") if set(rest) == {"observation"} else (spaces.Dict(rest), None)
    image = isinstance(inner, spaces.Box) and len(inner.shape) == 3
    channels_last, shrink = image and options.channels == "last", options.shrink if image else 1
    if isinstance(inner, spaces.Box):
        height, width, depth = inner.shape if image else (0, 0, 0)
        planes = (depth, height, width) if channels_last else inner.shape
        shape = (planes[0], planes[1] // shrink, planes[2] // shrink) if image else (int(np.prod(inner.shape)),)
        if not all(shape):
            raise GameError(
                f"{game}: shrink = {shrink} is too large for agent '{agent}''s images of {planes[1]} by {planes[2]}"
            )
        dtype = _box_dtype(inner)
    else:
        shape, dtype = (_flat_length(game, agent, inner),), "float32"
        if isinstance(inner, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
            dtype = "uint8"
    return Encoding(
        shape=shape,
        dtype=dtype,
        actions=actions,
        observation_space=inner,
        action_space=acts,
        mask_in_observation=masked,
        key=key,
        channels_last=channels_last,
        shrink=shrink,
    )


def _with_one_action_length(encodings: Sequence[Encoding]) -> tuple[Encoding, ...]:
    """The encodings of a game's agents with one `action_length`, so that their actions fit one array."""
    if all(isinstance(one.actions, Discrete) for one in encodings):
        return tuple(encodings)
    length = max(one.actions.draws for one in encodings)
    return tuple(replace(one, action_length=length) for one in encodings)


def _padded(game: str, encodings: Sequence[Encoding]) -> tuple[Encoding, ...]:
    """The encodings under `pad`: one observation length (zeros are appended) and one number of actions.

    Actions that an agent does not have are never legal. Raises GameError unless all agents choose one of n actions.
    """
    counts = [one.actions.n for one in encodings if isinstance(one.actions, Discrete)]
    if len(counts) < len(encodings):
        raise GameError(f"{game}: pad = true needs agents with Discrete actions")
    length, most = max(one.size for one in encodings), max(counts)
    dtypes = {one.dtype for one in encodings}
    dtype = dtypes.pop() if len(dtypes) == 1 else "float32"
    return tuple(
        replace(
            one,
            shape=(length,),
            dtype=dtype,
            actions=Discrete(most),
            own_actions=None if count == most else np.arange(most) < count,
        )
        for one, count in zip(encodings, counts, strict=True)
    )


def _shrunk(planes: npt.NDArray[Any], times: int) -> npt.NDArray[Any]:
    """`[C, H, W]` → `[C, H // times, W // times]`, the means of squares; rows and columns left over are dropped."""
    channels, height, width = planes.shape[0], planes.shape[1] // times, planes.shape[2] // times
    squares = planes[:, : height * times, : width * times].reshape(channels, height, times, width, times)
    smaller: npt.NDArray[Any] = squares.mean((2, 4)).astype(planes.dtype)
    return smaller


def _actions(game: str, agent: str, acts: spaces.Space[Any]) -> ActionSpace:
    if isinstance(acts, spaces.Discrete):
        return Discrete(int(acts.n))
    if isinstance(acts, spaces.MultiDiscrete):
        return MultiDiscrete(tuple(acts.nvec.reshape(-1).tolist()))
    if isinstance(acts, spaces.MultiBinary):
        return MultiDiscrete((2,) * int(np.prod(acts.shape)))
    if isinstance(acts, spaces.Box):
        # Also where only the difference of the ends is no float32: ±3.4e38 says "any number".
        with np.errstate(over="ignore"):
            width = np.subtract(acts.high, acts.low, dtype=np.float32, casting="unsafe")
        if not (np.isfinite(width).all() and acts.low.size):
            raise GameError(
                f"{game}: agent '{agent}' has the action space {acts}, which is unbounded: add bounds with a wrapper "
                "(game.wrappers)"
            )
        return Box(*(tuple(end.astype(np.float32).reshape(-1).tolist()) for end in (acts.low, acts.high)))
    raise GameError(
        f"{game}: agent '{agent}' has the action space {acts}, which is not supported: use Discrete, MultiDiscrete, "
        "MultiBinary or Box"
    )


def _box_dtype(box: spaces.Box) -> str:
    if box.dtype in (np.dtype(np.uint8), np.dtype(np.bool_)):
        return "uint8"
    if box.dtype == np.dtype(np.int8):
        return "int8" if (box.low < 0).any() else "uint8"
    return "float32"


def _flat_length(game: str, agent: str, space: spaces.Space[Any]) -> int:
    if isinstance(space, spaces.Text) or not space.is_np_flattenable:
        raise GameError(
            f"{game}: agent '{agent}' has the observation space {space}, which is not a fixed number of numbers: use "
            "Box, Discrete, or Dict or Tuple of these"
        )
    return int(spaces.flatdim(space))
