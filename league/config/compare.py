"""How two configs differ, and with which differences a run can go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from league.config.explain import flatten

RESUMABLE = frozenset(
    {
        "budget",
        "device",
        "threads",
        "workers",
        "tensorboard",
        "rating.by",
        "rating.anchors",
        "rating.elo",
        "rating.openskill",
    }
)
"""Keys, and sections, that may differ when a run goes on: none of them changes what it has learnt or rated so far."""


class Difference(NamedTuple):
    """A key whose value differs between two configs; None where one has it not."""

    key: str
    old: object
    new: object


def differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[Difference]:
    """Where two configs, as of `to_dict`, differ, by dotted key."""
    before, after = flatten(old), flatten(new)
    return [
        Difference(key, before.get(key), after.get(key))
        for key in before | after
        if before.get(key) != after.get(key) or (key in before) != (key in after)
    ]


def blocking(old: Mapping[str, object], new: Mapping[str, object]) -> list[Difference]:
    """The differences with which a run cannot go on: all but those in `RESUMABLE`."""
    return [one for one in differences(old, new) if not any((one.key + ".").startswith(key + ".") for key in RESUMABLE)]
