"""What `league check` asks of an environment itself: each fault is named, whichever of its watchers finds it."""

from __future__ import annotations

import numpy as np
import pytest
from broken import AtOnce, PaidTwice, WrongMask
from checked import broken
from gymnasium import spaces

from league.studies.check.determinism import first_difference, trace_episodes
from league.studies.check.environment import BareEnvironment, TurnState, play_episode
from league.studies.check.finding_log import FindingLog
from league.studies.check.game_under_test import game_under_test
from league.studies.check.min_agents import agent_counts, find_min_agents
from league.studies.check.observation_checks import ObservationCheck
from league.studies.check.pettingzoo_audit import audit
from league.studies.check.reward_checks import RewardCheck


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
        ("mask-one-empty", "note", "masks.unchecked"),
        ("mask-length", "error", "masks.length"),
        ("mask-values", "error", "masks.values"),
        ("unseen", "error", "observations.missing"),
        ("unflagged", "warning", "agents.unflagged"),
        ("old-api", "error", "api.step"),
        ("raises", "error", "api.step"),
    ],
)
def test_everything_else_that_can_be_wrong(how: str, level: str, check: str) -> None:
    log, _ = audit(broken("Odd", how), "", 0.5, 0)
    assert (level, check) in {(finding.level, finding.check) for finding in log.found}


@pytest.mark.parametrize(
    ("how", "level", "check", "said"),
    [
        ("forbids", "warning", "masks.forbids-legal", "forbids 4, but step(4) plays on"),
        ("trusts", "note", "masks.unchecked", "step() plays on with actions that the mask forbids"),
        ("costs", "error", "masks.allows-illegal", "pays -0.5, changes nothing and asks again"),
    ],
)
def test_masks_are_compared_with_what_the_environment_answers(how: str, level: str, check: str, said: str) -> None:
    log, audited = audit(broken("Boxes", how), "", 1.0, 0)
    assert audited.masks
    (finding,) = [one for one in log.found if one.check.startswith("masks")]
    assert (finding.level, finding.check) == (level, check)
    assert said in finding.what


def test_rewards_that_are_handed_out_twice_are_told() -> None:
    bare, log = BareEnvironment("x", PaidTwice()), FindingLog()
    watcher = RewardCheck(bare, log)
    everybody = ("a_0", "b_0")

    def state(turn: int, actor: str, rewards: dict[str, float], cumulative: dict[str, float]) -> TurnState:
        return TurnState(seed=0, turn=turn, agents=everybody, acting=(actor,), rewards=rewards, cumulative=cumulative)

    before = state(4, "a_0", {}, {"a_0": 2.0, "b_0": 1.0})
    watcher.turn(before, {"a_0": 0}, state(5, "b_0", {"a_0": 1.0, "b_0": 0.5}, {"a_0": 1.0, "b_0": 1.5}))
    assert log.found == []
    watcher.turn(before, {"a_0": 0}, state(5, "b_0", {"a_0": 1.0, "b_0": 0.5}, {"a_0": 3.0, "b_0": 1.5}))
    (finding,) = log.found
    assert (finding.level, finding.check) == ("warning", "rewards.sum")
    assert "'a_0' 1 by rewards, but its _cumulative_rewards" in finding.what
    assert "still contains earlier rewards" in finding.what


def test_a_sound_environment_has_no_findings_at_all() -> None:
    log, audited = audit(broken("Sound"), "", 0.5, 0)
    assert log.found == []
    assert (audited.kind, audited.agents, audited.masks) == ("parallel", 3, False)


def test_rewards_after_the_end_are_told() -> None:
    log, _ = audit(broken("Lingering", "paid"), "", 0.5, 0)
    (finding,) = [one for one in log.found if one.level != "note"]
    assert (finding.level, finding.check) == ("warning", "agents.paid-when-over")
    assert "'b_0' is given a reward of 1 after its episode's end" in finding.what
    assert "turn 5" in finding.where


def test_the_fewest_agents_come_first() -> None:
    one = broken("Sound")
    assert agent_counts(one) == {"players": 3}
    few = find_min_agents(one, 3, 0)
    assert (few.options, few.agents, few.errors, few.setting) == ({"players": 1}, 1, (), "players=1")
    assert find_min_agents(game_under_test(one.id, {"players": 1}), 1, 0).options == {}
    tag = game_under_test("mpe2:simple_tag_v3", {})
    assert agent_counts(tag) == {"num_adversaries": 3, "num_obstacles": 2}
    assert find_min_agents(tag, 4, 0).options == {"num_adversaries": 1}, "obstacles are no agents"
    assert agent_counts(game_under_test("pettingzoo:sisl/pursuit-v5", {}))["n_pursuers"] == 8, "found behind **kwargs"


def test_traces_are_of_the_seed_alone() -> None:
    one = broken("Sound")
    first, second = trace_episodes(one, [5, 6], 20)
    assert first_difference(first, trace_episodes(one, [5], 20)[0]) is None
    assert first_difference(first, second) is not None
    assert first_difference(first, first[:3]) == (3, "the length of the episode")
    assert first_difference([{"x": "1"}, {"x": "2"}], [{"x": "1"}, {"x": "3"}]) == (1, "x")


def test_walks_can_be_taken_again() -> None:
    bare = BareEnvironment("x", WrongMask("punishes"))
    first = play_episode(bare, 3, 50)
    again = play_episode(bare, 3, 50, given=first.actions, draw=99)
    assert again.actions == first.actions
    assert again.ended


def test_narrow_whole_numbers_from_outside_are_an_error() -> None:
    """They would be kept as another number: 200 as int8 is -56."""
    env = AtOnce()
    env._sees["a_0"] = spaces.Box(0, 1, (2,), np.int8)
    bare, log = BareEnvironment("x", env), FindingLog()
    ObservationCheck(bare, log).begin(
        TurnState(seed=0, turn=0, agents=("a_0",), acting=("a_0",), observations={"a_0": np.array([0, 7], np.int8)})
    )
    (finding,) = log.found
    assert (finding.level, finding.check) == ("error", "observations.range")
