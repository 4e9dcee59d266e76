"""What a user reads of games and policies: names as the user wrote them, words for numbers, advice for slips."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from boards import BOARD
from running import league

from league.config.load import load
from league.games.names import current_id
from league.games.registry import NATIVE, make
from league.games.words import UNSAID, described

SMALL = (
    *("--set", "algorithm.slots=16", "--set", "algorithm.turns=16", "--set", "network.actor=[16]"),
    *("--set", "network.critic=[16]", "--set", "population.snapshot_every=1", "--set", "threads=1", "--plain"),
)
OPTIONS: dict[str, dict[str, object]] = {"matrix": {"payoff": [[1, -1], [-1, 1]]}}


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "board.py").write_text(BOARD)
    return tmp_path


@pytest.mark.parametrize("id", NATIVE)
def test_games_that_ship_say_what_their_numbers_mean(id: str) -> None:
    game = make(id, 1, options=OPTIONS.get(id))
    game.close()
    words = described(game.spec)
    assert len(words) == 2 * len(game.spec.roles)
    assert not [name for name, text in words.items() if UNSAID in text]


def test_a_game_is_described(board: Path) -> None:
    found = league("games", "connect_four", "--json").json
    assert found["observation"].startswith("2 x 6 x 7 uint8, planes first; planes of ones and zeros: own stones")
    assert found["action"] == "one of 7, from 0 to 6; the column, from 0 on the left"
    assert (
        league("games", "blotto", "--set", "game.options.troops=4", "--json").json["options"].startswith("troops = 4")
    )
    own = league("games", "board.py:Board", "--json").json
    assert (own["game"], own["seats"]) == ("board.py:Board, version 0", "first against second")
    assert own["action"] == f"one of 3, from 0 to 2; {UNSAID}"
    for wrong in (("kuhn", "--try"), ("--set", "game.options.N=2")):
        assert league("games", *wrong).code == 2


def test_an_environment_can_say_it_in_its_metadata(board: Path) -> None:
    said = '{"observation": "the squares \\x1b[2Jthat are taken", "action": "a square", "name"'
    (board / "board.py").write_text(BOARD.replace('{"name"', said))
    assert "the squares" in league("games", "board.py:Board").out
    assert "\x1b" not in league("games", "board.py:Board").out
    assert "a square" in league("check", "board.py:Board", "--seconds", "0", "--steps", "0").out


def test_an_exports_card_says_what_planes_and_actions_mean(board: Path) -> None:
    assert league("run", "--game", "tictactoe", "--run", "t", "--rounds", "1", *SMALL).code == 0
    assert league("export", "latest", "--run", "t").code == 0
    card = (board / "champion" / "README.md").read_text()
    assert "- observation: 2 x 3 x 3 uint8, planes first; planes of ones and zeros: own stones, the other's" in card
    assert "- action: one of 9, from 0 to 8; the cell, 3 * row + column; row 0 is on top" in card
    assert list(json.loads((board / "champion" / "metadata.json").read_text())["game_words"]) == [
        "observation",
        "action",
    ]


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--game", "board.py:Board", "--run", "b", "--rounds", "1", *SMALL),
        ("check", "board.py:Board", "--seconds", "0", "--steps", "0"),
        ("match", "random", "random", "--game", "board.py:Board", "--games", "2"),
        ("match", "one-ply", "random", "--game", "board.py:Board"),
        ("games", "board.py:Board"),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_a_users_game_has_the_name_that_the_user_gave_it(board: Path, command: tuple[str, ...]) -> None:
    called = league(*command)
    assert "league_user" not in called.out + called.err


def test_policies_of_older_versions_still_fit(board: Path) -> None:
    assert current_id("league_user_board:Board") == "board.py:Board"
    assert current_id("connect_four") == "connect_four"
    assert current_id("my.module:Game") == "my.module:Game"


def test_what_is_asked_of_a_file_names_what_is_in_it(board: Path) -> None:
    (board / "fac.py").write_text("raise SystemExit\nclass One: ...\ndef make(): ...\ndef _hidden(): ...\n")
    said = league("check", "fac.py").err
    assert said == "league: 'fac.py' is a file: write the game in it as fac.py:One or fac.py:make\n"
    (board / "fac.py").write_text("def :")
    assert "fac.py:NAME" in league("run", "--game", "fac.py").err
    assert "nowhere.py:NAME" in league("check", "nowhere.py").err


@pytest.mark.parametrize("game", ["board.py:Board", "board.py:make"])
def test_options_that_are_missing_are_asked_for(board: Path, game: str) -> None:
    (board / "board.py").write_text(
        BOARD.replace("    def observation_space", "    def __init__(self, size): ...\n\n    def observation_space")
        + "\n\ndef make(size):\n    return Board(size)\n"
    )
    called = league("check", game)
    assert called.code == 2
    assert f"{game} needs the option size (its options are size): write `options = {{ size = … }}`" in called.err
    assert "--set game.options.size=…" in called.err
    given = ("--set", "game.options.size=3")
    assert league("check", game, *given, "--seconds", "0", "--steps", "0").code == 0


def test_a_batched_game_asks_likewise() -> None:
    assert "--set game.options.payoff=…" in league("check", "matrix").err


def test_pettingzoos_warnings_are_told_by_check_alone(board: Path) -> None:
    """They are for the author of an environment, and would be repeated by every command and every worker."""
    old = BOARD.replace("    def observation_space(self, agent):\n        return ", "    observation_spaces = {a: ")
    old = old.replace(
        "np.float32)\n\n    def action_space", "np.float32) for a in ('first', 'second')}\n\n    def action_space"
    )
    (board / "board.py").write_text(old)
    program = [sys.executable, "-m", "league"]
    game = ("--game", "board.py:Board", "--games", "2", "--json")
    played = subprocess.run([*program, "match", "random", "random", *game], capture_output=True, text=True, check=True)
    assert played.stderr == ""
    called = league("check", "board.py:Board", "--seconds", "0", "--steps", "0")
    assert "PettingZoo warns its author: Your environment should override the" in " ".join(called.out.split())


def test_a_run_that_began_from_another_names_it(board: Path) -> None:
    assert league("run", "--game", "kuhn", "--run", "a", "--rounds", "1", *SMALL).code == 0
    init = ("--set", "population.init=latest@a")
    assert league("run", "--game", "kuhn", "--run", "b", "--rounds", "1", *init, *SMALL).code == 0
    found = league("show", "main.1", "--run", "b", "--json").json
    parent = league("show", "main.1", "--run", "a", "--json").json["snapshot"]["id"]
    assert found["begun_from"] == f"main.1@{board}/runs/a ({parent[:8]})"
    # The table wraps long paths.
    assert f"main.1@{board}" in "".join(league("show", "main.1", "--run", "b").out.split())
    assert league("show", "main.1", "--run", "a", "--json").json["begun_from"] == ""
    assert league("export", "main.1", "--run", "b").code == 0
    assert f"- its run began from main.1@{board}/runs/a" in (board / "champion" / "README.md").read_text()
    (about,) = json.loads((board / "champion" / "metadata.json").read_text())["policies"]
    assert about["begun_from"] == found["begun_from"]


@pytest.mark.parametrize("kind", ["mappo", "ippo", "coma", "qmix", "vdn"])
def test_check_takes_every_kind_of_algorithm(board: Path, kind: str) -> None:
    called = league("check", "two_step", "--set", f"algorithm.kind={kind}", "--seconds", "0.2", "--steps", "500")
    assert (called.code, called.err) == (0, "")
    assert load(None, ["game.id=two_step", f"algorithm.kind={kind}"]).algorithm.kind == kind
