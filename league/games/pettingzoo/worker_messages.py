"""How a game and its worker processes exchange data: short messages over a socket, and shared memory for arrays.

A message is one byte, its kind, and a text. Arrays are never sent: they are in anonymous shared memory, which needs no
name and is freed with the last process that holds it.
"""

from __future__ import annotations

import ast
import mmap
import os
import socket
import struct
import tempfile
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from league.errors import GameError

OPEN, SPEC, RESIZE, STEP, RENDER, CLOSE = (bytes([letter]) for letter in b"opstrc")
"""What a parent asks for. RESIZE is followed by a descriptor of shared memory (`send_memory`)."""
DONE, REFUSED, FAILED = (bytes([letter]) for letter in b".gx")
"""What a worker answers: it is done, a GameError, or any other error."""

_HEAD = struct.Struct("<cI")


def send(wire: socket.socket, what: bytes, text: str = "") -> None:
    """Send one message. Raises OSError where the other end is closed."""
    data = text.encode()
    wire.sendall(_HEAD.pack(what, len(data)) + data)


def receive(wire: socket.socket) -> tuple[bytes, str]:
    """The next message: its kind and its text. Raises EOFError where the other end is closed."""
    what, length = _HEAD.unpack(_exactly(wire, _HEAD.size))
    return what, _exactly(wire, length).decode() if length else ""


def send_memory(wire: socket.socket, memory: int) -> None:
    """Send a descriptor of shared memory."""
    socket.send_fds(wire, [b"m"], [memory])


def receive_memory(wire: socket.socket) -> int:
    """A descriptor of shared memory, of this process's own."""
    return socket.recv_fds(wire, 1, 1)[1][0]


def new_memory(size: int) -> int:
    """A descriptor of `size` bytes of shared memory without a name."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("league")
    else:
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    os.ftruncate(memory, size)
    return memory


def mapped(memory: int, size: int) -> npt.NDArray[np.uint8]:
    """The shared memory of a descriptor as an array of bytes."""
    return np.frombuffer(mmap.mmap(memory, size), dtype=np.uint8)


def literal(game: str, values: Mapping[str, object]) -> str:
    """Plain values as Python text, for `ast.literal_eval`. Raises GameError where that would not give the same values.

    values: with the environment's "options" among them.
    """
    text = repr(values)
    try:
        same = ast.literal_eval(text) == values
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise GameError(
            f"{game}: with worker processes, options must be plain values (numbers, text, lists, tables), not "
            f"{values['options']!r}; use workers = 0"
        )
    return text


def _exactly(wire: socket.socket, length: int) -> bytes:
    data = wire.recv(length)
    while data and len(data) < length:
        more = wire.recv(length - len(data))
        data = data + more if more else b""
    if not data:
        raise EOFError
    return data
