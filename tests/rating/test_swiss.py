"""Swiss pairing: worked by hand, and held against every possible pairing of small fields."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.rating.swiss import SwissRound, pair_round, points, usual_rounds


def rounds(*texts: str) -> list[SwissRound]:
    """Rounds from texts such as "AB CD, E": pairs, then the bye."""
    found = []
    for text in texts:
        pairs, _, bye = text.partition(", ")
        found.append(SwissRound(tuple((a, b) for a, b in pairs.split()), bye or None))
    return found


@pytest.mark.parametrize(
    ("order", "past", "expected"),
    [
        ("ABCD", [], "AB CD"),
        # A and C won: the winners meet, then the losers.
        ("ACBD", ["AB CD"], "AC BD"),
        # A has met B and C; only D is left for it.
        ("ACBD", ["AB CD", "AC BD"], "AD CB"),
        # A has not met B, but C and D would have to meet again.
        ("ABCD", ["CD EF"], "AC BD"),
        # Whoever was not in earlier rounds is paired like all others.
        ("ABCDXY", ["AB CD"], "AC BD XY"),
        # The last has the bye, then the last that had none, then again the last.
        ("ABC", [], "AB, C"),
        ("ABC", ["AB, C"], "AC, B"),
        ("ABC", ["AB, C", "AC, B", "BC, A"], "AB, C"),
        # All have met: everybody meets somebody again, from the top.
        ("ABCD", ["AB CD", "AC BD", "AD BC"], "AB CD"),
        # Each has met the other three: ABC and DEF have not met among themselves, which leaves one pair to meet again.
        ("ABCDEF", ["AD BE CF", "AE BF CD", "AF BD CE"], "AB CD EF"),
        ("AB", ["AB"], "AB"),
    ],
)
def test_rounds_worked_by_hand(order: str, past: list[str], expected: str) -> None:
    assert [pair_round(list(order), rounds(*past))] == rounds(expected)


def every_pairing(field: str) -> list[tuple[tuple[str, str], ...]]:
    """All pairings, in the order in which the top meets the second, the third, … ."""
    if not field:
        return [()]
    top, rest = field[0], field[1:]
    return [((top, one), *others) for one in rest for others in every_pairing(rest.replace(one, ""))]


@given(st.lists(st.sampled_from(list(combinations("ABCDEFGH", 2))), unique=True), st.sampled_from([2, 4, 6, 8]))
def test_it_is_the_first_pairing_of_those_with_the_fewest_rematches(met: list[tuple[str, str]], size: int) -> None:
    field, before = "ABCDEFGH"[:size], {frozenset(pair) for pair in met}

    def rematches(pairing: tuple[tuple[str, str], ...]) -> int:
        return sum(frozenset(pair) in before for pair in pairing)

    # `min` takes the first of equals.
    best = min(every_pairing(field), key=rematches)
    assert pair_round(list(field), [SwissRound(tuple(met))]).pairs == best


def test_points_are_of_pairings_and_byes() -> None:
    past = rounds("AB, C", "AC, B", "BC, A")
    mean = {(0, "A"): 0.51, (0, "B"): 0.49, (1, "A"): 0.5, (1, "C"): 0.5}
    # A: won, level, bye. B: lost, bye, not played yet. C: bye, level, not played yet.
    assert points(past, mean) == {"A": 2.5, "B": 1.0, "C": 1.5}


def test_as_many_rounds_as_single_out_a_winner() -> None:
    assert [usual_rounds(n) for n in (2, 3, 4, 5, 8, 9, 64)] == [1, 2, 2, 3, 3, 4, 6]
