"""`league styles` over real runs: what it compares, what it prints, and what it refuses."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from calling import league
from rich.cells import cell_len
from running import tiny, trained

WIDTH = 80

PLANTED = '''
"""Policies of tic-tac-toe whose games are known."""

import torch


class Lowest:
    """Takes the legal action with the lowest number."""

    sign = -200.0

    def __init__(self, role, spec):
        self.role = role

    def logits(self, rows):
        return self.sign * torch.arange(9.0).repeat(len(rows.seat), 1)


class Highest(Lowest):
    """Takes that with the highest."""

    sign = 200.0
'''


@pytest.fixture
def planted(tmp_path: Path) -> list[str]:
    """Two deterministic policies that never agree where there is a choice."""
    (tmp_path / "planted.py").write_text(PLANTED)
    return [f"{tmp_path / 'planted.py'}:{name}" for name in ("Lowest", "Highest")]


@pytest.fixture(scope="module")
def tag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a game with two roles."""
    learners = ("population.learners=1", "matchmaking.kind=naive")
    small = ("game.id=tag", "algorithm.turns=4", "budget.rounds=2", "population.snapshot_every=1")
    return trained(tiny(*learners, *small), tmp_path_factory.mktemp("tag") / "run")


def test_every_snapshot_oldest_first(here: Path) -> None:
    found = league("styles", "-r", "tiny", "--games", "20", "--json").json
    policies = found["policies"]
    names = [f"{learner}.{n}" for n in range(4) for learner in ("main-0", "main-1")]
    assert [one["label"] for one in policies] == names
    assert [one["round"] for one in policies] == sorted(one["round"] for one in policies)
    assert (found["game"], found["role"], found["games"]) == ("tictactoe", "player", 20)
    assert (found["snapshots"], found["positions"], found["plies"], found["note"]) == (8, 160, 2, "")
    distances = found["distances"]
    assert [distances[n][n] for n in range(8)] == [0.0] * 8
    assert all(0 <= distances[a][b] == distances[b][a] <= 1 for a in range(8) for b in range(8))
    assert sorted(found["order"]) == list(range(8))
    assert found["margin"] < 0.1
    for number, one in enumerate(policies):
        others = [other for place, other in enumerate(distances[number]) if place != number]
        assert one["distance"] == min(others)
        assert distances[number][names.index(one["nearest"])] == min(others)
        assert 0 < one["share"] <= 1
    for change in found["changes"]:
        mine = [n for n, one in enumerate(policies) if one["learner"] == change["learner"]]
        steps = [distances[a][b] for a, b in pairwise(mine)]
        assert (change["distance"], change["steps"]) == (max(steps), 3)
        assert change["mean"] == pytest.approx(sum(steps) / 3)
        assert steps[mine.index(names.index(change["before"]))] == max(steps)
    assert [change["learner"] for change in found["changes"]] == ["main-0", "main-1"]


def test_openings_first_appear_in_the_oldest_snapshot_that_has_them(here: Path) -> None:
    found = league("styles", "-r", "tiny", "--games", "30", "--plies", "1", "--json").json
    assert found["openings"], "with nine first moves some begin five of thirty games"
    for opening in found["openings"]:
        assert opening["opening"] in set("012345678")
        number = next(n for n, share in enumerate(opening["shares"]) if share >= 5 / 30)
        assert opening["first"] == found["policies"][number]["label"]
        assert opening["steps"] == found["policies"][number]["steps"]
        # Two snapshots of each round.
        pairs = zip(opening["shares"][::2], opening["shares"][1::2], strict=True)
        assert opening["course"] == pytest.approx([sum(pair) / 2 for pair in pairs])
    for number, one in enumerate(found["policies"]):
        common = {opening["opening"]: opening["shares"][number] for opening in found["openings"]}
        assert one["share"] == common.get(one["opening"], one["share"])


def test_distances_and_openings_that_are_known(here: Path, planted: list[str]) -> None:
    found = league("styles", *planted, "random", "-r", "tiny", "--games", "20", "--json").json
    (lowest, highest, random) = found["policies"]
    assert found["distances"][0][1] == pytest.approx(1.0)
    assert (lowest["opening"], lowest["share"], lowest["distinct"]) == ("0 1", 1.0, 1 / 20)
    assert (highest["opening"], highest["share"], highest["distinct"]) == ("8 7", 1.0, 1 / 20)
    assert random["nearest"] in planted
    assert [one["steps"] for one in found["policies"]] == [None] * 3
    assert (found["openings"], found["changes"], found["copies"]) == ([], [], [])


def test_a_policy_is_compared_once_and_near_copies_are_named(here: Path) -> None:
    found = league("styles", "main-0.0", "main-0.0@tiny", "random", "main-1.0", "-r", "tiny", "--json").json
    assert [one["label"] for one in found["policies"]] == ["main-0.0", "random", "main-1.0"]
    # Fresh networks play nearly at random.
    assert found["copies"] == [[0, 1, 2]]


def test_snapshots_are_spread_over_the_run(here: Path) -> None:
    found = league("styles", "-r", "tiny", "--size", "4", "--games", "5", "--json").json
    assert [one["label"] for one in found["policies"]] == ["main-0.0", "main-1.0", "main-0.3", "main-1.3"]
    text = league("styles", "-r", "tiny", "--size", "4", "--games", "5").out
    assert "4 of 8 snapshots, 5 games of each policy with itself" in text


def test_equal_seeds_give_equal_reports(here: Path) -> None:
    def asked(seed: str) -> object:
        report = league("styles", "-r", "tiny", "--games", "10", "--seed", seed, "--json").json
        return {key: value for key, value in report.items() if key not in ("seconds", "seed")}

    assert asked("5") == asked("5") != asked("6")


def test_the_output_fits(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    lines = league("styles", "-r", "tiny", "--games", "20").out.splitlines()
    assert lines[0].startswith("distance of play in hundredths")
    assert lines[1].split() == [str(number) for number in range(1, 9)]
    assert any(line.split()[:4] == ["policy", "steps", "nearest", "distance"] for line in lines)
    assert sum(line.startswith("main-") and " main-" in line for line in lines) >= 8
    assert max(cell_len(line.rstrip()) for line in lines) <= WIDTH


def test_roles_are_compared_one_at_a_time(tag: Path) -> None:
    found = league("styles", "-r", tag, "--role", "agent", "--games", "4", "--json").json
    assert [one["label"] for one in found["policies"]] == ["agent.0", "agent.1", "agent.2"]
    assert found["note"].startswith("with adversary.")
    texts = ("agent=agent.0", "adversary=adversary.1,agent=agent.1", "random")
    named = league("styles", *texts, "-r", tag, "--role", "agent", "--games", "4", "--json").json
    assert [one["label"] for one in named["policies"]] == ["agent.0", "agent.1", "random/agent"]
    refused = league("styles", "-r", tag)
    assert (refused.code, refused.out) == (2, "")
    assert "tag has several roles; name one: adversary, agent" in refused.err
    wrong = league("styles", "adversary.0", "agent.1", "-r", tag, "--role", "agent")
    assert (wrong.code, "'adversary.0' is of another role than 'agent'" in wrong.err) == (2, True)


def test_members_of_a_team_are_mixed(tmp_path: Path) -> None:
    settings = ("game.id=spread", "population.learners=1", "matchmaking.kind=naive", "budget.rounds=1")
    run = trained(tiny(*settings, "algorithm.turns=4", "population.snapshot_every=1"), tmp_path / "run")
    found = league("styles", "main.0", "main.1", "random", "-r", run, "--games", "6", "--json").json
    assert found["positions"] == 18
    assert all(one["opening"].count("/") == 4 for one in found["policies"]), "three agents move at once, twice"


def test_what_cannot_be_compared_is_refused(here: Path, tmp_path: Path) -> None:
    settings = ("game.id=spread", "game.options.continuous_actions=true", "population.learners=1")
    small = ("matchmaking.kind=naive", "algorithm.turns=4", "budget.rounds=1")
    boxed = trained(tiny(*settings, *small), tmp_path / "boxed")
    for arguments, why in (
        (("-r", boxed), "play is compared where an action is one of n"),
        (("best", "-r", "tiny"), "play is compared between two policies or more"),
        (("best", "best", "-r", "tiny"), "two policies or more"),
        (("best", "nobody", "-r", "tiny"), "no policy is called 'nobody'"),
        (("-r", "tiny", "--games", "0"), "not --games 0 --plies 2 --size 40"),
        (("-r", "tiny", "--plies", "0"), "not --games 200 --plies 0 --size 40"),
        (("-r", "tiny", "--size", "1"), "not --games 200 --plies 2 --size 1"),
        (("-r", "tiny", "--role", "judge"), "has no role 'judge'"),
    ):
        called = league("styles", *arguments)
        assert (called.code, called.out) == (2, ""), arguments
        assert why in called.err
