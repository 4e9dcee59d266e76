"""Counter-based randomness: a hash of integers instead of a generator, equal on every device and in any batch."""

from __future__ import annotations

import torch
from torch import Tensor


def mix(*parts: Tensor | int) -> Tensor:
    """A 64-bit hash of broadcastable integers, as int64 (all 64 bits used). At least one part must be a tensor.

    Each part is folded in by the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom
    Number Generators"), in wrapping int64 arithmetic.
    """
    device = next(part.device for part in parts if isinstance(part, Tensor))
    state = torch.zeros((), dtype=torch.int64, device=device)
    for part in parts:
        state = _finalise((state ^ part) + _GOLDEN)
    return state


def uniform(*parts: Tensor | int) -> Tensor:
    """One float32 in [0, 1) for every hash of the parts, with 24 random bits."""
    return _shift(mix(*parts), 40).to(torch.float32) * 2.0**-24


def fold(*parts: int) -> int:
    """`mix` of plain integers, as a non-negative int below 2**63: for seeds of jobs."""
    return int(mix(torch.zeros((), dtype=torch.int64), *parts)) & 0x7FFFFFFFFFFFFFFF


def _finalise(z: Tensor) -> Tensor:
    z = (z ^ _shift(z, 30)) * _MIX_1
    z = (z ^ _shift(z, 27)) * _MIX_2
    return z ^ _shift(z, 31)


def _shift(value: Tensor, bits: int) -> Tensor:
    """Logical right shift; torch's own is arithmetic on int64."""
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)
