"""Every command over a real run: the tables fit the terminal, --json is JSON, help is quick."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from calling import heavy_imports
from rich.cells import cell_len
from running import Called, league

from league.api import open_run
from league.storage.store import Store

WIDTH = 60
COMMANDS = (
    *("run", "standings", "rate", "match", "payoff", "credit", "exploit"),
    *("metrics", "export", "show", "runs", "games", "config"),
)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))


def table(*args: str | Path) -> str:
    """What a command prints, which fits the width."""
    called = league(*args)
    assert called.code == 0, called.err
    assert max(cell_len(line) for line in called.out.splitlines()) <= WIDTH
    return called.out


def data(*args: str | Path) -> object:
    """What a command prints with --json."""
    called = league(*args, "--json")
    assert called.code == 0, called.err
    return called.json


def test_run_tells_what_it_does_and_what_to_do_next(finished: tuple[Path, Called]) -> None:
    lines, option = finished[1].out.splitlines(), f" --run {finished[0]}/runs/tiny"
    assert lines[0] == "tictactoe, pbt, 2 learners, runs/tiny: begins, until 6 rounds"
    assert lines[1] == "seats: player_0 against player_1"
    assert lines[2].startswith("round 1  steps ")
    assert any(line.startswith("round 6  budget reached") for line in lines)
    assert lines[-6:] == [
        "The budget is reached. The run is in runs/tiny.",
        "Next:",
        f"  league run{option} --rounds 12    goes on with it",
        f"  league standings{option}",
        f"  league match best random{option}",
        f"  league export best --out champion{option}",
    ]
    assert finished[1].err == ""


def test_standings(here: Path) -> None:
    out = table("standings")
    rows = data("standings")["player"]
    assert out.startswith("melo ± 95 % interval")
    assert "★" in out
    assert [row["rank"] for row in rows] == [*range(1, len(rows) + 1)]
    assert [row["field"]["score"] for row in rows] == sorted((row["field"]["score"] for row in rows), reverse=True)
    assert "Too few pairs have met to hold some out" in out
    assert len(rows) == 1 + 2 * 4, "the anchor, and of each learner the first snapshot and one every second round"
    anchor = next(row for row in rows if row["id"] == "random")
    assert (anchor["rating"], anchor["origin"], anchor["steps"]) == (0.0, "anchor", 0)
    trained = [row for row in rows if row["origin"] == "trained"]
    robust = {row["id"]: row["low"] for row in data("standings", "--by", "robust")["player"]}
    assert [row["id"] for row in rows if row["best"]] == [max((row["id"] for row in trained), key=robust.__getitem__)]
    assert all(row["games"] == row["wins"] + row["draws"] + row["losses"] for row in rows)
    assert {row["round"] for row in trained} == {2, 4, 6}


def test_standings_by_other_ratings(here: Path) -> None:
    best = next(row["id"] for row in data("standings")["player"] if row["best"])
    for by in ("melo", "elo", "openskill", "bradley-terry"):
        assert table("standings", "--by", by, "--role", "player").startswith(f"player · {by} ± 95 % interval")
        rows = data("standings", "--by", by)["player"]
        assert next(row["rating"] for row in rows if row["id"] == "random") == 0.0
        assert [row["id"] for row in rows if row["best"]] == [best], "whichever rating is shown"
    assert data("standings", "--by", "elo") != data("standings", "--by", "openskill")


def test_standings_by_the_game_behind_the_table(here: Path) -> None:
    for by, best, heading in (
        ("nash", 0.5, "nash: score against the Nash equilibrium"),
        ("deviation", 0.0, "deviation: gain by insisting on the policy"),
    ):
        rows, out = data("standings", "--by", by)["player"], table("standings", "--by", by)
        assert rows[0]["rating"] == pytest.approx(best)
        assert all(row["low"] <= row["rating"] <= row["high"] for row in rows)
        assert all(row["rating"] <= best + 1e-9 for row in rows)
        assert out.startswith(heading)
        assert "★" in out
    rows = data("standings", "--by", "alpharank")["player"]
    assert sum(row["rating"] for row in rows) == pytest.approx(1.0)
    assert {(row["low"], row["high"]) for row in rows} == {(None, None)}


def test_standings_by_seat(here: Path) -> None:
    out = table("standings", "--seat")
    assert out.startswith("melo ± 95 % interval · score by seat\n")
    assert "player_1" in out.splitlines()[1]
    plain, rows = data("standings")["player"], data("standings", "--seat")["player"]
    assert [{key: value for key, value in row.items() if key != "seats"} for row in rows] == plain
    for row in rows:
        first, second = row["seats"]["player_0"], row["seats"]["player_1"]
        assert first["games"] == second["games"] == row["games"] / 2, "seats are balanced"
        assert (first["score"] + second["score"]) / 2 == pytest.approx(row["score"])
        assert first["low"] <= first["score"] <= first["high"]


def test_standings_by_seat_of_a_run_that_kept_no_seats(here: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(here / "runs" / "tiny", tmp_path / "old"))
    with Store.open(old) as store:
        facts = store.facts()["game"]
        store.put_fact("game", {key: facts[key] for key in ("id", "roles", "one_sided")})
    assert data("standings", "--seat", "-r", old) == data("standings", "--seat")
    assert data("standings", "-r", old) == data("standings")


def test_the_newest_run_is_read_and_named(here: Path) -> None:
    assert league("standings").err == "run: runs/tiny\n"
    assert league("standings", "-r", "tiny").err == ""
    assert league("standings", "-r", str(here / "runs" / "tiny")).code == 0


def test_match(here: Path) -> None:
    out = table("match", "best", "random", "--games", "20")
    found = data("match", "best", "random", "--games", "20")
    assert found["games"] == found["wins"] + found["draws"] + found["losses"] == 20
    assert found["score"] == (found["wins"] + found["draws"] / 2) / 20
    assert found["low"] < found["score"] < found["high"]
    assert [games for _, _, games in found["by_seat"]] == [10, 10]
    assert re.search(rf"^score +{found['score']:.3f} ", out, re.MULTILINE), "equal seeds, equal matches"
    assert data("match", "best", "random", "--games", "20", "--seed", "1")["wins"] != found["wins"]


def test_payoff_of_the_ledger(here: Path) -> None:
    out = table("payoff")
    (found,) = data("payoff", "--size", "4")["tables"]
    standing = [row["name"] for row in data("standings")["player"]]
    assert found["rows"] == found["columns"] == [standing[place] for place in (0, 1, 4, 8)]
    assert out.startswith("mean result of the row against the column ± 95 % interval\n")
    record = {one["opponent"]["id"]: one for one in data("show", "best")["record"]}
    best = next(row for row in data("standings")["player"] if row["best"])
    everybody = data("payoff", "--size", "20")["tables"][0]
    cells = everybody["cells"][everybody["rows"].index(best["name"])]
    met = {name: (cell["games"], cell["score"]) for name, cell in zip(everybody["columns"], cells, strict=True) if cell}
    assert met == {
        one["opponent"]["id"]
        if one["opponent"]["origin"] == "anchor"
        else f"{one['opponent']['learner']}.{one['opponent']['number']}": (one["games"], one["score"])
        for one in record.values()
    }


def test_payoff_played(here: Path) -> None:
    arguments = ("payoff", "best", "one-ply", "random", "--games", "20", "--seed", "2")
    found = data(*arguments)
    (played,) = found["tables"]
    assert played["columns"][1:] == ["one-ply", "random"]
    assert [[cell and cell["games"] for cell in row] for row in played["cells"]] == [
        [None, 20, 20], [20, None, 20], [20, 20, None]
    ]  # fmt: skip
    assert played["cells"][1][2]["low"] > 0.5
    assert (found["played"], found["episodes"], found["seed"]) == (True, 60, 2)
    assert "20 games per cell, 60 episodes, seed 2" in table(*arguments)
    refused = league("payoff", "best", "random", "--games", "0")
    assert (refused.code, "at least one game per cell" in refused.err) == (2, True)


def test_payoff_cycles(here: Path) -> None:
    (found,) = data("payoff", "--cycles")["tables"]
    assert len(found["policies"]) == 9
    assert found["transitive"] + found["cyclic"] == pytest.approx(1.0)
    assert table("payoff", "--cycles").startswith(f"9 policies, {found['pairs']} pairs played\ntransitive ")
    arguments = ("payoff", "best", "one-ply", "random", "--cycles", "--games", "20", "--seed", "2")
    played = data(*arguments)
    assert (played["played"], played["episodes"], played["tables"][0]["pairs"]) == (True, 60, 3)
    assert played["tables"][0]["cycles"] == [], "best and one-ply both beat random"
    assert "60 episodes, seed 2" in table(*arguments)
    refused = league("payoff", "best", "random", "--cycles")
    assert (refused.code, "at least three policies, not 2" in refused.err) == (2, True)


def test_a_match_of_bots(here: Path) -> None:
    found = data("match", "one-ply", "random", "--games", "60")
    assert found["labels"] == ["one-ply", "random"]
    assert found["low"] > 0.5
    same = data("match", "random", "random", "--games", "200")
    assert same["low"] < 0.5 < same["high"]


def test_temperature_and_greedy(here: Path) -> None:
    arguments = ("match", "latest", "random", "--games", "40")
    greedy = data(*arguments, "--greedy")
    assert greedy["wins"] == data(*arguments, "--temperature", "0")["wins"]
    assert greedy["mean_returns"] != data(*arguments)["mean_returns"]


def test_show_a_game(here: Path) -> None:
    out = table("match", "latest", "random", "--games", "2", "--show")
    frames = out.split("\n\n")
    assert frames[0] == ". . .\n. . .\n. . .\nX to move"
    assert sum(letter in "XO" for letter in frames[4].rpartition("\n")[0]) == 4
    assert any(frame.startswith("The game is over. Scores:\n  player_0 (main-") for frame in frames)
    called = league("match", "latest", "random", "--games", "2", "--show", "--json")
    assert called.json["games"] == 2
    assert "X to move" in called.err


def test_export_and_what_it_writes(here: Path, tmp_path: Path) -> None:
    out = tmp_path / "champion"
    said = league("export", "best", "--out", out)
    assert f"league match {out} random" in said.out
    row = next(row for row in data("standings")["player"] if row["best"])
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "metadata.json", "policy.safetensors"]
    metadata = json.loads((out / "metadata.json").read_text())
    (policy,) = metadata["policies"]
    assert policy["id"] == row["id"]
    assert policy["ratings"]["melo"]["low"] == row["low"]
    assert set(policy["ratings"]) == {"melo", "field", "robust", "bradley-terry", "elo", "openskill"}
    assert policy["training_steps"] == row["steps"]
    assert policy["lineage"][-1] == row["id"]
    assert (policy["role"], policy["seats"], policy["actions"]) == ("player", ["player_0", "player_1"], 9)
    assert metadata["config"]["algorithm"]["turns"] == 16
    assert metadata["made_with"]["torch"]
    assert row["id"] in (out / "README.md").read_text()
    again = data("export", "latest", "--out", out)
    assert list(again["policies"]) != [row["id"]], "an export is replaced by the next"
    found = data("match", out, "best", "--games", "10")
    assert found["labels"][0].endswith("(champion)")


def test_show(here: Path) -> None:
    row = next(row for row in data("standings")["player"] if row["best"])
    found = data("show", "best")
    assert found["snapshot"]["id"] == row["id"]
    assert found["rating"]["value"] == row["rating"]
    assert found["field"]["value"] == row["field"]["score"]
    assert found["lineage"][-1]["id"] == row["id"]
    assert found["lineage"][0]["origin"] == "initial"
    assert sum(one["games"] for one in found["record"]) == row["games"]
    assert found["snapshot"]["hyperparameters"]["discount"] == 0.99
    out = table("show", row["id"][:8])
    assert row["name"] in out
    assert "★ best" in out
    assert data("show", row["name"]) == found
    assert data("show", "random")["snapshot"]["origin"] == "anchor"


def test_runs(here: Path) -> None:
    assert "tiny" in table("runs")
    (row,) = data("runs")
    assert (row["name"], row["game"], row["matchmaking"], row["rounds"]) == ("tiny", "tictactoe", "pbt", 6)
    assert row["snapshots"] == 8
    assert row["best"].split()[1] == next(r["id"][:8] for r in data("standings")["player"] if r["best"])


def test_runs_where_there_are_none(away: Path) -> None:
    assert league("runs").out == "There is no run under runs/ yet. Next: league run\n"
    assert data("runs") == []


def test_games(here: Path) -> None:
    listed = {row["id"]: row for row in data("games")}
    assert {"connect_four", "leduc", "mpe2:simple_tag_v3", "pettingzoo:classic/tictactoe-v3"} <= set(listed)
    called = league("games")
    # The last line is prose, which the terminal wraps; the table itself fits.
    assert max(cell_len(line) for line in called.out.splitlines()[:-1]) <= WIDTH


def test_config(here: Path) -> None:
    assert "tiny.toml" in table("config", "tiny.toml")
    found = data("config", "tiny.toml", "--set", "algorithm.clip=0.3")
    assert found["algorithm.slots"] == {"value": 16, "source": "tiny.toml"}
    assert found["algorithm.clip"] == {"value": 0.3, "source": "--set"}
    assert found["algorithm.discount"]["source"] == "default"
    changed = ("config", "tiny.toml", "--set", "algorithm.turns=32", "--diff", "tiny")
    assert data(*changed) == [{"key": "algorithm.turns", "old": 16, "new": 32}]
    assert table(*changed) == "algorithm.turns: 16 in tiny, 32 here\n"
    assert table("config", "tiny.toml", "--set", "budget.steps=5", "--diff", "tiny") == (
        "budget.steps: none in tiny, 5 here\n"
    )
    other = data("config", "--game", "spread")
    assert other["game.id"] == {"value": "spread", "source": "--set"}
    assert other["algorithm.discount"] == {"value": 0.99, "source": "default"}
    assert table("config", "tiny.toml", "--diff", "tiny") == "No setting differs from tiny's.\n"


def test_readers_never_write(here: Path) -> None:
    def state() -> dict[str, bytes]:
        files = [path for path in (here / "runs" / "tiny").rglob("*") if path.is_file()]
        # SQLite's own index of the log beside the database says nothing.
        return {str(path): path.read_bytes() for path in files if path.suffix not in (".db-shm", ".db-wal")}

    before = state()
    for command in ("standings", "match best random --games 4", "show best", "runs", "config --diff tiny"):
        assert league(*command.split()).code == 0
    assert state() == before


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(away: Path, command: str) -> None:
    called = league(*command.split(), "--help")
    assert called.code == 0
    assert called.out.startswith(f"Usage: league {command}".strip())
    if not command:
        assert all(one in called.out for one in COMMANDS)


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        ("--help", ("torch", "pettingzoo", "numpy", "pydantic", "sqlite_utils", "rich.live")),
        ("runs", ("torch", "pettingzoo", "scipy")),
        ("games", ("torch", "pettingzoo", "scipy")),
        ("config", ("torch", "pettingzoo", "scipy")),
    ],
)
def test_what_needs_nothing_heavy_imports_nothing_heavy(away: Path, command: str, heavy: tuple[str, ...]) -> None:
    assert heavy_imports([command], heavy) == "HEAVY []"


def test_watch_shows_the_standings_until_it_is_stopped(here: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "league", "standings", "--watch", "--json", "-r", "tiny"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what is in its background with Ctrl-C ignored, and these tests may be there.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    seen = [process.stdout.readline()]
    while seen[-1] != "}\n":
        seen.append(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, "")
    with open_run("tiny") as run:
        assert len(json.loads("".join(seen))["player"]) == len(run.standings())


def test_a_reader_that_goes_away_is_no_error(here: Path) -> None:
    program = f"{sys.executable} -m league config | head -n 1"
    called = subprocess.run(program, shell=True, capture_output=True, text=True, check=False)
    assert called.stderr == ""
