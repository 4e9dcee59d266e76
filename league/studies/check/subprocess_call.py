"""Calls a function in a fresh process with another hash seed, which is stopped if it never ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from league.errors import GameError
from league.plugins import load

_MARK = "league answers "


def call_in_subprocess(where: str, request: Mapping[str, object], timeout: float) -> tuple[Any, str]:
    """What the function at `where` (`package.module:name`) returns for a request; None and the reason if it fails.

    request, and the answer: plain JSON values. timeout: seconds after which the process is stopped.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}"
    code += f"; from league.studies.check.subprocess_call import serve_call; serve_call({where!r})"
    other = "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"
    try:
        process = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": other, "OMP_NUM_THREADS": "1"},
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"it took more than {timeout:g} seconds"
    # Ignore what the environment prints itself.
    for line in process.stdout.splitlines():
        if line.startswith(_MARK):
            return json.loads(line.removeprefix(_MARK)), ""
    errors = process.stderr.strip().splitlines()
    return None, errors[-1] if errors else f"it ended with status {process.returncode}"


def serve_call(where: str) -> None:
    """The other end of `call_in_subprocess`: reads the request from standard input."""
    function: Callable[..., object] = load(where, "function", GameError)
    sys.stdout.write(f"\n{_MARK}{json.dumps(function(json.loads(sys.stdin.read())))}\n")
