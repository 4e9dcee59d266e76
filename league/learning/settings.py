"""The settings of all algorithms. They are apart from the algorithms so that reading a config does not import torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from league.settings import Settings


class AlgorithmSettings(Settings):
    """Settings of every algorithm; each kind adds its own."""

    kind: str = "mappo"
    """The learning algorithm: mappo (PPO with a centralised critic), ippo (PPO whose critic sees what the seat sees),
    coma (counterfactual baseline), qmix or vdn (action values, mixed over a side, from a replay buffer)."""
    slots: PositiveInt | None = None
    """Games played in parallel at each training table; by default 512 for a native game, and 16 to 256 for a PettingZoo
    game, fewer the more agents act at once and the larger their observations are."""
    turns: PositiveInt = 64
    """Length of a round's rollout: turns played in every slot."""
    learning_rate: float = Field(5e-4, gt=0)
    """Initial learning rate of Adam."""
    learning_rate_end: float | None = Field(None, gt=0)
    """Final learning rate, reached by linear annealing over `learning_rate_steps`, or lowest one, with
    `learning_rate_half_steps`; by default it stays constant."""
    learning_rate_steps: PositiveInt = 1_000_000
    """Agent-steps over which the learning rate is annealed to `learning_rate_end`."""
    learning_rate_half_steps: PositiveInt | None = None
    """Let the learning rate fall as 1 / (1 + steps / this) instead; see `entropy_half_steps`."""
    discount: float = Field(0.99, ge=0, le=1)
    """Discount factor per decision of a seat: from one of its own decisions to its next."""
    reward_scale: float = Field(1.0, gt=0)
    """Factor that rewards are multiplied by for training only; scores and returns are shown unscaled."""
    max_grad_norm: float = Field(0.5, gt=0)
    """Maximum gradient norm of each network (qmix, vdn: of all networks together)."""
    adam_epsilon: float = Field(1e-5, gt=0)
    """Adam's epsilon."""
    chunk: PositiveInt = 16
    """Length of the sequences for backpropagation through time, in own decisions, for networks with memory; each starts
    from its stored memory. For qmix and vdn: decisions of a replayed sequence, with or without memory."""


class ActorCriticSettings(AlgorithmSettings):
    """Settings of the on-policy algorithms, which have an actor and a critic."""

    critic_learning_rate: float | None = Field(None, gt=0)
    """Initial learning rate of the critic, annealed in the same proportion as the actor's; by default the same."""
    epochs: PositiveInt = 4
    """Passes over the rollout in each update; COMA trains its actor in the first pass only."""
    minibatch: PositiveInt = 2048
    """Decisions per gradient step; what remains at the end of an epoch is used if it is at least half as many."""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """Lambda of generalised advantage estimation (Schulman et al. 2016, eq. 16), along a seat's own decisions. For
    COMA, lambda of the TD(lambda) returns that its critic learns."""
    value_coefficient: float = Field(1.0, ge=0)
    """Weight of the value loss."""
    value_loss: Literal["squared", "huber"] = "squared"
    """Loss of the value error: half its square, or Huber's, which is linear beyond `huber_delta`."""
    huber_delta: float = Field(10.0, gt=0)
    """Error beyond which Huber's loss is linear, in the critic's units (qmix, vdn: in units of scaled rewards)."""
    value_normalisation: bool = True
    """Normalise value targets by the running mean and standard deviation of the returns (Yu et al. 2022, sec. 5.1)."""
    advantage_normalisation: bool = True
    """Normalise the advantages of each update to mean 0 and standard deviation 1."""
    entropy: float = Field(0.02, ge=0)
    """Initial weight of the entropy bonus."""
    entropy_end: float | None = Field(None, ge=0)
    """Final weight, reached by linear annealing over `entropy_steps`, or lowest weight, with `entropy_half_steps`; by
    default it stays constant."""
    entropy_steps: PositiveInt = 1_000_000
    """Agent-steps over which the weight of the entropy bonus is annealed to `entropy_end`."""
    entropy_half_steps: PositiveInt | None = None
    """Let the weight fall as 1 / (1 + steps / this) instead: to a half after so many agent-steps, a third after twice
    as many, and so on, but not below `entropy_end`. It suits runs of any length."""
    log_barrier: float = Field(0.0, ge=0)
    """Initial weight of the log-barrier, a penalty on KL(uniform || policy) (Agarwal et al. 2021, JMLR 22:98), annealed
    in the same proportion as `entropy`. It keeps actions from dying out: the entropy bonus hardly moves an action whose
    probability is near 0."""
    magnet: float = Field(0.0, ge=0)
    """Initial weight of the KL penalty that pulls the policy towards its magnet, a slower copy of itself (magnetic
    mirror descent, Sokota et al. 2023, arXiv:2206.05825, eq. 7); 0: no magnet, unless `magnet_end` is above 0."""
    magnet_end: float | None = Field(None, ge=0)
    """Final weight of the magnet, reached by linear annealing over `magnet_steps`; by default it stays constant."""
    magnet_steps: PositiveInt = 1_000_000
    """Agent-steps over which the weight of the magnet is annealed to `magnet_end`."""
    magnet_rate: float = Field(0.05, ge=0, le=1)
    """Rate at which the magnet follows the policy after each update (Polyak averaging); 0: it never moves."""
    magnet_every: PositiveInt | None = None
    """Copy the policy into the magnet once in this many updates, instead of following it at `magnet_rate`."""
    average: float = Field(0.0, ge=0, lt=1)
    """Share of a learner's training so far over which the weights of its snapshots are averaged, later weights counting
    more; 0: a snapshot is the policy of the moment. Gradients are noisy, and their noise cancels in the average."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the update's passes through the networks; weights, losses and statistics are always float32. auto:
    bfloat16 on CPUs with instructions for it, where it is faster (`league bench` measures both), else float32. What a
    run began with, it keeps."""


class PpoSettings(ActorCriticSettings):
    """Clipped policy updates (Schulman et al. 2017, arXiv:1707.06347)."""

    clip: float = Field(0.2, gt=0)
    """Clip range of the probability ratio (Schulman et al. 2017, eq. 7)."""
    value_clip: float = Field(0.2, ge=0)
    """Clip range of the change in value, in normalised units; 0 turns clipping off."""
    target_kl: float | None = Field(None, gt=0)
    """Stop the update after an epoch whose approx_kl exceeds 1.5 times this; by default it never stops early."""


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
    """Settings of the off-policy algorithms, which learn action values from a replay buffer."""

    slots: PositiveInt | None = 32
    """Games played in parallel at each training table. With fewer, each decision is replayed more often."""
    max_grad_norm: float = Field(10.0, gt=0)
    """Maximum gradient norm of all networks together."""
    batch: PositiveInt = 32
    """Sequences per gradient step."""
    updates: PositiveInt = 16
    """Gradient steps per round. If a side decides on every turn, each of its decisions is replayed about
    updates × batch × chunk / (slots × turns) times."""
    capacity: PositiveInt = 200_000
    """Decisions of sides that the replay buffer holds; the oldest rounds are dropped, but never the latest."""
    warmup: PositiveInt = 2_000
    """Decisions of sides in the buffer before the first gradient step; at most `capacity`."""
    burn_in: int = Field(0, ge=0)
    """Burn-in: decisions before a sequence that are not learnt from, but bring a network's stored memory up to date
    (Kapturowski et al. 2019, R2D2)."""
    priority: float = Field(0.0, ge=0)
    """Exponent of prioritised sampling (Schaul et al. 2016, arXiv:1511.05952): seats take turns, and each samples
    sequences by its own share of their errors; 0: uniform sampling."""
    priority_correction: float = Field(0.4, ge=0, le=1)
    """Exponent of the importance weights that correct the bias of prioritised sampling; 1 corrects it fully."""
    value_loss: Literal["squared", "huber"] = "huber"
    """Loss of the value error: half its square, or Huber's, which is linear beyond `huber_delta`."""
    huber_delta: float = Field(10.0, gt=0)
    """Error beyond which Huber's loss is linear, in units of scaled rewards."""
    target_every: PositiveInt = 200
    """Gradient steps after which the network is copied into the target network."""
    target_rate: float | None = Field(None, gt=0, le=1)
    """Let the target network follow the network at this rate after every gradient step instead (Polyak averaging)."""
    double: bool = True
    """Double DQN: the network chooses the next action, the target network rates it (van Hasselt et al. 2016)."""
    epsilon: float = Field(1.0, ge=0, le=1)
    """Initial fraction of random decisions in training."""
    epsilon_end: float = Field(0.05, ge=0, le=1)
    """Final fraction of random decisions in training, reached by linear annealing over `epsilon_steps`."""
    epsilon_steps: PositiveInt = 200_000
    """Agent-steps over which the fraction of random decisions is annealed to `epsilon_end`."""
    epsilon_rated: float = Field(0.02, ge=0, le=1)
    """Fraction of random decisions of snapshots. At 0 they are greedy, so games of deterministic rules repeat."""

    @model_validator(mode="after")
    def _learning_begins(self) -> ReplaySettings:
        if self.warmup > self.capacity:
            raise ValueError(
                f"warmup must be at most capacity, {self.capacity}, or learning never begins; it is {self.warmup}"
            )
        return self


class QmixSettings(ReplaySettings):
    """QMIX: a monotonic mixer of the seats' action values (Rashid et al. 2018, arXiv:1803.11485)."""

    kind: Literal["qmix"] = "qmix"
    mixer: PositiveInt = 32
    """Width of the mixing network."""
    hypernetwork: PositiveInt = 64
    """Width of the hypernetworks' hidden layer, which compute the mixer's weights."""


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
"""The settings of each kind of algorithm, by name."""


def annealed(start: float, end: float | None, steps: int, done: int, half: int | None = None) -> float:
    """Linear annealing: the value after `done` of `steps` agent-steps on the way to `end` (None: it stays constant).

    half: let it fall as 1 / (1 + done / half) instead: to start / 2 after `half`, / 3 after 2 `half`; at least `end`.
    """
    if half is not None:
        return max(start / (1.0 + done / half), end or 0.0)
    return start if end is None else start + min(done / steps, 1.0) * (end - start)
