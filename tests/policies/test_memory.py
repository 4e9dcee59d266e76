"""Networks that remember: what happened in the episode counts, what was before it does not, and a row is all there is.

Single rows and whole batches are summed in different orders: float32 results are compared to 1e-5.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from league.errors import ConfigError
from league.policies.architecture import NetworkSpec
from league.policies.memory import Attention, window_mask, windows
from league.policies.networks import Network

PLAIN = NetworkSpec(kind="mlp", inputs=(5,), seats=3, outputs=4, hidden=(16, 8), activation="tanh")
PLANES = NetworkSpec(kind="conv", inputs=(2, 3, 4), seats=3, outputs=4, hidden=(16,), channels=(4,))
KINDS: dict[str, dict[str, object]] = {
    "none": {},
    "stack": {"length": 3},
    "gru": {"units": 6},
    "lstm": {"units": 6},
    "transformer": {"length": 4, "units": 8},
}
REMEMBERING = [kind for kind in KINDS if kind != "none"]
WIDTH = {"none": 0, "stack": 2 * 5, "gru": 6, "lstm": 12, "transformer": 3 * (5 + 1)}
C, N = 9, 7


def spec_of(kind: str, base: NetworkSpec = PLAIN, **changes: object) -> NetworkSpec:
    return replace(base, memory=kind, **KINDS[kind], **changes)  # type: ignore[arg-type]


def network(spec: NetworkSpec, seed: int = 0) -> Network:
    """With biases and moments that would show if one were left out."""
    generator = torch.Generator().manual_seed(seed)
    made = Network(spec, 1.0, generator)
    for name, value in made.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(value, std=0.3, generator=generator)
    if spec.normalised:
        shape = spec.inputs
        made.normalise_with(torch.rand(shape, generator=generator), 0.5 + torch.rand(shape, generator=generator))
    return made


def inputs_of(spec: NetworkSpec, count: int = C, dtype: torch.dtype = torch.float32, seed: int = 1) -> Tensor:
    """`[count, N, *inputs]`."""
    found = torch.rand((count, N, *spec.inputs), generator=torch.Generator().manual_seed(seed)) * 3
    return found.to(dtype)


def memory_after(made: Network, decisions: int) -> Tensor:
    """A memory that an episode has led to."""
    memory = torch.zeros((N, made.memory))
    for seen in inputs_of(made.spec, decisions, seed=2):
        memory = made.step(seen, SEAT, memory)[1]
    return memory


def steps(made: Network, inputs: Tensor, memory: Tensor, fresh: Tensor) -> Tensor:
    """What `unroll` is to be, one decision after the other."""
    found = []
    for seen, begins in zip(inputs, fresh, strict=True):
        said, memory = made.step(seen, SEAT, torch.where(begins[:, None], 0.0, memory))
        found.append(said)
    return torch.stack(found)


SEAT = torch.arange(N) % 3
FRESH = torch.rand((C, N), generator=torch.Generator().manual_seed(3)) < 0.2
NEVER = torch.zeros((C, N), dtype=torch.bool)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.bool])
@pytest.mark.parametrize("changes", [{}, {"normalised": True}, {"groups": (0, 1, 0)}], ids=str)
@pytest.mark.parametrize("base", [PLAIN, PLANES], ids=lambda base: base.kind)
@pytest.mark.parametrize("kind", KINDS)
def test_many_decisions_at_once_are_as_one_after_the_other(
    kind: str, base: NetworkSpec, changes: dict[str, object], dtype: torch.dtype
) -> None:
    made = network(spec_of(kind, base, **changes))
    inputs, memory = inputs_of(made.spec, dtype=dtype), memory_after(made, 2)
    said = made.unroll(inputs, SEAT, memory, FRESH)
    assert (said.shape, said.dtype) == ((C, N, 4), torch.float32)
    torch.testing.assert_close(said, steps(made, inputs, memory, FRESH), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_their_gradients_are_the_same_too(kind: str) -> None:
    made = network(spec_of(kind))
    inputs, memory = inputs_of(made.spec), memory_after(made, 2).detach()
    parameters = list(made.parameters())
    one = torch.autograd.grad(made.unroll(inputs, SEAT, memory, FRESH).square().mean(), parameters)
    other = torch.autograd.grad(steps(made, inputs, memory, FRESH).square().mean(), parameters)
    for found, wanted in zip(one, other, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_computes_and_says_and_remembers_in_float32(kind: str) -> None:
    made = network(spec_of(kind))
    inputs, memory = inputs_of(made.spec), memory_after(made, 2).detach()
    with torch.autocast("cpu", torch.bfloat16):
        said, after = made.step(inputs[0], SEAT, memory)
        unrolled = made.unroll(inputs, SEAT, memory, FRESH)
    assert (said.dtype, after.dtype, unrolled.dtype) == (torch.float32,) * 3
    # Bfloat16 keeps 8 bits.
    torch.testing.assert_close(unrolled, made.unroll(inputs, SEAT, memory, FRESH), rtol=0, atol=0.1)
    assert torch.autograd.grad(unrolled.sum(), list(made.parameters()))[0].dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_memory_is_a_row_of_numbers_and_begins_at_zero(kind: str) -> None:
    made = network(spec_of(kind))
    seen, zeros = inputs_of(made.spec)[0], torch.zeros((N, WIDTH[kind]))
    assert made.memory == WIDTH[kind]
    said, memory = made.step(seen, SEAT)
    assert (memory.shape, memory.dtype) == (zeros.shape, torch.float32)
    again, after = made.step(seen, SEAT, zeros)
    assert torch.equal(said, again)
    assert torch.equal(memory, after)
    assert torch.equal(made(seen, SEAT), said)
    assert not zeros.any()
    unrolled = made.unroll(seen[None], SEAT, None, NEVER[:1])[0]
    torch.testing.assert_close(unrolled, said, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", REMEMBERING)
def test_nothing_before_an_episodes_beginning_is_seen(kind: str) -> None:
    made = network(spec_of(kind))
    inputs, fresh, memory = inputs_of(made.spec), NEVER.clone(), memory_after(made, 5)
    fresh[4] = True
    before = made.unroll(inputs, SEAT, memory, fresh)
    changed = inputs.clone()
    changed[:4] += 1.0
    after = made.unroll(changed, SEAT, torch.zeros_like(memory), fresh)
    assert torch.equal(before[4:], after[4:])
    assert not torch.allclose(before[3], after[3], atol=1e-3)


@pytest.mark.parametrize("kind", REMEMBERING)
def test_what_was_seen_before_in_the_episode_counts(kind: str) -> None:
    made = network(spec_of(kind))
    inputs = inputs_of(made.spec)
    before = made.unroll(inputs, SEAT, None, NEVER)
    changed = inputs.clone()
    changed[5] += 1.0
    after = made.unroll(changed, SEAT, None, NEVER)
    assert torch.equal(before[:5], after[:5])
    assert not torch.allclose(before[6], after[6], atol=1e-3)


@pytest.mark.parametrize("kind", ["stack", "transformer"])
def test_as_many_observations_count_as_the_length_says(kind: str) -> None:
    made = network(spec_of(kind))
    length, inputs = made.spec.length, inputs_of(made.spec)
    before = made.unroll(inputs, SEAT, None, NEVER)
    changed = inputs.clone()
    changed[2] += 1.0
    moved = (made.unroll(changed, SEAT, None, NEVER) - before).abs().amax((1, 2)) > 1e-3
    assert moved.tolist() == [2 <= decision < 2 + length for decision in range(C)]


def test_a_stack_shows_the_oldest_first_and_zeros_where_there_was_none() -> None:
    spec = spec_of("stack")
    made, inputs = network(spec), inputs_of(spec)
    wide = network(replace(PLAIN, inputs=(15,)))
    wide.load_state_dict(made.state_dict())
    said = made.unroll(inputs, SEAT, None, NEVER)
    torch.testing.assert_close(said[4], wide(torch.cat((inputs[2], inputs[3], inputs[4]), 1), SEAT))
    torch.testing.assert_close(said[1], wide(torch.cat((0 * inputs[0], inputs[0], inputs[1]), 1), SEAT))


def test_a_stack_of_planes_is_one_of_their_channels() -> None:
    spec = spec_of("stack", PLANES)
    made, inputs = network(spec), inputs_of(spec)
    wide = network(replace(PLANES, inputs=(6, 3, 4)))
    wide.load_state_dict(made.state_dict())
    said = made.unroll(inputs, SEAT, None, NEVER)
    torch.testing.assert_close(said[4], wide(torch.cat((inputs[2], inputs[3], inputs[4]), 1), SEAT))


@pytest.mark.parametrize(("kind", "made"), [("gru", nn.GRUCell(8, 6)), ("lstm", nn.LSTMCell(8, 6))])
def test_cells_are_torchs(kind: str, made: nn.GRUCell | nn.LSTMCell) -> None:
    mine = network(spec_of(kind))
    weights = {
        "weight_ih": mine.cell.input.weight,
        "bias_ih": mine.cell.input.bias,
        "weight_hh": mine.cell.state.weight,
        "bias_hh": mine.cell.state.bias,
    }
    made.load_state_dict({name: value.detach() for name, value in weights.items()})
    memory = memory_after(mine, 3)
    for seen in inputs_of(mine.spec):
        given = mine.hidden(mine.features(seen, SEAT))
        held = made(given, tuple(memory.chunk(2, 1)) if kind == "lstm" else memory)
        said, memory = mine.step(seen, SEAT, memory)
        torch.testing.assert_close(memory, torch.cat(held, 1) if kind == "lstm" else held, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(said, mine.answer(memory[:, :6]), rtol=1e-5, atol=1e-6)


def test_attention_is_torchs_over_what_is_present() -> None:
    attention = network(spec_of("transformer")).attention
    torchs = nn.MultiheadAttention(8, 4, batch_first=True)
    query, key, value, join = attention.query, attention.key, attention.value, attention.join
    torchs.load_state_dict(
        {
            "in_proj_weight": torch.cat([one.weight.detach() for one in (query, key, value)]),
            "in_proj_bias": torch.cat([query.bias.detach(), torch.zeros(8), value.bias.detach()]),
            "out_proj.weight": join.weight.detach(),
            "out_proj.bias": join.bias.detach(),
        }
    )
    generator = torch.Generator().manual_seed(4)
    window = torch.randn((20, 4, 8), generator=generator)
    present = torch.rand((20, 4), generator=generator) < 0.5
    present[:, -1] = True
    placed = window + attention.ages
    normed = attention.before(placed)
    found = placed[:, -1] + torchs(normed[:, -1:], normed, normed, key_padding_mask=~present)[0][:, 0]
    wanted = found + attention.wide(attention.after(found))
    torch.testing.assert_close(attention(window, present), wanted, rtol=1e-5, atol=1e-5)


def test_attention_tells_how_long_ago_something_was() -> None:
    attention = network(spec_of("transformer")).attention
    window = torch.randn((20, 4, 8), generator=torch.Generator().manual_seed(4))
    turned, present = window[:, [1, 0, 2, 3]], torch.ones((20, 4), dtype=torch.bool)
    assert not torch.allclose(attention(window, present), attention(turned, present), atol=1e-4)
    with torch.no_grad():
        attention.ages.zero_()
    torch.testing.assert_close(attention(window, present), attention(turned, present), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("units", "heads"), [(1, 1), (5, 1), (6, 3), (10, 2), (64, 4)])
def test_heads_divide_the_units(units: int, heads: int) -> None:
    assert Attention(3, units, 2, nn.ReLU()).parts == (heads, units // heads)


def test_windows_and_where_their_episode_begins() -> None:
    sequence = torch.arange(5).view(5, 1)
    assert windows(sequence, 3)[:, 0].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    fresh = torch.tensor([[False], [True], [False]])
    wanted = [[True, True, True], [False, False, True], [False, True, True]]
    assert window_mask(fresh, 3)[:, 0].tolist() == wanted


@pytest.mark.parametrize("kind", ["gru", "lstm", "transformer"])
def test_square_matrices_begin_orthogonal_each_for_itself(kind: str) -> None:
    made = Network(spec_of(kind), 1.0, torch.Generator().manual_seed(0))
    if kind == "transformer":
        attention = made.attention
        blocks = [one.weight for one in (attention.query, attention.key, attention.value, attention.join)]
        assert float(attention.ages.detach().std()) == pytest.approx(0.02, rel=0.4)
    else:
        blocks = list(made.cell.state.weight.chunk(3 if kind == "gru" else 4))
    for block in blocks:
        torch.testing.assert_close(block @ block.T, torch.eye(len(block)), rtol=0, atol=1e-5)
    assert all(not torch.equal(one, other) for one, other in pairwise(blocks))
    assert all(not value.any() for name, value in made.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("initialisation", ["orthogonal", "uniform"])
def test_all_weights_are_the_generators(kind: str, initialisation: str) -> None:
    def made(seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return Network(spec_of(kind), 1.0, generator, initialisation).state_dict()

    first, second, other = made(0), made(0), made(1)
    for name, value in first.items():
        assert torch.equal(value, second[name])
        constant = initialisation == "orthogonal" and name.endswith("bias")
        assert torch.equal(value, other[name]) == (constant or "before" in name or "after" in name), name


def test_uniform_weights_lie_within_the_root_of_the_inputs() -> None:
    made = Network(replace(PLANES, hidden=(300,)), 0.01, torch.Generator().manual_seed(0), "uniform")
    layers = [one for one in made.modules() if isinstance(one, nn.Linear | nn.Conv2d)]
    for layer in layers:
        bound = layer.weight[0].numel() ** -0.5
        assert bound * 0.9 < float(layer.weight.detach().abs().max()) <= bound
        assert layer.bias is not None
        assert 0 < float(layer.bias.detach().abs().max()) <= bound


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory": "grue", "units": 4}, "no memory of kind 'grue'; did you mean 'gru'"),
        ({"memory": "gru"}, "'gru' cannot have 0 units"),
        ({"memory": "none", "units": 4}, "'none' cannot have 4 units"),
        ({"memory": "stack", "length": 1}, "'stack' cannot look at 1 observations"),
        ({"memory": "lstm", "units": 4, "length": 2}, "'lstm' cannot look at 2 observations"),
        ({"length": 0}, "'none' cannot look at 0 observations"),
        ({"units": -1}, "'none' cannot have -1 units"),
        ({"groups": (0, 1)}, "each of 3 seats"),
        ({"groups": (0, 2, 2)}, "from 0 on"),
    ],
    ids=str,
)
def test_an_architecture_that_there_is_not_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Network(replace(PLAIN, **changes))  # type: ignore[arg-type]
