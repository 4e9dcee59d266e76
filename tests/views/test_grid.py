"""Grids fit any width without breaking a number."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from league.views.grid import Column, Grid

COLUMNS = [
    Column(("name",), keep=5, least=6),
    Column(("a long title", "short"), right=True, keep=4),
    Column(("spare",), right=True, keep=0),
    Column(("words",), keep=1, least=5, wrap=True),
]
ROWS = [["alpha-centauri", "1234567", "99", "in several words"], ["[b]b[/b]", "8", "100", ""]]


def lines_of(grid: Grid, width: int) -> list[str]:
    """What the grid shows in so many cells."""
    stream = io.StringIO()
    Console(file=stream, width=width).print(grid)
    return stream.getvalue().splitlines()


def test_a_grid_with_room_shows_everything_aligned_and_without_trailing_blanks() -> None:
    assert lines_of(Grid(COLUMNS, ROWS), 80) == [
        "name            a long title  spare  words",
        "alpha-centauri       1234567     99  in several words",
        "[b]b[/b]                   8    100",
    ]


def test_titles_shorten_before_anything_else() -> None:
    assert lines_of(Grid(COLUMNS, ROWS), 50)[0] == "name              short  spare  words"


def test_spare_columns_leave_before_text_is_shortened() -> None:
    assert lines_of(Grid(COLUMNS, ROWS), 36) == [
        "name              short  words",
        "alpha-centauri  1234567  in several",
        "                         words",
        "[b]b[/b]              8",
    ]


def test_the_least_important_columns_leave_and_names_are_cut_with_an_ellipsis() -> None:
    assert lines_of(Grid(COLUMNS, ROWS), 16) == ["name       short", "alpha-…  1234567", "[b]b[/…        8"]


@given(
    st.lists(st.tuples(st.text(max_size=30), st.integers(0, 10**9), st.text(max_size=8)), max_size=4),
    st.integers(1, 60),
)
def test_no_line_is_wider_than_the_grid_and_numbers_are_whole_or_absent(
    rows: list[tuple[str, int, str]], width: int
) -> None:
    columns = [
        Column(("number",), right=True, keep=3),
        Column(("name",), keep=2, least=4),
        Column(("words",), least=3, wrap=True),
    ]
    printable = [
        [str(n), "".join(filter(str.isprintable, name)), "".join(filter(str.isprintable, w))] for name, n, w in rows
    ]
    grid = Grid(columns, printable)
    shown = lines_of(grid, width)
    assert all(cell_len(line) <= width for line in shown)
    if max([6, *(len(row[0]) for row in printable)]) <= width:
        assert all(any(line.lstrip().startswith(row[0]) for line in shown) for row in printable)
