"""Files on disk: durable writes, capped reads, content-addressed files, canonical JSON.

A durable write takes four steps: write a temporary file in the same folder, fsync it, rename it, fsync the folder. Only
then may a database row name the file. Each step, and the database's commit, calls `reach`, where tests inject faults.
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
"""For tests: called before each step with its name: "write", "fsync", "rename", "folder" or "commit"."""

SUFFIX = ".safetensors"
"""The suffix of every content-addressed file."""

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{16}\.unfinished")
_ID = re.compile(r"[0-9a-f]{64}")


def reach(point: str) -> None:
    """Tell `faults` which step comes next."""
    if faults is not None:
        faults(point)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file atomically: it is there completely or not at all, and survives a power cut.

    Raises OSError that names the file.
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
            # The error of a write to a full disk does not name the file.
            problem.filename = str(path)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """fsync a folder, since a rename alone may be lost in a power cut. Raises OSError.

    Windows cannot: it does not open folders.
    """
    reach("folder")
    if not hasattr(os, "O_DIRECTORY"):
        return
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
    """Remove the temporary files of writes that were killed. The caller must be the folder's only writer."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            path.unlink()


def read_capped(path: Path, cap: int) -> bytes:
    """Read a regular file of at most `cap` bytes. Raises OSError, with EFBIG if it is larger."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > cap:
            raise OSError(errno.EFBIG, f"it has {status.st_size} bytes; the limit is {cap}", str(path))
        return file.read()


def digest(data: bytes) -> str:
    """The sha256 of `data`, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """The sha256 of a file, as 64 hex digits, in constant memory. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_id(text: str) -> bool:
    """Whether a text has the form of an id: 64 hex digits."""
    return _ID.fullmatch(text) is not None


def content_path(folder: Path, id: str) -> Path:
    """The path of the content-addressed file `id` in a folder. Raises SnapshotError if `id` is not a sha256."""
    if not is_id(id):
        raise SnapshotError(f"'{id}' is not the id of a file in {folder}; an id is a sha256 in 64 hex digits")
    return folder / f"{id}{SUFFIX}"


def write_content(folder: Path, data: bytes) -> str:
    """Write `<folder>/<sha256>.safetensors` durably and return its id. An existing file is not written again.

    Raises SnapshotError if the file exists but is damaged, OSError if it cannot be written.
    """
    id = digest(data)
    path = content_path(folder, id)
    make_folder(folder)
    if not path.exists():
        write_durably(path, data)
    elif digest_file(path) != id:
        raise SnapshotError(f"{path} is damaged: its content does not match its name; remove it and try again")
    else:
        # Its writer may have been killed after the rename, before the folder was synced.
        sync_folder(folder)
    return id


def plain(value: object) -> object:
    """Convert a numpy scalar to a Python number (SQLite would store its bytes); other values stay as they are."""
    import numpy as np

    return value.item() if isinstance(value, np.generic) else value


def canonical_json(value: object) -> str:
    """JSON that is identical for equal values: sorted keys, no spaces, ASCII.

    Raises ValueError for NaN and infinities, which JSON lacks, and TypeError for values that are not JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_number)


def readable_json(value: object, escaped: bool = False) -> str:
    """JSON for people and programs: indented, keys in the given order, NaN and infinities as null.

    escaped: write all characters beyond ASCII as escapes.
    """
    return json.dumps(_without_infinities(value), indent=2, allow_nan=False, ensure_ascii=escaped, default=str)


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
