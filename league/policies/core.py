"""The contract of a policy: N rows of observations in, unnormalised log-probabilities out. No hidden state.

The memory of an episode is an argument and a result of its decisions (`PolicyWithMemory`).

Actions are drawn in one place, `choose`, from a uniform number passed as an argument: a decision never depends on the
rest of the batch, and there is no generator to save.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from league.games.core import Game


@dataclass(slots=True)
class Rows:
    """N decisions to take, all of one role.

    obs: `[N, *obs_shape]` in the game's own dtype. mask: `[N, A]` bool or None. seat: `[N]` int64.
    fork: gives a game of N slots that are copies of the rows' positions, for policies that look ahead; None where the
    game cannot be forked. positions: gives the rows' positions as the game's own library has them (`Game.positions`).
    memory: `[N, M]` float32, the seat's memory after its previous decision; zeros where an episode begins; None for
    policies without memory.
    """

    obs: Tensor
    mask: Tensor | None
    seat: Tensor
    fork: Callable[[], Game] | None = None
    positions: Callable[[], Sequence[object]] | None = None
    memory: Tensor | None = None


class Policy(Protocol):
    """Observation → action distribution, for one role."""

    @property
    def role(self) -> str:
        """The role whose seats it can take."""
        ...

    def logits(self, rows: Rows) -> Tensor:
        """`[N, A]` float32: unnormalised log-probabilities, to which the mask is applied later; A is the `width` of the
        role's actions, which says what else there can be (a box: means and logarithms of deviations)."""
        ...


@runtime_checkable
class PolicyWithMemory(Policy, Protocol):
    """A policy with a memory of M numbers per seat, carried from one decision of an episode to the next."""

    @property
    def memory(self) -> int:
        """M; 0 if the policy uses no memory."""
        ...

    def recall(self, rows: Rows) -> tuple[Tensor, Tensor | None]:
        """`logits`, `[N, A]`, and the memory after the decisions, `[N, M]` float32; None if M is 0."""
        ...


def memory_width(policy: Policy) -> int:
    """The width of a policy's memory; 0 if it declares none."""
    return int(getattr(policy, "memory", 0))


def masked(logits: Tensor, mask: Tensor | None) -> Tensor:
    """Log-probabilities `[N, A]` over legal actions; illegal ones are at the lowest finite value (never NaN)."""
    if mask is not None:
        logits = torch.where(mask, logits, torch.finfo(logits.dtype).min)
    # With few actions per row the softmax is several times faster along columns, where it can be vectorised.
    return torch.log_softmax(logits.t().contiguous(), 0).t()


def highest(scores: Tensor) -> Tensor:
    """Which scores are the highest of their row, `[..., A]` bool: all that equal it but for rounding.

    At a position that is its own mirror image, mirrored actions have equal scores whose last bits depend on what else
    is in the batch: those must not decide.
    """
    best = scores.amax(-1, keepdim=True)
    return scores >= best - 1e-5 * (1.0 + best.abs())


def choose(log_probs: Tensor, uniform: Tensor, temperature: float = 1.0) -> Tensor:
    """Actions `[N]` by inverse transform: the first whose cumulative probability exceeds `uniform` `[N]` in [0, 1).

    temperature: divides the log-probabilities; 0 takes the most probable action, and equals with equal probability (so
    that random play stays random).
    """
    if temperature == 0.0:
        log_probs = torch.where(highest(log_probs), 0.0, -torch.inf)
    elif temperature != 1.0:
        log_probs = torch.log_softmax(log_probs / temperature, -1)
    cumulative = log_probs.exp().cumsum(-1)
    total = cumulative[..., -1:]
    # Rounding may lift uniform * total up to the total: then take the last action with any probability.
    last = (cumulative < total).sum(-1)
    return torch.minimum((cumulative <= uniform[..., None] * total).sum(-1), last)
