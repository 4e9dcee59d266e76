"""`league games --try`: short leagues on games of every kind, and what is told of those that do not run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import league

from league.docs import page
from league.studies import game_trials as module
from league.studies.game_trials import games_to_try, try_game, try_games


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments are stepped in this process: by default there would be a worker for each of the machine's cores."""
    real = module.config_of
    monkeypatch.setattr(module, "config_of", lambda *one: real(*one).model_copy(update={"workers": 0}))


@pytest.mark.usefixtures("in_this_process")
def test_games_of_every_kind_run_a_short_league() -> None:
    found = json.loads(league("games", "--try", "--only", "rps,leduc_poker,simple_push,lbf", "--json").out)
    by_id = {one["id"]: one for one in found}
    assert set(by_id) == {
        "rps",
        "biased_rps",
        "pettingzoo:classic/rps-v2",
        "mpe2:simple_push_v3",
        "openspiel:leduc_poker",
        "lbf:Foraging-8x8-2p-2f-coop-v3",
    }
    for one in found:
        assert one["fault"] == ""
        assert (one["rounds"], one["snapshots"] >= 3, one["matches"] >= 3) == (2, True, True)
        assert one["steps_per_second"] > 0
    assert {id: one["extras"] for id, one in by_id.items() if one["extras"]} == {
        "openspiel:leduc_poker": ["cards"],
        "lbf:Foraging-8x8-2p-2f-coop-v3": ["grids"],
    }
    push = by_id["mpe2:simple_push_v3"]
    assert push["seating"] == "adversary_0 (adversary) against agent_0 (agent)"
    assert push["roles"]["agent"] == "1 seat, sees 19 numbers, one of 5 actions"
    assert {name.partition("/")[0] for name, _ in push["standings"]["agent"]} == {
        "random",
        "agent.0",
        "agent.1",
        "agent.2",
    }
    assert by_id["lbf:Foraging-8x8-2p-2f-coop-v3"]["seating"] == "agent_0, agent_1 together"


def test_the_table_shows_every_role_and_what_went_wrong() -> None:
    called = league("games", "--try", "--only", "simple_speaker_listener")
    assert called.code == 0
    assert "speaker: 1 seat" in " ".join(called.out.split())
    assert "all 1 games ran" in called.out


@pytest.mark.usefixtures("in_this_process")
def test_a_game_that_does_not_run_is_told_of_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def bad():\n    raise ValueError('not today')\n")
    found = try_games({f"{tmp_path}/bad.py:bad": {}, "rps": {}}, rounds=1)
    assert "not today" in found[0].fault
    assert found[1].fault == ""


def test_only_names_games_that_there_are() -> None:
    called = league("games", "--try", "--only", "tictactoo")
    assert called.code == 2
    assert "'tictactoo' in its name; did you mean 'tictactoe'" in called.err
    called = league("games", "--only", "rps")
    assert called.code == 2
    assert "league games --try --only TEXT" in called.err


@pytest.mark.usefixtures("in_this_process")
def test_dozens_that_die_are_played_and_rated() -> None:
    """MAgent's battle: two teams, whose agents die at different times."""
    found = try_game("magent2:battle_v4", games_to_try(["magent2:battle_v4"])["magent2:battle_v4"], 2)
    assert found.fault == ""
    assert found.outcome == "score"
    assert (
        found.seating
        == "red_0, red_1, red_2, …, red_11 (12 seats) against blue_0, blue_1, blue_2, …, blue_11 (12 seats)"
    )
    assert len(found.standings["player"]) == 4


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("actions", ["true", "false"])
def test_continuous_actions_run_a_league_too(actions: str) -> None:
    found = try_game("spread", {"continuous_actions": actions == "true", "max_cycles": 10}, 2)
    assert found.fault == ""
    wanted = "a point in a box of 5" if actions == "true" else "one of 5 actions"
    assert found.roles["agent"] == f"3 seats, sees 18 numbers, {wanted}"


def test_the_page_on_games_has_every_game_that_can_be_tried() -> None:
    text = page("games").text
    table = text[text.index("<!-- games: begin -->") : text.index("<!-- games: end -->")]
    missing = [id for id in games_to_try() if f"| `{id}` |" not in table]
    assert not missing
