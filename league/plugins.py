"""Loading the user's own code, named as `package.module:Name` or `file.py:Name`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from league.errors import LeagueError, nearest

_loaded: dict[str, str] = {}
"""By file name: what was loaded from each of the user's own files, such as "matchmaker 'mine.py:Mine'"."""


def load(text: str, what: str, error: type[LeagueError], known: Iterable[str] = ()) -> Callable[..., object]:
    """The class or function that `text` names.

    what: its kind, for messages ("game"). known: valid names, from which a missing module's message suggests one.
    Raises `error` if there is no such file, module or name, if importing it fails, or if it is not callable.
    """
    place, _, name = text.rpartition(":")
    if not place or not name:
        raise error(f"{what} '{text}': write it as package.module:Name or file.py:Name")
    module = (
        _file(text, Path(place), what, error) if place.endswith(".py") else _module(text, place, what, error, known)
    )
    if module.__name__.partition(".")[0] != "league" and module.__file__:
        _loaded[module.__file__] = f"{what} '{text}'"
    found = getattr(module, name, None)
    if found is None:
        raise error(f"{what} '{text}': {place} has no '{name}'{nearest(name, vars(module))}")
    if not callable(found):
        raise error(f"{what} '{text}': '{name}' is a {type(found).__name__}, not a class or a function")
    made: Callable[..., object] = found
    return made


def blame(error: BaseException) -> str | None:
    """What failed and where, if the exception came from user code that `load` loaded; else None."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in _loaded:
            place = f"{frame.filename}, line {frame.lineno}, in {frame.name}"
            return f"{_loaded[frame.filename]} failed: {type(error).__name__}: {error} ({place})"
    return None


def _module(text: str, place: str, what: str, error: type[LeagueError], known: Iterable[str]) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as missing:
        if missing.name and (place == missing.name or place.startswith(f"{missing.name}.")):
            raise error(f"{what} '{text}': there is no module '{place}'{nearest(place, known)}") from missing
        raise error(f"{what} '{text}' needs the module '{missing.name}', which is not installed") from missing
    # Any error that a user's module raises on import is the user's to fix.
    except Exception as problem:
        raise error(f"{what} '{text}': importing '{place}' failed: {type(problem).__name__}: {problem}") from problem


def _file(text: str, file: Path, what: str, error: type[LeagueError]) -> ModuleType:
    if not file.is_file():
        raise error(f"{what} '{text}': there is no file '{file}' (searched at {file.absolute()})")
    name = f"league_user_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise error(f"{what} '{text}': '{file}' cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module there
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        del sys.modules[name]
        raise error(f"{what} '{text}': running '{file}' failed: {type(problem).__name__}: {problem}") from problem
    return module
