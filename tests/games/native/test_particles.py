"""Particle games: bit-identical in every slot, truncated by the contract, wrong options refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from league.errors import GameError
from league.games.conformance.suite import random_actions
from league.games.core import Turn
from league.games.counter_rng import mix
from league.games.native.particle_game import ParticleGame
from league.games.native.particle_physics import ContactForces, InterpolatedFunction, exact_sqrt, integrate
from league.games.registry import make

NAMES = ["spread", "tag", "adversary", "speaker_listener", "reference"]
CPU = torch.device("cpu")


def particles(name: str, slots: int, **options: object) -> ParticleGame:
    game = make(name, slots, options=options)
    assert isinstance(game, ParticleGame)
    return game


def seeds(slots: int, number: int = 0) -> Tensor:
    return mix(torch.arange(slots), number)


def begun(game: ParticleGame, close: bool = True) -> Turn:
    """New episodes; if `close`, all agents are near each other, so that many touch."""
    game.start(seeds(game.slots))
    state = game.save()
    if close:
        state["place"], state["landmark"] = state["place"] * 0.2, state["landmark"] * 0.3
    return game.load(state)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("slots", [1, 2, 7, 19, 33])
def test_a_world_evolves_identically_in_every_slot(name: str, slots: int) -> None:
    """Vectors and their tails use different instructions; so do tensors with another memory layout."""
    whole = particles(name, 64)
    turn = begun(whole)
    rows = torch.randperm(64, generator=torch.Generator().manual_seed(slots))[:slots]
    part = whole.fork(rows)
    part.load({key: value.contiguous() for key, value in part.save().items()})
    for count in range(30):
        actions = random_actions(whole, turn, count)
        turn = whole.step(actions, seeds(64, count))
        mine = part.step({role: action[rows] for role, action in actions.items()}, seeds(64, count)[rows])
        for key, value in whole.state.items():
            assert torch.equal(value[rows], part.state[key]), (key, count)
        assert torch.equal(turn.reward[rows], mine.reward)
        assert turn.state is not None
        assert mine.state is not None
        assert torch.equal(turn.state[rows], mine.state)


@pytest.mark.parametrize("name", NAMES)
def test_episodes_are_truncated_after_max_cycles_with_final_observations(name: str) -> None:
    game = particles(name, 5, max_cycles=3)
    turn = begun(game)
    for cycle in range(1, 7):
        actions = random_actions(game, turn, cycle)
        after, outcome = game.play(game.state, actions)
        last = game.look(after)[1]
        turn = game.step(actions, seeds(5, cycle))
        cut = cycle % 3 == 0
        assert turn.truncated.tolist() == [[cut] * len(game.spec.seats)] * 5
        assert not turn.terminated.any()
        assert turn.ended.tolist() == [cut] * 5
        assert turn.final_state is not None
        if cut:
            assert last is not None
            assert torch.equal(turn.final_state, last)
            assert turn.final_obs is not None
            # The critic's state is what all seats see, in seat order.
            parts = [turn.final_obs[role.name].flatten(1) for role in game.spec.roles]
            assert torch.equal(torch.cat(parts, 1), last)
            assert torch.equal(turn.score, outcome.score)
            assert turn.state is not None
            assert not torch.equal(turn.state, last)
            assert game.state["cycle"].tolist() == [0] * 5


def test_an_illegal_action_ends_the_episode_and_the_whole_side_loses() -> None:
    game = particles("tag", 3, max_cycles=1)
    turn = begun(game)
    actions = random_actions(game, turn, 0)
    actions["adversary"][1, 2] = 5
    turn = game.step(actions, seeds(3))
    assert turn.terminated.tolist() == [[False] * 4, [True] * 4, [False] * 4]
    assert turn.truncated.tolist() == [[True] * 4, [False] * 4, [True] * 4]
    assert turn.forfeit is not None
    assert turn.forfeit.tolist() == [[False] * 4, [False, False, True, False], [False] * 4]
    worst, best = game.forfeits
    assert turn.score[1].tolist() == [worst, worst, worst, best]
    assert worst < -1 < 1 < best


def test_worlds_are_dealt_evenly_over_the_square_and_among_the_goals() -> None:
    game = particles("tag", 4000)
    game.start(seeds(4000))
    for key, within in (("place", 1.0), ("landmark", 0.9)):
        values = game.state[key]
        assert values.abs().max() <= within
        assert values.abs().max() > within * 0.99
        assert values.mean((0, 2)).abs().max() < 0.05
        assert (values.std((0, 2)) - within / math.sqrt(3)).abs().max() < 0.02
    other = particles("reference", 4000)
    other.start(seeds(4000))
    pairs = other.state["goal"] @ torch.tensor([3, 1])
    assert pairs.bincount(minlength=9).min() > 4000 / 9 * 0.8


def test_agents_at_the_same_place_exert_no_force() -> None:
    game = particles("spread", 2)
    turn = begun(game, close=False)
    state = game.save()
    state["place"][0] = 0.25
    game.load(state)
    turn = game.step({"agent": torch.zeros((2, 3), dtype=torch.int64)}, seeds(2))
    assert game.state["place"][0].tolist() == [[0.25, 0.25]] * 3
    assert turn.reward.isfinite().all()


def test_a_message_is_observed_one_cycle_later() -> None:
    game = particles("speaker_listener", 3)
    turn = game.start(seeds(3))
    assert turn.acts["listener"].obs[:, 0, -3:].tolist() == [[0.0, 0.0, 0.0]] * 3
    said = torch.tensor([[0], [1], [2]])
    turn = game.step({"speaker": said, "listener": torch.zeros_like(said)}, seeds(3))
    assert turn.acts["listener"].obs[:, 0, -3:].tolist() == torch.eye(3).tolist()


def test_two_touching_discs_push_each_other_apart() -> None:
    """By hand: 0.1 deep, the force is 100 * 0.1 along x; one move of 5 along x takes half of it back."""
    contacts = ContactForces([0.15, 0.15], [], torch.float64, CPU)
    place = torch.tensor([[[0.0], [0.2]], [[0.0], [0.0]]], dtype=torch.float64)
    force = contacts.forces(place)
    assert force[0].flatten().tolist() == pytest.approx([-10.0, 10.0])
    assert force[1].flatten().tolist() == [0.0, 0.0]
    force[0, 0] += 5.0
    speed = torch.tensor([[[2.0], [0.0]], [[0.0], [0.0]]], dtype=torch.float64)
    place, speed = integrate(place, speed, force, torch.tensor([[math.inf], [0.5]], dtype=torch.float64))
    assert place[0].flatten().tolist() == pytest.approx([0.2, 0.2])
    assert speed[0].flatten().tolist() == pytest.approx([2 * 0.75 - 0.5, 0.5])


def test_interpolation_errors_are_as_documented() -> None:
    curve = InterpolatedFunction(torch.exp, -1.0, 1.0, torch.float64, CPU)
    x = torch.linspace(-1, 1, 10_001, dtype=torch.float64)
    assert (curve.at(x) - x.exp()).abs().max() < 1e-2 * math.e * (2 / 4096) ** 3
    ends = curve.at(torch.tensor([-5.0, 1.0, 7.0, math.inf], dtype=torch.float64))
    assert ends.tolist() == pytest.approx([math.exp(-1), math.e, math.e, math.e], abs=1e-15)


def test_roots_are_rounded_exactly() -> None:
    square = torch.rand(1001, generator=torch.Generator().manual_seed(0))
    exact = np.sqrt(square.double().numpy()).astype(np.float32)
    assert exact_sqrt(square).tolist() == exact.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_position_is_drawn(name: str) -> None:
    game = particles(name, 2)
    begun(game)
    lines = game.render(1).splitlines()
    assert {len(line) for line in lines[:15]} == {31}
    for seat, agent in enumerate(game.spec.seats):
        (line,) = [line for line in lines if f" {agent}: at " in line]
        x, y = game.state["place"][1, seat].tolist()
        assert f"at {x:+.2f} {y:+.2f}" in line
    assert lines[-1] == "cycle 0 of 25"


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("spread", {"N": 0}, "spread: N must be a whole number of 1 or more, not 0"),
        ("spread", {"local_ratio": 1.5}, "spread: local_ratio must be a number from 0 to 1, not 1.5"),
        ("tag", {"num_obstacles": -1}, "tag: num_obstacles must be a whole number of 0 or more, not -1"),
        ("adversary", {"max_cycles": 2.5}, "adversary: max_cycles must be a whole number of 1 or more, not 2.5"),
        ("reference", {"dtype": "half"}, "reference: dtype must be one of float32, float64, not 'half'"),
        ("tag", {"num_god": 1}, "tag has no option 'num_god'; did you mean 'num_good'"),
    ],
)
def test_wrong_options_are_refused(name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(GameError) as raised:
        make(name, 1, options=options)
    assert told in str(raised.value)
