"""A run that is killed, wherever, goes on with the same command and ends in the same bytes as one that never was."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import committed, content, league, started, tiny, trained

from league.orchestrator import League

DEATHS = Path(__file__).with_name("deaths.py")
FOREVER = 1000


def command(rounds: int = FOREVER) -> list[str]:
    return ["run", "tiny.toml", "--plain", "--run", "./killed", "--set", f"budget.rounds={rounds}"]


def deaths(mode: str, first: int, last: int) -> list[list[int]]:
    """Exit status and last committed round after each of the calls that `deaths.py` lets die."""
    program = [sys.executable, str(DEATHS), mode, str(first), str(last), "--", *command()]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [[int(word) for word in line.split()] for line in ended.stdout.splitlines()]


def kill_while_it_trains(away: Path, kills: int, seed: int) -> int:
    """Kill `python -m league run` up to 0.3 s after the first round that it tells of; the last committed round."""
    draw, last = random.Random(seed), 0
    for _ in range(kills):
        process = started(*command(), cwd=away)
        line = process.stdout.readline()
        while not line.startswith("round"):
            assert line, process.stderr.read()
            line = process.stdout.readline()
        time.sleep(draw.uniform(0.0, 0.3))
        process.kill()
        output = line + process.communicate()[0]
        assert process.returncode == -9
        told = [int(line.split()[1]) for line in output.splitlines() if line.startswith("round")]
        reached = committed(away / "killed")
        assert max(last + 1, *told) <= reached, "a round that was told of is committed"
        last = reached
    return last


def assert_it_ends_as_if_it_was_never_killed(away: Path, rounds: int) -> None:
    """Let the killed run go on to `rounds`, and compare it with one that runs straight through."""
    assert league(*command(rounds)).code == 0
    League(tiny(f"budget.rounds={FOREVER}"), away / "straight").close()
    trained(tiny(f"budget.rounds={rounds}"), away / "straight")
    assert committed(away / "killed") == rounds
    assert content(away / "killed") == content(away / "straight")


def test_a_run_killed_at_random_instants_ends_in_the_same_bytes(away: Path) -> None:
    last = kill_while_it_trains(away, 1, seed=1)
    found = deaths("seconds", 7, 6)
    assert [status for status, _ in found] == [-9] * 6
    assert last < found[0][1]
    assert [round for _, round in found] == sorted({round for _, round in found}), "each call went on"
    assert_it_ends_as_if_it_was_never_killed(away, found[-1][1] + 2)


def test_a_run_that_dies_before_each_step_of_writing_ends_in_the_same_bytes(away: Path) -> None:
    # The first seven die before round 0 is committed; later each commits a round or two before it dies.
    found = deaths("steps", 1, 16)
    assert [status for status, _ in found] == [-9] * 16
    rounds = [round for _, round in found]
    assert rounds == sorted(rounds), "nothing committed is lost"
    assert rounds[0] == -1
    assert rounds[-1] >= 5
    assert_it_ends_as_if_it_was_never_killed(away, rounds[-1] + 2)


@pytest.mark.slow
def test_a_run_of_real_processes_killed_thirty_times_ends_in_the_same_bytes(away: Path) -> None:
    assert_it_ends_as_if_it_was_never_killed(away, kill_while_it_trains(away, 30, seed=2) + 2)
