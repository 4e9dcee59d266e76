"""`league check`: sound games pass, and each fault of those in broken.py is named, with whom it strikes and where."""

from __future__ import annotations

import io
from typing import Any

import pytest
from calling import league
from checked import BROKEN, checked, named, steady
from rich.cells import cell_len
from rich.console import Console

from league.config.load import load
from league.studies.check.check_report import Finding, Report
from league.studies.check.short_training import SETTINGS
from league.studies.check.stages import check
from league.views.check_table import check_table

WIDTH = 80

SOUND = (
    "pettingzoo:classic/tictactoe-v3",
    "pettingzoo:classic/connect_four-v3",
    "mpe2:simple_spread_v3",
    "mpe2:simple_tag_v3",
    "leduc",
)


@pytest.mark.parametrize("game", SOUND)
def test_sound_games_pass_without_a_warning(game: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steady(monkeypatch)
    called = checked(game)
    assert named(called, "error", "warning") == []
    assert called.code == 0
    report = called.json
    assert report["passed"]
    fine = {finding["check"] for finding in named(called, "ok")}
    assert {"seeds", "contract"} <= fine
    if game != "leduc":
        assert {"api", "agents", "observations", "rewards"} <= fine
    assert report["play"]["unfinished"] == 0
    assert report["play"]["zero_sum"] == ("mpe2" not in game)
    assert [lesson["role"] for lesson in report["lessons"]] == list(report["roles"])
    for lesson in report["lessons"]:
        learning = {curve["agent"] for curve in lesson["curves"] if curve["learns"]}
        assert learning == set(report["roles"][lesson["role"]])
        assert all(len(curve["returns"]) == lesson["rounds"] for curve in lesson["curves"])


@pytest.mark.parametrize(
    ("name", "how", "check", "agent", "place"),
    [
        ("WrongMask", "raises", "masks.allows-illegal", "a_0", "WrongMask.observe"),
        ("WrongMask", "punishes", "masks.allows-illegal", "a_0", "WrongMask.observe"),
        ("NotANumber", "", "observations.finite", "b_0", "AtOnce.step"),
        ("Undead", "acts", "agents.act-when-over", "b_0", "InTurn.step"),
        ("Undead", "stays", "agents.stay", "b_0", "InTurn.step"),
        ("Lingering", "stays", "agents.act-when-over", "b_0", "Lingering.step"),
        ("SeedIgnored", "", "seeds.ignored", "", "AtOnce.reset"),
        ("Unseeded", "", "seeds.unset", "", "AtOnce.reset"),
        ("HashOrder", "", "seeds.process", "", "AtOnce.reset"),
        ("PaidTwice", "", "rewards.wrong-agent", "a_0", "InTurn.step"),
    ],
)
def test_what_is_broken_on_purpose_is_named(name: str, how: str, check: str, agent: str, place: str) -> None:
    called = checked(f"{BROKEN}:{name}", *(("--set", f"game.options.how={how}") if how else ()))
    assert called.code == 1
    (error,) = named(called, "error")
    assert error["check"] == check
    assert agent in error["where"]
    assert place in error["where"]
    assert "broken.py:" in error["where"]
    assert error["advice"]
    assert not called.json["passed"]
    assert called.json["errors"] == 1
    assert called.json["lessons"] == [], "a broken game is not learned"


def test_what_is_no_environment_is_told_and_nothing_else_is_claimed() -> None:
    called = checked(f"{BROKEN}:NoEnvironment")
    assert called.code == 1
    (finding,) = called.json["findings"]
    assert (finding["level"], finding["check"]) == ("error", "api.kind")
    assert "neither a PettingZoo AECEnv nor a ParallelEnv" in finding["what"]


def test_what_the_adapter_refuses_is_a_finding_and_no_crash() -> None:
    called = checked(f"{BROKEN}:Odd", "--set", "game.options.how=text")
    assert called.code == 1
    (error,) = named(called, "error")
    assert error["check"] == "game"
    assert "which is not a fixed number of numbers" in error["what"]


def test_agents_that_are_never_paid_are_told() -> None:
    called = checked(f"{BROKEN}:Odd", "--set", "game.options.how=unpaid", "--seconds", "0")
    (warning,) = named(called, "warning")
    assert (called.code, warning["check"]) == (0, "play.unpaid")
    assert "'b_0' never received a reward" in warning["what"]


def test_seeds_make_no_difference_where_there_is_no_chance() -> None:
    called = checked("pettingzoo:classic/tictactoe-v3", "--seconds", "0")
    assert "seeds.no-effect" in [finding["check"] for finding in named(called, "note")]


@pytest.fixture(scope="module")
def whole() -> tuple[Report, list[float]]:
    """A check of Kuhn poker with all there is, and the progress that was told."""
    ticks: list[float] = []
    config = load(None, ["game.id='kuhn'"])
    return check(load(None, ["game.id='kuhn'", *SETTINGS]), config, 0.5, 5000, ticks.append), ticks


@pytest.mark.parametrize("kind", ["qmix", "vdn"])
def test_the_checks_own_settings_suit_every_kind_of_algorithm(kind: str) -> None:
    called = checked("kuhn", "--set", f"algorithm.kind={kind}", "--seconds", "0.1")
    assert (called.code, called.err) == (0, "")
    assert [lesson["role"] for lesson in called.json["lessons"]] == ["player"]


def test_cost_is_measured_and_grows_with_the_steps(whole: tuple[Report, list[float]]) -> None:
    cost = whole[0].cost
    assert cost is not None
    assert cost.steps == 5000
    assert cost.seconds == pytest.approx(5000 / cost.agent_steps_per_second)
    assert (cost.slots, cost.workers) == (512, 0)
    assert cost.megabytes > 50


def test_progress_is_told_up_to_the_end(whole: tuple[Report, list[float]]) -> None:
    ticks = whole[1]
    assert ticks == sorted(ticks)
    assert ticks[-1] == 1.0
    assert len(ticks) > 10


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("tictacto",), "unknown game 'tictacto'; did you mean 'tictactoe'?"),
        ((f"{BROKEN}:Nothing",), "has no 'Nothing'"),
        (("kuhn", "--set", "game.options.size=3"), "has no option 'size'"),
        (("kuhn", "--seconds", "-1"), "--seconds and --steps of 0 or more, not -1"),
        (("kuhn", "--set", "algorithm.slots=-1"), "algorithm.slots"),
    ],
)
def test_bad_usage_is_refused(arguments: tuple[str, ...], why: str) -> None:
    called = league("check", *arguments)
    assert called.code == 2
    assert why in called.err
    assert called.out == ""


def shown(report: Report, width: int = WIDTH, given: str = "mine.py:Game --set N=2") -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(check_table(report, given), crop=False)
    return out.getvalue().splitlines()


def findings(*levels: Any) -> tuple[Finding, ...]:
    return tuple(Finding(level, f"x.{level}", f"what {level} " * 12, "agent 'a'", "mend it") for level in levels)


@pytest.mark.parametrize("width", [60, 80])
def test_the_table_for_people(width: int) -> None:

    report = Report(
        version="1",
        game="mine.py:Game",
        kind="aec",
        options={"N": 2},
        findings=findings("error", "warning", "ok"),
    )
    lines = shown(report, width)
    assert lines[0] == "mine.py:Game fails   1 error, 1 warning"
    table = lines[: lines.index("Next:")]
    assert max(map(cell_len, table)) <= width
    assert len([line for line in table if line.endswith("→ mend it")]) == 2, "what is right needs no advice"
    assert "  league check mine.py:Game --set N=2    again, once it is fixed" in lines


def test_the_table_of_a_whole_report(whole: tuple[Report, list[float]]) -> None:
    lines = shown(whole[0], given="kuhn")
    text = "\n".join(lines)
    assert lines[0].startswith("kuhn passes")
    assert lines[1].startswith("batched torch · 2 agents · 1 role: player · 2 sides · ")
    assert "· zero-sum ·" in " ".join(text.split())
    assert "a run of 5.0k agent-steps takes about" in text
    assert "  league run --game kuhn --steps 5000" in lines
    rows = [line.split() for line in lines if line.startswith("  player_0 ")]
    assert [row[1] for row in rows[1:]] == ["learns", "random"]
