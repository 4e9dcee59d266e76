"""A thread pool for independent tasks, with one torch thread per task.

Torch's own threads split every operation, which costs more than it saves for the small operations of games and
networks. Here each thread takes whole tasks instead (a batch of games, some rows of a minibatch), and torch runs on one
thread inside it. So the result of each task, and of the whole, does not depend on the number of threads.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_POLL_SECONDS = 0.1

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


class Threads:
    """A thread pool with `count` threads. 0: one for each usable core; 1: work is done in the caller's thread."""

    def __init__(self, count: int = 1) -> None:
        self.count = count or usable_cores()
        self._pool = ThreadPoolExecutor(self.count, "league", alone) if self.count > 1 else None

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        waiting: Callable[[], None] = lambda: None,
        give_up: Callable[[], None] = lambda: None,
    ) -> list[Result]:
        """Apply `function` to every item; results in order. Raises a failed call's error after the others have ended.

        waiting: called ten times a second in the caller's thread while it waits; it may raise, too.
        give_up: called after an error or interrupt, before waiting for the remaining calls, so that they can stop
        early.
        """
        items = list(items)
        if self._pool is None or len(items) < 2:
            return [function(item) for item in items]
        futures = [self._pool.submit(function, item) for item in items]
        try:
            while True:
                done, left = wait(futures, _POLL_SECONDS, FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if not left:
                    return [future.result() for future in futures]
                waiting()
        except BaseException:
            for future in futures:
                future.cancel()
            give_up()
            wait(futures)
            raise

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


def usable_cores() -> int:
    """The number of cores that this process may use (containers and `taskset` can limit it)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def alone() -> None:
    """Limit torch to the calling thread from now on, and keep freed memory in the process."""
    import torch

    torch.set_num_threads(1)
    _keep_memory()


@cache
def _keep_memory() -> None:
    """Stop glibc from returning freed memory: the next allocation would page-fault through the same megabytes again.

    This saves 10 to 20 % of an update's time in threads. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            mallopt(option, 2**30)
