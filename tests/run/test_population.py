"""Who learns: several learners of every kind, PBT's copies and lineage, roles, a start from a policy, one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from running import TINY, committed, league, tiny, trained

from league.api import open_run
from league.events import Event, Exploited
from league.orchestrator import League
from league.run.exploits import explore
from league.storage.store import Store

MINE = '''
"""A matchmaker, a game, an environment and a policy of a user's own."""

from dataclasses import dataclass

import torch

from league.games.native.tictactoe import TicTacToe
from league.records import Plan, Seating


@dataclass
class AgainstTheFirst:
    """Everybody meets the oldest snapshot, in turn from each post."""

    share: float = 1.0

    def plan(self, view, rng):
        first = view.snapshots[0].id
        return Plan(tuple(
            (Seating((one.name, first), self.share / 2), Seating((first, one.name), 1 - self.share / 2))
            for one in view.learners
        ))


class Game(TicTacToe):
    """The same rules under another name."""


def environment(render_mode=None):
    from pettingzoo.classic import tictactoe_v3

    return tictactoe_v3.raw_env(render_mode=render_mode)


class FirstLegal:
    """Always the first legal action."""

    def __init__(self, role, spec):
        self.role, self.actions = role, spec.role(role).actions.width

    def logits(self, rows):
        return -100.0 * torch.arange(self.actions).expand(len(rows.seat), -1)
'''


@pytest.mark.parametrize("kind", ["naive", "fictitious", "pbt", "pfsp", "ring", "openai_five", "psro"])
def test_every_kind_trains_several_learners(tmp_path: Path, kind: str) -> None:
    folder = trained(
        tiny(f"matchmaking.kind={kind}", "matchmaking.self_play=0.25", "population.learners=3", "budget.rounds=2"),
        tmp_path / kind,
    )
    with Store.reader(folder) as store:
        snapshots = [one for one in store.snapshots() if one.origin != "anchor"]
        assert [(one.learner, one.number) for one in snapshots] == [
            (f"main-{index}", number) for number in range(2) for index in range(3)
        ]
        assert [one.origin for one in snapshots] == ["initial"] * 3 + ["trained"] * 3
        assert {row.learner for row in store.metrics()} == {"main-0", "main-1", "main-2"}
        assert len({one.hyperparameters["learning_rate"] for one in snapshots}) == 3, "drawn from the spread"
        opponents = {row.opponent for row in store.training() if row.learner == "main-0"}
    learners, past = {"main-1", "main-2"}, {one.id for one in snapshots[:3]}
    assert bool(opponents & learners) == (kind in ("naive", "pbt"))
    assert bool(opponents & past) == (kind != "naive")


def test_an_optimiser_goes_on_with_its_learners_own_epsilon(tmp_path: Path) -> None:
    with League(tiny("budget.rounds=1"), tmp_path / "run") as run:
        explore(run.learners[0], {"adam_epsilon": 0.01})
        run.run()
    with League(tiny("budget.rounds=2"), tmp_path / "run") as run:
        run.run()
        epsilons = [{group["eps"] for group in learner.optimiser.param_groups} for learner in run.learners]
    assert epsilons == [{0.01}, {1e-5}]


def test_pbt_copies_weights_and_hyperparameters_and_records_it(tmp_path: Path) -> None:
    """The seed gives one learner steps of next to nothing: it must copy the other, and the lineage must say so."""
    config = tiny(
        "budget.rounds=1000",
        "algorithm.slots=64",
        "algorithm.turns=32",
        "algorithm.epochs=4",
        "algorithm.entropy=0.01",
        "network.actor=[64]",
        "population.spread={learning_rate = [1e-9, 1e-2]}",
        "matchmaking.ranges={learning_rate = [1e-9, 0.1]}",
        "matchmaking.resample_probability=0.0",
        "rating.games_per_match=32",
        "seed=20",
    )
    events: list[Exploited] = []
    with League(config, tmp_path / "run") as run:
        low, high = sorted(one.hyperparameters["learning_rate"] for one in run.learners)
        assert (low < 1e-5, high > 1e-3) == (True, True)

        def listen(event: Event) -> None:
            if isinstance(event, Exploited):
                events.append(event)
            # One more snapshot after the copy, then it is shown.
            if (events and run.round_number >= events[0].round + 2) or run.round_number >= 40:
                run.interrupt()

        run.bus.add(listen)
        assert run.run() == "interrupt"
    assert events, "the weak learner copies the strong one within 40 rounds"
    event = events[0]
    with Store.reader(tmp_path / "run") as store:
        stored = next(row for row in store.events() if row.kind == "exploit")
        snapshots = [one for one in store.snapshots() if one.origin != "anchor"]
    assert (stored.round, stored.data["learner"], stored.data["source"]) == (event.round, event.learner, event.source)
    assert stored.data["after"]["learning_rate"] in (
        pytest.approx(0.8 * by_learner(snapshots, event.source)[0].hyperparameters["learning_rate"]),
        pytest.approx(1.25 * by_learner(snapshots, event.source)[0].hyperparameters["learning_rate"]),
    )
    changed = {name for name, value in stored.data["after"].items() if value != stored.data["before"][name]}
    assert changed == {"learning_rate"}, "all others were equal and stay so"
    child = next(one for one in by_learner(snapshots, event.learner) if one.round >= event.round)
    parent = next(one for one in snapshots if one.id == child.parent)
    assert (parent.learner, parent.round) == (
        event.source,
        max(one.round for one in by_learner(snapshots, event.source) if one.round < event.round),
    )
    assert child.hyperparameters["learning_rate"] == stored.data["after"]["learning_rate"]
    others = [one for one in snapshots if one.number and one.id != child.id and one.round <= event.round]
    assert all(parent_learner(snapshots, one.parent) == one.learner for one in others), "else one's own line goes on"
    with open_run(tmp_path / "run") as opened:
        assert opened.policy(child.name).metadata["parent"] == parent.id


def by_learner(snapshots, learner):
    return [one for one in snapshots if one.learner == learner]


def parent_learner(snapshots, id):
    return next(one.learner for one in snapshots if one.id == id)


def test_a_run_starts_from_an_exported_policy_or_another_run(away: Path) -> None:
    assert league("run", "tiny.toml", "--rounds", "2", "--plain").code == 0
    assert league("export", "best", "--out", "champion").code == 0
    best = json.loads((away / "champion" / "metadata.json").read_text())["policies"][0]["id"]
    for name, init in (("a", "./champion"), ("b", "best@tiny"), ("c", "player=best@./runs/tiny")):
        args = ("--set", f"population.init={init}", "--set", "population.learners=1", "--rounds", "1")
        assert league("run", "tiny.toml", "-r", name, *args, "--plain").code == 0
        with open_run(name) as run, open_run("tiny") as source:
            first = run.roster.entrants.snapshots[0]
            assert (first.origin, first.parent) == ("initial", best)
            weights = run.policy(first.id).policy.weights()
            wanted = source.policy(best).policy.weights()
            assert all(bool((weights[key] == wanted[key]).all()) for key in wanted)
    # It is the first weights that come from there; the run goes on without it.
    for path in (away / "champion").iterdir():
        path.unlink()
    assert league("run", "-r", "a", "--rounds", "2", "--plain").code == 0
    other = ("--set", "population.init=best@tiny", "--set", "network.actor=[8]")
    called = league("run", "tiny.toml", "-r", "d", *other)
    assert (called.code, "network.actor is [16] there, [8] here" in called.err) == (2, True)
    assert not (away / "runs" / "d").exists()


def test_roles_have_standings_of_their_own(away: Path) -> None:
    (away / "tag.toml").write_text(
        TINY.replace('"tictactoe"', '"mpe2:simple_tag_v3"\noptions = { max_cycles = 8 }')
        .replace("slots = 16", "slots = 4")
        .replace("learners = 2", "learners = 1")
        .replace("games_per_match = 8", "games_per_match = 4")
    )
    assert league("run", "tag.toml", "--rounds", "2", "--plain").code == 0
    rows = league("standings", "--json").json
    assert set(rows) == {"adversary", "agent"}
    for role, lines in rows.items():
        assert {line["role"] for line in lines} == {role}
        assert {line["name"] for line in lines} == {f"random/{role}", f"{role}.0", f"{role}.1"}
    assert set(league("standings", "--role", "agent", "--json").json) == {"agent"}
    assert league("export", "best", "--out", "champions").code == 0
    assert sorted(path.name for path in (away / "champions").glob("*.safetensors")) == [
        "adversary.safetensors",
        "agent.safetensors",
    ]
    for policies, labels in (
        (("adversary=best", "agent=best"), ["adversary.1", "agent.1"]),
        (("adversary=latest,agent=best", "random"), ["adversary.1+agent.1", "random/adversary+random/agent"]),
        (("agent=best", "agent=random"), ["agent.1", "random/agent"]),
        (("./champions", "best"), ["adversary.1 (champions)", "agent.1"]),
        (("agent.1", "agent.0"), ["agent.1", "agent.0"]),
    ):
        found = league("match", *policies, "--games", "4", "--json")
        assert found.code == 0, found.err
        assert found.json["labels"] == labels
    odd = league("match", "adversary=best,agent=best", "agent=random", "--games", "2")
    assert (odd.code, odd.out) == (2, "")
    assert "only policies of the same roles can be compared" in odd.err
    assert found.json["note"] == "with adversary.1 at the other posts"
    assert league("match", "adversary=best", "agent=best", "--games", "2", "--json").json["score"] is None
    with open_run() as run:
        assert run.policy("best", "agent").metadata["role"] == "agent"
        assert [line.snapshot.role for line in run.standings("agent")] == ["agent"] * 3
    assert committed(away / "runs" / "tag") == 2


def test_games_of_one_side_are_rated_by_their_score(away: Path) -> None:
    (away / "spread.toml").write_text(
        TINY.replace('"tictactoe"', '"mpe2:simple_spread_v3"\noptions = { max_cycles = 8 }')
        .replace("slots = 16", "slots = 4")
        .replace("learners = 2", "learners = 1")
        .replace('kind = "pbt"\nexploit_steps = 200', 'kind = "naive"')
        .replace("games_per_match = 8", "games_per_match = 4")
    )
    called = league("run", "spread.toml", "--rounds", "2", "--plain")
    assert called.code == 0
    (command,) = (line.split() for line in called.out.splitlines() if line.startswith("  league match"))
    assert league(*command[1:], "--games", "4").code == 0, "what it says next works"
    rows = league("standings", "--json").json["agent"]
    assert all(row["rating"] < 0 for row in rows)
    assert sum(row["best"] for row in rows) == 1
    assert league("standings", "--by", "elo", "--json").json["agent"] == rows
    assert league("standings").out.startswith("mean score ± 95 % interval")
    alone = league("match", "best", "--games", "4", "--json").json
    assert (alone["wins"], alone["draws"], alone["losses"], alone["score"]) == (0, 0, 0, None)
    assert alone["mean_returns"][0] < 0


@pytest.mark.filterwarnings("ignore:The old environment creation API:DeprecationWarning")
def test_a_users_own_matchmaker_game_and_policy(away: Path) -> None:
    (away / "mine.py").write_text(MINE)
    config = (
        (away / "tiny.toml")
        .read_text()
        .replace('kind = "pbt"\nexploit_steps = 200', 'kind = "mine.py:AgainstTheFirst"')
    )
    for name, game in (("native", "mine.py:Game"), ("adapted", "mine.py:environment")):
        (away / f"{name}.toml").write_text(config.replace('"tictactoe"', f'"{game}"'))
        called = league("run", f"{name}.toml", "--rounds", "2", "--plain")
        assert called.code == 0, called.err
        with Store.reader(away / "runs" / name) as store:
            first = store.snapshots()[len(store.snapshots()) - 4].id
            assert {row.opponent for row in store.training()} == {first}
            assert store.last_round().round == 2
        found = league("match", "mine.py:FirstLegal", "mine.py:FirstLegal", "-r", name, "--games", "4", "--json").json
        assert (found["wins"], found["losses"]) == (2, 2), "whoever moves first wins with 0, 1, 2 or 2, 4, 6"
    assert league("match", "mine.py:FirstLegal", "best", "-r", "native", "--games", "4").code == 0
    assert league("run", "native.toml", "--rounds", "3", "--plain").code == 0
