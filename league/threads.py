"""Work shared out among threads, each of which computes alone.

Torch's own threads split every operation, which for the small operations of games and networks costs more than it
brings. Here each thread takes whole pieces of work instead (some games, some rows of a minibatch) and torch inside it
runs on one thread, so the result of a piece, and of the whole, does not depend on how many threads there are.
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

_LOOK = 0.1

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


class Threads:
    """So many threads for `map`. count: 0 takes as many as this process may use cores; 1 works in the caller's own."""

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
        """`function` of every item, in their order. Raises what one that failed raised, after all others have ended.

        waiting: called ten times a second by the caller's thread while it waits for others; it may raise, too.
        give_up: called where something was raised (an interrupt, too), before the others are waited for: they may end
        early.
        """
        items = list(items)
        if self._pool is None or len(items) < 2:
            return [function(item) for item in items]
        futures = [self._pool.submit(function, item) for item in items]
        try:
            while True:
                done, left = wait(futures, _LOOK, FIRST_EXCEPTION)
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
    """How many cores this process may run on (a container or `taskset` may leave it fewer than there are)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def alone() -> None:
    """Torch computes on the calling thread only, from now on, and the process keeps the memory that it has freed."""
    import torch

    torch.set_num_threads(1)
    _keep_memory()


@cache
def _keep_memory() -> None:
    """Have glibc give no freed memory back: it would hand out the same megabytes again, and every page would fault.

    That is a tenth to a fifth of an update's time in threads. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            mallopt(option, 2**30)
