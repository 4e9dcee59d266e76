"""Where all commands print: streams that can print every text and that end the command once nobody listens.

`prepare` replaces the standard streams once, so that `print`, rich's consoles and the listeners of a run need not know.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from league.files import readable_json
from league.views.text import DOWNGRADE

UNHEARD = 141
"""The exit code when the reader of the output has gone: 128 + SIGPIPE, as of any program that this signal ends."""


def prepare() -> None:
    """Make the standard streams of this process safe to print to. Streams that are not the process's own stay."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, f"__{name}__") is None:
            # It was closed. A file opened later must not take its number, or the file would get what is printed.
            _to_nowhere(number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _Listened(stream))


def console(stderr: bool = False) -> Console:
    """The console of a command."""
    return Console(stderr=stderr, highlight=False)


def print_json(value: object) -> None:
    """Print a value as JSON for programs: with escapes, unless every character can be printed."""
    print(readable_json(value, escaped=not (sys.stdout.encoding or "utf-8").lower().startswith("utf")))


def flush() -> None:
    """Hand over everything that was printed: only then is it known whether anybody listens."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


class _Listened(io.TextIOWrapper):
    """A standard stream that downgrades what its encoding cannot show.

    If its reader has gone, it raises SystemExit: no listener of a run and no command can mistake it for an error.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        stream.flush()
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors=DOWNGRADE,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._shared = stream  # its end would close the buffer

    def write(self, text: str) -> int:
        with self._heard():
            return super().write(text)

    def flush(self) -> None:
        with self._heard():
            super().flush()

    @contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # What is still buffered goes nowhere, or Python would complain about it at its end.
            _to_nowhere(self.fileno())
            if isinstance(error, BrokenPipeError):
                raise SystemExit(UNHEARD) from None
            raise OSError(error.errno, error.strerror, self.name) from None


def _to_nowhere(number: int) -> None:
    """Let a descriptor lead to the null device."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
