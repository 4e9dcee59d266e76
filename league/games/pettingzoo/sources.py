"""Where PettingZoo environments come from: an id and options in, a factory of bare environments out."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from league import plugins
from league.errors import GameError, nearest
from league.games.option_checks import check_known, require_given

Environment = Any
"""A PettingZoo AECEnv or ParallelEnv: the library is untyped, and agents may be named by anything hashable."""

Channels = Literal["first", "last"]
FAMILIES = ("atari", "butterfly", "classic", "sisl")

INSTALLED_BY = {
    **dict.fromkeys(("rlcard", "shimmy", "pyspiel"), "selfplay-league[cards]"),
    **dict.fromkeys(("pymunk", "Box2D"), "selfplay-league[physics]"),
    **dict.fromkeys(("lbforaging", "rware"), "selfplay-league[grids]"),
    "magent2": "selfplay-league[magent]",
    "chess": "selfplay-league[chess]",
}
"""What installs a missing module, where it is not the extra of its family."""

GYMNASIUM = {"lbf": "lbforaging", "rware": "rware"}
"""Packages of Gymnasium environments whose spaces have one part for each agent, by the prefix of their ids."""

MODULES = {"mpe2": "mpe2", "magent2": "magent2.environments"}
"""Packages of environments besides PettingZoo's own, by the prefix of their ids: the module that holds them."""

_NAME = re.compile(r"(?P<name>[a-z][a-z0-9_]*)[-_]v(?P<version>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a game's environments come from.

    id: in canonical spelling. version: the environment's own. family: "classic", "butterfly", …, "mpe2", "magent2",
    "lbf", "rware", "openspiel", or "custom" for a user's factory. name: without family and version.
    build: makes one environment. channels: the position of the channels in the environment's images.
    option_defaults: the environment's options that have a default, with the default, as far as signatures show them.
    """

    id: str
    version: str
    family: str
    name: str
    build: Callable[[], Environment]
    channels: Channels = "last"
    option_defaults: Mapping[str, object] = field(default_factory=dict)


def find(
    origin: str | Callable[..., Environment],
    options: Mapping[str, object],
    wrappers: Sequence[str] = (),
    named: str | None = None,
) -> Source:
    """The source of an id (`pettingzoo:FAMILY/NAME-vN`, `mpe2:NAME_vN`, `magent2:NAME_vN`, `openspiel:NAME`, `lbf:ID`,
    `rware:ID`) or of a user's factory.

    options: keyword arguments of the environment (for OpenSpiel: parameters of the game). wrappers: callables by name
    (`package.module:Name`, `file.py:Name`) that wrap each environment, the first one innermost.
    named: the name that a factory was loaded by.
    Raises GameError for an unknown or retired name, an unknown option, and a package that is not installed.
    """
    source = _unwrapped(origin, options, named)
    if not wrappers:
        return source
    wraps = [plugins.load(wrapper, "wrapper", GameError) for wrapper in wrappers]

    def build() -> Environment:
        environment = source.build()
        for name, wrap in zip(wrappers, wraps, strict=True):
            try:
                environment = wrap(environment)
            except Exception as error:  # a user's own code may raise anything
                raise GameError(f"{source.id}: the wrapper '{name}' failed: {type(error).__name__}: {error}") from error
        return environment

    return replace(source, build=build)


def _unwrapped(origin: str | Callable[..., Environment], options: Mapping[str, object], named: str | None) -> Source:
    # Environments open SDL even where nothing is rendered: without a display they fail, and pygame prints a banner.
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from gymnasium import logger

    # These libraries' warnings (render modes, precision of bounds, spaces that are no methods) concern the author of an
    # environment. `league check` passes them on; elsewhere they would be repeated by every command and every worker.
    logger.min_level = logger.ERROR
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(pettingzoo|gymnasium)\.")
    if not isinstance(origin, str):
        name = getattr(origin, "__qualname__", type(origin).__qualname__)
        game = f"{_place(getattr(origin, '__module__', None) or type(origin).__module__, named)}:{name}"
        _check_options(game, origin, options)
        return Source(
            id=game,
            version="0",
            family="custom",
            name=name,
            build=_factory(game, "", origin, options),
            option_defaults=_option_defaults(origin),
        )
    package, _, name = origin.partition(":")
    if package == "openspiel":
        return _openspiel(name, options)
    if package in MODULES:
        return _from_package(origin, MODULES[package], package, name, options)
    if package in GYMNASIUM:
        return _gymnasium(package, name, options)
    family, slash, name = name.partition("/")
    if package == "pettingzoo" and family == "mpe":
        raise GameError(f"'{origin}' has moved out of PettingZoo{_moved_to_mpe2(name)}")
    if package == "pettingzoo" and slash and family in FAMILIES:
        return _from_package(origin, f"pettingzoo.{family}", family, name, options)
    raise GameError(f"unknown game '{origin}'{nearest(origin, known_ids())}")


def _place(module: str, named: str | None) -> str:
    """What a user calls the module of a game: that of a file is the file's name, from whatever folder it is loaded."""
    file = getattr(sys.modules.get(module), "__file__", None)
    own = module.startswith("league_user_") or (named is not None and plugins.brings(named, module))
    return Path(file).name if own and file else module


def known_ids() -> tuple[str, ...]:
    """The ids of all installed environments of PettingZoo, mpe2 and magent2, found without importing them."""
    found = [
        f"pettingzoo:{family}/{name}-v{version}"
        for family in FAMILIES
        for name, version in sorted(_installed(f"pettingzoo.{family}").items())
    ]
    others = [
        f"{package}:{name}_v{version}"
        for package, module in MODULES.items()
        for name, version in sorted(_installed(module).items())
    ]
    return (*found, *others)


def _from_package(origin: str, package: str, family: str, text: str, options: Mapping[str, object]) -> Source:
    """An environment that lives in the module `PACKAGE.NAME_vN`."""
    match = _NAME.fullmatch(text)
    installed = _installed(package)
    ids = {
        name: f"{family}:{name}_v{version}" if family in MODULES else f"pettingzoo:{family}/{name}-v{version}"
        for name, version in installed.items()
    }
    if not installed and family in MODULES:
        _guarded(origin, family, lambda: _module(package))
    if match is None or match["name"] not in installed:
        raise GameError(f"unknown game '{origin}'{nearest(origin, ids.values())}")
    name, version = match["name"], match["version"]
    if version != installed[name]:
        raise GameError(f"'{origin}' is not the installed version: use '{ids[name]}'")
    module = _guarded(ids[name], family, lambda: _module(f"{package}.{name}_v{version}"))
    _check_options(ids[name], module.raw_env, options)
    return Source(
        id=ids[name],
        version=version,
        family=family,
        name=name,
        build=_factory(ids[name], family, lambda **given: _bare(module, given), options),
        option_defaults=_option_defaults(module.raw_env),
    )


def _gymnasium(package: str, name: str, options: Mapping[str, object]) -> Source:
    """A registered Gymnasium environment of a package, whose spaces have one part for each agent."""
    game, module = f"{package}:{name}", GYMNASIUM[package]
    _guarded(game, package, lambda: _module(module))
    import gymnasium

    known = [id for id, spec in gymnasium.registry.items() if str(spec.entry_point).startswith(f"{module}.")]
    if name not in known:
        raise GameError(f"{module} has no environment '{name}'{nearest(name, known)}")

    def make() -> Environment:
        from league.games.pettingzoo.tuple_env import TupleEnv

        # Without Gymnasium's wrappers: they check every call, and the environments limit their steps themselves.
        return TupleEnv(game, gymnasium.make(name, disable_env_checker=True, **dict[str, Any](options)).unwrapped)

    return Source(
        id=game,
        version=name.rpartition("-v")[2],
        family=package,
        name=name,
        build=_factory(game, package, make, {}),
    )


def _openspiel(name: str, options: Mapping[str, object]) -> Source:
    """A game of OpenSpiel, through Shimmy's AEC wrapper."""
    game = f"openspiel:{name}"
    pyspiel = _guarded(game, "openspiel", lambda: _module("pyspiel"))
    shimmy = _guarded(game, "openspiel", lambda: _module("shimmy.openspiel_compatibility"))
    if "(" in name:
        raise GameError(
            f"'{game}': give parameters as options of the game, not in its name: '{game.partition('(')[0]}'"
        )
    types = {kind.short_name: kind for kind in pyspiel.registered_games()}
    if name not in types:
        raise GameError(f"OpenSpiel has no game '{name}'{nearest(name, types)}")
    # OpenSpiel would refuse these as well, but only after it has written to stderr.
    parameters = types[name].parameter_specification
    check_known(game, options, parameters)
    config = dict(options) or None

    def make() -> Environment:
        from league.games.openspiel.environment import corrected

        return corrected(shimmy.OpenSpielCompatibilityV0(game_name=name, config=config))

    return Source(
        id=game,
        version="0",
        family="openspiel",
        name=name,
        build=_factory(game, "openspiel", make, {}),
        channels="first",
        option_defaults=dict(parameters),
    )


def _bare(module: ModuleType, options: Mapping[str, object]) -> Environment:
    """An environment without the wrappers that check every call, which the driver replaces; parallel where possible."""
    environment = module.raw_env(**options)
    if not hasattr(module, "parallel_env"):
        return environment
    from pettingzoo.utils.conversions import parallel_to_aec_wrapper

    from league.games.pettingzoo.aec_to_parallel import CyclesAsParallel

    if isinstance(environment, parallel_to_aec_wrapper):
        return environment.env
    if environment.metadata.get("is_parallelizable", False):
        return CyclesAsParallel(environment)
    return module.parallel_env(**options)


def _factory(
    game: str, family: str, make: Callable[..., Environment], options: Mapping[str, object]
) -> Callable[[], Environment]:
    return lambda: _guarded(game, family, lambda: make(**options))


def _guarded(game: str, family: str, make: Callable[[], Any]) -> Any:
    """What `make` makes. Raises GameError where a package is missing or the environment cannot be made."""
    try:
        return make()
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        extra = INSTALLED_BY.get(missing, f"pettingzoo[{family}]" if family in FAMILIES else missing or family)
        raise GameError(f"{game} needs '{missing or error}', which is not installed: pip install '{extra}'") from error
    except GameError:
        raise
    except Exception as error:
        raise GameError(f"{game} cannot be made: {type(error).__name__}: {error}") from error


def _option_defaults(make: Callable[..., object], depth: int = 2) -> dict[str, object]:
    """Options and their defaults; where `make` passes on `**kwargs`, also those of the functions that it calls."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):  # some callables written in C have none
        return {}
    found = {one.name: one.default for one in parameters if one.default is not one.empty}
    if depth and any(one.kind is one.VAR_KEYWORD for one in parameters):
        function = vars(make).get("__init__") if isinstance(make, type) else make
        names = getattr(getattr(function, "__code__", None), "co_names", ())
        for called in map(getattr(function, "__globals__", {}).get, names):
            if inspect.isfunction(called) or inspect.isclass(called):
                found = _option_defaults(called, depth - 1) | found
    return found


def _check_options(game: str, make: Callable[..., Environment], options: Mapping[str, object]) -> None:
    try:
        parameters = inspect.signature(make).parameters
    except ValueError:  # some callables written in C have none: the call itself will fail
        return
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = [one for one in parameters.values() if one.kind not in variable]
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        check_known(game, options, sorted(parameters))
    missing = [one.name for one in named if one.default is one.empty and one.name not in options]
    require_given(game, missing, [one.name for one in named])


def _module(name: str) -> ModuleType:
    with warnings.catch_warnings():
        # PettingZoo deprecates importing its modules in favour of `make`, which only makes wrapped environments.
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(name)


def _installed(package: str) -> dict[str, str]:
    """Version by name of the environments in a package, found without importing it."""
    top, *below = package.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return {}
    folders = [os.path.join(folder, *below) for folder in spec.submodule_search_locations or ()]
    matches = (_NAME.fullmatch(module.name) for module in pkgutil.iter_modules(folders))
    return {match["name"]: match["version"] for match in matches if match}


def _moved_to_mpe2(text: str) -> str:
    """How an error about a retired `pettingzoo:mpe/…` ends: the environment's name in the package mpe2."""
    name, installed = re.sub(r"[-_]v\d+$", "", text), _installed("mpe2")
    if name in installed:
        return f": use 'mpe2:{name}_v{installed[name]}'"
    ids = [f"mpe2:{name}_v{version}" for name, version in installed.items()]
    return f" into the package mpe2{nearest(f'mpe2:{text}', ids)}"
