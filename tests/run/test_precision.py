"""The precision of updates: chosen once by what the processor can do, and kept in the run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from running import tiny, trained

from league.config.load import with_overrides
from league.orchestrator import League
from league.run import tuning
from league.run.tuning import TUNING_FACT, choose
from league.storage.store import Store

CPU = torch.device("cpu")


@pytest.mark.parametrize(("able", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_a_new_run_uses_the_instructions_that_there_are(
    able: bool, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_computes_bfloat16", lambda: able)
    config = tiny("population.learners=1", "budget.rounds=1")
    folder = trained(config, tmp_path / "run")
    with Store.reader(folder) as store:
        assert store.facts()[TUNING_FACT]["precision"] == precision
    # On another machine it goes on as it began.
    monkeypatch.setattr(tuning, "_computes_bfloat16", lambda: not able)
    with League(config, folder) as league:
        halves = [learner.half_precision() for learner in league.learners]
    assert halves == [able]


def test_runs_that_stored_no_precision_had_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_computes_bfloat16", lambda: True)
    config = with_overrides({}, (), "test")
    assert choose(config, True, CPU, {"threads": 2, "workers": 0, "piece": 2048}).precision == "float32"
    assert choose(config, True, CPU).precision == "bfloat16"


def test_a_device_that_is_no_cpu_keeps_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_computes_bfloat16", lambda: True)
    assert choose(with_overrides({}, (), "test"), True, torch.device("meta")).precision == "float32"


def test_the_config_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_computes_bfloat16", lambda: True)
    with League(tiny("population.learners=1", "algorithm.precision=float32"), tmp_path / "run") as league:
        assert not any(learner.half_precision() for learner in league.learners)
