"""The default number of games that a training table plays side by side."""

from __future__ import annotations

from math import prod

from league.games.core import GameSpec

SLOTS_FACT = "slots"
"""The key of a run's fact that stores its number of slots."""

OLD_SLOTS = 64
"""The number of slots of Python environments in old runs, which stored none."""

NATIVE_SLOTS = 512
_PYTHON_SLOTS = (16, 256)
"""The fewest and the most environments in Python."""

_DECISIONS, _BYTES_SEEN = 256, 2**20
"""The default gives Python environments about `_DECISIONS` decisions per turn (with fewer, the overhead per turn
dominates), unless a turn's observations would take more than `_BYTES_SEEN` bytes."""


def usual_slots(spec: GameSpec, native: bool) -> int:
    """The default number of games side by side; a power of two for Python environments."""
    if native:
        return NATIVE_SLOTS
    fewest, most = _PYTHON_SLOTS
    decisions = sum(role.acting for role in spec.roles)
    seen = sum(role.acting * prod(role.obs_shape) * role.obs_dtype.itemsize for role in spec.roles)
    slots = max(min(most, _DECISIONS // decisions, _BYTES_SEEN // max(seen, 1)), fewest)
    return 1 << (slots.bit_length() - 1)
