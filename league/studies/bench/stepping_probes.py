"""Stepping speed under random legal play: native games with and without observations, and PettingZoo's."""

from __future__ import annotations

import os
import subprocess
import sys

from torch import Tensor, arange

from league.errors import GameError
from league.games.conformance.suite import random_actions
from league.games.core import Game, State
from league.games.counter_rng import mix
from league.games.native.core import NativeGame
from league.games.registry import make
from league.studies.bench.probe import Effort, Probe, Workload, now

SLOTS = 1024
"""Parallel copies of a native game."""

OPTIONS: dict[str, dict[str, object]] = {"matrix": {"payoff": [[1.0, -1.0], [-1.0, 1.0]]}}
"""Options of native games that have no defaults for them."""

_SPREAD, _TURNS = 40, 32
"""Turns before the recording, which spread the slots over all stages of an episode; turns recorded."""

_ENVIRONMENT = {"SDL_VIDEODRIVER": "dummy", "PYGAME_HIDE_SUPPORT_PROMPT": "1", "OMP_NUM_THREADS": "1"}
"""Variables of the environment processes: no window, no greeting, and numpy on one core."""

Tape = list[tuple[dict[str, Tensor], Tensor]]


class NativeStepping(Probe):
    """Steps per second of a native game, including observations, masks and new episodes. A step is a turn of one copy.

    Actions and seeds are recorded in advance, so that only the game is timed. rules: time the rules alone, without
    observations, masks and the check of actions.
    """

    unit = "steps/s"

    def __init__(self, id: str, device: str, effort: Effort, rules: bool = False) -> None:
        what = f"{id}, its rules alone" if rules else f"{id}, observations and masks"
        super().__init__(f"stepping.{id}{'.rules' if rules else ''}", what)
        self._id, self._device, self._rules, self._seconds = id, device, rules, effort.seconds / 5

    def prepare(self) -> None:
        game = make(self._id, SLOTS, self._device, OPTIONS.get(self._id))
        assert isinstance(game, NativeGame)
        self._game = game
        self._begin, self._tape = _recorded(game)

    def sample(self) -> float:
        game, steps, seconds = self._game, 0, 0.0
        while seconds < self._seconds:
            game.load(self._begin)
            began = now(game.device)
            if self._rules:
                _play(game, self._tape)
            else:
                for actions, seeds in self._tape:
                    game.step(actions, seeds)
            seconds += now(game.device) - began
            steps += len(self._tape) * game.slots
        return steps / seconds


class AdaptedStepping(Probe):
    """Steps per second of a workload's game, including its workers. The choice of actions is not timed."""

    unit = "steps/s"

    def __init__(self, name: str, workload: Workload) -> None:
        workers = workload.tuning.workers
        super().__init__(
            name, f"{workload.config.game.id.partition(':')[2]}, {workers} worker{'' if workers == 1 else 's'}"
        )
        self._workload, self._count = workload, 0
        self._game: Game | None = None

    def prepare(self) -> None:
        self._game = self._workload.game(self._workload.slots)
        self._turn = self._game.start(_seeds(self._game, 0))

    def sample(self) -> float:
        game, seconds, steps = self._game, 0.0, 0
        assert game is not None
        while seconds < self._workload.effort.seconds / 2:
            self._count += 1
            actions, seeds = random_actions(game, self._turn, self._count), _seeds(game, self._count)
            began = now(game.device)
            self._turn = game.step(actions, seeds)
            seconds += now(game.device) - began
            steps += game.slots
        return steps / seconds

    def close(self) -> None:
        if self._game is not None:
            self._game.close()


class RawStepping(Probe):
    """Steps per second of `processes` bare environments with one id, in parallel, each in a process of its own."""

    unit = "steps/s"

    def __init__(self, name: str, id: str, processes: int, effort: Effort) -> None:
        super().__init__(
            name, f"{id.partition(':')[2]}, {processes} bare {'in parallel' if processes > 1 else 'alone'}"
        )
        self._id, self._count, self._seconds = id, processes, effort.seconds / 2
        self._processes: list[subprocess.Popen[str]] = []

    def prepare(self) -> None:
        code = f"import sys; sys.path[:] = {sys.path!r}; from league.studies.bench.raw_environment import serve; serve"
        for number in range(self._count):
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", f"{code}({self._id!r}, {number})"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env=os.environ | _ENVIRONMENT,
                    process_group=0,  # only the parent handles a Ctrl-C in the terminal
                )
            )

    def sample(self) -> float:
        try:
            for process in self._processes:
                assert process.stdin is not None
                process.stdin.write(f"{self._seconds}\n")
                process.stdin.flush()
            return sum(self._read_rate(process) for process in self._processes)
        except BrokenPipeError:
            raise GameError(f"{self._id}: a bare environment has ended unexpectedly") from None

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()
        self._processes = []

    def _read_rate(self, process: subprocess.Popen[str]) -> float:
        assert process.stdout is not None
        line = process.stdout.readline()
        # Skip what the environment itself prints.
        while line and not line.startswith("rate "):
            line = process.stdout.readline()
        if not line:
            raise GameError(f"{self._id}: a bare environment has ended with status {process.wait()}")
        return float(line.removeprefix("rate "))


def _recorded(game: NativeGame) -> tuple[State, Tape]:
    """A state in the middle of play, and a recording of random legal play from there."""
    turn, tape = game.start(_seeds(game, 0)), Tape()
    begin = game.save()
    for number in range(1, _SPREAD + _TURNS + 1):
        actions, seeds = random_actions(game, turn, number), _seeds(game, number)
        if number == _SPREAD + 1:
            begin = game.save()
        if number > _SPREAD:
            tape.append((actions, seeds))
        turn = game.step(actions, seeds)
    return begin, tape


def _play(game: NativeGame, tape: Tape) -> None:
    state = game.state
    for actions, seeds in tape:
        state, outcome = game.play(state, actions)
        state = game.renewed(state, outcome.ended, seeds)


def _seeds(game: Game, number: int) -> Tensor:
    return mix(arange(game.slots, device=game.device), number)
