"""`league`: grow strong policies by self-play, and prove how strong they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from league.api import open_run as open_run
    from league.config.run import RunConfig as RunConfig
    from league.orchestrator import League as League
    from league.policies.exported import load_policy as load_policy

# Threads that wait must not spin: beside any other busy process, OpenMP's spinning makes torch ten times slower and
# more. It is read when torch is loaded, so it is set before anything else; a value of the user's own stands.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
__all__ = ["League", "RunConfig", "load_policy", "open_run"]

_HOME = {
    "League": "league.orchestrator",
    "RunConfig": "league.config.run",
    "load_policy": "league.policies.exported",
    "open_run": "league.api",
}


def __getattr__(name: str) -> object:
    # Loaded when first asked for: `league --help` must not wait for torch.
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'league' has no attribute '{name}'")
