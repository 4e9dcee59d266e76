"""A game that has changed since a run of it was begun: it is told before the checkpoint is read, with what to do."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from boards import BOARD
from running import league

SMALL = (
    *("--set", "algorithm.slots=16", "--set", "algorithm.turns=16", "--set", "network.actor=[16]"),
    *("--set", "network.critic=[16]", "--set", "population.snapshot_every=1", "--set", "threads=1", "--plain"),
)
CHANGES = {
    "a larger board": ("SQUARES = 3", "SQUARES = 10", "observations [3] and 3 actions"),
    "a smaller board": ("SQUARES = 3", "SQUARES = 2", "observations [3] and 3 actions"),
    "more is seen": ("Box(0, 1, (SQUARES,)", "Box(0, 1, (SQUARES + 1,)", "observations [3]"),
    "more can be done": ("Discrete(SQUARES)", "Discrete(SQUARES + 1)", "3 actions"),
    "other seats": ('"first", "second"', '"first", "last"', "its role 'player'"),
    "one more seat": ('"first", "second"', '"first", "second", "third"', "for seats ['first', 'second']"),
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a game of which there is a run `old one`."""
    monkeypatch.chdir(tmp_path)
    found = tmp_path / "board.py"
    found.write_text(BOARD)
    assert league("run", "--game", f"{found}:Board", "--run", "old one", "--rounds", "1", *SMALL).code == 0
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_game_is_told_before_the_checkpoint_is_read(file: Path, change: str) -> None:
    before, after, said = CHANGES[change]
    file.write_text(BOARD.replace(before, after))
    for checkpoint in (file.parent / "runs" / "old one" / "checkpoints").iterdir():
        checkpoint.write_bytes(b"damaged")
    called = league("run", "--run", "old one", "--rounds", "2", "--plain")
    assert called.code == 2
    assert "cannot go on, because its game has changed: of main.1, it" in called.err
    assert said in called.err
    assert "checkpoint" not in called.err


def test_a_new_run_beside_has_the_config_of_the_old_one(file: Path, tmp_path: Path) -> None:
    file.write_text(BOARD.replace("SQUARES = 3", "SQUARES = 10"))
    advice = league("run", "--run", "old one", "--plain").err
    command = re.search(r"`(league run --new .*?)`", advice)
    assert command, advice
    called = league(*shlex.split(command[1])[1:], "--plain")
    assert called.code == 0, called.err
    assert "board.py:Board, " in called.out
    assert (tmp_path / "runs" / "old one-2" / "league.db").is_file()
    assert league("match", "latest", "random", "--run", "old one-2", "--games", "4").code == 0


def test_a_game_that_is_as_it_was_goes_on(file: Path) -> None:
    file.write_text(BOARD.replace("SQUARES = 3", "SQUARES = 10"))
    assert league("run", "--run", "old one", "--rounds", "2", "--plain").code == 2
    file.write_text(BOARD)
    assert league("run", "--run", "old one", "--rounds", "2", "--plain").code == 0


def test_without_a_name_a_new_run_has_the_built_in_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert league("run", "--game", "kuhn", "--run", "k", "--rounds", "1", *SMALL).code == 0
    assert "kuhn, " in league("run", "--run", "k", "--new", "--plain").out
    assert "tictactoe, " in league("run", "--run", "k", "--new", "--game", "tictactoe", "--rounds", "1", *SMALL).out
    assert "connect_four, " in league("run", "--new", "--rounds", "1", *SMALL).out
