"""Roles, sides and outcomes: inferred from real environments, and set by the user."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv

from league.errors import GameError
from league.games.pettingzoo.game import PettingZooGame
from league.games.pettingzoo.roles import infer_roles, parse_roles, parse_sides, sides_from_returns
from league.games.registry import make


@pytest.mark.parametrize(
    ("origin", "roles", "sides", "outcome"),
    [
        ("pettingzoo:classic/tictactoe-v3", {"player": (0, 1)}, ((0,), (1,)), "placements"),
        ("pettingzoo:classic/go-v5", {"player": (0, 1)}, ((0,), (1,)), "placements"),
        ("pettingzoo:classic/rps-v2", {"player": (0, 1)}, ((0,), (1,)), "placements"),
        ("pettingzoo:classic/leduc_holdem-v4", {"player": (0, 1)}, ((0,), (1,)), "score"),
        ("mpe2:simple_tag_v3", {"adversary": (0, 1, 2), "agent": (3,)}, ((0, 1, 2), (3,)), "score"),
        ("mpe2:simple_spread_v3", {"agent": (0, 1, 2)}, ((0, 1, 2),), "score"),
        ("mpe2:simple_speaker_listener_v4", {"speaker": (0,), "listener": (1,)}, ((0, 1),), "score"),
        ("mpe2:simple_crypto_v3", {"eve": (0,), "bob": (1,), "alice": (2,)}, ((0,), (1, 2)), "score"),
        ("openspiel:kuhn_poker", {"player": (0, 1)}, ((0,), (1,)), "score"),
        ("openspiel:tiny_hanabi", {"player": (0, 1)}, ((0, 1),), "score"),
        ("openspiel:connect_four", {"player": (0, 1)}, ((0,), (1,)), "placements"),
    ],
)
def test_known_families(
    origin: str, roles: dict[str, tuple[int, ...]], sides: tuple[tuple[int, ...], ...], outcome: str
) -> None:
    spec = PettingZooGame(origin, 1).spec
    assert {role.name: role.seats for role in spec.roles} == roles
    assert spec.sides == sides
    assert spec.outcome == outcome


def test_roles_differ_in_shapes() -> None:
    spec = PettingZooGame("mpe2:simple_world_comm_v3", 1).spec
    assert {role.name: (role.acting, role.obs_shape, role.actions.width) for role in spec.roles} == {
        "leadadversary": (1, (34,), 20),
        "adversary": (3, (34,), 5),
        "agent": (2, (28,), 5),
    }
    assert [(post.side, post.role) for post in spec.posts] == [(0, "leadadversary"), (0, "adversary"), (1, "agent")]


@pytest.mark.parametrize(
    ("agents", "kinds", "expected"),
    [
        (["wolf_0", "wolf_1", "sheep_0"], "aab", {"wolf": (0, 1), "sheep": (2,)}),
        (["wolf_0", "sheep_0"], "aa", {"wolf": (0,), "sheep": (1,)}),
        (["black_0", "white_0"], "aa", {"player": (0, 1)}),
        (["red_0", "red_1", "blue_0", "blue_1"], "aaaa", {"player": (0, 1, 2, 3)}),
        (["a_0", "a_1", "a_2"], "aba", {"a_0": (0, 2), "a_1": (1,)}),
        (["player1", "player2"], "aa", {"player": (0, 1)}),
        (["0", "1"], "aa", {"player": (0, 1)}),
        (["solo"], "a", {"solo": (0,)}),
    ],
)
def test_roles_by_name_and_kind(agents: list[str], kinds: str, expected: dict[str, tuple[int, ...]]) -> None:
    assert infer_roles(agents, list(kinds)) == expected


def test_the_user_sets_roles_and_sides() -> None:
    agents = ["red_0", "blue_0", "red_1"]
    assert parse_roles("g", {"x": ["red_0", "red_1"], "y": ["blue_0"]}, agents, "aba") == {"x": (0, 2), "y": (1,)}
    assert parse_sides("g", [["blue_0"], ["red_1", "red_0"]], agents) == ((1,), (2, 0))
    spec = PettingZooGame(
        "mpe2:simple_tag_v3",
        1,
        roles={"chaser": ["adversary_0"], "helper": ["adversary_1", "adversary_2"], "prey": ["agent_0"]},
        sides=[["adversary_0", "adversary_1"], ["adversary_2", "agent_0"]],
        outcome="placements",
    ).spec
    assert [role.name for role in spec.roles] == ["chaser", "helper", "prey"]
    assert spec.sides == ((0, 1), (2, 3))
    assert spec.outcome == "placements"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"roles": {"all": ["adversary_0", "adversary_1", "adversary_2", "agent_0"]}}, "cannot hold both.*agent_0"),
        ({"roles": ["adversary_0"]}, "roles must be a table"),
        ({"roles": {"a": ["adversary_0"]}}, "exactly once; check adversary_1, adversary_2, agent_0"),
        ({"sides": [["adversary_0", "agent_1"]]}, "'agent_1', which is not an agent; did you mean 'agent_0'"),
        ({"sides": "adversary_0"}, "sides must be a list of lists"),
        ({"sides": ["adversary_0"]}, "sides must hold lists of agents, not 'adversary_0'"),
        ({"sides": [["adversary_0", "adversary_0"], ["adversary_1", "adversary_2", "agent_0"]]}, "exactly once"),
        ({"outcome": "wins"}, "outcome must be 'placements' or 'score'"),
    ],
)
def test_impossible_roles_and_sides_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(GameError, match=message):
        PettingZooGame("mpe2:simple_tag_v3", 1, **options)


def test_sides_are_agents_whose_returns_correlate() -> None:
    rng = np.random.default_rng(3)
    goal, noise = rng.normal(size=(2, 40))
    assert sides_from_returns(np.stack([goal, -goal], 1)) == ((0,), (1,))
    assert sides_from_returns(np.stack([goal, goal, -goal], 1)) == ((0, 1), (2,))
    assert sides_from_returns(np.stack([goal, -goal, goal + 0.3 * noise], 1)) == ((0, 2), (1,))
    assert sides_from_returns(np.stack([goal, noise], 1)) == ((0,), (1,))
    # Equal constants join agents, but not where nobody ever scores.
    assert sides_from_returns(np.ones((5, 2))) == ((0, 1),)
    assert sides_from_returns(np.zeros((5, 2))) == ((0,), (1,))


class Toss(ParallelEnv):  # type: ignore[type-arg]
    """One turn: north and south win what east and west lose, or (shared) all get the same number."""

    metadata: ClassVar[dict[str, Any]] = {"name": "toss_v0"}

    def __init__(self, shared: bool = False) -> None:
        self.possible_agents, self.shared = ["north", "east", "south", "west"], shared

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0, 1, (1,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(2)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.agents, self.rng = self.possible_agents[:], np.random.default_rng(seed)
        return dict.fromkeys(self.agents, np.zeros(1, np.float32)), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        value = float(self.rng.choice([-1, 1]))
        rewards = {a: value if self.shared or a in ("north", "south") else -value for a in self.agents}
        observations, over = dict.fromkeys(self.agents, np.zeros(1, np.float32)), dict.fromkeys(self.agents, True)
        cut, self.agents = dict.fromkeys(self.agents, False), []
        return observations, rewards, over, cut, {}


def test_sides_of_an_unknown_environment_are_inferred_from_play() -> None:
    spec = PettingZooGame(Toss, 1).spec
    assert spec.sides == ((0, 2), (1, 3))
    assert [role.name for role in spec.roles] == ["player"]
    assert spec.outcome == "placements"
    shared = PettingZooGame(Toss, 1, shared=True).spec
    assert shared.sides == ((0, 1, 2, 3),)
    assert shared.outcome == "score"


@pytest.mark.parametrize(
    ("id", "options", "words"),
    [
        ("connect_four", {}, "player_0 against player_1"),
        ("spread", {}, "agent_0, agent_1, agent_2 together"),
        ("spread", {"N": 5}, "agent_0, agent_1, agent_2, …, agent_4 (5 seats) together"),
        ("spread", {"N": 1}, "agent_0"),
        ("tag", {}, "adversary_0, adversary_1, adversary_2 (adversary) against agent_0 (agent)"),
        ("speaker_listener", {}, "speaker_0 (speaker) and listener_0 (listener) together"),
        ("openspiel:kuhn_poker", {"players": 3}, "player_0 against player_1 against player_2"),
    ],
)
def test_the_seating_in_words(id: str, options: dict[str, object], words: str) -> None:
    game = make(id, 1, options=options)
    assert game.spec.seating == words
    game.close()
