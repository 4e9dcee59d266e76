"""A user's files as modules: each finds what lies beside it, and what was run is known by its content.

A folder with files of the user's becomes a package of a name of its own. So a file can import what lies beside it, also
late and in other processes, and files of one name in two folders are two modules.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader, all_suffixes
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

from league.files import digest, digest_file

_PREFIX = "league_user_"
"""How the names of these packages begin; the folder's digest follows."""

_sources: dict[str, tuple[Path, str]] = {}
"""By module: its file, and the sha256 of the content that was run."""

_uses: dict[str, set[str]] = {}
"""By module: what it has imported from its own folder."""

_Place = Literal["beside", "on the path", "elsewhere"]

_places: dict[tuple[str, str], _Place] = {}
"""By package and top-level name: what the name means to the folder's files."""


def load_file(file: Path) -> ModuleType:
    """The module of a file with an absolute path; run again only if it, or what was imported beside it, has changed.

    Raises ImportError where it is no Python, and whatever it raises itself.
    """
    package = _package_of(file.parent)
    if any(not _is_as_run(*_sources[name]) for name in _modules_of(package) if name in _sources):
        _forget(file.parent)
    name = module_name(file)
    if name in sys.modules:
        return sys.modules[name]
    importlib.invalidate_caches()  # files that are new in the folder
    loader = _Loader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module there
    try:
        loader.exec_module(module)
    except BaseException:
        # What it imported goes, too: it may be what has to be put right.
        _forget(file.parent)
        raise
    return module


def module_name(file: Path) -> str:
    """The name of the module of a file with an absolute path."""
    return f"{_package_name(file.parent)}.{file.stem.replace('.', '_')}"


def files_of(module: str) -> dict[Path, str]:
    """The files that a module consists of so far, itself and what was imported beside it: the sha256 of each as run."""
    found, left = dict[str, None](), [module]
    while left:
        name = left.pop()
        if name not in found:
            found[name] = None
            left += _uses.get(name, ())
    return dict(_sources[name] for name in found if name in _sources)


def readable(text: str) -> str:
    """A text without the names of the packages, as the user would write it."""
    return re.sub(rf"{_PREFIX}[0-9a-f]{{16}}\.", "", text)


class _Loader(SourceFileLoader):
    """Runs a user's source, never a compiled copy of it, with an `import` that looks in its folder first."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        data = self.get_data(path)
        _sources[fullname] = Path(path), digest(data)
        code: CodeType = self.source_to_code(data, path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__.partition(".")[0]
        # Functions keep the builtins of their module, so that they import in the same way whenever they are called.
        module.__dict__["__builtins__"] = vars(builtins) | {"__import__": partial(_import, package)}
        super().exec_module(module)


class _Finder(MetaPathFinder):
    """Gives the modules of users' folders the loader above."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not fullname.startswith(_PREFIX):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(fullname, spec.origin)
        return spec


sys.meta_path.insert(0, _Finder())


def _import(
    package: str,
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """`__import__` of the files in a folder. package: the folder's."""
    importer = str((globals or {}).get("__name__", ""))
    if level:
        found = builtins.__import__(name, globals, locals, fromlist or (), level)
        whole = importlib.util.resolve_name("." * level + name, str((globals or {}).get("__package__", "")))
    elif (place := _place(package, top := name.partition(".")[0])) == "beside":
        whole = f"{package}.{name}"
        try:
            found = builtins.__import__(whole, globals, locals, fromlist or (), 0)
        except ModuleNotFoundError as missing:
            own = (missing.name or "").removeprefix(f"{package}.")
            if own == missing.name:
                raise
            raise ModuleNotFoundError(f"No module named {own!r}", name=own) from None
        if not fromlist:
            found = sys.modules[f"{package}.{top}"]
    else:
        whole, found = name, builtins.__import__(name, globals, locals, fromlist or (), 0)
        if place == "elsewhere":
            return found
    parts = whole.split(".")
    reached = [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    _note(importer, [*reached, *(f"{whole}.{one}" for one in fromlist or ())])
    return found


def _note(importer: str, names: Sequence[str]) -> None:
    """Note what a module has imported from its folder."""
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and name not in _sources:  # compiled, or imported under its usual name
            _sources[name] = Path(file), digest_file(Path(file))
        if name in _sources:
            _uses.setdefault(importer, set()).add(name)


def _package_of(folder: Path) -> str:
    """The package that stands for a folder, made where it does not exist."""
    name = _package_name(folder)
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


def _package_name(folder: Path) -> str:
    return f"{_PREFIX}{digest(os.fsencode(folder))[:16]}"


def _modules_of(package: str) -> list[str]:
    """All that was imported from a folder."""
    return [name for name in list(sys.modules) if name.startswith(f"{package}.")]


def _forget(folder: Path) -> None:
    """Let the next import run a folder's files again. What was made of them before keeps what it has."""
    package = _package_of(folder)
    for name in [package, *_modules_of(package)]:
        sys.modules.pop(name, None)
        _sources.pop(name, None)
        _uses.pop(name, None)
    for key in [key for key in _places if key[0] == package]:
        del _places[key]
    _package_of(folder)


def _is_as_run(file: Path, content: str) -> bool:
    try:
        return digest_file(file) == content
    except OSError:
        return False


def _place(package: str, top: str) -> _Place:
    """What a top-level name means to a file: as for a script, its own folder comes before what is installed."""
    key = package, top
    if key not in _places:
        _places[key] = _look_up(Path(sys.modules[package].__path__[0]), top)
    return _places[key]


def _look_up(folder: Path, top: str) -> _Place:
    if top == "league" or top in sys.builtin_module_names:
        return "elsewhere"
    usual = _usual_file(top)
    for file in _candidates(folder, top):
        if file.is_file():
            # A folder on Python's path: a second copy of its modules would have classes of its own.
            return "on the path" if usual is not None and usual.exists() and usual.samefile(file) else "beside"
    return "beside" if usual is None and top not in sys.modules and (folder / top).is_dir() else "elsewhere"


def _candidates(folder: Path, top: str) -> Iterator[Path]:
    yield folder / top / "__init__.py"
    yield from (folder / f"{top}{suffix}" for suffix in all_suffixes())


def _usual_file(top: str) -> Path | None:
    """The file of a module that Python finds without the folder."""
    if top in sys.modules:
        file = getattr(sys.modules[top], "__file__", None)
        return Path(file) if file else None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None
