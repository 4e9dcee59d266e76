"""Networks: an MLP, and a small convolutional network for board planes, with memory or without. All take the seat.

Letters in shapes: C decisions in a row, N rows (of one seat each), M numbers of memory, K observations in the window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from league.games.symmetry import Symmetry
from league.policies.architecture import WINDOWED, NetworkSpec, check_architecture
from league.policies.memory import GRU, LSTM, Attention, Cell, StackedLinear, window_mask, windows
from league.policies.normalisation import Normaliser
from league.policies.tying import Tying, can_tie

_ACTIVATION: dict[str, Callable[[], nn.Module]] = {"relu": lambda: nn.ReLU(inplace=True), "tanh": nn.Tanh}
_CELLS: dict[str, Callable[[int, int], Cell]] = {"gru": GRU, "lstm": LSTM}


class Network(nn.Module):
    """Input planes or a vector, and a seat → `outputs` numbers, and the new memory.

    [normalise] → trunk (convolutions, if any) → the seat's one-hot joined on → hidden layers → cell or attention, if
    any → last layer. With the memory "stack" the trunk sees the last K observations side by side (of planes: their
    channels). Memory is the cell's state; with "stack" and "transformer" it is the previous K - 1
    observations, unprocessed, so that the output is a function of K observations even if the weights change meanwhile.
    With groups it holds one network per group, and every row uses that of its seat.

    gain: scale of the last layer's orthogonal initialisation (0.01 makes a policy start near uniform). generator: what
    the weights are drawn from; without one they have no storage yet, until `load_state_dict(…, assign=True)`.
    initialisation: "orthogonal", or "uniform": weights and biases within ±1/√(inputs of the layer), as torch has it.
    Raises ConfigError for an unknown architecture, or one that does not suit the inputs.
    """

    trunk: nn.Sequential
    hidden: nn.Sequential
    cell: Cell
    attention: Attention
    head: nn.Sequential
    norm: Normaliser
    group: nn.ModuleList
    tying: Tying | None = None
    """Which weights stay equal in training; not part of what is saved."""
    _own_tying: Tying | None = None
    """What `tying` is whenever the weights respect it."""

    def __init__(
        self,
        spec: NetworkSpec,
        gain: float = 0.01,
        generator: torch.Generator | None = None,
        initialisation: str = "orthogonal",
    ) -> None:
        super().__init__()
        self.spec = spec
        check_architecture(spec)
        # On the meta device torch does not waste time on initial weights that our own draws would replace.
        with torch.device("meta"):
            if spec.groups:
                count = max(spec.groups) + 1
                self.group = nn.ModuleList(Network(replace(spec, groups=())) for _ in range(count))
            else:
                self._build()
        if generator is not None:
            self.to_empty(device="cpu")
            for member in self.members:
                member._initialise(gain, generator, initialisation)

    @property
    def memory(self) -> int:
        """M, the width of a row of memory; 0 for none."""
        spec = self.spec
        size = math.prod(spec.inputs)
        # Attention must know which observations exist: one flag for each.
        widths = {"stack": (spec.length - 1) * size, "transformer": (spec.length - 1) * (size + 1)}
        return widths.get(spec.memory, spec.units * (2 if spec.memory == "lstm" else 1))

    @property
    def weights(self) -> int:
        """How many numbers are learned."""
        return sum(one.numel() for one in self.parameters())

    @property
    def members(self) -> Sequence[Network]:
        """The network of each group; itself where all seats share one."""
        return cast(Sequence[Network], self.group) if self.spec.groups else [self]

    @property
    def trunk_is_plain(self) -> bool:
        """Whether `features` has no weights: two such networks that see the same have the same features."""
        spec = self.spec
        return spec.kind == "mlp" and spec.memory == "none" and not spec.groups and not spec.normalised

    def forward(self, inputs: Tensor, seat: Tensor, memory: Tensor | None = None) -> Tensor:
        """`[N, outputs]` float32. inputs: `[N, *spec.inputs]`, any dtype. seat: `[N]` int64. memory: as in `step`."""
        return self.step(inputs, seat, memory)[0]

    def step(self, inputs: Tensor, seat: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`[N, outputs]` float32, and the memory after it, `[N, M]` float32. inputs, seat: as in `forward`.

        memory: `[N, M]` float32, that before it; zeros, or None, where an episode begins.
        """
        if memory is None:
            memory = torch.zeros((len(seat), self.memory), device=seat.device)
        if self.spec.groups:
            return self._step_by_group(inputs, seat, memory)
        if self.spec.memory == "none":
            return self.answer(self.features(inputs, seat)), memory
        if self.spec.memory in _CELLS:
            given = self.cell.input(self.hidden(self.features(inputs, seat)))
            after = self.cell(given, memory).to(torch.float32)
            return self.answer(after[:, : self.spec.units]), after
        sequence = self._sequence(inputs[None], memory)
        return self._over_windows(sequence, seat, None)[0], sequence[1:].movedim(0, 1).flatten(1)

    def unroll(self, inputs: Tensor, seat: Tensor, memory: Tensor | None, fresh: Tensor) -> Tensor:
        """`[C, N, outputs]` float32: C decisions in a row of N seats, as `step` by `step`, with gradients through all.

        inputs: `[C, N, *spec.inputs]`. seat: `[N]`. memory: `[N, M]`, that before the first. fresh: `[C, N]` bool, True
        where a decision is its episode's first: the memory before it is zeros, whatever was.
        """
        if memory is None:
            memory = torch.zeros((len(seat), self.memory), device=seat.device)
        if self.spec.groups:
            order, rows = self._rows(seat)
            found = [
                member.unroll(inputs.index_select(1, mine), seat[mine], memory[mine], fresh.index_select(1, mine))
                for member, mine in zip(self.members, rows, strict=True)
            ]
            return torch.cat(found, 1).index_select(1, order.argsort())
        if self.spec.memory in WINDOWED:
            return self._over_windows(self._sequence(inputs, memory), seat, fresh)
        features = self.features(inputs.flatten(0, 1), seat.repeat(len(inputs)))
        if self.spec.memory == "none":
            return _unflatten(self.answer(features), (len(inputs), len(seat)))
        states, given_all = [], self.cell.input(self.hidden(features))
        for given, begins in zip(_unflatten(given_all, (len(inputs), len(seat))), fresh, strict=True):
            memory = self.cell(given, torch.where(begins[:, None], 0.0, memory))
            states.append(memory[:, : self.spec.units])
        return self.answer(torch.stack(states))

    def features(self, inputs: Tensor, seat: Tensor) -> Tensor:
        """What the hidden layers are given, `[N, F]`: the trunk's output and the seat's one-hot.

        inputs, seat: as in `forward`. Only of networks without groups, and without the memory "stack".
        """
        return self._joined(self.norm(inputs) if self.spec.normalised else inputs, seat)

    def answer(self, features: Tensor) -> Tensor:
        """`[..., outputs]` float32, from `features`; with a cell or attention, from what that says."""
        return cast(Tensor, self.head(features).to(torch.float32))

    def respect(self, elements: Sequence[Symmetry], invariant: bool = False) -> None:
        """From now on, play relabelled observations alike, as far as `tying.can_tie` says that it can.

        elements: as `games.symmetry.group` gives them; fewer than two mean nothing. invariant: as in `Tying`. Only of
        freshly initialised networks: most of what others have learned would be lost.
        """
        if len(elements) < 2 or not can_tie(self.spec, elements):
            return
        self.tying = self._own_tying = Tying(self.spec, elements, invariant, next(self.parameters()).device)
        for member in self.members:
            _set(member, self.tying.tie_drawn(member.parameters()))

    @torch.no_grad()
    def tie_gradients(self) -> None:
        """Make the gradients of equal weights equal, so that the weights stay so."""
        if self.tying is not None:
            for member in self.members:
                gradients = [one.grad for one in member.parameters() if one.grad is not None]
                for one, tied in zip(member.parameters(), self.tying.tie(gradients), strict=True):
                    one.grad = tied

    @torch.no_grad()
    def tie_weights(self) -> None:
        """Make weights equal again that rounding has driven apart."""
        if self.tying is not None:
            for member in self.members:
                _set(member, self.tying.tie(member.parameters()))

    def tie_if_tied(self) -> None:
        """After weights were loaded: respect the symmetries from now on if these weights do, but for rounding."""
        own = self._own_tying
        if own is not None:
            tied = all(
                torch.allclose(one, other, rtol=1e-3, atol=1e-5)
                for member in self.members
                for one, other in zip(member.parameters(), own.tie(member.parameters()), strict=True)
            )
            self.tying = own if tied else None

    def normalise_with(self, mean: Tensor, deviation: Tensor) -> None:
        """From now on, normalise observations with these, `[*spec.inputs]` each. Only of normalised networks."""
        for member in self.members:
            member.norm.set(mean, deviation)

    def moments(self) -> tuple[Tensor, Tensor]:
        """What observations are normalised with, as in `normalise_with`. Only of normalised networks."""
        norm = self.members[0].norm
        return norm.mean, norm.deviation

    def _joined(self, inputs: Tensor, seat: Tensor) -> Tensor:
        # Small integers are joined as they are: `cat` turns them into floats on its way.
        as_they_are = self.spec.kind == "mlp" and not inputs.is_floating_point()
        hidden = self.trunk(inputs if as_they_are else inputs.to(torch.float32))
        one_hot = (seat[:, None] == torch.arange(self.spec.seats, device=seat.device)).to(torch.float32)
        return torch.cat((hidden, one_hot), 1)

    def _sequence(self, inputs: Tensor, memory: Tensor) -> Tensor:
        """`[K - 1 + C, N, size]`: what is remembered and what is seen, with "transformer" a flag behind each."""
        seen = inputs.flatten(2).to(torch.float32)
        if self.spec.memory == "transformer":
            seen = torch.cat((seen, torch.ones_like(seen[..., :1])), 2)
        return torch.cat((memory.unflatten(1, (self.spec.length - 1, -1)).movedim(1, 0), seen))

    def _over_windows(self, sequence: Tensor, seat: Tensor, fresh: Tensor | None) -> Tensor:
        """`[C, N, outputs]`, from a `_sequence`. fresh: as in `unroll`; None: memory says all."""
        spec, length = self.spec, self.spec.length
        size, rows = math.prod(spec.inputs), (len(sequence) - length + 1, len(seat))
        valid = None if fresh is None else window_mask(fresh, length)
        if spec.memory == "stack":
            window = windows(sequence, length)
            window = window if valid is None else torch.where(valid[..., None], window, 0.0)
            window = window.reshape(rows[0] * rows[1], length, *spec.inputs)
            window = self.norm(window) if spec.normalised else window
            joined = self._joined(window.flatten(1, 2), seat.repeat(rows[0]))
            return _unflatten(self.answer(joined), rows)
        # Every observation is embedded once, however many decisions look back at it.
        seen = sequence[..., :size].reshape(len(sequence) * len(seat), *spec.inputs)
        embedded: Tensor = self.attention.embed(self.hidden(self.features(seen, seat.repeat(len(sequence)))))
        present = windows(sequence[..., size], length) > 0
        present = present if valid is None else present & valid
        window = windows(_unflatten(embedded, (len(sequence), len(seat))), length).flatten(0, 1)
        return _unflatten(self.answer(self.attention(window, present.flatten(0, 1))), rows)

    def _rows(self, seat: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """The rows `[N]` in the order of their groups, and those of each group. Waits once for the device."""
        group = torch.tensor(self.spec.groups, device=seat.device)[seat]
        order = group.argsort(stable=True)
        return order, order.split(torch.bincount(group, minlength=len(self.group)).tolist())

    def _step_by_group(self, inputs: Tensor, seat: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        # A group without rows is asked too: all weights then have gradients, if only zeros.
        order, rows = self._rows(seat)
        found = [
            member.step(inputs[mine], seat[mine], memory[mine]) for member, mine in zip(self.members, rows, strict=True)
        ]
        back = order.argsort()
        output, after = (torch.cat(parts).index_select(0, back) for parts in zip(*found, strict=True))
        return output, after

    def _build(self) -> None:
        spec = self.spec
        activation = _ACTIVATION[spec.activation]
        if spec.normalised:
            self.norm = Normaliser(spec.inputs)
        inputs = spec.inputs if spec.memory != "stack" else (spec.inputs[0] * spec.length, *spec.inputs[1:])
        trunk: list[nn.Module] = []
        width = math.prod(inputs)
        if spec.kind == "conv":
            channels = [inputs[0], *spec.channels]
            for before, after in pairwise(channels):
                trunk += [nn.Conv2d(before, after, 3, padding=1), activation()]
            width = channels[-1] * inputs[1] * inputs[2]
        self.trunk = nn.Sequential(*trunk, nn.Flatten())
        widths = [width + spec.seats, *spec.hidden]
        hidden: list[nn.Module] = []
        for before, after in pairwise(widths):
            hidden += [nn.Linear(before, after), activation()]
        if not spec.units:
            self.head = nn.Sequential(*hidden, nn.Linear(widths[-1], spec.outputs))
            return
        self.hidden = nn.Sequential(*hidden)
        if spec.memory == "transformer":
            self.attention = Attention(widths[-1], spec.units, spec.length, activation())
        else:
            self.cell = _CELLS[spec.memory](widths[-1], spec.units)
        self.head = nn.Sequential(nn.Linear(spec.units, spec.outputs))

    def _initialise(self, gain: float, generator: torch.Generator, initialisation: str) -> None:
        layers = [module for module in self.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
        remembering = {one for name, one in self.named_modules() if name.startswith(("cell.", "attention."))}
        for layer in layers:
            if initialisation == "uniform":
                bound = 1 / math.sqrt(layer.weight[0].numel())
                for values in layer.parameters():
                    nn.init.uniform_(values, -bound, bound, generator=generator)
                continue
            scale = gain if layer is layers[-1] else 1.0 if layer in remembering else math.sqrt(2.0)
            for block in layer.weight.chunk(layer.count if isinstance(layer, StackedLinear) else 1):
                nn.init.orthogonal_(block, scale, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.reset_parameters()
            elif isinstance(module, Attention):
                nn.init.normal_(module.ages, std=0.02, generator=generator)
            elif isinstance(module, Normaliser):
                module.set(torch.zeros(()), torch.ones(()))


@torch.no_grad()
def _set(network: Network, weights: Sequence[Tensor]) -> None:
    for one, value in zip(network.parameters(), weights, strict=True):
        one.copy_(value)


def _unflatten(values: Tensor, sizes: tuple[int, int]) -> Tensor:
    """`[C * N, ...]` → `[C, N, ...]`."""
    return values.view(*sizes, *values.shape[1:])
