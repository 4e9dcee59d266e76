"""Loads a config: reads a TOML file, applies `--set` overrides and validates, with errors in plain words."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from league.config.explain import Fields, fault_text, flatten, section_type
from league.config.run import RunConfig
from league.config.sections import (
    MatchmakingConfig,
    is_built_in,
    json_text,
    matchmaker_settings,
)
from league.config.user_code import located, moved_along
from league.errors import ConfigError, nearest
from league.learning.settings import ALGORITHMS, AlgorithmSettings
from league.matchmaking.core import MATCHMAKERS
from league.plugins import short
from league.settings import Settings

DEFAULT_TOML = """\
# Connect Four in three minutes: what `league run` plays when it is given no config.

[game]
id = "connect_four"

[budget]
minutes = 3

[matchmaking]
kind = "pfsp"  # mostly against itself; the rest against those of its past that still beat it
self_play = 0.8

[algorithm]
slots = 1024  # wide and short: fewer turns of Python for as many decisions
turns = 32
discount = 1.0  # only the result counts, however late it comes
learning_rate = 2e-3
learning_rate_end = 2e-4
learning_rate_half_steps = 4_000_000
epochs = 2  # few passes over much play: on a CPU the update costs most
max_grad_norm = 1.0
entropy = 0.1  # much exploration at first, less and less of it, however long the run
entropy_end = 0.01
entropy_half_steps = 5_000_000

[network]
actor = [256, 256, 256]
critic = [256, 256]
"""
"""The config of `league run` without one; `configs/connect_four.toml` is the same text."""

BUILT_IN = "built-in config"
"""The source of values from `DEFAULT_TOML`."""

_SELECTORS = {"game": "id", "matchmaking": "kind", "algorithm": "kind"}


class ResolvedSetting(NamedTuple):
    """A setting's final value and where it came from: "default", the config's path, `BUILT_IN` or "--set"."""

    key: str
    value: object
    source: str


def load(path: str | None, overrides: Sequence[str] = ()) -> RunConfig:
    """The config of a TOML file (None: `DEFAULT_TOML`) with `--set KEY=VALUE` overrides, each a string "KEY=VALUE".

    VALUE is TOML; a bare word is text, and `none` unsets. An override that changes the matchmaking kind or the game
    drops the file's other keys of that section, since they belong to the file's kind. One that changes the algorithm
    kind drops the keys that the new kind lacks. With `DEFAULT_TOML`, another game or algorithm kind drops all of
    [algorithm] and [network], which are tuned for its own, and another game all of [matchmaking].
    Files that the config names are looked for beside it, then in the working folder; those of an override in the
    working folder. They have absolute paths in what is returned.
    Raises ConfigError with every fault: its source, its key and the values allowed.
    """
    return _validate(*_read_and_override(path, overrides))


def resolved_settings(path: str | None, overrides: Sequence[str] = ()) -> list[ResolvedSetting]:
    """Every setting of the config that `load` returns, with its source. Raises ConfigError as `load` does."""
    data, sources = _read_and_override(path, overrides)
    values = flatten(to_dict(_validate(data, sources)))
    return [ResolvedSetting(key, value, _source_of(key, sources) or "default") for key, value in values.items()]


def to_dict(config: RunConfig) -> dict[str, object]:
    """All settings as plain JSON data; `from_dict` is the inverse."""
    return config.model_dump(mode="json")


def from_dict(data: Mapping[str, object], where: str = "stored config") -> RunConfig:
    """The config from the output of `to_dict`; missing settings take their defaults. Raises ConfigError."""
    return _validate(data, dict.fromkeys(flatten(data), where))


def in_working_folder(config: RunConfig) -> RunConfig:
    """The config with absolute paths of the files that it names by relative ones: those in the working folder."""
    data = to_dict(config)
    found = located(data, lambda key: [Path.cwd()])
    return config if found == data else from_dict(found)


def with_overrides(data: Mapping[str, object], overrides: Sequence[str], where: str) -> RunConfig:
    """The config from the output of `to_dict`, with overrides as in `load`. Raises ConfigError as `load` does.

    Where an override says that the game's file has moved, files that lay beside it and are gone have moved with it.
    """
    found, sources = _apply_overrides(json.loads(json_text(data)), where, overrides)
    return _validate(moved_along(found, data), sources)


def _read_and_override(path: str | None, overrides: Sequence[str]) -> tuple[dict[str, object], dict[str, str]]:
    """The data to validate, and the source of each value by dotted key."""
    return _apply_overrides(_read(path), path or BUILT_IN, overrides, None if path is None else Path(path).parent)


def _apply_overrides(
    data: dict[str, object], origin: str, overrides: Sequence[str], folder: Path | None = None
) -> tuple[dict[str, object], dict[str, str]]:
    """`data` with the overrides applied, and the source of each value by dotted key. origin: the source of `data`.

    folder: of the file that `data` was read from.
    """
    changes = [_parse_override(text) for text in overrides]
    _drop_settings_of_other_kinds(data, origin, changes)
    sources = dict.fromkeys(flatten(data), origin)
    for keys, value, text in changes:
        node = data
        for depth, key in enumerate(keys[:-1], 1):
            below = node.setdefault(key, {})
            if not isinstance(below, dict):
                raise ConfigError(f"--set {text}: '{'.'.join(keys[:depth])}' is a value and has no keys below it")
            node = below
        node[keys[-1]] = value
        sources |= dict.fromkeys(flatten({".".join(keys): value}), "--set")
    here = Path.cwd()

    def folders(key: str) -> list[Path]:
        if sources.get(key) == "--set":
            return [here]
        return [] if folder is None else list(dict.fromkeys((here / folder, here)))

    return located(data, folders), sources


def _drop_settings_of_other_kinds(
    data: dict[str, object], origin: str, changes: Sequence[tuple[list[str], object, str]]
) -> None:
    """Remove the settings from `data` that do not belong to the game or kind that the overrides select; see `load`."""
    final = {key: one for keys, value, _ in changes for key, one in flatten({".".join(keys): value}).items()}
    for table, selector in _SELECTORS.items():
        given, declared = data.get(table, {}), section_type(RunConfig.model_fields[table])
        if isinstance(given, Mapping) and declared is not None:
            before = given.get(selector, declared.model_fields[selector].default)
            now = final.get(f"{table}.{selector}", before)
            if now != before and short(str(now)) != short(str(before)):
                # Algorithms share most settings: those that the new kind has are kept.
                known = ALGORITHMS[now].model_fields if table == "algorithm" and now in ALGORITHMS else {}
                data[table] = {key: value for key, value in given.items() if key in known}
                if origin == BUILT_IN and table != "matchmaking":
                    for tuned in ("algorithm", "network", *(["matchmaking"] if table == "game" else [])):
                        data.pop(tuned, None)


def _read(path: str | None) -> dict[str, object]:
    if path is None:
        return tomllib.loads(DEFAULT_TOML)
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except FileNotFoundError as error:
        beside = [str(one) for one in Path(path).parent.glob("*.toml")]
        raise ConfigError(f"there is no config file {path}{nearest(path, beside)}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _parse_override(text: str) -> tuple[list[str], object, str]:
    key, equals, value = text.partition("=")
    keys = [part.strip() for part in key.split(".")]
    if not equals or not all(keys):
        raise ConfigError(f"--set {text}: write it as KEY=VALUE, such as --set matchmaking.kind=naive")
    return keys, _parse_value(text, value.strip()), text


def _parse_value(text: str, value: str) -> object:
    if value == "none":
        return None
    try:
        parsed = tomllib.loads(f"value = {value}")
        if list(parsed) == ["value"]:
            return parsed["value"]
    except tomllib.TOMLDecodeError as error:
        if value[:1] in ('"', "'", "[", "{"):
            raise ConfigError(f"--set {text}: the value is not valid TOML: {error}") from error
    # TOML requires digits on both sides of the point; allow `.5` and `5.`, too.
    return float(value) if re.fullmatch(r"[+-]?(\.\d+|\d+\.)", value) else value


def _validate(data: Mapping[str, object], sources: Mapping[str, str]) -> RunConfig:
    try:
        return RunConfig.model_validate_json(json_text(data), strict=True)
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            keys = [part for part in fault["loc"] if isinstance(part, str)]
            origin = _source_of(".".join(keys), sources)
            text = fault_text(
                keys,
                fault["type"],
                message=fault["msg"],
                root=RunConfig.model_fields,
                data=data,
                fields_of=_section_fields,
            )
            faults.append(f"{origin}: {text}{_kinds_with_setting(keys, fault['type'], data)}" if origin else text)
        raise ConfigError("\n".join(dict.fromkeys(faults))) from error


def _section_fields(table: type[Settings], value: object) -> Fields:
    """The fields of a section; for matchmaking and algorithm, including those of its kind."""
    kinds = table is MatchmakingConfig or issubclass(table, AlgorithmSettings)
    if not kinds or not isinstance(value, Mapping):
        return table.model_fields
    kind = value.get("kind", table.model_fields["kind"].default)
    if table is MatchmakingConfig:
        return table.model_fields | (matchmaker_settings(kind).model_fields if is_built_in(kind) else {})
    return ALGORITHMS.get(str(kind), AlgorithmSettings).model_fields


def _kinds_with_setting(keys: Sequence[str], fault: str, data: Mapping[str, object]) -> str:
    """The kinds that an unknown key of matchmaking or algorithm belongs to, in words; empty if there is none."""
    if fault != "extra_forbidden" or keys[0] not in ("matchmaking", "algorithm"):
        return ""
    kinds = {kind: matchmaker_settings(kind) for kind in MATCHMAKERS} if keys[0] == "matchmaking" else ALGORITHMS
    having = [kind for kind, settings in kinds.items() if keys[1] in settings.model_fields]
    return f" ('{keys[1]}' is a setting of kind {', '.join(having)})" if having else ""


def _source_of(key: str, sources: Mapping[str, str]) -> str | None:
    """The source of a key: of a key below it or itself, else of a table above it; None if it was not set."""
    below = [source for one, source in sources.items() if (one + ".").startswith(key + ".")]
    parts = key.split(".")
    above = [".".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)]
    return next((source for source in (*reversed(below), *map(sources.get, above)) if source), None)
