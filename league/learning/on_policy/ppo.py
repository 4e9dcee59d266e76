"""PPO and its multi-agent forms, MAPPO and IPPO, which differ in what the critic sees.

Here stands what they plug into the update; `update` has the steps.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor
from typing_extensions import TypeVar

from league.learning.on_policy.actor_critic import ActorCritic, first_output
from league.learning.on_policy.advantages import Estimates, gae, next_values
from league.learning.on_policy.critic import CriticOutput, global_state, own_observation
from league.learning.on_policy.losses import clipped_policy_loss, clipped_value_loss
from league.learning.on_policy.update import Objective, TrainState
from league.learning.settings import IppoSettings, MappoSettings, PpoSettings
from league.play.decisions import Decisions
from league.play.trajectory import Chains

PpoT = TypeVar("PpoT", bound=PpoSettings, covariant=True, default=PpoSettings)


class Ppo(ActorCritic[PpoT]):
    """Clipped updates of policy and values (Schulman et al. 2017, arXiv:1707.06347) with shared parameters."""

    critic_inputs = staticmethod(global_state)

    def objective(self) -> Objective:
        """See `ActorCritic.objective`."""
        settings = self.settings
        return Objective(
            game=self.game,
            role=self.role,
            settings=settings,
            critic_inputs=self.critic_inputs,
            estimates=partial(gae_estimates, settings),
            decision_value=first_output,
            policy_loss=partial(clipped_policy_loss, clip=settings.clip),
            value_loss=partial(
                clipped_value_loss,
                clip=settings.value_clip,
                kind=settings.value_loss,
                huber_delta=settings.huber_delta,
            ),
            half_precision=self.half_precision(),
            learning_rate=self.learning_rate(),
            entropy_weight=self.entropy_weight(),
            barrier_weight=self.barrier_weight(),
            magnet_weight=self.magnet_weight(),
            clip=settings.clip,
            target_kl=settings.target_kl,
            policy_epochs=settings.epochs,
        )


class Mappo(Ppo[MappoSettings]):
    """PPO whose critic sees the global state (Yu et al. 2022, arXiv:2103.01955)."""


class Ippo(Ppo[IppoSettings]):
    """PPO whose critic sees what the seat observes (de Witt et al. 2020, arXiv:2011.09533)."""

    critic_inputs = staticmethod(own_observation)

    def _critic_shape(self) -> tuple[tuple[int, ...], int]:
        return self.role.obs_shape, 1

    def _critic_sees_observation(self) -> bool:
        return True


def gae_estimates(
    settings: PpoSettings, state: TrainState, chain: Chains, rows: Decisions, output: CriticOutput, mine: Tensor
) -> Estimates:
    """Values, GAE advantages, and λ-returns as targets (see `Objective.estimates`)."""
    units = state.values.in_game_units
    value, cut, end = units(output.output[..., 0]), units(output.cut), units(output.end)
    advantage = gae(
        chain.reward * settings.reward_scale,
        value,
        next_value=next_values(value, cut, end, chain.truncated, chain.follows),
        terminated=chain.terminated,
        follows=chain.follows,
        known=chain.known,
        discount=settings.discount,
        lam=settings.gae_lambda,
    )
    return Estimates(value=value, target=advantage + value, advantage=advantage, learnable=mine & chain.known)
