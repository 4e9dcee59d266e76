"""Games by name: native games, PettingZoo's, OpenSpiel's, and a user's own. Imports no torch until a game is made.

A new native game takes one file in `native/` and one line in `NATIVE`. The rest follows: `league games` lists it, its
constructor's keyword arguments are its options, and the conformance tests run over it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from league import plugins
from league.errors import GameError, nearest
from league.games.option_checks import check_known, require_given
from league.games.pettingzoo.sources import GYMNASIUM, MODULES, Source, find, known_ids

if TYPE_CHECKING:
    from league.games.core import Game

NATIVE: dict[str, tuple[str, str]] = {
    "tictactoe": ("league.games.native.tictactoe:TicTacToe", "Tic-tac-toe"),
    "connect_four": ("league.games.native.connect_four:ConnectFour", "Connect Four"),
    "othello": ("league.games.native.othello:Othello", "Othello (Reversi), eight by eight"),
    "kuhn": ("league.games.native.kuhn:Kuhn", "Kuhn poker: three cards, one bet"),
    "leduc": ("league.games.native.leduc:Leduc", "Leduc poker: six cards, two betting rounds"),
    "liars_dice": ("league.games.native.liars_dice:LiarsDice", "Liar's dice, one die each"),
    "rps": ("league.games.native.matrix:RockPaperScissors", "Rock-paper-scissors"),
    "biased_rps": ("league.games.native.matrix:BiasedRPS", "Rock-paper-scissors with unequal stakes"),
    "blotto": ("league.games.native.matrix:Blotto", "Colonel Blotto; options troops, fields"),
    "spread": ("league.games.native.particle_scenarios:Spread", "MPE: cover landmarks together; option N"),
    "tag": ("league.games.native.particle_scenarios:Tag", "MPE: predators hunt faster prey"),
    "adversary": ("league.games.native.particle_scenarios:Adversary", "MPE: hide the goal from an adversary; option N"),
    "speaker_listener": (
        "league.games.native.particle_scenarios:SpeakerListener",
        "MPE: one speaks, one moves",
    ),
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
"""Native games: name → (module:Class, description)."""

_MOST_NAMED = 5
"""The most names in a file that a message suggests."""

_ADAPTED = ("pettingzoo", "openspiel", *MODULES, *GYMNASIUM)

FAMILIES = {
    "openspiel:NAME": "Any game of OpenSpiel, through Shimmy",
    "lbf:ID": "Level-Based Foraging, such as Foraging-8x8-2p-2f-coop-v3",
    "rware:ID": "Multi-robot warehouses, such as rware-tiny-2ag-v2",
    "magent2:NAME_vN": "Battles of dozens of agents",
}
"""Families whose members cannot be listed without importing them, or are not installed: pattern → description."""


def make(
    id: str, slots: int, device: str = "cpu", options: Mapping[str, object] | None = None, workers: int = 0
) -> Game:
    """The game called `id`, with `slots` copies of it, its tensors on `device`.

    id: a name in `NATIVE`; `pettingzoo:…`, `mpe2:…`, `magent2:…`, `openspiel:…`, `lbf:…` or `rware:…`; otherwise
        `package.module:Name` or `file.py:Name`, where Name is a Game class or a function
        `(slots, device, **options) -> Game` (its first parameter must be called `slots`), or a class or function
        `(**options)` that makes a PettingZoo environment.
    options: of the game, and `pad` (`native.padded.Padded`); for environments also the adapter's
        (`pettingzoo.options.AdapterOptions`).
    workers: processes that step PettingZoo environments; 0 steps them in this process. Batched games ignore it. Close
        the game to end the processes.
    Raises GameError for unknown names and options.
    """
    given = dict(options or {})
    if slots < 1:
        raise GameError(f"{id}: a game needs at least one slot, not {slots}")
    if workers < 0:
        raise GameError(f"{id}: workers must be 0 or more, not {workers}")
    if id in NATIVE:
        factory = plugins.load(NATIVE[id][0], "game", GameError)
        return _make_from(factory, id, slots=slots, device=device, options=given, workers=workers)
    package, colon, _ = id.partition(":")
    if colon and package in _ADAPTED:
        from league.games.pettingzoo.game import PettingZooGame

        return PettingZooGame(id, slots, device, workers, **given)
    if colon:
        factory = plugins.load(id, "game", GameError, _ADAPTED)
        return _make_from(factory, id, slots=slots, device=device, options=given, workers=workers)
    raise _unknown(id)


def is_own(name: str) -> bool:
    """Whether a name means code of the user's: `package.module:Name` or `file.py:Name`."""
    package, colon, _ = name.partition(":")
    return bool(colon) and package not in _ADAPTED and package.partition(".")[0] != "league"


def source_of(id: str, options: Mapping[str, object] | None = None) -> Source | None:
    """Where the environments of a game come from; None for games in batched torch.

    options: as in `make`. Raises GameError for unknown names and options. Imports no torch.
    """
    package, colon, _ = id.partition(":")
    if id in NATIVE:
        return None
    if not colon:
        raise _unknown(id)
    origin = id if package in _ADAPTED else plugins.load(id, "game", GameError, _ADAPTED)
    if not isinstance(origin, str) and _is_batched(origin):
        return None
    from league.games.pettingzoo.options import split_options

    adapter, given = split_options(options or {})
    return find(origin, given, adapter.wrappers, id)


def _make_from(
    factory: Callable[..., object], id: str, *, slots: int, device: str, options: Mapping[str, object], workers: int
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
    """The game with its option `pad` applied. Raises GameError where it cannot be padded."""
    from league.games.native.core import NativeGame
    from league.games.native.padded import Padded

    if not isinstance(pad, bool):
        raise GameError(f"{game.spec.id}: pad must be true or false, not {pad!r}")
    if pad and not isinstance(game, NativeGame):
        raise GameError(f"{game.spec.id}: pad = true needs a PettingZoo environment or a NativeGame")
    return Padded(game) if pad and isinstance(game, NativeGame) else game


def _is_batched(factory: Callable[..., object]) -> bool:
    """Whether the factory makes a `Game` and not an environment: its first parameter is called `slots`."""
    return next(iter(inspect.signature(factory).parameters), None) == "slots"


def _unknown(id: str) -> GameError:
    if id.endswith(".py"):
        return GameError(f"'{id}' is a file: write the game in it as {_in_file(id)}")
    known = [*NATIVE, *known_ids(), *FAMILIES]
    return GameError(
        f"unknown game '{id}'{nearest(id, known)} (`league games` lists all games; `league docs your_own_game` shows "
        "how to bring your own)"
    )


def _in_file(file: str) -> str:
    """`FILE:NAME` of what a file defines that may be a game, most likely first; nothing in it is run."""
    try:
        body = ast.parse(Path(file).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return f"{file}:NAME"
    made = [one for one in body if isinstance(one, ast.ClassDef | ast.FunctionDef) and not one.name.startswith("_")]
    names = [one.name for one in sorted(made, key=lambda one: isinstance(one, ast.FunctionDef))]
    return " or ".join(f"{file}:{name}" for name in names[:_MOST_NAMED]) or f"{file}:NAME, where it defines NAME"


def _check_options(id: str, parameters: list[inspect.Parameter], options: Mapping[str, object]) -> None:
    """Raise GameError for an unknown or missing option, before the factory raises TypeError."""
    kinds = {parameter.kind for parameter in parameters}
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    names = list(dict.fromkeys([*(p.name for p in named), "pad"]))
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        check_known(id, options, names)
    missing = [p.name for p in named if p.default is p.empty and p.name not in options]
    require_given(id, missing, names)
