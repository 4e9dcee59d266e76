"""Names of policies without weights, as in POLICY and `rating.anchors`. Imports no torch: reading a config needs it.

`random`, `one-ply`, `mcts=N` (N simulations a move), and the user's own, `package.module:Name` or `file.py:Name`. As an
anchor also a file of weights that is named by its sha256, and so always the same policy.
"""

from __future__ import annotations

import re
from pathlib import Path

from league import files, plugins
from league.errors import PolicyError, nearest
from league.records import RANDOM as RANDOM

ONE_PLY, MCTS = "one-ply", "mcts"

MIXTURES = ("nash", "average")
"""The POLICY words that mean a mixture of a run's snapshots."""

_COUNT = re.compile(r"[1-9]\d{0,6}")


def is_scripted(text: str) -> bool:
    """Whether `text` names a policy that ships with league; `mcts=…` counts even if what follows is wrong."""
    return text in (RANDOM, ONE_PLY, MCTS) or text.startswith(f"{MCTS}=")


def is_weights(text: str) -> bool:
    """Whether an anchor is a file of weights that is named by its content: `…/SHA256.safetensors`."""
    path = Path(text)
    return path.suffix == files.SUFFIX and files.is_id(path.stem)


def anchor_name(text: str) -> str:
    """What an anchor is called in a run, wherever its file lies: its name without folders."""
    return Path(text).name if is_weights(text) else plugins.short(text)


def simulations(text: str) -> int:
    """The N of `mcts=N`. Raises PolicyError if N is not valid or has leading zeros: a policy has one name."""
    _, _, count = text.partition("=")
    if not _COUNT.fullmatch(count):
        raise PolicyError(f"'{text}': write mcts=N with N simulations a move, a whole number from 1 on, as in mcts=100")
    return int(count)


def checked_anchors(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts, if each is a valid name of an anchor beside random play. Raises ValueError."""
    for text in texts:
        if text == RANDOM:
            raise ValueError(f"'{RANDOM}' is always an anchor: leave it out")
        if texts.count(text) > 1:
            raise ValueError(f"'{text}' is named more than once")
        if is_scripted(text):
            try:
                _ = text == ONE_PLY or simulations(text)
            except PolicyError as error:
                raise ValueError(str(error)) from error
        elif not is_weights(text) and not re.fullmatch(r"[^@]+:\w+", text):
            hint = nearest(text, (ONE_PLY,))
            raise ValueError(
                f"'{text}' is no anchor{hint}: give one-ply, mcts=N, package.module:Name or file.py:Name, or a file "
                f"of weights that is named by its sha256, SHA256{files.SUFFIX}"
            )
    return texts
