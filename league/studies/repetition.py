"""How far the games of a match repeat each other, and what that means for its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from league.play.match import Episodes

_FEW = 10
"""Fewer distinct games than one in so many are few."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """The number of episodes, of distinct ones, and whether every seating repeated one and the same game.

    If so, nothing random was seen, and more games show nothing more. Otherwise repeated games are draws like any other:
    an interval holds for the score of these policies as they choose their moves.
    """

    episodes: int
    distinct: int
    fixed: bool

    @property
    def warning(self) -> str:
        """What a reader should know about the number of games; empty where few of them are repeated."""
        if self.fixed:
            return f"only {self.distinct} distinct games, which every seating repeats: there is no interval"
        if _FEW * self.distinct < self.episodes:
            return (
                f"only {self.distinct} distinct games: the score holds for these policies as they choose their moves, "
                "and says little about positions that they did not reach"
            )
        return ""


def repetition(played: Sequence[Episodes]) -> Repetition:
    """Compare all episodes of some fixtures, played with `hashed`."""
    hashes = [found.trajectory for found in played if found.trajectory is not None]
    seatings = [episodes for one in hashes for episodes in one.T]
    return Repetition(
        sum(map(len, seatings)),
        len(np.unique(np.concatenate(seatings))),
        all(len(np.unique(one)) == 1 for one in seatings) and max(map(len, seatings)) > 1,
    )
