"""Advantages and value targets along chains of own decisions. Pure functions of tensors.

Letters in shapes: D own decisions, N chains.
"""

from __future__ import annotations

import torch
from torch import Tensor


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

    A_d = delta_d + discount * lam * A_{d+1}, with delta_d = r_d + discount * V_{d+1} - V_d.

    reward, value: `[D, N]`. next_value: `[D, N]`, of what the decision led to: the seat's next decision, or where the
    episode was cut off, the state in which it was. terminated: the episode ended by the rules, so no value follows
    (truncation is not termination: its next_value counts). follows: the chain's next entry is the seat's next
    decision of the same episode; elsewhere the recursion starts anew. known: what came after the decision is known;
    elsewhere delta counts as 0, so that the decision before it leans on its value alone.
    """
    delta = torch.where(known, reward + discount * torch.where(terminated, 0.0, next_value) - value, 0.0)
    decay = torch.where(follows, discount * lam, 0.0)
    advantage = torch.zeros_like(delta)
    running = torch.zeros_like(delta[0])
    for d in range(len(delta) - 1, -1, -1):
        running = delta[d] + decay[d] * running
        advantage[d] = running
    return advantage


def next_values(value: Tensor, cut_value: Tensor, last_value: Tensor, truncated: Tensor, follows: Tensor) -> Tensor:
    """The value of what each decision led to, `[D, N]`, for `gae`.

    value: `[D, N]` of each decision. cut_value: `[D, N]` of the state in which the episode was cut off, where
    truncated. last_value: `[N]` of the seat's decision on the turn after the rollout.
    """
    shifted = torch.cat((value[1:], torch.zeros_like(value[:1])))
    following = torch.where(follows, shifted, last_value[None].expand_as(value))
    return torch.where(truncated, cut_value, following)
