"""Checks of a game's options, for its constructor. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from league.errors import GameError, nearest


def check_known(game: str, options: Iterable[str], known: Collection[str]) -> None:
    """Raise GameError for an option that is not among the known ones."""
    for option in options:
        if option not in known:
            listed = ", ".join(known) or "none"
            raise GameError(f"{game} has no option '{option}'{nearest(option, known)} (its options are {listed})")


def check_whole(game: str, name: str, value: object, least: int = 1) -> None:
    """Raise GameError unless an option is a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise GameError(f"{game}: {name} must be a whole number of {least} or more, not {value!r}")


def check_number(game: str, name: str, value: object, low: float, high: float) -> None:
    """Raise GameError unless an option is a finite number from `low` to `high`."""
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, int | float) or not right or not math.isfinite(value) or not low <= value <= high:
        ends = f"from {low:g} to {high:g}" if math.isfinite(low) else f"of {high:g} or less"
        raise GameError(f"{game}: {name} must be a number {ends}, not {value!r}")


def check_bool(game: str, name: str, value: object) -> None:
    """Raise GameError unless an option is true or false."""
    if not isinstance(value, bool):
        raise GameError(f"{game}: {name} must be true or false, not {value!r}")


def example(missing: Sequence[str]) -> str:
    """How options that are missing are given."""
    keys = ", ".join(f"{name} = …" for name in missing)
    flags = " ".join(f"--set game.options.{name}=…" for name in missing)
    return f"write `options = {{ {keys} }}` in [game] of the config, or {flags}"


def require_given(game: str, missing: Sequence[str], known: Sequence[str]) -> None:
    """Raises GameError for options without a default that are not given."""
    if missing:
        lacking = f"option{'s' * (len(missing) > 1)} {', '.join(missing)}"
        raise GameError(f"{game} needs the {lacking} (its options are {', '.join(known)}): {example(missing)}")
