"""The fitted payoff predicts pairs that never met, with balanced seats and draws."""

from __future__ import annotations

import numpy as np
import pytest
from builders import RANDOM, duel, simulated

from league.rating.core import NO_FACTS
from league.rating.ledger import Ledger
from league.rating.prediction.fitted_payoff import fitted_payoff


def test_results_are_predicted_for_policies_that_never_met() -> None:
    rows = [duel("a", "b", 600, 0, 200), duel("b", "a", 200, 0, 600), duel("b", "c", 600, 0, 200)]
    found = fitted_payoff(Ledger([*rows, duel("c", "b", 200, 0, 600)]), frozenset(), NO_FACTS)
    assert found.ids == ("a", "b", "c")
    # Odds of three to one twice over are nine to one; what a pair may deviate by costs less than 0.006.
    score = found.model.scores()
    assert score == pytest.approx(np.array([[0.5, 0.75, 0.9], [0.25, 0.5, 0.75], [0.1, 0.25, 0.5]]), abs=6e-3)
    assert score + score.T == pytest.approx(np.ones((3, 3)), abs=1e-12)


def test_seats_are_balanced_and_draws_are_half_a_win() -> None:
    strength, nu, side = {"a": 1.2, "b": 0.3, "random": 0.0}, 0.8, 0.6
    rows = simulated(strength, 40_000, np.random.default_rng(5), side, nu)
    found = fitted_payoff(Ledger(rows), RANDOM, NO_FACTS)

    def davidson(gap: float) -> float:
        win, loss = np.exp(gap / 2), np.exp(-gap / 2)
        return float((win + nu / 2) / (win + loss + nu))

    score = found.model.scores()
    assert score[0, 1] == pytest.approx((davidson(0.9 + side) + davidson(0.9 - side)) / 2, abs=0.004)
    assert score[1, 2] == pytest.approx((davidson(0.3 + side) + davidson(0.3 - side)) / 2, abs=0.004)


def test_roles_that_never_meet_are_never_opponents() -> None:
    rows = [duel("a", "random/x", 3, 0, 1, paired=True), duel("b", "random/y", 1, 0, 3, paired=True)]
    found = fitted_payoff(Ledger(rows), frozenset({"random/x", "random/y"}), NO_FACTS)
    assert found.predict("a", "b") is None
    assert found.predict("a", "random/y") is None
    assert found.predict("a", "random/x") is not None


def test_matches_beside_the_others_of_long_ago_fade() -> None:
    """a beat b beside few others; beside the many of later they are equal. In a game without others nothing fades."""
    early = [duel("a", "random/x", 48, 0, 16, paired=True), duel("a", "b", 48, 0, 16, paired=True)]
    later = [duel(f"c{n}", "random/x", 48, 0, 16, paired=True) for n in range(8)]
    again = [duel("a", "b", 32, 0, 32, paired=True)]
    elsewhere = [duel("d", "random/y", 32, 0, 32, paired=True)]
    anchors = frozenset({"random/x", "random/y"})
    plain = fitted_payoff(Ledger([*early, *later, *again]), anchors, NO_FACTS)
    apart = fitted_payoff(Ledger([*early, *later, *again, *elsewhere]), anchors, NO_FACTS)
    assert plain.seen("a", "b") == apart.seen("a", "b") == (128, 0.625)
    (before, *_), (after, *_) = plain.predict("a", "b") or (0.0,), apart.predict("a", "b") or (0.0,)
    assert after < before - 0.05
