"""Counter-based randomness: reproducible, independent of the batch, and spread evenly."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from league.games.chance import fold, mix, uniform

INT64 = st.integers(-(2**63), 2**63 - 1)
MASK = 2**64 - 1


def splitmix(*parts: int) -> int:
    """The same hash in Python integers, after Steele, Lea and Flood 2014."""
    state = 0
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


def test_mix_has_splitmix64s_published_first_output() -> None:
    # The first output of SplitMix64 seeded with 0, as its reference implementations list it.
    assert int(mix(torch.tensor(0))) & MASK == 0xE220A8397B1DCDAF


@given(INT64, st.integers(0, 6))
def test_what_else_is_in_the_batch_does_not_matter(seed: int, place: int) -> None:
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
