"""A learner: what trains. Its actor plays as a policy; what it learns with, and how, is its algorithm's own.

`Learner` is the small interface behind which all algorithms live (`learning.kinds` lists them).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from league.errors import SnapshotError
from league.events import Tick
from league.games.core import GameSpec, RoleSpec
from league.learning.settings import AlgorithmSettings, annealed
from league.play.trajectory import Chains, Rollout
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy, actor_spec
from league.policies.normalisation import RunningMoments
from league.policies.settings import NetworkSettings
from league.threads import Threads

_OBSERVING = ("actor", "critic")
_MOMENTS = ("count", "mean", "squares")

ALONE = Threads(1)
"""Nobody to share the work with."""


@dataclass(slots=True)
class Lesson:
    """What the rollout of a table holds for one of its learners.

    chain: of the learner's role. owner: the learner's number among the table's policies. context: what its critic
    remembers of each seat's episode before the rollout's first decision, `[B, R, M]`; None where it has no memory.
    generator: all that chance in learning depends on.
    """

    rollout: Rollout
    chain: Chains
    owner: int
    context: Tensor | None
    generator: torch.Generator


@dataclass(slots=True)
class Learned:
    """What a lesson brought. metrics: by name. seconds: by phase. context: as in `Lesson`, for the next one."""

    metrics: dict[str, float]
    seconds: dict[str, float] = field(default_factory=dict)
    context: Tensor | None = None


class Learner(ABC):
    """What trains. Its actor plays as a policy; hyperparameters override the settings (PBT changes them).

    steps: agent-steps trained. skipped: updates in a row without one finite gradient step. piece: rows that one
    thread computes at once, at most. context: width of its critic's memory, 0 where it has none.
    note: what its user should know of how it learns this game; empty for nothing.
    joint: it learns from what every seat did on the turn of a decision.
    of_side: it learns from its side's mean reward, whatever `game.reward` says: all at its table are paid so.
    """

    note: str = ""
    gain: float
    """Scale of the actor's last layer at the beginning."""
    context: int = 0
    joint: bool = False
    of_side: bool = False

    def __init__(
        self,
        name: str,
        game: GameSpec,
        role: RoleSpec,
        network: NetworkSettings,
        settings: AlgorithmSettings,
        seed: int,
        device: torch.device | str = "cpu",
        hyperparameters: Mapping[str, float] | None = None,
    ) -> None:
        self.name, self.game, self.role, self.base = name, game, role, settings
        self.device = torch.device(device)
        self.hyperparameters = dict(hyperparameters or {})
        self.steps, self.skipped = 0, 0
        self.piece = 2048
        generator = torch.Generator().manual_seed(seed)
        self.actor = Network(actor_spec(game, role, network), self.gain, generator, network.initialisation).to(
            self.device
        )
        self._build(network, generator)
        self.optimiser = self._new_optimiser()
        self._moments = {
            name: RunningMoments(one.spec.inputs)
            for name, one in self.networks().items()
            if name in _OBSERVING and isinstance(one, Network) and one.spec.normalised
        }

    @property
    def settings(self) -> AlgorithmSettings:
        """The settings in force: the run's, with this learner's own hyperparameters."""
        return self.base.model_copy(update=self.hyperparameters)

    @property
    def policy(self) -> NeuralPolicy:
        """The live policy, as it plays in training: it changes with every update."""
        return NeuralPolicy(self.role.name, self.actor)

    def frozen(self) -> NeuralPolicy:
        """The policy as it is now, as a snapshot plays it, untouched by later updates."""
        return NeuralPolicy(self.role.name, self._twin())

    def learning_rate(self) -> float:
        """Adam's step size now."""
        settings = self.settings
        return annealed(settings.learning_rate, settings.learning_rate_end, settings.learning_rate_steps, self.steps)

    @abstractmethod
    def learn(self, lesson: Lesson, tick: Tick = lambda fraction: None, threads: Threads = ALONE) -> Learned:
        """Learn from a rollout, in place; counts `steps` and `skipped`.

        tick: called with the share that is done; what it raises ends the update. threads: share the work out; how many
        there are changes no result. A gradient step that is not finite is skipped and leaves the weights as they were.
        """

    def begin_with(self, policy: NeuralPolicy) -> None:
        """Take over the weights and moments of a policy of the same architecture, before anything was learnt."""
        self.actor.load_state_dict(policy.actor.state_dict())
        if "actor" in self._moments:
            mean, deviation = self.actor.moments()
            if bool(mean.any() or (deviation != 1).any()):  # or the policy has never learned
                self._moments["actor"].begin(mean, deviation)

    def observe(self, inputs: Mapping[str, Tensor]) -> None:
        """Take inputs, `[n, ...]` by network, into the moments by which networks normalise them from now on."""
        networks = self.networks()
        for name, moments in self._moments.items():
            moments.update(inputs[name])
            network = networks[name]
            assert isinstance(network, Network)
            network.normalise_with(*(one.to(self.device) for one in moments.scale()))

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Everything with weights, by the name under which checkpoints have it; the actor first."""

    @abstractmethod
    def parameters(self) -> list[Tensor]:
        """What the optimiser moves, in its order."""

    def tensors(self) -> dict[str, Tensor]:
        """Everything that learning depends on, by name: weights, optimiser, statistics (not copied)."""
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
        """Take over what `tensors` gave. Raises SnapshotError where it does not fit."""
        for name, network in self.networks().items():
            self._load_network(name, network, tensors)
        self.optimiser = self._new_optimiser()
        for index, parameter in enumerate(self.parameters()):
            state = part(tensors, f"adam.{index}.")
            if state:
                self.optimiser.state[parameter] = {key: value.to(self.device).clone() for key, value in state.items()}
        for name, moments in self._moments.items():
            for key in _MOMENTS:
                if (saved := tensors.get(f"moments.{name}.{key}")) is None:
                    raise SnapshotError(f"learner {self.name}: the checkpoint lacks what its {name} has seen ({key})")
                setattr(moments, key, saved.to("cpu", copy=True))

    def experience(self) -> dict[str, Tensor]:
        """What it keeps of its own rounds, beside the segments: not taken over by others, as `tensors` may be."""
        return {}

    def segments(self, write: Callable[[Mapping[str, Tensor]], str]) -> list[str]:
        """Ids of the segments of its replay buffer, the oldest first. write: gives those that have none theirs."""
        return []

    def remember(self, experience: Mapping[str, Tensor], segments: Sequence[tuple[str, Mapping[str, Tensor]]]) -> None:
        """Go on with what `experience` gave, and the segments by id. Raises SnapshotError where they do not fit."""
        if experience or segments:
            raise SnapshotError(f"learner {self.name}: the checkpoint has a replay buffer, which it has no use for")

    @abstractmethod
    def _build(self, network: NetworkSettings, generator: torch.Generator) -> None:
        """Make everything beside the actor. generator: what weights are drawn from."""

    def _twin(self) -> Network:
        """A copy of the actor as it is now."""
        twin = Network(self.actor.spec, self.gain, torch.Generator())
        twin.load_state_dict(self.actor.state_dict())
        return twin.to(self.device)

    def _groups(self) -> list[dict[str, object]]:
        """The optimiser's groups of parameters."""
        return [{"params": self.parameters()}]

    def _new_optimiser(self) -> torch.optim.Adam:
        settings = self.settings
        return torch.optim.Adam(self._groups(), lr=settings.learning_rate, eps=settings.adam_epsilon, fused=True)

    def _load_network(self, name: str, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
        try:
            network.load_state_dict(part(tensors, f"{name}."))
        except RuntimeError as error:
            raise SnapshotError(f"learner {self.name}: the checkpoint does not fit its {name}: {error}") from None


def approach(network: nn.Module, other: nn.Module, rate: float) -> None:
    """Move a network's weights and buffers this share of the way to those of another of the same architecture."""
    here, there = network.state_dict(), other.state_dict()
    for name, value in here.items():
        value.lerp_(there[name], rate)


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, by what follows."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
