"""Particle games, cycle by cycle from equal states and with equal actions, against mpe2's own implementation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from league.games.core import State
from league.games.native.particle_game import ParticleGame
from league.games.pettingzoo.game import PettingZooGame
from league.games.registry import make

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
EPISODES = 60
TOLERANCE = {"float64": 1e-5, "float32": 1e-3}
THEIRS = {
    "spread": "simple_spread_v3",
    "tag": "simple_tag_v3",
    "adversary": "simple_adversary_v3",
    "speaker_listener": "simple_speaker_listener_v4",
    "reference": "simple_reference_v3",
}
VARIANTS: list[tuple[str, dict[str, object]]] = [
    *((name, {}) for name in THEIRS),
    *((name, {"continuous_actions": True}) for name in THEIRS),
    ("spread", {"N": 5, "local_ratio": 0.3, "max_cycles": 12}),
    ("spread", {"N": 1}),
    ("tag", {"num_good": 2, "num_adversaries": 4, "num_obstacles": 3, "max_cycles": 12}),
    ("tag", {"num_good": 1, "num_adversaries": 1, "num_obstacles": 0}),
    ("adversary", {"N": 4}),
    ("reference", {"local_ratio": 0.9}),
]


@dataclass
class Seen:
    """How often play covered each of the difficult cases."""

    touched: int = 0
    outside: int = 0
    fastest: int = 0
    said: int = 0


def theirs(name: str, options: Mapping[str, object]) -> Any:
    return import_module(f"mpe2.{THEIRS[name]}").parallel_env(**options)


def crowd(env: Any, rng: np.random.Generator, episode: int) -> None:
    """Begin one episode in three with everybody near each other, one at and beyond an edge, and with some speed."""
    world = env.unwrapped.world
    middle = rng.uniform(-1, 1, 2) if episode % 3 == 0 else np.array([0.95, -0.9])
    for entity in world.entities:
        if episode % 3 < 2:
            entity.state.p_pos = middle + 0.2 * entity.state.p_pos
        if episode % 2 and entity.movable:
            entity.state.p_vel = rng.normal(0, 0.5, 2)


def copied(game: ParticleGame, worlds: list[Any]) -> State:
    """The state of mpe2's worlds as ours."""

    def stacked(values: list[list[Any]], dtype: torch.dtype) -> Tensor:
        return torch.tensor(np.array(values), dtype=dtype)

    state = game.save()
    number = state["place"].dtype
    for key, what in (("place", "p_pos"), ("speed", "p_vel")):
        state[key] = stacked([[getattr(a.state, what) for a in world.agents] for world in worlds], number)
    state["landmark"] = stacked([[e.state.p_pos for e in world.landmarks] for world in worlds], number)
    state["landmark"] = state["landmark"].view(len(worlds), -1, 2)
    state["goal"] = stacked([goals(world) for world in worlds], torch.int64).view(len(worlds), -1)
    if "message" in state:
        said = [[a.state.c for a in world.agents if not a.silent] for world in worlds]
        state["message"] = stacked(said, number)
    return state


def goals(world: Any) -> list[int]:
    """Indices of the landmarks that are goals: one for all where agents have it as `goal_a`, else each one's own."""
    speakers = [a for a in world.agents if getattr(a, "_goal_b", None) is not None]
    if speakers:
        return [world.landmarks.index(agent.goal_b) for agent in speakers]
    with_goal = [a for a in world.agents if getattr(a, "_goal_a", None) is not None]
    return [world.landmarks.index(with_goal[0].goal_a)] if with_goal else []


def undecided(world: Any, margin: float) -> bool:
    """Whether some two agents' touching hangs on less than `margin`: rounding then decides about their rewards."""
    pairs = combinations([agent for agent in world.agents if agent.collide], 2)
    apart = [np.linalg.norm(a.state.p_pos - b.state.p_pos) - a.size - b.size for a, b in pairs]
    return bool(apart) and float(np.abs(apart).min()) < margin


def note(world: Any, seen: Seen) -> None:
    """Count what this position has in it."""
    movers = [agent for agent in world.agents if agent.movable]
    pairs = combinations([entity for entity in world.entities if entity.collide], 2)
    seen.touched += any(np.linalg.norm(a.state.p_pos - b.state.p_pos) < a.size + b.size for a, b in pairs)
    seen.outside += any(np.abs(agent.state.p_pos).max() > 1 for agent in movers)
    speeds = [np.linalg.norm(a.state.p_vel) / a.max_speed for a in movers if a.max_speed is not None]
    seen.fastest += bool(speeds) and max(speeds) > 1 - 1e-9
    seen.said += any(agent.state.c.any() for agent in world.agents)


def drawn(space: Any, rng: np.random.Generator) -> Any:
    """An action at random; strengths are mostly at an end, so that agents get somewhere."""
    if isinstance(space, spaces.Discrete):
        return int(rng.integers(space.n))
    return np.clip(rng.normal(0.5, 1, space.shape), 0, 1).astype(np.float32)


class Ours:
    """Our game in one floating-point type beside mpe2's: its turn, and the largest differences by what differs.

    sure: `[B]`, the episodes in which rounding has decided nothing so far.
    """

    def __init__(self, name: str, options: Mapping[str, object], dtype: str, worlds: list[Any]) -> None:
        game = make(name, len(worlds), options={**options, "dtype": dtype})
        assert isinstance(game, ParticleGame)
        self.game, self.dtype = game, dtype
        game.start(torch.arange(len(worlds)))
        self.turn = game.load(copied(game, worlds))
        self.worst = dict.fromkeys(("place", "speed", "observation", "reward", "score"), 0.0)
        self.sure = np.ones(len(worlds), dtype=bool)

    def differ(self, what: str, mine: Tensor, other: list[Any]) -> None:
        wanted = torch.tensor(np.array(other), dtype=torch.float64)
        assert mine.shape == wanted.shape
        self.worst[what] = max(self.worst[what], float((mine.double() - wanted).abs().max()))

    def step(self, choice: np.ndarray, worlds: list[Any]) -> State:
        """Step with mpe2's actions, `[B, S]`, before its worlds do; the state in which the turn left off."""
        actions = {
            role.name: torch.tensor(np.array(choice[:, list(role.seats)].tolist()), dtype=role.action_dtype)
            for role in self.game.spec.roles
        }
        after, _ = self.game.play(self.game.state, actions)
        self.turn = self.game.step(actions, torch.arange(len(worlds)))
        return after

    def compare_turn(self, after: State, worlds: list[Any], reward: np.ndarray, cut: bool) -> None:
        """Compare with what mpe2's worlds came to. reward: `[B, S]`. cut: whether all episodes end with this turn."""
        self.differ("place", after["place"], [[a.state.p_pos for a in world.agents] for world in worlds])
        self.differ("speed", after["speed"], [[a.state.p_vel for a in world.agents] for world in worlds])
        if self.dtype == "float32":
            self.sure &= ~np.array([undecided(world, TOLERANCE[self.dtype]) for world in worlds])
        self.differ("reward", self.turn.reward[self.sure], list(reward[self.sure]))
        assert self.turn.ended.tolist() == [cut] * len(worlds)
        assert (self.turn.truncated == cut).all()
        assert not self.turn.terminated.any()


def compare(
    name: str, options: Mapping[str, object], dtypes: tuple[str, ...], episodes: int = EPISODES
) -> tuple[dict[str, dict[str, float]], Seen]:
    """Play whole episodes in mpe2 and in ours; the largest differences by type and what differs, and what was seen."""
    rng, envs, seen = np.random.default_rng(7), [theirs(name, options) for _ in range(episodes)], Seen()
    for episode, env in enumerate(envs):
        env.reset(seed=episode)
        crowd(env, rng, episode)
    worlds, agents = [env.unwrapped.world for env in envs], envs[0].possible_agents
    ours = [Ours(name, options, dtype, worlds) for dtype in dtypes]
    returns = np.zeros((episodes, len(agents)))
    choice, last = np.zeros((episodes, len(agents)), dtype=object), int(options.get("max_cycles", 25))

    for cycle in range(last):
        states = [env.unwrapped.state() for env in envs]
        seats = [[env.unwrapped.observe(agent) for env in envs] for agent in agents]
        for one in ours:
            assert one.turn.state is not None
            one.differ("observation", one.turn.state, states)
            for role in one.game.spec.roles:
                obs = [list(row) for row in zip(*(seats[seat] for seat in role.seats), strict=True)]
                one.differ("observation", one.turn.acts[role.name].obs, obs)
        # Agents mostly keep to what they do: else they would hardly leave the place where they begin.
        for place in np.ndindex(choice.shape):
            if cycle == 0 or rng.random() < 0.3:
                choice[place] = drawn(envs[0].action_space(agents[place[1]]), rng)
        after = [one.step(choice, worlds) for one in ours]
        told = [env.step(dict(zip(agents, row, strict=True))) for env, row in zip(envs, choice, strict=True)]
        reward = np.array([[rewards[agent] for agent in agents] for _, rewards, _, _, _ in told])
        returns += reward
        for world in worlds:
            note(world, seen)
        cut = cycle + 1 == last
        assert [all(truncated.values()) for _, _, _, truncated, _ in told] == [cut] * episodes
        assert not any(any(terminated.values()) for _, _, terminated, _, _ in told)
        for one, state in zip(ours, after, strict=True):
            one.compare_turn(state, worlds, reward, cut)
    for one in ours:
        assert one.turn.final_state is not None
        one.differ("observation", one.turn.final_state, [env.unwrapped.state() for env in envs])
        one.differ("score", one.turn.score[one.sure], list(returns[one.sure]))
        assert one.sure.mean() > 0.5
    for env in envs:
        env.close()
    return {one.dtype: one.worst for one in ours}, seen


def compared(variant: int, dtype: str) -> tuple[dict[str, float], Seen]:
    """`compare` for one of VARIANTS; mpe2, which is slow, plays once for both types."""
    name, options = VARIANTS[variant]
    if (name, options, dtype) == ("tag", {"continuous_actions": True}, "float32"):
        # Many bodies that stay in touch are a chaotic system, in which what float32 rounds off doubles every cycle.
        worst, seen = compare(name, options | {"max_cycles": 8}, (dtype,))
    else:
        worst, seen = _both(variant)
    return worst[dtype], seen


@cache
def _both(variant: int) -> tuple[dict[str, dict[str, float]], Seen]:
    name, options = VARIANTS[variant]
    chaotic = (name, options) == ("tag", {"continuous_actions": True})
    return compare(name, options, ("float64",) if chaotic else tuple(TOLERANCE))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("variant", range(len(VARIANTS)), ids=lambda one: f"{VARIANTS[one][0]}-{VARIANTS[one][1]}")
def test_worlds_evolve_as_in_mpe2(variant: int, dtype: str) -> None:
    name, options = VARIANTS[variant]
    worst, seen = compared(variant, dtype)
    for what in ("place", "speed", "observation", "reward"):
        assert worst[what] < TOLERANCE[dtype], worst
    # A score is the sum of all of an episode's rewards.
    assert worst["score"] < TOLERANCE[dtype] * 10, worst
    if name in ("spread", "tag") and options.get("N") != 1:
        assert seen.touched > EPISODES / 3
    if name == "tag":
        assert seen.outside > EPISODES
        assert seen.fastest > EPISODES
    assert (seen.said > EPISODES) == (name in ("speaker_listener", "reference"))


@pytest.mark.parametrize("name", THEIRS)
def test_seats_roles_and_sides_are_those_of_the_adapter(name: str) -> None:
    mine, other = make(name, 1).spec, PettingZooGame(f"mpe2:{THEIRS[name]}", 1).spec
    assert (mine.seats, mine.sides, mine.roles) == (other.seats, other.sides, other.roles)
    assert (mine.outcome, mine.can_truncate, mine.score_range) == (other.outcome, other.can_truncate, other.score_range)
    assert mine.state_shape == other.state_shape
