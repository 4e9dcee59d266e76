"""How many games a training table plays side by side where the config does not say."""

from __future__ import annotations

from math import prod

from league.games.core import GameSpec

SLOTS_FACT = "slots"
"""The key under which a run keeps its number of slots among its facts."""

OLD_SLOTS = 64
"""Slots of environments in Python in runs that kept no number."""

NATIVE_SLOTS = 512
_PYTHON_SLOTS = (16, 256)
"""The fewest and the most environments in Python."""

_DECISIONS, _BYTES_SEEN = 256, 2**20
"""Enough environments in Python for about so many decisions a turn (fewer waste time on starting each turn's work), as
long as a turn's observations take no more bytes than this."""


def usual_slots(spec: GameSpec, native: bool) -> int:
    """The number of games side by side where the config does not say: a power of two for environments in Python."""
    if native:
        return NATIVE_SLOTS
    fewest, most = _PYTHON_SLOTS
    decisions = sum(role.acting for role in spec.roles)
    seen = sum(role.acting * prod(role.obs_shape) * role.obs_dtype.itemsize for role in spec.roles)
    slots = max(min(most, _DECISIONS // decisions, _BYTES_SEEN // max(seen, 1)), fewest)
    return 1 << (slots.bit_length() - 1)
