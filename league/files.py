"""What goes to disk and comes back: durable writes, capped reads, content-addressed files, canonical JSON.

A durable write is: temporary name in the same folder → fsync → rename → fsync of the folder. Only then may a row name
the file. Every step, and the database's commit, passes `reach`, where tests put faults.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from league.errors import SnapshotError

faults: Callable[[str], None] | None = None
"""Called with the name of each step before it is taken: "write", "fsync", "rename", "folder", "commit". For tests."""

SUFFIX = ".safetensors"
"""Of every content-addressed file."""

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{16}\.unfinished")
_ID = re.compile(r"[0-9a-f]{64}")


def reach(point: str) -> None:
    """Announce the step that comes next to `faults`."""
    if faults is not None:
        faults(point)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file that is either wholly there or not at all, and still there after a power cut.

    Raises OSError, which names the file.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.unfinished")
    try:
        reach("write")
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            reach("fsync")
            os.fsync(file.fileno())
        reach("rename")
        os.replace(temporary, path)
    except BaseException as problem:
        temporary.unlink(missing_ok=True)
        if isinstance(problem, OSError):
            # A write to a full disk does not know where it was going.
            problem.filename = str(path)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a rename alone may be lost in a power cut. Raises OSError."""
    reach("folder")
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents durably. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writes that were killed. Only for a folder whose one writer is the caller."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            path.unlink()


def read_capped(path: Path, cap: int) -> bytes:
    """A regular file of at most `cap` bytes. Raises OSError, with EFBIG where it is larger."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > cap:
            raise OSError(errno.EFBIG, f"it has {status.st_size} bytes, at most {cap} are read", str(path))
        return file.read()


def digest(data: bytes) -> str:
    """The sha256 of some bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """The sha256 of a file, as 64 hex digits, in constant memory. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_id(text: str) -> bool:
    """Whether a text has the form of a content-addressed file's id."""
    return _ID.fullmatch(text) is not None


def content_path(folder: Path, id: str) -> Path:
    """Where the file called `id` (sha256) lies in a folder. Raises SnapshotError where `id` is no such name."""
    if not is_id(id):
        raise SnapshotError(f"'{id}' is no id of a file in {folder}; an id is a sha256 in 64 hex digits")
    return folder / f"{id}{SUFFIX}"


def write_content(folder: Path, data: bytes) -> str:
    """Write `<folder>/<sha256>.safetensors` durably and return its id; a file that is there is never written again.

    Raises SnapshotError where that file is there but damaged, OSError where it cannot be written.
    """
    id = digest(data)
    path = content_path(folder, id)
    make_folder(folder)
    if not path.exists():
        write_durably(path, data)
    elif digest_file(path) != id:
        raise SnapshotError(f"{path} is damaged: its content is not what its name says; remove it, then try again")
    else:
        # Its writer may have been killed between the rename and this.
        sync_folder(folder)
    return id


def plain(value: object) -> object:
    """A numpy scalar as the Python number that it stands for (SQLite would store its bytes); all else unchanged."""
    import numpy as np

    return value.item() if isinstance(value, np.generic) else value


def canonical_json(value: object) -> str:
    """JSON with one spelling for equal values: sorted keys, no spaces, ASCII.

    Raises ValueError for NaN and infinities (JSON has neither), TypeError for what is not JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_number)


def readable_json(value: object) -> str:
    """JSON for people and programs: indented, in the order given; NaN and infinities, which it has not, as null."""
    return json.dumps(_without_infinities(value), indent=2, allow_nan=False, ensure_ascii=False, default=str)


def _without_infinities(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_infinities(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: object) -> object:
    number = plain(value)
    if number is value:
        raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")
    return number
