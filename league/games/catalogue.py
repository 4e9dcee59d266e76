"""The list of games: every id that needs no code of the user's, what it is, and whether its packages are installed."""

from __future__ import annotations

import importlib.util
import re
from typing import NamedTuple

from league.games.pettingzoo.sources import INSTALLED_BY, known_ids
from league.games.registry import FAMILIES, NATIVE

_COLLECTIONS = {"mpe2": "multi-particle environments", "magent2": "MAgent"}
_MODULES: dict[str, tuple[str, ...]] = {
    "classic/chess": ("chess",),
    "classic/hanabi": ("shimmy", "pyspiel"),
    "classic/leduc_holdem": ("rlcard",),
    "classic/texas_holdem": ("rlcard",),
    "classic/texas_holdem_no_limit": ("rlcard",),
    "butterfly/pistonball": ("pymunk",),
    "sisl/multiwalker": ("Box2D",),
    "atari": ("multi_agent_ale_py",),
    "openspiel": ("shimmy", "pyspiel"),
    "lbf": ("lbforaging",),
    "rware": ("rware",),
    "magent2": ("magent2",),
}
"""Modules that an environment or a family needs besides PettingZoo itself."""
_DISTRIBUTIONS = {"pyspiel": "open-spiel", "Box2D": "box2d", "multi_agent_ale_py": "multi-agent-ale-py"}
"""The names under which modules are installed, where they differ."""


class CatalogueEntry(NamedTuple):
    """One line of `league games`. why_not: what is missing; empty where the game is available."""

    id: str
    description: str
    available: bool
    why_not: str


def catalogue() -> list[CatalogueEntry]:
    """Every game that can be named without writing code, and whether the packages that it needs are installed.

    Nothing is imported: the environments of PettingZoo and mpe2 are read off the files of the installed packages.
    """
    found = [_entry(name, description) for name, (_, description) in NATIVE.items()]
    found += [_entry(id, _describe(id)) for id in known_ids()]
    listed = {entry.id.partition(":")[0] for entry in found}
    return found + [
        _entry(id, description) for id, description in FAMILIES.items() if id.partition(":")[0] not in listed
    ]


def extras(id: str) -> tuple[str, ...]:
    """The extras of this distribution that install what a game needs."""
    named = (re.fullmatch(r"selfplay-league\[(\w+)\]", INSTALLED_BY.get(module, "")) for module in _modules(id))
    return tuple(sorted({match[1] for match in named if match}))


def _entry(id: str, description: str) -> CatalogueEntry:
    missing = [_DISTRIBUTIONS.get(module, module) for module in _modules(id) if not importlib.util.find_spec(module)]
    return CatalogueEntry(id, description, not missing, f"needs {' and '.join(missing)}" if missing else "")


def _describe(id: str) -> str:
    """`pettingzoo:classic/connect_four-v3` → "Connect four (PettingZoo classic)"."""
    package, _, name = id.partition(":")
    family, _, title = _without_version(name).rpartition("/")
    words = title.replace("_", " ").capitalize()
    return f"{words} ({f'PettingZoo {family}' if package == 'pettingzoo' else _COLLECTIONS[package]})"


def _modules(id: str) -> tuple[str, ...]:
    """Modules that a game needs besides PettingZoo itself."""
    package, colon, name = id.partition(":")
    if not colon:
        return ("torch",)
    name = _without_version(name)
    return _MODULES.get(package, _MODULES.get(name, _MODULES.get(name.partition("/")[0], ())))


def _without_version(name: str) -> str:
    return re.sub("[-_]v[0-9]+$", "", name)
