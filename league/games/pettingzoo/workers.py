"""Environments in worker processes: banks that play on one sheet of shared memory, and the messages that drive them.

A worker is a fresh Python process that imports numpy and the environment, not torch, and builds its environments
itself, from names and plain values. Parent and worker speak over a socket: one short message each way a turn. Arrays
are never sent; they lie in anonymous memory, which needs no name and is gone with the last process that holds it.
"""

from __future__ import annotations

import ast
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from league import plugins
from league.errors import GameError
from league.games.pettingzoo.sources import Environment, find
from league.games.pettingzoo.spaces import Looks
from league.games.pettingzoo.vector_env import Bank, Plan, RolePlan, Sheet, make_driver, text_of

_HEAD = struct.Struct("<cI")
_OPEN, _PLAN, _SEAT, _TURN, _RENDER, _CLOSE = (bytes([letter]) for letter in b"opstrc")
_DONE, _REFUSED, _FAILED = (bytes([letter]) for letter in b".gx")
_PATIENCE = 5.0
"""Seconds that a worker has to close its environments before it is killed."""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Workers:
    """`count` processes, each with a `Bank` of its own: slot b is stepped by process b modulo `count`.

    origin: an id that `environments.find` knows, or where `own`, a factory's name that `plugins.load` knows. options:
    of the environment, plain values; wrappers: names of what is put around it. The processes start at once and import
    what they need while the parent goes on;
    `open` must be called before anything else.

    An environment that raises in a worker, and a worker that dies, is a GameError here that says which slot was being
    stepped. After a death, or an interrupt in the middle of a turn, all workers are ended.
    Raises GameError where options are not plain values, and where processes cannot be started.
    """

    def __init__(
        self, game: str, origin: str, own: bool, options: Mapping[str, object], wrappers: Sequence[str], count: int
    ) -> None:
        self._game, self._count = game, count
        order = {"origin": origin, "own": own, "options": dict(options), "wrappers": [*wrappers], "count": count}
        text = _plain(game, order)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._wires: list[socket.socket] = []
        self._end = weakref.finalize(self, _end, self._processes, self._wires)
        self._plan: Plan
        self._sheet: Sheet | None = None
        try:
            for _ in range(count):
                self._start()
        except OSError as error:
            self._end()
            raise GameError(f"{game}: {count} worker processes cannot be started: {error}") from error
        self._tell(_OPEN, text)

    def open(self, plan: Plan) -> None:
        """Say what only a parent finds out. Raises GameError where a worker cannot find or import the environment."""
        self._hear()
        self._plan = plan
        self._ask(_PLAN, repr(asdict(plan)))

    def seat(self, slots: int) -> Sheet:
        """See `Stage.seat`."""
        size = Sheet.size(self._plan, slots, self._count)
        memory = _anonymous(size)
        try:
            sheet = Sheet(self._plan, slots, self._count, _mapped(memory, size))
            self._ask(_SEAT, str(slots), memory)
        finally:
            os.close(memory)
        self._sheet = sheet
        return sheet

    def turn(self) -> None:
        """See `Stage.turn`."""
        self._ask(_TURN)

    def render(self, slot: int) -> str:
        """See `Stage.render`."""
        return self._ask(_RENDER, str(slot))[slot % self._count]

    def close(self) -> None:
        """See `Stage.close`; may be called twice."""
        if not self._end.alive:
            return
        # Whoever is dead or does not listen is killed in the end.
        for wire in self._wires:
            with suppress(OSError):
                _send(wire, _CLOSE)
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
        self._end()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._wires.append(ours)
        with theirs:
            number, wire = len(self._processes), theirs.fileno()
            code = f"import sys; sys.path[:] = {sys.path!r}; from league.games.pettingzoo.workers import serve; serve"
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", f"{code}({wire}, {number})"],
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # what an environment prints must not mix with what a command prints
                    pass_fds=[wire],
                    env=os.environ | _ONE_THREAD,
                    process_group=0,  # a Ctrl-C in the terminal is the parent's to answer
                )
            )

    def _ask(self, what: bytes, text: str = "", memory: int | None = None) -> list[str]:
        try:
            self._tell(what, text, memory)
            return self._hear()
        except GameError:
            raise
        except BaseException:  # an interrupt: nobody could tell any more which answer belongs to which message
            self._end()
            raise

    def _tell(self, what: bytes, text: str = "", memory: int | None = None) -> None:
        """Send a message to all workers."""
        if not self._end.alive:
            raise GameError(f"{self._game}: its worker processes have ended; make the game anew")
        for number, wire in enumerate(self._wires):
            try:
                _send(wire, what, text)
                if memory is not None:
                    socket.send_fds(wire, [b"m"], [memory])
            except OSError:
                self._mourn(number)

    def _hear(self) -> list[str]:
        """Wait for the answers of all workers. Raises GameError for the first fault."""
        answers: list[tuple[bytes, str]] = []
        try:
            answers.extend(map(_receive, self._wires))
        except (EOFError, OSError):
            self._mourn(len(answers))
        for number, (status, answer) in enumerate(answers):
            if status == _REFUSED:
                raise GameError(answer)
            if status == _FAILED:
                raise GameError(f"{self._game}: {self._place(number)} failed in its worker process: {answer}")
        return [answer for _, answer in answers]

    def _place(self, number: int) -> str:
        return "an environment" if self._sheet is None else f"slot {int(self._sheet.current[number])}'s environment"

    def _mourn(self, number: int) -> NoReturn:
        """Say how a worker died, and end the others."""
        process = self._processes[number]
        try:
            code = process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:  # it has closed its end of the socket, but lives
            code = 0
        self._end()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        raise GameError(f"{self._game}: the worker process of {self._place(number)} {how}; the games in it are lost")


def name_of(game: str, origin: Callable[..., Environment]) -> str:
    """The `package.module:Name` of a callable. Raises GameError where another process would not find it there."""
    module, name = getattr(origin, "__module__", None), getattr(origin, "__qualname__", "")
    if module == "__main__" or getattr(sys.modules.get(str(module)), name, None) is not origin:
        raise GameError(
            f"{game}: worker processes cannot find this environment by name: define it at the top of a module and give "
            "it as package.module:Name or file.py:Name, or use no workers"
        )
    return f"{module}:{name}"


def serve(wire: int, number: int) -> None:
    """The life of worker `number`: answer the messages that come over the socket `wire`, until told to close."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=wire) as parent:
        threading.Thread(target=_end_with_parent, args=(wire,), daemon=True).start()
        worker = _Worker(number)
        while True:
            try:
                what, text = _receive(parent)
                memory = socket.recv_fds(parent, 1, 1)[1][0] if what == _SEAT else -1
                if what == _CLOSE:
                    return worker.close()
                status, answer = _tried(worker, what, text, memory)
                _send(parent, status, answer)
            except (EOFError, ConnectionError):  # the parent is gone, and nobody wants the answer
                return


def _tried(worker: _Worker, what: bytes, text: str, memory: int) -> tuple[bytes, str]:
    """What a message is answered with, whatever the environment raises."""
    try:
        return _DONE, worker.answer(what, text, memory)
    except GameError as error:
        return _REFUSED, str(error)
    except Exception as error:
        return _FAILED, f"{type(error).__name__}: {error}\n{traceback.format_exc()}"


class _Worker:
    """What one process holds."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._bank: Bank | None = None

    def close(self) -> None:
        """Close the environments."""
        if self._bank is not None:
            self._bank.close()

    def answer(self, what: bytes, text: str, memory: int) -> str:
        """Do what a message says."""
        if what == _OPEN:
            self._order = ast.literal_eval(text)
            origin = self._order["origin"]
            place = plugins.load(origin, "game", GameError) if self._order["own"] else origin
            self._source = find(place, self._order["options"], self._order["wrappers"])
            return ""
        if what == _PLAN:
            values = ast.literal_eval(text)
            roles = tuple(RolePlan(**role) for role in values["roles"])
            self._plan = Plan(**values | {"roles": roles, "looks": Looks(**values["looks"])})
            make, draw = partial(make_driver, self._source, self._plan), partial(text_of, self._source)
            self._bank = Bank(make, self._plan, draw, self._number, self._order["count"])
            return ""
        assert self._bank is not None
        count: int = self._order["count"]
        if what == _SEAT:
            slots = int(text)
            size = Sheet.size(self._plan, slots, count)
            try:
                self._bank.sit(Sheet(self._plan, slots, count, _mapped(memory, size)))
            finally:
                os.close(memory)
        elif what == _TURN:
            self._bank.turn()
        elif int(text) % count == self._number:
            return self._bank.render(int(text))
        return ""


def _end_with_parent(wire: int) -> None:
    """End this process as soon as the other end of the socket is closed, even where an environment never returns."""
    gone = select.poll()
    gone.register(wire, 0)
    gone.poll()
    os._exit(1)


def _end(processes: Iterable[subprocess.Popen[bytes]], wires: Iterable[socket.socket]) -> None:
    for wire in wires:
        wire.close()
    for process in processes:
        process.kill()
        process.wait()


def _send(wire: socket.socket, what: bytes, text: str = "") -> None:
    data = text.encode()
    wire.sendall(_HEAD.pack(what, len(data)) + data)


def _receive(wire: socket.socket) -> tuple[bytes, str]:
    """A message and its text. Raises EOFError where the other end is closed."""
    what, length = _HEAD.unpack(_exactly(wire, _HEAD.size))
    return what, _exactly(wire, length).decode() if length else ""


def _exactly(wire: socket.socket, length: int) -> bytes:
    data = wire.recv(length)
    while data and len(data) < length:
        more = wire.recv(length - len(data))
        data = data + more if more else b""
    if not data:
        raise EOFError
    return data


def _anonymous(size: int) -> int:
    """A descriptor of `size` bytes of shared memory without a name."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("league")
    else:
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    os.ftruncate(memory, size)
    return memory


def _mapped(memory: int, size: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(mmap.mmap(memory, size), dtype=np.uint8)


def _plain(game: str, order: Mapping[str, object]) -> str:
    """Python's own text of plain values. Raises GameError where it would not be read back as the same."""
    text = repr(order)
    try:
        same = ast.literal_eval(text) == order
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise GameError(
            f"{game}: options for worker processes must be plain values (numbers, text, lists, tables), not "
            f"{order['options']!r}; use no workers"
        )
    return text
