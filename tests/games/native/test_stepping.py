"""Native games: a Turn is never changed afterwards, and a step never waits for the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest
import torch
from torch import Tensor

from league.games.conformance.suite import random_actions
from league.games.core import Acting, Game, Turn
from league.games.counter_rng import mix
from league.games.native.core import NativeGame
from league.games.registry import NATIVE, make

OPTIONS: dict[str, dict[str, object]] = {"matrix": {"payoff": [[1, -1], [-1, 2]]}}
SLOTS = 12


def tensors(turn: Turn) -> dict[str, Tensor]:
    """Everything in a turn, by name."""
    parts: dict[str, Turn | Acting] = {"turn": turn, **turn.acts}
    every = {
        f"{name}.{field.name}": getattr(part, field.name) for name, part in parts.items() for field in fields(part)
    }
    every |= {f"{role}.final_obs": seen for role, seen in (turn.final_obs or {}).items()}
    return {name: value for name, value in every.items() if isinstance(value, Tensor)}


def native(name: str, slots: int = SLOTS, device: str = "cpu") -> NativeGame:
    game = make(name, slots, device, OPTIONS.get(name))
    assert isinstance(game, NativeGame)
    return game


def played(game: Game, turns: int) -> Iterator[Turn]:
    """The turns of random play."""
    places = torch.arange(game.slots)
    turn = game.start(mix(places, 1))
    yield turn
    for count in range(turns):
        turn = game.step(random_actions(game, turn, count), mix(places, 2, count))
        yield turn


@pytest.mark.parametrize("name", NATIVE)
def test_a_turn_does_not_change_when_the_game_and_its_forks_continue(name: str) -> None:
    game, held = native(name), []
    for turn in played(game, 45):
        held.append((turn, {name: value.clone() for name, value in tensors(turn).items()}))
        fork = game.fork(torch.arange(SLOTS).flip(0))
        looked = fork.load(fork.save())
        for count in range(2):
            looked = fork.step(random_actions(fork, looked, count), torch.arange(SLOTS))
    for turn, copies in held:
        for name, value in tensors(turn).items():
            assert torch.equal(value, copies[name]), name


@pytest.mark.parametrize("name", NATIVE)
def test_writing_into_a_turn_does_not_change_the_next(name: str) -> None:
    game, same = native(name), native(name)
    for held, turn in zip(played(game, 30), played(same, 30), strict=True):
        mine, theirs = tensors(held), tensors(turn)
        assert list(mine) == list(theirs)
        for key, value in mine.items():
            assert torch.equal(value, theirs[key]), key
        for value in (held.truncated, held.score, held.reward):
            value.fill_(True)


@pytest.mark.parametrize("name", NATIVE)
def test_a_step_never_waits_for_its_device(name: str) -> None:
    """On the meta device tensors have no values, so that asking for one raises; all else is as on a CPU."""
    game, real = native(name, device="meta"), list(played(native(name), 3))
    blank = torch.zeros(SLOTS, dtype=torch.int64, device="meta")
    turn = game.start(blank)
    for count, expected in enumerate(real):
        if count:
            turn = game.step({role: torch.zeros_like(acting.seat) for role, acting in turn.acts.items()}, blank)
            assert turn.forfeit is not None
            turn.forfeit = None
        seen, wanted = tensors(turn), tensors(expected)
        assert list(seen) == list(wanted)
        for key, value in seen.items():
            assert (value.shape, value.dtype, value.device.type) == (wanted[key].shape, wanted[key].dtype, "meta"), key


@pytest.mark.parametrize("name", NATIVE)
def test_illegal_actions_of_one_slot_change_nothing_in_the_others(name: str) -> None:
    """They also take the slow path through a step, on which every action is checked."""
    one, other = native(name), native(name)
    seeds = mix(torch.arange(SLOTS), 3)
    turn, spoilt = one.start(seeds), other.start(seeds)
    for count in range(60):
        actions = random_actions(one, turn, count)
        wrong = {role: action.clone() for role, action in actions.items()}
        for role, action in wrong.items():
            action[0] = (-1, one.spec.role(role).actions.width, 2**40)[count % 3]
        seeds = mix(torch.arange(SLOTS), 4, count)
        turn, spoilt = one.step(actions, seeds), other.step(wrong, seeds)
        assert spoilt.forfeit is not None
        assert spoilt.forfeit[0].any()
        assert not spoilt.forfeit[1:].any()
        assert spoilt.ended[0]
        spoilt.forfeit = None
        right, same = tensors(turn), tensors(spoilt)
        for key, value in right.items():
            assert torch.equal(value[1:], same[key][1:]), key
    assert turn.forfeit is None


@pytest.mark.parametrize("name", NATIVE)
def test_a_game_may_have_no_slots(name: str) -> None:
    """Look-ahead forks any number of rows, sometimes none."""
    game = native(name)
    list(played(game, 2))
    fork = game.fork(torch.zeros(0, dtype=torch.int64))
    nobody: dict[str, Acting] = fork.load(fork.save()).acts
    actions = {role: torch.zeros_like(acting.seat) for role, acting in nobody.items()}
    assert fork.step(actions, torch.zeros(0, dtype=torch.int64)).score.shape == (0, len(game.spec.seats))


@pytest.mark.parametrize("name", NATIVE)
def test_renewed_episodes_are_those_of_the_deal(name: str) -> None:
    game = native(name)
    for count, _ in enumerate(played(game, 12)):
        ended, seeds = torch.arange(SLOTS) % 3 == count % 3, mix(torch.arange(SLOTS), 5, count)
        state = game.save()
        renewed, plain = game.renewed(state, ended, seeds), NativeGame.renewed(game, state, ended, seeds)
        assert list(renewed) == list(plain)
        for key, value in plain.items():
            assert torch.equal(renewed[key], value)
            assert renewed[key].dtype == value.dtype
            assert torch.equal(renewed[key][ended], game.deal(seeds)[key][ended])
