"""Settings in plain words, from their declarations: allowed values and error messages; and settings by dotted key."""

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


def allowed_values(field: FieldInfo) -> str:
    """The values that a setting allows, in words, such as "a whole number > 0" or "a list of whole numbers > 0"."""
    return _type_in_words(field.annotation, field.metadata, 0)


def toml_text(value: object) -> str:
    """A value roughly as in a TOML file; "none" if it is unset."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def section_type(field: FieldInfo) -> type[Settings] | None:
    """The class of settings that a field holds; None if the field is not a section of a config."""
    kind = type(field.default) if isinstance(field.default, Settings) else field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def settings_below(fields: Fields, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting in `fields` and in the sections among them, with its dotted key."""
    for name, field in fields.items():
        inner = section_type(field)
        if inner is None:
            yield prefix + name, field
        else:
            yield from settings_below(inner.model_fields, f"{prefix}{name}.")


def flatten(data: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested tables as one table with dotted keys. An empty table counts as a value."""
    flat: dict[str, object] = {}
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def fault_text(
    keys: Sequence[str],
    kind: str,
    message: str,
    root: Fields,
    data: Mapping[str, object],
    fields_of: Callable[[type[Settings], object], Fields],
) -> str:
    """A pydantic error in plain words: the key, the values that it allows and the value found.

    keys: where the error is. kind, message: pydantic's. root: the fields that `data` was validated against. fields_of:
    called with a section's class and data; returns the fields of that section.
    """
    if not keys:
        return message.removeprefix("Value error, ")
    fields, value = root, cast(object, data)
    for depth, name in enumerate(keys, 1):
        key = ".".join(keys[:depth])
        if name not in fields:
            return f"unknown key '{key}'{_hint_for_unknown_key(name, fields, depth == 1)}"
        field = fields[name]
        value = value.get(name) if isinstance(value, Mapping) else None
        inner = section_type(field)
        if inner is None:
            break
        fields = fields_of(inner, value)
    if kind == "value_error":
        return f"'{'.'.join(keys)}': {message.removeprefix('Value error, ')}"
    if section_type(field) is not None:
        return f"'{key}': must be a section with the keys {', '.join(fields)}, not {toml_text(value)}"
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return f"'{key}': must be {allowed_values(field)}, not {toml_text(value)}{nearest(str(value), map(str, choices))}"


def _hint_for_unknown_key(name: str, fields: Fields, top: bool) -> str:
    """Suggestions for an unknown name: the same name in another section, else a similar one, else all valid names."""
    elsewhere = [key for key, _ in settings_below(fields) if key.rpartition(".")[2] == name] if top else []
    if elsewhere:
        return f"; did you mean '{elsewhere[0]}'?"
    return nearest(name, fields) or f" (there are: {', '.join(fields)}; `league docs configuration` explains each)"


def _type_in_words(annotation: object, metadata: Sequence[object], plural: int) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_in_words(inner[0], inner[1:], plural)
    if origin in (Union, UnionType):
        kinds = [_type_in_words(one, metadata, plural) for one in inner if one is not NoneType]
        return " or ".join(kinds + ["none"] * (NoneType in inner))
    if origin is Literal:
        return "one of " + ", ".join(map(toml_text, inner))
    if origin is tuple and inner[-1] is not ...:
        what = f"{('a list', 'lists')[plural]} of {len(inner)} {_type_in_words(inner[0], (), 1)}"
    elif origin in (tuple, list):
        what = f"{('a list', 'lists')[plural]} of {_type_in_words(inner[0], (), 1)}"
    elif origin is dict:
        what = f"{('a table', 'tables')[plural]} of {_type_in_words(inner[1], (), 1)}"
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
