"""Learning from the latest rollout, with an actor and a critic: MAPPO and IPPO, and what COMA shares with them.

`ActorCritic.learn` is the whole of it: a batch with advantages, then `update`, top to bottom. MAPPO is parameter-shared
PPO with a centralised critic (Yu et al. 2022, arXiv:2103.01955).
Letters in shapes: M rows (see trajectory.py), D own decisions, N chains, L decisions learned from, C decisions of a
chunk, G chunks.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from league.events import Tick
from league.learning.learner import ALONE, Learned, Learner, Lesson, approach, part
from league.learning.on_policy.advantages import gae, next_values
from league.learning.on_policy.batch import Batch, Joined, Judged, View, chunks, global_view, joined, judge, own_view
from league.learning.on_policy.update import distance, update
from league.learning.on_policy.value_statistics import ValueStatistics
from league.learning.settings import ActorCriticSettings, PpoSettings, annealed
from league.play.trajectory import Rollout
from league.policies.networks import Network, NetworkSpec
from league.policies.neural import NeuralPolicy
from league.policies.settings import NetworkSettings
from league.threads import Threads


class ActorCritic(Learner):
    """A learner with a critic. A subclass says what its critic sees, and what its losses are."""

    gain = 0.01

    @property
    def settings(self) -> ActorCriticSettings:
        """See `Learner.settings`."""
        settings = super().settings
        assert isinstance(settings, ActorCriticSettings)
        return settings

    @property
    def context(self) -> int:  # type: ignore[override]
        return self.critic.memory

    def networks(self) -> dict[str, nn.Module]:
        """See `Learner.networks`."""
        found: dict[str, nn.Module] = {"actor": self.actor, "critic": self.critic}
        return found | ({"magnet": self.magnet} if self.magnet is not None else {})

    def parameters(self) -> list[Tensor]:
        """Actor's and critic's parameters."""
        return [*self.actor.parameters(), *self.critic.parameters()]

    def entropy_weight(self) -> float:
        """The entropy bonus's weight now, on its way from `entropy` to `entropy_end`."""
        settings = self.settings
        return annealed(settings.entropy, settings.entropy_end, settings.entropy_steps, self.steps)

    def magnet_weight(self) -> float:
        """The magnet's weight now, on its way from `magnet` to `magnet_end`."""
        settings = self.settings
        return annealed(settings.magnet, settings.magnet_end, settings.magnet_steps, self.steps)

    def tensors(self) -> dict[str, Tensor]:
        """See `Learner.tensors`."""
        found = super().tensors() | {f"values.{key}": value for key, value in self.values.tensors().items()}
        return found | ({"magnet_age": torch.tensor(self.magnet_age)} if self.magnet is not None else {})

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Learner.load`."""
        super().load(tensors)
        self.values = ValueStatistics.of(part(tensors, "values."), f"learner {self.name}")
        self.magnet_age = int(tensors.get("magnet_age", torch.tensor(0)))

    def begin_with(self, policy: NeuralPolicy) -> None:
        """See `Learner.begin_with`: the magnet begins there, too."""
        super().begin_with(policy)
        if self.magnet is not None:
            self.magnet.load_state_dict(self.actor.state_dict())

    def learn(self, lesson: Lesson, tick: Tick = lambda fraction: None, threads: Threads = ALONE) -> Learned:
        """See `Learner.learn`."""
        began = time.perf_counter()
        batch, context = self.batch(lesson, threads)
        middle = time.perf_counter()
        metrics = update(self, batch, lesson.generator, tick, threads)
        return Learned(metrics, {"advantages": middle - began, "update": time.perf_counter() - middle}, context)

    def batch(self, lesson: Lesson, threads: Threads = ALONE) -> tuple[Batch, Tensor | None]:
        """What the learner decided, with advantages along each seat's own decisions; and the critic's context.

        threads: evaluate the critic in pieces; the result does not depend on how many there are.
        """
        chain, rollout, settings = lesson.chain, lesson.rollout, self.settings
        rows = joined(rollout, self.role)
        row = chain.row.clamp(min=0)
        mine = chain.valid & (rows.owner[row] == lesson.owner)
        view = self.view(rollout, rows)
        judged = judge(self.critic, view, chain, self.role, mine, lesson.context, self.piece, threads)
        chosen = mine & chain.known & self.can_judge(lesson)
        take = row[chosen]
        value, target, advantage = self.returns(lesson, rows, judged, chosen)
        remembers = self.actor.memory or self.critic.memory
        own_obs = rows.obs.index_select(0, take)
        found = Batch(
            obs=own_obs,
            mask=None if rows.mask is None else rows.mask[take],
            seat=rows.seat[take],
            action=rows.action[take],
            log_prob=rows.log_prob[take],
            inputs=own_obs if view.rows is rows.obs else view.rows.index_select(0, take),
            value=value[chosen],
            target=target[chosen],
            advantage=advantage[chosen],
            chunks=chunks(chain, chosen, settings.chunk, rows.memory, judged.before) if remembers else None,
        )
        return found, judged.context

    def view(self, rollout: Rollout, rows: Joined) -> View:
        """What the critic sees of each row."""
        return global_view(rollout, self.role, rows.obs)

    def can_judge(self, lesson: Lesson) -> Tensor | bool:
        """`[D, N]` bool: decisions whose consequences the critic can judge; True: all of them."""
        return True

    def returns(self, lesson: Lesson, rows: Joined, judged: Judged, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value, target and advantage of each decision, `[D, N]`. chosen: `[D, N]`, those that are learned from."""
        chain, settings = lesson.chain, self.settings
        value, cut, last = (self.values.in_game_units(one) for one in (judged.said[..., 0], judged.cut, judged.last))
        advantage = gae(
            chain.reward * settings.reward_scale,
            value,
            next_values(value, cut, last, chain.truncated, chain.follows),
            chain.terminated,
            chain.follows,
            chain.known,
            settings.discount,
            settings.gae_lambda,
        )
        return value, advantage + value, advantage

    def worth(self, said: Tensor, action: Tensor) -> Tensor:
        """`[n]`, the value learnt of decisions. said: `[n, outputs]` of the critic. action: `[n, ...]`."""
        return said[:, 0]

    @abstractmethod
    def policy_loss(self, ratio: Tensor, advantage: Tensor) -> Tensor:
        """By row, to be minimised. ratio: of the action's probabilities now and when it was taken."""

    @abstractmethod
    def value_loss(self, value: Tensor, old: Tensor, target: Tensor) -> Tensor:
        """By row, to be minimised; all in the critic's units."""

    def clip_range(self) -> float:
        """How far a ratio may be from 1 before clip_fraction counts it."""
        return 0.2

    def learns_policy(self, epoch: int) -> bool:
        """Whether the actor moves in this pass over the batch."""
        return True

    def is_enough(self, approx_kl: float) -> bool:
        """Whether a pass over the batch with this approx_kl was the last."""
        return False

    def _critic_inputs(self) -> tuple[int, ...]:
        """Shape of what the critic sees: the global state, where the game has one."""
        return self.game.state_shape if self.game.state_shape is not None else self.role.obs_shape

    def _critic_outputs(self) -> int:
        return 1

    def _critic_spec(self, network: NetworkSettings) -> NetworkSpec:
        inputs = self._critic_inputs()
        kind = network.kind if len(inputs) == 3 else "mlp"
        return replace(
            self.actor.spec,
            kind=kind,
            inputs=inputs,
            outputs=self._critic_outputs(),
            hidden=network.critic,
            channels=network.channels if kind == "conv" else (),
        )

    def _build(self, network: NetworkSettings, generator: torch.Generator) -> None:
        self.critic = Network(self._critic_spec(network), 1.0, generator, network.initialisation).to(self.device)
        self.values = ValueStatistics()
        self.magnet: Network | None = None
        self.magnet_age = 0
        settings = self.settings
        if settings.magnet > 0 or (settings.magnet_end or 0.0) > 0:
            self.magnet = self._twin().requires_grad_(False)

    def move_magnet(self) -> None:
        """After an update: towards the policy, or onto it once in `magnet_every` updates."""
        if self.magnet is None:
            return
        self.magnet_age += 1
        every, rate = self.settings.magnet_every, self.settings.magnet_rate
        if every is not None:
            rate = 1.0 if self.magnet_age % every == 0 else 0.0
        approach(self.magnet, self.actor, rate)

    def _groups(self) -> list[dict[str, object]]:
        return [{"params": list(self.actor.parameters())}, {"params": list(self.critic.parameters())}]


class Ppo(ActorCritic):
    """Clipped updates of the policy and of the values (Schulman et al. 2017, arXiv:1707.06347)."""

    @property
    def settings(self) -> PpoSettings:
        """See `Learner.settings`."""
        settings = super().settings
        assert isinstance(settings, PpoSettings)
        return settings

    def policy_loss(self, ratio: Tensor, advantage: Tensor) -> Tensor:
        """The clipped surrogate (Schulman et al. 2017, eq. 7)."""
        clip = self.settings.clip
        return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)

    def value_loss(self, value: Tensor, old: Tensor, target: Tensor) -> Tensor:
        """The worse of clipped and unclipped (as in Schulman et al.'s implementation of PPO)."""
        settings = self.settings
        loss = distance(value - target, settings)
        if settings.value_clip > 0:
            near = old + (value - old).clamp(-settings.value_clip, settings.value_clip)
            loss = torch.maximum(loss, distance(near - target, settings))
        return loss

    def clip_range(self) -> float:
        """See `ActorCritic.clip_range`."""
        return self.settings.clip

    def is_enough(self, approx_kl: float) -> bool:
        """See `ActorCritic.is_enough`: as `target_kl` says."""
        target = self.settings.target_kl
        return target is not None and approx_kl > 1.5 * target


class Mappo(Ppo):
    """PPO whose critic sees the global state (Yu et al. 2022, arXiv:2103.01955)."""


class Ippo(Ppo):
    """PPO whose critic sees what the seat sees (de Witt et al. 2020, arXiv:2011.09533)."""

    def view(self, rollout: Rollout, rows: Joined) -> View:
        """See `ActorCritic.view`."""
        return own_view(rollout, self.role, rows.obs)

    def _critic_inputs(self) -> tuple[int, ...]:
        return self.role.obs_shape
