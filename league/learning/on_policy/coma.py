"""COMA: each seat's actor is judged against what its side would have got had it alone done something else.

Foerster et al. 2018, "Counterfactual Multi-Agent Policy Gradients", arXiv:1705.08926.
Letters in shapes: M rows (see trajectory.py), D own decisions, N chains, S seats of the game, A actions, L decisions.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from league.errors import ConfigError
from league.games.actions import Discrete
from league.learning.learner import Lesson
from league.learning.on_policy.actor_critic import ActorCritic
from league.learning.on_policy.advantages import gae
from league.learning.on_policy.batch import Joined, Judged, View, global_view, join
from league.learning.on_policy.update import distance
from league.play.trajectory import Rollout, joint_actions
from league.policies.distributions import distribution
from league.policies.settings import NetworkSettings


class Coma(ActorCritic):
    """An actor-critic whose critic says what each action of a seat is worth, given what its team-mates do on that turn.

    The critic sees the global state (or the seat's observation, where the game has none) and the others' actions. It
    learns lambda-returns (Foerster et al. 2018, sec. 4.1: TD(lambda)) that bootstrap from the value of the next action
    taken; where that lies beyond the rollout, or the episode is cut off, it is not known, and the decision is left out.
    Rewards are a side's: each seat is paid the mean of its team's.
    The actor passes over the rollout once, along the counterfactual advantage; the critic `epochs` times.
    """

    joint = True
    of_side = True

    def view(self, rollout: Rollout, rows: Joined) -> View:
        """See `ActorCritic.view`."""
        before = rollout.pending[self.role.name].joint
        assert before is not None
        did = join(before, joint_actions(rollout, self.role))
        mates = self._mates[rows.seat]
        theirs = torch.where(mates < 0, -1, did.gather(1, mates.clamp(min=0)))
        actions = theirs[..., None] == torch.arange(self._most, device=did.device)
        seen = global_view(rollout, self.role, rows.obs).rows.flatten(1).to(torch.float32)
        return View(torch.cat((seen, actions.flatten(1).to(torch.float32)), 1), None, None)

    def can_judge(self, lesson: Lesson) -> Tensor:
        """See `ActorCritic.can_judge`."""
        return lesson.chain.terminated | lesson.chain.follows

    def returns(self, lesson: Lesson, rows: Joined, judged: Judged, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `ActorCritic.returns`: the advantage is over the counterfactual baseline (eq. 4)."""
        chain, settings = lesson.chain, self.settings
        row = chain.row.clamp(min=0)
        worth = self.values.in_game_units(judged.said)
        value = worth.gather(2, rows.action[row][..., None])[..., 0]
        following = torch.cat((value[1:], torch.zeros_like(value[:1])))
        known = chain.known & self.can_judge(lesson)
        ahead = gae(
            chain.reward * settings.reward_scale,
            value,
            following,
            chain.terminated,
            chain.follows,
            known,
            settings.discount,
            settings.gae_lambda,
        )
        take = row[chosen]
        with torch.no_grad():
            memory = None if rows.memory is None else rows.memory.index_select(0, take)
            said = self.actor(rows.obs.index_select(0, take), rows.seat[take], memory)
        mask = None if rows.mask is None else rows.mask[take]
        chance = distribution(self.role.actions, said, mask).exp()
        advantage = torch.zeros_like(value)
        advantage[chosen] = value[chosen] - baseline(chance, worth[chosen])
        return value, ahead + value, advantage

    def worth(self, said: Tensor, action: Tensor) -> Tensor:
        """See `ActorCritic.worth`."""
        return said.gather(1, action[:, None])[:, 0]

    def policy_loss(self, ratio: Tensor, advantage: Tensor) -> Tensor:
        """The gradient of the policy's advantage (Foerster et al. 2018, eq. 5), by the ratio of probabilities."""
        return -ratio * advantage

    def value_loss(self, value: Tensor, old: Tensor, target: Tensor) -> Tensor:
        """See `ActorCritic.value_loss`."""
        return distance(value - target, self.settings)

    def learns_policy(self, epoch: int) -> bool:
        """See `ActorCritic.learns_policy`."""
        return epoch == 0

    def _critic_inputs(self) -> tuple[int, ...]:
        return (prod(super()._critic_inputs()) + self._mates.shape[1] * self._most,)

    def _critic_outputs(self) -> int:
        return self.role.actions.width

    def _build(self, network: NetworkSettings, generator: torch.Generator) -> None:
        sizes = [role.actions.n for role in self.game.roles if isinstance(role.actions, Discrete)]
        if len(sizes) < len(self.game.roles):
            raise ConfigError(
                f"algorithm.kind = 'coma' needs one of n actions at every seat, which {self.game.id} has not: use "
                "mappo or ippo"
            )
        self._most = max(sizes)
        sides = [self.game.sides[side] for side in self.game.side_of_seat]
        most = max(len(side) for side in sides) - 1
        mates = [[mate for mate in side if mate != seat] for seat, side in enumerate(sides)]
        rows = [[*others, *[-1] * (most - len(others))] for others in mates]
        self._mates = torch.tensor(rows, dtype=torch.int64, device=self.device).view(len(rows), most)
        super()._build(network, generator)


def baseline(chance: Tensor, worth: Tensor) -> Tensor:
    """`[L]`: what a seat's action is worth on average over its policy, the others' actions as they were.

    chance, worth: `[L, A]`, of each of its actions (Foerster et al. 2018, eq. 4, second term).
    """
    return (chance * worth).sum(1)
