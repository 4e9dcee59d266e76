"""The settings of MAPPO. Apart from the learning itself, so that reading a config does not import torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from league.settings import Settings


class MappoSettings(Settings):
    """Multi-agent PPO with shared parameters and a centralised critic (Yu et al. 2022, arXiv:2103.01955)."""

    slots: PositiveInt | None = None
    """Games played side by side at each training table; by default 512 of a native game, and of a PettingZoo one from
    16 to 256, by how many act at once and how much they see."""
    turns: PositiveInt = 64
    """Turns of every slot in one round's rollout."""
    learning_rate: float = Field(5e-4, gt=0)
    """Adam's step size for actor and critic."""
    epochs: PositiveInt = 4
    """Passes over the rollout in each update."""
    minibatch: PositiveInt = 2048
    """Decisions in one gradient step; the last of an epoch takes what is left if it is at least half as large."""
    discount: float = Field(0.99, ge=0, le=1)
    """Discount from one of a seat's own decisions to its next."""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """Lambda of generalised advantage estimation (Schulman et al. 2016, eq. 16), along a seat's own decisions."""
    clip: float = Field(0.2, gt=0)
    """Clip range of the probability ratio (Schulman et al. 2017, eq. 7)."""
    value_clip: float = Field(0.2, ge=0)
    """Clip range of the value's change, in normalised units; 0 turns it off."""
    value_coefficient: float = Field(1.0, ge=0)
    """Weight of the value loss."""
    value_normalisation: bool = True
    """Learn values on the running mean and standard deviation of the returns."""
    entropy: float = Field(0.02, ge=0)
    """Weight of the entropy bonus at the start."""
    entropy_end: float | None = Field(None, ge=0)
    """Weight of the entropy bonus from `entropy_steps` on, reached in a straight line; by default it stays."""
    entropy_steps: PositiveInt = 1_000_000
    """Agent-steps over which the entropy bonus moves to `entropy_end`."""
    advantage_normalisation: bool = True
    """Shift and scale the advantages of each update to mean 0 and standard deviation 1."""
    max_grad_norm: float = Field(0.5, gt=0)
    """Gradients of actor and of critic are each scaled down to this norm."""
    target_kl: float | None = Field(None, gt=0)
    """End the update after an epoch whose approx_kl exceeds 1.5 times this."""
    adam_epsilon: float = Field(1e-5, gt=0)
    """Adam's epsilon."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the update's passes through the networks compute in; weights, losses and statistics are always float32.
    bfloat16 is faster only where the processor computes in it (`league bench` tells)."""
