"""The update of an actor and a critic from a batch, top to bottom, whatever the losses of the algorithm.

Letters in shapes: L decisions learned from, C decisions of a chunk, G chunks, S seats of the game.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from league.events import Tick
from league.learning.learner import ALONE
from league.learning.on_policy.batch import Batch
from league.learning.settings import ActorCriticSettings, ReplaySettings
from league.policies.distributions import distribution, kl, log_prob
from league.policies.distributions import entropy as entropy_of
from league.policies.networks import Network
from league.threads import Threads

if TYPE_CHECKING:
    from league.learning.on_policy.actor_critic import ActorCritic

_WORTH_IT = 1024
_MEASURED = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "magnet_kl")


def update(
    learner: ActorCritic,
    batch: Batch,
    generator: torch.Generator,
    tick: Tick = lambda fraction: None,
    threads: Threads = ALONE,
) -> dict[str, float]:
    """One update of `learner`, in place; returns its metrics. generator: shuffles the minibatches.

    tick: called after each gradient step with the share of the update that is done; what it raises ends the update.
    threads: compute the pieces of each minibatch (`learner.piece` rows at most), whose gradients are added up in their
    order, so that how many there are changes nothing. A gradient step whose loss or gradient is not finite is skipped
    and leaves the weights as they were.
    """
    settings, count = learner.settings, len(batch.action)
    if count == 0:
        return {"agent_steps": 0.0}
    rate = learner.learning_rate()
    _set_rates(learner, settings, rate)
    entropy_weight, magnet_weight = learner.entropy_weight(), learner.magnet_weight()
    # The clip is around what the critic put out, so in the units in which it did; the target comes in the new ones.
    old_value = learner.values.normalised(batch.value)
    if settings.value_normalisation:
        learner.values.update(batch.target)
    target = learner.values.normalised(batch.target)
    advantage = _standardised(batch.advantage) if settings.advantage_normalisation else batch.advantage

    tally = _Tally(len(learner.game.seats))
    steps = epochs = 0
    networks = (learner.actor, learner.critic)
    enough = False
    while epochs < settings.epochs and not enough:
        moves = networks if learner.learns_policy(epochs) else networks[1:]
        parameters = [parameter for network in moves for parameter in network.parameters()]
        divergence: list[Tensor] = []
        for rows, size in _lots(batch, settings.minibatch, generator):
            task = _Task(batch, advantage, old_value, target, settings, entropy_weight, magnet_weight, epochs, size)
            compute = partial(_gradients, learner, task, parameters)
            pieces = threads.map(compute, rows.split(_piece(rows, batch, learner.piece)))
            learner.optimiser.zero_grad(set_to_none=True)
            for index, parameter in enumerate(parameters):
                parameter.grad = torch.stack([piece.gradients[index] for piece in pieces]).sum(0)
            measured = torch.stack([piece.measured for piece in pieces]).sum(0)
            norm = _clipped(networks, settings.max_grad_norm)
            steps += 1
            tick(min(steps * settings.minibatch / (settings.epochs * count), 1.0))
            if bool(torch.isfinite(measured.sum() + norm.sum())):
                learner.optimiser.step()
                tally.add(measured, norm, torch.stack([piece.by_seat for piece in pieces]).sum(0), len(moves) > 1)
                divergence.append(measured[_MEASURED.index("approx_kl")])
        epochs += 1
        enough = bool(divergence) and learner.is_enough(float(torch.stack(divergence).mean()))
    learner.optimiser.zero_grad(set_to_none=True)
    learner.steps += count
    learner.skipped = 0 if tally.steps else learner.skipped + 1
    learner.move_magnet()
    # Only now: while a batch is learned from, networks must say of it what they said when it was played.
    learner.observe({"actor": batch.obs, "critic": batch.inputs})
    return tally.metrics(learner, magnet_weight) | {
        "explained_variance": _explained_variance(batch.value, batch.target),
        "value": float(batch.value.mean()),
        "entropy_weight": entropy_weight,
        "learning_rate": rate,
        "skipped_steps": float(steps - tally.steps),
        "epochs": float(epochs),
        "agent_steps": float(count),
    }


class _Tally:
    """What was measured over the gradient steps that were taken. steps: how many; moved: how many moved the actor."""

    def __init__(self, seats: int) -> None:
        self.steps = self.moved = 0
        self._measured, self._norms = torch.zeros(len(_MEASURED)), torch.zeros(2)
        self._by_seat = torch.zeros(2, seats)

    def add(self, measured: Tensor, norms: Tensor, by_seat: Tensor, moved: bool) -> None:
        """One more step. norms: of the actor's gradient and the critic's. by_seat: `[2, S]`, as of `_Piece`."""
        self.steps, self.moved = self.steps + 1, self.moved + moved
        self._measured, self._norms = self._measured + measured.cpu(), self._norms + norms.cpu()
        self._by_seat = self._by_seat + by_seat.cpu()

    def metrics(self, learner: ActorCritic, magnet_weight: float) -> dict[str, float]:
        """Means over the steps (of what concerns the actor, those that moved it), and approx_kl by seat."""
        found = dict(zip(_MEASURED, self._measured.tolist(), strict=True)) | {"grad_norm": float(self._norms[0])}
        if learner.magnet is None:
            del found["magnet_kl"]
        critics = {"value_loss": found.pop("value_loss"), "critic_grad_norm": float(self._norms[1])}
        found = {name: total / self.moved for name, total in found.items()} if self.moved else {}
        found |= {name: total / self.steps for name, total in critics.items()} if self.steps else {}
        found |= {"magnet_weight": magnet_weight} if learner.magnet is not None else {}
        seats = learner.game.seats if len(learner.game.seats) > 1 else ()
        totals, counts = self._by_seat.tolist()
        return found | {
            f"approx_kl/{name}": total / count
            for name, total, count in zip(seats, totals, counts, strict=bool(seats))
            if count
        }


def distance(error: Tensor, settings: ActorCriticSettings | ReplaySettings) -> Tensor:
    """Half the squared error, or Huber's loss, by row."""
    if settings.value_loss == "huber":
        return nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=settings.huber_delta)
    return 0.5 * error.square()


@dataclass(frozen=True, slots=True)
class _Task:
    """What all rows of a minibatch share. old_value, target: in the critic's units. size: its decisions."""

    batch: Batch
    advantage: Tensor
    old_value: Tensor
    target: Tensor
    settings: ActorCriticSettings
    entropy_weight: float
    magnet_weight: float
    epoch: int
    size: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """The share that some decisions have in a minibatch.

    gradients: of the loss, by parameter. measured: as `_MEASURED`. by_seat: `[2, S]`, sum of approx_kl and number of
    decisions of each seat.
    """

    gradients: list[Tensor]
    measured: Tensor
    by_seat: Tensor


def _gradients(learner: ActorCritic, task: _Task, parameters: Sequence[Tensor], rows: Tensor) -> _Piece:
    """rows: which decisions of the batch, or which chunks where there are some."""
    batch, settings, learns = task.batch, task.settings, learner.learns_policy(task.epoch)
    with torch.autocast(rows.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
        take, logits, said = _said(learner, batch, rows, learns)
    value = learner.worth(said, batch.action.index_select(0, take))
    value_loss = learner.value_loss(value, task.old_value.index_select(0, take), task.target.index_select(0, take))
    loss = settings.value_coefficient * value_loss.sum()
    measured, by_seat = torch.zeros(len(_MEASURED), device=rows.device), torch.zeros((2, 1), device=rows.device)
    if logits is not None:
        space, mask = learner.role.actions, None if batch.mask is None else batch.mask.index_select(0, take)
        given = distribution(space, logits, mask)
        old = batch.log_prob.index_select(0, take)
        log_ratio = log_prob(space, given, batch.action.index_select(0, take)) - old
        ratio = log_ratio.exp()
        policy_loss = learner.policy_loss(ratio, task.advantage.index_select(0, take)).sum()
        entropy = entropy_of(space, given).sum()
        loss = loss + policy_loss - task.entropy_weight * entropy
        pull = torch.zeros((), device=rows.device)
        if learner.magnet is not None:
            with torch.no_grad():
                other = distribution(space, _logits(learner.magnet, batch, rows, take), mask)
            pull = kl(space, given, other).sum()
            loss = loss + task.magnet_weight * pull
    gradients = torch.autograd.grad(loss / task.size, parameters)
    with torch.no_grad():
        if logits is not None:
            divergence = (ratio - 1) - log_ratio
            clipped = ((ratio - 1).abs() > learner.clip_range()).sum()
            measured = torch.stack((policy_loss, value_loss.sum(), entropy, divergence.sum(), clipped, pull))
            by_seat = _by_seat(divergence, batch.seat.index_select(0, take), len(learner.game.seats))
        else:
            measured[_MEASURED.index("value_loss")] = value_loss.sum()
        return _Piece(list(gradients), measured / task.size, by_seat)


def _said(learner: ActorCritic, batch: Batch, rows: Tensor, learns: bool) -> tuple[Tensor, Tensor | None, Tensor]:
    """Decisions `[n]`, what the actor says of them `[n, A]` and the critic `[n, outputs]`.

    rows: see `_gradients`. learns: whether the actor moves; it is not asked where it does not.
    """
    actor, critic = learner.actor, learner.critic
    if batch.chunks is not None:
        take = batch.chunks.index[:, rows][batch.chunks.there[:, rows]]
        said = _through_time(critic, batch, batch.inputs, batch.chunks.critic, rows, take)
        return take, _logits(actor, batch, rows, take) if learns else None, said
    seat = batch.seat.index_select(0, rows)
    if learns and batch.inputs is batch.obs and actor.trunk_is_plain and critic.trunk_is_plain:
        features = actor.features(batch.obs.index_select(0, rows), seat)
        return rows, actor.answer(features), critic.answer(features)
    logits = actor(batch.obs.index_select(0, rows), seat) if learns else None
    return rows, logits, critic(batch.inputs.index_select(0, rows), seat)


def _logits(network: Network, batch: Batch, rows: Tensor, take: Tensor) -> Tensor:
    """What an actor, or its magnet, says of the decisions `take`; what it remembers is what the actor remembered."""
    if batch.chunks is None:
        said: Tensor = network(batch.obs.index_select(0, take), batch.seat.index_select(0, take))
        return said
    return _through_time(network, batch, batch.obs, batch.chunks.actor, rows, take)


def _through_time(
    network: Network, batch: Batch, inputs: Tensor, memory: Tensor | None, rows: Tensor, take: Tensor
) -> Tensor:
    """`[n, outputs]` of the decisions `take` in the chunks `rows`. memory: `[G, M]` before them, None without."""
    chunks = batch.chunks
    if chunks is None or memory is None:
        said: Tensor = network(inputs.index_select(0, take), batch.seat.index_select(0, take))
        return said
    index = chunks.index[:, rows]
    seen = inputs.index_select(0, index.flatten()).unflatten(0, index.shape)
    answers = network.unroll(seen, batch.seat[index[0]], memory.index_select(0, rows), chunks.fresh[:, rows])
    return answers[chunks.there[:, rows]]


def _clipped(networks: Sequence[Network], most: float) -> Tensor:
    """Scale down each network's gradients to the norm `most`; returns their norms before, 0 where there are none."""
    norms = [nn.utils.clip_grad_norm_(network.parameters(), most) for network in networks]
    # Of a network without gradients, torch puts it on the CPU, wherever the network lies.
    return torch.stack([norm.to(next(networks[0].parameters()).device) for norm in norms])


def _by_seat(values: Tensor, seat: Tensor, seats: int) -> Tensor:
    """`[2, seats]`: sum and number of the values `[n]` of each seat `[n]`."""
    one_hot = (seat == torch.arange(seats, device=seat.device)[:, None]).to(values.dtype)
    return torch.stack((one_hot @ values, one_hot.sum(1)))


def _set_rates(learner: ActorCritic, settings: ActorCriticSettings, rate: float) -> None:
    """Step sizes of the actor and of the critic, which moves in the same proportion."""
    critic = settings.critic_learning_rate
    actor_group, critic_group = learner.optimiser.param_groups
    actor_group["lr"] = rate
    critic_group["lr"] = rate if critic is None else critic * rate / settings.learning_rate


def _standardised(values: Tensor) -> Tensor:
    """Shifted and scaled to mean 0 and standard deviation 1, `[L]`; a single value is left as it is."""
    return (values - values.mean()) / (values.std() + 1e-8) if len(values) > 1 else values


def _piece(rows: Tensor, batch: Batch, most: int) -> int:
    """Into pieces of what size a minibatch is cut: small enough to be shared out, large enough to be worth it."""
    length = 1 if batch.chunks is None else len(batch.chunks.index)
    return max(min(most, max(len(rows) * length // 4, _WORTH_IT)) // length, 1)


def _lots(batch: Batch, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, int]]:
    """Minibatches of about `size` decisions: which (of the chunks, where there are some), and how many it holds."""
    device = batch.action.device
    if batch.chunks is None:
        for rows in _minibatches(len(batch.action), size, generator, device):
            yield rows, len(rows)
        return
    length, count = batch.chunks.index.shape
    held = batch.chunks.there.sum(0)
    for rows in _minibatches(count, max(size // length, 1), generator, device):
        yield rows, int(held[rows].sum())


def _minibatches(count: int, size: int, generator: torch.Generator, device: torch.device) -> list[Tensor]:
    """A random partition of `count` things; a remainder under half of `size` is left out of this epoch."""
    order = torch.randperm(count, generator=generator).to(device)
    parts = list(order.split(size))
    if len(parts) > 1 and 2 * len(parts[-1]) < size:
        parts.pop()
    return parts


def _explained_variance(value: Tensor, target: Tensor) -> float:
    """1 - Var(target - value) / Var(target); 0 where the targets do not vary."""
    variance = float(target.var(unbiased=False))
    return 0.0 if variance < 1e-12 else 1.0 - float((target - value).var(unbiased=False)) / variance
