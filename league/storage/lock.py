"""The lock that gives a run a single writer: an flock, which the kernel releases however its process dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from league.errors import RunError

_held: set[int] = set()


def _close_in_child() -> None:
    # A forked worker shares the lock. If it outlived this process, the run would stay locked without a writer.
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)


class RunLock:
    """Holds `<folder>/lock` from construction until `release`. Only the flock counts, not whether the file exists.

    Raises RunError that says who holds it (process, host, since when), or why the folder cannot be locked.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            # Never unlinked: otherwise a second process could lock a file that no longer has this name.
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            raise RunError(f"{path} cannot be opened for writing: {problem.strerror}") from problem
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(handle)
            os.close(handle)
            raise RunError(f"{folder} is in use: {holder}; wait until it ends or stop it, then try again") from None
        except OSError as problem:
            os.close(handle)
            raise RunError(f"{path} cannot be locked: {problem.strerror}; use a folder on a local disk") from problem
        _held.add(handle)
        self._handle = handle
        since = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(about).encode(), 0)

    def release(self) -> None:
        """Release the lock; further calls do nothing."""
        if self._handle in _held:
            _held.remove(self._handle)
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
        self._handle = -1

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _holder(handle: int) -> str:
    try:
        about = json.loads(os.pread(handle, 4096, 0))
        return f"process {about['pid']} on {about['host']} has held it since {about['since']}"
    except (ValueError, KeyError, TypeError):
        # Its holder has not yet written its name.
        return "another process has just taken it"
