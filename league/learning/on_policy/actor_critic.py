"""A learner with an actor and a critic: what it consists of and keeps in checkpoints. How it learns is in `update`."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

from league.events import Tick
from league.learning.learner import SINGLE_THREAD, Learner, TrainingInput, UpdateResult, move_towards, with_prefix
from league.learning.on_policy.batch import Batch
from league.learning.on_policy.update import Objective, TrainState, make_batch, update
from league.learning.on_policy.value_statistics import ValueStatistics
from league.learning.settings import ActorCriticSettings, annealed
from league.policies.architecture import NetworkSpec
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy
from league.policies.settings import NetworkSettings
from league.threads import Threads

ActorCriticT = TypeVar("ActorCriticT", bound=ActorCriticSettings, covariant=True, default=ActorCriticSettings)


class ActorCritic(Learner[ActorCriticT]):
    """A learner with a critic. A subclass declares its objective, and the shape of what its critic sees.

    values: running statistics of the value targets. magnet, magnet_age: see `TrainState`. average: the actor with
    averaged weights, which is what snapshots are; None: they are the actor itself.
    """

    actor_gain = 0.01
    critic: Network
    values: ValueStatistics
    magnet: Network | None
    magnet_age: int
    average: Network | None

    def frozen(self) -> NeuralPolicy:
        """See `Learner.frozen`; with `average` set, its weights are averages."""
        return super().frozen() if self.average is None else NeuralPolicy(self.role.name, self._copy(self.average))

    @abstractmethod
    def objective(self) -> Objective:
        """What the next update minimises, with the settings in force."""

    def learn(
        self, inputs: TrainingInput, tick: Tick = lambda fraction: None, threads: Threads = SINGLE_THREAD
    ) -> UpdateResult:
        """See `Learner.learn`."""
        began = time.perf_counter()
        batch, critic_memory = self.batch(inputs, threads)
        middle = time.perf_counter()
        metrics = self.update(batch, inputs.generator, tick, threads)
        seconds = {"advantages": middle - began, "update": time.perf_counter() - middle}
        return UpdateResult(metrics, seconds, critic_memory)

    def batch(self, inputs: TrainingInput, threads: Threads = SINGLE_THREAD) -> tuple[Batch, Tensor | None]:
        """What the learner learns from, and the critic's memory for the next rollout; see `make_batch`."""
        return make_batch(self.state(), self.objective(), inputs, self.microbatch_rows, threads)

    def update(
        self,
        batch: Batch,
        generator: torch.Generator,
        tick: Tick = lambda fraction: None,
        threads: Threads = SINGLE_THREAD,
    ) -> dict[str, float]:
        """Train on a batch, in place; returns the metrics. See `update.update`."""
        state, metrics = update(
            self.state(),
            self.objective(),
            batch,
            generator=generator,
            microbatch_rows=self.microbatch_rows,
            tick=tick,
            threads=threads,
        )
        self.magnet_age, self.steps, self.skipped = state.magnet_age, state.steps, state.skipped
        if len(batch):
            # Only now: during an update networks must normalise as they did when the batch was played.
            self.update_moments({"actor": batch.decisions.obs, "critic": batch.critic_inputs})
        if self.average is not None and self.age > 0:
            # An average over a fixed share of all updates, however long the run (Shamir & Zhang 2013, "Stochastic
            # Gradient Descent for Non-smooth Optimization", sec. 4: polynomial-decay averaging).
            move_towards(self.average, self.actor, min(len(batch) / (self.settings.average * self.age), 1.0))
        return metrics

    def state(self) -> TrainState:
        """Everything that an update changes."""
        return TrainState(
            actor=self.actor,
            critic=self.critic,
            optimiser=self.optimiser,
            values=self.values,
            magnet=self.magnet,
            magnet_age=self.magnet_age,
            steps=self.steps,
            skipped=self.skipped,
        )

    @property
    def critic_memory_width(self) -> int:  # type: ignore[override]
        return self.critic.memory

    def networks(self) -> dict[str, nn.Module]:
        """See `Learner.networks`."""
        found: dict[str, nn.Module] = {"actor": self.actor, "critic": self.critic}
        slow = {"magnet": self.magnet, "average": self.average}
        return found | {name: network for name, network in slow.items() if network is not None}

    def parameters(self) -> list[Tensor]:
        """The actor's and the critic's."""
        return [*self.actor.parameters(), *self.critic.parameters()]

    def entropy_weight(self) -> float:
        """The entropy bonus's current weight, annealed from `entropy` to `entropy_end`."""
        settings = self.settings
        half = settings.entropy_half_steps
        return annealed(settings.entropy, settings.entropy_end, settings.entropy_steps, self.age, half)

    def barrier_weight(self) -> float:
        """The log-barrier's current weight, annealed in the same proportion as that of the entropy bonus."""
        settings = self.settings
        return settings.log_barrier * (self.entropy_weight() / settings.entropy if settings.entropy else 1.0)

    def half_precision(self) -> bool:
        """See `Learner.half_precision`."""
        wanted = self.settings.precision
        return (self.auto_precision if wanted == "auto" else wanted) == "bfloat16"

    def magnet_weight(self) -> float:
        """The magnet's current weight, annealed from `magnet` to `magnet_end`."""
        settings = self.settings
        return annealed(settings.magnet, settings.magnet_end, settings.magnet_steps, self.age)

    def tensors(self) -> dict[str, Tensor]:
        """See `Learner.tensors`."""
        found = super().tensors() | {f"values.{key}": value for key, value in self.values.tensors().items()}
        return found | ({"magnet_age": torch.tensor(self.magnet_age)} if self.magnet is not None else {})

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Learner.load`."""
        super().load(tensors)
        self.values = ValueStatistics.of(with_prefix(tensors, "values."), f"learner {self.name}")
        self.magnet_age = int(tensors.get("magnet_age", torch.tensor(0)))

    def initialise_from(self, policy: NeuralPolicy) -> None:
        """See `Learner.initialise_from`; magnet and average begin as copies of that policy, too."""
        super().initialise_from(policy)
        for network in (self.magnet, self.average):
            if network is not None:
                network.load_state_dict(self.actor.state_dict())

    def _critic_shape(self) -> tuple[tuple[int, ...], int]:
        """Shape of the critic's inputs (by default the global state, where the game has one), and its outputs."""
        return self.game.state_shape if self.game.state_shape is not None else self.role.obs_shape, 1

    def _critic_sees_observation(self) -> bool:
        """Whether the critic gives the value of what the actor sees."""
        return self.game.state_shape is None

    def _critic_spec(self, network: NetworkSettings) -> NetworkSpec:
        inputs, outputs = self._critic_shape()
        kind = network.kind if len(inputs) == 3 else "mlp"
        return replace(
            self.actor.spec,
            kind=kind,
            inputs=inputs,
            outputs=outputs,
            hidden=network.critic,
            channels=network.channels if kind == "conv" else (),
        )

    def _build(self, network: NetworkSettings, generator: torch.Generator) -> None:
        self.critic = Network(self._critic_spec(network), 1.0, generator, network.initialisation).to(self.device)
        if self._critic_sees_observation():
            self.critic.respect(self._symmetries, invariant=True)
        self.values = ValueStatistics()
        self.magnet, self.magnet_age = None, 0
        settings = self.settings
        if settings.magnet > 0 or (settings.magnet_end or 0.0) > 0:
            self.magnet = self._copy(self.actor).requires_grad_(False)
        self.average = self._copy(self.actor).requires_grad_(False) if settings.average > 0 else None

    def _parameter_groups(self) -> list[dict[str, object]]:
        return [{"params": list(self.actor.parameters())}, {"params": list(self.critic.parameters())}]


def first_output(outputs: Tensor, action: Tensor) -> Tensor:
    """`[n]`: the value of each decision, from a critic with one output, `[n, 1]`."""
    return outputs[:, 0]
