"""Networks: an MLP, and a small convolutional network for board planes. Both take the seat's one-hot."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from league.errors import ConfigError

_ACTIVATION: dict[str, Callable[[], nn.Module]] = {"relu": lambda: nn.ReLU(inplace=True), "tanh": nn.Tanh}


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """All that fixes a network's architecture; stored in every snapshot.

    kind: "mlp" or "conv". inputs: shape of one input. seats: length of the one-hot appended after the trunk.
    outputs: width of the last layer. channels: of each convolution (conv only). hidden: widths of hidden layers.
    """

    kind: str
    inputs: tuple[int, ...]
    seats: int
    outputs: int
    hidden: tuple[int, ...]
    channels: tuple[int, ...] = ()
    activation: str = "relu"

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @staticmethod
    def from_dict(data: dict[str, object]) -> NetworkSpec:
        """The inverse of `to_dict`."""
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        return NetworkSpec(**values)  # type: ignore[arg-type]


class Network(nn.Module):
    """Input planes or a vector, and a seat → `outputs` numbers.

    gain: scale of the last layer's orthogonal initialisation (0.01 makes a policy start near uniform). generator: what
    the weights are drawn from; without one they have no storage yet, until `load_state_dict(…, assign=True)`.
    Raises ConfigError for an architecture that there is not, or that does not suit the inputs.
    """

    def __init__(self, spec: NetworkSpec, gain: float = 0.01, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.spec = spec
        # Torch would fill new layers from its global generator, at some cost, before our own draws replace that.
        with torch.device("meta"):
            self._build()
        if generator is not None:
            self.to_empty(device="cpu")
            self._initialise(gain, generator)

    def forward(self, inputs: Tensor, seat: Tensor) -> Tensor:
        """inputs: `[N, *spec.inputs]`, any dtype. seat: `[N]` int64. Returns `[N, outputs]` float32."""
        return self.answer(self.features(inputs, seat))

    def features(self, inputs: Tensor, seat: Tensor) -> Tensor:
        """What the hidden layers are given, `[N, F]`: the trunk's output and the seat's one-hot. Arguments as above."""
        # Small integers are joined as they are: `cat` turns them into floats on its way.
        as_they_are = self.spec.kind == "mlp" and not inputs.is_floating_point()
        hidden = self.trunk(inputs if as_they_are else inputs.to(torch.float32))
        one_hot = (seat[:, None] == torch.arange(self.spec.seats, device=seat.device)).to(torch.float32)
        return torch.cat((hidden, one_hot), 1)

    def answer(self, features: Tensor) -> Tensor:
        """`[N, outputs]` float32, from `features`."""
        return cast(Tensor, self.head(features).to(torch.float32))

    @property
    def trunk_is_plain(self) -> bool:
        """Whether `features` has no weights: two such networks that see the same have the same features."""
        return self.spec.kind == "mlp"

    def _build(self) -> None:
        spec = self.spec
        if spec.kind not in ("mlp", "conv") or spec.activation not in _ACTIVATION:
            raise ConfigError(f"there is no network of kind '{spec.kind}' with activation '{spec.activation}'")
        activation = _ACTIVATION[spec.activation]
        trunk: list[nn.Module] = []
        width = math.prod(spec.inputs)
        if spec.kind == "conv":
            if len(spec.inputs) != 3:
                raise ConfigError(
                    f"network.kind 'conv' needs planes [channels, height, width]; this game shows {list(spec.inputs)}: "
                    "use network.kind = 'mlp'"
                )
            channels = [spec.inputs[0], *spec.channels]
            for before, after in pairwise(channels):
                trunk += [nn.Conv2d(before, after, 3, padding=1), activation()]
            width = channels[-1] * spec.inputs[1] * spec.inputs[2]
        self.trunk = nn.Sequential(*trunk, nn.Flatten())
        widths = [width + spec.seats, *spec.hidden]
        head: list[nn.Module] = []
        for before, after in pairwise(widths):
            head += [nn.Linear(before, after), activation()]
        self.head = nn.Sequential(*head, nn.Linear(widths[-1], spec.outputs))

    def _initialise(self, gain: float, generator: torch.Generator) -> None:
        layers = [module for module in self.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
        for layer in layers:
            scale = gain if layer is layers[-1] else math.sqrt(2.0)
            nn.init.orthogonal_(layer.weight, scale, generator=generator)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
