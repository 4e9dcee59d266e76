"""Anchors: policies that every run may be rated against, that are never trained, and whose lines are marked as such."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest
from calling import heavy_imports
from running import TINY, Called, content, league, tiny, trained

from league.config.load import with_overrides
from league.errors import ConfigError
from league.events import Event, RoundFinished
from league.games.registry import make
from league.orchestrator import League
from league.rating.core import RosterFacts, make_rating, rate
from league.rating.ledger import Ledger
from league.records import MatchResult, Snapshot
from league.run.roster.anchors import anchors_for
from league.run.roster.ranking import open_ranking
from league.run.roster.ratings import REFERENCE_KIND
from league.storage.store import Store

BOTS = """
import torch

class Low:
    \"\"\"The lowest action, four times in five.\"\"\"
    def __init__(self, role, spec):
        self.role, self.actions = role, 9
    def logits(self, rows):
        logits = torch.zeros(len(rows.seat), self.actions)
        best = rows.mask.int().argmax(1) if rows.mask is not None else torch.zeros(len(rows.seat)).long()
        return logits.scatter(1, best[:, None], 4.0)

def agents_only(role, spec):
    if role != "agent":
        raise ValueError(f"it cannot be {role}")
    return Low(role, spec)
"""
SEATS_ANCHORS = """
from league.records import Plan, Seating

class Against:
    def __init__(self, bot):
        self.bot = bot
    def plan(self, view, rng):
        assert self.bot in [anchor.id for anchor in view.anchors]
        return Plan(tuple((Seating((x.name, self.bot), 0.5), Seating((self.bot, x.name), 0.5)) for x in view.learners))
"""
ONE, LOW = "one-ply", "bots.py:Low"


@pytest.fixture
def bots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with bots.py and against.py."""
    (tmp_path / "bots.py").write_text(BOTS)
    (tmp_path / "against.py").write_text(SEATS_ANCHORS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def anchored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with two anchors beside random play; only for reading."""
    folder = tmp_path_factory.mktemp("anchored")
    (folder / "bots.py").write_text(BOTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return trained(tiny(f"rating.anchors=['{ONE}', '{LOW}']"), folder / "runs" / "anchored")


def met(results: list[MatchResult], one: str) -> set[str]:
    """Everybody whom `one` met in rated matches."""
    return {policy for result in results for policy in result.policies if one in result.policies} - {one}


def read(folder: Path) -> tuple[list[Snapshot], list[MatchResult]]:
    with Store.reader(folder) as store:
        return store.snapshots(), store.results()


def rows(called: Called) -> dict[str, dict[str, object]]:
    assert called.code == 0, called.err
    return {row["id"]: row for row in called.json["player"]}


def test_every_new_snapshot_meets_every_anchor_and_anchors_meet_each_other_once(anchored: Path) -> None:
    snapshots, results = read(anchored)
    anchors = [one.id for one in snapshots if one.origin == "anchor"]
    assert anchors == ["random", ONE, LOW]
    taken = [one.id for one in snapshots if one.round in (2, 4, 6)]
    assert len(taken) == 6
    for snapshot in taken:
        assert set(anchors) <= met(results, snapshot)
    among = [result.policies for result in results if set(result.policies) <= set(anchors)]
    assert sorted(among) == sorted((a, b) for a in anchors for b in anchors if a != b)
    # Each of the two is worth a match more with everybody who is new: at first with four snapshots and both of them.
    assert sum(result.games for result in results) == (6 * 3 + 2 * (6 + 2 + 2)) * 8


def test_they_have_a_line_that_is_marked_and_a_rating_of_their_own(anchored: Path) -> None:
    found = rows(league("standings", "--run", anchored, "--json"))
    for id in ("random", ONE, LOW):
        assert (found[id]["origin"], found[id]["best"], found[id]["steps"]) == ("anchor", False, 0)
        assert found[id]["games"] > 0
    assert found["random"]["rating"] == 0.0
    assert found[ONE]["rating"] > found[LOW]["rating"] > 0
    assert found[ONE]["rating"] > max(row["rating"] for row in found.values() if row["best"]), "yet it is not best"
    out = league("standings", "--run", anchored).out
    lines = {line.split()[1]: line.split()[2] for line in out.splitlines()[2:] if "±" in line}
    assert [lines[id] for id in ("random", ONE, LOW)] == ["anchor"] * 3
    for by in ("elo", "openskill"):
        others = rows(league("standings", "--run", anchored, "--by", by, "--json"))
        assert others["random"]["rating"] == 0.0 < others[ONE]["rating"]
    shown = league("show", ONE, "--run", anchored, "--json").json
    assert shown["snapshot"]["origin"] == "anchor"
    assert {"random", LOW} <= {against["opponent"]["id"] for against in shown["record"]}


def test_readers_need_neither_the_anchors_nor_the_game(anchored: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(anchored, tmp_path / "runs" / "copy"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert heavy_imports(["standings", "--run", str(copy)], ("torch", "scipy", "pettingzoo")) == "HEAVY []"
        assert len(rows(league("standings", "--run", copy, "--json"))) == 3 + 8
        assert league("match", "best", ONE, "--run", copy, "--games", "4").code == 0


def test_the_cache_is_what_the_ledger_says(anchored: Path) -> None:
    with Store.reader(anchored) as store:
        cached = store.ratings(REFERENCE_KIND)
        facts = RosterFacts(
            scripted=frozenset({ONE, LOW}), parents={one.id: one.parent for one in store.snapshots() if one.parent}
        )
        again = rate(make_rating("melo"), Ledger(store.results()), frozenset({"random"}), facts)
        ranking = open_ranking(store)
        assert list(ranking.ratings.reference) == [
            one.id for one in (*ranking.entrants.anchors, *ranking.entrants.snapshots)
        ]
    assert cached.upto == len(read(anchored)[1])
    assert cached.ratings.keys() == again.keys()
    for policy, rating in again.items():
        one = cached.ratings[policy]
        assert (one.value, one.low, one.high) == pytest.approx((rating.value, rating.low, rating.high), abs=1e-6)


def test_they_are_policies_of_a_match_by_their_names(anchored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(anchored.parents[1])
    found = league("match", ONE, LOW, "--run", anchored, "--games", "60", "--json").json
    assert found["labels"] == [ONE, LOW]
    assert found["low"] > 0.5
    assert league("match", f"{LOW}@anchored", "random", "--run", anchored, "--games", "4").code == 0
    assert "scripted" in league("export", LOW, "--run", anchored).err


def test_a_run_with_anchors_goes_on_to_the_same_bytes(bots: Path) -> None:
    config = tiny(f"rating.anchors=['{ONE}', '{LOW}']")
    whole = trained(config, bots / "whole")

    def stop(event: Event) -> None:
        if isinstance(event, RoundFinished) and event.round == 3:
            run.interrupt()

    with League(config, bots / "parts", [stop]) as run:
        assert run.run() == "interrupt"
    assert content(trained(config, bots / "parts")) == content(whole)


def test_without_anchors_nothing_is_other_than_it_was(bots: Path, finished: tuple[Path, Called]) -> None:
    assert content(trained(tiny(), bots / "none")) == content(finished[0] / "runs" / "tiny")


def test_anchors_may_join_and_leave_a_run_that_goes_on(bots: Path) -> None:
    folder, rounds = bots / "run", iter((2, 4, 6))

    def go_on(*anchors: str) -> tuple[list[Snapshot], list[MatchResult]]:
        trained(tiny(f"rating.anchors={list(anchors)}", f"budget.rounds={next(rounds)}"), folder)
        return read(folder)

    first, before = go_on()
    assert [one.id for one in first if one.origin == "anchor"] == ["random"]
    second, then = go_on(LOW)
    assert [one.id for one in second if one.origin == "anchor"] == ["random", LOW]
    assert then[: len(before)] == before
    newcomers = [one.id for one in second if one.round == 4]
    assert {"random", *newcomers} <= met(then, LOW)
    # A policy that is gone does no harm where it is met no more.
    (bots / "bots.py").unlink()
    third, last = go_on(ONE)
    assert [one.id for one in third if one.origin == "anchor"] == ["random", LOW, ONE]
    assert not [result for result in last[len(then) :] if LOW in result.policies]
    assert ONE in {policy for result in last[len(then) :] for policy in result.policies}
    found = rows(league("standings", "--run", folder, "--json"))
    assert {"random", LOW, ONE} <= found.keys()
    with Store.reader(folder) as store:
        cached, ranking = store.ratings(REFERENCE_KIND).ratings, open_ranking(store)
        assert list(ranking.ratings.reference) == [
            one.id for one in (*ranking.entrants.anchors, *ranking.entrants.snapshots)
        ]
    assert {id: row["rating"] for id, row in found.items()} == {id: one.value for id, one in cached.items()}


def test_an_anchor_that_cannot_be_made_stops_a_run_before_it_goes_on(bots: Path) -> None:
    folder = trained(tiny("budget.rounds=2"), bots / "run")
    before = content(folder)
    with pytest.raises(ConfigError, match=r"'rating.anchors': policy 'bots.py:Lo': bots.py has no 'Lo'"):
        League(tiny("rating.anchors=['bots.py:Lo']"), folder)
    assert content(folder) == before


def test_in_a_game_with_roles_an_anchor_is_made_for_each_role_that_it_can_play(bots: Path) -> None:
    game = make("mpe2:simple_tag_v3", 1)
    try:
        anchors = anchors_for(["bots.py:agents_only", LOW], game)
        with pytest.raises(ConfigError, match="one-ply plays board games"):
            anchors_for([LOW, ONE], game)
    finally:
        game.close()
    assert [(one.id, one.role) for one in anchors] == [
        ("bots.py:agents_only/agent", "agent"),
        (f"{LOW}/adversary", "adversary"),
        (f"{LOW}/agent", "agent"),
    ]
    assert [one.text for one in anchors] == ["bots.py:agents_only", LOW, LOW]


def test_a_matchmaker_may_seat_an_anchor(bots: Path) -> None:
    config = {"matchmaking": {"kind": "against.py:Against", "bot": ONE}, "rating": {"anchors": [ONE]}}
    overrides = ("population.learners=1", "budget.rounds=2")
    folder = trained(with_overrides(tomllib.loads(TINY) | config, overrides, "tiny"), bots / "run")
    with Store.reader(folder) as store:
        assert {result.opponent for result in store.training()} == {ONE}


@pytest.mark.parametrize("game", ["tictactoe", "openspiel:tic_tac_toe"])
def test_tree_search_as_an_anchor(bots: Path, game: str) -> None:
    config = tiny(
        f"game.id={game}", "rating.anchors=['mcts=20']", "budget.rounds=2", "population.learners=1", "workers=2"
    )
    folder = trained(config, bots / "run")
    found = rows(league("standings", "--run", folder, "--json"))
    assert (found["mcts=20"]["origin"], found["mcts=20"]["best"]) == ("anchor", False)
    assert found["mcts=20"]["rating"] > 200
    assert league("match", "mcts=20", "best", "--run", folder, "--games", "8", "--json").json["score"] > 0.5
    assert content(trained(config, bots / "again")) == content(folder)


def test_a_file_of_weights_is_an_anchor_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = trained(tiny("budget.rounds=2", "population.learners=1"), tmp_path / "first")
    with Store.reader(first) as store:
        old = store.snapshots()[-1]
    file = f"first/snapshots/{old.id}.safetensors"
    trained(tiny("budget.rounds=2", "population.learners=1", "seed=1", f"rating.anchors=['{file}']"), tmp_path / "b")
    with Store.reader(tmp_path / "b") as store:
        met = {policy for result in store.results() for policy in result.policies}
    assert Path(file).name in met
    played = league("match", "latest", file, "-r", "b", "--games", "20", "--json").json
    assert played == league("match", "latest", f"{old.id}@first", "-r", "b", "--games", "20", "--json").json | {
        "labels": played["labels"],
        "seconds": played["seconds"],
    }
    assert "its sha256 is" in damaged(file)
    for text in ("first/policy.safetensors", "first/league.db"):
        with pytest.raises(ConfigError, match="is no anchor"):
            tiny(f"rating.anchors=['{text}']")


def damaged(file: str) -> str:
    """What is said of a run whose anchor's file is not what it was."""
    Path(file).write_bytes(Path(file).read_bytes()[:-1] + b"x")
    return league("match", "latest", file, "-r", "b", "--games", "2").err
