"""The executor: jobs in order, carries by table, rated games at the size that they need."""

from __future__ import annotations

import pytest
import torch

from league.execution.executor import Executor, TrainRound, match_games
from league.games.actions import Discrete
from league.games.core import Game
from league.games.registry import make
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.play.fixture import fixtures
from league.policies.scripted import Random
from league.policies.settings import NetworkSettings
from league.records import Seating

SETTINGS = MappoSettings(epochs=1, minibatch=64)


def executor(name: str = "connect_four", replays: bool = True) -> Executor:
    def make_game(slots: int) -> Game:
        return make(name, slots, options={"max_cycles": 4} if ":" in name else {})

    return Executor(make_game=make_game, seeds=(5, 6), slots=4, replays=replays)


def learner(name: str, seed: int) -> Mappo:
    spec = make("connect_four", 1).spec
    return Mappo(name, spec, spec.roles[0], NetworkSettings(actor=(8,), critic=(8,)), SETTINGS, seed)


def jobs(learners: list[Mappo], number: int) -> list[TrainRound]:
    return [
        TrainRound(
            table=table,
            round=number,
            learners=(one,),
            seatings=(Seating((one.name, "random"), 1.0),),
            policies={"random": Random("player", Discrete(7))},
            turns=9,
        )
        for table, one in enumerate(learners)
    ]


def test_tables_are_trained_in_order_and_go_on_from_their_carries() -> None:
    learners, twins = ([learner("a", 1), learner("b", 2)] for _ in range(2))
    one, other = executor(), executor()
    told: list[float] = []
    found = one.train(jobs(learners, 1), told.append)
    assert [list(trained.metrics) for trained in found] == [["a"], ["b"]]
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    carries = one.carries()
    assert list(carries) == [0, 1]
    assert one.seated(0) == {"a", "random"}
    for twin, source in zip(twins, learners, strict=True):
        twin.load(source.tensors())
    other.restore(carries)
    for left, right in zip(
        one.train(jobs(learners, 2), told.append), other.train(jobs(twins, 2), told.append), strict=True
    ):
        assert (left.metrics, left.results) == (right.metrics, right.results)
    for table, (tensors, names) in one.carries().items():
        again, called = other.carries()[table]
        assert names == called
        assert all(torch.equal(value, again[key]) for key, value in tensors.items())
    # Two tables have two seeds.
    assert not torch.equal(carries[0][0]["game.boards"], carries[1][0]["game.boards"])


def test_a_game_that_does_not_replay_has_nothing_to_carry() -> None:
    one = executor(replays=False)
    one.train(jobs([learner("a", 1)], 1), lambda fraction: None)
    assert one.carries() == {}


@pytest.mark.parametrize("name", ["kuhn", "mpe2:simple_spread_v3"])
def test_matches_are_those_that_were_asked_for(name: str) -> None:
    one = executor(name)
    spec = make(name, 1, options={"max_cycles": 4} if ":" in name else {}).spec
    role = spec.roles[0]
    policies = {policy: Random(role.name, role.actions) for policy in "ab"}
    lineup = ["a", "b"] if len(spec.sides) > 1 else ["a"]
    wanted = fixtures(spec, lineup, 6, 1) + fixtures(spec, lineup[::-1], 10, 2)
    told: list[float] = []
    results = one.play(wanted, policies, told.append)
    assert [result.games for result in results] == [6, 10]
    assert [result.lineup for result in results] == [fixture.contestants for fixture in wanted]
    assert told[-1] == 1.0
    assert one.play(wanted, policies, told.append) == results
    assert one.play((), {}, told.append) == []
    one.close()


@pytest.mark.parametrize(
    ("episodes", "slots"),
    [
        (4095, [4095]),
        (4096, [2048] * 2),
        (40_000, [16_384] * 2),
        (131_072, [16_384] * 4),
        (10_000_000, [16_384] * 16),
    ],
)
def test_native_matches_of_thousands_of_games_can_be_shared_by_threads(episodes: int, slots: list[int]) -> None:
    games = match_games(lambda count: make("tictactoe", count), episodes, 4)
    assert [game.slots for game in games] == slots
