"""Trains the runs of a comparison, several at a time, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from league.config.load import to_dict
from league.errors import RunError
from league.events import Tick
from league.studies.compare.contenders import Contender, trained
from league.threads import Threads, usable_cores

Done = Callable[[str, int, float], None]
"""Called with the label of a run that is trained, its agent-steps and its seconds."""

_LAST_WORDS = 2000
"""Characters of a process's log that an error shows at most."""


def train(
    runs: Sequence[Contender], jobs: int | None = None, tick: Tick = lambda fraction: None, done: Done | None = None
) -> None:
    """Train every run to its budget; those that are trained already are left as they are, others go on.

    jobs: how many at a time; by default one for each usable core. Raises RunError if a run cannot be trained; those
    beside it then stop after their rounds.
    """
    so_far = [trained(one) for one in runs]
    left = [one for one, was in zip(runs, so_far, strict=True) if was.steps < _goal(one)]
    if not left:
        return
    at_once = min(jobs or usable_cores(), len(left))
    side = _SideBySide(left, max(usable_cores() // at_once, 1), tick, done)
    side.steps = {one.folder: min(was.steps, _goal(one)) for one, was in zip(runs, so_far, strict=True)}
    side.goal = sum(map(_goal, runs))
    pool = Threads(at_once)
    try:
        pool.map(side.train, left, give_up=side.stop)
    finally:
        pool.close()


def _goal(one: Contender) -> int:
    return one.config.budget.steps or 0


@dataclass(slots=True)
class _SideBySide:
    """Processes that train at the same time. cores: for each of them. steps: agent-steps so far, by folder, of the goal
    of all runs together."""

    runs: Sequence[Contender]
    cores: int
    tick: Tick
    done: Done | None
    steps: dict[Path, int] = field(default_factory=dict)
    goal: int = 0
    stopping: bool = False
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def train(self, one: Contender) -> None:
        """Train one run in a process of its own, and wait for it."""
        if self.stopping:
            return
        one.folder.parent.mkdir(parents=True, exist_ok=True)
        log = one.folder.with_name(f"{one.label}.log")
        with log.open("w+", encoding="utf-8") as errors:
            process = self._start(one, errors)
            try:
                failed = self._follow(process, one)
            finally:
                self._end(process)
            errors.seek(0)
            said = errors.read()[-_LAST_WORDS:].strip()
        if self.stopping:
            return
        if failed or process.returncode:
            self.stop()
            raise RunError(f"{one.label} could not be trained: {failed or said or f'exit code {process.returncode}'}")
        if not said:
            log.unlink()
        found = trained(one)
        if self.done is not None:
            self.done(one.label, found.steps, found.seconds)

    def stop(self) -> None:
        """Let all runs stop after their rounds."""
        self.stopping = True
        for process in self.processes:
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()

    def _start(self, one: Contender, errors: TextIO) -> subprocess.Popen[str]:
        config = one.config.model_copy(
            update={
                "threads": one.config.threads or self.cores,
                "workers": self.cores if one.config.workers is None else one.config.workers,
            }
        )
        # A session of its own: Ctrl-C reaches the comparison alone, which then lets the runs end their rounds.
        process = subprocess.Popen(
            [sys.executable, "-m", "league.studies.compare.side_run", str(one.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self.processes.append(process)
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(to_dict(config)) + "\n")
            process.stdin.flush()
        return process

    def _follow(self, process: subprocess.Popen[str], one: Contender) -> str:
        """Count its agent-steps until it ends. Returns its error; empty if there is none."""
        failed = ""
        assert process.stdout is not None
        for line in process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                # A game of the user's own may print whatever it likes.
                continue
            if isinstance(said, dict) and isinstance(said.get("steps"), int):
                self.steps[one.folder] = min(said["steps"], _goal(one))
                self.tick(sum(self.steps.values()) / self.goal)
            elif isinstance(said, dict) and "error" in said:
                failed = str(said["error"])
        return failed

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Let it stop after its round if it has not ended, and wait."""
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
