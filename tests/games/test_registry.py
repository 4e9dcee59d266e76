"""Games by name: which names exist, and the errors for wrong names and options."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from league.errors import GameError
from league.games.catalogue import catalogue
from league.games.core import Game
from league.games.registry import NATIVE, make

OPTIONS: dict[str, dict[str, object]] = {"matrix": {"payoff": [[0, 1], [-1, 0]]}}

OWN_GAME = """
from league.games.native.tictactoe import TicTacToe

class Mine(TicTacToe):
    pass

def coins(slots, device="cpu", *, sides, bias=0.5):
    return TicTacToe(slots, device)

def nothing(slots, device):
    return 7

def environment(render_mode=None):
    from pettingzoo.classic.tictactoe import tictactoe
    return tictactoe.raw_env(render_mode=render_mode)

number = 3
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A file with games of a user's own."""
    file = tmp_path / "my_games.py"
    file.write_text(OWN_GAME)
    return str(file)


@pytest.mark.parametrize("name", NATIVE)
def test_every_native_name_makes_the_game_of_that_id(name: str) -> None:
    game = make(name, 3, options=OPTIONS.get(name))
    assert game.spec.id == name
    assert game.slots == 3
    again = make(game.spec.id, 2, options=game.spec.options)
    assert again.spec == game.spec


@pytest.mark.parametrize("id", ["pettingzoo:classic/tictactoe-v3", "mpe2:simple_spread_v3"])
def test_adapted_ids_make_games(id: str) -> None:
    with_close = make(id, 2)
    try:
        assert with_close.spec.id == id
        assert len(with_close.start(torch.arange(2)).ended) == 2
    finally:
        with_close.close()


def test_a_users_own_class_function_and_environment(own: str) -> None:
    assert type(make(f"{own}:Mine", 2)).__name__ == "Mine"
    assert make(f"{own}:coins", 2, options={"sides": 2}).slots == 2
    assert isinstance(make(f"{own}:environment", 2), Game)
    assert make("league.games.native.kuhn:Kuhn", 4).spec.id == "kuhn"


@pytest.mark.parametrize(
    ("id", "options", "words"),
    [
        ("conect_four", {}, ["unknown game 'conect_four'", "'connect_four'", "league games"]),
        ("blotto", {"troop": 3}, ["blotto", "'troop'", "did you mean 'troops'", "troops, fields"]),
        ("kuhn", {"cards": 4}, ["kuhn has no option 'cards'", "its options are pad"]),
        ("tag", {"pad": 1}, ["tag: pad must be true or false, not 1"]),
        ("tag", {"pad": True, "continuous_actions": True}, ["tag: pad = true needs agents with Discrete actions"]),
        ("matrix", {}, ["matrix needs the option payoff"]),
        ("matrix", {"payoff": [[1, 2], [3]]}, ["matrix: payoff must be rows of numbers of equal length"]),
        ("matrix", {"payoff": [[1, float("nan")]]}, ["non-empty matrix of finite numbers"]),
        ("matrix", {"payoff": 3}, ["rows of numbers"]),
        ("matrix", {"payoff": [[1, 2]], "payoff_column": [[1], [2]]}, ["the same shape", "(1, 2) and (2, 1)"]),
        ("blotto", {"troops": 0}, ["blotto: troops", "1 or more", "not 0"]),
        ("blotto", {"fields": "many"}, ["blotto: fields", "'many'"]),
        ("blotto", {"troops": 100, "fields": 9}, ["the limit is 4096"]),
        ("penalty", {"k": 1}, ["penalty: k must be a number of 0 or less, not 1"]),
        ("penalty", {"k": -float("inf")}, ["penalty: k must be a number of 0 or less, not -inf"]),
        ("climbing", {"turns": 0}, ["climbing: turns must be a whole number of 1 or more, not 0"]),
        ("recall", {"cues": 1}, ["recall: cues must be a whole number of 2 or more, not 1"]),
        ("recall", {"delay": True}, ["recall: delay must be a whole number of 0 or more, not True"]),
        ("spread", {"local_ratio": 1.5}, ["spread: local_ratio must be a number from 0 to 1, not 1.5"]),
        ("foraging", {"size": 2}, ["foraging: size must be a whole number of 3 or more, not 2"]),
        ("foraging", {"coop": 1}, ["foraging: coop must be true or false, not 1"]),
        ("foraging", {"size": 3, "players": 10}, ["foraging: players must be at most 9, the number of cells, not 10"]),
        ("foraging", {"sight": 0}, ["foraging: sight must be a whole number of 1 or more, not 0"]),
        ("no.such.module:Game", {}, ["there is no module 'no.such.module'"]),
        ("league.games.native.kuhn:Khun", {}, ["league.games.native.kuhn has no 'Khun'", "'Kuhn'"]),
        ("no_such_file.py:Game", {}, ["there is no file 'no_such_file.py'"]),
        ("pettingzo:classic/chess-v6", {}, ["there is no module 'pettingzo'", "did you mean 'pettingzoo'"]),
    ],
)
def test_a_wrong_name_or_option_is_named(id: str, options: dict[str, object], words: list[str]) -> None:
    with pytest.raises(GameError) as error:
        make(id, 2, options=options)
    for word in words:
        assert word in str(error.value)


def test_the_error_of_a_users_own_game_is_named(own: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    for id, options, words in [
        (f"{own}:number", {}, "is a int, not a class or a function"),
        (f"{own}:nothing", {}, "made a int, not a league Game"),
        (f"{own}:coins", {}, "needs the option sides"),
        (f"{own}:coins", {"sides": 2, "biass": 1}, "did you mean 'bias'"),
        (f"{broken}:Game", {}, "ZeroDivisionError"),
    ]:
        with pytest.raises(GameError, match=words):
            make(id, 2, options=options)
    with pytest.raises(GameError, match="at least one slot"):
        make("kuhn", 0)


def test_the_catalogue_lists_all_games_and_missing_packages() -> None:
    listed = {entry.id: entry for entry in catalogue()}
    assert set(NATIVE) < set(listed)
    assert {"pettingzoo:classic/connect_four-v3", "mpe2:simple_tag_v3", "openspiel:NAME"} < set(listed)
    assert all(entry.available for name, entry in listed.items() if name in NATIVE)
    assert all(entry.available == (entry.why_not == "") for entry in listed.values())
    chess = listed["pettingzoo:classic/chess-v6"]
    assert chess.available == (importlib.util.find_spec("chess") is not None)
    assert all(entry.description for entry in listed.values())


def test_listing_games_imports_nothing_heavy() -> None:
    code = (
        "import sys; from league.games.catalogue import catalogue; catalogue();"
        "print([m for m in ('torch', 'numpy', 'pettingzoo', 'mpe2', 'pyspiel') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
