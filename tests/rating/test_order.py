"""Seat and order tell nothing: where everybody scores 0.5 all systems say so, however the ledger is written."""

from __future__ import annotations

import math
from itertools import pairwise, permutations
from typing import get_args

import numpy as np
import pytest
from builders import RANDOM, duel, row

from league.rating.core import META_GAMES, make_rating
from league.rating.ledger import Ledger
from league.rating.meetings import Duels, Meeting, meetings
from league.rating.openskill import ModelName, OpenSkill, OpenSkillSettings
from league.records import MatchResult

SEQUENTIAL = [("elo", {}), *(("openskill", {"model": model}) for model in get_args(ModelName))]
RELATIVE = [*SEQUENTIAL, *((name, {}) for name in ("melo", "bradley-terry", "field", "robust", *META_GAMES))]
NAMES = ["a", "b", "c", "random"]
PATTERNS = {
    "first of two": (0, 1),
    "draw of two": (0, 0),
    "first of three": (0, 1, 1),
    "one after the other": (0, 1, 2),
    "middle of four ties": (0, 1, 1, 3),
    "draw of five": (0, 0, 0, 0, 0),
}


def _label(case: tuple[str, dict[str, str]]) -> str:
    return case[1].get("model", case[0])


def _match(names: list[str], pattern: tuple[int, ...], games: int) -> list[MatchResult]:
    """A match as it is played: a row for each rotation of the lineup, and a seat decides each game."""
    turned = [names[turn:] + names[:turn] for turn in range(len(names))]
    return [row(*lineup, placements={pattern: games}) for lineup in turned]


def _values(system: tuple[str, dict[str, str]], rows: list[MatchResult]) -> list[float]:
    name, settings = system
    ratings = make_rating(name, **settings).rate(Ledger(rows), RANDOM)
    ends = [(one.value, one.low, one.high) if name != "alpharank" else (one.value,) for one in ratings.values()]
    assert all(math.isfinite(end) for one in ends for end in one)
    return [rating.value for rating in ratings.values()]


@pytest.mark.parametrize("games", [1, 2, 8, 64, 512])
@pytest.mark.parametrize("system", RELATIVE, ids=_label)
def test_where_the_first_seat_always_wins_all_are_equal_whatever_the_block(
    system: tuple[str, dict[str, str]], games: int
) -> None:
    rows = [one for i, a in enumerate(NAMES) for b in NAMES[:i] for one in _match([a, b], (0, 1), games)]
    values = _values(system, rows)
    assert max(values) - min(values) < 1e-6


@pytest.mark.parametrize("order", ["one seating after the other", "shuffled", "backwards"])
@pytest.mark.parametrize("system", SEQUENTIAL, ids=_label)
def test_no_order_of_the_rows_sets_equals_apart(system: tuple[str, dict[str, str]], order: str) -> None:
    rows = [duel(a, b, 16, 0, 0) for a, b in permutations(NAMES, 2)]
    if order == "one seating after the other":
        rows.sort(key=lambda one: one.policies[0] > one.policies[1])
    elif order == "shuffled":
        np.random.default_rng(5).shuffle(rows)  # type: ignore[arg-type]
    else:
        rows.reverse()
    assert set(_values(system, rows)) == {0.0}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
@pytest.mark.parametrize("system", SEQUENTIAL, ids=_label)
def test_equals_stay_equal_at_any_number_of_seats(system: tuple[str, dict[str, str]], pattern: tuple[int, ...]) -> None:
    names = [*(f"s{number}" for number in range(len(pattern) - 1)), "random"]
    values = _values(system, _match(names, pattern, 20))
    # A few rounding errors, of ratings in points.
    assert max(values) - min(values) < 1e-6


@pytest.mark.parametrize("system", SEQUENTIAL, ids=_label)
def test_a_team_that_fills_two_of_three_seats_is_equal_too(system: tuple[str, dict[str, str]]) -> None:
    values = _values(system, _match(["a", "a", "random"], (0, 1, 1), 20))
    assert max(values) - min(values) < 1e-6


@pytest.mark.parametrize("system", SEQUENTIAL, ids=_label)
@pytest.mark.parametrize("sides", [("a", "b"), ("a", "b", "c"), ("a b", "c d")])
def test_draws_keep_all_equal_and_narrow_intervals_down(
    system: tuple[str, dict[str, str]], sides: tuple[str, ...]
) -> None:
    name, settings = system
    widths = []
    for games in (1, 4, 16, 64, 256, 1024):
        rows = [row(*sides, placements={(0,) * len(sides): games})]
        ratings = make_rating(name, **settings).rate(Ledger(rows), frozenset())
        assert {rating.value for rating in ratings.values()} == {0.0}
        widths.append(ratings["a"].high - ratings["a"].low)
    assert all(later < earlier for earlier, later in pairwise(widths))


@pytest.mark.parametrize("pattern", [(0, 1), (0, 0), (0, 1, 2), (0, 0, 1)])
@pytest.mark.parametrize("system", SEQUENTIAL, ids=_label)
def test_one_game_gives_finite_ratings(system: tuple[str, dict[str, str]], pattern: tuple[int, ...]) -> None:
    assert len(_values(system, [row(*NAMES[: len(pattern)], placements={pattern: 1})])) == len(pattern)


@pytest.mark.parametrize("system", SEQUENTIAL, ids=_label)
def test_seat_and_order_do_not_change_what_unequal_policies_are_rated(system: tuple[str, dict[str, str]]) -> None:
    first = [duel("a", "b", 12, 1, 3), duel("b", "a", 5, 1, 10)]
    second = [duel("b", "c", 11, 0, 5), duel("c", "b", 9, 2, 5)]
    name, settings = system
    as_played = make_rating(name, **settings).rate(Ledger(first + second), frozenset())
    mixed = [first[1], second[0], second[1], first[0]]
    for policy, rating in make_rating(name, **settings).rate(Ledger(mixed), frozenset()).items():
        assert rating.value == pytest.approx(as_played[policy].value)
        assert rating.low == pytest.approx(as_played[policy].low)
    assert as_played["a"].value > as_played["b"].value > as_played["c"].value


@pytest.mark.parametrize("system", SEQUENTIAL, ids=_label)
def test_a_ledger_that_grew_rates_as_one_that_was_read_at_once(system: tuple[str, dict[str, str]]) -> None:
    rows = [*_match(["a", "b", "c"], (0, 1, 2), 4), duel("a", "b", 3, 1, 0), *_match(["c", "b", "a"], (0, 0, 1), 2)]
    name, settings = system
    grown, model = Ledger(), make_rating(name, **settings)
    for one in rows:
        grown.extend([one])
        model.rate(grown, RANDOM)
    assert model.rate(grown, RANDOM) == make_rating(name, **settings).rate(Ledger(rows), RANDOM)


def test_meetings_come_in_the_order_of_their_first_games_counted_from_one_side() -> None:
    rows = [
        duel("a", "b", 3, 2, 1),
        row("b", "c", "a", placements={(0, 1, 2): 2}),
        duel("c", "a", 1, 0, 4),
        duel("b", "a", 5, 0, 7),
        row("a", "b", "c", placements={(0, 1, 2): 1, (2, 0, 1): 1}),
        duel("c", "a", 1, 0, 0, paired=True),
        duel("c", "c", 1, 0, 0),
    ]
    first, second, third = meetings(Ledger(rows))
    assert isinstance(first, Duels)
    assert [part.tolist() for part in (first.first, first.second, first.wins, first.draws, first.losses)] == [
        *([0], [1], [10], [2], [6])
    ]
    assert second == Meeting(((0,), (1,), (2,)), {(2, 0, 1): 3, (0, 1, 2): 1})
    assert isinstance(third, Duels)
    assert [part.tolist() for part in (third.first, third.second, third.wins, third.losses)] == [[0], [2], [4], [2]]


def test_a_settled_gap_at_three_sides_is_openskills_own_however_many_seatings_it_came_from() -> None:
    names = ["a", "b", "c"]
    turned = [names[turn:] + names[:turn] for turn in range(3)]
    rows = [row(*lineup, placements={tuple(names.index(name) for name in lineup): 30}) for lineup in turned]
    for model in get_args(ModelName):
        system = OpenSkill(OpenSkillSettings(model=model))
        skills = system.skills(Ledger(rows))
        once = system.skills(Ledger([row(*names, placements={(0, 1, 2): 90})]))
        assert {name: skills[name].mu for name in names} == pytest.approx({name: once[name].mu for name in names})
