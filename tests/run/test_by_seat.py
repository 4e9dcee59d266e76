"""Runs in which each seat of a team is a post of its own: partners from the past beside the live learner."""

from __future__ import annotations

import sqlite3
import tomllib
from pathlib import Path

import pytest
from running import content, league, trained

from league.api import open_run
from league.config.load import with_overrides
from league.config.run import RunConfig
from league.events import RoundFinished
from league.files import canonical_json
from league.orchestrator import League

CONFIG = """\
threads = 1
workers = 0
game = { id = "mpe2:simple_spread_v3", options = { max_cycles = 4 }, posts = "seat" }
budget = { rounds = 4 }
population = { snapshot_every = 1 }
matchmaking = { kind = "fictitious", self_play = 0.25, opponents = 2 }
algorithm = { slots = 8, turns = 8, epochs = 1, minibatch = 64 }
network = { actor = [16], critic = [16] }
rating = { matches_per_snapshot = 2, games_per_match = 4 }
"""
SPEAKERS = ("game.id=mpe2:simple_speaker_listener_v4", "game.options={ max_cycles = 4 }", "budget.rounds=3")


def config(*overrides: str) -> RunConfig:
    return with_overrides(tomllib.loads(CONFIG), overrides, "by seat")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    return trained(config(), tmp_path_factory.mktemp("seats") / "run")


def test_the_learner_trains_beside_its_past(folder):
    with open_run(folder) as run:
        results = run.store.training()
        ids = {snapshot.id for snapshot in run.store.snapshots()}
    partners = [tuple(result.opponent.split("+")) for result in results]
    assert ("main", "main") in partners, "itself at all seats"
    mixed = [pair for pair in partners if set(pair) <= ids]
    assert mixed, "one seat live, the others of the past"
    assert any(first != second for first, second in mixed)
    assert {result.score for result in results} == {0.5}, "nobody is beaten"


def test_such_a_run_goes_on_to_the_same_bytes(folder, tmp_path):
    stopped = tmp_path / "stopped"
    with League(config(), stopped) as run:
        run.bus.add(lambda event: run.interrupt() if isinstance(event, RoundFinished) and event.round == 2 else None)
        assert run.run() == "interrupt"
    trained(config(), stopped)
    assert content(stopped) == content(folder)


def test_rated_matches_are_of_whole_teams_either_way(folder):
    with open_run(folder) as run:
        rows = run.store.results()
        line = run.standings()[0]
    assert {tuple(map(len, row.lineup)) for row in rows} == {(1,)}
    for row in rows:
        assert [(one.post, one.seat, one.episodes) for one in row.seats] == [(0, seat, row.games) for seat in range(3)]
        assert sum(one.score_sum for one in row.seats) / 3 == pytest.approx(row.score_sum[0])
    assert line.rating.low < line.rating.value < line.rating.high


def test_snapshots_go_from_one_setting_to_the_other(folder, tmp_path):
    with League(
        config("game.posts=side", f"population.init=latest@{folder}", "budget.rounds=1"), tmp_path / "on"
    ) as run:
        run.run()
    found = league(
        "match", f"latest@{folder}", "main.0", "--run", tmp_path / "on", "--games", "4", "--greedy", "--json"
    )
    first, second = found.json["teams"][:2]
    assert (first["mean"], first["agents"][0]["mean"]) == (second["mean"], second["agents"][0]["mean"])


def test_a_run_by_seat_does_not_go_on_by_side(folder):
    called = league("run", "--run", folder, "--set", "game.posts=side", "--plain")
    assert (called.code, 'game.posts was "seat", now "side"' in called.err) == (2, True)


def test_a_run_that_knew_no_posts_goes_on_by_side(tmp_path):
    settings = config("game.posts=side", "budget.rounds=1")
    trained(settings, tmp_path)
    with sqlite3.connect(tmp_path / "league.db") as database:
        old = settings.model_dump(mode="json")
        del old["game"]["posts"]
        database.execute("UPDATE run SET config = ?", (canonical_json(old),))
    database.close()
    assert league("run", "--run", tmp_path, "--rounds", "2", "--plain").code == 0
    called = league("run", "--run", tmp_path, "--set", "game.posts=seat", "--plain")
    assert (called.code, 'game.posts was "side", now "seat"' in called.err) == (2, True)


def test_each_of_two_roles_trains_beside_the_others_past(tmp_path):
    trained(config(*SPEAKERS, "game.posts=side"), tmp_path)
    with open_run(tmp_path) as run:
        results = run.store.training()
        role = {snapshot.id: snapshot.role for snapshot in run.store.snapshots()}
        (speaker, listener) = run.ranking.game.roles
    met = {(result.learner, role.get(result.opponent, result.opponent)) for result in results}
    assert met == {(speaker, listener), (listener, speaker)}
    past = [result for result in results if result.opponent in role]
    assert {result.learner for result in past} == {speaker, listener}


def test_a_match_shows_teams_apart_and_mixed_by_agent(folder):
    found = league("match", "latest", "random", "--games", "7", "--run", folder, "--json").json
    label = found["labels"][0]
    teams = {team["label"]: team for team in found["teams"]}
    assert list(teams) == [label, "random", f"{label} among random", f"random among {label}"]
    assert [team["shares"] for team in teams.values()] == [
        [1.0, 0.0], [0.0, 1.0], pytest.approx([1 / 3, 2 / 3]), pytest.approx([2 / 3, 1 / 3])
    ]  # fmt: skip
    assert found["episodes"] == 4 * 7
    for team in teams.values():
        assert team["episodes"] == 7
        assert [agent["seat"] for agent in team["agents"]] == ["agent_0", "agent_1", "agent_2"]
        assert {agent["episodes"] for agent in team["agents"]} == {7}
        assert sum(agent["mean"] for agent in team["agents"]) / 3 == pytest.approx(team["mean"])
        assert team["halfwidth"] > 0
    assert [teams[label]["mean"], teams["random"]["mean"]] == found["mean_returns"]
    assert found["wins"] + found["draws"] + found["losses"] == found["games"] == 7
    shown = league("match", "latest", "random", "--games", "7", "--run", folder).out
    assert f"{label} among random" in shown


def test_one_policy_mixed_with_itself_is_the_same_team_on_the_same_seeds(folder):
    found = league("match", "main.1", "main.1", "--games", "30", "--run", folder, "--json").json
    pure, again, mixed, _ = found["teams"]
    assert abs(pure["mean"] - mixed["mean"]) < pure["halfwidth"] + mixed["halfwidth"]
    assert pure["episodes"] == again["episodes"] == mixed["episodes"] == 30


def test_payoffs_of_a_game_of_one_side_are_played_not_read(folder):
    refused = league("payoff", "--run", folder)
    assert (refused.code, "are to play together" in refused.err) == (2, True)
    (table,) = league("payoff", "latest", "random", "--games", "6", "--run", folder, "--json").json["tables"]
    teams = league("match", "latest", "random", "--games", "6", "--run", folder, "--json").json["teams"]
    cells = [table["cells"][i][j]["score"] for i, j in ((0, 0), (1, 1), (0, 1), (1, 0))]
    # Equal seeds; what is drawn in an episode depends on its seed and place alone.
    assert cells[2:] == [team["mean"] for team in teams[2:]]
    assert cells[0] == pytest.approx(teams[0]["mean"], abs=teams[0]["halfwidth"])
