"""The same command goes on with a run: its config, its budgets, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from running import committed, league, tiny

from league.events import Event, RunStarted
from league.orchestrator import League
from league.storage.store import Store


def run(*args: str) -> str:
    """`league run ARGS --plain`, which succeeds; its output."""
    called = league("run", *args, "--plain")
    assert called.code == 0, called.err
    return called.out


def test_rounds_and_steps_are_totals(away: Path) -> None:
    folder = away / "runs" / "tiny"
    assert "begins, until 2 rounds" in run("tiny.toml", "--rounds", "2")
    assert committed(folder) == 2
    assert "goes on after round 2" in run("tiny.toml", "--rounds", "3")
    assert committed(folder) == 3
    with Store.reader(folder) as store:
        steps = store.last_round().steps
    run("tiny.toml", "--steps", str(steps))
    assert committed(folder) == 3, "the total is reached already"
    out = run("tiny.toml", "--steps", str(steps + 1))
    assert committed(folder) == 4, "a round is never left half done"
    with Store.reader(folder) as store:
        reached = store.last_round().steps
    assert f"  league run --run {Path.cwd()}/runs/tiny --steps {2 * reached}    goes on with it" in out


def test_minutes_count_from_each_call(away: Path) -> None:
    for call in (1, 2):
        began, before = time.monotonic(), committed(away / "runs" / "tiny") if call > 1 else 0
        out = run("tiny.toml", "--minutes", "0.01")
        assert time.monotonic() - began >= 0.6
        assert committed(away / "runs" / "tiny") > before
        assert f"  league run --run {Path.cwd()}/runs/tiny    goes on with it" in out


def test_what_a_round_limit_asks_to_be_typed_next_goes_on(away: Path) -> None:
    out = run("tiny.toml", "--rounds", "1")
    (line,) = (line for line in out.splitlines() if "goes on with it" in line)
    assert line == f"  league run --run {away}/runs/tiny --rounds 2    goes on with it"
    run("--run", "tiny", "--rounds", "2")
    assert committed(away / "runs" / "tiny") == 2


def test_a_run_goes_on_with_its_own_config(away: Path) -> None:
    run("tiny.toml", "--seed", "5", "--set", "algorithm.discount=0.5", "--rounds", "1")
    run("-r", "tiny", "--rounds", "2")
    with Store.reader(away / "runs" / "tiny") as store:
        config = store.config()
        assert (config["seed"], config["algorithm"]["discount"]) == (5, 0.5)
        assert store.last_round().round == 2


def test_a_config_that_differs_is_refused_with_the_keys(away: Path) -> None:
    run("tiny.toml", "--rounds", "1")
    for args in (("tiny.toml",), ("-r", "tiny")):
        refused = league(
            "run", *args, "--seed", "1", "--set", "network.actor=[8]", "--set", "matchmaking.self_play=0.3"
        )
        assert (refused.code, refused.out) == (2, "")
        assert "seed was 0, now 1" in refused.err
        assert "network.actor was [16], now [8]" in refused.err
        assert "matchmaking.self_play was 0.25, now 0.3" in refused.err
        assert "--new" in refused.err
    kind = league("run", "-r", "tiny", "--set", "matchmaking.kind=naive")
    assert 'matchmaking.kind was "pbt", now "naive"' in kind.err
    assert committed(away / "runs" / "tiny") == 1


def test_what_decides_nothing_may_differ(away: Path) -> None:
    run("tiny.toml", "--rounds", "1")
    run("tiny.toml", "--rounds", "2", "--device", "cpu", "--set", "rating.by=elo", "--set", "rating.elo.k=8")
    assert committed(away / "runs" / "tiny") == 2


def test_new_starts_beside_and_never_over(away: Path) -> None:
    run("tiny.toml", "--rounds", "1")
    out = run("tiny.toml", "--rounds", "1", "--new", "--seed", "1")
    assert "The run is in runs/tiny-2." in out
    assert f"league standings --run {away}/runs/tiny-2" in out
    run("tiny.toml", "--rounds", "1", "--new", "-r", "tiny")
    assert sorted(path.name for path in (away / "runs").iterdir()) == ["tiny", "tiny-2", "tiny-3"]
    with Store.reader(away / "runs" / "tiny") as store:
        assert store.config()["seed"] == 0


def test_where_a_run_lives(away: Path) -> None:
    (away / "code").mkdir()
    run("tiny.toml", "--rounds", "1", "-r", "code")
    assert (away / "runs" / "code" / "league.db").is_file(), "a folder that is no run is not taken for one"
    assert list((away / "code").iterdir()) == []
    assert f"--run {away}/elsewhere " in run("tiny.toml", "--rounds", "1", "-r", "./elsewhere")
    run("--run", "elsewhere", "--rounds", "2")
    assert committed(away / "elsewhere") == 2


def test_a_run_that_was_made_but_never_began_begins(away: Path) -> None:
    League(tiny("budget.rounds=1"), "runs/tiny").close()
    assert "begins, until 1 round" in run("-r", "tiny")
    assert committed(away / "runs" / "tiny") == 1


def test_going_on_elsewhere_is_told(tmp_path: Path) -> None:
    seen: list[Event] = []
    with League(tiny("budget.rounds=1"), tmp_path / "run", [seen.append]) as league:
        league.run()
        league.store.add_provenance({**league.store.provenance()[-1], "torch": "1.0"})
    with League(tiny("budget.rounds=2"), tmp_path / "run", [seen.append]) as league:
        league.run()
    warned = [event.message for event in seen if type(event).__name__ == "Warned"]
    assert [message.partition(" and is now")[0] for message in warned] == ["torch was 1.0"]
    starts = [event for event in seen if isinstance(event, RunStarted)]
    assert [(start.resumed, start.round) for start in starts] == [(False, 0), (True, 1)]


@pytest.mark.parametrize("name", ["a b", "tiny;x"])
def test_the_next_commands_can_be_pasted(away: Path, name: str) -> None:
    assert f"league standings --run '{away}/runs/{name}'" in run("tiny.toml", "--rounds", "1", "-r", name)
