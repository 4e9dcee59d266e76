"""Symmetries of a game: relabellings of what seats see and do that leave its rules as they are.

Letters in shapes: as in `games/core.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from league.errors import GameError

Grid = npt.NDArray[np.int64]

MOST_ELEMENTS = 64
"""The largest group of symmetries."""


@dataclass(frozen=True, slots=True)
class Symmetry:
    """One relabelling of a role's observations and actions.

    Played with equal seeds and relabelled actions, the game shows relabelled observations and masks, and gives the same
    rewards. observation: place j of a relabelled observation, flattened, holds what was at place `observation[j]`.
    actions: action a there is what was action `actions[a]`. Raises GameError unless both are permutations.
    """

    observation: tuple[int, ...]
    actions: tuple[int, ...]

    def __post_init__(self) -> None:
        for name, places in (("observation", self.observation), ("actions", self.actions)):
            if sorted(places) != list(range(len(places))):
                raise GameError(f"a symmetry's {name} must list every number from 0 to {len(places) - 1} once")

    def then(self, other: Symmetry) -> Symmetry:
        """This one, and the other one after it."""
        return Symmetry(
            tuple(self.observation[place] for place in other.observation),
            tuple(self.actions[place] for place in other.actions),
        )

    @property
    def new_action(self) -> tuple[int, ...]:
        """By action, what it is called after relabelling: the inverse of `actions`."""
        return tuple(np.argsort(self.actions).tolist())


def moved_planes(
    shape: tuple[int, int, int], move: Callable[[Grid], Grid], actions: Sequence[int] | None = None
) -> Symmetry:
    """The symmetry that moves the cells of planes `[channels, height, width]`.

    move: from a grid to the moved grid, `[height, width]`, such as `np.fliplr`. actions: as in `Symmetry`; by default
    there is one for each cell, in reading order, and they move alike. Raises GameError where the grid's shape changes.
    """
    channels, height, width = shape
    cells = move(np.arange(height * width).reshape(height, width))
    if cells.shape != (height, width):
        raise GameError(f"a symmetry must keep the shape {height} × {width} of planes")
    flat = cells.ravel()
    places = np.concatenate([flat + channel * height * width for channel in range(channels)])
    return Symmetry(tuple(places.tolist()), tuple(flat.tolist() if actions is None else actions))


def group(generators: Sequence[Symmetry]) -> tuple[Symmetry, ...]:
    """All relabellings that the generators make together, the identity first. Raises GameError above 64."""
    first = generators[0]
    found = [Symmetry(tuple(range(len(first.observation))), tuple(range(len(first.actions))))]
    known = set(found)
    for element in found:  # grows while it is walked
        for generator in generators:
            product = element.then(generator)
            if product not in known:
                known.add(product)
                found.append(product)
        if len(found) > MOST_ELEMENTS:
            raise GameError(f"symmetries must form a group of at most {MOST_ELEMENTS} relabellings")
    return tuple(found)
