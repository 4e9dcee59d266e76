"""What commands print reaches any encoding, and ends quietly where nobody reads it: tried with real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from league.views.text import DOWNGRADE

READING = [
    "standings",
    "standings --by all",
    "metrics",
    "show latest",
    "payoff",
    "predict latest random",
    "match latest random --games 20",
]
ELSEWHERE = ["games", "runs", "docs", "docs ratings", "config", "check kuhn"]
ROOT = Path(__file__).parents[2]
CODE = "from league.cli import main; main()"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a short run."""
    folder = tmp_path_factory.mktemp("streams")
    made = (
        "run --game kuhn --run k --rounds 8 --seed 3 --plain --set algorithm.slots=64 --set population.snapshot_every=1"
    )
    assert call(made, folder).returncode == 0
    return folder


def call(words: str, place: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", CODE, *words.split()]
    return subprocess.run(command, cwd=place, env=environment(variables), capture_output=True, check=False, timeout=120)


def environment(variables: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **variables}


def shell(script: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of bash in which `league` is the command."""
    league = f'league() {{ "{sys.executable}" -c "{CODE}" "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", league + script],
        cwd=place,
        env=environment({}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("words", "encoding"),
    [*((words, "ascii") for words in (*READING, *ELSEWHERE)), *((words, "cp1252") for words in READING[:4])],
)
def test_every_encoding_shows_what_a_command_prints(words: str, encoding: str, place: Path) -> None:
    done = call(words, place, PYTHONIOENCODING=encoding)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode(encoding)
    # Decoding fails on what is not of the encoding; everything that league itself prints has a likeness.
    text = done.stdout.decode(encoding)
    if words not in ("docs ratings", "config"):
        assert "?" not in text
    assert text.strip()


@pytest.mark.parametrize("language", ["C", "POSIX"])
def test_a_locale_without_utf8_shows_standings(language: str, place: Path) -> None:
    bare = {"LC_ALL": language, "LANG": language, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = call("standings", place, **bare)
    assert done.returncode == 0
    assert b"melo +- 95 % interval" in done.stdout


def test_lines_of_a_run_are_downgraded_like_tables(place: Path) -> None:
    done = call("run --run k --rounds 9 --plain", place, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "?" not in done.stdout.decode("ascii")


def test_columns_stay_aligned_in_ascii(place: Path) -> None:
    names = call("standings", place, PYTHONIOENCODING="ascii").stdout.decode("ascii").splitlines()[2:6]
    assert len({line.find("+-") for line in names if "main" in line}) == 1


def test_json_is_escaped_where_it_cannot_be_printed(place: Path) -> None:
    plain = json.loads(call("docs games --json", place).stdout)
    assert any(ord(letter) > 127 for letter in plain["text"])
    assert json.loads(call("docs games --json", place, PYTHONIOENCODING="ascii").stdout.decode("ascii")) == plain


def test_an_error_names_what_was_wrong_in_any_encoding(place: Path) -> None:
    done = call("standings --run mañana→", place, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"'ma?ana>'" in done.stderr


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "* +-0.5 - > a. |??| _#"),
        ("cp1252", "* ±0.5 – > a… |??| _#"),
        ("utf-8", "★ ±0.5 – → a… │象│ ▁█"),
    ],
)
def test_a_character_is_replaced_by_its_likeness_of_the_same_width(encoding: str, shown: str) -> None:
    assert "★ ±0.5 – → a… │象│ ▁█".encode(encoding, DOWNGRADE).decode(encoding) == shown


def test_half_a_character_is_a_question_mark_in_utf8() -> None:
    assert "a\udc80b".encode("utf-8", DOWNGRADE) == b"a?b"


@pytest.mark.parametrize(
    "words",
    [
        "standings --run k",
        "games",
        "docs ratings",
        "metrics --run k",
        "show latest --run k",
        "standings --run k --watch",
    ],
)
def test_nobody_at_the_end_of_a_pipe_ends_a_command_quietly(words: str, place: Path) -> None:
    done = shell(f"league {words} | true; echo ${{PIPESTATUS[0]}}", place)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_a_run_whose_first_line_is_enough_ends_quietly(place: Path) -> None:
    more = "--game kuhn --run head --rounds 100000 --set algorithm.slots=64 --plain"
    done = shell(f"league run {more} | head -n 1; echo ${{PIPESTATUS[0]}}", place)
    line, code = done.stdout.splitlines()
    assert (line.startswith("kuhn"), code, done.stderr) == (True, "141", "")
    # What was committed is there, and the run can go on.
    assert call("run --run head --rounds 1 --plain", place).returncode == 0


def test_no_reader_of_errors_either_ends_a_command_quietly(place: Path) -> None:
    done = shell("league standings --run nowhere 2>&1 | true; echo ${PIPESTATUS[0]}", place)
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.parametrize(
    "words", ["standings --run k", "docs ratings", "games", "metrics --run k --json", "check kuhn"]
)
def test_a_command_without_an_output_does_its_work_and_says_nothing(words: str, place: Path) -> None:
    done = shell(f"league {words} >&- <&-; echo $? >&2", place)
    assert done.stderr == "0\n"


def test_a_run_without_an_output_trains_to_its_end(place: Path) -> None:
    more = "--game kuhn --run mute --rounds 3 --set algorithm.slots=64 --plain"
    assert shell(f"league run {more} >&- 2>&- <&-; echo $?", place).stdout == "0\n"
    assert "mute" in call("runs", place).stdout.decode()
    assert call("standings --run mute", place).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_of_one_line(place: Path) -> None:
    done = shell("league standings --run k > /dev/full; echo $?", place)
    assert done.stdout == "2\n"
    assert done.stderr == "league: <stdout>: No space left on device\n"
