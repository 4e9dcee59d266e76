"""What TensorBoard is given: every metric, rating and phase of each round once, also by a run that was stopped."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest
from announced import finished, snapshot, standing, started
from calling import league
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from league.api import open_run
from league.events import Bus, RunStopped
from league.storage.store import Store
from league.views.tensorboard import TensorBoard, points

SMALL = ("slots=8", "turns=8", "epochs=1")


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """All points by tag: (step, value)."""
    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def play(folder: Path, rounds: int, *more: str) -> None:
    options = [word for one in (*(f"algorithm.{one}" for one in SMALL), "threads=1", *more) for word in ("--set", one)]
    options += ["--set", "population.snapshot_every=2", "--set", "rating.games_per_match=4", "--plain"]
    called = league("run", "--game", "tictactoe", "-r", folder, "--rounds", str(rounds), *options)
    assert called.code == 0, called.err


def test_a_run_writes_what_it_measures_and_goes_on_without_doing_so_twice(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    play(folder, 2, "tensorboard=true")
    play(folder, 4, "tensorboard=true")
    found = read(folder)
    with Store.reader(folder) as store:
        rows, last = store.metrics(), store.last_round()
    with open_run(folder) as run:
        (rating,) = (line.rating.value for line in run.standings() if line.snapshot.name == "main.2")
    assert last is not None
    for name in ("entropy", "approx_kl", "value_loss", "agent_steps"):
        written = found[f"main/{name}"]
        assert [value for _, value in written] == pytest.approx([row.values[name] for row in rows], rel=1e-6)
        assert len({step for step, _ in written}) == len(written) == 4
    assert found["rating/main"][-1] == (last.steps, pytest.approx(rating, rel=1e-6))
    assert {"phase/games", "phase/update", "phase/rated_matches", "phase/storage", "run/steps_per_second"} <= set(found)


def test_points_after_the_last_committed_round_are_dropped_when_a_run_goes_on(tmp_path: Path) -> None:
    listener = TensorBoard(tmp_path)
    listener(started())
    for number in (1, 2, 3):
        listener(finished(number))
    # Killed here: it never said that it stopped, and goes on from round 2.
    again = TensorBoard(tmp_path)
    again(started(resumed=True, round=2, steps=2 * 32768))
    for number in (3, 4):
        again(finished(number, metrics={"main": {"return": 7.0}}))
    again(RunStopped(4, 4 * 32768, 1.0, "budget"))
    found = read(tmp_path)
    assert [step // 32768 for step, _ in found["main/return"]] == [1, 2, 3, 4]
    assert [value for _, value in found["main/return"]] == pytest.approx([0.0213, 0.0213, 7.0, 7.0])


def test_each_learner_has_the_rating_of_its_latest_snapshot() -> None:
    lines = (standing(1, snapshot(2), 50.0), standing(2, snapshot(3), 40.0), standing(3, snapshot(1, "other"), 30.0))
    found = points(finished(standings={"player": lines}, metrics={"main": {"x": math.nan, "y/a b": 1.0}}))
    assert {tag: value for tag, value in found.items() if tag.startswith("rating/")} == {
        "rating/main": 40.0,
        "rating/other": 30.0,
    }
    assert {tag for tag in found if tag.startswith("main/")} == {"main/y/a_b"}, "what is not finite is no point"


def test_without_its_package_a_run_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "tensorboard" else find(name))
    called = league("run", "-r", tmp_path / "run", "--rounds", "1", "--set", "tensorboard=true")
    assert called.code == 2
    assert "needs the package tensorboard: pip install 'selfplay-league[tensorboard]'" in called.err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_does_not_stop_a_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    seen = []
    bus = Bus((TensorBoard(tmp_path), seen.append))
    for event in (started(), finished(), RunStopped(1, 2, 3.0, "budget")):
        bus.emit(event)
    assert len(seen) == 3
    assert "a listener failed and was removed" in caplog.text
