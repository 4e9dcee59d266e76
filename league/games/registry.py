"""Games by name: what ships here, PettingZoo's, OpenSpiel's, and a user's own. Light: no torch until one is made."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from league import plugins
from league.errors import GameError, nearest
from league.games.pettingzoo.sources import GYMNASIUM, INSTALLED_BY, MODULES, Source, find, known_ids

if TYPE_CHECKING:
    from league.games.core import Game

NATIVE: dict[str, tuple[str, str]] = {
    "tictactoe": ("league.games.native.tictactoe:TicTacToe", "Tic-tac-toe"),
    "connect_four": ("league.games.native.connect_four:ConnectFour", "Connect Four"),
    "othello": ("league.games.native.othello:Othello", "Othello (Reversi), eight by eight"),
    "kuhn": ("league.games.native.kuhn:Kuhn", "Kuhn poker: three cards, one bet"),
    "leduc": ("league.games.native.leduc:Leduc", "Leduc poker: six cards, two betting rounds"),
    "rps": ("league.games.native.matrix:RockPaperScissors", "Rock-paper-scissors"),
    "biased_rps": ("league.games.native.matrix:BiasedRPS", "Rock-paper-scissors with unequal stakes"),
    "blotto": ("league.games.native.matrix:Blotto", "Colonel Blotto; options troops, fields"),
    "spread": ("league.games.native.particle_scenarios:Spread", "MPE: cover landmarks together; option N"),
    "tag": ("league.games.native.particle_scenarios:Tag", "MPE: predators hunt faster prey"),
    "adversary": ("league.games.native.particle_scenarios:Adversary", "MPE: hide the goal from an adversary; option N"),
    "speaker_listener": ("league.games.native.particle_scenarios:SpeakerListener", "MPE: one speaks, one moves"),
    "reference": ("league.games.native.particle_scenarios:Reference", "MPE: each tells the other where to go"),
    "foraging": (
        "league.games.native.foraging:Foraging",
        "Level-Based Foraging; options size, players, food, coop, sight",
    ),
    "two_step": ("league.games.native.cooperative:TwoStep", "QMIX's two-step game: together 8, else 7"),
    "climbing": ("league.games.native.cooperative:Climbing", "Climbing game, repeated; option turns"),
    "penalty": ("league.games.native.cooperative:Penalty", "Penalty game, repeated; options k, turns"),
    "recall": ("league.games.native.recall:Recall", "Name what was shown long ago; options cues, delay"),
    "matrix": ("league.games.native.matrix:Matrix", "Any matrix game; options payoff, payoff_column"),
}
"""Games that ship with league: name → (where, description)."""

_ADAPTED = ("pettingzoo", "openspiel", *MODULES, *GYMNASIUM)
_NEEDS: dict[str, tuple[str, ...]] = {
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
"""Modules that an environment or family needs beyond PettingZoo itself."""
_COLLECTIONS = {"mpe2": "multi-particle environments", "magent2": "MAgent"}
_PACKAGES = {"pyspiel": "open-spiel", "Box2D": "box2d", "multi_agent_ale_py": "multi-agent-ale-py"}


class Listed(NamedTuple):
    """One line of `league games`. why_not: what is missing, empty where the game is available."""

    id: str
    description: str
    available: bool
    why_not: str


def make(
    id: str, slots: int, device: str = "cpu", options: Mapping[str, object] | None = None, workers: int = 0
) -> Game:
    """The game called `id`, with `slots` copies of it, its tensors on `device`.

    options: of the game itself, and `pad` (`padded.Padded`); of an environment also those of the adapter
    (`pettingzoo.options.AdapterOptions`).
    id: a name of `NATIVE`; `pettingzoo:…`, `mpe2:…`, `magent2:…`, `openspiel:…`, `lbf:…` or `rware:…`; else
    `package.module:Name` or `file.py:Name`, where Name is a Game class or a function
    `(slots, device, **options) -> Game` (its first parameter is called
    `slots`), or a function `(**options)` that makes a PettingZoo environment.
    workers: processes that step PettingZoo environments (0: this one); league's and a user's own games need none. Close
    the game to end them.
    Raises GameError for unknown names and options.
    """
    given = dict(options or {})
    if slots < 1:
        raise GameError(f"{id}: a game needs at least one slot, not {slots}")
    if workers < 0:
        raise GameError(f"{id}: workers must be 0 or more, not {workers}")
    if id in NATIVE:
        return _made(id, plugins.load(NATIVE[id][0], "game", GameError), slots, device, given, workers)
    source, colon, _ = id.partition(":")
    if colon and source in _ADAPTED:
        from league.games.pettingzoo.game import PettingZooGame

        return PettingZooGame(id, slots, device, workers, **given)
    if colon:
        return _made(id, plugins.load(id, "game", GameError, _ADAPTED), slots, device, given, workers)
    raise _unknown(id)


def source_of(id: str, options: Mapping[str, object] | None = None) -> Source | None:
    """Where the environments of a game come from, None where it is a `Game` of its own kind.

    options: as of `make`. Raises GameError for unknown names, and for options that the environment has not. No torch.
    """
    kind, colon, _ = id.partition(":")
    if id in NATIVE:
        return None
    if not colon:
        raise _unknown(id)
    origin = id if kind in _ADAPTED else plugins.load(id, "game", GameError, _ADAPTED)
    if not isinstance(origin, str) and _is_batched(origin):
        return None
    from league.games.pettingzoo.options import split_options

    adapter, given = split_options(options or {})
    return find(origin, given, adapter.wrappers)


def catalogue() -> list[Listed]:
    """Every game that can be named without writing code, and whether the packages that it needs are installed.

    Nothing is imported: PettingZoo's and mpe2's environments are read off the files of the installed packages.
    """
    found = [_listed(name, description, _needs(name)) for name, (_, description) in NATIVE.items()]
    for id in known_ids():
        package, _, name = id.partition(":")
        title = _title(name)
        words = title.rpartition("/")[2].replace("_", " ").capitalize()
        collection = f"PettingZoo {title.partition('/')[0]}" if package == "pettingzoo" else _COLLECTIONS[package]
        found.append(_listed(id, f"{words} ({collection})", _needs(id)))
    families = {
        "openspiel:NAME": "Any game of OpenSpiel, through Shimmy",
        "lbf:ID": "Level-Based Foraging, such as Foraging-8x8-2p-2f-coop-v3",
        "rware:ID": "Multi-robot warehouses, such as rware-tiny-2ag-v2",
    }
    if not any(line.id.startswith("magent2:") for line in found):
        families["magent2:NAME_vN"] = "Battles of dozens of agents"
    return found + [_listed(id, description, _needs(id)) for id, description in families.items()]


def extras(id: str) -> tuple[str, ...]:
    """The extras of this distribution that bring what a game needs."""
    named = (re.fullmatch(r"selfplay-league\[(\w+)\]", INSTALLED_BY.get(module, "")) for module in _needs(id))
    return tuple(sorted({match[1] for match in named if match}))


def _needs(id: str) -> tuple[str, ...]:
    """Modules that a game needs beside what is always there."""
    package, colon, name = id.partition(":")
    if not colon:
        return ("torch",)
    title = _title(name)
    return _NEEDS.get(package, _NEEDS.get(title, _NEEDS.get(title.partition("/")[0], ())))


def _title(name: str) -> str:
    return re.sub("[-_]v[0-9]+$", "", name)


def _listed(id: str, description: str, needs: tuple[str, ...]) -> Listed:
    missing = [_PACKAGES.get(module, module) for module in needs if importlib.util.find_spec(module) is None]
    return Listed(id, description, not missing, f"needs {' and '.join(missing)}" if missing else "")


def _made(
    id: str, factory: Callable[..., object], slots: int, device: str, options: Mapping[str, object], workers: int
) -> Game:
    from league.games.core import Game

    if _is_batched(factory):
        parameters = list(inspect.signature(factory).parameters.values())[2:]
        own = any(parameter.name == "pad" for parameter in parameters)
        given = {name: value for name, value in options.items() if own or name != "pad"}
        _check_options(id, parameters, given)
        game = factory(slots, device, **given)
        if not isinstance(game, Game):
            raise GameError(f"{id} made a {type(game).__name__}, not a league Game")
        return game if own or "pad" not in options else _padded(game, options["pad"])
    from league.games.pettingzoo.game import PettingZooGame

    return PettingZooGame(factory, slots, device, workers, id, **options)


def _padded(game: Game, pad: object) -> Game:
    """The game as `pad` wants it. Raises GameError where that cannot be."""
    from league.games.native.core import NativeGame
    from league.games.native.padded import Padded

    if not isinstance(pad, bool):
        raise GameError(f"{game.spec.id}: pad must be true or false, not {pad!r}")
    if pad and not isinstance(game, NativeGame):
        raise GameError(f"{game.spec.id}: pad = true is for environments and games in batched torch (NativeGame)")
    return Padded(game) if pad and isinstance(game, NativeGame) else game


def _is_batched(factory: Callable[..., object]) -> bool:
    """Whether it makes a `Game`, not an environment: its first parameter is called `slots`."""
    return next(iter(inspect.signature(factory).parameters), None) == "slots"


def _unknown(id: str) -> GameError:
    known = [*NATIVE, *(listed.id for listed in catalogue())]
    return GameError(f"unknown game '{id}'{nearest(id, known)} (`league games` lists what there is)")


def _check_options(id: str, parameters: list[inspect.Parameter], options: Mapping[str, object]) -> None:
    """Name the option that is unknown or missing, before a TypeError can."""
    kinds = {parameter.kind for parameter in parameters}
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    names = list(dict.fromkeys([*(p.name for p in named), "pad"]))
    valid = f"its options are {', '.join(names)}"
    for name in options:
        if name not in names and inspect.Parameter.VAR_KEYWORD not in kinds:
            raise GameError(f"{id} has no option '{name}'{nearest(name, names)} ({valid})")
    missing = [p.name for p in named if p.default is p.empty and p.name not in options]
    if missing:
        raise GameError(f"{id} needs the option{'s' if len(missing) > 1 else ''} {', '.join(missing)} ({valid})")
