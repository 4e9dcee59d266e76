"""The configuration reference: every key that a config may have, read from the declarations of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic.fields import FieldInfo

from league.config import RunConfig
from league.describe import describe, leaves, show
from league.matchmaking.core import MATCHMAKERS, MatchmakingSettings
from league.sections import kind_settings


class Entry(NamedTuple):
    """A line of the configuration reference. default: as TOML; where kinds differ, each value with its kinds."""

    key: str
    type: str
    default: str
    doc: str


def reference() -> list[Entry]:
    """Every key of a config in order, with its type in words, its default and its documentation."""
    entries = []
    for name, field in RunConfig.model_fields.items():
        for key, leaf in leaves({name: field}):
            entries.append(Entry(key, describe(leaf), show(leaf.get_default(call_default_factory=True)), _doc(leaf)))
        if name == "matchmaking":
            entries += _matchmaking_reference()
    return entries


def _matchmaking_reference() -> Iterator[Entry]:
    by_kind = {kind: kind_settings(kind).model_fields for kind in MATCHMAKERS}
    for name in dict.fromkeys(name for fields in by_kind.values() for name in fields):
        having = {kind: fields[name] for kind, fields in by_kind.items() if name in fields}
        kinds: dict[str, list[str]] = {}
        for kind, field in having.items():
            kinds.setdefault(show(field.get_default(call_default_factory=True)), []).append(kind)
        default = "; ".join(f"{value} ({', '.join(of)})" for value, of in kinds.items())
        # What all kinds share is documented where it is declared for all of them.
        first = MatchmakingSettings.model_fields.get(name, next(iter(having.values())))
        only = "" if len(having) == len(by_kind) else f"Only with kind {', '.join(having)}. "
        shown = default if len(kinds) > 1 else next(iter(kinds))
        yield Entry(f"matchmaking.{name}", describe(first), shown, only + _doc(first))


def _doc(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())
