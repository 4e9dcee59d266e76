"""Every error that a user can cause. The command line prints its message and exits with code 2.

LeagueError
├── ConfigError       a config file, key or value that cannot be used
├── GameError         an unknown game, a missing extra, an environment that breaks its contract
├── PolicyError       a policy that does not exist, is ambiguous or does not fit the game
├── PositionError     a file of labelled positions that does not fit the game, or is no such file
├── SnapshotError     a snapshot file that is missing, damaged or does not match its name
├── RunError          a folder that is not a run, is in use by another process or was made by another version
├── RatingError       ratings that cannot be computed (non-convergence, no results)
├── PlanError         a matchmaker whose plan cannot be carried out
└── TrainingError     training that cannot continue (non-finite values several times in a row)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class LeagueError(Exception):
    """Base of all errors whose message is for the user: what was wrong, where, and what would be right."""


class ConfigError(LeagueError):
    """A config file, key or value that cannot be used."""


class GameError(LeagueError):
    """An unknown game, a missing extra, or an environment that breaks its contract."""


class PolicyError(LeagueError):
    """A policy that does not exist, is ambiguous, or does not fit the game."""


class PositionError(LeagueError):
    """A file of labelled positions that cannot be read, or does not fit the game."""


class SnapshotError(LeagueError):
    """A snapshot file that is missing, damaged, or does not match its name."""


class RunError(LeagueError):
    """A folder that is not a run, is in use by another process, or was made by another version."""


class RatingError(LeagueError):
    """Ratings that cannot be computed."""


class PlanError(LeagueError):
    """A matchmaker whose plan cannot be carried out."""


class TrainingError(LeagueError):
    """Training that cannot continue."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'fictitious'?``, or an empty string if no valid name is close."""
    close = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


@contextmanager
def interrupts_as_raised() -> Iterator[None]:
    """Raises an interrupt as itself where an Exception was made of it.

    Compiled modules do so with whatever stops their imports (pybind11: "ImportError: initialization failed").
    """
    try:
        yield
    except Exception as error:
        cause = error.__cause__
        while isinstance(cause, Exception):
            cause = cause.__cause__
        if cause is None:
            raise
        raise cause from None  # not an Exception: KeyboardInterrupt, or the end of a round that is dropped
