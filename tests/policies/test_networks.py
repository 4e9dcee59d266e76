"""Networks: their shapes, the seat they are told, and weights that only the generator decides."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, nn

from league.errors import ConfigError
from league.policies.architecture import NetworkSpec
from league.policies.networks import Network

MLP = NetworkSpec(kind="mlp", inputs=(5,), seats=2, outputs=3, hidden=(16, 8))
FULL = NetworkSpec(
    kind="mlp",
    inputs=(5,),
    seats=2,
    outputs=3,
    hidden=(16,),
    channels=(),
    activation="tanh",
    memory="transformer",
    length=4,
    units=8,
    groups=(0, 1),
    normalised=True,
)
CONV = NetworkSpec(kind="conv", inputs=(2, 6, 7), seats=2, outputs=7, hidden=(16,), channels=(4, 8))


def network(spec: NetworkSpec, gain: float = 0.01, seed: int = 0) -> Network:
    return Network(spec, gain, torch.Generator().manual_seed(seed))


def shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network(spec).state_dict().items()}


def test_an_mlp_takes_its_inputs_and_the_seat() -> None:
    assert shapes(MLP) == {
        "head.0.weight": (16, 5 + 2),
        "head.0.bias": (16,),
        "head.2.weight": (8, 16),
        "head.2.bias": (8,),
        "head.4.weight": (3, 8),
        "head.4.bias": (3,),
    }
    planes = NetworkSpec(kind="mlp", inputs=(2, 3, 3), seats=2, outputs=9, hidden=(16,))
    assert shapes(planes)["head.0.weight"] == (16, 18 + 2)
    out = network(planes)(torch.ones((4, 2, 3, 3), dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))
    assert (out.shape, out.dtype) == ((4, 9), torch.float32)


def test_a_convolution_keeps_the_board_and_appends_the_seat_after_it() -> None:
    found = shapes(CONV)
    assert found["trunk.0.weight"] == (4, 2, 3, 3)
    assert found["trunk.2.weight"] == (8, 4, 3, 3)
    assert found["head.0.weight"] == (16, 8 * 6 * 7 + 2)
    out = network(CONV)(torch.zeros((5, 2, 6, 7), dtype=torch.uint8), torch.zeros(5, dtype=torch.int64))
    assert out.shape == (5, 7)


def test_no_hidden_layers_is_a_linear_policy() -> None:
    assert shapes(NetworkSpec(kind="mlp", inputs=(5,), seats=2, outputs=3, hidden=()))["head.0.weight"] == (3, 7)


@pytest.mark.parametrize("spec", [MLP, CONV])
def test_the_seat_is_used(spec: NetworkSpec) -> None:
    inputs = torch.ones((2, *spec.inputs))
    out = network(spec, gain=1.0)(inputs, torch.tensor([0, 1]))
    assert not torch.equal(out[0], out[1])
    assert torch.allclose(network(spec, gain=1.0)(inputs, torch.tensor([1, 0])), out.flip(0), atol=1e-5)


@pytest.mark.parametrize("spec", [MLP, CONV])
def test_weights_depend_on_the_generator_and_on_nothing_else(spec: NetworkSpec) -> None:
    torch.manual_seed(1)
    first = network(spec)
    untouched = torch.random.get_rng_state()
    torch.manual_seed(2)
    second = network(spec)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    assert not torch.equal(first.head[0].weight, network(spec, seed=1).head[0].weight)  # type: ignore[arg-type]
    # Nor do they take anything from torch's own generator.
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), untouched)


@pytest.mark.parametrize("gain", [0.01, 1.0])
def test_initialisation_is_orthogonal(gain: float) -> None:
    made = network(NetworkSpec(kind="mlp", inputs=(5,), seats=2, outputs=3, hidden=(16, 8)), gain)

    def scaled(weight: Tensor, scale: float) -> None:
        rows, columns = weight.shape
        product = weight @ weight.T if rows <= columns else weight.T @ weight
        assert torch.allclose(product, scale**2 * torch.eye(min(rows, columns)), atol=1e-5)

    linear = [layer for layer in made.head if isinstance(layer, nn.Linear)]
    for layer in linear[:-1]:
        scaled(layer.weight, 2**0.5)
    scaled(linear[-1].weight, gain)
    assert all(not layer.bias.any() for layer in linear)


def test_a_small_gain_begins_near_uniform() -> None:
    generator = torch.Generator().manual_seed(1)
    out = network(CONV)(torch.rand((100, 2, 6, 7), generator=generator), torch.zeros(100, dtype=torch.int64))
    assert float(out.softmax(1).max().detach()) < 0.2


def test_planes_are_needed_for_convolutions() -> None:
    with pytest.raises(ConfigError, match=r"'conv' needs planes.*\[5\].*kind = 'mlp'"):
        network(NetworkSpec(kind="conv", inputs=(5,), seats=2, outputs=3, hidden=(16,), channels=(4,)))


@pytest.mark.parametrize(("kind", "activation"), [("rnn", "relu"), ("mlp", "swish")])
def test_an_architecture_that_there_is_not_is_refused(kind: str, activation: str) -> None:
    with pytest.raises(ConfigError, match=f"kind '{kind}' with activation '{activation}'"):
        network(
            NetworkSpec(kind=kind, inputs=(5,), seats=2, outputs=3, hidden=(16,), channels=(), activation=activation)
        )


def test_the_activation_is_the_one_asked_for() -> None:
    kinds = {"relu": nn.ReLU, "tanh": nn.Tanh}
    for name, kind in kinds.items():
        made = network(
            NetworkSpec(
                kind="conv", inputs=(2, 3, 3), seats=2, outputs=3, hidden=(8, 8), channels=(4,), activation=name
            )
        )
        assert [type(layer) for layer in made.modules() if type(layer) in kinds.values()] == [kind] * 3


@pytest.mark.parametrize("spec", [MLP, CONV, FULL])
def test_specs_survive_json(spec: NetworkSpec) -> None:
    assert NetworkSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_what_the_first_snapshots_said_is_what_plain_networks_say() -> None:
    first = {
        "kind": "mlp",
        "inputs": [5],
        "seats": 2,
        "outputs": 3,
        "hidden": [16, 8],
        "channels": [],
        "activation": "relu",
    }
    assert MLP.to_dict() == first
    assert NetworkSpec.from_dict(first) == MLP


def test_a_seed_gives_the_weights_that_it_always_gave() -> None:
    generator = torch.Generator().manual_seed(3)
    made = Network(CONV, 0.01, torch.Generator().manual_seed(3))
    for name, value in made.state_dict().items():
        if name.endswith("weight"):
            scale = 0.01 if name == "head.2.weight" else 2**0.5
            assert torch.equal(value, nn.init.orthogonal_(torch.empty_like(value), scale, generator=generator)), name


def test_without_a_generator_the_weights_are_given_later() -> None:
    empty, full = Network(MLP), network(MLP)
    assert all(value.is_meta for value in empty.state_dict().values())
    empty.load_state_dict(full.state_dict(), assign=True)
    inputs, seat = torch.rand((3, 5)), torch.tensor([0, 1, 1])
    assert torch.equal(empty(inputs, seat), full(inputs, seat))
