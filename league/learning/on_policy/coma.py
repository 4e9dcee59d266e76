"""COMA: each seat's action is compared with what its side would have got had that seat alone acted otherwise.

Foerster et al. 2018, "Counterfactual Multi-Agent Policy Gradients", arXiv:1705.08926.
Letters in shapes: M rows (see `play.trajectory`), D own decisions, N chains, S seats of the game, A actions.
"""

from __future__ import annotations

from functools import partial
from math import prod

import torch
from torch import Tensor

from league.errors import ConfigError
from league.games.actions import Discrete
from league.games.core import RoleSpec
from league.learning.on_policy.actor_critic import ActorCritic
from league.learning.on_policy.advantages import Estimates, counterfactual_baseline, gae
from league.learning.on_policy.critic import CriticInputs, CriticOutput, global_state
from league.learning.on_policy.losses import counterfactual_policy_loss, regression_loss
from league.learning.on_policy.update import Objective, TrainState
from league.learning.settings import ComaSettings
from league.play.decisions import Decisions
from league.play.trajectory import Chains, Rollout, joint_actions
from league.policies.distributions import distribution
from league.policies.settings import NetworkSettings

_CLIP = 0.2
"""COMA does not clip; clip_fraction counts ratios further than this from 1, as in PPO's default."""


class Coma(ActorCritic[ComaSettings]):
    """An actor-critic whose critic values each action of a seat, given the actions of its team-mates on that turn.

    The critic sees the global state (or the seat's observation in a game without one) and the team-mates' actions. It
    learns λ-returns (Foerster et al. 2018, sec. 4.1: TD(λ)) that bootstrap from the value of the next action taken.
    Where the next action lies beyond the rollout, or the episode is truncated, that value is unknown, and the decision
    is left out. Rewards are those of a side: each seat is paid the mean of its team's.
    The actor passes over the rollout once, along the counterfactual advantage; the critic passes `epochs` times.
    """

    needs_joint_actions = True
    uses_team_reward = True

    def objective(self) -> Objective:
        """See `ActorCritic.objective`."""
        settings = self.settings
        return Objective(
            game=self.game,
            role=self.role,
            settings=settings,
            critic_inputs=self._critic_inputs,
            estimates=partial(_counterfactual_estimates, settings, self.role),
            decision_value=lambda outputs, action: outputs.gather(1, action[:, None])[:, 0],
            policy_loss=counterfactual_policy_loss,
            value_loss=lambda value, old, target: regression_loss(
                value - target, settings.value_loss, settings.huber_delta
            ),
            half_precision=self.half_precision(),
            learning_rate=self.learning_rate(),
            entropy_weight=self.entropy_weight(),
            barrier_weight=self.barrier_weight(),
            magnet_weight=self.magnet_weight(),
            clip=_CLIP,
            target_kl=None,
            policy_epochs=1,
        )

    def _critic_inputs(self, rollout: Rollout, role: RoleSpec, rows: Decisions) -> CriticInputs:
        """The state (or observation), then one-hot what each team-mate did on that turn; zeros for nothing."""
        before = rollout.pending[role.name].joint_action
        assert before is not None
        joint = torch.cat((before.flatten(0, 1), joint_actions(rollout, role).flatten(0, 2)))
        mates = self._mates[rows.seat]
        theirs = torch.where(mates < 0, -1, joint.gather(1, mates.clamp(min=0)))
        actions = theirs[..., None] == torch.arange(self._most_actions, device=joint.device)
        seen = global_state(rollout, role, rows).decisions.flatten(1).to(torch.float32)
        return CriticInputs(torch.cat((seen, actions.flatten(1).to(torch.float32)), 1), None, None)

    def _critic_shape(self) -> tuple[tuple[int, ...], int]:
        shape, _ = super()._critic_shape()
        return (prod(shape) + self._mates.shape[1] * self._most_actions,), self.role.actions.width

    def _critic_sees_observation(self) -> bool:
        return False

    def _build(self, network: NetworkSettings, generator: torch.Generator) -> None:
        sizes = [role.actions.n for role in self.game.roles if isinstance(role.actions, Discrete)]
        if len(sizes) < len(self.game.roles):
            raise ConfigError(
                f"algorithm.kind = 'coma' needs discrete actions at every seat, which {self.game.id} does not have: "
                "use mappo or ippo"
            )
        self._most_actions = max(sizes)
        sides = [self.game.sides[side] for side in self.game.side_of_seat]
        most = max(len(side) for side in sides) - 1
        mates = [[mate for mate in side if mate != seat] for seat, side in enumerate(sides)]
        rows = [[*others, *[-1] * (most - len(others))] for others in mates]
        self._mates = torch.tensor(rows, dtype=torch.int64, device=self.device).view(len(rows), most)
        super()._build(network, generator)


def _counterfactual_estimates(
    settings: ComaSettings,
    role: RoleSpec,
    state: TrainState,
    chain: Chains,
    rows: Decisions,
    output: CriticOutput,
    mine: Tensor,
) -> Estimates:
    """Values of the actions taken, their λ-returns, and advantages over the counterfactual baseline (eq. 4)."""
    row = chain.row.clamp(min=0)
    action_values = state.values.in_game_units(output.output)
    value = action_values.gather(2, rows.action[row][..., None])[..., 0]
    known = chain.known & (chain.terminated | chain.follows)
    ahead = gae(
        chain.reward * settings.reward_scale,
        value,
        next_value=torch.cat((value[1:], torch.zeros_like(value[:1]))),
        terminated=chain.terminated,
        follows=chain.follows,
        known=known,
        discount=settings.discount,
        lam=settings.gae_lambda,
    )
    learnable = mine & known
    take = row[learnable]
    with torch.no_grad():
        memory = None if rows.memory is None else rows.memory.index_select(0, take)
        logits = state.actor(rows.obs.index_select(0, take), rows.seat[take], memory)
    mask = None if rows.mask is None else rows.mask[take]
    probabilities = distribution(role.actions, logits, mask).exp()
    advantage = torch.zeros_like(value)
    advantage[learnable] = value[learnable] - counterfactual_baseline(probabilities, action_values[learnable])
    return Estimates(value=value, target=ahead + value, advantage=advantage, learnable=learnable)
