"""The predicted payoff is Davidson's model with balanced seats; what has no payoff is refused."""

from __future__ import annotations

import numpy as np
import pytest
from builders import RANDOM, duel, row, simulated

from league.errors import RatingError
from league.rating.ledger import Ledger
from league.rating.prediction import predicted_payoff


def test_results_are_predicted_for_policies_that_never_met() -> None:
    rows = [duel("a", "b", 600, 0, 200), duel("b", "a", 200, 0, 600), duel("b", "c", 600, 0, 200)]
    found = predicted_payoff(Ledger([*rows, duel("c", "b", 200, 0, 600)]), frozenset())
    assert found.ids == ("a", "b", "c")
    # Odds of three to one twice over are nine to one; what a pair may deviate by costs less than 0.006.
    assert found.score == pytest.approx(np.array([[0.5, 0.75, 0.9], [0.25, 0.5, 0.75], [0.1, 0.25, 0.5]]), abs=6e-3)
    assert found.score + found.score.T == pytest.approx(np.ones((3, 3)), abs=1e-12)


def test_seats_are_balanced_and_draws_are_half_a_win() -> None:
    strength, nu, side = {"a": 1.2, "b": 0.3, "random": 0.0}, 0.8, 0.6
    found = predicted_payoff(Ledger(simulated(strength, 40_000, np.random.default_rng(5), side, nu)), RANDOM)

    def davidson(gap: float) -> float:
        win, loss = np.exp(gap / 2), np.exp(-gap / 2)
        return float((win + nu / 2) / (win + loss + nu))

    assert found.score[0, 1] == pytest.approx((davidson(0.9 + side) + davidson(0.9 - side)) / 2, abs=0.004)
    assert found.score[1, 2] == pytest.approx((davidson(0.3 + side) + davidson(0.3 - side)) / 2, abs=0.004)


def test_nothing_played_predicts_nothing() -> None:
    assert predicted_payoff(Ledger(), RANDOM).ids == ()


def test_roles_that_never_meet_have_no_payoff() -> None:
    rows = [duel("a", "random/x", 3, 0, 1, paired=True), duel("b", "random/y", 1, 0, 3, paired=True)]
    found = predicted_payoff(Ledger(rows), frozenset({"random/x", "random/y"}))
    known = np.isfinite(found.score)
    assert found.ids == ("a", "b", "random/x", "random/y")
    assert known.tolist() == [[i % 2 == j % 2 for j in range(4)] for i in range(4)]


@pytest.mark.parametrize(
    ("rows", "anchors", "message"),
    [
        ([row("a", "b", "c", placements={(0, 1, 2): 4})], RANDOM, "1 against 1 against 1"),
        ([row("a b", "c d", placements={(0, 1): 4})], RANDOM, "2 against 2"),
        ([row("a", placements={(0,): 4})], RANDOM, "mean-score"),
        (
            [duel("a", "random/y", 3, 0, 1), duel("random/x", "random/y", 3, 0, 1)],
            frozenset({"random/x", "random/y"}),
            "different roles",
        ),
    ],
)
def test_what_has_no_payoff_is_refused(rows: list, anchors: frozenset[str], message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(RatingError, match=message):
        predicted_payoff(Ledger(rows), anchors)
