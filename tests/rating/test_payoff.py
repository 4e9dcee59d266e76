"""The payoff table conserves games; Wilson's interval has its published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from builders import duel, row
from hypothesis import given
from hypothesis import strategies as st

from league.errors import RatingError
from league.rating.payoff import Payoff, wilson


def test_counts_are_seen_from_either_side() -> None:
    table = Payoff([duel("b", "a", 5, 2, 3), duel("a", "b", 1, 0, 4)])
    assert table.counts("b", "a") == (9, 2, 4)
    assert table.counts("a", "b") == (4, 2, 9)
    assert table.games("a", "b") == 15
    assert table.score("b", "a") == pytest.approx(10 / 15)


def test_three_sides_are_compared_pair_by_pair() -> None:
    table = Payoff([row("a", "b", "c", placements={(0, 1, 1): 3, (2, 0, 1): 1})])
    assert table.counts("a", "b") == (3, 0, 1)
    assert table.counts("a", "c") == (3, 0, 1)
    assert table.counts("b", "c") == (1, 3, 0)


def test_teams_are_compared_across_sides_only_and_once_a_side() -> None:
    table = Payoff([row("a a", "b c", placements={(0, 1): 2})])
    assert table.counts("a", "b") == table.counts("a", "c") == (2, 0, 0)
    assert table.games("b", "c") == table.games("a", "a") == 0


def test_who_never_met_has_no_score() -> None:
    with pytest.raises(RatingError, match="a and c have played no"):
        Payoff([duel("a", "b", 1, 0, 0)]).score("a", "c")


def test_the_matrix_is_by_row_against_column() -> None:
    matrix = Payoff([duel("a", "b", 3, 0, 1)]).matrix(["b", "a", "c"])
    assert matrix == pytest.approx(
        np.array([[0.5, 0.25, np.nan], [0.75, 0.5, np.nan], [np.nan, np.nan, 0.5]]), nan_ok=True
    )


ROWS = st.lists(
    st.builds(
        lambda sides, counts: row(*sides, placements=counts),
        st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=3, max_size=3, unique=True),
        st.dictionaries(st.permutations([0, 1, 2]).map(tuple) | st.just((0, 0, 1)), st.integers(1, 5), min_size=1),
    ),
    max_size=6,
)


@given(ROWS, st.integers(0, 6))
def test_games_are_conserved_and_growing_is_the_same_as_counting_at_once(rows: list, cut: int) -> None:  # type: ignore[type-arg]
    whole, grown = Payoff(rows), Payoff(rows[:cut])
    grown.add(rows[cut:])
    pairs = [(a, b) for a in "abcd" for b in "abcd" if a < b]
    assert sum(whole.games(a, b) for a, b in pairs) == 3 * sum(one.games for one in rows)
    for a, b in pairs:
        assert whole.counts(a, b) == grown.counts(a, b) == whole.counts(b, a)[::-1]


def test_wilsons_interval() -> None:
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.161125), abs=1e-5)
    assert wilson(20, 20) == pytest.approx((0.838875, 1.0), abs=1e-5)
    assert wilson(0, 0) == (0.0, 1.0)
