"""Normalised observations: moments of all that was seen, whatever the batches, and frozen in what is saved."""

from __future__ import annotations

import pytest
import torch

from league.policies.architecture import NetworkSpec
from league.policies.networks import Network
from league.policies.normalisation import RunningMoments, normalised

SPEC = NetworkSpec(kind="mlp", inputs=(3,), seats=2, outputs=4, hidden=(8,), normalised=True)


def test_moments_are_those_of_all_batches_together() -> None:
    seen = torch.randn((100, 2, 3), generator=torch.Generator().manual_seed(0)) * 5 + 1000
    moments = RunningMoments((2, 3))
    for batch in seen.split([1, 0, 29, 70]):
        moments.update(batch)
    mean, deviation = moments.scale()
    assert float(moments.count) == 100
    assert (mean.dtype, deviation.dtype) == (torch.float32, torch.float32)
    wanted = seen.double()
    torch.testing.assert_close(moments.mean, wanted.mean(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(deviation, wanted.std(0, correction=0).float(), rtol=1e-6, atol=0)


def test_before_any_observation_there_is_nothing_to_change() -> None:
    mean, deviation = RunningMoments((3,)).scale()
    assert torch.equal(mean, torch.zeros(3))
    assert torch.equal(deviation, torch.ones(3))


def test_moments_taken_over_give_way_slowly() -> None:
    mean, deviation = torch.tensor([3.0, -1.0]), torch.tensor([0.5, 20.0])
    moments = RunningMoments((2,))
    moments.begin(mean, deviation)
    for found, wanted in zip(moments.scale(), (mean, deviation), strict=True):
        torch.testing.assert_close(found, wanted)
    moments.update(torch.zeros((1_000, 2)))
    weight = 1_000 / 101_000
    torch.testing.assert_close(moments.scale()[0], mean * (1 - weight))
    squares = (1 - weight) * deviation**2 + weight * (1 - weight) * mean**2
    torch.testing.assert_close(moments.scale()[1], squares.sqrt())


def test_what_never_varies_is_left_and_what_hardly_does_is_not_blown_up() -> None:
    moments = RunningMoments((3,))
    for _ in range(7):
        moments.update(torch.tensor([[0.1, 1.0, 0.0], [0.1, 1.001, 200.0], [0.1, 1.0, 0.0]]))
    assert moments.scale()[1].tolist() == pytest.approx([1.0, 0.01, 200 * 2**0.5 / 3], rel=1e-5)


def test_observations_of_any_kind_count_and_those_that_are_not_finite_do_not() -> None:
    moments = RunningMoments((2,))
    moments.update(torch.tensor([[0, 2], [1, 255]], dtype=torch.uint8))
    moments.update(torch.tensor([[True, False]]))
    before = moments.mean.clone()
    moments.update(torch.tensor([[1.0, torch.nan]]))
    moments.update(torch.tensor([[1.0, torch.inf]]))
    assert torch.equal(moments.mean, before)
    assert moments.mean.tolist() == pytest.approx([2 / 3, 257 / 3])


def test_numbers_far_out_are_cut_off() -> None:
    found = normalised(torch.tensor([3, 1000, 5]), torch.tensor(5.0), torch.tensor(2.0))
    assert found.tolist() == [-1.0, 10.0, 0.0]


def test_a_network_begins_without_and_then_sees_what_is_normalised() -> None:
    made = Network(SPEC, 1.0, torch.Generator().manual_seed(0))
    plain = Network(
        NetworkSpec(kind="mlp", inputs=(3,), seats=2, outputs=4, hidden=(8,)), 1.0, torch.Generator().manual_seed(0)
    )
    seen, seat = torch.rand((5, 3), generator=torch.Generator().manual_seed(1)) * 5, torch.arange(5) % 2
    assert torch.equal(made(seen, seat), plain(seen, seat))
    assert not made.trunk_is_plain
    kept = made.norm.mean
    made.normalise_with(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 1.0, 2.0]))
    assert made.norm.mean is kept
    wanted = (seen - torch.tensor([1.0, 2.0, 3.0])) / torch.tensor([0.5, 1.0, 2.0])
    torch.testing.assert_close(made(seen, seat), plain(wanted, seat))
    assert {name for name, _ in made.named_parameters()} == {name for name, _ in plain.named_parameters()}
    assert {"norm.mean", "norm.deviation"} <= made.state_dict().keys()


def test_each_group_normalises_alike() -> None:
    made = Network(
        NetworkSpec(kind="mlp", inputs=(3,), seats=2, outputs=4, hidden=(8,), groups=(0, 1), normalised=True),
        1.0,
        torch.Generator(),
    )
    made.normalise_with(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 1.0, 2.0]))
    for member in made.members:
        assert member.norm.mean.tolist() == [1.0, 2.0, 3.0]
        assert member.norm.deviation.tolist() == [0.5, 1.0, 2.0]
