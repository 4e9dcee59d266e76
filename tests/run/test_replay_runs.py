"""Runs whose learners have replay buffers: what is kept of these, and that a run goes on from it bit by bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from running import COPIES, TINY, committed, content, league, tiny, trained

from league.config.run import RunConfig
from league.errors import PolicyError, SnapshotError
from league.orchestrator import League
from league.policies import weights
from league.run.open import open_league
from league.storage.store import Store

REPLAY = (
    "matchmaking.ranges={ learning_rate = [1e-4, 1e-2] }",
    "algorithm.kind=qmix",
    "algorithm.slots=8",
    "algorithm.batch=8",
    "algorithm.updates=2",
    "algorithm.warmup=150",
    "algorithm.capacity=300",
    "algorithm.chunk=4",
    "algorithm.burn_in=1",
    "algorithm.priority=0.6",
    "network.memory=gru",
    "network.memory_units=8",
)


def config(*overrides: str) -> RunConfig:
    return tiny(*REPLAY, *overrides)


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "replay").iterdir())


def test_a_run_that_goes_on_ends_in_the_same_bytes(tmp_path: Path) -> None:
    trained(config(), tmp_path / "straight")
    for rounds in (2, 3, 6):
        trained(config(f"budget.rounds={rounds}"), tmp_path / "stopped")
    one, two = (content(tmp_path / name) for name in ("straight", "stopped"))
    assert one["checkpoint"] == two["checkpoint"]
    assert one["snapshots"] == two["snapshots"]
    assert segments(tmp_path / "straight") == segments(tmp_path / "stopped")


def test_a_learner_that_took_over_another_goes_on_the_same_after_a_stop(away: Path) -> None:
    (away / "copies.py").write_text(COPIES)
    settings = [one for one in REPLAY if not one.startswith("matchmaking.")]
    settings += ["matchmaking.kind=copies.py:Copies", "population.snapshot_every=1"]
    for name, stops in (("straight", (6,)), ("stopped", (3, 4, 5, 6))):
        League(tiny(*settings, "budget.rounds=1"), away / name).close()
        for rounds in stops:
            trained(tiny(*settings, f"budget.rounds={rounds}"), away / name)
    assert content(away / "stopped") == content(away / "straight")
    assert segments(away / "stopped") == segments(away / "straight")
    with Store.reader(away / "straight") as store:
        assert any(event.kind == "exploit" for event in store.events())


def test_only_segments_that_the_last_two_checkpoints_name_are_kept(tmp_path: Path) -> None:
    trained(config(), tmp_path / "run")
    with Store.reader(tmp_path / "run") as store:
        named: set[str] = set()
        for path in store.checkpoint_folder.iterdir():
            replay = weights.metadata_of(store.checkpoint_folder, path.stem)["replay"]
            assert isinstance(replay, dict)
            assert sorted(replay) == ["main-0", "main-1"]
            named |= {f"{id}.safetensors" for ids in replay.values() for id in ids}
    assert set(segments(tmp_path / "run")) == named
    # Six rounds of two learners, of which the capacity holds about four, and the round before one more.
    assert 6 <= len(named) < 12


def test_a_segment_that_is_gone_is_named(tmp_path: Path) -> None:
    folder = trained(config("budget.rounds=2"), tmp_path / "run")
    (folder / "replay" / segments(folder)[0]).unlink()
    with (
        League(config("budget.rounds=3"), folder) as run,
        pytest.raises(SnapshotError, match=r"replay.*is missing\. Without its last checkpoint"),
    ):
        run.run()


def test_a_run_that_dies_before_each_step_of_writing_ends_in_the_same_bytes(away: Path) -> None:
    (away / "tiny.toml").write_text(TINY)
    settings = [part for one in (*REPLAY, "budget.rounds=1000") for part in ("--set", one)]
    command = ["run", "tiny.toml", "--plain", "--run", "./killed", *settings]
    program = [sys.executable, str(Path(__file__).with_name("deaths.py")), "steps", "6", "17", "--", *command]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    last = int(ended.stdout.split()[-1])
    assert last >= 3
    assert league(*command, "--set", f"budget.rounds={last + 1}").code == 0
    League(config("budget.rounds=1000"), away / "straight").close()
    trained(config(f"budget.rounds={last + 1}"), away / "straight")
    assert committed(away / "killed") == last + 1
    assert content(away / "killed") == content(away / "straight")
    assert segments(away / "killed") == segments(away / "straight")


def test_taking_over_another_learner_leaves_a_learner_its_own_experience(tmp_path: Path) -> None:
    folder = trained(config("budget.rounds=2", "matchmaking.exploit_steps=100000"), tmp_path / "run")
    with League(config("budget.rounds=3", "matchmaking.exploit_steps=100000"), folder) as run:
        run.run()
        source, target = run.learners
        before = {key: value.clone() for key, value in target.replay_state().items()}
        target.load({key: value.clone() for key, value in source.tensors().items()})
        assert all(bool((value == before[key]).all()) for key, value in target.replay_state().items())
        assert all(bool((value == source.tensors()[key]).all()) for key, value in target.tensors().items())
        ids = [learner.replay_segments(lambda tensors: "") for learner in (source, target)]
        assert not set(ids[0]) & set(ids[1])


def test_snapshots_of_action_values_play_rate_and_are_exported(tmp_path: Path) -> None:
    folder = trained(config("budget.rounds=2"), tmp_path / "run")
    played = league("match", "latest", "random", "--run", folder, "--games", "40")
    assert played.code == 0, played.err
    assert league("export", "latest", "--run", folder, "--out", tmp_path / "out").code == 0
    metadata, _ = weights.read(tmp_path / "out" / "policy.safetensors")
    assert metadata["epsilon"] == 0.02
    again = league("match", tmp_path / "out", "random", "--run", folder, "--games", "40")
    assert again.code == 0, again.err


def test_a_new_run_starts_from_action_values_with_its_target_too_but_not_from_another_kind(tmp_path: Path) -> None:
    folder = trained(config("budget.rounds=2"), tmp_path / "run")
    parts = open_league(config(f"population.init=latest@{folder}"), tmp_path / "next")
    one = parts.learners[0]
    assert all(bool((value == one.target.state_dict()[key]).all()) for key, value in one.actor.state_dict().items())
    parts.store.close()
    parts.executor.close()
    other = tiny(*(one for one in REPLAY if one.startswith("network.")), f"population.init=latest@{folder}")
    with pytest.raises(PolicyError, match=r"outputs action values.*action probabilities.*algorithm\.kind"):
        open_league(other, tmp_path / "other")
