"""Guests: policies from outside are rated in a run's standings, and the run goes on as if they had never been there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from calling import heavy_imports, league
from running import COPIES, content, tiny, trained

from league.errors import PolicyError
from league.records import Snapshot
from league.run.roster.ranking import open_ranking
from league.storage import audit
from league.storage.store import Store
from league.studies import stepwise
from league.studies.rate.games import RatedGames
from league.studies.rate.guests import rate_guests, spread, welcome

PLAYER = '''
"""Takes the first legal action."""

import torch


class First:
    def __init__(self, role, spec):
        self.role, self.actions = role, spec.role(role).actions.n

    def logits(self, rows):
        return -torch.arange(self.actions).expand(len(rows.seat), -1).float()
'''


@pytest.fixture
def run(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory has a copy of the finished run, an export of another run's policy, and first.py."""
    shutil.copytree(here / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.py").write_text(PLAYER)
    trained(tiny("seed=5", "budget.rounds=2", "population.learners=1", "matchmaking.kind=naive"), Path("runs/other"))
    assert league("export", "latest", "--run", "other", "--out", "champion").code == 0
    return tmp_path / "runs" / "tiny"


def standings(run: Path) -> dict[str, dict[str, object]]:
    (lines,) = league("standings", "--run", run, "--json").json.values()
    return {line["name"]: line for line in lines}


def test_guests_of_every_kind_are_rated_by_what_they_are(run: Path) -> None:
    before = standings(run)
    guests = ("main.0@other", "./champion", "one-ply", "mcts=5", "first.py:First")
    options = [word for guest in guests for word in ("--guest", guest)]
    called = league("rate", "--run", run, *options, "--games", "60")
    assert called.code == 0, called.err
    assert "(guest)" in called.out
    after = standings(run)
    names = ["main.0@other", "champion", "one-ply", "mcts=5", "first.py:First"]
    assert after.keys() - before.keys() == set(names)
    for name in names:
        assert (after[name]["origin"], after[name]["best"]) == ("guest", False)
        assert after[name]["games"] >= 60
        assert after[name]["low"] <= after[name]["rating"] <= after[name]["high"]
    assert after["one-ply"]["score"] > after["random"]["score"]
    with Store.reader(Path("runs/other")) as other, Store.reader(run) as store:
        assert audit.verify(store) == []
        assert after["main.0@other"]["id"] == other.snapshots()[1].id, "a snapshot's sha256, whatever it is called"
        assert store.last_round().round == max(result.round for result in store.results())
    shown = league("show", "champion", "--run", run)
    assert (shown.code, "guest" in shown.out) == (0, True)


def test_readers_need_neither_the_files_nor_the_code_of_guests(run: Path) -> None:
    assert league("rate", "--run", run, "--guest", "first.py:First", "--guest", "./champion", "--games", "20").code == 0
    whole = standings(run)
    Path("first.py").write_text("raise SystemExit('imported')")
    shutil.rmtree("champion")
    shutil.rmtree("runs/other")
    assert standings(run) == whole
    assert league("rate", "--run", run).code == 0
    assert standings(run) == whole
    assert "HEAVY []" in heavy_imports(["standings", "--run", str(run)], ("torch", "league_user_first"))
    assert league("match", "best", "latest", "--run", run, "--games", "4").code == 0
    refused = league("match", "best", whole["champion"]["id"], "--run", run)
    assert refused.code == 2
    assert "is the guest 'champion', which this run has no copy of" in refused.err
    assert league("run", "tiny.toml", "--run", run, "--plain").code == 2, "no such config here"
    resumed = league("run", "--run", run, "--rounds", "8", "--plain")
    assert resumed.code == 0, resumed.err
    assert standings(run).keys() > whole.keys(), "new snapshots beside the guests"


@pytest.mark.parametrize("most", [100, 4], ids=["all", "evicting"])
def test_a_run_goes_on_as_if_there_were_no_guests(most: int, tmp_path: Path) -> None:
    (tmp_path / "copies.py").write_text(COPIES)
    kind = f"matchmaking.kind={tmp_path / 'copies.py'}:Copies"
    pool = (f"population.most_snapshots={most}", f"population.snapshot_every={2 if most == 100 else 1}")
    # The matchmaker's exploits are a digest of all that it sees: ratings, anchors, snapshots, results.
    whole = trained(tiny(kind, *pool), tmp_path / "whole")
    visited = trained(tiny(kind, *pool, "budget.rounds=3"), tmp_path / "visited")
    with RatedGames(visited) as games:
        rate_guests(games, welcome(games, ["one-ply", "mcts=5"]), 64, lambda fraction: None)
        guests = {one.id for one in games.store.snapshots() if one.guest}
    assert len(guests) == 2
    trained(tiny(kind, *pool), visited)
    left, right = content(whole), content(visited)
    assert (left["snapshots"], left["checkpoint"]) == (right["snapshots"], right["checkpoint"])
    with Store.reader(whole) as one, Store.reader(visited) as other:
        own = [result for result in other.results() if not guests & set(result.policies)]
        assert own == one.results(), "the same rated matches"
        assert one.evicted() == other.evicted()
        assert bool(one.evicted()) == (most == 4)
        assert len(other.results()) > len(own)
        assert other.training() == one.training()
        # The cache is for readers: it holds the guests, and a full refit changes nothing.
        cached = open_ranking(other).standings("player")
        assert guests < {line.snapshot.id for line in cached}
        assert other.ratings("reference").upto == other.last_match()
    with Store.open(visited) as store:
        ranking = open_ranking(store)
        assert ranking.standings("player") == cached
        assert max(found or 0 for found in ranking.ratings.refit().ratings.values()) < 1e-6
        alone = open_ranking(store)
        alone.load(store, guests=False)
        assert alone.ratings.ledger.games == sum(result.games for result in own)
        assert not guests & set(alone.ratings.ledger.ids)


def test_the_same_command_plays_only_what_is_missing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def games() -> int:
        return standings(run)["mcts=5"]["games"]

    monkeypatch.setattr(stepwise, "STEP", 1000)  # mcts counts 64 times: a step is a few games
    with RatedGames(run) as rated:
        guests, left = welcome(rated, ["mcts=5"]), iter(range(20))

        def stop(fraction: float) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            rate_guests(rated, guests, 90, stop)
    begun = games()
    assert 0 < begun < 90
    rate = ("rate", "--run", run, "--guest", "mcts=5", "--games", "90")
    assert league(*rate).code == 0
    assert 90 <= games() <= 108, "nine opponents or fewer, the same number for each, an even one"
    played = games()
    assert league(*rate).code == 0
    assert games() == played


def test_a_guest_whose_content_changed_is_refused(run: Path) -> None:
    rate = ("rate", "--run", run, "--guest", "first.py:First", "--games", "20")
    assert league(*rate).code == 0
    before = standings(run)
    Path("first.py").write_text(PLAYER + "\n# now even better\n")
    refused = league(*rate)
    assert refused.code == 2
    assert "'first.py:First' is not the policy of that name that played in" in refused.err
    assert standings(run) == before


@pytest.mark.parametrize(
    ("guest", "message"),
    [
        ("random", "'random' is rated in this run already"),
        ("main-0.1", "'main-0.1' is rated in this run already"),
        ("nobody", "no policy is called 'nobody'"),
        ("hunter=random", "this game has no role 'hunter'"),
    ],
)
def test_what_is_no_guest_is_refused(run: Path, guest: str, message: str) -> None:
    before = standings(run)
    called = league("rate", "--run", run, "--guest", guest)
    assert called.code == 2
    assert message in called.err
    assert standings(run) == before


def test_rating_a_guest_takes_the_lock(run: Path) -> None:
    with Store.open(run):
        refused = league("rate", "--run", run, "--guest", "one-ply")
    assert refused.code == 2
    assert "is in use" in refused.err


def test_guests_of_games_with_roles_one_side_and_three_sides(tmp_path: Path) -> None:
    small = ("budget.rounds=2", "population.learners=1", "matchmaking.kind=naive")
    for game, expected in (("tag", {"adversary", "agent"}), ("spread", {"agent"})):
        folder = trained(tiny(*small, f"game.id={game}", "rating.games_per_match=2"), tmp_path / game)
        (tmp_path / "first.py").write_text(PLAYER)
        with RatedGames(folder) as games:
            guests = welcome(games, [f"{tmp_path / 'first.py'}:First"])
            assert {guest.role for guest in guests} == expected
            rate_guests(games, guests, 8, lambda fraction: None)
            for guest in guests:
                line = next(one for one in games.roster.ranking.standings(guest.role) if one.snapshot.id == guest.id)
                assert line.rating.games >= 8


def test_opponents_are_spread_over_the_roster() -> None:
    field = [
        Snapshot(id=str(k), role="player", learner="main", number=k, round=k, steps=k, origin="trained")
        for k in range(10)
    ]
    assert spread(field, 10) == spread(field, 99) == field
    assert [one.number for one in spread(field, 4)] == [0, 3, 6, 9]
    assert [one.number for one in spread(field, 2)] == [0, 9]
    assert [one.number for one in spread(field, 1)] == [9]


def test_one_policy_is_one_guest_whatever_it_is_called(run: Path) -> None:
    with RatedGames(run) as games:
        (guest,) = welcome(games, ["latest@other", "./champion"])
        assert guest.guest == "main.1@other"
        (again,) = welcome(games, ["champion"])
        assert again == guest
        with pytest.raises(PolicyError, match="is rated in this run already"):
            welcome(games, ["latest"])
