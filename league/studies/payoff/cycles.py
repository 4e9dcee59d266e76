"""`league payoff --cycles`: how much of a payoff is transitive, and its strongest cycles by name.

- With policies, from the games that were played for the table. Without, from the ledger: the shares are those of the
  predicted payoff, the cycles those that rated games prove, and those that are predicted but not proved yet.
- Shares are of the variance of the log-odds (of the score itself where its size counts), each pair weighted by the
  information that a game between the two carries, less what sampling alone is expected to add.
- A cycle is proved if each of its edges is. Edges are tested together: the chance that any that is taken for proved is
  none is at most 5 %, however many pairs there are (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from league.errors import PolicyError
from league.games.core import GameSpec
from league.play.fixture import sides_are_alike
from league.rating.core import require_one_on_one
from league.rating.metagame.cycles import Cycle, strongest_cycles
from league.rating.metagame.hodge import Decomposition, decompose
from league.rating.metagame.transitivity import certain_advantage, chance_if_transitive, decompose_results
from league.rating.payoff import wilson
from league.rating.prediction.pairs import Pairs
from league.run.roster.ranking import Ranking
from league.studies.payoff.ledger import labels, refuse_one_sided
from league.studies.payoff.report import Cell, PayoffReport, ScoreUnit

Floats = NDArray[np.float64]

Cells = dict[tuple[int, int], Cell]
"""Cells by row and column, of the pairs that have met."""

Verdict = Literal["cyclic", "transitive", "undecided"]

CERTAIN = 0.95
"""The confidence with which all edges that count as proved are what they seem."""

NEGLIGIBLE = 0.02
"""The cyclic share up to which strengths count as explaining the scores, even where a million games can tell."""


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
    sampling alone makes a transitive payoff deviate so much from what strengths explain.
    verdict: "cyclic" with a proved cycle; "transitive" without, where strengths explain the scores (what they do not
    is chance, or `NEGLIGIBLE`); else "undecided".
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
    chance: float
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
    found = (_of_scores if table.unit == "score" else _of_results)(table.rows, table.role, cells)
    return CycleReport(tables=(found,), played=True, episodes=report.episodes, seed=report.seed, seconds=report.seconds)


def cycles_of_ledger(ranking: Ranking) -> CycleReport:
    """The cycles among all rated policies of each role.

    Raises PolicyError in one-sided games and without rated games, and RatingError as `require_one_on_one`.
    """
    refuse_one_sided(ranking)
    ledger, fitted = ranking.ratings.current, ranking.ratings.payoff
    if fitted is None:
        raise PolicyError("no rated games have been played yet, so there is no payoff to look for cycles in")
    require_one_on_one(ledger, frozenset(one.id for one in ranking.entrants.anchors if one.zero))
    pairs, size = Pairs.of(ledger), len(ledger.ids)
    score, games = np.full((size, size), 0.5), np.zeros((size, size))
    score[pairs.first, pairs.second], score[pairs.second, pairs.first] = pairs.score, 1.0 - pairs.score
    games[pairs.first, pairs.second] = games[pairs.second, pairs.first] = pairs.games
    predicted = np.stack(fitted.model.interval(*fitted.model.log_odds()))
    place = {policy: i for i, policy in enumerate(ledger.ids)}
    tables = []
    for role in ranking.game.roles:
        shown = [line.snapshot for line in ranking.standings(role) if line.snapshot.id in place]
        among = np.ix_(*[[place[one.id] for one in shown]] * 2)
        expected = np.stack([values[among] for values in predicted])
        tables.append(_of_ledger(labels(shown), role, score[among], games[among], pairs.spread, expected))
    return CycleReport(tables=tuple(tables), played=False)


def _of_ledger(
    names: Sequence[str], role: str, score: Floats, games: Floats, spread: float, predicted: Floats
) -> CycleTable:
    """predicted: `[3, N, N]` mean results and the ends of their intervals."""
    parts, chance = decompose_results(predicted[0]), chance_if_transitive(score, games, spread)
    # Where the games of a match go together they tell less than as many games apart; draws are left to Wilson's bound.
    proved = strongest_cycles(certain_advantage(score, games / max(spread, 1.0), CERTAIN))
    expected = [cycle for cycle in strongest_cycles(predicted[1] - 0.5) if cycle not in proved]

    def edge(i: int, j: int) -> Edge:
        played, mean = int(games[i, j]), float(score[i, j])
        return Edge(
            row=names[i],
            column=names[j],
            played=Cell(mean, *wilson(mean * played, played), played) if played else None,
            predicted=Interval(*predicted[:, i, j].tolist()),
        )

    return CycleTable(
        role=role,
        policies=tuple(names),
        pairs=int(np.count_nonzero(games)) // 2,
        unit="result",
        transitive=parts.transitive_share,
        cyclic=parts.cyclic_share,
        chance=chance,
        verdict=_verdict(proved, chance, parts),
        cycles=_edges(proved, edge),
        expected=_edges(expected, edge),
    )


def _of_results(names: Sequence[str], role: str, cells: Cells) -> CycleTable:
    """Of mean results of games that were played."""
    score, games = np.full((len(names), len(names)), 0.5), np.zeros((len(names), len(names)))
    for place, cell in cells.items():
        score[place], games[place] = cell.score, cell.games
    proved = strongest_cycles(certain_advantage(score, games, CERTAIN))
    return _of_cells(
        names, role, "result", cells, proved, decompose_results(score, games), chance_if_transitive(score, games)
    )


def _of_scores(names: Sequence[str], role: str, cells: Cells) -> CycleTable:
    """Of mean scores in the game's own unit. Raises PolicyError where the two sides' do not sum to 0."""
    score, noise, edge = np.zeros((3, len(names), len(names)))
    for place, cell in cells.items():
        half = cell.high - cell.score
        score[place] = cell.score
        noise[place] = (half / _student(cell.games, 0.025)) ** 2
        # Half of the error for each end of a pair's interval, as `certain_advantage` does.
        edge[place] = cell.score - half * _student(cell.games, (1.0 - CERTAIN) / len(cells)) / _student(
            cell.games, 0.025
        )
    if np.abs(score + score.T).max() > 1e-6 * max(np.abs(score).max(), 1.0):
        raise PolicyError("cycles need a game whose sides' scores sum to 0, so that who scores more has won")
    parts = decompose(score, noise=noise)
    assert parts.chance is not None
    return _of_cells(names, role, "score", cells, strongest_cycles(edge), parts, parts.chance)


def _of_cells(
    names: Sequence[str],
    role: str,
    unit: ScoreUnit,
    cells: Cells,
    proved: Sequence[Cycle],
    parts: Decomposition,
    chance: float,
) -> CycleTable:
    return CycleTable(
        role=role,
        policies=tuple(names),
        pairs=len(cells) // 2,
        unit=unit,
        transitive=parts.transitive_share,
        cyclic=parts.cyclic_share,
        chance=chance,
        verdict=_verdict(proved, chance, parts),
        cycles=_edges(proved, lambda i, j: Edge(row=names[i], column=names[j], played=cells[i, j])),
    )


def _verdict(proved: Sequence[Cycle], chance: float, parts: Decomposition) -> Verdict:
    if proved:
        return "cyclic"
    return "transitive" if chance > 1.0 - CERTAIN or parts.cyclic_share < NEGLIGIBLE else "undecided"


def _student(games: int, tail: float) -> float:
    """The quantile of Student's distribution beyond which `tail` lies, for a mean of at least two games."""
    from scipy.special import stdtrit

    return float(stdtrit(games - 1, 1.0 - tail))


def _edges(cycles: Sequence[Cycle], edge: Callable[[int, int], Edge]) -> tuple[tuple[Edge, ...], ...]:
    return tuple(tuple(edge(i, j) for i, j in pairwise((*cycle, cycle[0]))) for cycle in cycles)
