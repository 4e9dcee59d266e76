"""Snapshot and checkpoint files: safetensors bytes named by their sha256, with one canonical JSON value as metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from league import files
from league.errors import SnapshotError
from league.files import digest as digest

CAP = 4 * 2**30
"""Bytes. A larger file is refused before any of it is read."""

_KEY = "league"
# Every error that a damaged or hostile header can cause below: truncation, bad JSON, unknown types, impossible shapes.
_UNREADABLE = (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, AssertionError, OverflowError)


def pack(tensors: Mapping[str, Tensor], metadata: Mapping[str, object]) -> bytes:
    """Tensors and JSON metadata as the bytes of one safetensors file; equal input gives equal bytes.

    Tensors may be on any device, overlap and be non-contiguous; each is stored whole. Values of any dtype that
    safetensors knows (floats, ints, bool), NaN included. Raises ValueError or TypeError where the metadata is not JSON.
    """
    # One key only: safetensors writes several in the order of a hash map, which differs from save to save.
    whole = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    return safetensors.save(whole, {_KEY: files.canonical_json(dict(metadata))})


def unpack(data: bytes, name: str = "the snapshot") -> tuple[dict[str, object], dict[str, Tensor]]:
    """Metadata and tensors (on the CPU) of `pack`'s bytes. Raises SnapshotError, which calls the bytes `name`."""
    try:
        tensors = safetensors.load(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_KEY])
    except _UNREADABLE as problem:
        reason = str(problem) or type(problem).__name__
        raise SnapshotError(f"{name} is damaged or was not written by league: {reason}") from problem
    if not isinstance(metadata, dict):
        raise SnapshotError(f"{name} was not written by league: its metadata is not a JSON object")
    return metadata, tensors


def write(folder: Path, data: bytes) -> str:
    """Write `<folder>/<sha256>.safetensors` durably, unless it is there, and return the sha256.

    Raises SnapshotError where that file is there but damaged, OSError where it cannot be written.
    """
    return files.write_content(folder, data)


def read(place: Path, id: str | None = None, *, finite: bool = True) -> tuple[dict[str, object], dict[str, Tensor]]:
    """Metadata and tensors of the file `id` in the folder `place`, or of the file `place`.

    The content must have the sha256 `id`, or the one in the file's name; if there is neither, it is not checked.
    finite: refuse NaN and infinities, as in the weights of a policy. Raises SnapshotError, which names the file.
    """
    path = place if id is None or place.is_file() else files.content_path(place, id)
    try:
        data = files.read_capped(path, CAP)
    except FileNotFoundError:
        raise SnapshotError(f"{path} is missing") from None
    except OSError as problem:
        raise SnapshotError(f"{path} cannot be read: {problem.strerror}") from problem
    expected = id or (path.stem if files.is_id(path.stem) else None)
    if expected is not None and (found := digest(data)) != expected:
        raise SnapshotError(f"{path} is damaged or truncated: its sha256 is {found}, it should be {expected}")
    metadata, tensors = unpack(data, str(path))
    if finite:
        _check_finite(tensors, path)
    return metadata, tensors


def metadata_of(folder: Path, id: str) -> dict[str, object]:
    """The metadata of the file `id` alone, unverified: its tensors are not read. Raises SnapshotError."""
    path = files.content_path(folder, id)
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > path.stat().st_size:
                raise ValueError("its header is longer than the file")
            metadata = json.loads(json.loads(file.read(size))["__metadata__"][_KEY])
    except OSError as problem:
        raise SnapshotError(f"{path} cannot be read: {problem.strerror}") from problem
    except _UNREADABLE as problem:
        raise SnapshotError(f"{path} is damaged or was not written by league: {problem}") from problem
    if not isinstance(metadata, dict):
        raise SnapshotError(f"{path} was not written by league: its metadata is not a JSON object")
    return metadata


def _check_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        # Torch has no `isfinite` for most one-byte floats.
        values = tensor.float() if tensor.dtype.itemsize == 1 else tensor
        if not values.isfinite().all():
            raise SnapshotError(f"{path} cannot be used: '{name}' holds values that are not finite")
