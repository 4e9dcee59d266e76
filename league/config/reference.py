"""The configuration reference: every key that a config may have, read from the declarations of the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic.fields import FieldInfo

from league.config.explain import Fields, allowed_values, settings_below, toml_text
from league.config.run import RunConfig
from league.config.sections import matchmaker_settings
from league.learning.settings import ALGORITHMS, AlgorithmSettings
from league.matchmaking.core import MATCHMAKERS, MatchmakingSettings


class Entry(NamedTuple):
    """A line of the reference. default: as TOML; if it differs between kinds, each value with its kinds."""

    key: str
    type: str
    default: str
    doc: str


def reference() -> list[Entry]:
    """Every key of a config in order, with its allowed values in words, its default and its documentation."""
    entries: list[Entry] = []
    matchmakers = {kind: matchmaker_settings(kind).model_fields for kind in MATCHMAKERS}
    algorithms = {kind: settings.model_fields for kind, settings in ALGORITHMS.items()}
    for name, field in RunConfig.model_fields.items():
        if name == "algorithm":
            entries += _by_kind(name, algorithms, AlgorithmSettings.model_fields)
            continue
        for key, leaf in settings_below({name: field}):
            entries.append(
                Entry(key, allowed_values(leaf), toml_text(leaf.get_default(call_default_factory=True)), _doc(leaf))
            )
        if name == "matchmaking":
            entries += _by_kind(name, matchmakers, MatchmakingSettings.model_fields)
    return entries


def _by_kind(section: str, by_kind: Mapping[str, Fields], shared: Fields) -> Iterator[Entry]:
    """The entries of a section whose kinds have their own settings. shared: the settings that all kinds have."""
    for name in dict.fromkeys((*shared, *(name for fields in by_kind.values() for name in fields))):
        having = {kind: fields[name] for kind, fields in by_kind.items() if name in fields}
        kinds: dict[str, list[str]] = {}
        for kind, field in having.items():
            kinds.setdefault(toml_text(field.get_default(call_default_factory=True)), []).append(kind)
        default = "; ".join(f"{value} ({', '.join(of)})" for value, of in kinds.items())
        # A setting that all kinds share is documented by its shared declaration.
        first = shared.get(name, next(iter(having.values())))
        only = "" if len(having) == len(by_kind) else f"Only with kind {', '.join(having)}. "
        if name == "kind" and name in shared:
            default = toml_text(first.get_default())
            yield Entry(f"{section}.{name}", allowed_values(first), default, _doc(first))
            continue
        yield Entry(
            f"{section}.{name}",
            allowed_values(first),
            default if len(kinds) > 1 else next(iter(kinds)),
            only + _doc(first),
        )


def _doc(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())
