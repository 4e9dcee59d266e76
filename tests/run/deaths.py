"""Runs `league run` again and again, and lets it die: a program, started by test_run_kill.py.

    python deaths.py steps FIRST LAST -- ARGS      the n-th call dies before its n-th step of writing
    python deaths.py seconds SEED COUNT -- ARGS    each call is killed at a random instant within its rounds

Every call is a process of its own, forked from this one, which has imported everything already: that takes most of the
time of a call, and deaths should hit the rounds. Prints a line for each call: exit status and last committed round.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import scipy.linalg  # noqa: F401
import torch._dynamo  # noqa: F401

from league import cli, files, orchestrator  # noqa: F401
from league.cli import training  # noqa: F401
from league.storage.store import Store
from league.views import console, plain  # noqa: F401


def die_before(step: int) -> Callable[[str], None]:
    """A fault that ends this process, with nothing cleaned up, when the step-th step of writing is reached."""
    left = [step]

    def fault(point: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return fault


def begin(args: list[str], fault: Callable[[str], None] | None) -> int:
    """Fork a process that runs `league ARGS` to its end; returns its id."""
    child = os.fork()
    if child:
        return child
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        files.faults = fault
        sys.argv = ["league", *args]
        cli.main()
        os._exit(0)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    finally:
        # A child must never go on in the parent's loop, whatever happened.
        os._exit(1)


def rounds(folder: Path) -> int:
    """The last committed round; -1 where there is no run yet."""
    if not (folder / "league.db").exists():
        return -1
    with Store.reader(folder) as store:
        last = store.last_round()
        return last.round if last else -1


def main() -> None:
    mode, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    args = sys.argv[5:]
    folder, draw = Path(args[args.index("--run") + 1]), random.Random(first)
    for number in range(first, last + 1) if mode == "steps" else range(last):
        child = begin(args, die_before(number) if mode == "steps" else None)
        if mode == "seconds":
            before = rounds(folder)
            while rounds(folder) == before and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                time.sleep(0.01)
            time.sleep(draw.uniform(0.0, 0.3))
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), rounds(folder), flush=True)


main()
