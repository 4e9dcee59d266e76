"""Counter-based random numbers: a hash of integers instead of a generator, equal on every device and in any batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Words = TypeVar("Words", NDArray[np.uint64], Tensor)
"""64-bit integers: on a CPU numpy arrays, which have several times less overhead; elsewhere int64 tensors."""

_ALL = (1 << 64) - 1
_GOLDEN, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""The constants of SplitMix64."""


def mix(*parts: Tensor | int) -> Tensor:
    """A 64-bit hash of broadcastable integers, as int64. At least one part must be a tensor.

    Each part is folded in with the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom
    Number Generators"), in wrapping 64-bit arithmetic.
    """
    prefix, rest = _mix_leading_ints(parts)
    if rest[0].device.type != "cpu":
        words = _mix_words(_as_tensors(prefix), _as_tensors(rest), _SIGNED, _logical_shift)
        return words ^ _logical_shift(words, 31)
    array = _mix_words(_as_arrays(prefix), _as_arrays(rest), _UNSIGNED, _shift)
    array ^= _shift(array, 31)
    return _from_array(array.view(np.int64), rest)


def uniform(*parts: Tensor | int) -> Tensor:
    """One float32 in [0, 1) for every hash of the parts: its 24 random bits are the upper ones of `mix`."""
    prefix, rest = _mix_leading_ints(parts)
    # The last shift of `mix`, by 31, does not change the upper bits and is left out.
    if rest[0].device.type != "cpu":
        upper = _logical_shift(_mix_words(_as_tensors(prefix), _as_tensors(rest), _SIGNED, _logical_shift), 40)
        return upper.to(torch.float32).mul_(2.0**-24)
    numbers = _shift(_mix_words(_as_arrays(prefix), _as_arrays(rest), _UNSIGNED, _shift), 40).astype(np.float32)
    numbers *= _UNIT
    return _from_array(numbers, rest)


def fold(*parts: int) -> int:
    """`mix` of plain integers, as a non-negative int below 2**63, for seeds."""
    return _mix_ints((0, *parts)) & 0x7FFFFFFFFFFFFFFF


def _mix_leading_ints(parts: Sequence[Tensor | int]) -> tuple[list[int], tuple[Tensor, *tuple[Tensor | int, ...]]]:
    """`_mix_ints` of the integers before the first tensor, if there are any, and all parts from that tensor on."""
    for index, part in enumerate(parts):
        if isinstance(part, Tensor):
            return [_mix_ints(parts[:index])] if index else [], (part, *parts[index + 1 :])
    raise TypeError("`mix` and `uniform` need at least one tensor; use `fold` for plain integers")


def _mix_ints(parts: Sequence[Tensor | int]) -> int:
    """`mix` of plain integers, as an unsigned integer."""
    state = 0
    for part in parts:
        state = ((state ^ int(part)) + _GOLDEN) & _ALL
        state = ((state ^ (state >> 30)) * _MIX_1) & _ALL
        state = ((state ^ (state >> 27)) * _MIX_2) & _ALL
        state ^= state >> 31
    return state


def _mix_words(
    prefix: Sequence[Words], parts: Sequence[Words], constants: Sequence[Words], shift: Callable[[Words, int], Words]
) -> Words:
    """`mix` of the parts without the last shift, in new memory. prefix: `mix` of the parts before them, or empty."""
    golden, first, second = constants
    hashed = (parts[0] ^ prefix[0] if prefix else parts[0]) + golden
    for index, part in enumerate(parts):
        if index:
            hashed ^= shift(hashed, 31)
            hashed = hashed ^ part
            hashed += golden
        hashed ^= shift(hashed, 30)
        hashed *= first
        hashed ^= shift(hashed, 27)
        hashed *= second
    return hashed


def _as_arrays(parts: Sequence[Tensor | int]) -> list[NDArray[np.uint64]]:
    """Tensors without dimensions become arrays of length 1: unlike arrays, numpy's scalars warn on overflow."""
    found = []
    for part in parts:
        if isinstance(part, Tensor):
            array = (part if part.dtype == torch.int64 else part.long()).numpy().view(np.uint64)
            found.append(array if array.ndim else array.reshape(1))
        else:
            found.append(np.array(part & _ALL, dtype=np.uint64))
    return found


def _as_tensors(parts: Sequence[Tensor | int]) -> list[Tensor]:
    """Integers become CPU tensors without dimensions, which combine with tensors of any device without a copy."""
    return [part.to(torch.int64) if isinstance(part, Tensor) else torch.tensor(_signed(part & _ALL)) for part in parts]


def _from_array(array: NDArray[np.int64] | NDArray[np.float32], parts: Sequence[Tensor | int]) -> Tensor:
    """The array as a tensor that shares its memory; without dimensions where no part has any."""
    found = torch.from_numpy(array)
    return found if any(isinstance(part, Tensor) and part.dim() for part in parts) else found[0]


def _shift(value: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    return value >> np.uint64(bits)


def _logical_shift(value: Tensor, bits: int) -> Tensor:
    """A right shift that fills with zeros; torch's own is arithmetic on int64."""
    return (value >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_UNSIGNED = _as_arrays((_GOLDEN, _MIX_1, _MIX_2))
_SIGNED = _as_tensors((_GOLDEN, _MIX_1, _MIX_2))
_UNIT = np.float32(2.0**-24)
