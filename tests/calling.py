"""The command line, called in this process."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from league import cli


class Called(NamedTuple):
    """What a command left: its exit code and its output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out, parse_constant=lambda name: 1 / 0)


def league(*args: str | Path) -> Called:
    """`league ARGS` in this process. What a user would see as a traceback is raised."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["league", *map(str, args)]
    code: object = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    return Called(code if isinstance(code, int) else 0 if code is None else 1, out.getvalue(), err.getvalue())


def heavy_imports(args: list[str], heavy: tuple[str, ...]) -> str:
    """What `league ARGS`, in a process of its own, says at its end of which of `heavy` it imported."""
    program = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('HEAVY', [name for name in {heavy!r} if name in sys.modules]))\n"
        "from league.cli import main\n"
        f"sys.argv = {['league', *args]!r}\n"
        "main()\n"
    )
    called = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert called.returncode == 0, called.stderr
    return called.stdout.splitlines()[-1]
