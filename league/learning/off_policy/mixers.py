"""Mixers: the value of a side's joint action from the values of its seats' actions, for QMIX and VDN.

Letters in shapes: n seats of a side, F numbers of the state.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SumMixer(nn.Module):
    """VDN: Q_tot = Σ_i Q_i (Sunehag et al. 2018, arXiv:1706.05296, eq. 6). Also serves sides of one seat."""

    def forward(self, utilities: Tensor, state: Tensor | None) -> Tensor:
        """`[...]` of utilities `[..., n]`. state: ignored."""
        return utilities.sum(-1)


class MonotonicMixer(nn.Module):
    """QMIX: ∂Q_tot/∂Q_i ≥ 0 in every state (Rashid et al. 2018, arXiv:1803.11485, fig. 2).

    A network of two layers with an ELU between them, whose weights hypernetworks compute from the state. Their absolute
    values are used, so that each seat's best action is part of the best joint action.

    seats: n. state: F. width: of the mixing network. hidden: width of the hypernetworks' hidden layer. generator: from
    which their weights are drawn, uniformly within ±1/√(inputs of the layer).
    """

    def __init__(self, seats: int, state: int, width: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.seats, self.width = seats, width
        with torch.device("meta"):
            self.first = nn.Sequential(nn.Linear(state, hidden), nn.ReLU(), nn.Linear(hidden, seats * width))
            self.first_bias = nn.Linear(state, width)
            self.last = nn.Sequential(nn.Linear(state, hidden), nn.ReLU(), nn.Linear(hidden, width))
            self.last_bias = nn.Sequential(nn.Linear(state, width), nn.ReLU(), nn.Linear(width, 1))
        self.to_empty(device="cpu")
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                for weights in layer.parameters():
                    bound = 1 / math.sqrt(layer.in_features)
                    nn.init.uniform_(weights, -bound, bound, generator=generator)

    def forward(self, utilities: Tensor, state: Tensor | None) -> Tensor:
        """`[...]` of utilities `[..., n]`, in the state `[..., F]` float32."""
        assert state is not None
        weights = self.first(state).abs().unflatten(-1, (self.seats, self.width))
        hidden = nn.functional.elu((utilities[..., None] * weights).sum(-2) + self.first_bias(state))
        mixed: Tensor = (hidden * self.last(state).abs()).sum(-1) + self.last_bias(state)[..., 0]
        return mixed
