"""Numbers and names as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.views.text import clean, count, duration, interval, interval_digits, number, places, sparkline


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (100, "1m40s"), (3599.9, "1h00m"), (7500, "2h05m"), (273600, "3d04h")],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (11_700, "11.7k"),
        (393_216, "393k"),
        (999_600, "1.0M"),
        (1_234_567, "1.2M"),
        (-1500, "-1.5k"),
        (5e15, "5000T"),
        (math.nan, "–"),
    ],
)
def test_counts_are_short(n: float, text: str) -> None:
    assert count(n) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (412.3, 377.3, 447.3, "412 ±35"),
        (0.9712, 0.9592, 0.9832, "0.971 ±0.012"),
        (-24.9, -26.3, -23.5, "-24.9 ±1.4"),
        (3.0, -math.inf, math.inf, "3.00 ±∞"),
        (3.0, 3.0, 3.0, "3.00 ±0.00"),
    ],
)
def test_an_interval_is_as_fine_as_its_half(value: float, low: float, high: float, text: str) -> None:
    assert interval(value, low, high) == text


def test_a_signed_interval_shows_the_sign_of_the_value_alone() -> None:
    assert interval(412.3, 377.3, 447.3, 0, signed=True) == "+412 ±35"


def test_a_number_that_rounds_to_nothing_has_no_minus() -> None:
    assert number(-0.001, 2) == "0.00"
    assert number(-0.001, 2, signed=True) == "+0.00"


def test_what_is_no_number_is_shown_as_it_is() -> None:
    assert [number(value, 2) for value in (None, math.nan, math.inf, -math.inf)] == ["–", "nan", "∞", "-∞"]


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True))
def test_any_two_floats_can_be_shown_in_little_room(value: float, other: float) -> None:
    digits = places([value, other])
    assert 0 <= digits <= 4
    assert 0 <= interval_digits(value, other) <= 4
    assert len(number(value, digits, signed=True)) <= 12
    assert len(interval(value, value - 1, value + 1)) <= 25


@given(st.text())
def test_a_clean_name_is_one_printable_line_of_equal_length(name: str) -> None:
    assert clean(name).isprintable()
    assert len(clean(name)) == len(name)


def test_an_escape_sequence_in_a_name_is_disarmed() -> None:
    assert clean("a\x1b[2Jb\nc") == "a·[2Jb c"


def test_curves_as_bars() -> None:
    assert sparkline([0.0, 1.0]) == "▁█"
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([0.0, None, 7.0]) == "▁ █"
    assert sparkline([]) == ""
    assert len(sparkline([float(value) for value in range(100)])) == 16
