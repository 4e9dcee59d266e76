"""Lessons and random play of `league check`: what is said of returns, and of rewards that go to the wrong agent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from calling import league
from checked import BROKEN, named, steady

from league.games.registry import make
from league.studies.check import short_training
from league.studies.check.check_report import Curve, Mean, Play, ShortTraining, learner_returns
from league.studies.check.finding_log import FindingLog
from league.studies.check.random_play import TURNS, assess_play, play_randomly


@pytest.mark.parametrize("name", ["WrongPay", "PaidAfterTheTurn"])
def test_rewards_given_to_the_wrong_agent_are_found_by_learning(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steady(monkeypatch)
    called = league("check", f"{BROKEN}:{name}", "--seconds", "3", "--steps", "0", "--json")
    assert called.code == 1
    errors = named(called, "error")
    assert {(one["check"], one["where"].partition(";")[0]) for one in errors} == {
        ("rewards.wrong-agent", "agent 'a_0'"),
        ("rewards.wrong-agent", "agent 'b_0'"),
    }
    assert errors[0]["what"].startswith("the reward for what 'a_0' does goes to 'b_0'")
    warned = [one["check"] for one in named(called, "warning")]
    assert ("rewards.never-the-actor" in warned) == (name == "PaidAfterTheTurn")


def lesson(*changes: tuple[str, bool, float, float], episodes: int = 50) -> ShortTraining:
    """A lesson of role agent: (agent, learns, return at random, at the end) each, known to within ±0.1."""
    curves = []
    for agent, learns, at_random, at_end in changes:
        first, last = Mean(at_random, 0.1, 100), Mean(at_end, 0.1, episodes)
        curves.append(
            Curve(
                agent=agent,
                learns=learns,
                returns=(at_random, at_end),
                random=first,
                last=last,
                change=last.standard_errors_above(first),
            )
        )
    return ShortTraining("agent", 2, 1000, 1.0, tuple(curves))


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
def test_what_a_lesson_says_of_a_game_of_one_side(taught: ShortTraining, said: list[tuple[str, str]]) -> None:
    spec, log = make("mpe2:simple_spread_v3", 1).spec, FindingLog()
    short_training.assess_training(taught, spec, log)
    assert [(finding.level, finding.check) for finding in log.found] == said
    if len(said) == 2:
        assert "'a' climbs (0 ±0.2 → 3 ±0.2) as 'b' drops (0 ±0.2 → -1 ±0.2)" in log.found[1].what


def test_agents_of_different_sides_may_part() -> None:
    log = FindingLog()
    short_training.assess_training(lesson(("a", True, 0.0, 3.0), ("b", False, 0.0, -3.0)), make("kuhn", 1).spec, log)
    assert [finding.check for finding in log.found] == ["learning.climbs"]


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
    play = replace(
        Play(
            episodes=10,
            unfinished=0,
            limit=9,
            terminated=10,
            truncated=0,
            shortest=5,
            median=7.0,
            longest=9,
            scores=scores,
            zero_sum=True,
            steps_per_second=100.0,
        ),
        **changed,
    )
    log = FindingLog()
    assess_play(make("kuhn", 1), play, log)
    assert [(finding.level, finding.check) for finding in log.found] == said


def test_random_play_is_of_whole_episodes() -> None:
    """As many of each slot, played to the end: the first to finish would be the short ones."""
    found = play_randomly(make("tictactoe", 32), 10.0, 0)
    assert (found.episodes, found.unfinished, found.truncated) == (256, 0, 0)
    assert (found.shortest, found.longest) == (5, 9)
    assert found.zero_sum
    # 0.585 of random games are won by the first and 0.288 by the second player.
    first = found.scores["player_0"]
    assert abs(first.value - 0.297) < 3 * first.error
    assert first.value == -found.scores["player_1"].value


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
    assert one.standard_errors_above(other) == pytest.approx(far)


def test_a_team_is_as_uncertain_as_one_of_its_agents() -> None:
    curves = [
        Curve(
            agent=agent,
            learns=True,
            returns=(),
            random=Mean(value, 0.5, 10),
            last=Mean(value + 1, 0.3, 20),
            change=0.0,
        )
        for agent, value in (("a", 1.0), ("b", 3.0))
    ]
    assert learner_returns(curves) == (Mean(2.0, 0.5, 10), Mean(3.0, 0.3, 20))
