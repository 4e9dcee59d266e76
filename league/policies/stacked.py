"""Several neural policies of one architecture, evaluated together: one batched matrix product a layer for all of them.

A policy with groups of weights is several networks here. Letters in shapes: P networks, C rows of each, N rows, A
actions, M numbers of memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from league.policies.core import Policy
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy, epsilon_greedy
from league.policies.normalisation import normalised

_LARGE = 16_384


def is_large(network: Network) -> bool:
    """Whether a network has so many weights that a few dozen rows keep a processor busy."""
    return network.weights > _LARGE


def stackable(policy: Policy) -> bool:
    """Whether a stack of such policies is faster than one after the other, where each has few rows.

    It is not if convolutions process many observations per row: these use the whole processor already.
    """
    if not isinstance(policy, NeuralPolicy):
        return False
    spec = policy.actor.spec
    return (spec.kind, spec.memory) != ("conv", "transformer")


class Stack:
    """Copies of the weights of policies of one architecture; later changes of the policies do not affect them."""

    def __init__(self, policies: Sequence[NeuralPolicy]) -> None:
        members = [member for policy in policies for member in policy.actor.members]
        self.size, self._network = len(members), members[0]
        self._spec, self._step = members[0].spec, _Step(members[0])
        weights = [member.state_dict() for member in members]
        self._weights = {name: torch.stack([one[name].detach() for one in weights]) for name in weights[0]}
        self._convolutions = {
            name.removeprefix("trunk."): value for name, value in self._weights.items() if name.startswith("trunk.")
        }
        # All layers of networks that have no cell or attention.
        head = [f"head.{name}" for name, layer in self._network.head.named_children() if isinstance(layer, nn.Linear)]
        self._layers = [(self._weights[f"{name}.weight"].mT, self._weights[f"{name}.bias"][:, None]) for name in head]
        device = self._weights["head.0.weight"].device
        self._groups = torch.tensor(policies[0].actor.spec.groups, device=device)
        # The last entry is for index -1, rows without a policy.
        chances = [torch.nan if policy.epsilon is None else policy.epsilon for policy in policies]
        self._epsilon = torch.tensor([*chances, torch.nan], device=device)
        self._greedy = any(policy.epsilon is not None for policy in policies)

    def recall(
        self, obs: Tensor, seat: Tensor, memory: Tensor | None, mask: Tensor | None, which: Tensor, capacity: int
    ) -> tuple[Tensor, Tensor | None]:
        """For each row, the outputs and the new memory of policy number `which`, as `NeuralPolicy.recall` gives them.

        Returns `[N, A]`, and `[N, M]` or None, float32. obs: `[N, *obs_shape]`. seat: `[N]`. memory: `[N, M]`, or None
        for zeros. mask: `[N, A]` bool or None. which: `[N]` int64, -1 for rows without a policy, whose outputs are 0.
        capacity: C, the most rows that one policy may have. Nothing here waits for the device.
        """
        network, count = which, len(which)
        if len(self._groups):
            each = self.size // (len(self._epsilon) - 1)
            network = torch.where(which < 0, which, which * each + self._groups[seat])
        device = which.device
        order = network.argsort(stable=True)
        grouped = network[order]
        begin = torch.searchsorted(grouped, torch.arange(self.size, device=device))
        place = grouped * capacity + torch.arange(count, device=device) - begin[grouped.clamp(min=0)]
        # Rows without a policy all go to one place behind the rest.
        place = torch.where(grouped < 0, self.size * capacity, place)
        # Rows are only gathered: that is several times faster than scattering them.
        source = torch.zeros(self.size * capacity + 1, dtype=torch.int64, device=device)
        source = source.index_copy_(0, place, order)[:-1]
        back = torch.empty_like(place).index_copy_(0, order, place)

        def placed(values: Tensor) -> Tensor:
            return values.index_select(0, source).view(self.size, capacity, *values.shape[1:])

        def returned(values: Tensor) -> Tensor:
            flat = values.flatten(0, 1)
            return torch.cat((flat, flat.new_zeros((1, flat.shape[1])))).index_select(0, back)

        if memory is None:
            memory = torch.zeros((count, self._network.memory), device=device)
        with torch.no_grad():
            output, after = self._forward(placed(obs), placed(seat), placed(memory))
            output = returned(output)
            if self._greedy:
                epsilon = self._epsilon[which][:, None]
                output = torch.where(epsilon.isnan(), output, epsilon_greedy(output, mask, epsilon))
        return output, returned(after) if self._network.memory else None

    def _forward(self, obs: Tensor, seat: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """`[P, C, ...]` → `[P, C, A]` and `[P, C, M]`, as `Network.step` does it for one policy."""
        if self._spec.units:
            weights = {f"network.{name}": value for name, value in self._weights.items()}
            found: tuple[Tensor, Tensor] = vmap(lambda own, *rows: functional_call(self._step, own, rows))(
                weights, obs, seat, memory
            )
            return found
        hidden = obs.to(torch.float32) if self._convolutions or obs.is_floating_point() else obs
        if self._spec.memory == "stack":
            past = memory.view(*memory.shape[:2], self._spec.length - 1, *self._spec.inputs)
            hidden = torch.cat((past, obs[:, :, None]), 2)
            memory = hidden[:, :, 1:].flatten(2)
        if self._spec.normalised:
            axes = (1,) * (hidden.dim() - 1 - len(self._spec.inputs))
            moments = (self._weights[f"norm.{name}"].unflatten(0, (-1, *axes)) for name in ("mean", "deviation"))
            hidden = normalised(hidden, *moments)
        if self._spec.memory == "stack":
            hidden = hidden.flatten(2, 3)
        if self._convolutions:
            trunk = self._network.trunk
            planes: Tensor = vmap(lambda weights, one: functional_call(trunk, weights, (one,)))(
                self._convolutions, hidden
            )
            hidden = planes
        one_hot = (seat[..., None] == torch.arange(self._spec.seats, device=seat.device)).to(torch.float32)
        hidden = torch.cat((hidden.flatten(2), one_hot), 2)
        for depth, (weight, bias) in enumerate(self._layers):
            hidden = torch.baddbmm(bias, hidden, weight)
            if depth < len(self._layers) - 1:
                hidden = hidden.relu_() if self._spec.activation == "relu" else hidden.tanh_()
        return hidden, memory


class _Step(nn.Module):
    """`Network.step` as a module's forward, which is what `functional_call` calls."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, obs: Tensor, seat: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.step(obs, seat, memory)
