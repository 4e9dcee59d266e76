"""`league credit` over a real run: its table, its JSON, who is meant by which POLICY, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from running import league, trained

from league.config.load import from_dict

CONFIG = {
    "threads": 1,
    "game": {"id": "spread", "options": {"max_cycles": 10}},
    "budget": {"rounds": 2},
    "population": {"snapshot_every": 1},
    "algorithm": {"slots": 8, "turns": 8, "epochs": 4, "minibatch": 64, "learning_rate": 0.1},
    "network": {"actor": [16], "critic": [16]},
    "rating": {"matches_per_snapshot": 2, "games_per_match": 8},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three agents on one side, who learn so fast that each snapshot plays differently."""
    return trained(from_dict(CONFIG), tmp_path_factory.mktemp("credit") / "a run")


def test_the_table_fits_and_says_what_next(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    called = league("credit", "agent_1=random", "--run", folder, "--games", "20")
    assert called.code == 0, called.err
    table, _, following = called.out.partition("Next:\n")
    lines = table.splitlines()
    assert max(map(cell_len, lines)) <= 60
    assert [line.split()[0] for line in lines[2:8]] == ["baseline", "agent_0", "agent_1", "agent_2", "all", "score"]
    assert re.match(r"agent_1 +random +\+0\.0+ ±0\.0+ ", lines[4])
    assert "all 4 coalitions on the same 20 games, 80 episodes, seed 0" in " ".join(lines)
    assert following.splitlines() == [
        f"  league credit agent_1=random --games 80 --run '{folder}'    halves the intervals",
        f"  league standings --run '{folder}'",
    ]
    again = league("credit", "agent_1=random", "--run", folder, "--games", "20")
    assert again.out.splitlines()[:8] == lines[:8], "equal seeds, equal shares"


def test_json(folder):
    found = league("credit", "latest", "-r", folder, "--games", "10", "--seed", "3", "--json").json
    assert [one["seat"] for one in found["shares"]] == ["agent_0", "agent_1", "agent_2"]
    assert {(one["policy"], one["baseline"]) for one in found["shares"]} == {("main.2", "random")}
    total = found["before"]["value"] + sum(one["share"]["value"] for one in found["shares"])
    assert total == pytest.approx(found["after"]["value"])
    assert (found["exact"], found["coalitions"], found["games"], found["episodes"]) == (True, 8, 10, 80)
    own = sum(one["own"]["value"] for one in found["shares"])
    assert own == pytest.approx(found["after"]["value"])
    assert all(one["share"]["low"] < one["share"]["value"] < one["share"]["high"] for one in found["shares"])
    others = league("credit", "agent_1=main.1", "-r", folder, "--games", "1", "--baseline", "main.0", "--json").json
    assert {one["baseline"] for one in others["shares"]} == {"main.0"}
    assert others["shares"][1]["policy"] == "main.1"
    assert others["after"]["low"] is None, "one game says nothing of the spread"


def test_one_snapshot_by_two_names_is_one_policy(folder, tmp_path):
    champion = tmp_path / "champion"
    assert league("export", "main.2", "-r", folder, "--out", champion).code == 0
    for name in ("main.2", champion):
        found = league("credit", "latest", "-r", folder, "--games", "5", "--baseline", name, "--json").json
        assert [one["share"]["value"] for one in found["shares"]] == [0.0] * 3
        assert found["coalitions"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("agent_5=best",), "no role or seat 'agent_5'"),
        (("main.9",), "no policy is called 'main.9'"),
        (("best", "--side", "1"), "spread has no side 1"),
        (("best", "--against", "random"), "leave out --against"),
        (("best", "--games", "0"), "at least one game"),
        (("best", "--permutations", "1"), "--permutations 1"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(folder, arguments, says):
    called = league("credit", *arguments, "--run", folder)
    assert (called.code, says in called.err, called.out) == (2, True, "")


def test_where_nobody_has_team_mates_there_is_nobody_to_share_with(here):
    called = league("credit", "best")
    assert called.code == 2
    assert "side 0 of tictactoe is one seat, player_0: there are no other seats to share its score with" in called.err
