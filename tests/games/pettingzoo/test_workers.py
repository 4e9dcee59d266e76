"""Environments in worker processes: the same bytes for any number of them; failures leave no hang and no orphan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from dying import Duel, Mortal

from league.errors import GameError
from league.games.conformance.suite import random_actions
from league.games.core import Game, Turn
from league.games.pettingzoo.game import PettingZooGame
from league.games.registry import make

OWN = """
import os, signal, sys, time
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

class Trouble(ParallelEnv):
    metadata = {"name": "trouble_v0"}

    def __init__(self, what="", seed=-1, parent=0):
        if parent and os.getpid() != parent and "torch" in sys.modules:
            raise RuntimeError("a worker has imported torch")
        self.possible_agents, self.what, self.trouble = ["a_0", "a_1"], what, seed

    def observation_space(self, agent):
        return spaces.Box(-1, 1, (2,), np.float32)

    def action_space(self, agent):
        return spaces.Discrete(3)

    def look(self):
        return {agent: np.array([self.count / 9, self.seed % 7 / 7], np.float32) for agent in self.agents}

    def reset(self, seed=None, options=None):
        self.agents, self.count, self.seed = self.possible_agents[:], 0, seed
        return self.look(), {agent: {} for agent in self.agents}

    def step(self, actions):
        self.count += 1
        if self.seed == self.trouble and self.count == 2:
            if self.what == "raise":
                raise ValueError("the dice fell off the table")
            if self.what == "die":
                os.kill(os.getpid(), signal.SIGSEGV)
            while self.what == "hang":
                time.sleep(0.01)
        over, agents = dict.fromkeys(self.agents, False), self.agents
        cut = dict.fromkeys(agents, self.count == 6)
        rewards = {agent: actions[agent] / 3 for agent in agents}
        seen = self.look()
        self.agents = [] if self.count == 6 else agents
        return seen, rewards, over, cut, {agent: {} for agent in agents}
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    """An environment of the user's own that can raise, die or hang on the second turn of the episode of one seed."""
    file = tmp_path / "own.py"
    file.write_text(OWN)
    return f"{file}:Trouble"


def play(game: Game, turns: int, seed: int) -> Iterator[Turn]:
    """Random play from `start`, with an illegal action from time to time."""
    turn = game.start(torch.arange(game.slots) * 2**33 - seed)
    yield turn
    for count in range(turns):
        actions = random_actions(game, turn, count)
        if count % 7 == 3:
            next(iter(actions.values()))[count % game.slots, -1] = 10_000
        turn = game.step(actions, torch.arange(game.slots) + 1_000 * count)
        yield turn


def tensors(turn: Turn) -> dict[str, torch.Tensor]:
    """All that a Turn holds, by name."""
    found = {field.name: getattr(turn, field.name) for field in fields(Turn) if field.name not in ("acts", "final_obs")}
    found |= {f"{role}.final_obs": seen for role, seen in (turn.final_obs or {}).items()}
    for role, acting in turn.acts.items():
        found |= {f"{role}.{name}": getattr(acting, name) for name in ("obs", "mask", "seat", "present")}
    return {name: value for name, value in found.items() if value is not None}


def equal(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        value.dtype == other[name].dtype and torch.equal(value, other[name]) for name, value in one.items()
    )


GAMES: list[tuple[Any, dict[str, object], tuple[int, ...]]] = [
    ("pettingzoo:classic/connect_four-v3", {"horizon": "truncation"}, (2,)),
    ("mpe2:simple_tag_v3", {"max_cycles": 5}, (2,)),
    ("pettingzoo:butterfly/knights_archers_zombies-v11", {"max_cycles": 30, "spawn_delay": 2}, (2,)),
    (Mortal, {"cut": True}, (3,)),
    (Duel, {}, (1, 2, 3)),
]


@pytest.mark.parametrize(
    ("origin", "options", "counts"), GAMES, ids=[str(getattr(game, "__name__", game)) for game, _, _ in GAMES]
)
def test_any_number_of_workers_gives_the_same_bytes(
    origin: Any, options: dict[str, object], counts: tuple[int, ...]
) -> None:
    # Forfeits, deaths, truncation, final states; other numbers of slots; saved with some workers, loaded with others.
    with closing(PettingZooGame(origin, 5, **options)) as here:
        plain = [tensors(turn) for turn in play(here, 24, 7)]
        saved, replays = here.save(), here.replays
        loaded = tensors(here.load(saved)) if replays else {}
        larger = [tensors(here.start(torch.arange(8))), *(tensors(turn) for turn in play(here, 9, 8))]
    assert any(turn["ended"].any() for turn in plain)
    assert any(turn["forfeit"].any() for turn in plain)
    for workers in counts:
        with closing(PettingZooGame(origin, 5, "cpu", workers, **options)) as there:
            assert there.spec == here.spec
            assert there.replays == replays
            assert all(equal(turn, tensors(other)) for turn, other in zip(plain, play(there, 24, 7), strict=True))
            assert equal(saved, there.save())
            if replays:
                assert equal(loaded, tensors(there.load(saved)))
                assert equal(saved, there.save())
            grown = [tensors(there.start(torch.arange(8))), *(tensors(turn) for turn in play(there, 9, 8))]
            assert all(map(equal, larger, grown))


def test_a_turn_is_not_overwritten_by_the_next() -> None:
    with closing(make("mpe2:simple_tag_v3", 3, workers=2)) as game:
        turns = play(game, 3, 0)
        first = next(turns)
        before = {name: value.clone() for name, value in tensors(first).items()}
        for _ in turns:
            assert equal(before, tensors(first))


def test_workers_render_boards() -> None:
    with closing(make("pettingzoo:classic/tictactoe-v3", 3, workers=2)) as game:
        turn = game.start(torch.arange(3))
        game.step({"player": torch.tensor([[0], [4], [8]])}, torch.arange(3))
        assert turn.acts["player"].seat[0, 0] == 0
        assert [game.render(slot).replace("\n", " ").replace(" ", "").index("X") for slot in range(3)] == [0, 4, 8]


def test_a_state_that_cannot_be_replayed_is_refused_and_the_game_continues() -> None:
    with closing(make("mpe2:simple_tag_v3", 3, workers=2)) as game:
        first = [tensors(turn) for turn in play(game, 4, 0)]
        state = game.save()
        state["score"][1, 0] += 1.0
        with pytest.raises(GameError, match="slot 1's episode, played again"):
            game.load(state)
        assert all(equal(turn, tensors(again)) for turn, again in zip(first, play(game, 4, 0), strict=True))


def test_native_games_need_no_workers() -> None:
    assert equal(*(tensors(make("kuhn", 4, workers=count).start(torch.arange(4))) for count in (0, 3)))
    with pytest.raises(GameError, match="workers must be 0 or more, not -1"):
        make("kuhn", 4, workers=-1)


def test_a_users_own_environment_is_found_by_name_and_needs_no_torch(own: str) -> None:
    with closing(make(own, 4, workers=2, options={"parent": os.getpid()})) as game:
        assert game.spec.id == "own.py:Trouble"
        assert sum(int(turn.ended.sum()) for turn in play(game, 12, 0)) >= 4


def test_an_environment_that_a_worker_cannot_build_is_refused(own: str) -> None:
    class Local(Duel):
        pass

    for nameless in (Local, lambda: Duel(), Duel().possible_agents.copy):
        with pytest.raises(GameError, match="worker processes cannot find this environment by name"):
            PettingZooGame(nameless, 2, "cpu", 2)
    with pytest.raises(GameError, match="must be plain values"):
        make(own, 2, workers=1, options={"what": Path("x")})


def _children() -> list[int]:
    """This process's children, as the system knows them."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process ends within some time; one that waits to be reaped has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def _second_turn(game: Game) -> None:
    """Two turns of the episodes with the seeds 100, 101, …"""
    turn = game.start(torch.arange(game.slots) + 100)
    for count in range(2):
        turn = game.step(random_actions(game, turn, count), torch.arange(game.slots))


def test_an_environment_that_raises_is_named_with_its_slot_and_the_game_can_start_again(own: str) -> None:
    with closing(make(own, 5, workers=2, options={"what": "raise", "seed": 103})) as game:
        with pytest.raises(GameError) as error:
            _second_turn(game)
        for words in ("own.py:Trouble: ", "(slot 3's environment)", "ValueError: the dice fell off the table"):
            assert words in str(error.value)
        assert game.start(torch.arange(5)).acts["a"].present.all()


@pytest.mark.parametrize("how", ["dies", "is killed"])
def test_a_worker_that_dies_is_named_and_the_others_end(own: str, how: str) -> None:
    before = set(_children())
    with closing(make(own, 5, workers=3, options={"what": "die", "seed": 104 if how == "dies" else -1})) as game:
        pids = set(_children()) - before
        assert len(pids) == 3
        if how == "is killed":
            os.kill(max(pids), signal.SIGKILL)
        words = "slot 4's environment was killed by SIGSEGV" if how == "dies" else "was killed by SIGKILL"
        with pytest.raises(GameError, match=words):
            _second_turn(game)
        assert all(map(_gone, pids))
        with pytest.raises(GameError, match="have ended; make a new game"):
            game.start(torch.arange(5))


@contextmanager
def _raises_after(seconds: float) -> Iterator[None]:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_interrupt_in_the_middle_of_a_turn_ends_the_workers(own: str) -> None:
    before = set(_children())
    with closing(make(own, 2, workers=2, options={"what": "hang", "seed": 101})) as game:
        pids = set(_children()) - before
        with pytest.raises(KeyboardInterrupt), _raises_after(0.5):
            _second_turn(game)
        assert all(map(_gone, pids))
        with pytest.raises(GameError, match="have ended"):
            game.start(torch.arange(2))


def test_close_ends_the_workers_and_may_be_called_twice() -> None:
    before = set(_children())
    game = make("mpe2:simple_tag_v3", 4, workers=2)
    pids = set(_children()) - before
    assert len(pids) == 2
    game.close()
    assert not pids & set(_children())
    game.close()
    with pytest.raises(GameError, match="have ended"):
        game.start(torch.arange(4))


PARENT = """
import os, pathlib, signal, sys, time, torch
from league.games.registry import make
from league.games.conformance.suite import random_actions
options = {{"what": "hang", "seed": {hangs}}}
asked = []
signal.signal(signal.SIGINT, lambda *_: asked.append(1))
game = make({own!r}, 4, workers=2, options=options)
print(pathlib.Path(f"/proc/self/task/{{os.getpid()}}/children").read_text(), flush=True)
turn = game.start(torch.arange(4) + 100)
while not asked:
    turn = game.step(random_actions(game, turn, 0), torch.arange(4))
for count in range(20):
    turn = game.step(random_actions(game, turn, count), torch.arange(4))
print("went on", flush=True)
"""


@contextmanager
def _parent(own: str, hangs: int) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process that steps a game with two workers until it is interrupted; and the workers."""
    program = PARENT.format(own=own, hangs=hangs)
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, [int(pid) for pid in process.stdout.readline().split()]
        finally:
            process.kill()


def test_a_parent_that_is_killed_leaves_neither_workers_nor_memory(own: str) -> None:
    # One worker waits for its next turn, the other never comes back from its environment.
    with _parent(own, hangs=102) as (process, pids):
        assert len(pids) == 2
        time.sleep(0.3)
        memory = Path(f"/proc/{process.pid}/maps").read_text()
        assert "/memfd:league" in memory  # without a name in any folder, so that nobody need remove it
        assert "/dev/shm/" not in memory
        process.kill()
        assert all(map(_gone, pids))


def test_an_interrupt_from_the_terminal_is_the_parents_to_answer(own: str) -> None:
    with _parent(own, hangs=-1) as (process, pids):
        os.killpg(process.pid, signal.SIGINT)
        for pid in pids:
            os.kill(pid, signal.SIGINT)
        said, complaints = process.communicate(timeout=20)
    # It continued with both workers, and ended without closing the game: that, too, leaves no process and no output.
    assert said == "went on\n"
    assert complaints == ""
    assert process.returncode == 0
    assert all(map(_gone, pids))
