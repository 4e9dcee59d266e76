"""A run that is killed, wherever, goes on with the same command and ends in the same bytes as one that never was."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import committed, content, league, started, tiny, trained

from league.storage.store import Store

DEATHS = Path(__file__).with_name("deaths.py")
ROUNDS = 24


def command(rounds: int) -> list[str]:
    return ["run", "tiny.toml", "--plain", "--run", "./killed", "--set", f"budget.rounds={rounds}"]


def deaths(mode: str, first: int, last: int, rounds: int) -> list[tuple[int, int]]:
    """Exit status and last committed round after each of the calls that `deaths.py` let die."""
    called = subprocess.run(
        [sys.executable, str(DEATHS), mode, str(first), str(last), "--", *command(rounds)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = [line.split() for line in called.stdout.splitlines() if len(line.split()) == 2]
    return [(int(status), int(round)) for status, round in found if status.lstrip("-").isdigit()]


def ends_as_if_never_stopped(away: Path, rounds: int) -> None:
    """Let the killed run end, and compare it with one that runs straight through."""
    assert league(*command(rounds)).code == 0
    assert committed(away / "killed") == rounds
    trained(tiny(f"budget.rounds={rounds}"), away / "straight")
    assert content(away / "killed") == content(away / "straight")


def kill_while_it_trains(away: Path, kills: int, seed: int, rounds: int) -> None:
    """Kill processes of `python -m league run`, each up to 0.4 s after the first round that it tells of."""
    draw, last = random.Random(seed), 0
    for _ in range(kills):
        process = started(*command(rounds), cwd=away)
        while not (line := process.stdout.readline()).startswith("round"):
            assert line, process.stderr.read()
        time.sleep(draw.uniform(0.0, 0.4))
        process.kill()
        output = line + process.communicate()[0]
        assert process.returncode == -9
        told = [int(line.split()[1]) for line in output.splitlines() if line.startswith("round")]
        reached = committed(away / "killed")
        assert max(last + 1, *told) <= reached, "a round that was told of is committed"
        last = reached


def test_a_run_killed_at_random_instants_ends_in_the_same_bytes(away: Path) -> None:
    kill_while_it_trains(away, 3, seed=1, rounds=ROUNDS)
    found = deaths("seconds", 7, 6, 10 * ROUNDS)
    ...


def test_a_run_that_dies_before_each_step_of_writing_ends_in_the_same_bytes(away: Path) -> None:
    # The first calls die while the run is being made; from about the twentieth on, each commits a round or more.
    found = deaths("steps", 1, 30, ROUNDS)
    assert [status for status, _ in found] == [-9] * 30
    assert [round for _, round in found] == sorted(round for _, round in found), "nothing committed is lost"
    assert found[0][1] == -1
    assert found[-1][1] >= 4
    ends_as_if_never_stopped(away, ROUNDS)
