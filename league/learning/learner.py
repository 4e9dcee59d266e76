"""`Learner`: the interface behind which all algorithms live (`learning.algorithms` lists them).

A learner's actor plays as a policy. What else it trains, and how, is up to its algorithm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Self

import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

from league.errors import SnapshotError
from league.events import Tick
from league.games.core import GameSpec, RoleSpec
from league.games.symmetry import group
from league.learning.settings import AlgorithmSettings, annealed
from league.play.trajectory import Chains, Rollout
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy, actor_spec
from league.policies.normalisation import RunningMoments
from league.policies.settings import NetworkSettings
from league.threads import Threads

_NORMALISING = ("actor", "critic")
"""Networks that may normalise their inputs."""

_MOMENTS = ("count", "mean", "squares")

SINGLE_THREAD = Threads(1)
"""No sharing of work: everything is computed by the caller's thread."""

SettingsT = TypeVar("SettingsT", bound=AlgorithmSettings, covariant=True, default=AlgorithmSettings)
"""The settings class of an algorithm; plain `Learner` is a learner of any algorithm."""


@dataclass(slots=True, kw_only=True)
class TrainingInput:
    """What a table's rollout holds for one of its learners.

    chains: of the learner's role. owner: the learner's index among the table's policies. critic_memory: `[B, R, M]`,
    what its critic remembers of each seat's episode before the rollout's first decision; None without memory.
    generator: the only source of randomness in the update.
    """

    rollout: Rollout
    chains: Chains
    owner: int
    critic_memory: Tensor | None
    generator: torch.Generator


@dataclass(slots=True)
class UpdateResult:
    """Metrics by name, seconds by phase, and the critic's memory for the next `TrainingInput`."""

    metrics: dict[str, float]
    seconds: dict[str, float] = field(default_factory=dict)
    critic_memory: Tensor | None = None


class Learner(ABC, Generic[SettingsT]):
    """What trains: an actor, which plays as a policy, and everything that its algorithm learns it with.

    hyperparameters: values that replace those of the settings (PBT changes them). steps: agent-steps trained. begun:
    its steps when it was last reset, from which on settings are annealed. skipped: consecutive updates without a single
    finite gradient step. microbatch_rows: the most rows that one thread computes at once. auto_precision: what
    `precision = "auto"` stands for. notice: what the user should know about how it learns this game, or empty.
    critic_memory_width: of its critic's memory, 0 for none. needs_joint_actions: it learns from the actions of all
    seats on the turn of each decision. uses_team_reward: it always learns from the mean reward of its side, whatever
    `game.reward` says; so does every learner at its table.
    """

    notice: str = ""
    actor_gain: float
    """Scale of the initial weights of the actor's last layer."""
    critic_memory_width: int = 0
    needs_joint_actions: bool = False
    uses_team_reward: bool = False

    def __init__(
        self,
        name: str,
        game: GameSpec,
        role: RoleSpec,
        network: NetworkSettings,
        settings: SettingsT,
        seed: int,
        device: torch.device | str = "cpu",
        hyperparameters: Mapping[str, float] | None = None,
    ) -> None:
        self.name, self.game, self.role = name, game, role
        self.base_settings: SettingsT = settings
        self.device = torch.device(device)
        self.hyperparameters = dict(hyperparameters or {})
        self.steps, self.skipped, self.begun = 0, 0, 0
        self._network_settings, self._seed = network, seed
        self.microbatch_rows, self.auto_precision = 2048, "float32"
        generator = torch.Generator().manual_seed(seed)
        self.actor = Network(actor_spec(game, role, network), self.actor_gain, generator, network.initialisation).to(
            self.device
        )
        self._symmetries = group(role.symmetries) if role.symmetries and network.symmetric else ()
        self.actor.respect(self._symmetries)
        self._build(network, generator)
        self.optimiser = self._new_optimiser()
        self._moments = {
            name: RunningMoments(one.spec.inputs)
            for name, one in self.networks().items()
            if name in _NORMALISING and isinstance(one, Network) and one.spec.normalised
        }

    @property
    def settings(self) -> SettingsT:
        """The settings in force: the run's, with this learner's own hyperparameters."""
        return self.base_settings.model_copy(update=self.hyperparameters)

    @property
    def policy(self) -> NeuralPolicy:
        """The live policy, as it plays in training; every update changes it."""
        return NeuralPolicy(self.role.name, self.actor)

    def frozen(self) -> NeuralPolicy:
        """A copy of the current policy as a snapshot plays it; later updates do not change it."""
        return NeuralPolicy(self.role.name, self._copy(self.actor))

    def anew(self) -> Self:
        """A new learner such as this one was before any training."""
        return type(self)(
            name=self.name,
            game=self.game,
            role=self.role,
            network=self._network_settings,
            settings=self.base_settings,
            seed=self._seed,
            device=self.device,
            hyperparameters=self.hyperparameters,
        )

    def half_precision(self) -> bool:
        """Whether networks compute in bfloat16 in updates."""
        return False

    @property
    def age(self) -> int:
        """Agent-steps since its start or last reset: how far the annealing of settings is."""
        return self.steps - self.begun

    def learning_rate(self) -> float:
        """Adam's current step size."""
        settings = self.settings
        half, steps = settings.learning_rate_half_steps, settings.learning_rate_steps
        return annealed(settings.learning_rate, settings.learning_rate_end, steps, self.age, half)

    @abstractmethod
    def learn(
        self, inputs: TrainingInput, tick: Tick = lambda fraction: None, threads: Threads = SINGLE_THREAD
    ) -> UpdateResult:
        """Learn from a rollout, in place; updates `steps` and `skipped`.

        tick: called with the fraction that is done; an exception that it raises ends the update. threads: share the
        work; their number does not change the result. A gradient step with a non-finite loss or gradient is skipped
        and leaves the weights as they were.
        """

    def initialise_from(self, policy: NeuralPolicy) -> None:
        """Take over the weights and input moments of a policy of the same architecture, before any training."""
        self.actor.load_state_dict(policy.actor.state_dict())
        self.actor.tie_if_tied()
        if "actor" in self._moments:
            mean, deviation = self.actor.moments()
            if bool(mean.any() or (deviation != 1).any()):  # else the policy was never trained
                self._moments["actor"].begin(mean, deviation)

    def update_moments(self, inputs: Mapping[str, Tensor]) -> None:
        """Add inputs, `[n, ...]` by network, to the moments with which networks normalise them from now on."""
        networks = self.networks()
        for name, moments in self._moments.items():
            moments.update(inputs[name])
            network = networks[name]
            assert isinstance(network, Network)
            network.normalise_with(*(one.to(self.device) for one in moments.scale()))

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Everything with weights, by its name in checkpoints; the actor first."""

    @abstractmethod
    def parameters(self) -> list[Tensor]:
        """The parameters that the optimiser updates, in its order."""

    def tensors(self) -> dict[str, Tensor]:
        """The whole training state by name: weights, optimiser, statistics (not copied)."""
        found: dict[str, Tensor] = {}
        for name, network in self.networks().items():
            found |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
        for index, parameter in enumerate(self.parameters()):
            state = self.optimiser.state.get(parameter, {})
            found |= {f"adam.{index}.{key}": value for key, value in state.items()}
        for name, moments in self._moments.items():
            found |= {f"moments.{name}.{key}": getattr(moments, key) for key in _MOMENTS}
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `tensors`. Raises SnapshotError where they do not fit."""
        for name, network in self.networks().items():
            self._load_network(name, network, tensors)
        self.optimiser = self._new_optimiser()
        for index, parameter in enumerate(self.parameters()):
            state = with_prefix(tensors, f"adam.{index}.")
            if state:
                self.optimiser.state[parameter] = {key: value.to(self.device).clone() for key, value in state.items()}
        for name, moments in self._moments.items():
            for key in _MOMENTS:
                if (saved := tensors.get(f"moments.{name}.{key}")) is None:
                    raise SnapshotError(f"learner {self.name}: the checkpoint lacks its {name}'s input moments ({key})")
                setattr(moments, key, saved.to("cpu", copy=True))

    def replay_state(self) -> dict[str, Tensor]:
        """The state of its replay buffer beside the segments. PBT copies `tensors`, but not this."""
        return {}

    def replay_segments(self, write: Callable[[Mapping[str, Tensor]], str]) -> list[str]:
        """Ids of the segments of its replay buffer, oldest first. write: stores a new segment and returns its id."""
        return []

    def load_replay(self, state: Mapping[str, Tensor], segments: Sequence[tuple[str, Mapping[str, Tensor]]]) -> None:
        """The inverse of `replay_state` and `replay_segments`. Raises SnapshotError where they do not fit.

        segments: id and tensors, oldest first.
        """
        if state or segments:
            raise SnapshotError(f"learner {self.name}: the checkpoint has a replay buffer, but its algorithm has none")

    @abstractmethod
    def _build(self, network: NetworkSettings, generator: torch.Generator) -> None:
        """Create everything beside the actor. generator: from which initial weights are drawn."""

    def _copy(self, network: Network) -> Network:
        copy = Network(network.spec, self.actor_gain, torch.Generator())
        copy.load_state_dict(network.state_dict())
        return copy.to(self.device)

    def _parameter_groups(self) -> list[dict[str, object]]:
        """Parameter groups of the optimiser."""
        return [{"params": self.parameters()}]

    def _new_optimiser(self) -> torch.optim.Adam:
        settings = self.settings
        return torch.optim.Adam(
            self._parameter_groups(), lr=settings.learning_rate, eps=settings.adam_epsilon, fused=True
        )

    def _load_network(self, name: str, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
        try:
            network.load_state_dict(with_prefix(tensors, f"{name}."))
            if isinstance(network, Network):
                network.tie_if_tied()
        except RuntimeError as error:
            raise SnapshotError(f"learner {self.name}: the checkpoint does not fit its {name}: {error}") from None


def move_towards(network: nn.Module, other: nn.Module, rate: float) -> None:
    """Polyak averaging: move weights and buffers the fraction `rate` of the way to another network's.

    Both networks have the same architecture; `network` is changed in place.
    """
    here, there = network.state_dict(), other.state_dict()
    for name, value in here.items():
        value.lerp_(there[name], rate)


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
