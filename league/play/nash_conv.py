"""NashConv: what best responses gain against policies, exactly, in a game that is traversed as a whole.

NashConv (Lanctot et al. 2017, "A Unified Game-Theoretic Approach to Multiagent Reinforcement Learning") is the sum of
what the two seats gain by best responses. In a zero-sum game this is the sum of the best responses' scores. It is 0 in
an equilibrium and positive everywhere else. Exploitability is the mean over the seats: half of NashConv.
Letters in shapes: N decisions, A actions, M numbers of memory; Q sequences of a seat (`games.exact.sequence_form`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.errors import PolicyError
from league.games.exact.sequence_form import InformationSets, SequenceForm
from league.policies.core import Policy, PolicyWithMemory, Rows, masked, memory_width
from league.policies.mixture import Mixture

RealizationPlan = npt.NDArray[np.float64]
"""A seat's policy in sequence form, `[Q]`: the product of the probabilities of the seat's own moves in each sequence.

von Stengel 1996, "Efficient Computation of Behavior Strategies".
"""

RealizationPlans = tuple[RealizationPlan, RealizationPlan]

_BATCH_ROWS = 2**14
"""The most decisions in one batch."""


def nash_conv(form: SequenceForm, holders: Iterable[Mapping[str, Policy]]) -> float:
    """NashConv of the uniform mixture of policies, drawn once per episode and independently for each seat.

    holders: policies by role, as in `realization_plans`.
    """
    firsts, seconds = zip(*(realization_plans(form, holder) for holder in holders), strict=True)
    return sum(best_responses(form, (np.mean(firsts, 0), np.mean(seconds, 0))))


def best_responses(form: SequenceForm, plans: RealizationPlans) -> tuple[float, float]:
    """A best response's score per episode at seat 0 against seat 1's plan, and at seat 1 against seat 0's."""
    return (
        _best_response(form.seats[0], form.payoff @ plans[1]),
        _best_response(form.seats[1], -(form.payoff.T @ plans[0])),
    )


def realization_plans(form: SequenceForm, holder: Mapping[str, Policy]) -> RealizationPlans:
    """The realization plans of both seats. holder: by role, the policy at its seats. Raises PolicyError."""
    policies = {seat: holder[role.name] for role in form.spec.roles for seat in role.seats}
    first, second = (_realization_plan(form.seats[seat], seat, policies[seat]) for seat in (0, 1))
    return first, second


def _best_response(decisions: InformationSets, gain: RealizationPlan) -> float:
    """The best response's score. gain: `[Q]`, the payoffs where each sequence ends, weighted by the other's plan."""
    mask = decisions.mask.numpy()
    gain = gain.copy()
    # Backward induction: a decision's best value is added to the sequence that leads to the decision.
    for depth in range(int(decisions.depth.max(initial=-1)), -1, -1):
        here = np.flatnonzero(decisions.depth == depth)
        values = np.where(mask[here], gain[1:].reshape(mask.shape)[here], -np.inf).max(1)
        np.add.at(gain, decisions.parent[here], values)
    return float(gain[0])


def _realization_plan(decisions: InformationSets, seat: int, policy: Policy) -> RealizationPlan:
    """A policy's realization plan at one seat. Its memory is carried along each sequence of decisions.

    That of a mixture is the mean of its members' plans: they are linear in who is drawn for the episode.
    """
    if isinstance(policy, Mixture):
        plans = [_realization_plan(decisions, seat, member) for member in policy.members]
        mean: RealizationPlan = np.average(plans, axis=0, weights=policy.weights)
        return mean
    count, actions = decisions.mask.shape
    width = memory_width(policy)
    plan, after = np.ones(decisions.sequences), torch.zeros((count, width))
    for depth in range(int(decisions.depth.max(initial=-1)) + 1):
        level = np.flatnonzero(decisions.depth == depth)
        for here in np.split(level, range(_BATCH_ROWS, len(level), _BATCH_ROWS)):
            before = decisions.parent[here]
            rows = Rows(decisions.obs[here], decisions.mask[here], torch.full((len(here),), seat))
            if width:
                rows.memory = after[(before - 1) // actions] if depth else torch.zeros((len(here), width))
            probabilities, memory = _act(policy, rows)
            if memory is not None:
                after[here] = memory
            plan[1:].reshape(count, actions)[here] = plan[before][:, None] * probabilities
    return plan


def _act(policy: Policy, rows: Rows) -> tuple[npt.NDArray[np.float64], Tensor | None]:
    """The probability of each action, `[N, A]`, and the memory afterwards, `[N, M]`. Raises PolicyError."""
    if isinstance(policy, PolicyWithMemory) and rows.memory is not None:
        logits, memory = policy.recall(rows)
    else:
        logits, memory = policy.logits(rows), None
    assert rows.mask is not None
    if logits.shape != rows.mask.shape:
        raise PolicyError(
            f"{type(policy).__name__} gives logits of shape {list(logits.shape)}, not {list(rows.mask.shape)}"
        )
    probabilities = masked(logits.detach().cpu().double(), rows.mask).exp()
    if probabilities.isnan().any():
        raise PolicyError(f"{type(policy).__name__} gives logits that yield no probabilities")
    return probabilities.numpy(), memory
