"""Environments in worker processes: each has an `EnvBatch` of its own, and all play on one shared buffer.

A worker is a fresh Python process that imports numpy and the environment, not torch. It builds its environments itself,
from names and plain values. Parent and workers exchange one short message each way a turn (`worker_messages`).
"""

from __future__ import annotations

import ast
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import NoReturn

from league import plugins
from league.errors import GameError
from league.games.pettingzoo import worker_messages as messages
from league.games.pettingzoo.shared_buffer import BatchSpec, RoleLayout, SharedBuffer
from league.games.pettingzoo.sources import Environment, find
from league.games.pettingzoo.spaces import ObservationOptions
from league.games.pettingzoo.vector_env import EnvBatch

_CLOSE_SECONDS = 5.0
"""How long a worker may take to close its environments before it is killed."""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class WorkerPool:
    """An `EnvBackend` of `count` processes: slot b is stepped by process b modulo `count`.

    origin: an id for `sources.find`, or, where `user_code`, the name of a factory for `plugins.load`. options: of the
    environment, plain values. wrappers: names of what wraps it. What the user's own names mean must be loaded here
    already, and what the workers load must be the same. The processes start at once and import what they need while the
    parent goes on; `configure` must be called before anything else.

    An environment that raises in a worker, and a worker that dies, is a GameError here that names the slot that was
    being stepped. After a death, or an interrupt in the middle of a turn, all workers are ended.
    Raises GameError where options are not plain values, and where processes cannot be started.
    """

    def __init__(
        self,
        game: str,
        origin: str,
        *,
        user_code: bool,
        options: Mapping[str, object],
        wrappers: Sequence[str],
        count: int,
    ) -> None:
        self._game, self._count = game, count
        order = {
            "origin": origin,
            "user_code": user_code,
            "options": dict(options),
            "wrappers": [*wrappers],
            "files": {name: plugins.files_of(name).content for name in [*wrappers, *([origin] if user_code else [])]},
            "count": count,
        }
        text = messages.literal(game, order)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._wires: list[socket.socket] = []
        self._kill = weakref.finalize(self, _kill, self._processes, self._wires)
        self._spec: BatchSpec
        self._buffer: SharedBuffer | None = None
        try:
            for _ in range(count):
                self._start_process()
        except OSError as error:
            self._kill()
            raise GameError(f"{game}: {count} worker processes cannot be started: {error}") from error
        self._send_all(messages.OPEN, text)

    def configure(self, spec: BatchSpec) -> None:
        """Send what only the parent finds out. Raises GameError where a worker cannot import the environment."""
        self._receive_all()
        self._spec = spec
        self._request(messages.SPEC, repr(asdict(spec)))

    def resize(self, slots: int) -> SharedBuffer:
        """See `EnvBackend.resize`."""
        size = SharedBuffer.size(self._spec, slots, self._count)
        memory = messages.new_memory(size)
        try:
            buffer = SharedBuffer(self._spec, slots, self._count, messages.mapped(memory, size))
            self._request(messages.RESIZE, str(slots), memory)
        finally:
            os.close(memory)
        self._buffer = buffer
        return buffer

    def step(self) -> None:
        """See `EnvBackend.step`."""
        self._request(messages.STEP)

    def render(self, slot: int) -> str:
        """See `EnvBackend.render`."""
        return self._request(messages.RENDER, str(slot))[slot % self._count]

    def close(self) -> None:
        """See `EnvBackend.close`; may be called twice."""
        if not self._kill.alive:
            return
        # Workers that are dead or do not answer are killed in the end.
        for wire in self._wires:
            with suppress(OSError):
                messages.send(wire, messages.CLOSE)
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_CLOSE_SECONDS)
        self._kill()

    def _start_process(self) -> None:
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

    def _request(self, what: bytes, text: str = "", memory: int | None = None) -> list[str]:
        """Send a message to all workers and wait for their answers."""
        try:
            self._send_all(what, text, memory)
            return self._receive_all()
        except GameError:
            raise
        except BaseException:  # an interrupt: nobody could tell any more which answer belongs to which message
            self._kill()
            raise

    def _send_all(self, what: bytes, text: str = "", memory: int | None = None) -> None:
        if not self._kill.alive:
            raise GameError(f"{self._game}: its worker processes have ended; make a new game")
        for number, wire in enumerate(self._wires):
            try:
                messages.send(wire, what, text)
                if memory is not None:
                    messages.send_memory(wire, memory)
            except OSError:
                self._worker_died(number)

    def _receive_all(self) -> list[str]:
        """Wait for the answers of all workers. Raises GameError for the first error among them."""
        answers: list[tuple[bytes, str]] = []
        try:
            answers.extend(map(messages.receive, self._wires))
        except (EOFError, OSError):
            self._worker_died(len(answers))
        for number, (status, answer) in enumerate(answers):
            if status == messages.REFUSED:
                where = "" if self._buffer is None else f" ({self._stepped_by(number)})"
                raise GameError(f"{answer}{where}")
            if status == messages.FAILED:
                raise GameError(f"{self._game}: {self._stepped_by(number)} failed in its worker process: {answer}")
        return [answer for _, answer in answers]

    def _stepped_by(self, number: int) -> str:
        """What a worker was stepping, in words."""
        return "an environment" if self._buffer is None else f"slot {int(self._buffer.stepping[number])}'s environment"

    def _worker_died(self, number: int) -> NoReturn:
        """End the other workers, and raise a GameError that names how this one died."""
        process = self._processes[number]
        try:
            code = process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:  # it has closed its end of the socket, but lives
            code = 0
        self._kill()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        raise GameError(
            f"{self._game}: the worker process of {self._stepped_by(number)} {how}; the episodes in progress are lost"
        )


def name_of(game: str, origin: Callable[..., Environment]) -> str:
    """The `package.module:Name` of a callable. Raises GameError where another process would not find it there."""
    module, name = getattr(origin, "__module__", None), getattr(origin, "__qualname__", "")
    if module == "__main__" or getattr(sys.modules.get(str(module)), name, None) is not origin:
        raise GameError(
            f"{game}: worker processes cannot find this environment by name: define it at the top level of a module "
            "and pass it as package.module:Name or file.py:Name, or use workers = 0"
        )
    return f"{module}:{name}"


def serve(wire: int, number: int) -> None:
    """The main loop of worker `number`: answer the messages on the socket `wire` until CLOSE."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=wire) as parent:
        threading.Thread(target=_exit_with_parent, args=(wire,), daemon=True).start()
        worker = _Worker(number)
        while True:
            try:
                what, text = messages.receive(parent)
                memory = messages.receive_memory(parent) if what == messages.RESIZE else -1
                if what == messages.CLOSE:
                    return worker.close()
                status, answer = _answer(worker, what, text, memory)
                messages.send(parent, status, answer)
            except (EOFError, ConnectionError):  # the parent is gone, and nobody wants the answer
                return


def _answer(worker: _Worker, what: bytes, text: str, memory: int) -> tuple[bytes, str]:
    """The answer to a message, whatever the environment raises."""
    try:
        return messages.DONE, worker.handle(what, text, memory)
    except GameError as error:
        return messages.REFUSED, str(error)
    except Exception as error:
        return messages.FAILED, f"{type(error).__name__}: {error}\n{traceback.format_exc()}"


class _Worker:
    """What one process holds."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._batch: EnvBatch | None = None

    def close(self) -> None:
        """Close the environments."""
        if self._batch is not None:
            self._batch.close()

    def handle(self, what: bytes, text: str, memory: int) -> str:
        """Do what a message asks for."""
        if what == messages.OPEN:
            self._order = ast.literal_eval(text)
            name = self._order["origin"]
            origin = plugins.load(name, "game", GameError) if self._order["user_code"] else name
            self._source = find(origin, self._order["options"], self._order["wrappers"], name)
            for own, expected in self._order["files"].items():
                _require_same(own, expected)
            return ""
        count: int = self._order["count"]
        if what == messages.SPEC:
            values = ast.literal_eval(text)
            roles = tuple(RoleLayout(**role) for role in values["roles"])
            observations = ObservationOptions(**values["observations"])
            self._spec = BatchSpec(**values | {"roles": roles, "observations": observations})
            self._batch = EnvBatch(self._source, self._spec, self._number, count)
            return ""
        assert self._batch is not None
        if what == messages.RESIZE:
            slots = int(text)
            size = SharedBuffer.size(self._spec, slots, count)
            try:
                self._batch.attach(SharedBuffer(self._spec, slots, count, messages.mapped(memory, size)))
            finally:
                os.close(memory)
        elif what == messages.STEP:
            self._batch.step()
        elif int(text) % count == self._number:
            return self._batch.render(int(text))
        return ""


def _require_same(name: str, expected: Mapping[str, str]) -> None:
    """Raises GameError unless a user's name was loaded from what the parent loaded it from."""
    files = plugins.files_of(name)
    for file in expected.keys() & files.content.keys():
        if expected[file] != files.content[file]:
            raise GameError(
                f"{os.path.join(files.folder, file)} changed while '{plugins.shown(name)}' was being loaded; "
                "start again"
            )


def _exit_with_parent(wire: int) -> None:
    """End this process as soon as the other end of the socket is closed, even where an environment never returns."""
    gone = select.poll()
    gone.register(wire, 0)
    gone.poll()
    os._exit(1)


def _kill(processes: Iterable[subprocess.Popen[bytes]], wires: Iterable[socket.socket]) -> None:
    for wire in wires:
        wire.close()
    for process in processes:
        process.kill()
        process.wait()
