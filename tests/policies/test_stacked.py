"""A stack says what each of its networks says alone, in whatever order their rows come."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from league.policies.core import Rows
from league.policies.networks import Network, NetworkSpec
from league.policies.neural import NeuralPolicy
from league.policies.stacked import Stack

SPECS = {
    "relu": NetworkSpec("mlp", (5,), 3, 4, (16, 8)),
    "tanh": NetworkSpec("mlp", (5,), 3, 4, (16, 8), activation="tanh"),
    "linear": NetworkSpec("mlp", (5,), 3, 4, ()),
    "planes": NetworkSpec("mlp", (2, 3, 4), 2, 4, (16,)),
    "conv": NetworkSpec("conv", (2, 3, 4), 2, 4, (16,), (4, 6)),
    "conv, tanh": NetworkSpec("conv", (2, 3, 4), 2, 4, (16,), (4,), "tanh"),
}
# Three rows of the first network, none of the second, one and five of the others; three are nobody's.
WHICH = (3, -1, 0, 3, 0, 2, -1, 3, 3, 0, -1, 3)
MOST = 5


def networks(spec: NetworkSpec, count: int = 4) -> list[NeuralPolicy]:
    found = []
    for seed in range(count):
        generator = torch.Generator().manual_seed(seed)
        network = Network(spec, 1.0, generator)
        for name, value in network.named_parameters():  # biases begin at 0, which would hide a missing one
            if name.endswith("bias"):
                torch.nn.init.normal_(value, generator=generator)
        found.append(NeuralPolicy("player", network))
    return found


def rows(spec: NetworkSpec, dtype: torch.dtype, count: int = len(WHICH)) -> Rows:
    generator = torch.Generator().manual_seed(7)
    obs = torch.rand((count, *spec.inputs), generator=generator) * 3
    return Rows(obs.to(dtype), None, torch.arange(count) % spec.seats)


def alone(policies: list[NeuralPolicy], seen: Rows, which: Tensor) -> Tensor:
    """Row by row: what the row's network says of it, zeros where it is nobody's."""
    found = [
        policies[index].logits(Rows(seen.obs[row : row + 1], None, seen.seat[row : row + 1]))
        if index >= 0
        else torch.zeros(1, policies[0].actor.spec.outputs)
        for row, index in enumerate(which.tolist())
    ]
    return torch.cat(found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.bool])
@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("spare", [0, 1, 30])
def test_each_network_says_what_it_says_alone(name: str, dtype: torch.dtype, spare: int) -> None:
    policies, seen, which = networks(SPECS[name]), rows(SPECS[name], dtype), torch.tensor(WHICH)
    said = Stack(policies).logits(seen.obs, seen.seat, which, MOST + spare)
    assert said.dtype == torch.float32
    torch.testing.assert_close(said, alone(policies, seen, which), rtol=1e-5, atol=1e-5)
    assert not said[which < 0].any()


def test_all_rows_may_be_one_networks_or_nobodys() -> None:
    spec = SPECS["relu"]
    policies, seen = networks(spec), rows(spec, torch.float32)
    stack = Stack(policies)
    for index in (0, 2, 3, -1):
        which = torch.full((len(WHICH),), index)
        said = stack.logits(seen.obs, seen.seat, which, len(WHICH))
        torch.testing.assert_close(said, alone(policies, seen, which), rtol=1e-5, atol=1e-5)


def test_a_stack_keeps_the_weights_that_it_was_made_of() -> None:
    for name in ("relu", "conv"):
        policies, seen, which = networks(SPECS[name]), rows(SPECS[name], torch.float32), torch.tensor(WHICH)
        stack = Stack(policies)
        before = alone(policies, seen, which)
        with torch.no_grad():
            for value in policies[3].actor.parameters():
                value.add_(1.0)
        said = stack.logits(seen.obs, seen.seat, which, MOST)
        torch.testing.assert_close(said, before, rtol=1e-5, atol=1e-5)
        assert not torch.allclose(alone(policies, seen, which), before, atol=1e-2)


def test_observations_are_left_as_they_were() -> None:
    spec = SPECS["conv"]
    seen = rows(spec, torch.float32)
    before = seen.obs.clone()
    Stack(networks(spec)).logits(seen.obs, seen.seat, torch.tensor(WHICH), MOST)
    assert torch.equal(seen.obs, before)
