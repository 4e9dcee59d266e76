"""Counter-based random numbers: reproducible, independent of the batch, and uniform."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from league.games import counter_rng
from league.games.counter_rng import fold, mix, uniform

INT64 = st.integers(-(2**63), 2**63 - 1)
MASK = 2**64 - 1


def splitmix(*parts: int) -> int:
    """The same hash in Python integers, after Steele, Lea and Flood 2014."""
    return splitmix_on(0, *parts)


def splitmix_on(state: int, *parts: int) -> int:
    """The hash of what gave the state and of the parts."""
    for part in parts:
        z = ((state ^ (part & MASK)) + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        state = z ^ (z >> 31)
    return state


@given(st.lists(INT64, min_size=1, max_size=4))
def test_mix_is_splitmix64_in_wrapping_arithmetic(parts: list[int]) -> None:
    mixed = int(mix(*(torch.tensor([part]) for part in parts)))
    assert mixed & MASK == splitmix(*parts)


@given(st.lists(INT64, min_size=1, max_size=4), st.integers(0, 3), st.lists(st.booleans(), min_size=4, max_size=4))
def test_parts_may_be_integers_or_tensors(parts: list[int], one: int, plain: list[bool]) -> None:
    """In any order and with or without dimensions; uniform numbers are the upper 24 bits."""
    mixture: list[Tensor | int] = [part if plain[i] else torch.tensor(part) for i, part in enumerate(parts)]
    mixture[one % len(parts)] = torch.tensor([parts[one % len(parts)]])
    expected = splitmix(*parts)
    assert int(mix(*mixture)) & MASK == expected
    assert float(uniform(*mixture)) == (expected >> 40) * 2.0**-24
    assert fold(*parts) == splitmix(0, *parts) & (2**63 - 1)


@given(st.lists(INT64, min_size=1, max_size=3), INT64)
def test_other_devices_hash_alike(parts: list[int], begun: int) -> None:
    """Their code path is plain torch, which a CPU can run, too."""
    words = counter_rng._as_tensors([torch.tensor([part, 7]) for part in parts])
    prefix, shift = counter_rng._as_tensors([begun]), counter_rng._logical_shift
    unshifted = counter_rng._mix_words(prefix, words, counter_rng._SIGNED, shift)
    hashed = unshifted ^ shift(unshifted, 31)
    assert int(hashed[0]) & MASK == splitmix_on(begun & MASK, *parts)
    assert [int(word[1]) for word in words] == [7] * len(parts)


@pytest.mark.parametrize("device", ["cpu", "meta", *(["cuda"] if torch.cuda.is_available() else [])])
def test_parts_broadcast_and_stay_as_they_were(device: str) -> None:
    rows, columns = torch.arange(4, device=device)[:, None], torch.arange(3, dtype=torch.int32, device=device)
    for parts in ((rows, 2, columns), (5, columns, rows), (rows, columns.to(torch.uint8))):
        assert mix(*parts).shape == uniform(*parts).shape == (4, 3)
        assert (mix(*parts).dtype, uniform(*parts).dtype) == (torch.int64, torch.float32)
    assert mix(torch.tensor(3, device=device), 1).shape == uniform(1, torch.tensor(3, device=device)).shape == ()
    assert mix(rows[:0], 1).shape == (0, 1)
    if device != "meta":
        hashed = mix(rows, columns).cpu()
        assert int(hashed[3, 2]) & MASK == splitmix(3, 2)
        assert rows[:, 0].tolist() == [0, 1, 2, 3]
        assert columns.tolist() == [0, 1, 2]


def test_a_hash_of_plain_integers_is_fold() -> None:
    with pytest.raises(TypeError, match="`fold`"):
        mix(1, 2)


def test_mix_has_splitmix64s_published_first_output() -> None:
    # The first output of SplitMix64 seeded with 0, as its reference implementations list it.
    assert int(mix(torch.tensor(0))) & MASK == 0xE220A8397B1DCDAF


@given(INT64, st.integers(0, 6))
def test_a_hash_does_not_depend_on_the_rest_of_the_batch(seed: int, place: int) -> None:
    batch = torch.arange(7)
    batch[place] = seed
    assert torch.equal(mix(batch, 3)[place], mix(torch.tensor(seed), 3))


def test_uniform_fills_the_unit_interval_evenly() -> None:
    drawn = uniform(torch.arange(100_000), 9)
    assert drawn.dtype == torch.float32
    assert 0.0 <= float(drawn.min()) <= float(drawn.max()) < 1.0
    shares = drawn.double().histc(20, 0.0, 1.0) / len(drawn)
    assert float((shares - 0.05).abs().max()) < 0.004


def test_order_of_parts_matters_and_fold_is_a_plain_seed() -> None:
    assert fold(1, 2) != fold(2, 1)
    assert len({fold(seed, 0) for seed in range(1000)}) == 1000
    assert all(0 <= fold(seed) < 2**63 for seed in range(1000))
    assert fold(5, 6) == splitmix(0, 5, 6) & (2**63 - 1)
