"""Networks that respect a game's symmetries: where a position is relabelled, so is what they say of it.

A layer respects them if some of its weights are equal (van der Pol et al. 2020, "MDP Homomorphic Networks",
arXiv:2006.16908). So a network needs no other layers and no other file: `Tying` makes the initial weights equal where
they must be, and their gradients, by which they stay equal. Every position then teaches all that it can be relabelled
as. Play takes no more time, and a gradient step little.

Letters in shapes: G elements of the group, W weights, T sets of tied weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.games.symmetry import Symmetry
from league.policies.architecture import NetworkSpec

Places = npt.NDArray[np.int64]
"""`[G, n]`: by element, where each of n inputs or outputs of a layer comes from."""

_KERNEL = 3

_MOVES: tuple[Callable[[Places], Places], ...] = tuple(
    lambda grid, turns=turns, flip=flip: np.rot90(np.fliplr(grid) if flip else grid, turns)  # type: ignore[misc]
    for flip in (False, True)
    for turns in range(4)
)
"""All rotations and reflections of a grid; some change the shape of a grid that is no square."""


class Tying:
    """Which weights of a network are equal, for `group` of a game's symmetries. Only where `can_tie` says so.

    invariant: its outputs stay as they are where inputs are relabelled (a value); otherwise they are one number for
    each action. Each layer's units come in sets of G that the elements permute; units that are left over stay as they
    are. Weights, gradients: tensors in the order of the network's parameters.
    """

    def __init__(
        self, spec: NetworkSpec, elements: Sequence[Symmetry], invariant: bool, device: torch.device | str = "cpu"
    ) -> None:
        places = np.array([element.observation for element in elements])
        layers: list[tuple[Places, Places]] = []
        if spec.kind == "conv":
            trunk, places = _convolutions(spec, elements)
            layers += trunk
        before = np.hstack((places, _alike(elements, spec.seats, places.shape[1])))
        hidden = [_units(elements, width) for width in spec.hidden]
        outputs = _alike(elements, spec.outputs) if invariant else np.array([one.actions for one in elements])
        layers += pairwise((before, *hidden, outputs))
        self._sets = []
        for inputs, after in layers:
            weight = (after[:, :, None] * inputs.shape[1] + inputs[:, None, :]).reshape(len(elements), -1)
            self._sets += [_tied_sets(one, device) for one in (weight, after)]

    def tie(self, weights: Iterable[Tensor]) -> list[Tensor]:
        """The means of the tied weights or gradients; equal ones stay what they are to the last bit."""
        found = []
        for value, (members, number) in zip(weights, self._sets, strict=True):
            # Gathered by `index_select`, which is several times faster than an index in brackets.
            tied = value.reshape(-1).index_select(0, members.view(-1)).view(members.shape)
            mean = tied[0] + (tied[1:] - tied[0]).sum(0) / len(tied)
            found.append(mean.index_select(0, number).view_as(value))
        return found

    def tie_drawn(self, weights: Iterable[Tensor]) -> list[Tensor]:
        """As `tie`, for independently drawn weights, whose means have less variance: it is restored."""
        found = self.tie(weights)
        for place, (members, number) in enumerate(self._sets):
            distinct = (members.sort(0).values.diff(dim=0) != 0).sum(0) + 1
            found[place] *= distinct.sqrt()[number].view_as(found[place])
        return found


def can_tie(spec: NetworkSpec, elements: Sequence[Symmetry]) -> bool:
    """Whether a network can respect symmetries.

    Not with memory or input statistics, nor if planes do not just move, nor if a layer has fewer units than there are
    elements: it could not tell a position from its relabelled ones.
    """
    if spec.memory != "none" or spec.normalised or min((*spec.hidden, *spec.channels), default=0) < len(elements):
        return False
    return spec.kind != "conv" or all(_move(spec, element) is not None for element in elements)


def _move(spec: NetworkSpec, element: Symmetry) -> Callable[[Places], Places] | None:
    """The rotation or reflection that moves all planes of an observation alike; None where it is something else."""
    planes = np.array(element.observation).reshape(spec.inputs)
    grid = np.arange(planes.size).reshape(spec.inputs)
    for move in _MOVES:
        if all(np.array_equal(move(one), plane) for one, plane in zip(grid, planes, strict=True)):
            return move
    return None


def _convolutions(spec: NetworkSpec, elements: Sequence[Symmetry]) -> tuple[list[tuple[Places, Places]], Places]:
    """Inputs and outputs of each convolution, and where the trunk's outputs come from."""
    _, height, width = spec.inputs
    moves = [move for element in elements if (move := _move(spec, element)) is not None]
    cells, kernel = (
        np.array([move(np.arange(rows * columns).reshape(rows, columns)).ravel() for move in moves])
        for rows, columns in ((height, width), (_KERNEL, _KERNEL))
    )
    channels = [_alike(elements, spec.inputs[0]), *(_units(elements, count) for count in spec.channels)]
    layers = [(_both(before, kernel), after) for before, after in pairwise(channels)]
    return layers, _both(channels[-1], cells)


def _both(channels: Places, cells: Places) -> Places:
    """Of channels and cells that move at once."""
    places: Places = (channels[:, :, None] * cells.shape[1] + cells[:, None, :]).reshape(len(channels), -1)
    return places


def _alike(elements: Sequence[Symmetry], count: int, begin: int = 0) -> Places:
    """Of numbers that stay where they are."""
    return np.tile(np.arange(begin, begin + count), (len(elements), 1))


def _units(elements: Sequence[Symmetry], width: int) -> Places:
    """Of a hidden layer's units: the regular representation, as often as there is room for it."""
    number = {element: place for place, element in enumerate(elements)}
    product = np.array([[number[one.then(other)] for other in elements] for one in elements])
    size = len(elements)
    units = np.arange(width)
    places: Places = np.where(units < width // size * size, units - units % size + product[:, units % size], units)
    return places


def _tied_sets(places: Places, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """The members of each set `[G, T]`, some several times, and the number of each weight's set, `[W]`."""
    first, number = np.unique(places.min(0), return_inverse=True)
    return torch.from_numpy(np.ascontiguousarray(places[:, first])).to(device), torch.from_numpy(number).to(device)
