"""How one agent of an environment sees and acts: a Gymnasium space in, shapes and an encoding out. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from league.errors import GameError
from league.games.actions import ActionSpace, Box, Discrete, MultiDiscrete
from league.games.pettingzoo.sources import Channels


@dataclass(frozen=True, slots=True)
class Looks:
    """How a game's observations are read. channels: where images keep theirs. shrink: how many times smaller images are
    made. pad: all agents see and act alike, as `padded` makes them."""

    channels: Channels
    shrink: int = 1
    pad: bool = False


@dataclass(frozen=True)
class Encoding:
    """An agent's observations and actions as arrays.

    shape: of an observation: `(channels, height, width)` for images, else `(length,)`. dtype: "uint8" for planes of
    bits, bytes and one-hots; "int8" where small integers go below zero; else "float32". actions: what one decision is.
    masked: the observation space carries an action mask. legal: `[A]`, the actions that there are, where others of the
    role have more; else None. depth: numbers in which this game gives an action, 0 where it gives a bare one.
    """

    shape: tuple[int, ...]
    dtype: str
    actions: ActionSpace
    masked: bool
    space: spaces.Space[Any]
    acts: spaces.Space[Any]
    key: str | None
    transposed: bool
    shrink: int = 1
    depth: int = 0
    legal: npt.NDArray[np.bool_] | None = None

    @property
    def size(self) -> int:
        """How many numbers an observation has."""
        return int(np.prod(self.shape))

    @property
    def kind(self) -> tuple[tuple[int, ...], str, ActionSpace]:
        """What agents must share for one policy's weights to serve them all."""
        return self.shape, self.dtype, self.actions

    def encode(self, observation: Any) -> npt.NDArray[Any]:
        """`[*shape]`, of the environment's own dtype: it is converted where it is written."""
        if self.key is not None:
            observation = observation[self.key]
        elif isinstance(observation, Mapping):
            observation = {key: value for key, value in observation.items() if key != "action_mask"}
        if not isinstance(self.space, spaces.Box):
            observation = spaces.flatten(self.space, observation)
        array = np.asarray(observation)
        if self.transposed:
            array = array.transpose(2, 0, 1)
        if self.shrink > 1:
            array = _smaller(array, self.shrink)
        if array.size != self.size:
            padded = np.zeros(self.shape, dtype=array.dtype)
            padded[: array.size] = array.reshape(-1)
            return padded
        return array.reshape(self.shape)

    def action(self, chosen: Any) -> Any:
        """What the environment is given for an action of ours: a number, or where the game has a depth, that many."""
        acts = self.acts
        if isinstance(acts, spaces.Discrete):
            return int(chosen[0] if self.depth else chosen) + int(acts.start)
        values = np.asarray(chosen[: self.actions.draws], dtype=acts.dtype).reshape(acts.shape)
        if isinstance(acts, spaces.MultiDiscrete):
            return values + acts.start
        return np.clip(values, acts.low, acts.high) if isinstance(acts, spaces.Box) else values

    def any_action(self, rng: np.random.Generator, mask: npt.NDArray[Any] | None) -> Any:
        """A legal action at random, as `action` takes it. mask: `[A]`, or None."""
        space = self.actions
        if isinstance(space, Discrete):
            found = [int(rng.integers(space.n) if mask is None else rng.choice(np.flatnonzero(mask)))]
        elif isinstance(space, MultiDiscrete):
            ends = np.cumsum(space.sizes)[:-1]
            parts = np.split(np.ones(space.width) if mask is None else np.asarray(mask), ends)
            found = [int(rng.choice(np.flatnonzero(part))) for part in parts]
        else:
            return rng.uniform(space.low, space.high).astype(np.float32).tolist()
        return found if self.depth else found[0]


def encoding(game: str, agent: str, seen: spaces.Space[Any], acts: spaces.Space[Any], looks: Looks) -> Encoding:
    """The encoding of an agent with observation space `seen` and action space `acts`.

    Images come out with their channels first. Anything but images becomes one row of numbers,
    discrete parts one-hot. Raises GameError for actions and observations that are no fixed number of numbers.
    """
    actions = _actions(game, agent, acts)
    masked, key, inner = False, None, seen
    if isinstance(seen, spaces.Dict):
        masked = "action_mask" in seen.spaces
        rest = {name: space for name, space in seen.spaces.items() if name != "action_mask"}
        inner, key = (rest["observation"], "observation") if set(rest) == {"observation"} else (spaces.Dict(rest), None)
    image = isinstance(inner, spaces.Box) and len(inner.shape) == 3
    transposed, shrink = image and looks.channels == "last", looks.shrink if image else 1
    if isinstance(inner, spaces.Box):
        height, width, depth = inner.shape if image else (0, 0, 0)
        planes = (depth, height, width) if transposed else inner.shape
        shape = (planes[0], planes[1] // shrink, planes[2] // shrink) if image else (int(np.prod(inner.shape)),)
        if not all(shape):
            raise GameError(f"{game}: shrink = {shrink} leaves nothing of agent '{agent}''s images of {planes[1:]}")
        dtype = _small(inner)
    else:
        shape, dtype = (_flat_length(game, agent, inner),), "float32"
        if isinstance(inner, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
            dtype = "uint8"
    return Encoding(shape, dtype, actions, masked, inner, acts, key, transposed, shrink)


def alike(encodings: Sequence[Encoding]) -> tuple[Encoding, ...]:
    """The encodings of a game's agents, made to agree on the number of numbers in which an action is given."""
    if all(isinstance(one.actions, Discrete) for one in encodings):
        return tuple(encodings)
    depth = max(one.actions.draws for one in encodings)
    return tuple(replace(one, depth=depth) for one in encodings)


def padded(game: str, encodings: Sequence[Encoding]) -> tuple[Encoding, ...]:
    """The same with what all agents see as one row of numbers, as long as the longest, zeros behind, and as many
    actions as who has most, those that an agent does not have never legal. Raises GameError unless all choose one of n.
    """
    counts = [one.actions.n for one in encodings if isinstance(one.actions, Discrete)]
    if len(counts) < len(encodings):
        raise GameError(f"{game}: pad = true is for games whose agents choose one of a number of actions")
    length, most = max(one.size for one in encodings), max(counts)
    dtypes = {one.dtype for one in encodings}
    dtype = dtypes.pop() if len(dtypes) == 1 else "float32"
    return tuple(
        replace(
            one,
            shape=(length,),
            dtype=dtype,
            actions=Discrete(most),
            legal=None if count == most else np.arange(most) < count,
        )
        for one, count in zip(encodings, counts, strict=True)
    )


def _smaller(planes: npt.NDArray[Any], times: int) -> npt.NDArray[Any]:
    """`[C, H, W]` → `[C, H // times, W // times]`, the means of squares; what is left over at the edges is left out."""
    channels, height, width = planes.shape[0], planes.shape[1] // times, planes.shape[2] // times
    whole = planes[:, : height * times, : width * times].reshape(channels, height, times, width, times)
    smaller: npt.NDArray[Any] = whole.mean((2, 4)).astype(planes.dtype)
    return smaller


def _actions(game: str, agent: str, acts: spaces.Space[Any]) -> ActionSpace:
    if isinstance(acts, spaces.Discrete):
        return Discrete(int(acts.n))
    if isinstance(acts, spaces.MultiDiscrete):
        return MultiDiscrete(tuple(acts.nvec.reshape(-1).tolist()))
    if isinstance(acts, spaces.MultiBinary):
        return MultiDiscrete((2,) * int(np.prod(acts.shape)))
    if isinstance(acts, spaces.Box):
        if not (np.isfinite(acts.low).all() and np.isfinite(acts.high).all() and acts.low.size):
            raise GameError(
                f"{game}: agent '{agent}' acts in {acts}, which has no bounds: a wrapper (game.wrappers) can give it "
                "some"
            )
        return Box(*(tuple(end.astype(np.float32).reshape(-1).tolist()) for end in (acts.low, acts.high)))
    raise GameError(
        f"{game}: agent '{agent}' acts in {acts}; Discrete, MultiDiscrete, MultiBinary and Box actions are supported"
    )


def _small(box: spaces.Box) -> str:
    if box.dtype in (np.dtype(np.uint8), np.dtype(np.bool_)):
        return "uint8"
    if box.dtype == np.dtype(np.int8):
        return "int8" if (box.low < 0).any() else "uint8"
    return "float32"


def _flat_length(game: str, agent: str, space: spaces.Space[Any]) -> int:
    if isinstance(space, spaces.Text) or not space.is_np_flattenable:
        raise GameError(
            f"{game}: agent '{agent}' observes {space}, which is not a fixed number of numbers; "
            "Box, Discrete, and Dict or Tuple of these are supported"
        )
    return int(spaces.flatdim(space))
