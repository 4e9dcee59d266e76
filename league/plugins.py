"""Loading the user's own code, named as `package.module:Name` or `file.py:Name`."""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from league import imports
from league.errors import LeagueError, nearest
from league.files import digest_file

_loaded: dict[str, str] = {}
"""By module: what was loaded from each of the user's own, such as "matchmaker 'mine.py:Mine'"."""

_FILE_NAME = re.compile(r"(?P<file>.+\.py):(?P<name>\w+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Files:
    """The files that a name was loaded from. content: the sha256 of each, by its path within `folder`."""

    folder: str
    content: dict[str, str]


def load(text: str, what: str, error: type[LeagueError], known: Iterable[str] = ()) -> Callable[..., object]:
    """The class or function that `text` names. A file is looked for in the working folder.

    what: its kind, for messages ("game"). known: valid names, from which a missing module's message suggests one.
    Raises `error` if there is no such file, module or name, if importing it fails, or if it is not callable.
    """
    place, _, name = text.rpartition(":")
    called = f"{what} '{shown(text)}'"
    if not place or not name:
        raise error(f"{called}: write it as package.module:Name or file.py:Name")
    module = _file(called, place, error) if place.endswith(".py") else _module(called, place, error, known)
    if module.__name__.partition(".")[0] != "league":
        _loaded[module.__name__] = called
    found = getattr(module, name, None)
    if found is None:
        raise error(f"{called}: {shown(place)} has no '{name}'{nearest(name, vars(module))}")
    if not callable(found):
        raise error(f"{called}: '{name}' is a {type(found).__name__}, not a class or a function")
    made: Callable[..., object] = found
    return made


def blame(error: BaseException) -> str | None:
    """What failed and where, if the exception came from user code that `load` loaded; else None."""
    whose = {str(file): called for module, called in _loaded.items() for file in _files_of(module)}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in whose:
            place = f"{frame.filename}, line {frame.lineno}, in {frame.name}"
            return f"{whose[frame.filename]} failed: {imports.readable(f'{type(error).__name__}: {error}')} ({place})"
    return None


def names_file(text: str) -> bool:
    """Whether a text has the form `file.py:Name`."""
    return _FILE_NAME.fullmatch(text) is not None


def located(text: str, folders: Sequence[Path]) -> str:
    """`file.py:Name` with the absolute path of the file, from the first of the folders that has it.

    Any other text, and the name of a file that no folder has, stays as it is.
    """
    match = _FILE_NAME.fullmatch(text)
    if match is None:
        return text
    for folder in folders:
        file = _absolute(match["file"], folder)
        if file.is_file():
            return f"{file}:{match['name']}"
    return text


def short(text: str) -> str:
    """`file.py:Name` without the folders of the file; any other text as it is."""
    match = _FILE_NAME.fullmatch(text)
    return text if match is None else f"{Path(match['file']).name}:{match['name']}"


def shown(text: str) -> str:
    """A path or a name with one as the user would write it: from the working folder, where it lies below that."""
    return text.removeprefix(f"{os.getcwd()}{os.sep}")


def files_of(text: str) -> Files:
    """The files that `text` was loaded from: its own, and what it has imported so far from beside it.

    Of `package.module:Name`, all that is loaded of the package. What is compiled or not loaded has none.
    """
    place, _, _ = text.rpartition(":")
    if place.endswith(".py"):
        file = _absolute(place, Path.cwd())
        module, folder = imports.module_name(file), file.parent
    else:
        module = place
        own = Path(getattr(sys.modules.get(place), "__file__", None) or ".")
        depth = place.count(".") + (own.name == "__init__.py")
        folder = own.absolute().parents[depth]
    found = sorted((os.path.relpath(file, folder), content) for file, content in _files_of(module).items())
    return Files(str(folder), dict(found))


def brings(text: str, module: str) -> bool:
    """Whether `file.py:Name`, which is loaded, consists of this module's file too, under whatever name it is imported.

    A file that lies beside it has another name where its folder is on Python's path.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not names_file(text):
        return False
    return Path(file) in imports.files_of(imports.module_name(_absolute(text.rpartition(":")[0], Path.cwd())))


def _files_of(module: str) -> dict[Path, str]:
    """The sha256 of the files of a module that `load` has loaded."""
    if of_file := imports.files_of(module):
        return of_file
    top = module.partition(".")[0]
    package = [one for name, one in list(sys.modules.items()) if name == top or name.startswith(f"{top}.")]
    paths = [Path(file) for one in package if (file := getattr(one, "__file__", None)) and file.endswith(".py")]
    return {path.absolute(): digest_file(path) for path in paths if path.is_file()}


def _absolute(file: str, folder: Path) -> Path:
    """The absolute path of a file. Links to its folders are followed, so that it has one path; the file stays a link.

    folder: that a relative path starts from.
    """
    path = folder / Path(file).expanduser()
    return Path(os.path.realpath(path.parent)) / path.name


def _module(called: str, place: str, error: type[LeagueError], known: Iterable[str]) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as missing:
        if missing.name and (place == missing.name or place.startswith(f"{missing.name}.")):
            raise error(f"{called}: there is no module '{place}'{nearest(place, known)}") from missing
        raise error(f"{called} needs the module '{missing.name}', which is not installed") from missing
    # Any error that a user's module raises on import is the user's to fix.
    except Exception as problem:
        raise error(f"{called}: importing '{place}' failed: {type(problem).__name__}: {problem}") from problem


def _file(called: str, place: str, error: type[LeagueError]) -> ModuleType:
    file = _absolute(place, Path.cwd())
    if not file.is_file():
        raise error(f"{called}: there is no file '{shown(place)}' (searched at {file})")
    try:
        return imports.load_file(file)
    except ModuleNotFoundError as missing:
        raise error(
            f"{called} needs the module '{missing.name}', which is neither installed nor beside '{shown(place)}'"
        ) from missing
    except Exception as problem:
        reason = imports.readable(f"{type(problem).__name__}: {problem}")
        raise error(f"{called}: running '{shown(place)}' failed: {reason}") from problem
