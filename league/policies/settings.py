"""The settings of networks. Apart from the networks, so that reading a config does not import torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from league.settings import Settings


def _none(value: object) -> object:
    """`--set KEY=none` means no value; here "none" is one."""
    return "none" if value is None else value


def _groups(value: object) -> object:
    """As `_none`; and the lists of a config as tuples, which pydantic does not do for what a function has seen."""
    if isinstance(value, list):
        return tuple(tuple(one) if isinstance(one, list) else one for one in value)
    return _none(value)


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
    memory: Annotated[Literal["none", "stack", "gru", "lstm", "transformer"], BeforeValidator(_none)] = "none"
    """What networks remember of the episode: nothing; the last observations side by side ("stack"), or by attention
    ("transformer"); or a recurrent cell between the hidden layers and the last one ("gru", "lstm")."""
    memory_length: int = Field(4, ge=2)
    """Observations that are looked at, the current one included, with memory "stack" or "transformer"."""
    memory_units: PositiveInt = 64
    """Width of the cell, or of the attention, with memory "gru", "lstm" or "transformer"."""
    sharing: Annotated[Literal["all", "none"] | tuple[tuple[str, ...], ...], BeforeValidator(_groups)] = "all"
    """Which seats of a role share their weights: "all", "none", or a list of groups of seat names, such as
    [["agent_0", "agent_1"], ["agent_2"]]; seats in none of them form one more group."""
    normalise_observations: bool = False
    """Bring each number of an observation to mean 0 and deviation 1, by what was learned from so far."""
    initialisation: Literal["orthogonal", "uniform"] = "orthogonal"
    """How weights begin: orthogonal, biases 0; or all within ±1/√(inputs of the layer), as torch has it."""
