"""The settings of algorithms. Apart from the learning itself, so that reading a config does not import torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from league.settings import Settings


class AlgorithmSettings(Settings):
    """What every algorithm has; each kind adds its own."""

    kind: str = "mappo"
    """How learners learn: mappo (PPO with a centralised critic), ippo (each seat's critic sees what the seat sees),
    coma (counterfactual baseline), qmix or vdn (action values, summed up over a side, from a replay buffer)."""
    slots: PositiveInt | None = None
    """Games played side by side at each training table; by default 512 of a native game, and of a PettingZoo one from
    16 to 256, by how many act at once and how much they see."""
    turns: PositiveInt = 64
    """Turns of every slot in one round's rollout."""
    learning_rate: float = Field(5e-4, gt=0)
    """Adam's step size at the start."""
    learning_rate_end: float | None = Field(None, gt=0)
    """Adam's step size from `learning_rate_steps` on, reached in a straight line; by default it stays."""
    learning_rate_steps: PositiveInt = 1_000_000
    """Agent-steps over which the step size moves to `learning_rate_end`."""
    discount: float = Field(0.99, ge=0, le=1)
    """Discount from one of a seat's own decisions to its next."""
    reward_scale: float = Field(1.0, gt=0)
    """What rewards are multiplied by before anything is learnt from them; scores and returns are shown as they are."""
    max_grad_norm: float = Field(0.5, gt=0)
    """Gradients of each network (qmix, vdn: of all together) are scaled down to this norm."""
    adam_epsilon: float = Field(1e-5, gt=0)
    """Adam's epsilon."""
    chunk: PositiveInt = 16
    """Own decisions in a row that networks with memory are trained through; the memory before the first is kept. Of
    qmix and vdn: decisions of a sequence, with memory or without."""


class ActorCriticSettings(AlgorithmSettings):
    """What all that learn from their latest rollout have, with an actor and a critic."""

    critic_learning_rate: float | None = Field(None, gt=0)
    """Adam's step size for the critic, moved in the same proportion; by default the actor's."""
    epochs: PositiveInt = 4
    """Passes over the rollout in each update; COMA's actor takes one, its critic all."""
    minibatch: PositiveInt = 2048
    """Decisions in one gradient step; the last of an epoch takes what is left if it is at least half as large."""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """Lambda of generalised advantage estimation (Schulman et al. 2016, eq. 16), along a seat's own decisions; of COMA,
    the lambda of its critic's returns."""
    value_coefficient: float = Field(1.0, ge=0)
    """Weight of the value loss."""
    value_loss: Literal["squared", "huber"] = "squared"
    """How far values are off: half the squared error, or Huber's, which is linear beyond `huber_delta`."""
    huber_delta: float = Field(10.0, gt=0)
    """Where Huber's loss becomes linear, in the critic's units (qmix, vdn: of scaled rewards)."""
    value_normalisation: bool = True
    """Learn values on the running mean and standard deviation of the returns."""
    advantage_normalisation: bool = True
    """Shift and scale the advantages of each update to mean 0 and standard deviation 1."""
    entropy: float = Field(0.02, ge=0)
    """Weight of the entropy bonus at the start."""
    entropy_end: float | None = Field(None, ge=0)
    """Weight of the entropy bonus from `entropy_steps` on, reached in a straight line; by default it stays."""
    entropy_steps: PositiveInt = 1_000_000
    """Agent-steps over which the entropy bonus moves to `entropy_end`."""
    magnet: float = Field(0.0, ge=0)
    """Weight of the KL divergence from the policy to its magnet, a slower copy of itself (Sokota et al. 2023,
    arXiv:2206.05825, eq. 7); 0: there is none."""
    magnet_end: float | None = Field(None, ge=0)
    """Weight of the magnet from `magnet_steps` on, reached in a straight line; by default it stays."""
    magnet_steps: PositiveInt = 1_000_000
    """Agent-steps over which the magnet's weight moves to `magnet_end`."""
    magnet_rate: float = Field(0.05, ge=0, le=1)
    """Share of the way to the policy that the magnet's weights move after each update; 0: it stays where it began."""
    magnet_every: PositiveInt | None = None
    """Let the magnet stand still and become the policy once in so many updates, instead of moving by `magnet_rate`."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the update's passes through the networks compute in; weights, losses and statistics are always float32.
    bfloat16 is faster only where the processor computes in it (`league bench` tells)."""


class PpoSettings(ActorCriticSettings):
    """Clipped policy updates (Schulman et al. 2017, arXiv:1707.06347)."""

    clip: float = Field(0.2, gt=0)
    """Clip range of the probability ratio (Schulman et al. 2017, eq. 7)."""
    value_clip: float = Field(0.2, ge=0)
    """Clip range of the value's change, in normalised units; 0 turns it off."""
    target_kl: float | None = Field(None, gt=0)
    """End the update after an epoch whose approx_kl exceeds 1.5 times this."""


class MappoSettings(PpoSettings):
    """Multi-agent PPO with shared parameters and a centralised critic (Yu et al. 2022, arXiv:2103.01955)."""

    kind: Literal["mappo"] = "mappo"


class IppoSettings(PpoSettings):
    """Independent PPO: the critic sees what the seat sees (de Witt et al. 2020, arXiv:2011.09533)."""

    kind: Literal["ippo"] = "ippo"


class ComaSettings(ActorCriticSettings):
    """Counterfactual multi-agent policy gradients (Foerster et al. 2018, arXiv:1705.08926)."""

    kind: Literal["coma"] = "coma"


class ReplaySettings(AlgorithmSettings):
    """What all that learn action values from a replay buffer have."""

    slots: PositiveInt | None = 32
    """Games played side by side at each training table: the fewer, the more often what is played is learnt from."""
    max_grad_norm: float = Field(10.0, gt=0)
    """Gradients of the networks together are scaled down to this norm."""
    batch: PositiveInt = 32
    """Sequences in one gradient step."""
    updates: PositiveInt = 16
    """Gradient steps in each round. A decision is learnt from about updates × batch × chunk / (slots × turns) times,
    where a side decides on every turn."""
    capacity: PositiveInt = 200_000
    """Decisions of sides that the replay buffer holds; the oldest rounds leave it, but never the latest."""
    warmup: PositiveInt = 2_000
    """Decisions of sides in the buffer before learning begins, at most `capacity`."""
    burn_in: int = Field(0, ge=0)
    """Decisions of a sequence, before those that are learnt from, that only bring the memory of recurrent networks up
    to date, from its stored state (Kapturowski et al. 2019, R2D2)."""
    priority: float = Field(0.0, ge=0)
    """Exponent of prioritised sampling: seats take turns, and each draws sequences by its own share of their errors; 0:
    all are as likely (Schaul et al. 2016, arXiv:1511.05952)."""
    priority_correction: float = Field(0.4, ge=0, le=1)
    """Exponent of the weights that undo a part of the prioritised sampling's bias."""
    value_loss: Literal["squared", "huber"] = "huber"
    """How far values are off: half the squared error, or Huber's, which is linear beyond `huber_delta`."""
    huber_delta: float = Field(10.0, gt=0)
    """Where Huber's loss becomes linear, in units of (scaled) rewards."""
    target_every: PositiveInt = 200
    """Gradient steps after which the target network becomes the network."""
    target_rate: float | None = Field(None, gt=0, le=1)
    """Let the target network move this share of the way after every gradient step instead."""
    double: bool = True
    """The network chooses the next action, and the target network says what it is worth (van Hasselt et al. 2016)."""
    epsilon: float = Field(1.0, ge=0, le=1)
    """Share of random decisions in training at the start."""
    epsilon_end: float = Field(0.05, ge=0, le=1)
    """Share of random decisions in training from `epsilon_steps` on, reached in a straight line."""
    epsilon_steps: PositiveInt = 200_000
    """Agent-steps over which the share of random decisions moves to `epsilon_end`."""
    epsilon_rated: float = Field(0.02, ge=0, le=1)
    """Share of random decisions of snapshots. At 0 they are greedy, and rated games of deterministic games repeat."""

    @model_validator(mode="after")
    def _learning_begins(self) -> ReplaySettings:
        if self.warmup > self.capacity:
            raise ValueError(
                f"warmup must be at most capacity, {self.capacity}, or learning never begins, not {self.warmup}"
            )
        return self


class QmixSettings(ReplaySettings):
    """QMIX: a monotonic mixture of the seats' action values (Rashid et al. 2018, arXiv:1803.11485)."""

    kind: Literal["qmix"] = "qmix"
    mixer: PositiveInt = 32
    """Width of the mixing network."""
    hypernetwork: PositiveInt = 64
    """Width of the hidden layer of the networks that give the mixer its weights."""


class VdnSettings(ReplaySettings):
    """VDN: the sum of the seats' action values (Sunehag et al. 2018, arXiv:1706.05296)."""

    kind: Literal["vdn"] = "vdn"


ALGORITHMS: dict[str, type[AlgorithmSettings]] = {
    "mappo": MappoSettings,
    "ippo": IppoSettings,
    "coma": ComaSettings,
    "qmix": QmixSettings,
    "vdn": VdnSettings,
}
"""Kinds of algorithms that ship, by name."""


def annealed(start: float, end: float | None, steps: int, done: int) -> float:
    """A setting's value after `done` agent-steps of its straight way to `end`, of `steps` in all (None: it stays)."""
    return start if end is None else start + min(done / steps, 1.0) * (end - start)
