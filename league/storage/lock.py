"""The lock that gives a run a single writer. The kernel releases it however its process dies.

It is an flock or, on Windows, a locked byte. (Not `filelock`: it empties the file that says who holds the lock, and
where there are no locks it makes do with a file that outlives its process.)
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from league.errors import RunError

_BEYOND = 2**30
"""The byte that is locked on Windows, far beyond what is written: locked bytes cannot be read there."""

_held: set[int] = set()


def _module(name: str) -> Any:
    """A module that not every platform has; None where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_fcntl, _msvcrt = _module("fcntl"), _module("msvcrt")


def _close_in_child() -> None:
    # A forked worker shares the lock. If it outlived this process, the run would stay locked without a writer.
    for handle in _held:
        os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


class RunLock:
    """Holds `<folder>/lock` from construction until `release`. Only the lock counts, not whether the file exists.

    Raises RunError that says who holds it (process, host, since when), or why the folder cannot be locked.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            # Never unlinked: otherwise a second process could lock a file that no longer has this name.
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as problem:
            raise RunError(f"{path} cannot be opened for writing: {problem.strerror}") from problem
        try:
            _lock(handle)
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
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(about).encode())

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


def require_byte_locks(folder: Path) -> None:
    """Raises RunError if the folder's file system has none of the locks that SQLite needs, as some network folders.

    SQLite cannot tell such a folder from a database that somebody else is writing to, and would wait for a long time.
    """
    path = folder / "lock"
    if _fcntl is None or not path.is_file() or not os.access(path, os.R_OK):
        return
    with path.open("rb") as file:
        try:
            _fcntl.lockf(file, _fcntl.LOCK_SH | _fcntl.LOCK_NB, 1, _BEYOND)
        except OSError as problem:
            # Where a writer's flock covers bytes, too, it shows that there are locks.
            if problem.errno not in (errno.EAGAIN, errno.EACCES):
                raise RunError(
                    f"{folder} is on a file system without locks ({problem.strerror}), which the run's database needs; "
                    "use a folder on a local disk, or copy it to one"
                ) from problem


def _lock(handle: int) -> None:
    """Lock an open file. Raises BlockingIOError if somebody else has, and OSError if it cannot be locked."""
    if _fcntl is not None:
        _fcntl.flock(handle, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    elif _msvcrt is not None:
        os.lseek(handle, _BEYOND, os.SEEK_SET)
        try:
            _msvcrt.locking(handle, _msvcrt.LK_NBLCK, 1)
        except PermissionError as problem:
            raise BlockingIOError(*problem.args) from problem
    else:
        raise OSError(errno.ENOSYS, "this Python has neither fcntl nor msvcrt")


def _holder(handle: int) -> str:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        about = json.loads(os.read(handle, 4096))
        return f"process {about['pid']} on {about['host']} has held it since {about['since']}"
    except (ValueError, KeyError, TypeError):
        # Its holder has not yet written its name.
        return "another process has just taken it"
