"""Expected margins: what is planted is found, luck is shrunk away, and unequal stakes shape the equilibrium."""

from __future__ import annotations

import numpy as np
import pytest
from builders import row, snapshot

from league.matchmaking.psro import nash
from league.rating.core import NO_FACTS
from league.rating.ledger import Floats, Ledger
from league.rating.prediction.fitted_payoff import fitted_payoff
from league.rating.prediction.forecast import gains
from league.rating.prediction.margins import expected_margins
from league.records import MatchResult

BIASED = np.array([[0.0, -25.0, 50.0], [25.0, 0.0, -5.0], [-50.0, 5.0, 0.0]])
"""Rock, paper, scissors of OpenSpiel's `matrix_brps`: rows against columns."""


def match(a: str, b: str, scores: Floats) -> MatchResult:
    """A match in which `a` scores this in each episode, and `b` the opposite."""
    games = {(0, 1): int((scores > 0).sum()), (0, 0): int((scores == 0).sum()), (1, 0): int((scores < 0).sum())}
    total, squares = float(scores.sum()), float(np.square(scores).sum())
    kept = {pattern: count for pattern, count in games.items() if count}
    return row(a, b, placements=kept, scores=(total, -total), squares=(squares, squares))


def played(truth: Floats, noise: float, games: int, rng: np.random.Generator) -> Ledger:
    """Everybody against everybody in both seats. truth: `[N, N]` the mean scores. noise: deviation of an episode's."""
    names = [f"p{n}" for n in range(len(truth))]
    ledger = Ledger()
    ledger.extend(
        match(names[i], names[j], truth[i, j] + noise * rng.standard_normal(games))
        for i in range(len(names))
        for j in range(len(names))
        if i != j
    )
    return ledger


def test_games_without_luck_show_the_margins() -> None:
    ledger = played(BIASED, 0.0, 4, np.random.default_rng(0))
    assert expected_margins(ledger, ledger.ids, np.zeros((3, 3))) == pytest.approx(BIASED)


def test_an_equilibrium_of_unequal_stakes_is_not_that_of_wins() -> None:
    """By wins everybody is a third. The published equilibrium is (1/16, 5/8, 5/16)."""
    ledger = played(BIASED, 0.0, 64, np.random.default_rng(0))
    payoff = fitted_payoff(ledger, frozenset(), NO_FACTS)
    everyone = [snapshot(id) for id in payoff.ids]
    margins = expected_margins(ledger, payoff.ids, payoff.model.log_odds()[0])
    assert nash(gains(everyone, payoff, margins)) == pytest.approx([1 / 16, 5 / 8, 5 / 16], abs=1e-6)
    assert nash(gains(everyone, payoff, None)) == pytest.approx([1 / 3] * 3, abs=0.02)


def test_luck_is_shrunk_towards_what_strength_predicts() -> None:
    """The margins of few lucky games are closer to the truth than their own means are."""
    rng = np.random.default_rng(1)
    strength = rng.standard_normal(30)
    log_odds = strength[:, None] - strength
    deviation = rng.standard_normal((30, 30))
    truth = 0.8 * log_odds + 0.3 * (deviation - deviation.T)
    ledger = played(truth, 5.0, 20, rng)
    found = expected_margins(ledger, ledger.ids, log_odds)
    assert found == pytest.approx(-found.T)
    (table,) = ledger.tables
    seen = np.zeros((30, 30))
    np.add.at(seen, tuple(table.members.T), (table.score_sum[:, 0] - table.score_sum[:, 1]) / 4 / 20)
    np.add.at(seen, tuple(table.members[:, ::-1].T), (table.score_sum[:, 1] - table.score_sum[:, 0]) / 4 / 20)
    error = [float(np.sqrt(np.square(one - truth).mean())) for one in (found, seen, 0.8 * log_odds)]
    assert error[0] < error[1]
    assert error[0] < error[2], "and what pairs show of their own is kept"


def test_policies_that_never_met_score_what_strength_predicts() -> None:
    ledger = Ledger()
    ledger.extend([match("p0", "p1", np.array([2.0, 2.0])), match("p1", "p2", np.array([4.0, 4.0]))])
    log_odds = np.array([[0.0, 1.0, 3.0], [-1.0, 0.0, 2.0], [-3.0, -2.0, 0.0]])
    assert expected_margins(ledger, ledger.ids, log_odds) == pytest.approx(2.0 * log_odds)
    assert not expected_margins(Ledger(), [], np.zeros((0, 0))).any()


def test_only_the_policies_that_are_asked_for_count() -> None:
    """As where others were evicted: they keep their place in the ledger."""
    ledger = played(BIASED, 0.0, 4, np.random.default_rng(0))
    found = expected_margins(ledger, ["p2", "p0"], np.zeros((2, 2)))
    assert found == pytest.approx(np.array([[0.0, -50.0], [50.0, 0.0]]))
