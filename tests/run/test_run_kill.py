"""A run that is killed, wherever, goes on with the same command and ends in the same bytes as one that never was."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import COPIES, committed, content, league, started, tiny, trained

from league.orchestrator import League
from league.storage.store import Store

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


@pytest.mark.parametrize(
    "changes",
    [
        ("game.id=pettingzoo:classic/tictactoe-v3", "algorithm.slots=4"),
        ("game.id=leduc",),
        ("matchmaking.kind=fictitious", "population.learners=1"),
        ("game.id=tag", "game.options={max_cycles = 7}", "algorithm.slots=5", "population.learners=1"),
        (
            "game.id=mpe2:simple_tag_v3",
            "game.options={max_cycles = 7}",
            "algorithm.slots=2",
            "population.learners=1",
            "workers=2",
        ),
        (
            "game.id=mpe2:simple_push_v3",
            "game.options={max_cycles = 7, continuous_actions = true}",
            "game.reward=team",
            "algorithm.slots=2",
            "population.learners=1",
        ),
    ],
)
def test_stopping_and_going_on_is_not_stopping(tmp_path: Path, changes: tuple[str, ...]) -> None:
    small = ("population.snapshot_every=1", "rating.matches_per_snapshot=1", "rating.games_per_match=4")
    League(tiny(*changes, *small, "budget.rounds=1"), tmp_path / "straight").close()
    for name, stops in (("straight", (3,)), ("stopped", (1, 2, 3))):
        for rounds in stops:
            trained(tiny(*changes, *small, f"budget.rounds={rounds}"), tmp_path / name)
    assert content(tmp_path / "stopped") == content(tmp_path / "straight")


def test_all_that_a_matchmaker_sees_is_the_same_after_a_stop(away: Path) -> None:
    (away / "copies.py").write_text(COPIES)
    changes = ("matchmaking.kind=copies.py:Copies", "population.snapshot_every=1")
    League(tiny(*changes, "budget.rounds=1"), away / "straight").close()
    for name, stops in (("straight", (6,)), ("stopped", (1, 2, 3, 5, 6))):
        for rounds in stops:
            trained(tiny(*changes, f"budget.rounds={rounds}"), away / name)
    assert content(away / "stopped") == content(away / "straight")
    with Store.reader(away / "straight") as store:
        assert sum(event.kind == "exploit" for event in store.events()) == 2
