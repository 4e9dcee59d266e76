"""What games are called. Imports nothing heavy: readers of runs need it."""

from __future__ import annotations

import re

_INTERNAL = re.compile(r"league_user_(.+):")


def current_id(id: str) -> str:
    """The id of a game as it is now. Older versions gave the games of a user's files internal names."""
    return _INTERNAL.sub(r"\1.py:", id)
