"""Cycles in payoffs: planted ones are named, in exact and noisy tables, and ladders are called transitive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixed import BOTS

from league.errors import PolicyError, RatingError
from league.games.core import Game
from league.games.registry import make
from league.rating.payoff import wilson
from league.rating.prediction.pairs import Pairs
from league.records import MatchResult, Snapshot
from league.run.roster.game_facts import GameFacts
from league.run.roster.ranking import Ranking
from league.run.roster.roster import Roster
from league.studies.payoff.cycles import CycleTable, Edge, cycles_of_ledger, cycles_played, require_cycles
from league.studies.payoff.played import play_payoff
from league.studies.payoff.report import Cell, PayoffReport, PayoffTable

FIVE = [[0, -1, 0, 0, 1], [1, 0, -1, 0, 0], [0, 1, 0, -1, 0], [0, 0, 1, 0, -1], [-1, 0, 0, 1, 0]]
"""Each action beats the one before it, and is level with the other two."""

PLANTED = [(2, 9, 5), (1, 7, 3, 10, 4)]


@pytest.fixture
def bot(tmp_path: Path) -> Callable[[str], str]:
    """A policy that always takes one action, by the number's name."""
    (tmp_path / "bots.py").write_text(BOTS)
    return lambda name: f"{tmp_path / 'bots.py'}:{name}"


def played(texts: list[str], game: str, games: int = 10, **options: object) -> CycleTable:
    maker: Callable[[int], Game] = partial(_make, game, options)
    one = maker(1)
    one.close()
    roster = Roster(one.spec, Path("nowhere"))
    require_cycles(one.spec, texts)
    (table,) = cycles_played(play_payoff(maker, roster, texts, games)).tables
    return table


def _make(game: str, options: dict[str, object], slots: int) -> Game:
    return make(game, slots, options=options)


def ladder(size: int, cycle: tuple[int, ...] = (), by: float = 0.7) -> np.ndarray:
    """Scores of a ladder in log-odds, on which the members of a cycle are level and each beats the next."""
    rung = np.linspace(2.0, -2.0, size)
    rung[list(cycle)] = 0.0
    score = 1.0 / (1.0 + np.exp(rung - rung[:, None]))
    for i, j in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True):
        score[i, j], score[j, i] = by, 1.0 - by
    return score


def sampled(score: np.ndarray, games: int, seed: int) -> PayoffReport:
    """A table of `games` games a pair. Names are p0, p1 …"""
    rng, size = np.random.default_rng(seed), len(score)
    cells: list[list[Cell | None]] = [[None] * size for _ in range(size)]
    for i in range(size):
        for j in range(i):
            wins = int(rng.binomial(games, score[i, j]))
            cells[i][j] = Cell(wins / games, *wilson(wins, games), games)
            cells[j][i] = Cell(1 - wins / games, *wilson(games - wins, games), games)
    names = tuple(f"p{i}" for i in range(size))
    table = PayoffTable(
        rows=names, columns=names, role="", against="", unit="result", together=False, cells=tuple(map(tuple, cells))
    )
    return PayoffReport((table,), played=True)


def names(cycle: tuple[Edge, ...]) -> list[str]:
    """The policies of a cycle; each edge ends where the next begins."""
    assert [edge.column for edge in cycle] == [edge.row for edge in (*cycle[1:], cycle[0])]
    return [edge.row for edge in cycle]


def test_rock_paper_scissors_is_named(bot: Callable[[str], str]) -> None:
    found = played([bot("Zero"), bot("One"), bot("Two")], "rps", 40)
    (cycle,) = found.cycles
    assert [name.partition(":")[2] for name in names(cycle)] == ["Zero", "Two", "One"]
    assert [edge.played.score for edge in cycle if edge.played] == [1.0] * 3
    assert (found.verdict, found.pairs) == ("cyclic", 3)
    assert found.cyclic > 0.95


def test_a_cycle_of_five_is_named(bot: Callable[[str], str]) -> None:
    texts = [bot(name) for name in ("Zero", "One", "Two", "Three", "Four")]
    found = played(texts, "matrix", 40, payoff=FIVE)
    (cycle,) = found.cycles
    assert [name.partition(":")[2] for name in names(cycle)] == ["Zero", "Four", "Three", "Two", "One"]


def test_cycles_of_scores(bot: Callable[[str], str]) -> None:
    texts = [bot(name) for name in ("Zero", "One", "Two")]
    found = played(texts, "matrix", 40, payoff=[[0, -2, 3], [2, 0, -1], [-3, 1, 0]])
    (cycle,) = found.cycles
    assert found.unit == "score"
    assert [edge.played.score for edge in cycle if edge.played] == [3.0, 1.0, 2.0]
    # Strengths 1/3, 1/3 and -2/3 are the row means; the cycle of 2 is what is left.
    assert found.cyclic == pytest.approx(3 * 4 / (4 + 9 + 1))
    ladder = played(texts, "matrix", 40, payoff=[[0, 2, 4], [-2, 0, 2], [-4, -2, 0]])
    assert (ladder.verdict, ladder.cyclic, ladder.cycles) == ("transitive", pytest.approx(0.0), ())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cycle", PLANTED)
def test_planted_cycles_are_named_in_noisy_tables(cycle: tuple[int, ...], seed: int) -> None:
    (found,) = cycles_played(sampled(ladder(12, cycle), 800, seed)).tables
    assert names(found.cycles[0]) == [f"p{i}" for i in cycle]
    assert found.verdict == "cyclic"
    assert found.chance < 1e-6


def test_ladders_have_no_cycles_and_are_called_transitive() -> None:
    found = [cycles_played(sampled(ladder(20), 100, seed)).tables[0] for seed in range(60)]
    # Three are what one in twenty comes to; a false cycle needs a false edge against the order besides.
    assert sum(bool(one.cycles) for one in found) <= 1
    assert sum(one.verdict == "transitive" for one in found) >= 54
    assert np.mean([one.cyclic for one in found]) < 0.02


def test_saturating_scores_are_no_cycle_but_strengths_do_not_explain_them() -> None:
    rung = np.linspace(3.0, -3.0, 12)
    score = 0.1 + 0.8 / (1.0 + np.exp(4.0 * (rung - rung[:, None])))
    (found,) = cycles_played(sampled(score, 1000, 1)).tables
    assert (found.verdict, found.cycles) == ("undecided", ())
    assert found.cyclic > 0.05


def rated(score: np.ndarray, games: int, skip: tuple[int, int] | None = None) -> Ranking:
    """A run whose snapshots p.0, p.1 … scored so; one pair may not have met."""
    ranking = Ranking(GameFacts("test", ("player",), False), {"by": "bradley-terry"})
    size, rows = len(score), []
    ranking.entrants.replace(
        [
            Snapshot(id=f"{i:064x}", role="player", learner="p", number=i, round=i, steps=i, origin="trained")
            for i in range(size)
        ]
    )
    for i in range(size):
        for j in range(i):
            if (i, j) != skip and (j, i) != skip:
                wins = round(games * score[i, j])
                rows.append(_row(f"{i:064x}", f"{j:064x}", wins, games - wins))
    ranking.ratings.add(rows)
    return ranking


def _row(a: str, b: str, wins: int, losses: int, **changes: Any) -> MatchResult:
    fields: dict[str, Any] = {
        "lineup": ((a,), (b,)),
        "games": wins + losses,
        "placements": {(0, 1): wins, (1, 0): losses},
        "score_sum": (0.0, 0.0),
        "score_sq": (0.0, 0.0),
        "episodes": wins + losses,
        "turns": 1,
        "seed": 0,
    }
    return MatchResult(**(fields | changes))


def test_the_ledgers_cycles_are_those_that_rated_games_prove() -> None:
    (found,) = cycles_of_ledger(rated(ladder(8, (2, 6, 4), 0.75), 300)).tables
    (cycle,) = found.cycles
    first = names(cycle).index("p.2")
    assert [*names(cycle)[first:], *names(cycle)[:first]] == ["p.2", "p.6", "p.4"]
    assert all(edge.played and edge.played.games == 300 and edge.played.low > 0.5 for edge in cycle)
    assert all(edge.predicted is not None for edge in cycle)
    assert (found.verdict, found.pairs, found.expected) == ("cyclic", 28, ())


def test_a_cycle_with_too_few_games_is_not_certain() -> None:
    (few,) = cycles_of_ledger(rated(ladder(8, (2, 6, 4), 0.75), 20)).tables
    assert few.cycles == ()
    (unmet,) = cycles_of_ledger(rated(ladder(8, (2, 6, 4), 0.75), 300, skip=(2, 6))).tables
    assert unmet.cycles == ()
    assert unmet.pairs == 27


def test_games_that_go_together_prove_less(monkeypatch: pytest.MonkeyPatch) -> None:
    ranking = rated(ladder(8, (2, 6, 4), 0.75), 300)
    pairs = Pairs.of(ranking.ratings.ledger)
    monkeypatch.setattr(Pairs, "of", lambda ledger, upto=None: replace(pairs, spread=15.0))
    # Three hundred games that tell as much as twenty.
    (found,) = cycles_of_ledger(ranking).tables
    assert found.cycles == ()


def test_what_cannot_have_cycles_is_refused(bot: Callable[[str], str]) -> None:
    with pytest.raises(PolicyError, match="at least three policies, not 2"):
        played(["random", "random"], "rps")
    with pytest.raises(PolicyError, match="two sides that are alike"):
        played(["random"] * 3, "openspiel:kuhn_poker", players=3)
    with pytest.raises(PolicyError, match="two sides that are alike"):
        played(["random"] * 3, "mpe2:simple_tag_v3")
    texts = [bot("Zero"), bot("One"), "random"]
    with pytest.raises(PolicyError, match="sum to 0"):
        played(texts, "matrix", payoff=[[3, 0], [5, 1]], payoff_column=[[3, 5], [0, 1]])
    ranking = rated(ladder(3), 10)
    nothing = (0.0, 0.0, 0.0)
    three = {"lineup": (("a",), ("b",), ("c",)), "placements": {(0, 1, 2): 4}}
    ranking.ratings.add([_row("a", "b", 3, 1, **three, score_sum=nothing, score_sq=nothing)])
    with pytest.raises(RatingError, match="1 against 1 against 1"):
        cycles_of_ledger(ranking)
