"""Several neural policies of one architecture, evaluated together: one batched matrix product a layer for all of them.

Letters in shapes: P policies, C rows of each, N rows, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from league.policies.neural import NeuralPolicy


class Stack:
    """Copies of the weights of P policies of one architecture; what becomes of the policies later changes nothing."""

    def __init__(self, policies: Sequence[NeuralPolicy]) -> None:
        actor = policies[0].actor
        self.size, self._spec, self._trunk = len(policies), actor.spec, actor.trunk
        weights = [dict(policy.actor.named_parameters()) for policy in policies]
        stacked = {name: torch.stack([one[name].detach() for one in weights]) for name in weights[0]}
        self._convolutions = {
            name.removeprefix("trunk."): value for name, value in stacked.items() if name.startswith("trunk.")
        }
        linear = [name for name, layer in actor.named_modules() if isinstance(layer, nn.Linear)]
        self._layers = [(stacked[f"{name}.weight"].mT, stacked[f"{name}.bias"][:, None]) for name in linear]

    def logits(self, obs: Tensor, seat: Tensor, which: Tensor, capacity: int) -> Tensor:
        """`[N, A]` float32: to each row, what policy number `which` of the stack says.

        obs: `[N, *obs_shape]`. seat: `[N]`. which: `[N]` int64, -1 for rows that are nobody's (their logits are 0).
        capacity: C, as many rows as one policy may have at most. Nothing here waits for the device.
        """
        device, count = which.device, len(which)
        order = which.argsort(stable=True)
        grouped = which[order]
        begin = torch.searchsorted(grouped, torch.arange(self.size, device=device))
        place = grouped * capacity + torch.arange(count, device=device) - begin[grouped.clamp(min=0)]
        # Rows that are nobody's all go to one place behind the rest.
        place = torch.where(grouped < 0, self.size * capacity, place)
        # Whole rows are only ever gathered: that is several times faster than scattering them.
        source = torch.zeros(self.size * capacity + 1, dtype=torch.int64, device=device)
        source = source.index_copy_(0, place, order)[:-1]
        seen = obs.index_select(0, source).unflatten(0, (self.size, capacity))
        found = self._forward(seen, seat[source].view(self.size, capacity)).flatten(0, 1)
        found = torch.cat((found, found.new_zeros((1, found.shape[1]))))
        return found.index_select(0, torch.empty_like(place).index_copy_(0, order, place))

    def _forward(self, obs: Tensor, seat: Tensor) -> Tensor:
        """`[P, C, ...]` → `[P, C, A]`, as `Network.forward` does it for one policy."""
        with torch.no_grad():
            hidden = obs.to(torch.float32) if self._convolutions or obs.is_floating_point() else obs
            if self._convolutions:
                hidden = vmap(lambda weights, one: functional_call(self._trunk, weights, (one,)))(
                    self._convolutions, hidden
                )
            one_hot = (seat[..., None] == torch.arange(self._spec.seats, device=seat.device)).to(torch.float32)
            hidden = torch.cat((hidden.flatten(2), one_hot), 2)
            for depth, (weight, bias) in enumerate(self._layers):
                hidden = torch.baddbmm(bias, hidden, weight)
                if depth < len(self._layers) - 1:
                    hidden = hidden.relu_() if self._spec.activation == "relu" else hidden.tanh_()
        return hidden
