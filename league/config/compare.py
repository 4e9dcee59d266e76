"""How two configs differ, and which differences prevent a run from being resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from league.config.explain import flatten

CHANGEABLE_ON_RESUME = frozenset(
    {
        "budget",
        "device",
        "threads",
        "workers",
        "tensorboard",
        "rating.by",
        "rating.anchors",
        "rating.exploitability_every",
        "rating.elo",
        "rating.openskill",
        "rating.alpharank",
    }
)
"""Keys and sections that may change when a run is resumed: none affects what was learned or rated so far."""


class Difference(NamedTuple):
    """A key whose value differs between two configs; None for a config that lacks the key."""

    key: str
    old: object
    new: object


def differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[Difference]:
    """The differences between two configs in the form of `to_dict`."""
    before, after = flatten(old), flatten(new)
    return [
        Difference(key, before.get(key), after.get(key))
        for key in before | after
        if before.get(key) != after.get(key) or (key in before) != (key in after)
    ]


def blocking_differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[Difference]:
    """The differences that prevent a run from being resumed: all except those in `CHANGEABLE_ON_RESUME`."""
    return [
        one
        for one in differences(old, new)
        if not any((one.key + ".").startswith(key + ".") for key in CHANGEABLE_ON_RESUME)
    ]
