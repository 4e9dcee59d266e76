"""A learner: actor, critic, optimiser and value statistics of one role, and how they are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from league.errors import SnapshotError
from league.games.core import GameSpec, RoleSpec
from league.learning.settings import MappoSettings
from league.policies.networks import Network, NetworkSpec
from league.policies.neural import NeuralPolicy, actor_spec
from league.policies.settings import NetworkSettings

_DECAY = 0.99
_STATISTICS = ("mean", "square", "weight")


@dataclass(slots=True)
class ValueStatistics:
    """Running mean and standard deviation of value targets, debiased (Yu et al. 2022, sec. 5.1).

    `mean`, `square` and `weight` are scalar float64 tensors on the CPU; weight debiases averages that began at 0.
    """

    mean: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    square: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    weight: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))

    def update(self, targets: Tensor) -> None:
        """Move towards the mean and mean square of `targets`, `[M]`. Targets that are not finite change nothing."""
        values = targets.to(torch.float64)
        mean, square = values.mean().cpu(), values.square().mean().cpu()
        if bool(torch.isfinite(mean + square)):
            self.mean = _DECAY * self.mean + (1 - _DECAY) * mean
            self.square = _DECAY * self.square + (1 - _DECAY) * square
            self.weight = _DECAY * self.weight + (1 - _DECAY)

    def scale(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (at least 0.01), float32; 0 and 1 before any update."""
        known = self.weight > 0
        weight = torch.where(known, self.weight, 1.0)
        mean = self.mean / weight
        deviation = (self.square / weight - mean.square()).clamp(min=1e-4).sqrt()
        return mean.to(torch.float32), torch.where(known, deviation, 1.0).to(torch.float32)

    def normalised(self, values: Tensor) -> Tensor:
        """Values in the game's own units → in the critic's, in which targets have mean 0 and deviation 1."""
        mean, deviation = (number.to(values.device) for number in self.scale())
        return (values - mean) / deviation

    def in_game_units(self, values: Tensor) -> Tensor:
        """The inverse of `normalised`."""
        mean, deviation = (number.to(values.device) for number in self.scale())
        return values * deviation + mean


class Learner:
    """What trains. Its actor plays as a policy; hyperparameters override the settings (PBT changes them).

    steps: agent-steps trained. skipped: updates in a row without one finite gradient step. piece: rows that one
    thread computes at once, at most.
    """

    def __init__(
        self,
        name: str,
        game: GameSpec,
        role: RoleSpec,
        network: NetworkSettings,
        settings: MappoSettings,
        seed: int,
        device: torch.device | str = "cpu",
        hyperparameters: Mapping[str, float] | None = None,
    ) -> None:
        self.name, self.role, self.base = name, role, settings
        self.device = torch.device(device)
        self.hyperparameters = dict(hyperparameters or {})
        self.steps, self.skipped = 0, 0
        self.piece = 2048
        generator = torch.Generator().manual_seed(seed)
        self.actor = Network(actor_spec(game, role, network), 0.01, generator).to(self.device)
        inputs = game.state_shape if game.state_shape is not None else role.obs_shape
        kind = network.kind if len(inputs) == 3 else "mlp"
        channels = network.channels if kind == "conv" else ()
        critic = NetworkSpec(kind, inputs, len(game.seats), 1, network.critic, channels, network.activation)
        self.critic = Network(critic, 1.0, generator).to(self.device)
        self.values = ValueStatistics()
        self.optimiser = self._new_optimiser()

    @property
    def settings(self) -> MappoSettings:
        """The settings in force: the run's, with this learner's own hyperparameters."""
        return self.base.model_copy(update=self.hyperparameters)

    @property
    def policy(self) -> NeuralPolicy:
        """The live policy: it changes with every update."""
        return NeuralPolicy(self.role.name, self.actor)

    def entropy_weight(self) -> float:
        """The entropy bonus's weight now, on its way from `entropy` to `entropy_end`."""
        settings = self.settings
        if settings.entropy_end is None:
            return settings.entropy
        share = min(self.steps / settings.entropy_steps, 1.0)
        return settings.entropy + share * (settings.entropy_end - settings.entropy)

    def parameters(self) -> list[Tensor]:
        """Actor's and critic's parameters, in the optimiser's order."""
        return [*self.actor.parameters(), *self.critic.parameters()]

    def tensors(self) -> dict[str, Tensor]:
        """Everything that learning depends on, by name: weights, optimiser, value statistics (not copied)."""
        found = {f"actor.{key}": value for key, value in self.actor.state_dict().items()}
        found |= {f"critic.{key}": value for key, value in self.critic.state_dict().items()}
        for index, parameter in enumerate(self.parameters()):
            state = self.optimiser.state.get(parameter, {})
            found |= {f"adam.{index}.{key}": value for key, value in state.items()}
        return found | {f"values.{key}": getattr(self.values, key) for key in _STATISTICS}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave. Raises SnapshotError where it does not fit."""
        self.load_networks(tensors)
        self.optimiser = self._new_optimiser()
        for index, parameter in enumerate(self.parameters()):
            prefix = f"adam.{index}."
            state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            if state:
                self.optimiser.state[parameter] = {key: value.to(self.device).clone() for key, value in state.items()}
        missing = [key for key in _STATISTICS if f"values.{key}" not in tensors]
        if missing:
            raise SnapshotError(
                f"learner {self.name}: the checkpoint lacks its value statistics ({', '.join(missing)})"
            )
        self.values = ValueStatistics(*(tensors[f"values.{key}"].to("cpu", copy=True) for key in _STATISTICS))

    def load_networks(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the weights of actor and critic only."""
        for prefix, network in (("actor.", self.actor), ("critic.", self.critic)):
            part = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            try:
                network.load_state_dict(part)
            except RuntimeError as error:
                raise SnapshotError(
                    f"learner {self.name}: the checkpoint does not fit its {prefix[:-1]}: {error}"
                ) from None

    def _new_optimiser(self) -> torch.optim.Adam:
        settings = self.settings
        return torch.optim.Adam(self.parameters(), lr=settings.learning_rate, eps=settings.adam_epsilon, fused=True)
