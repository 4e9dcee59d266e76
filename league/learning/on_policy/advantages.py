"""Advantages and value targets along chains of own decisions. Pure functions of tensors.

Letters in shapes: D own decisions, N chains, L decisions, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What an algorithm makes of a critic's output. All tensors `[D, N]`.

    value: of each decision, before the update. target: the return that the critic is to learn. advantage: what the
    actor is trained with. learnable: bool, own decisions for which these are known; elsewhere they mean nothing.
    """

    value: Tensor
    target: Tensor
    advantage: Tensor
    learnable: Tensor


def gae(
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    follows: Tensor,
    known: Tensor,
    discount: float,
    lam: float,
) -> Tensor:
    """Generalised advantage estimation, `[D, N]` (Schulman et al. 2016, arXiv:1506.02438, eq. 16).

    A_d = δ_d + γ λ A_{d+1}, with δ_d = r_d + γ V_{d+1} - V_d.

    reward, value: `[D, N]`. next_value: `[D, N]`, the value of the seat's next decision, or of the position in which
    the episode was truncated. terminated: the episode ended by the rules, so the next value is 0 (after a truncation it
    is not). follows: the chain's next entry is the seat's next decision of the same episode; elsewhere the recursion
    starts afresh. known: the outcome of the decision is known; elsewhere δ is 0, so that the decision before it is
    bootstrapped from its value alone. discount: γ. lam: λ.
    """
    delta = torch.where(known, reward + discount * torch.where(terminated, 0.0, next_value) - value, 0.0)
    decay = torch.where(follows, discount * lam, 0.0)
    advantage = torch.zeros_like(delta)
    running = torch.zeros_like(delta[0])
    for d in range(len(delta) - 1, -1, -1):
        running = delta[d] + decay[d] * running
        advantage[d] = running
    return advantage


def next_values(value: Tensor, cut_value: Tensor, end_value: Tensor, truncated: Tensor, follows: Tensor) -> Tensor:
    """The value that follows each decision, `[D, N]`, for `gae`.

    value: `[D, N]`, of each decision. cut_value: `[D, N]`, of the position in which the episode was truncated.
    end_value: `[N]`, of the seat's decision on the turn after the rollout.
    """
    shifted = torch.cat((value[1:], torch.zeros_like(value[:1])))
    following = torch.where(follows, shifted, end_value[None].expand_as(value))
    return torch.where(truncated, cut_value, following)


def counterfactual_baseline(probabilities: Tensor, action_values: Tensor) -> Tensor:
    """Σ_a π(a|s) Q(s, a), `[L]` (Foerster et al. 2018, arXiv:1705.08926, eq. 4, second term).

    The expected value over a seat's own actions while the actions of the others stay as they were.

    probabilities, action_values: `[L, A]`.
    """
    return (probabilities * action_values).sum(1)


def standardise(values: Tensor) -> Tensor:
    """Shift and scale to mean 0 and standard deviation 1, `[L]`; a single value is left as it is."""
    return (values - values.mean()) / (values.std() + 1e-8) if len(values) > 1 else values


def explained_variance(value: Tensor, target: Tensor) -> float:
    """1 - Var(target - value) / Var(target); 0 where the targets do not vary."""
    variance = float(target.var(unbiased=False))
    return 0.0 if variance < 1e-12 else 1.0 - float((target - value).var(unbiased=False)) / variance
