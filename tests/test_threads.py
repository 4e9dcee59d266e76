"""Threads share work out and change nothing: the same bytes and results however many there are, and errors in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from league.errors import PolicyError
from league.execution.training_table import TrainingTable
from league.games.actions import Discrete
from league.games.registry import make
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.play.fixture import fixtures
from league.play.match import play
from league.policies import weights
from league.policies.core import Policy, Rows
from league.policies.scripted import Random
from league.policies.settings import NetworkSettings
from league.records import MatchResult, Seating
from league.threads import Threads, usable_cores

NETWORK = NetworkSettings(actor=(16,), critic=(16,))
PATIENCE = 30.0
"""Seconds after which a test that waits for another thread gives up."""


class StopError(Exception):
    """What a listener raises to end the work."""


@dataclass
class Slow:
    """Random play that takes its time, and says when it has begun. fails: the turn on which it breaks, from 1."""

    pause: float
    fails: int = 0
    role: str = "player"
    turns: int = 0
    begun: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def logits(self, rows: Rows) -> Tensor:
        with self.lock:
            self.turns += 1
            turn = self.turns
        self.begun.set()
        if turn == self.fails:
            raise PolicyError("broken")
        time.sleep(self.pause)
        return torch.zeros(len(rows.seat), 7)


def test_results_come_in_the_order_of_the_items() -> None:
    def late_square(item: int) -> int:
        time.sleep(0.002 * (5 - item))
        return item**2

    for count in (1, 2, 3):
        threads = Threads(count)
        assert threads.count == count
        assert threads.map(late_square, range(6)) == [0, 1, 4, 9, 16, 25]
        assert threads.map(str, []) == []
        threads.close()
    assert Threads(0).count == usable_cores() >= 1


def test_one_thread_is_the_callers_own_and_others_compute_alone() -> None:
    def where(item: int) -> tuple[int, int]:
        return threading.get_ident(), torch.get_num_threads()

    here, two = threading.get_ident(), Threads(2)
    assert {ident for ident, _ in Threads(1).map(where, range(3))} == {here}
    assert two.map(where, [0])[0][0] == here
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        found = two.map(where, range(6))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
        two.close()
    assert here not in {ident for ident, _ in found}
    assert {count for _, count in found} == {1}


def test_two_threads_work_at_the_same_time() -> None:
    threads, both = Threads(2), threading.Barrier(2, timeout=PATIENCE)
    assert sorted(threads.map(lambda item: both.wait(), range(2))) == [0, 1]
    threads.close()


def test_an_exception_is_raised_when_all_that_began_has_ended() -> None:
    threads, lock = Threads(2), threading.Lock()
    begun, ended, second, given_up = list[int](), list[int](), threading.Event(), threading.Event()

    def work(item: int) -> None:
        with lock:
            begun.append(item)
        if item == 0:
            assert second.wait(PATIENCE)
            raise PolicyError("the first broke")
        second.set()
        assert given_up.wait(PATIENCE)
        with lock:
            ended.append(item)

    with pytest.raises(PolicyError, match="the first broke"):
        threads.map(work, range(50), give_up=given_up.set)
    # The thread that is free again may take one more before the error is known; no other one ever begins.
    assert sorted(begun) in ([0, 1], [0, 1, 2])
    assert sorted(ended) == sorted(begun)[1:]
    assert threads.map(abs, [-1, -2]) == [1, 2]
    threads.close()
    assert sorted(ended) == sorted(begun)[1:]


def test_who_waits_is_called_and_may_end_the_work() -> None:
    threads, lock = Threads(2), threading.Lock()
    begun, ended, calls, given_up = list[int](), list[int](), list[int](), threading.Event()

    def work(item: int) -> None:
        with lock:
            begun.append(item)
        assert given_up.wait(PATIENCE)
        with lock:
            ended.append(item)

    def waiting() -> None:
        calls.append(threading.get_ident())
        if len(begun) == 2 and len(calls) > 2:
            raise StopError

    with pytest.raises(StopError):
        threads.map(work, range(40), waiting, given_up.set)
    assert len(calls) > 2
    assert set(calls) == {threading.get_ident()}
    assert sorted(begun) == sorted(ended) == [0, 1]
    threads.close()


def trained(name: str, threads: Threads, precision: str) -> bytes:
    """Two rounds of a table in small pieces, and all that is left of them, as bytes."""
    game = make(name, 12)
    role = game.spec.roles[0]
    settings = MappoSettings.model_validate({"epochs": 2, "minibatch": 64, "precision": precision})
    learner = Mappo("live", game.spec, role, NETWORK, settings, 3)
    learner.microbatch_rows = 16
    old = Mappo("", game.spec, role, NETWORK, settings, 4).policy
    table = TrainingTable(game, 0, 5, threads)
    frozen: dict[str, Policy] = {"old": old, "random": Random(role.name, role.actions)}
    seatings = [Seating(("live", "live"), 0.5), Seating(("live", "old"), 0.25), Seating(("random", "live"), 0.25)]
    metrics: dict[str, object] = {}
    for number in range(2):
        done = table.round(number, [learner], frozen, seatings, 16)
        metrics[str(number)] = {**done.metrics["live"], "results": str(done.results)}
    tensors, names = table.carry()
    everything = {f"carry.{key}": value for key, value in tensors.items()} | learner.tensors()
    return weights.pack(everything, {"metrics": metrics, "names": list(names)})


@pytest.mark.parametrize(("name", "precision"), [("connect_four", "float32"), ("leduc", "bfloat16")])
def test_training_comes_to_the_same_bytes_with_any_number_of_threads(name: str, precision: str) -> None:
    one, *others = (trained(name, Threads(count), precision) for count in (1, 2, 3))
    assert one == others[0] == others[1]
    metadata, tensors = weights.unpack(one)
    assert len(tensors) > 20
    assert '"agent_steps"' in str(metadata).replace("'", '"')


@pytest.mark.parametrize("name", ["connect_four", "leduc"])
def test_matches_come_to_the_same_results_with_any_number_of_threads_and_games(name: str) -> None:
    spec = make(name, 1).spec
    role = spec.roles[0]
    policies: dict[str, Policy] = {
        "a": Mappo("", spec, role, NETWORK, MappoSettings(), 1).policy,
        "b": Mappo("", spec, role, NETWORK, MappoSettings(), 2).policy,
        "random": Random(role.name, role.actions),
    }
    job = [
        fixture
        for seed, pair in enumerate([("a", "b"), ("b", "random"), ("random", "a")])
        for fixture in fixtures(spec, pair, 30, 100 * seed)
    ]

    def played(threads: int, games: int) -> tuple[list[MatchResult], list[float]]:
        told: list[float] = []
        pool = Threads(threads)
        found = play([make(name, 6 + part) for part in range(games)], policies, job, tick=told.append, threads=pool)
        pool.close()
        return found, told

    (wanted, told) = played(1, 1)
    assert len({str(result.placements) for result in wanted}) > 1
    assert told[-1] == 1.0
    for threads, games in ((1, 4), (2, 2), (2, 5), (3, 3)):
        found, told = played(threads, games)
        assert found == wanted
        assert told == sorted(told)


def test_there_may_be_more_games_than_episodes() -> None:
    spec = make("connect_four", 1).spec
    policies: dict[str, Policy] = {name: Random("player", Discrete(7)) for name in "ab"}
    job, games = fixtures(spec, "ab", 4, 2), [make("connect_four", 2) for _ in range(9)]
    assert play(games, policies, job) == play(games[:1], policies, job)


def long_match(tick: Callable[[float], None], first: Slow, second: Slow) -> None:
    """Of some 8,000 turns, in four games of one slot on two threads."""
    games, threads = [make("connect_four", 1) for _ in range(4)], Threads(2)
    job = fixtures(games[0].spec, "ab", 400, 1)
    try:
        play(games, {"a": first, "b": second}, job, tick=tick, threads=threads)
    finally:
        threads.close()


def test_a_match_that_its_listener_ends_ends_at_once() -> None:
    """Nobody waits for thousands of slow turns: each thread ends after the turn it is in."""
    slow, turns = Slow(0.02), list[int]()

    def tick(fraction: float) -> None:
        if slow.begun.is_set():
            turns.append(slow.turns)
            raise StopError

    with pytest.raises(StopError):
        long_match(tick, slow, slow)
    assert len(turns) == 1
    assert slow.turns - turns[0] < 100


def test_a_match_whose_policy_breaks_ends_at_once() -> None:
    slow, broken = Slow(0.005), Slow(0.005, fails=30)
    with pytest.raises(PolicyError, match="broken"):
        long_match(lambda fraction: None, slow, broken)
    assert slow.turns < 500
