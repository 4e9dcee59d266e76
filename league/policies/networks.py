"""Networks: an MLP, and a small convolutional network for board planes. Both take the seat's one-hot."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from league.errors import ConfigError

_ACTIVATION: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


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
        hidden = self.trunk(inputs.to(torch.float32))
        one_hot = torch.zeros((len(seat), self.spec.seats), device=hidden.device).scatter_(1, seat[:, None], 1.0)
        return cast(Tensor, self.head(torch.cat((hidden, one_hot), 1)))

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
