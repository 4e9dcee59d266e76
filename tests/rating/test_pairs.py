"""Head-to-head results as columns: seats, draws, sides, prefixes, and how much the games of a match go together."""

from __future__ import annotations

import numpy as np
import pytest
from builders import duel, row

from league.rating.ledger import Ledger
from league.rating.payoff import Payoff
from league.rating.prediction.pairs import Pairs


def test_pairs_are_those_of_the_payoff_table() -> None:
    rows = [
        duel("b", "a", 3, 2, 5),
        duel("a", "b", 4, 0, 0),
        row("a", "c", "b", placements={(0, 1, 2): 2, (1, 0, 0): 3}),
        duel("c", "c", 5, 0, 5),
    ]
    ledger, payoff = Ledger(rows), Payoff(rows)
    pairs = Pairs.of(ledger)
    assert len(pairs) == 3
    for first, second, games, score in zip(pairs.first, pairs.second, pairs.games, pairs.score, strict=True):
        a, b = ledger.ids[first], ledger.ids[second]
        assert first < second
        assert games == payoff.games(a, b)
        assert score == pytest.approx(payoff.score(a, b))


def test_a_prefix_has_the_policies_that_played_until_then() -> None:
    ledger = Ledger([duel("a", "b", 3, 0, 1), duel("b", "c", 2, 0, 2), duel("c", "d", 1, 0, 0)])
    found = Pairs.of(ledger, 2)
    assert found.count == 3
    assert list(zip(found.first, found.second, strict=True)) == [(0, 1), (1, 2)]
    assert Pairs.of(Ledger([])).count == 0


def test_draws_narrow_the_spread() -> None:
    """Half of the games drawn, the others won and lost equally: a variance of 1/8, half of a coin's."""
    assert Pairs.of(Ledger([duel("a", "b", 25, 50, 25)])).spread == pytest.approx(0.5)


@pytest.mark.parametrize(("together", "least", "most"), [(0.0, 0.85, 1.15), (0.3, 4.0, 9.0)])
def test_games_of_a_match_that_go_together_widen_the_spread(together: float, least: float, most: float) -> None:
    """Each match of 60 games has a chance of its own: its variance adds 60 times that of the chances to a coin's."""
    rng = np.random.default_rng(3)
    chances = np.clip(0.5 + together * 0.5 * rng.standard_normal(400), 0.02, 0.98)
    rows = [duel("a", "b", won, 0, 60 - won) for won in rng.binomial(60, chances).tolist()]
    assert least <= Pairs.of(Ledger(rows), fading=True).spread <= most
    # Where the two fill the game, such matches can only be those of pairs that were met again for what they showed.
    assert Pairs.of(Ledger(rows)).spread == pytest.approx(1.0)


def test_fading_matches_count_by_the_square_of_how_many_had_played_by_then() -> None:
    """a and b meet when two of four policies have played, and again when all four have: 1/4 and 1."""
    rows = [duel("a", "b", 8, 0, 0), duel("c", "d", 4, 0, 4), duel("a", "b", 4, 0, 4)]
    plain, faded = Pairs.of(Ledger(rows)), Pairs.of(Ledger(rows), fading=True)
    assert (plain.games[0], plain.score[0]) == (16, 0.75)
    assert (faded.games[0], faded.score[0]) == (pytest.approx(8 / 4 + 8), pytest.approx((8 / 4 + 4) / 10))
    # Weights of 1/4 for 8 games and 1 for 16: the variance of the mean is that of their squares.
    assert faded.spread / plain.spread == pytest.approx((8 / 16 + 16) / (8 / 4 + 16))
