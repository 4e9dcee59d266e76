"""Losses of actors and critics, and what is measured beside them. Pure functions of tensors, one value per decision.

Letters in shapes: n decisions, W numbers that a network puts out for each (see `policies.distributions`).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from league.games.actions import ActionSpace
from league.policies import distributions


def clipped_policy_loss(ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """PPO's clipped surrogate, `[n]` (Schulman et al. 2017, arXiv:1707.06347, eq. 7).

    L = -min(ρ A, clip(ρ, 1 - ε, 1 + ε) A), with the probability ratio ρ = π(a|s) / π_old(a|s).

    ratio, advantage: `[n]`. clip: ε.
    """
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def counterfactual_policy_loss(ratio: Tensor, advantage: Tensor) -> Tensor:
    """COMA's policy gradient as a loss, `[n]` (Foerster et al. 2018, arXiv:1705.08926, eq. 5).

    L = -ρ A. At ρ = 1, where every update begins, ∇ρ = ∇ log π(a|s), so the gradient is -A ∇ log π(a|s).

    ratio: `[n]`, π(a|s) / π_old(a|s). advantage: `[n]`, over the counterfactual baseline (`advantages`).
    """
    return -ratio * advantage


def regression_loss(error: Tensor, kind: Literal["squared", "huber"], huber_delta: float) -> Tensor:
    """Half the squared error, or Huber's loss (Huber 1964), in the shape of `error`.

    squared: e² / 2. huber: e² / 2 where |e| ≤ δ, else δ (|e| - δ / 2).
    """
    if kind == "huber":
        return nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=huber_delta)
    return 0.5 * error.square()


def clipped_value_loss(
    value: Tensor,
    old_value: Tensor,
    target: Tensor,
    clip: float,
    kind: Literal["squared", "huber"],
    huber_delta: float,
) -> Tensor:
    """The larger of the clipped and the unclipped value loss, `[n]` (the implementation of Schulman et al. 2017).

    L = max(ℓ(V - R), ℓ(V_old + clip(V - V_old, -ε, ε) - R)), with ℓ the `regression_loss`.

    value, old_value, target: `[n]`, all in the critic's units. clip: ε; 0 turns clipping off.
    """
    loss = regression_loss(value - target, kind, huber_delta)
    if clip > 0:
        near = old_value + (value - old_value).clamp(-clip, clip)
        loss = torch.maximum(loss, regression_loss(near - target, kind, huber_delta))
    return loss


def entropy(space: ActionSpace, policy: Tensor) -> Tensor:
    """H(π) = -Σ_a π(a|s) log π(a|s), `[n]`: the bonus against early determinism (Williams & Peng 1991).

    policy: `[n, W]`, as `distributions.distribution` gives it.
    """
    return distributions.entropy(space, policy)


def log_barrier(space: ActionSpace, policy: Tensor) -> Tensor:
    """KL(uniform ‖ π), `[n]` (Agarwal et al. 2021, "On the Theory of Policy Gradient Methods", log-barrier).

    The gradient of the entropy vanishes with the probability of an action; that of the barrier does not: it is π - 1/n
    for the logits of n legal actions. So an action that seemed bad goes on being tried.

    policy: `[n, W]`, as `distributions.distribution` gives it.
    """
    return distributions.kl_from_uniform(space, policy)


def magnet_kl(space: ActionSpace, policy: Tensor, magnet: Tensor) -> Tensor:
    """KL(π ‖ π_magnet), `[n]`: magnetic mirror descent's regulariser (Sokota et al. 2023, arXiv:2206.05825, eq. 7).

    policy, magnet: `[n, W]`, as `distributions.distribution` gives them; no gradient flows into the magnet.
    """
    return distributions.kl(space, policy, magnet)


def approx_kl(ratio: Tensor, log_ratio: Tensor) -> Tensor:
    """(ρ - 1) - log ρ, `[n]`: an unbiased, non-negative estimate of KL(π_old ‖ π) (Schulman 2020, "k3").

    ratio: `[n]`, ρ. log_ratio: `[n]`, log ρ.
    """
    return (ratio - 1) - log_ratio


def is_clipped(ratio: Tensor, clip: float) -> Tensor:
    """`[n]` bool: the probability ratio is further than `clip` from 1; their share is clip_fraction."""
    return (ratio - 1).abs() > clip
