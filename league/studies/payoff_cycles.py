"""`league payoff --cycles`: how much of a payoff is transitive, and its strongest cycles by name.

- With policies, from the games that were played for the table. Without, from the ledger: the shares are those of the
  predicted payoff, the cycles those that rated games prove, and those that are predicted but not proved yet.
- Shares are of the variance of the log-odds (of the score itself where its size counts), each pair weighted by the
  information that a game between the two carries, less what sampling alone is expected to add.
- A cycle is proved if each of its edges is. Edges are tested together: the chance that any that is taken for proved is
  none is at most 5 %, however many pairs there are (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from league.errors import PolicyError
from league.games.core import GameSpec
from league.play.fixture import sides_are_alike
from league.rating.core import require_one_on_one
from league.rating.metagame.cycles import Cycle, strongest_cycles
from league.rating.metagame.hodge import Decomposition, decompose
from league.rating.payoff import Payoff, wilson
from league.records import Snapshot
from league.run.roster.ranking import Ranking
from league.studies.payoff_ledger import labels, refuse_one_sided
from league.studies.payoff_report import Cell, PayoffReport, PayoffTable, ScoreUnit

Floats = NDArray[np.float64]

Cells = dict[tuple[int, int], Cell]
"""Cells by row and column, of the pairs that have met."""

Verdict = Literal["cyclic", "transitive", "undecided"]

CERTAIN = 0.95
"""The confidence with which all edges that count as proved are what they seem."""

NOTHING = 0.005
"""The cyclic share of predictions up to which strengths explain them."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean result in [0, 1] and its 95 % interval."""

    score: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`row` beats `column`. played: None if they have not met. predicted: by the ratings; None if not asked."""

    row: str
    column: str
    played: Cell | None
    predicted: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleTable:
    """What is cyclic among the policies of one role.

    pairs: how many have met. transitive, cyclic: shares of the variance, which sum to 1. chance: the probability that
    sampling alone makes a transitive payoff look this cyclic; None where the shares are of predictions.
    verdict: "cyclic" with a proved cycle; "transitive" without, where strengths explain the payoff but for what
    sampling explains; else "undecided".
    cycles: the edges of each proved cycle, the strongest first. Edges join each policy to the next and the last to the
    first. expected: cycles each of whose edges the ratings predict (its interval is above 1/2), and that games have not
    proved.
    """

    role: str
    policies: tuple[str, ...]
    pairs: int
    unit: ScoreUnit
    transitive: float
    cyclic: float
    chance: float | None
    verdict: Verdict
    cycles: tuple[tuple[Edge, ...], ...]
    expected: tuple[tuple[Edge, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleReport:
    """One table for each role. played, episodes, seed, seconds: as in `PayoffReport`."""

    tables: tuple[CycleTable, ...]
    played: bool
    episodes: int = 0
    seed: int = 0
    seconds: float = 0.0


def require_cycles(spec: GameSpec, policies: Sequence[str]) -> None:
    """Raises PolicyError where policies of this game cannot beat each other in a circle, or too few are named."""
    if len(spec.sides) != 2 or not sides_are_alike(spec):
        raise PolicyError(f"{spec.id}: cycles are looked for in games of two sides that are alike")
    if len(policies) < 3:
        raise PolicyError(f"a cycle needs at least three policies, not {len(policies)}")


def cycles_played(report: PayoffReport) -> CycleReport:
    """The cycles in a table whose games were played, of a game and policies as `require_cycles` wants them.

    Raises PolicyError where the scores of the two sides do not sum to 0.
    """
    (table,) = report.tables
    cells = {(i, j): cell for i, row in enumerate(table.cells) for j, cell in enumerate(row) if cell is not None}
    parts = _parts_of_scores(cells, len(table.rows)) if table.unit == "score" else _parts_of_results(cells, table)
    proved = strongest_cycles(_certain_advantage(cells, len(table.rows), table.unit))
    found = CycleTable(
        role=table.role,
        policies=table.rows,
        pairs=len(cells) // 2,
        unit=table.unit,
        transitive=parts.transitive_share,
        cyclic=parts.cyclic_share,
        chance=parts.chance,
        verdict=_verdict(proved, parts),
        cycles=_named(proved, table.rows, cells),
    )
    return CycleReport(tables=(found,), played=True, episodes=report.episodes, seed=report.seed, seconds=report.seconds)


def cycles_of_ledger(ranking: Ranking) -> CycleReport:
    """The cycles among all rated policies of each role.

    Raises PolicyError in one-sided games and without rated games, and RatingError as `require_one_on_one`.
    """
    refuse_one_sided(ranking)
    ledger, fitted = ranking.ratings.ledger, ranking.ratings.payoff
    if fitted is None:
        raise PolicyError("no rated games have been played yet, so there is no payoff to look for cycles in")
    require_one_on_one(ledger, frozenset(one.id for one in ranking.entrants.anchors if one.zero))
    predicted, payoff = np.stack(fitted.model.interval(*fitted.model.log_odds())), Payoff.of(ledger)
    place = {policy: i for i, policy in enumerate(fitted.ids)}
    tables = []
    for role in ranking.game.roles:
        shown = [line.snapshot for line in ranking.standings(role) if line.snapshot.id in place]
        rows = [place[one.id] for one in shown]
        tables.append(_of_role(role, shown, predicted[:, rows][:, :, rows], payoff))
    return CycleReport(tables=tuple(tables), played=False)


def _of_role(role: str, shown: Sequence[Snapshot], predicted: Floats, payoff: Payoff) -> CycleTable:
    """predicted: `[3, N, N]` mean results and the ends of their intervals."""
    cells: Cells = {}
    for i, j in permutations(range(len(shown)), 2):
        games = payoff.games(shown[i].id, shown[j].id)
        if games:
            score = payoff.score(shown[i].id, shown[j].id)
            cells[i, j] = Cell(score, *wilson(score * games, games), games)
    proved = strongest_cycles(_certain_advantage(cells, len(shown), "result"))
    expected = [cycle for cycle in strongest_cycles(predicted[1] - 0.5) if cycle not in proved]
    parts = _decomposed_odds(np.clip(predicted[0], 1e-9, 1.0 - 1e-9))
    names = labels(shown)
    return CycleTable(
        role=role,
        policies=names,
        pairs=len(cells) // 2,
        unit="result",
        transitive=parts.transitive_share,
        cyclic=parts.cyclic_share,
        chance=None,
        verdict=_verdict(proved, parts),
        cycles=_named(proved, names, cells, predicted),
        expected=_named(expected, names, cells, predicted),
    )


def _verdict(proved: Sequence[Cycle], parts: Decomposition) -> Verdict:
    if proved:
        return "cyclic"
    explained = parts.cyclic_share < NOTHING if parts.chance is None else parts.chance > 1.0 - CERTAIN
    return "transitive" if explained else "undecided"


def _certain_advantage(cells: Cells, size: int, unit: ScoreUnit) -> Floats:
    """`[N, N]` the lower bound of each pair's advantage; all of them hold together with the confidence `CERTAIN`."""
    # Half of the error for each end of a pair's interval.
    tail = (1.0 - CERTAIN) / max(len(cells), 1)
    deviations = NormalDist().inv_cdf(1.0 - tail)
    bound = np.zeros((size, size))
    for (i, j), cell in cells.items():
        if unit == "result":
            bound[i, j] = wilson(cell.score * cell.games, cell.games, deviations)[0] - 0.5
        elif cell.games > 1:
            bound[i, j] = cell.score - _student(cell.games, tail) * _standard_error(cell)
    return bound


def _parts_of_results(cells: Cells, table: PayoffTable) -> Decomposition:
    """Of played mean results, with half a game added to either policy's wins."""
    odds = np.full((len(table.rows), len(table.rows)), 0.5)
    games = np.ones_like(odds)
    for place, cell in cells.items():
        games[place] = cell.games + 1
        odds[place] = (cell.score * cell.games + 0.5) / (cell.games + 1)
    return _decomposed_odds(odds, games)


def _decomposed_odds(score: Floats, games: Floats | None = None) -> Decomposition:
    """The decomposition of log-odds. score: `[N, N]` in (0, 1). games: that scores are means of; None: exact."""
    information = score * (1.0 - score)
    noise = None if games is None else 1.0 / (games * information)
    return decompose(np.log(score / (1.0 - score)), information, noise)


def _parts_of_scores(cells: Cells, size: int) -> Decomposition:
    """Of mean scores in the game's own unit. Raises PolicyError where the two sides' do not sum to 0."""
    score, noise = np.zeros((size, size)), np.zeros((size, size))
    for place, cell in cells.items():
        score[place] = cell.score
        noise[place] = _standard_error(cell) ** 2 if cell.games > 1 else 0.0
    if np.abs(score + score.T).max() > 1e-6 * max(np.abs(score).max(), 1.0):
        raise PolicyError("cycles need a game whose sides' scores sum to 0, so that who scores more has won")
    return decompose(score, noise=noise)


def _standard_error(cell: Cell) -> float:
    """Of a mean score, from its 95 % interval. It needs two games."""
    return (cell.high - cell.low) / 2.0 / _student(cell.games, 0.025)


def _student(games: int, tail: float) -> float:
    """The quantile of Student's distribution beyond which `tail` lies."""
    from scipy.special import stdtrit

    return float(stdtrit(games - 1, 1.0 - tail))


def _named(
    cycles: Sequence[Cycle], names: Sequence[str], cells: Cells, predicted: Floats | None = None
) -> tuple[tuple[Edge, ...], ...]:
    return tuple(
        tuple(
            Edge(
                row=names[i],
                column=names[j],
                played=cells.get((i, j)),
                predicted=None if predicted is None else Interval(*predicted[:, i, j].tolist()),
            )
            for i, j in pairwise((*cycle, cycle[0]))
        )
        for cycle in cycles
    )
