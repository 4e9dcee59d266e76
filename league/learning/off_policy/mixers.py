"""What a side's joint action is worth, from what each of its seats' actions is: the mixers of QMIX and VDN.

Letters in shapes: n seats of a side, F numbers of the state.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Sum(nn.Module):
    """VDN (Sunehag et al. 2018, arXiv:1706.05296, eq. 6), and the value of a side of one seat."""

    def forward(self, utilities: Tensor, state: Tensor | None) -> Tensor:
        """`[...]` of utilities `[..., n]`. state: not looked at."""
        return utilities.sum(-1)


class Monotonic(nn.Module):
    """QMIX (Rashid et al. 2018, arXiv:1803.11485, fig. 2): it rises with every seat's utility, whatever the state.

    A network of two layers and ELU between them, whose weights are given by networks of the state; absolute values
    make them positive, so that each seat's best action is part of the best joint one.

    seats: n. state: F. width: of the mixing network. hidden: of the networks that give it its weights. generator: what
    these are drawn from, evenly within ±1/√(inputs of the layer).
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
