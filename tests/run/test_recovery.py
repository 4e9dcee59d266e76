"""A learner that collapses goes on from the best of its past: when, from where, with what, and after a stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from running import committed, content, league, tiny, trained

from league.config.run import RunConfig
from league.config.sections import PopulationConfig
from league.events import Event, Exploited, Progress, RoundFinished
from league.orchestrator import League
from league.records import Rating, Snapshot
from league.run.exploits import explore
from league.run.progress import LearnerProgress, hyperparameters_of
from league.run.recovery import AgainstPast, against_past, recoveries
from league.run.roster.entrants import Entrants
from league.storage.rows import EventRow
from league.storage.store import Store

FOREVER = 1000
COLLAPSE = 12
"""The round after which the learning rate is made huge: the next update destroys the policy."""

SETTINGS = (
    "matchmaking.kind=fictitious",
    "population.learners=1",
    "population.spread={}",
    "population.recover_window=5",
    "algorithm.learning_rate=1e-2",
    "algorithm.learning_rate_end=1e-3",
    "algorithm.slots=128",
    "algorithm.turns=32",
    "algorithm.minibatch=512",
    "algorithm.epochs=4",
    "network.actor=[32]",
    "network.critic=[32]",
    "network.symmetric=false",
    "rating.matches_per_snapshot=4",
    "rating.games_per_match=32",
)
"""One learner that learns tic-tac-toe in a dozen rounds; a snapshot every second round."""


def config(*changes: str, rounds: int = FOREVER) -> RunConfig:
    return tiny(*SETTINGS, *changes, f"budget.rounds={rounds}")


class Planted:
    """Makes the first learner's learning rate huge at the end of a round, as if it had been set so."""

    def __init__(self, after: int) -> None:
        self.after, self.run, self.seen = after, None, list[Exploited]()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Exploited):
            self.seen.append(event)
        if isinstance(event, RoundFinished) and event.round == self.after:
            learner = self.run.learners[0]
            explore(learner, hyperparameters_of(learner) | {"learning_rate": 3.0})


def collapsed(folder: Path, config: RunConfig, after: int = COLLAPSE) -> list[Exploited]:
    """Train to the config's budget, with a collapse; returns the exploits that were announced."""
    planted = Planted(after)
    with League(config, folder, [planted]) as run:
        planted.run = run
        assert run.run() == "budget"
    return planted.seen


def exploits_of(folder: Path) -> list[EventRow]:
    with Store.reader(folder) as store:
        return [event for event in store.events() if event.kind == Exploited.KIND]


def snapshots_of(folder: Path) -> dict[str, Snapshot]:
    with Store.reader(folder) as store:
        return {one.name: one for one in store.snapshots()}


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Exploited]]:
    """A run of 18 rounds that collapsed and recovered, and the exploits that it announced."""
    folder = tmp_path_factory.mktemp("recovered") / "run"
    League(config("population.recover=true"), folder).close()
    return folder, collapsed(folder, config("population.recover=true", rounds=18))


def test_a_collapsed_learner_goes_on_from_the_best_of_its_past(recovered: tuple[Path, list[Exploited]]) -> None:
    folder, announced = recovered
    (event,) = exploits_of(folder)
    (seen,) = announced
    assert (seen.record(), seen.round) == (event.data, event.round)
    assert Exploited.restore(event.round, event.data) == seen
    # The first snapshot after the collapse is taken and rated in round 14.
    assert (event.round, seen.learner, seen.source) == (15, "main", "main")
    assert seen.reason.startswith("main.7 is worse by ")
    known = snapshots_of(folder)
    best = known[seen.snapshot]
    assert best.number in range(2, 7)
    assert {name: value for name, value in seen.after.items() if value != seen.before[name]} == {
        "learning_rate": 0.01,
        "entropy": pytest.approx(2 * best.hyperparameters["entropy"]),
    }
    assert seen.before["learning_rate"] == 3.0
    assert (known["main.7"].parent, known["main.8"].parent) == (known["main.6"].id, best.id)
    assert known["main.8"].hyperparameters == seen.after
    strength = {
        line["name"]: line["field"]["score"] for line in league("standings", "-r", folder, "--json").json["player"]
    }
    assert strength["main.7"] + 0.15 < min(strength["main.8"], strength["main.9"])
    with Store.reader(folder) as store:
        signs = {(one.round, one.data["sign"]) for one in store.events() if one.kind == "sign"}
        weights = {row.round: row.values["entropy_weight"] for row in store.metrics()}
        row = store.last_round()
    assert (15, "behind_past") in signs
    assert weights[15] == pytest.approx(2 * weights[14])
    # Annealed settings are where they were at the snapshot, and go on from there.
    assert row is not None
    state = row.learners["main"]
    at_15 = next(one.steps for one in known.values() if one.name == "main.7")
    assert at_15 - state["begun"] == best.steps


def test_show_tells_of_a_recovery(recovered: tuple[Path, list[Exploited]]) -> None:
    folder, (seen,) = recovered
    shown = " ".join(league("show", "main.8", "-r", folder).out.split())
    assert f"exploit round 15: main ← {seen.snapshot} entropy 0.02→0.04, learning_rate 3→0.01 (main.7 is worse" in shown
    assert league("show", "main.8", "-r", folder, "--json").json["exploited"]["reason"] == seen.reason
    for name in ("main.7", "main.9"):
        assert league("show", name, "-r", folder, "--json").json["exploited"] is None


def test_a_recovered_run_that_was_stopped_and_killed_ends_in_the_same_bytes(
    recovered: tuple[Path, list[Exploited]], tmp_path: Path
) -> None:
    folder, _ = recovered
    on = "population.recover=true"
    League(config(on), tmp_path / "run").close()
    collapsed(tmp_path / "run", config(on, rounds=14))

    def dies(event: Event) -> None:
        if isinstance(event, Progress) and event.round == 15:
            raise KeyboardInterrupt

    # It dies in the round of the recovery, after the learner was reset and before anything is stored.
    with League(config(on, rounds=18), tmp_path / "run", [dies]) as run, pytest.raises(KeyboardInterrupt):
        run.run()
    assert (committed(tmp_path / "run"), exploits_of(tmp_path / "run")) == (14, [])
    for rounds in (15, 16, 18):
        trained(config(on, rounds=rounds), tmp_path / "run")
    assert content(tmp_path / "run") == content(folder)


def test_nothing_is_changed_where_it_is_off(recovered: tuple[Path, list[Exploited]], tmp_path: Path) -> None:
    assert not PopulationConfig().recover
    assert collapsed(tmp_path / "run", config(rounds=16)) == []
    assert exploits_of(tmp_path / "run") == []
    here, there = snapshots_of(tmp_path / "run"), snapshots_of(recovered[0])
    assert [here[f"main.{number}"].id for number in range(8)] == [there[f"main.{number}"].id for number in range(8)]
    assert here["main.8"].parent == here["main.7"].id
    assert here["main.8"].hyperparameters["learning_rate"] == 3.0
    with Store.reader(tmp_path / "run") as store:
        assert "behind_past" in {one.data["sign"] for one in store.events() if one.kind == "sign"}, "it is told of"


@pytest.mark.parametrize("kind", ["naive", "psro", "pbt", "alphastar"])
def test_recovery_works_with_all_sorts_of_matchmakers(
    recovered: tuple[Path, list[Exploited]], tmp_path: Path, kind: str
) -> None:
    """Two learners start from a strong policy, and the first collapses. Some matchmakers reset or copy them, too."""
    changes = [f"matchmaking.kind={kind}", "population.learners=2", f"population.init=main.6@{recovered[0]}"]
    changes += ["population.snapshot_every=1", "algorithm.slots=16", "algorithm.epochs=1", "algorithm.minibatch=128"]
    changes += ["population.recover=true", "population.recover_window=4", "rating.matches_per_snapshot=6"]
    if kind == "alphastar":
        changes += ["matchmaking.min_steps=1", "matchmaking.max_steps=2"]
    if kind == "pbt":
        # Otherwise it copies the other learner at once.
        changes += ["matchmaking.exploit_steps=1_000_000"]
    seen = collapsed(tmp_path / "run", config(*changes, rounds=6), after=2)
    first = next(one.learner for one in snapshots_of(tmp_path / "run").values() if one.learner)
    mine = [event for event in seen if event.learner == first and event.reason]
    assert [event.source for event in mine] == [first]
    assert mine[0].round >= 4
    assert mine[0].after["learning_rate"] == 0.01
    assert [event for event in seen if event.learner != first and event.reason] == []


# When, and from where


def lineage(*scores: float, parents: dict[int, int] | None = None) -> tuple[Entrants, dict[str, Rating]]:
    """The snapshots of one learner, each the child of the one before or of `parents`, with intervals of ± 0.05."""
    above = {number: number - 1 for number in range(1, len(scores))} | (parents or {})
    entrants = Entrants(["player"])
    entrants.snapshots = [
        Snapshot(
            id=f"id{number}",
            role="player",
            learner="main",
            number=number,
            round=10 * number,
            steps=1000 * number,
            origin="trained",
            parent=f"id{above[number]}" if number in above else None,
            hyperparameters={"learning_rate": 0.01 * (number + 1), "entropy": 0.02, "gone": 1.0},
        )
        for number in range(len(scores))
    ]
    rated = {f"id{number}": Rating(score, score - 0.05, score + 0.05, 99) for number, score in enumerate(scores)}
    return entrants, rated


def compared(window: int, *scores: float, parents: dict[int, int] | None = None) -> AgainstPast:
    return against_past(*lineage(*scores, parents=parents), window)["main"]


def test_the_newest_is_compared_with_the_best_of_its_newest_ancestors() -> None:
    assert compared(3, 0.9, 0.5, 0.7, 0.6, 0.4).best.number == 2
    assert compared(4, 0.9, 0.5, 0.7, 0.6, 0.4).best.number == 0
    assert compared(9, 0.9, 0.5, 0.7, 0.6, 0.4, parents={3: 1, 1: -1}).best.number == 3, "others are no ancestors"
    assert compared(9, 0.5, 0.7, 0.7, 0.4).best.number == 2, "among equals the newest"
    found = compared(1, 0.6, 0.5)
    # Two intervals of ± 0.05 make one of ± 0.0707.
    assert (found.ahead, found.high) == (pytest.approx(-0.1), pytest.approx(-0.1 + 0.05 * 2**0.5))
    assert found.behind
    assert found.metrics == {"against_past": found.ahead, "against_past_high": found.high}
    assert found.sentence == "main.1 is worse by 0.1, at least 0.029"


def test_the_more_are_compared_the_more_it_takes() -> None:
    assert compared(1, 0.6, 0.52).behind
    assert not compared(5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.52).behind
    # z of 1 - 0.025 / 5 is 2.5758.
    assert compared(5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.52).high == pytest.approx(-0.08 + 2.5758 / 1.96 * 0.0707, abs=1e-4)
    assert not compared(1, 0.6, 0.7).behind


def test_what_is_not_rated_is_not_compared() -> None:
    entrants, rated = lineage(0.6, 0.5, 0.4)
    assert against_past(entrants, {}, 5) == {}
    assert against_past(entrants, {"id2": rated["id2"]}, 5) == {}
    assert against_past(entrants, {name: one for name, one in rated.items() if name != "id2"}, 5) == {}
    assert (
        against_past(entrants, {name: one for name, one in rated.items() if name != "id0"}, 5)["main"].best.id == "id1"
    )


def test_a_learner_recovers_once_in_so_many_snapshots_and_explores_more(tmp_path: Path) -> None:
    settings = PopulationConfig(recover=True, recover_window=2, recover_exploration=3.0)
    entrants, rated = lineage(0.8, 0.7, 0.6, 0.5)
    past = against_past(entrants, rated, settings.recover_window)
    with League(tiny("population.learners=1", "population.spread={}"), tmp_path / "run") as run:
        (learner,) = run.learners
        learner.steps = 3500

        def found(exploited: int) -> list[str]:
            state = {"main": LearnerProgress(taken=4, exploited=exploited)}
            resets = recoveries(past, {"main": learner}, state, entrants.snapshots, settings)
            assert all(one.source == one.learner == "main" for one in resets)
            return [one.snapshot for one in resets]

        # Snapshots were taken in the rounds 0, 10, 20 and 30.
        assert [found(exploited) for exploited in (0, 15, 20, 21, 30)] == [["id1"], ["id1"], ["id1"], [], []]
        even = {"main": replace(past["main"], high=0.0)}
        assert recoveries(even, {"main": learner}, run.progress, entrants.snapshots, settings) == []
        (reset,) = recoveries(past, {"main": learner}, run.progress, entrants.snapshots, settings)
        assert (reset.age, reset.reason) == (1000, past["main"].sentence)
        # A learner that was reset after that snapshot, at an age of 700, went on from it then.
        learner.begun, again = 2800, {"main": LearnerProgress(taken=4, exploited=15, exploited_at=3500)}
        (second,) = recoveries(past, {"main": learner}, again, entrants.snapshots, settings)
        assert (second.snapshot, second.age) == ("id1", 700)
        values = hyperparameters_of(learner)
        assert reset.hyperparameters == values | {"learning_rate": 0.02, "entropy": pytest.approx(0.06)}
    # Value learners explore by random decisions, which cannot be more than all.
    with League(tiny("population.learners=1", "population.spread={}", "algorithm.kind=vdn"), tmp_path / "vdn") as run:
        (reset,) = recoveries(past, {"main": run.learners[0]}, run.progress, entrants.snapshots, settings)
        assert reset.hyperparameters["epsilon"] == 1.0
        assert reset.hyperparameters["epsilon_end"] == pytest.approx(0.15)
