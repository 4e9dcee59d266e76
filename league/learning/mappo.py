"""MAPPO: parameter-shared PPO with a centralised critic (Yu et al. 2022, arXiv:2103.01955).

`batch_of` turns a rollout into decisions with advantages and targets; `update` is the whole update, top to bottom.
Letters in shapes: M rows (see trajectory.py), D own decisions, N chains, L decisions learned from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from league.games.core import RoleSpec
from league.learning.advantages import gae, next_values
from league.learning.learner import Learner
from league.learning.settings import MappoSettings
from league.play.trajectory import Chains, Rollout
from league.policies.distributions import distribution, log_prob
from league.policies.distributions import entropy as entropy_of
from league.threads import Threads

_ALONE = Threads(1)
_WORTH_IT = 1024
_MEASURED = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")


@dataclass(slots=True)
class Batch:
    """Decisions that a learner learns from; every tensor `[L, ...]`. action: `[L, *shape]` of the action space.

    inputs: what the critic sees. value: its value before the update, target: the return to learn (both in the game's
    own units). log_prob: of the action under the policy that took it.
    """

    obs: Tensor
    mask: Tensor | None
    seat: Tensor
    action: Tensor
    log_prob: Tensor
    inputs: Tensor
    value: Tensor
    target: Tensor
    advantage: Tensor


def batch_of(
    rollout: Rollout, role: RoleSpec, chain: Chains, learner: Learner, owner: int, threads: Threads = _ALONE
) -> Batch:
    """What `learner` (policy number `owner` of the table) decided, with advantages along each seat's own decisions.

    threads: evaluate the critic in pieces; the result does not depend on how many there are.
    """
    rows, pending, settings = rollout.rows[role.name], rollout.pending[role.name], learner.settings
    slots, seats = pending.valid.shape

    def join(old: Tensor, new: Tensor) -> Tensor:
        return torch.cat((old.flatten(0, 1), new.flatten(0, 2)))

    obs = join(pending.obs, rows.obs)
    seat_of_chain = torch.tensor(role.seats, device=obs.device).repeat(slots)
    seat = torch.cat((seat_of_chain, rows.seat.flatten()))
    inputs = obs
    if rollout.state is not None and pending.state is not None:
        spread = rollout.state[:, :, None].expand(*rows.seat.shape, *rollout.state.shape[2:])
        inputs = join(pending.state, spread)
    row = chain.row.clamp(min=0)
    mine = chain.valid & (join(pending.owner, rows.owner)[row] == owner)
    value = torch.zeros(chain.row.shape, device=obs.device)
    value[mine] = _values(learner, inputs.index_select(0, row[mine]), seat[row[mine]], threads)

    cut_value, last_value = torch.zeros_like(value), torch.zeros_like(value[0])
    if rollout.final_state is not None:
        cut = (mine & chain.truncated).nonzero()
        if len(cut):
            slot = cut[:, 1] // seats
            states = rollout.final_state[chain.cut[cut[:, 0], cut[:, 1]], slot]
            cut_value[cut[:, 0], cut[:, 1]] = _values(learner, states, seat_of_chain[cut[:, 1]], threads)
    awaiting = (mine & chain.awaits).any(0).nonzero()[:, 0]
    if len(awaiting):
        seen = _last_inputs(rollout, role, awaiting // seats, seat_of_chain[awaiting])
        last_value[awaiting] = _values(learner, seen, seat_of_chain[awaiting], threads)
    advantage = gae(
        chain.reward,
        value,
        next_values(value, cut_value, last_value, chain.truncated, chain.follows),
        chain.terminated,
        chain.follows,
        chain.known,
        settings.discount,
        settings.gae_lambda,
    )
    chosen = mine & chain.known
    take = row[chosen]
    own_obs = obs.index_select(0, take)
    return Batch(
        obs=own_obs,
        mask=None if rows.mask is None or pending.mask is None else join(pending.mask, rows.mask)[take],
        seat=seat[take],
        action=join(pending.action, rows.action)[take],
        log_prob=join(pending.log_prob, rows.log_prob)[take],
        inputs=own_obs if inputs is obs else inputs.index_select(0, take),
        value=value[chosen],
        target=(advantage + value)[chosen],
        advantage=advantage[chosen],
    )


def update(
    learner: Learner,
    batch: Batch,
    generator: torch.Generator,
    tick: Callable[[float], None] = lambda fraction: None,
    threads: Threads = _ALONE,
) -> dict[str, float]:
    """One PPO update of `learner`, in place; returns its metrics. generator: shuffles the minibatches.

    tick: called after each gradient step with the share of the update that is done; what it raises ends the update.
    threads: compute the pieces of each minibatch (`learner.piece` rows at most), whose gradients are added up in their
    order, so that how many there are changes nothing. A gradient step whose loss or gradient is not finite is skipped
    and leaves the weights as they were.
    """
    settings, count = learner.settings, len(batch.action)
    if count == 0:
        return {"agent_steps": 0.0}
    learner.optimiser.param_groups[0]["lr"] = settings.learning_rate
    entropy_weight = learner.entropy_weight()
    # The clip is around what the critic put out, so in the units in which it did; the target comes in the new ones.
    old_value = learner.values.normalised(batch.value)
    if settings.value_normalisation:
        learner.values.update(batch.target)
    target = learner.values.normalised(batch.target)
    advantage = _standardised(batch.advantage) if settings.advantage_normalisation else batch.advantage

    sums, norms = torch.zeros(len(_MEASURED)), 0.0
    steps = skipped = epochs = 0
    parameters, networks = learner.parameters(), (learner.actor, learner.critic)
    stop = False
    while epochs < settings.epochs and not stop:
        divergence: list[Tensor] = []
        for rows in _minibatches(count, settings.minibatch, generator, batch.action.device):
            lesson = _Lesson(batch, advantage, old_value, target, settings, entropy_weight, len(rows))
            pieces = threads.map(partial(_gradients, learner, lesson), rows.split(_piece(len(rows), learner.piece)))
            for index, parameter in enumerate(parameters):
                parameter.grad = torch.stack([gradients[index] for gradients, _ in pieces]).sum(0)
            measured = torch.stack([found for _, found in pieces]).sum(0)
            norm, critic_norm = (
                nn.utils.clip_grad_norm_(network.parameters(), settings.max_grad_norm) for network in networks
            )
            steps += 1
            tick(min(steps * settings.minibatch / (settings.epochs * count), 1.0))
            if not bool(torch.isfinite(measured.sum() + norm + critic_norm)):
                skipped += 1
                continue
            learner.optimiser.step()
            sums, norms = sums + measured.cpu(), norms + float(norm)
            divergence.append(measured[_MEASURED.index("approx_kl")])
        epochs += 1
        if settings.target_kl is not None and divergence:
            stop = float(torch.stack(divergence).mean()) > 1.5 * settings.target_kl
    learner.optimiser.zero_grad(set_to_none=True)
    learner.steps += count
    learner.skipped = learner.skipped + 1 if skipped == steps else 0
    taken = max(steps - skipped, 1)
    metrics = (
        {key: total / taken for key, total in zip(_MEASURED, sums.tolist(), strict=True)} if skipped < steps else {}
    )
    return metrics | {
        "grad_norm": norms / taken,
        "explained_variance": _explained_variance(batch.value, batch.target),
        "value": float(batch.value.mean()),
        "entropy_weight": entropy_weight,
        "learning_rate": settings.learning_rate,
        "skipped_steps": float(skipped),
        "epochs": float(epochs),
        "agent_steps": float(count),
    }


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What all rows of a minibatch share. old_value, target: in the critic's units. size: rows of the minibatch."""

    batch: Batch
    advantage: Tensor
    old_value: Tensor
    target: Tensor
    settings: MappoSettings
    entropy_weight: float
    size: int


def _gradients(learner: Learner, lesson: _Lesson, rows: Tensor) -> tuple[list[Tensor], Tensor]:
    """The share that some rows have in the gradient of their minibatch's loss, and in what is `_MEASURED`."""
    batch, settings = lesson.batch, lesson.settings

    def of(values: Tensor) -> Tensor:
        return values.index_select(0, rows)

    seat, advantage = of(batch.seat), of(lesson.advantage)
    with torch.autocast(rows.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
        seen = learner.actor.features(of(batch.obs), seat)
        alike = batch.inputs is batch.obs and learner.actor.trunk_is_plain and learner.critic.trunk_is_plain
        logits = learner.actor.answer(seen)
        value = learner.critic.answer(seen if alike else learner.critic.features(of(batch.inputs), seat))[:, 0]
    space = learner.role.actions
    given = distribution(space, logits, None if batch.mask is None else of(batch.mask))
    log_ratio = log_prob(space, given, of(batch.action)) - of(batch.log_prob)
    ratio = log_ratio.exp()
    policy_loss = _policy_loss(ratio, advantage, settings.clip).sum()
    entropy = entropy_of(space, given).sum()
    value_loss = _value_loss(value, of(lesson.old_value), of(lesson.target), settings.value_clip).sum()
    loss = policy_loss - lesson.entropy_weight * entropy + settings.value_coefficient * value_loss
    gradients = torch.autograd.grad(loss / lesson.size, learner.parameters())
    with torch.no_grad():
        approx_kl = ((ratio - 1) - log_ratio).sum()
        clipped = ((ratio - 1).abs() > settings.clip).sum()
        return list(gradients), torch.stack((policy_loss, value_loss, entropy, approx_kl, clipped)) / lesson.size


def _standardised(values: Tensor) -> Tensor:
    """Shifted and scaled to mean 0 and standard deviation 1, `[L]`; a single value is left as it is."""
    return (values - values.mean()) / (values.std() + 1e-8) if len(values) > 1 else values


def _policy_loss(ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """The clipped surrogate by row, to be minimised (Schulman et al. 2017, arXiv:1707.06347, eq. 7)."""
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def _value_loss(value: Tensor, old: Tensor, target: Tensor, clip: float) -> Tensor:
    """Half the squared error by row, the worse of clipped and unclipped (Schulman et al.'s implementation of PPO)."""
    loss = (value - target).square()
    if clip > 0:
        near = old + (value - old).clamp(-clip, clip)
        loss = torch.maximum(loss, (near - target).square())
    return 0.5 * loss


def _values(learner: Learner, inputs: Tensor, seat: Tensor, threads: Threads) -> Tensor:
    """The critic's values in the game's own units, `[N]`. inputs: `[N, ...]`. seat: `[N]`."""

    def of(piece: tuple[Tensor, Tensor]) -> Tensor:
        # Whether gradients are wanted is a thread's own business.
        with torch.no_grad():
            value: Tensor = learner.critic(*piece)[:, 0]
        return value

    pieces = zip(inputs.split(learner.piece), seat.split(learner.piece), strict=True)
    return learner.values.in_game_units(torch.cat(threads.map(of, pieces)))


def _last_inputs(rollout: Rollout, role: RoleSpec, slot: Tensor, seat: Tensor) -> Tensor:
    """What the critic sees on the turn after the rollout, for seats that are to act then."""
    if rollout.last.state is not None:
        return rollout.last.state[slot]
    acting = rollout.last.acts[role.name]
    position = ((acting.seat[slot] == seat[:, None]) & acting.present[slot]).to(torch.uint8).argmax(1)
    return acting.obs[slot, position]


def _piece(rows: int, most: int) -> int:
    """Into pieces of what size a minibatch is cut: small enough to be shared out, large enough to be worth it."""
    return min(most, max(rows // 4, _WORTH_IT))


def _minibatches(count: int, size: int, generator: torch.Generator, device: torch.device) -> list[Tensor]:
    """A random partition of `count` decisions; a remainder under half of `size` is left out of this epoch."""
    order = torch.randperm(count, generator=generator).to(device)
    parts = list(order.split(size))
    if len(parts) > 1 and 2 * len(parts[-1]) < size:
        parts.pop()
    return parts


def _explained_variance(value: Tensor, target: Tensor) -> float:
    """1 - Var(target - value) / Var(target); 0 where the targets do not vary."""
    variance = float(target.var(unbiased=False))
    return 0.0 if variance < 1e-12 else 1.0 - float((target - value).var(unbiased=False)) / variance
