"""Level-Based Foraging, turn by turn from equal starts and with equal actions, against lbforaging's own environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from league.games.counter_rng import mix
from league.games.native.foraging import LOAD, Foraging
from league.games.pettingzoo.game import PettingZooGame
from league.games.registry import make

lbforaging = pytest.importorskip("lbforaging.foraging.environment", reason="the extra 'grids' is not installed")

EPISODES = 60
VARIANTS: list[dict[str, object]] = [
    {},
    {"size": 5, "food": 1},
    {"size": 5, "players": 4, "food": 3, "coop": False},
    {"size": 6, "players": 4, "food": 3, "sight": 2, "levels": 3, "coop": False},
    {"size": 7, "players": 3, "food": 4, "sight": 1, "coop": False, "max_cycles": 40},
    {"size": 5, "players": 9, "food": 2, "sight": 3, "coop": False},
]


def foraging(slots: int, options: Mapping[str, object]) -> Foraging:
    game = make("foraging", slots, options=options)
    assert isinstance(game, Foraging)
    return game


def theirs(options: Mapping[str, object]) -> Any:
    """Their environment with our options, which are registered for the defaults as Foraging-8x8-2p-2f-coop-v3."""
    given = foraging(1, options).spec.options
    size = int(str(given["size"]))
    return lbforaging.ForagingEnv(
        players=given["players"],
        min_player_level=1,
        max_player_level=given["levels"],
        field_size=(size, size),
        min_food_level=1,
        max_food_level=None,
        max_num_food=given["food"],
        sight=given.get("sight", size),
        max_episode_steps=given["max_cycles"],
        force_coop=given["coop"],
    )


def placed(env: Any, state: Mapping[str, Tensor], b: int) -> list[Any]:
    """Set an environment to the start of our slot b; what its agents see."""
    env.reset(seed=b)
    env.field[:] = 0
    for row, column, level in state["food"][b].tolist():
        env.field[row, column] += level
    for player, place, level in zip(env.players, state["place"][b].tolist(), state["level"][b].tolist(), strict=True):
        player.setup(tuple(place), level, env.field_size)
    env._food_spawned = env.field.sum()
    env._gen_valid_moves()
    return list(env._make_gym_obs())


def eager(env: Any, player: Any) -> int:
    """Load the adjacent food, otherwise go to the first food: south or north, then east or west."""
    if env.adjacent_food(*player.position):
        return LOAD
    south, east = next(zip(*env.field.nonzero(), strict=True)) - np.array(player.position)
    return (2 if south > 0 else 1) if south else (4 if east > 0 else 3)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_fields_evolve_as_in_lbforaging(options: dict[str, object]) -> None:
    game, rng, seen = foraging(EPISODES, options), np.random.default_rng(3), Counter[str]()
    turn = game.start(mix(torch.arange(EPISODES), 1))
    envs = [theirs(options) for _ in range(EPISODES)]
    start = game.save()
    wanted = [placed(env, start, b) for b, env in enumerate(envs)]
    running = set(range(EPISODES))
    returns = np.zeros((EPISODES, len(game.spec.seats)))
    for _ in range(int(str(game.spec.options["max_cycles"]))):
        acting = turn.acts["agent"]
        for b in running:
            assert np.array_equal(acting.obs[b].numpy(), np.stack(wanted[b]))
        actions = torch.from_numpy(rng.integers(0, 6, (EPISODES, len(game.spec.seats))))
        # At random hardly anybody would load together.
        for b in running:
            for seat, player in enumerate(envs[b].players):
                if rng.random() < 0.7:
                    actions[b, seat] = eager(envs[b], player)
        before = game.save()
        turn = game.step({"agent": actions}, torch.arange(EPISODES))
        for b in tuple(running):
            wanted[b], rewards, done, _, _ = envs[b].step(actions[b].tolist())
            returns[b] += rewards
            # Theirs is float64.
            np.testing.assert_allclose(turn.reward[b].numpy(), rewards, atol=1e-6)
            assert bool(turn.ended[b]) == bool(done)
            assert turn.terminated[b].tolist() == [bool(done)] * len(rewards)
            seen["loads"] += any(rewards)
            seen["together"] += sum(reward > 0 for reward in rewards) > 1
            places = [player.position for player in envs[b].players]
            seen["shared cells"] += len(set(places)) < len(places)
            seen["stayed"] += places == [tuple(place) for place in before["place"][b].tolist()]
            if done:
                np.testing.assert_allclose(turn.score[b].numpy(), returns[b], atol=1e-5)
                running.discard(b)
                seen["cleared"] += not envs[b].field.any()
    assert not running
    assert min(seen[what] for what in ("loads", "together", "cleared", "stayed")) >= 3, seen
    if int(str(game.spec.options["players"])) > 3:
        assert seen["shared cells"], "an agent that could not leave is joined by another, as theirs is"


def test_the_spec_is_the_adapters() -> None:
    mine, other = make("foraging", 1).spec, PettingZooGame("lbf:Foraging-8x8-2p-2f-coop-v3", 1).spec
    assert (mine.seats, mine.sides, mine.roles) == (other.seats, other.sides, other.roles)
    assert (mine.outcome, mine.state_shape) == (other.outcome, other.state_shape)


@pytest.mark.parametrize(
    "options", [{"size": 6, "players": 3, "coop": False, "levels": 3}, {"size": 5, "food": 2}], ids=str
)
def test_starts_are_distributed_as_in_lbforaging(options: dict[str, object]) -> None:
    """How often each cell holds an agent or a food, and how often levels occur, in 800 starts of each kind."""
    count = 800
    game = foraging(count, options)
    game.start(mix(torch.arange(count), 9))
    state = game.save()
    size = int(str(game.spec.options["size"]))
    mine, other = Counter[tuple[object, ...]](), Counter[tuple[object, ...]]()
    for b in range(count):
        foods = [food for food in state["food"][b].tolist() if food[2]]
        mine.update(("agent", *place) for place in state["place"][b].tolist())
        mine.update(("food", row, column) for row, column, _ in foods)
        mine.update(("weight", level) for _, _, level in foods)
        mine.update(("level", level) for level in state["level"][b].tolist())
        mine[("foods", len(foods))] += 1
        assert len({tuple(food[:2]) for food in foods} & {tuple(place) for place in state["place"][b].tolist()}) == 0
        # A new environment each time: theirs keeps agents off the cells on which the last episode left them.
        env = theirs(options)
        env.reset(seed=b)
        other.update(("agent", *map(int, player.position)) for player in env.players)
        other.update(("level", int(player.level)) for player in env.players)
        rows, columns = env.field.nonzero()
        other.update(("food", int(row), int(column)) for row, column in zip(rows, columns, strict=True))
        other.update(("weight", int(env.field[row, column])) for row, column in zip(rows, columns, strict=True))
        other[("foods", len(rows))] += 1
    assert set(mine) == set(other)
    assert len([key for key in mine if key[0] == "agent"]) == size**2
    # Five standard deviations of the difference of two counts.
    far = {
        key: (mine[key], other[key]) for key in mine if (mine[key] - other[key]) ** 2 > 25 * (mine[key] + other[key])
    }
    assert not far


def test_there_are_fewer_foods_where_no_more_fit() -> None:
    game = foraging(64, {"size": 3, "players": 1, "food": 3})
    turn = game.start(mix(torch.arange(64), 2))
    levels = game.save()["food"][:, :, 2]
    on_it = (game.save()["place"] == 1).all(2)[:, 0]
    # The one cell that is not at an edge holds the food, unless the agent stands there.
    assert torch.equal((levels > 0).sum(1), (~on_it).long())
    assert 0 < int(on_it.sum()) < 32
    turn = game.step({"agent": torch.zeros((64, 1), dtype=torch.int64)}, torch.arange(64))
    assert torch.equal(turn.ended, on_it), "where there is nothing to load the first turn is the last, as theirs is"


def test_positions_in_words() -> None:
    game = foraging(1, {"size": 3, "players": 2, "food": 1})
    game.start(torch.arange(1))
    state = game.save() | {"place": torch.tensor([[[0, 0], [2, 1]]]), "level": torch.tensor([[1, 2]])}
    game.load(state | {"food": torch.tensor([[[1, 1, 3]]])})
    assert game.render(0) == (
        "a..\n.3.\n.b.\na agent_0: level 1, score 0.000\nb agent_1: level 2, score 0.000\ncycle 0 of 50"
    )
