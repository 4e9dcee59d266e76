"""Learners that a plan freezes or resets: what they start again from, and what a run keeps of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from running import committed, content, league, tiny, trained

from league.api import open_run
from league.events import Exploited
from league.orchestrator import League
from league.records import Exploit
from league.run import exploits
from league.storage.store import Store

ALPHASTAR = (
    "matchmaking.kind=alphastar",
    "matchmaking.min_steps=200",
    "matchmaking.max_steps=400",
    "matchmaking.reset_probability=1.0",
    "population.learners=3",
)

PHASES = '''
"""A learner is frozen in round 2 and starts again in round 4; nobody else is ever frozen."""

from league.matchmaking.core import self_play_lineup, tables
from league.records import Exploit, Plan, Seating


class Phases:
    def plan(self, view, rng):
        seated = tuple((Seating(self_play_lineup(view, table), 1.0),) for table in tables(view))
        one, other = view.learners
        first = view.snapshots[0].id
        resets = (Exploit(one.name, one.name, first, one.hyperparameters),) if view.round == 4 else ()
        return Plan(seated, resets, (one.name,) if view.round == 2 else ())

    def labels(self, count):
        return ["weak", "strong"]
'''


@pytest.mark.parametrize(
    "changes",
    [
        ("network.normalise_observations=true", "algorithm.magnet=0.1", "algorithm.average=0.3"),
        ("algorithm.kind=qmix", "algorithm.warmup=100", "algorithm.epsilon_steps=1000", "population.spread={}"),
    ],
)
def test_a_reset_learner_is_as_it_was_at_the_start(tmp_path: Path, changes: tuple[str, ...]) -> None:
    annealing = ("algorithm.learning_rate_end=1e-6", "algorithm.learning_rate_steps=1000")
    config = tiny("budget.rounds=3", *annealing, *changes)
    with League(config, tmp_path / "run") as run, League(config, tmp_path / "other") as other:
        run.run()
        (learner, _), (fresh, _) = run.learners, other.learners
        first = run.roster.entrants.snapshots[0]
        assert any(not torch.equal(a, b) for a, b in zip(learner.parameters(), fresh.parameters(), strict=True))
        assert learner.learning_rate() < fresh.learning_rate()
        reset = Exploit(learner.name, learner.name, first.id, learner.hyperparameters)
        event = exploits.carry_out(reset, {learner.name: learner}, run.progress, run.roster, 4)
        assert (event.source, event.snapshot) == ("main-0", "main-0.0")
        now, then = learner.tensors(), fresh.tensors()
        assert now.keys() == then.keys()
        assert all(torch.equal(now[name], then[name]) for name in then)
        assert learner.learning_rate() == fresh.learning_rate()
        assert (learner.begun, learner.age) == (learner.steps, 0)
        assert learner.steps > 0
        progress = run.progress["main-0"]
        assert (progress.parent, progress.exploited, progress.exploited_at) == (first.id, 4, learner.steps)


def test_a_matchmaker_of_ones_own_names_freezes_and_resets_learners(away: Path) -> None:
    (away / "phases.py").write_text(PHASES)
    config = tiny("matchmaking.kind=phases.py:Phases", "population.snapshot_every=1", "budget.rounds=5")
    seen: list[Exploited] = []
    with League(
        config, away / "run", [lambda event: seen.append(event) if isinstance(event, Exploited) else None]
    ) as run:
        run.run()
    with Store.reader(away / "run") as store:
        taken = [(one.name, one.round) for one in store.snapshots() if one.origin != "anchor"]
        (event,) = store.events()
        rated = {result.round for result in store.results()}
    assert taken == [("weak.0", 0), ("strong.0", 0), ("weak.1", 2)]
    assert rated == {2}
    assert (event.kind, event.round) == ("exploit", 4)
    assert event.data["snapshot"] == "weak.0"
    assert [(one.learner, one.snapshot) for one in seen] == [("weak", "weak.0")]


def test_an_alphastar_league_freezes_and_resets_its_exploiters(away: Path) -> None:
    folder = trained(tiny(*ALPHASTAR, "budget.rounds=8"), away / "run")
    with open_run(folder) as run:
        snapshots = {one.id: one for one in run.roster.entrants.snapshots}
    with Store.reader(folder) as store:
        resets = {(event.round, event.data["learner"]) for event in store.events() if event.kind == "exploit"}
    frozen = [one for one in snapshots.values() if one.origin == "trained"]
    assert {one.learner for one in frozen} == {"main", "main_exploiter", "league_exploiter"}
    assert resets == {(one.round + 1, one.learner) for one in frozen if one.learner != "main" and one.round < 8}
    for one in frozen:
        assert one.parent is not None
        parent = snapshots[one.parent]
        assert parent.number == (one.number - 1 if one.learner == "main" else 0)


def test_an_alphastar_league_that_goes_on_ends_in_the_same_bytes(away: Path) -> None:
    out = ""
    for name, stops in (("whole", ("1", "8")), ("parts", ("1", "3", "4", "6", "8"))):
        for rounds in stops:
            changes = (word for setting in ALPHASTAR for word in ("--set", setting))
            called = league("run", "tiny.toml", "-r", name, *changes, "--rounds", rounds, "--plain")
            assert called.code == 0, called.err
            out += called.out
        assert committed(away / "runs" / name) == 8
    assert content(away / "runs" / "whole") == content(away / "runs" / "parts")
    assert "main_exploiter ← main_exploiter.0" in out


def test_labels_must_differ(away: Path) -> None:
    (away / "phases.py").write_text(PHASES.replace('"weak", "strong"', '"main", "main"'))
    called = league("run", "tiny.toml", "--set", "matchmaking.kind=phases.py:Phases", "--rounds", "1")
    assert (called.code, called.out) == (2, "")
    assert "must give 2 learners as many different labels, not ['main', 'main']" in called.err
    assert not (away / "runs").exists()
