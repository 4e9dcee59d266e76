"""One update, from a rollout to new weights: PPO on a page. Read it top to bottom.

`make_batch`  evaluates the critic along each seat's own decisions and turns its values into advantages and targets.
`update`      passes over the batch in shuffled minibatches and takes a gradient step on each.
`_gradients`  is the loss of some decisions of a minibatch: policy loss + value loss - entropy bonus + barrier + magnet.

What differs from algorithm to algorithm is a value, an `Objective`: `ppo` and `coma` declare theirs.
Letters in shapes: D own decisions, N chains, B slots, R seats of the role, L decisions learned from, S seats of the
game, M numbers of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from league.events import Tick
from league.games.core import GameSpec, RoleSpec
from league.learning.learner import SINGLE_THREAD, TrainingInput, move_towards
from league.learning.on_policy import losses
from league.learning.on_policy.advantages import Estimates, explained_variance, standardise
from league.learning.on_policy.batch import Batch, make_chunks, microbatches, minibatches
from league.learning.on_policy.critic import CriticInputs, CriticOutput, evaluate_critic
from league.learning.on_policy.forward import actor_logits, forward
from league.learning.on_policy.metrics import MEASURED, StepMetrics, sum_by_seat
from league.learning.on_policy.value_statistics import ValueStatistics
from league.learning.settings import ActorCriticSettings
from league.play.decisions import Decisions
from league.play.trajectory import Chains, Rollout, all_decisions
from league.policies.distributions import distribution, log_prob
from league.policies.networks import Network
from league.threads import Threads


@dataclass(slots=True, kw_only=True)
class TrainState:
    """Everything that an update changes.

    optimiser: its parameter groups are the actor's and the critic's. values: running statistics of the value targets.
    magnet: the slower copy of the actor that holds it back, None without one; magnet_age: updates since it was made.
    steps: agent-steps trained. skipped: consecutive updates without a single finite gradient step.
    """

    actor: Network
    critic: Network
    optimiser: torch.optim.Optimizer
    values: ValueStatistics
    magnet: Network | None
    magnet_age: int
    steps: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """An algorithm's objective in one update: its functions, and the weights in force.

    critic_inputs: what the critic sees of a rollout. estimates: (state, chains, rows, the critic's output, own
    decisions `[D, N]` bool) → values, targets and advantages. decision_value: (outputs `[n, outputs]`, action
    `[n, ...]`) → the value of each decision `[n]`. policy_loss: (ratio, advantage) → `[n]`. value_loss: (value, old
    value, target) → `[n]`, all in the critic's units.
    half_precision: whether networks compute in bfloat16.
    clip: how far a probability ratio may be from 1 before clip_fraction counts it. target_kl: the update ends after an
    epoch whose approx_kl exceeds 1.5 times this; None: never. policy_epochs: epochs that train the actor, too.
    """

    game: GameSpec
    role: RoleSpec
    settings: ActorCriticSettings
    critic_inputs: Callable[[Rollout, RoleSpec, Decisions], CriticInputs]
    estimates: Callable[[TrainState, Chains, Decisions, CriticOutput, Tensor], Estimates]
    decision_value: Callable[[Tensor, Tensor], Tensor]
    policy_loss: Callable[[Tensor, Tensor], Tensor]
    value_loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    half_precision: bool
    learning_rate: float
    entropy_weight: float
    barrier_weight: float
    magnet_weight: float
    clip: float
    target_kl: float | None
    policy_epochs: int

    def ends_update(self, approx_kl: Sequence[Tensor]) -> bool:
        """Whether `target_kl` ends the update. approx_kl: of the gradient steps of an epoch."""
        if self.target_kl is None or not approx_kl:
            return False
        return float(torch.stack(list(approx_kl)).mean()) > 1.5 * self.target_kl


def make_batch(
    state: TrainState,
    objective: Objective,
    inputs: TrainingInput,
    microbatch_rows: int,
    threads: Threads = SINGLE_THREAD,
) -> tuple[Batch, Tensor | None]:
    """The learner's own decisions with advantages and targets; and the critic's memory `[B, R, M]` for later.

    microbatch_rows: the most rows that a thread computes at once. The number of threads does not change the result.
    """
    rollout, chain, role = inputs.rollout, inputs.chains, objective.role
    rows = all_decisions(rollout, role)
    row = chain.row.clamp(min=0)
    mine = chain.valid & (rows.owner[row] == inputs.owner)
    seen = objective.critic_inputs(rollout, role, rows)
    output = evaluate_critic(
        state.critic,
        seen,
        chain,
        role=role,
        mine=mine,
        memory=inputs.critic_memory,
        microbatch_rows=microbatch_rows,
        threads=threads,
    )
    found = objective.estimates(state, chain, rows, output, mine)
    chosen = found.learnable
    take = row[chosen]
    chunks = None
    if state.actor.memory or state.critic.memory:
        chunks = make_chunks(chain, chosen, objective.settings.chunk, rows.memory, output.memory_before)
    # Networks are given their memory before each chunk, not before each decision.
    decisions = replace(rows, memory=None).take(take)
    batch = Batch(
        decisions=decisions,
        critic_inputs=decisions.obs if seen.decisions is rows.obs else seen.decisions.index_select(0, take),
        value=found.value[chosen],
        target=found.target[chosen],
        advantage=found.advantage[chosen],
        chunks=chunks,
    )
    return batch, output.memory


def update(
    state: TrainState,
    objective: Objective,
    batch: Batch,
    generator: torch.Generator,
    microbatch_rows: int,
    tick: Tick = lambda fraction: None,
    threads: Threads = SINGLE_THREAD,
) -> tuple[TrainState, dict[str, float]]:
    """Train on a batch. Returns the new state and metrics; the old state is used up, its networks change in place.

    generator: shuffles the minibatches. tick: called after each gradient step with the fraction that is done; an
    exception that it raises ends the update. threads: compute the microbatches of each minibatch (`microbatch_rows` at
    most), whose gradients are added up in a fixed order, so that the number of threads does not change the result. A
    gradient step with a non-finite loss or gradient is skipped and leaves the weights as they were.
    """
    settings, count = objective.settings, len(batch)
    if count == 0:
        return state, {"agent_steps": 0.0}
    _set_learning_rates(state.optimiser, objective)
    # The critic's old value is clipped around in the units of its output; the target comes in the updated units.
    old_value = state.values.normalised(batch.value)
    if settings.value_normalisation:
        state.values.update(batch.target)
    target = state.values.normalised(batch.target)
    advantage = standardise(batch.advantage) if settings.advantage_normalisation else batch.advantage
    scaled = replace(batch, value=old_value, target=target, advantage=advantage)

    networks, metrics = (state.actor, state.critic), StepMetrics(len(objective.game.seats))
    attempted = epochs = 0
    while epochs < settings.epochs:
        moves_actor = epochs < objective.policy_epochs
        trained = networks if moves_actor else networks[1:]
        parameters = [parameter for network in trained for parameter in network.parameters()]
        divergence: list[Tensor] = []
        for minibatch, size in minibatches(scaled, settings.minibatch, generator):
            compute = partial(_gradients, state, objective, scaled, size, parameters, moves_actor)
            parts = threads.map(compute, microbatches(minibatch, scaled, microbatch_rows))
            state.optimiser.zero_grad(set_to_none=True)
            for index, parameter in enumerate(parameters):
                parameter.grad = torch.stack([part.gradients[index] for part in parts]).sum(0)
            measured = torch.stack([part.measured for part in parts]).sum(0)
            for network in trained:
                network.tie_gradients()
            norms = clip_gradients(networks, settings.max_grad_norm)
            attempted += 1
            tick(min(attempted * settings.minibatch / (settings.epochs * count), 1.0))
            if bool(torch.isfinite(measured.sum() + norms.sum())):
                state.optimiser.step()
                metrics.add(measured, norms, torch.stack([part.kl_by_seat for part in parts]).sum(0), moves_actor)
                divergence.append(measured[MEASURED.index("approx_kl")])
        epochs += 1
        if objective.ends_update(divergence):
            break
    state.optimiser.zero_grad(set_to_none=True)
    for network in networks:
        network.tie_weights()
    state = replace(
        state,
        magnet_age=_move_magnet(state, settings),
        steps=state.steps + count,
        skipped=0 if metrics.steps else state.skipped + 1,
    )
    return state, metrics.means(objective.game.seats, objective.magnet_weight if state.magnet is not None else None) | {
        "explained_variance": explained_variance(batch.value, batch.target),
        "value": float(batch.value.mean()),
        "entropy_weight": objective.entropy_weight,
        "learning_rate": objective.learning_rate,
        "skipped_steps": float(attempted - metrics.steps),
        "epochs": float(epochs),
        "agent_steps": float(count),
    }


@dataclass(frozen=True, slots=True)
class _Gradients:
    """The share of some decisions in the loss of a minibatch.

    gradients: by parameter. measured: `[6]`, see `MEASURED`. kl_by_seat: `[2, S]`, sum of approx_kl and number of
    decisions of each seat.
    """

    gradients: list[Tensor]
    measured: Tensor
    kl_by_seat: Tensor


def _gradients(
    state: TrainState,
    objective: Objective,
    batch: Batch,
    size: int,
    parameters: Sequence[Tensor],
    moves_actor: bool,
    rows: Tensor,
) -> _Gradients:
    """Of the loss (policy loss + value loss - entropy bonus + barrier + magnet), summed over some decisions.

    batch: its values and targets are in the critic's units. size: decisions of the minibatch, by which everything is
    divided. rows: numbers of decisions, or of chunks where the batch has some.
    """
    settings, space, decisions = objective.settings, objective.role.actions, batch.decisions
    with torch.autocast(rows.device.type, torch.bfloat16, enabled=objective.half_precision):
        outputs = forward(state.actor, state.critic, batch, rows, with_actor=moves_actor)
    take = outputs.take
    action = decisions.action.index_select(0, take)
    value = objective.decision_value(outputs.critic, action)
    old_value, target = batch.value.index_select(0, take), batch.target.index_select(0, take)
    value_loss = objective.value_loss(value, old_value, target).sum()
    loss = settings.value_coefficient * value_loss
    if outputs.logits is None:
        gradients = torch.autograd.grad(loss / size, parameters)
        measured = torch.zeros(len(MEASURED), device=rows.device)
        measured[MEASURED.index("value_loss")] = value_loss.detach()
        return _Gradients(list(gradients), measured / size, torch.zeros((2, 1), device=rows.device))

    mask = None if decisions.mask is None else decisions.mask.index_select(0, take)
    policy = distribution(space, outputs.logits, mask)
    log_ratio = log_prob(space, policy, action) - decisions.log_prob.index_select(0, take)
    ratio = log_ratio.exp()
    policy_loss = objective.policy_loss(ratio, batch.advantage.index_select(0, take)).sum()
    entropy = losses.entropy(space, policy).sum()
    loss = loss + policy_loss - objective.entropy_weight * entropy
    if objective.barrier_weight > 0:
        loss = loss + objective.barrier_weight * losses.log_barrier(space, policy).sum()
    magnet_kl = torch.zeros((), device=rows.device)
    if state.magnet is not None:
        with torch.no_grad():
            magnet = distribution(space, actor_logits(state.magnet, batch, rows, take), mask)
        magnet_kl = losses.magnet_kl(space, policy, magnet).sum()
        loss = loss + objective.magnet_weight * magnet_kl
    gradients = torch.autograd.grad(loss / size, parameters)
    with torch.no_grad():
        divergence = losses.approx_kl(ratio, log_ratio)
        clipped = losses.is_clipped(ratio, objective.clip).sum()
        measured = torch.stack((policy_loss, value_loss, entropy, divergence.sum(), clipped, magnet_kl))
        kl_by_seat = sum_by_seat(divergence, decisions.seat.index_select(0, take), len(objective.game.seats))
    return _Gradients(list(gradients), measured / size, kl_by_seat)


def clip_gradients(networks: Sequence[Network], max_norm: float) -> Tensor:
    """Scale down each network's gradients to `max_norm`; returns their norms before that, 0 where there are none."""
    norms = [nn.utils.clip_grad_norm_(network.parameters(), max_norm) for network in networks]
    # For a network without gradients torch returns a norm on the CPU, wherever the network is.
    return torch.stack([norm.to(next(networks[0].parameters()).device) for norm in norms])


def _set_learning_rates(optimiser: torch.optim.Optimizer, objective: Objective) -> None:
    """The critic's learning rate is annealed in the same proportion as the actor's."""
    settings, rate = objective.settings, objective.learning_rate
    critic = settings.critic_learning_rate
    actor_group, critic_group = optimiser.param_groups
    actor_group["lr"] = rate
    critic_group["lr"] = rate if critic is None else critic * rate / settings.learning_rate


def _move_magnet(state: TrainState, settings: ActorCriticSettings) -> int:
    """Move the magnet towards the actor, or onto it once in `magnet_every` updates. Returns its new age."""
    if state.magnet is None:
        return state.magnet_age
    age, every, rate = state.magnet_age + 1, settings.magnet_every, settings.magnet_rate
    if every is not None:
        rate = 1.0 if age % every == 0 else 0.0
    move_towards(state.magnet, state.actor, rate)
    return age
