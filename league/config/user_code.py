"""The user's own code in a config: which settings name it, and where its files lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from league import plugins
from league.errors import ConfigError
from league.games.registry import is_own
from league.policies.names import anchor_name, is_weights

SETTINGS = {
    "game.id": "game",
    "game.wrappers": "wrapper",
    "matchmaking.kind": "matchmaker",
    "rating.by": "rating system",
    "rating.anchors": "anchor",
}
"""The settings that may name code of the user's, and what it is."""


def own_names(data: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The settings of a config that name what is the user's own, each with a name, such as `file.py:Name`.

    It is code, and weights of anchors.
    """
    for key in SETTINGS:
        for name in _names(data, key):
            if is_own(name) or is_weights(name):
                yield key, name


def located(data: Mapping[str, object], folders: Callable[[str], Sequence[Path]]) -> dict[str, object]:
    """A config whose files (the user's own code, and weights of anchors) have absolute paths.

    folders: where the files of a setting are looked for, the first that has it; where none has, a file stays as it was
    written. Raises ConfigError for a file that none of several folders has.
    """

    def place(key: str, name: str) -> str:
        found, where = _located(name, folders(key)), folders(key)
        if found == name and len(where) > 1 and plugins.names_file(name):
            file = Path(name.rpartition(":")[0])
            if not file.is_absolute():
                raise ConfigError(
                    f"{key}: there is no file '{file}': neither {where[0] / file}, beside the config, nor "
                    f"{where[1] / file}, in the working folder"
                )
        return found

    return _replaced(data, place)


def moved_along(data: Mapping[str, object], before: Mapping[str, object]) -> dict[str, object]:
    """A config whose game has moved since `before`, with the files that lay beside it and are gone at its new place."""
    (old, *_), (new, *_) = [*_names(before, "game.id"), ""], [*_names(data, "game.id"), ""]
    if old == new or anchor_name(old) != anchor_name(new):
        return dict(data)
    there, here = (Path(name.rpartition(":")[0]).parent for name in (old, new))

    def place(key: str, name: str) -> str:
        path = Path(name if is_weights(name) else name.rpartition(":")[0])
        if path.is_file() or not path.is_relative_to(there):
            return name
        return _located(str(here / path.relative_to(there)) + name[len(str(path)) :], [Path.cwd()])

    return _replaced(data, place)


def at_places_of(data: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """A config whose names of the user's files are replaced by those in `other` that differ only in the folder."""
    there = {key: {anchor_name(name): name for name in _names(other, key)} for key in SETTINGS}
    return _replaced(data, lambda key, name: there[key].get(anchor_name(name), name))


def _located(name: str, folders: Sequence[Path]) -> str:
    if not is_weights(name):
        return plugins.located(name, folders)
    places = (folder / Path(name).expanduser() for folder in folders)
    return next((str(place.absolute()) for place in places if place.is_file()), name)


def _names(data: Mapping[str, object], key: str) -> list[str]:
    """The texts of a setting that holds one or several; none where it holds anything else."""
    section, _, name = key.partition(".")
    table = data.get(section)
    value = table.get(name) if isinstance(table, Mapping) else None
    return [one for one in (value if isinstance(value, list | tuple) else [value]) if isinstance(one, str)]


def _replaced(data: Mapping[str, object], change: Callable[[str, str], str]) -> dict[str, object]:
    """A config with each text of `SETTINGS` changed. change: from a setting and its text to the new text."""
    found = dict(data)
    for key in SETTINGS:
        section, _, name = key.partition(".")
        table = found.get(section)
        if isinstance(table, Mapping) and _names(data, key):
            value = table[name]
            new: object = change(key, value) if isinstance(value, str) else None
            if not isinstance(value, str):
                new = [change(key, one) if isinstance(one, str) else one for one in value]
            found[section] = {**table, name: new}
    return found
