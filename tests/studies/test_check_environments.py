"""What `league check` asks of an environment itself: each fault is named, whichever of its watchers finds it."""

from __future__ import annotations

import numpy as np
import pytest
from broken import AtOnce, PaidTwice, WrongMask
from checked import broken
from gymnasium import spaces

from league.studies.check.audit import audit
from league.studies.check.bare import Bare, Moment, walk
from league.studies.check.chance import difference, traced
from league.studies.check.fewest import counts, fewest
from league.studies.check.notes import Notes
from league.studies.check.observations import Observations
from league.studies.check.rewards import Rewards
from league.studies.check.subject import subject


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


def test_a_sound_environment_has_no_findings_at_all() -> None:
    notes, audited = audit(broken("Sound"), "", 0.5, 0)
    assert notes.found == []
    assert (audited.kind, audited.agents, audited.masks) == ("parallel", 3, False)


def test_rewards_after_the_end_are_told() -> None:
    notes, _ = audit(broken("Lingering", "paid"), "", 0.5, 0)
    (finding,) = [one for one in notes.found if one.level != "note"]
    assert (finding.level, finding.check) == ("warning", "agents.paid-when-over")
    assert "'b_0' is given a reward of 1 after its episode's end" in finding.what
    assert "turn 5" in finding.where


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
