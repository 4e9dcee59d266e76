"""Payoff tables as records: the score of each row against each column."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

ScoreUnit = Literal["result", "score"]
"""The unit of cells: a mean result in [0, 1] (half for a draw), or a mean score in the game's own unit."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The row's mean score against the column over `games` games, and its 95 % interval."""

    score: float
    low: float
    high: float
    games: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoffTable:
    """`cells[row][column]`: the row's score against the column; None if they did not meet.

    rows, columns: labels. role: of the rows, whose scores are shown; against: the columns' role. Both are "" if rows
    and columns fill whole sides. together: rows and columns play on one side, so that a cell is their team's score.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    role: str
    against: str
    unit: ScoreUnit
    together: bool
    cells: tuple[tuple[Cell | None, ...], ...]


@dataclass(frozen=True, slots=True)
class PayoffReport:
    """One table, or one per role.

    played: whether the games were played for this report (then it has episodes, seed and seconds) or come from the
    ledger.
    """

    tables: tuple[PayoffTable, ...]
    played: bool
    _: KW_ONLY
    note: str = ""
    episodes: int = 0
    seed: int = 0
    seconds: float = 0.0
