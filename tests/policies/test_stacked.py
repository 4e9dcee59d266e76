"""A stack says what each of its networks says alone, in whatever order their rows come."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from league.games.actions import Discrete
from league.policies.architecture import NetworkSpec
from league.policies.core import Rows
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy
from league.policies.scripted import Random
from league.policies.stacked import Stack, stackable

SPECS = {
    "relu": NetworkSpec(kind="mlp", inputs=(5,), seats=3, outputs=4, hidden=(16, 8)),
    "tanh": NetworkSpec(kind="mlp", inputs=(5,), seats=3, outputs=4, hidden=(16, 8), activation="tanh"),
    "linear": NetworkSpec(kind="mlp", inputs=(5,), seats=3, outputs=4, hidden=()),
    "planes": NetworkSpec(kind="mlp", inputs=(2, 3, 4), seats=2, outputs=4, hidden=(16,)),
    "conv": NetworkSpec(kind="conv", inputs=(2, 3, 4), seats=2, outputs=4, hidden=(16,), channels=(4, 6)),
    "conv, tanh": NetworkSpec(
        kind="conv", inputs=(2, 3, 4), seats=2, outputs=4, hidden=(16,), channels=(4,), activation="tanh"
    ),
}
REMEMBERING = {
    "stack": replace(SPECS["relu"], memory="stack", length=3),
    "stack of planes": replace(SPECS["conv"], memory="stack", length=3, normalised=True),
    "gru": replace(SPECS["tanh"], memory="gru", units=6),
    "gru over convolutions": replace(SPECS["conv"], memory="gru", units=6, normalised=True),
    "lstm": replace(SPECS["relu"], memory="lstm", units=6, normalised=True),
    "lstm by seat": replace(SPECS["relu"], memory="lstm", units=6, groups=(0, 1, 0)),
    "transformer": replace(SPECS["tanh"], memory="transformer", length=3, units=8),
    "transformer by seat": replace(SPECS["relu"], memory="transformer", length=3, units=8, groups=(2, 1, 0)),
}
SPECS |= {
    "normalised": replace(SPECS["relu"], normalised=True),
    "normalised planes": replace(SPECS["conv"], normalised=True),
    "by seat": replace(SPECS["relu"], groups=(0, 1, 0)),
    "planes by seat": replace(SPECS["conv"], groups=(0, 1), normalised=True),
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
        if spec.normalised:
            moments = torch.rand((2, *spec.inputs), generator=generator)
            network.normalise_with(moments[0], moments[1] + 0.5)
        found.append(NeuralPolicy("player", network))
    return found


def remembered(policies: list[NeuralPolicy], seen: Rows) -> Tensor:
    """`[N, M]`: what two decisions of the first policy leave behind."""
    memory = None
    for turn in range(2):
        memory = policies[0].recall(Rows(seen.obs.roll(turn + 1, 0), None, seen.seat, memory=memory))[1]
    assert memory is not None
    return memory


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
    said, _ = Stack(policies).recall(seen.obs, seen.seat, None, None, which, MOST + spare)
    assert said.dtype == torch.float32
    torch.testing.assert_close(said, alone(policies, seen, which), rtol=1e-5, atol=1e-5)
    assert not said[which < 0].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("name", REMEMBERING)
@pytest.mark.parametrize("begun", [False, True])
def test_each_network_remembers_what_it_remembers_alone(name: str, dtype: torch.dtype, begun: bool) -> None:
    spec = REMEMBERING[name]
    policies, seen, which = networks(spec), rows(spec, dtype), torch.tensor(WHICH)
    memory = remembered(policies, seen) if begun else None
    said, after = Stack(policies).recall(seen.obs, seen.seat, memory, None, which, MOST + 2)
    assert after is not None
    for row, index in enumerate(WHICH):
        if index < 0:
            assert not said[row].any()
            assert not after[row].any()
            continue
        one = slice(row, row + 1)
        alone = Rows(seen.obs[one], None, seen.seat[one], memory=None if memory is None else memory[one])
        wanted, left = policies[index].recall(alone)
        torch.testing.assert_close(said[one], wanted, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(after[one], left, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["relu", "by seat"])
def test_policies_may_be_greedy_each_in_its_own_way(name: str) -> None:
    policies, seen, which = networks(SPECS[name]), rows(SPECS[name], torch.float32), torch.tensor(WHICH)
    for policy, epsilon in zip(policies, (0.0, None, 1.0, 0.25), strict=True):
        policy.epsilon = epsilon
    mask = torch.rand((len(WHICH), 4), generator=torch.Generator().manual_seed(2)) < 0.6
    mask[:, 2] = True
    said, _ = Stack(policies).recall(seen.obs, seen.seat, None, mask, which, MOST)
    for row, index in enumerate(WHICH):
        one = slice(row, row + 1)
        wanted = policies[index].logits(Rows(seen.obs[one], mask[one], seen.seat[one])) if index >= 0 else 0 * said[one]
        torch.testing.assert_close(said[one], wanted, rtol=1e-5, atol=1e-5)


def test_what_is_no_faster_together_is_not_stacked() -> None:
    (network,) = networks(REMEMBERING["transformer"], 1)
    (costly,) = networks(replace(SPECS["conv"], memory="transformer", length=3, units=8), 1)
    assert stackable(network)
    assert not stackable(costly)
    assert not stackable(Random("player", Discrete(4)))


def test_all_rows_may_be_one_networks_or_nobodys() -> None:
    spec = SPECS["relu"]
    policies, seen = networks(spec), rows(spec, torch.float32)
    stack = Stack(policies)
    for index in (0, 2, 3, -1):
        which = torch.full((len(WHICH),), index)
        said, _ = stack.recall(seen.obs, seen.seat, None, None, which, len(WHICH))
        torch.testing.assert_close(said, alone(policies, seen, which), rtol=1e-5, atol=1e-5)


def test_a_stack_keeps_the_weights_that_it_was_made_of() -> None:
    for name in ("relu", "conv"):
        policies, seen, which = networks(SPECS[name]), rows(SPECS[name], torch.float32), torch.tensor(WHICH)
        stack = Stack(policies)
        before = alone(policies, seen, which)
        with torch.no_grad():
            for value in policies[3].actor.parameters():
                value.add_(1.0)
        said, _ = stack.recall(seen.obs, seen.seat, None, None, which, MOST)
        torch.testing.assert_close(said, before, rtol=1e-5, atol=1e-5)
        assert not torch.allclose(alone(policies, seen, which), before, atol=1e-2)


def test_observations_are_left_as_they_were() -> None:
    spec = SPECS["conv"]
    seen = rows(spec, torch.float32)
    before = seen.obs.clone()
    Stack(networks(spec)).recall(seen.obs, seen.seat, None, None, torch.tensor(WHICH), MOST)
    assert torch.equal(seen.obs, before)
