"""Whatever an environment hands back, `run` and `check` say what is wrong: one message, an exit code, no traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import faulty
import pytest
from calling import Called, league
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HERE = Path(__file__).parent
EVERY = [("InTurn", fault) for fault in (*faulty.FAULTS, *faulty.AEC_CALLS)]
EVERY += [("Together", fault) for fault in (*faulty.FAULTS, *faulty.PARALLEL_CALLS)]


def options(fault: str, **others: Any) -> list[str]:
    """The command line's options for an environment with a fault."""
    values = {"fault": fault, **others}
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
    return [part for name, text in texts.items() for part in ("--set", f"game.options.{name}={text}")]


def running(where: Path, kind: str, fault: str, **others: Any) -> Called:
    """`league run` on it."""
    quick = ["algorithm.slots=2", "algorithm.turns=32", "budget.rounds=2", "network.actor=[8]", "network.critic=[8]"]
    sets = [part for one in quick for part in ("--set", one)]
    game = f"{HERE / 'faulty.py'}:{kind}"
    return league("run", "--game", game, "--run", where / "run", "--plain", *sets, *options(fault, **others))


def checking(kind: str, fault: str, **others: Any) -> Called:
    """`league check` on it."""
    return league("check", f"{HERE / 'faulty.py'}:{kind}", "--seconds", "0.05", "--json", *options(fault, **others))


def assert_refused(called: Called, fault: str, who: int) -> None:
    """One message that names the agent, or the call where it is about all of them, and a place in the file."""
    assert called.code == 2, called
    assert called.err.startswith("league: ")
    assert called.err.count("\n") == 1, called.err
    assert "Traceback" not in called.err
    calls = {*faulty.PARALLEL_CALLS, "reset_unseeded"} - {"seen_missing"}
    call = fault.split("_")[0] if fault in calls else ""
    names = call or ("stranger" if "stranger" in fault else "rewards" if "unset" in fault else f"seat_{who}")
    assert names in called.err, called.err
    assert re.search(r"faulty\.py:\d+|has the action space", called.err), called.err


def assert_found(called: Called, who: int) -> None:
    """`check` finds an error that names the agent, or the call, and ends with 1."""
    assert (called.code, called.err) == (1, ""), called
    errors = [finding for finding in called.json["findings"] if finding["level"] == "error"]
    texts = " ".join(" ".join(map(str, finding.values())) for finding in errors)
    assert any(name in texts for name in (f"seat_{who}", "stranger", "reset()", "step()", "_cumulative_rewards")), texts


@pytest.mark.parametrize(("kind", "fault"), EVERY)
def test_run_refuses_each_fault_in_one_line(kind: str, fault: str, tmp_path: Path) -> None:
    place = "obs" if fault.startswith(("mask", "seen")) else "info"
    assert_refused(running(tmp_path, kind, fault, who=1, place=place), fault, 1)


@pytest.mark.parametrize(("kind", "fault"), EVERY)
def test_check_finds_each_fault(kind: str, fault: str) -> None:
    assert_found(checking(kind, fault, who=1, place="info"), 1)


@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize(("kind", "place"), [("InTurn", "obs"), ("InTurn", "info"), ("Together", "info")])
def test_nothing_is_wrong_without_a_fault(kind: str, parts: bool, place: str, tmp_path: Path) -> None:
    called = running(tmp_path, kind, "none", parts=parts, place=place)
    assert (called.code, called.err) == (0, "")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("examples", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_fuzzed_environments(examples: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(
        case=st.sampled_from(EVERY),
        count=st.integers(2, 4),
        data=st.data(),
        turn=st.integers(0, faulty.TURNS - 6),
        parts=st.booleans(),
        place=st.sampled_from(["obs", "info"]),
    )
    def fuzzed(case: tuple[str, str], count: int, data: st.DataObject, **others: Any) -> None:
        kind, fault = case
        who = data.draw(st.integers(0, count - 1), "who")
        others |= {"count": count, "who": who}
        assert_refused(running(tmp_path_factory.mktemp("fuzz"), kind, fault, **others), fault, who)
        assert_found(checking(kind, fault, **others), who)

    fuzzed()
