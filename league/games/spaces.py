"""How one agent of an environment sees and acts: a Gymnasium space in, shapes and an encoding out. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from league.errors import GameError
from league.games.environments import Channels


@dataclass(frozen=True)
class Encoding:
    """An agent's observations and actions as arrays.

    shape: of an observation: `(channels, height, width)` for images, else `(length,)`. dtype: "uint8" for planes of
    bits, bytes and one-hots; "int8" where small integers go below zero; else "float32". actions: how many.
    first: the environment's number of action 0. masked: the observation space carries an action mask.
    """

    shape: tuple[int, ...]
    dtype: str
    actions: int
    first: int
    masked: bool
    space: spaces.Space[Any]
    key: str | None
    transposed: bool

    @property
    def size(self) -> int:
        """How many numbers an observation has."""
        return int(np.prod(self.shape))

    @property
    def kind(self) -> tuple[tuple[int, ...], str, int, int]:
        """What agents must share for one policy's weights to serve them all."""
        return self.shape, self.dtype, self.actions, self.first

    def encode(self, observation: Any) -> npt.NDArray[Any]:
        """`[*shape]`, of the environment's own dtype: it is converted where it is written."""
        if self.key is not None:
            observation = observation[self.key]
        elif isinstance(observation, Mapping):
            observation = {key: value for key, value in observation.items() if key != "action_mask"}
        if not isinstance(self.space, spaces.Box):
            observation = spaces.flatten(self.space, observation)
        array = np.asarray(observation)
        return array.transpose(2, 0, 1) if self.transposed else array.reshape(self.shape)


def encoding(game: str, agent: str, seen: spaces.Space[Any], acts: spaces.Space[Any], channels: Channels) -> Encoding:
    """The encoding of an agent with observation space `seen` and action space `acts`.

    channels: where images keep their channels; they come out first. Anything but images becomes one row of numbers,
    discrete parts one-hot. Raises GameError for actions that are not discrete and observations that are not numbers.
    """
    if not isinstance(acts, spaces.Discrete):
        hint = "; leave `continuous_actions` at its default, false" if game.startswith("mpe2:") else ""
        raise GameError(f"{game}: agent '{agent}' acts in {acts}, but only Discrete actions are supported today{hint}")
    masked, key, inner = False, None, seen
    if isinstance(seen, spaces.Dict):
        masked = "action_mask" in seen.spaces
        rest = {name: space for name, space in seen.spaces.items() if name != "action_mask"}
        inner, key = (rest["observation"], "observation") if set(rest) == {"observation"} else (spaces.Dict(rest), None)
    image = isinstance(inner, spaces.Box) and len(inner.shape) == 3
    transposed = image and channels == "last"
    if isinstance(inner, spaces.Box):
        height, width, depth = inner.shape if image else (0, 0, 0)
        shape = (depth, height, width) if transposed else inner.shape if image else (int(np.prod(inner.shape)),)
        dtype = _small(inner)
    else:
        shape, dtype = (_flat_length(game, agent, inner),), "float32"
        if isinstance(inner, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
            dtype = "uint8"
    return Encoding(shape, dtype, int(acts.n), int(acts.start), masked, inner, key, transposed)


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
