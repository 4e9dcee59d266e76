"""What a setting may be, in plain words, read from its declaration: for error messages and for the reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, cast, get_args, get_origin

from pydantic.fields import FieldInfo

from league.errors import nearest
from league.settings import Settings

Fields = Mapping[str, FieldInfo]

_WORDS = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "true or false"),
    object: ("any value", "values"),
}
_LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def describe(field: FieldInfo) -> str:
    """What values a setting takes, such as "a whole number > 0" or "a list of whole numbers > 0"."""
    return _words(field.annotation, field.metadata, 0)


def show(value: object) -> str:
    """A value as a TOML file would hold it, near enough; "none" where it is unset."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def section(field: FieldInfo) -> type[Settings] | None:
    """The settings that a field holds, where it is a section of a config."""
    kind = type(field.default) if isinstance(field.default, Settings) else field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def leaves(fields: Fields, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting below `fields` with its dotted key, sections opened."""
    for name, field in fields.items():
        inner = section(field)
        if inner is None:
            yield prefix + name, field
        else:
            yield from leaves(inner.model_fields, f"{prefix}{name}.")


def flatten(data: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested tables as dotted keys; an empty table is a value of its own."""
    flat: dict[str, object] = {}
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def explain(
    keys: Sequence[str],
    kind: str,
    message: str,
    root: Fields,
    data: Mapping[str, object],
    fields_of: Callable[[type[Settings], object], Fields],
) -> str:
    """One of pydantic's faults in plain words: the key, what would be right and what was there.

    keys: the place of the fault. kind, message: pydantic's. root: the fields that `data` was read into. fields_of:
    the fields of a section whose data are given.
    """
    if not keys:
        return message.removeprefix("Value error, ")
    fields, value = root, cast(object, data)
    for depth, name in enumerate(keys, 1):
        key = ".".join(keys[:depth])
        if name not in fields:
            return f"unknown key '{key}'{_hint(name, fields, depth == 1)}"
        field = fields[name]
        value = value.get(name) if isinstance(value, Mapping) else None
        inner = section(field)
        if inner is None:
            break
        fields = fields_of(inner, value)
    if kind == "value_error":
        return f"'{'.'.join(keys)}': {message.removeprefix('Value error, ')}"
    if section(field) is not None:
        return f"'{key}': must be a section with the keys {', '.join(fields)}, not {show(value)}"
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return f"'{key}': must be {describe(field)}, not {show(value)}{nearest(str(value), map(str, choices))}"


def _hint(name: str, fields: Fields, top: bool) -> str:
    """What an unknown name may have meant: the same name in another section, a near one, or else any of these."""
    elsewhere = [key for key, _ in leaves(fields) if key.rpartition(".")[2] == name] if top else []
    if elsewhere:
        return f"; did you mean '{elsewhere[0]}'?"
    return nearest(name, fields) or f" (there are: {', '.join(fields)}; `league docs configuration` explains each)"


def _words(annotation: object, metadata: Sequence[object], plural: int) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(inner[0], inner[1:], plural)
    if origin in (Union, UnionType):
        kinds = [_words(one, metadata, plural) for one in inner if one is not NoneType]
        return " or ".join(kinds + ["none"] * (NoneType in inner))
    if origin is Literal:
        return "one of " + ", ".join(map(show, inner))
    if origin is tuple and inner[-1] is not ...:
        what = f"{('a list', 'lists')[plural]} of {len(inner)} {_words(inner[0], (), 1)}"
    elif origin in (tuple, list):
        what = f"{('a list', 'lists')[plural]} of {_words(inner[0], (), 1)}"
    elif origin is dict:
        what = f"{('a table', 'tables')[plural]} of {_words(inner[1], (), 1)}"
    elif isinstance(annotation, type) and annotation in _WORDS:
        what = _WORDS[annotation][plural]
    else:
        what = ("a section", "sections")[plural]
    return what + _limits(metadata)


def _limits(metadata: Sequence[object]) -> str:
    limits = []
    for one in metadata:
        for name, sign in _LIMITS.items():
            bound = getattr(one, name, None)
            if bound is not None:
                limits.append(f"{sign} {bound:g}" if isinstance(bound, float) else f"{sign} {bound}")
    empty = any(hasattr(one, "min_length") for one in metadata)
    return (" " + " and ".join(limits) if limits else "") + (", not empty" if empty else "")
