"""`league check`: sound games pass, and each fault of those in broken.py is named, with whom it strikes and where."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken import AtOnce, PaidTwice, WrongMask
from calling import Called, league
from gymnasium import spaces
from rich.cells import cell_len
from rich.console import Console

from league.config.load import load
from league.games.registry import make
from league.studies.check import learning
from league.studies.check.audit import audit
from league.studies.check.bare import Bare, Moment, walk
from league.studies.check.chance import difference, traced
from league.studies.check.checking import check
from league.studies.check.fewest import counts, fewest
from league.studies.check.learning import SETTINGS
from league.studies.check.notes import Notes
from league.studies.check.observations import Observations
from league.studies.check.play import TURNS, judged, played
from league.studies.check.report import Curve, Finding, Lesson, Mean, Play, Report, own
from league.studies.check.rewards import Rewards
from league.studies.check.subject import Subject, subject
from league.views.check_table import check_table
from league.views.text import sparkline

BROKEN = Path(__file__).parent / "broken.py"
WIDTH = 80

SOUND = (
    "pettingzoo:classic/tictactoe-v3",
    "pettingzoo:classic/connect_four-v3",
    "mpe2:simple_spread_v3",
    "mpe2:simple_tag_v3",
    "leduc",
)


def checked(game: str, *options: str) -> Called:
    return league("check", game, *(options or ("--seconds", "0.5")), "--steps", "0", "--json")


def broken(name: str, how: str = "") -> Subject:
    return subject(f"{BROKEN}:{name}", {"how": how} if how else {})


def named(called: Called, *levels: str) -> list[dict[str, str]]:
    """The findings of a report with these levels."""
    return [finding for finding in called.json["findings"] if finding["level"] in levels]


@pytest.mark.parametrize("game", SOUND)
def test_sound_games_pass_without_a_warning(game: str) -> None:
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


@pytest.mark.parametrize("name", ["WrongPay", "PaidAfterTheTurn"])
def test_rewards_given_to_the_wrong_agent_are_found_by_learning(name: str) -> None:
    called = league("check", f"{BROKEN}:{name}", "--seconds", "3", "--steps", "0", "--json")
    assert called.code == 1
    errors = named(called, "error")
    assert {(one["check"], one["where"].partition(";")[0]) for one in errors} == {
        ("rewards.wrong-agent", "agent 'a_0'"),
        ("rewards.wrong-agent", "agent 'b_0'"),
    }
    assert errors[0]["what"].startswith("what 'a_0' does is paid to 'b_0'")
    warned = [one["check"] for one in named(called, "warning")]
    assert ("rewards.never-the-actor" in warned) == (name == "PaidAfterTheTurn")


@pytest.mark.parametrize(
    ("how", "level", "check"),
    [
        ("shape", "error", "observations.shape"),
        ("dtype", "warning", "observations.dtype"),
        ("range", "warning", "observations.range"),
        ("infinite", "error", "observations.finite"),
        ("constant", "warning", "observations.constant"),
        ("new-space", "warning", "api.observation_space"),
        ("no-space", "error", "api.action_space"),
        ("no-agents", "error", "api.agents"),
        ("infinite-pay", "error", "rewards.finite"),
        ("not-named", "warning", "api.rewards"),
        ("mask-empty", "error", "masks.empty"),
        ("mask-length", "error", "masks.length"),
        ("mask-values", "error", "masks.values"),
        ("unseen", "error", "observations.missing"),
        ("unflagged", "warning", "agents.unflagged"),
        ("old-api", "error", "api.step"),
        ("raises", "error", "api.step"),
    ],
)
def test_everything_else_that_can_be_wrong(how: str, level: str, check: str) -> None:
    notes, _ = audit(broken("Odd", how), "", 0.5, 0)
    assert (level, check) in {(finding.level, finding.check) for finding in notes.found}


@pytest.mark.parametrize(
    ("how", "level", "check", "said"),
    [
        ("forbids", "warning", "masks.forbids-legal", "forbids 4, but step(4) plays on"),
        ("trusts", "note", "masks.unchecked", "step() plays on with actions that the mask forbids"),
        ("costs", "error", "masks.allows-illegal", "pays -0.5, changes nothing and asks again"),
    ],
)
def test_masks_are_compared_with_what_the_environment_answers(how: str, level: str, check: str, said: str) -> None:
    notes, audited = audit(broken("Boxes", how), "", 1.0, 0)
    assert audited.masks
    (finding,) = [one for one in notes.found if one.check.startswith("masks")]
    assert (finding.level, finding.check) == (level, check)
    assert said in finding.what


def test_rewards_that_are_handed_out_twice_are_told() -> None:
    bare, notes = Bare("x", PaidTwice()), Notes()
    watcher = Rewards(bare, notes)
    everybody = ("a_0", "b_0")

    def moment(turn: int, actor: str, rewards: dict[str, float], cumulative: dict[str, float]) -> Moment:
        return Moment(0, turn, everybody, (actor,), rewards=rewards, cumulative=cumulative)

    before = moment(4, "a_0", {}, {"a_0": 2.0, "b_0": 1.0})
    watcher.turn(before, {"a_0": 0}, moment(5, "b_0", {"a_0": 1.0, "b_0": 0.5}, {"a_0": 1.0, "b_0": 1.5}))
    assert notes.found == []
    watcher.turn(before, {"a_0": 0}, moment(5, "b_0", {"a_0": 1.0, "b_0": 0.5}, {"a_0": 3.0, "b_0": 1.5}))
    (finding,) = notes.found
    assert (finding.level, finding.check) == ("warning", "rewards.sum")
    assert "'a_0' 1 by rewards, but its _cumulative_rewards" in finding.what
    assert "still holds what it was given before" in finding.what


def lesson(*changes: tuple[str, bool, float, float], episodes: int = 50) -> Lesson:
    """A lesson of role agent: (agent, learns, return at random, at the end) each, known to within ±0.1."""
    curves = []
    for agent, learns, at_random, at_end in changes:
        first, last = Mean(at_random, 0.1, 100), Mean(at_end, 0.1, episodes)
        curves.append(Curve(agent, learns, (at_random, at_end), first, last, last.beyond(first)))
    return Lesson("agent", 2, 1000, 1.0, tuple(curves))


@pytest.mark.parametrize(
    ("taught", "said"),
    [
        (lesson(("a", True, 0.0, 1.0)), [("ok", "learning.climbs")]),
        (lesson(("a", True, 0.0, 0.1)), [("note", "learning.flat")]),
        (lesson(("a", True, 0.0, -1.0)), [("warning", "learning.drops")]),
        (lesson(("a", True, 0.0, 0.0), episodes=0), [("note", "learning.unknown")]),
        (
            lesson(("a", True, 0.0, 3.0), ("b", True, 0.0, -1.0)),
            [("ok", "learning.climbs"), ("warning", "learning.apart")],
        ),
    ],
)
def test_what_a_lesson_says_of_a_game_of_one_side(taught: Lesson, said: list[tuple[str, str]]) -> None:
    spec, notes = make("mpe2:simple_spread_v3", 1).spec, Notes()
    learning.judged(taught, spec, notes)
    assert [(finding.level, finding.check) for finding in notes.found] == said
    if len(said) == 2:
        assert "'a' climbs (0 ±0.2 → 3 ±0.2) as 'b' drops (0 ±0.2 → -1 ±0.2)" in notes.found[1].what


def test_agents_of_different_sides_may_part() -> None:
    notes = Notes()
    learning.judged(lesson(("a", True, 0.0, 3.0), ("b", False, 0.0, -3.0)), make("kuhn", 1).spec, notes)
    assert [finding.check for finding in notes.found] == ["learning.climbs"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"unfinished": 10, "limit": TURNS}, [("error", "play.endless")]),
        ({"unfinished": 3, "limit": TURNS}, [("warning", "play.endless")]),
        ({"unfinished": 3, "limit": 70}, [("note", "play.slow")]),
        ({"scores": {"player_0": Mean(0.0, 0.0, 10), "player_1": Mean(0.0, 0.0, 10)}}, [("warning", "play.unpaid")]),
        ({"scores": {"player_0": Mean(1.0, 0.1, 10), "player_1": Mean(-1.0, 0.1, 10)}}, [("note", "play.seats")]),
    ],
)
def test_what_random_play_tells(changed: dict[str, Any], said: list[tuple[str, str]]) -> None:
    scores = {"player_0": Mean(0.1, 0.1, 10), "player_1": Mean(-0.1, 0.1, 10)}
    play = replace(Play(10, 0, 9, 10, 0, 5, 7.0, 9, scores, True, 100.0), **changed)
    notes = Notes()
    judged(make("kuhn", 1), play, notes)
    assert [(finding.level, finding.check) for finding in notes.found] == said


def test_random_play_is_of_whole_episodes() -> None:
    """As many of each slot, played to the end: the first to finish would be the short ones."""
    found = played(make("tictactoe", 32), 10.0, 0)
    assert (found.episodes, found.unfinished, found.truncated) == (256, 0, 0)
    assert (found.shortest, found.longest) == (5, 9)
    assert found.zero_sum
    # 0.585 of random games are won by the first and 0.288 by the second player.
    first = found.scores["player_0"]
    assert abs(first.value - 0.297) < 3 * first.error
    assert first.value == -found.scores["player_1"].value


def test_a_sound_environment_has_no_findings_at_all() -> None:
    notes, audited = audit(broken("Sound"), "", 0.5, 0)
    assert notes.found == []
    assert (audited.kind, audited.agents, audited.masks) == ("parallel", 3, False)


def test_what_is_no_environment_is_told_and_nothing_else_is_claimed() -> None:
    called = checked(f"{BROKEN}:NoEnvironment")
    assert called.code == 1
    (finding,) = called.json["findings"]
    assert (finding["level"], finding["check"]) == ("error", "api.kind")
    assert "neither a PettingZoo AECEnv nor a ParallelEnv" in finding["what"]


def test_rewards_after_the_end_are_told() -> None:
    notes, _ = audit(broken("Lingering", "paid"), "", 0.5, 0)
    (finding,) = [one for one in notes.found if one.level != "note"]
    assert (finding.level, finding.check) == ("warning", "agents.paid-when-over")
    assert "'b_0' is given a reward of 1 after its episode's end" in finding.what
    assert "turn 5" in finding.where


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
    assert "'b_0' was never given a reward" in warning["what"]


def test_the_fewest_agents_come_first() -> None:
    one = broken("Sound")
    assert counts(one) == {"players": 3}
    few = fewest(one, 3, 0)
    assert (few.options, few.agents, few.errors, few.setting) == ({"players": 1}, 1, (), "players=1")
    assert fewest(subject(one.id, {"players": 1}), 1, 0).options == {}
    tag = subject("mpe2:simple_tag_v3", {})
    assert counts(tag) == {"num_adversaries": 3, "num_obstacles": 2}
    assert fewest(tag, 4, 0).options == {"num_adversaries": 1}, "obstacles are no agents"
    assert counts(subject("pettingzoo:sisl/pursuit-v5", {}))["n_pursuers"] == 8, "found behind **kwargs"


def test_seeds_make_no_difference_where_there_is_no_chance() -> None:
    called = checked("pettingzoo:classic/tictactoe-v3", "--seconds", "0")
    assert "seeds.no-effect" in [finding["check"] for finding in named(called, "note")]


def test_traces_are_of_the_seed_alone() -> None:
    one = broken("Sound")
    first, second = traced(one, [5, 6], 20)
    assert difference(first, traced(one, [5], 20)[0]) is None
    assert difference(first, second) is not None
    assert difference(first, first[:3]) == (3, "the length of the episode")
    assert difference([{"x": "1"}, {"x": "2"}], [{"x": "1"}, {"x": "3"}]) == (1, "x")


def test_walks_can_be_taken_again() -> None:
    bare = Bare("x", WrongMask("punishes"))
    first = walk(bare, 3, 50)
    again = walk(bare, 3, 50, given=first.actions, draw=99)
    assert again.actions == first.actions
    assert again.ended


def test_narrow_whole_numbers_from_outside_are_an_error() -> None:
    """They would be kept as another number: 200 as int8 is -56."""
    env = AtOnce()
    env._sees["a_0"] = spaces.Box(0, 1, (2,), np.int8)
    bare, notes = Bare("x", env), Notes()
    Observations(bare, notes).begin(Moment(0, 0, ("a_0",), ("a_0",), seen={"a_0": np.array([0, 7], np.int8)}))
    (finding,) = notes.found
    assert (finding.level, finding.check) == ("error", "observations.range")


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        (Mean(2.0, 0.3, 9), Mean(1.0, 0.4, 9), 2.0),
        (Mean(1.0, 0.4, 9), Mean(2.0, 0.3, 9), -2.0),
        (Mean(1.0, 0.0, 9), Mean(1.0, 0.0, 9), 0.0),
        (Mean(2.0, 0.0, 9), Mean(1.0, 0.0, 9), 1000.0),
    ],
)
def test_how_far_means_are_apart(one: Mean, other: Mean, far: float) -> None:
    assert one.beyond(other) == pytest.approx(far)


def test_a_team_is_as_uncertain_as_one_of_its_agents() -> None:
    curves = [
        Curve(agent, True, (), Mean(value, 0.5, 10), Mean(value + 1, 0.3, 20), 0.0)
        for agent, value in (("a", 1.0), ("b", 3.0))
    ]
    assert own(curves) == (Mean(2.0, 0.5, 10), Mean(3.0, 0.3, 20))


@pytest.fixture(scope="module")
def whole() -> tuple[Report, list[float]]:
    """A check of Kuhn poker with all there is, and the progress that was told."""
    ticks: list[float] = []
    config = load(None, ["game.id='kuhn'"])
    return check(load(None, ["game.id='kuhn'", *SETTINGS]), config, 0.5, 5000, ticks.append), ticks


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


def shown(report: Report, width: int = WIDTH) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(check_table(report), crop=False)
    return out.getvalue().splitlines()


def findings(*levels: Any) -> tuple[Finding, ...]:
    return tuple(Finding(level, f"x.{level}", f"what {level} " * 12, "agent 'a'", "mend it") for level in levels)


@pytest.mark.parametrize("width", [60, 80])
def test_the_table_for_people(width: int) -> None:

    report = Report("1", "mine.py:Game", "aec", {"N": 2}, findings("error", "warning", "ok"))
    lines = shown(report, width)
    assert lines[0] == "mine.py:Game fails   1 error, 1 warning"
    table = lines[: lines.index("Next:")]
    assert max(map(cell_len, table)) <= width
    assert len([line for line in table if line.endswith("→ mend it")]) == 2, "what is right needs no advice"
    assert "  league check mine.py:Game --set game.options.N=2    again, once it is mended" in lines


def test_the_table_of_a_whole_report(whole: tuple[Report, list[float]]) -> None:
    lines = shown(whole[0])
    text = "\n".join(lines)
    assert lines[0].startswith("kuhn passes")
    assert lines[1].startswith("batched torch · 2 agents · 1 role: player · 2 sides · ")
    assert "· zero-sum ·" in " ".join(text.split())
    assert "a run of 5.0k agent-steps takes about" in text
    assert "  league run --game kuhn --steps 5000" in lines
    rows = [line.split() for line in lines if line.startswith("  player_0 ")]
    assert [row[1] for row in rows[1:]] == ["learns", "random"]


def test_curves_as_bars() -> None:
    assert sparkline([0.0, 1.0]) == "▁█"
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([0.0, None, 7.0]) == "▁ █"
    assert sparkline([]) == ""
    assert len(sparkline([float(value) for value in range(100)])) == 16
