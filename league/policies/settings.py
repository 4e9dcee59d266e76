"""The settings of networks. Apart from the networks, so that reading a config does not import torch."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from league.settings import Settings


class NetworkSettings(Settings):
    """The shape of the actor and of the critic."""

    kind: Literal["mlp", "conv"] = "mlp"
    """"mlp", or "conv": convolutions over board planes before the hidden layers (needs planes as observations)."""
    actor: tuple[PositiveInt, ...] = (128, 128)
    """Widths of the actor's hidden layers."""
    critic: tuple[PositiveInt, ...] = (256, 256)
    """Widths of the critic's hidden layers."""
    channels: tuple[PositiveInt, ...] = (32, 32)
    """Channels of each 3×3 convolution, with kind "conv"."""
    activation: Literal["relu", "tanh"] = "relu"
    """The hidden layers' nonlinearity."""
