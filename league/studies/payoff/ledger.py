"""`league payoff` without policies: the head-to-head table of the ledger's rated games."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

from league.errors import PolicyError
from league.rating.payoff import Payoff, wilson
from league.records import Snapshot, Standing
from league.run.roster.ranking import Ranking
from league.studies.payoff.report import Cell, PayoffReport, PayoffTable


def payoff_of_ledger(ranking: Ranking, size: int) -> PayoffReport:
    """Mean results of rated games between up to `size` policies of each role, see `picked`.

    There is a table for each pair of roles whose policies have met. Raises PolicyError in one-sided games, whose rated
    games have no opponents.
    """
    refuse_one_sided(ranking)
    payoff = Payoff.of(ranking.ratings.ledger)
    shown = {role: picked(ranking.standings(role), size) for role in ranking.game.roles}
    tables = []
    for role, against in combinations_with_replacement(shown, 2):
        rows, columns = shown[role], shown[against]
        cells = tuple(tuple(_cell(payoff, row, column) for column in columns) for row in rows)
        if len(shown) == 1 or any(cell for row in cells for cell in row):
            tables.append(
                PayoffTable(
                    rows=labels(rows),
                    columns=labels(columns),
                    role=role,
                    against=against,
                    unit="result",
                    together=False,
                    cells=cells,
                )
            )
    return PayoffReport(tuple(tables), played=False)


def picked(lines: Sequence[Standing], size: int) -> list[Snapshot]:
    """Up to `size` snapshots, best first: half from the top, half spread evenly over the rest, including the last."""
    top = min((size + 1) // 2, len(lines))
    rest = lines[top:]
    others = min(size - top, len(rest))
    spread = [rest[(k + 1) * len(rest) // others - 1] for k in range(others)]
    return [line.snapshot for line in (*lines[:top], *spread)]


def refuse_one_sided(ranking: Ranking) -> None:
    """Raises PolicyError in one-sided games, whose rated games have no opponents."""
    if ranking.game.one_sided:
        raise PolicyError(
            f"{ranking.game.id} has one side, so its rated games have no opponents: name policies that "
            "are to play together, such as best, latest and random"
        )


def labels(snapshots: Sequence[Snapshot]) -> tuple[str, ...]:
    """The names of policies of one role; an anchor's name without its role."""
    return tuple(one.guest or one.name.partition("/")[0] for one in snapshots)


def _cell(payoff: Payoff, row: Snapshot, column: Snapshot) -> Cell | None:
    games = payoff.games(row.id, column.id)
    if not games:
        return None
    score = payoff.score(row.id, column.id)
    return Cell(score, *wilson(score * games, games), games)
