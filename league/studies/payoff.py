"""`league payoff`: the head-to-head table, as the ledger has it. Playing one anew is `league.studies.head_to_head`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal

from league.errors import PolicyError
from league.rating.payoff import Payoff, wilson
from league.records import Snapshot, Standing
from league.run.ranking import Ranking

Unit = Literal["result", "score"]
"""What a cell holds: a mean result in [0, 1] (half for a draw), or a mean score in the game's own unit."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a row scored against a column, on average over `games` games, and the 95 % interval of that."""

    score: float
    low: float
    high: float
    games: int


@dataclass(frozen=True, slots=True)
class PayoffTable:
    """`cells[row][column]`: what the row scored against the column; None where they did not meet.

    rows, columns: labels. role: the rows', of whom the score is; against: the columns' ("": they fill whole sides).
    together: rows and columns share a side, so that a cell is what their team scored.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    role: str
    against: str
    unit: Unit
    together: bool
    cells: tuple[tuple[Cell | None, ...], ...]


@dataclass(frozen=True, slots=True)
class PayoffReport:
    """One table, or one for each role. played: whether for this report (episodes, seed, seconds), else rated games."""

    tables: tuple[PayoffTable, ...]
    played: bool
    note: str = ""
    episodes: int = 0
    seed: int = 0
    seconds: float = 0.0


def from_ledger(ranking: Ranking, size: int) -> PayoffReport:
    """Mean results of rated games between up to `size` policies of each role: the top and a spread of the others.

    One table for each pair of roles whose policies have met. Raises PolicyError in one-sided games, where nobody has.
    """
    if ranking.game.one_sided:
        raise PolicyError(
            f"{ranking.game.id} has one side, so nobody in its ledger meets anybody: name policies to let them play "
            "together, as in `league payoff best latest random`"
        )
    payoff = Payoff.of(ranking.ratings.ledger)
    shown = {role: picked(ranking.standings(role), size) for role in ranking.game.roles}
    tables = []
    for role, against in combinations_with_replacement(shown, 2):
        rows, columns = shown[role], shown[against]
        cells = tuple(tuple(_cell(payoff, row, column) for column in columns) for row in rows)
        if len(shown) == 1 or any(cell for row in cells for cell in row):
            # Within one role an anchor's name need not say which.
            labels = (tuple(one.name.partition("/")[0] for one in side) for side in (rows, columns))
            tables.append(PayoffTable(next(labels), next(labels), role, against, "result", False, cells))
    return PayoffReport(tuple(tables), False)


def picked(lines: Sequence[Standing], size: int) -> list[Snapshot]:
    """Up to `size` of the standings, best first: half from the top, half spread evenly over the rest, the last too."""
    top = min((size + 1) // 2, len(lines))
    rest = lines[top:]
    others = min(size - top, len(rest))
    spread = [rest[(k + 1) * len(rest) // others - 1] for k in range(others)]
    return [line.snapshot for line in (*lines[:top], *spread)]


def _cell(payoff: Payoff, row: Snapshot, column: Snapshot) -> Cell | None:
    games = payoff.games(row.id, column.id)
    if not games:
        return None
    score = payoff.score(row.id, column.id)
    return Cell(score, *wilson(score * games, games), games)
