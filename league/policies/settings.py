"""The settings of networks, in a file of their own so that reading a config does not import torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from league.settings import Settings


def _none(value: object) -> object:
    """`--set KEY=none` unsets a value; for these settings "none" is a value."""
    return "none" if value is None else value


def _groups(value: object) -> object:
    """As `_none`, with lists turned into tuples: after a validator function pydantic does not convert them."""
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
    """Memory of the episode: none; the last observations stacked ("stack") or attended to ("transformer"); or a
    recurrent cell before the output layer ("gru", "lstm")."""
    memory_length: int = Field(4, ge=2)
    """Length of the observation window, including the current one, with memory "stack" or "transformer"."""
    memory_units: PositiveInt = 64
    """Width of the recurrent cell or the attention layer, with memory "gru", "lstm" or "transformer"."""
    sharing: Annotated[Literal["all", "none"] | tuple[tuple[str, ...], ...], BeforeValidator(_groups)] = "all"
    """Which seats of a role share weights: "all", "none", or a list of groups of seat names, such as
    [["agent_0", "agent_1"], ["agent_2"]]; seats not listed form one more group."""
    symmetric: bool = True
    """In games that declare symmetries (tic-tac-toe, Connect Four and Othello do): play relabelled positions alike, by
    equal weights. Not for networks with memory, `normalise_observations` or a layer that has fewer units than there are
    symmetries, nor for a critic that sees more than its actor."""
    normalise_observations: bool = False
    """Normalise each component of an observation to mean 0 and standard deviation 1, with running statistics."""
    initialisation: Literal["orthogonal", "uniform"] = "orthogonal"
    """Weight initialisation: orthogonal with zero biases, or uniform within ±1/√(fan-in), torch's default. With
    `symmetric`, weights that must be equal take the mean of those drawn, with their spread."""
