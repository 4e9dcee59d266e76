"""What is measured over the gradient steps of an update.

Letters in shapes: n decisions, S seats of the game.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MEASURED = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "magnet_kl")
"""What each gradient step measures, in the order of its tensor `[6]`; means over the decisions of its minibatch."""


class StepMetrics:
    """Sums over the gradient steps that were taken. steps: how many; policy_steps: how many moved the actor, too."""

    def __init__(self, seats: int) -> None:
        self.steps = self.policy_steps = 0
        self._measured, self._norms = torch.zeros(len(MEASURED)), torch.zeros(2)
        self._kl_by_seat = torch.zeros(2, seats)

    def add(self, measured: Tensor, norms: Tensor, kl_by_seat: Tensor, moved_actor: bool) -> None:
        """One more step. measured: `[6]`. norms: of the actor's and the critic's gradient. kl_by_seat: `[2, S]`."""
        self.steps, self.policy_steps = self.steps + 1, self.policy_steps + moved_actor
        self._measured, self._norms = self._measured + measured.cpu(), self._norms + norms.cpu()
        self._kl_by_seat = self._kl_by_seat + kl_by_seat.cpu()

    def means(self, seats: Sequence[str], magnet_weight: float | None) -> dict[str, float]:
        """Means over the steps (for the actor's metrics: over those that moved it), and approx_kl by seat.

        magnet_weight: None without a magnet.
        """
        found = dict(zip(MEASURED, self._measured.tolist(), strict=True)) | {"grad_norm": float(self._norms[0])}
        if magnet_weight is None:
            del found["magnet_kl"]
        critics = {"value_loss": found.pop("value_loss"), "critic_grad_norm": float(self._norms[1])}
        found = {name: total / self.policy_steps for name, total in found.items()} if self.policy_steps else {}
        found |= {name: total / self.steps for name, total in critics.items()} if self.steps else {}
        found |= {} if magnet_weight is None else {"magnet_weight": magnet_weight}
        if len(seats) > 1:
            totals, counts = self._kl_by_seat.tolist()
            by_seat = zip(seats, totals, counts, strict=True)
            found |= {f"approx_kl/{name}": total / count for name, total, count in by_seat if count}
        return found


def sum_by_seat(values: Tensor, seat: Tensor, seats: int) -> Tensor:
    """`[2, seats]`: sum and number of the values `[n]` of each seat `[n]`."""
    one_hot = (seat == torch.arange(seats, device=seat.device)[:, None]).to(values.dtype)
    return torch.stack((one_hot @ values, one_hot.sum(1)))
