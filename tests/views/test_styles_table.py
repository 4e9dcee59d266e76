"""Who plays like whom, as text: a map that fits any width, sentences, and openings."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from announced import NASTY
from rich.cells import cell_len
from rich.console import Console

from league.studies.styles.report import Change, OpeningCourse, Style, StylesReport
from league.views.styles_table import styles_table


def style(number: int, label: str = "", **fields: object) -> Style:
    known: dict[str, object] = {
        "label": label or f"main.{number}",
        "learner": "main",
        "round": 5 * number,
        "steps": 100_000 * number,
        "nearest": "main.1",
        "distance": 0.05,
        "opening": "3 3",
        "share": 0.125,
        "distinct": 0.9,
    }
    return Style(**known | fields)  # type: ignore[arg-type]


def report(count: int = 3, **fields: object) -> StylesReport:
    """Snapshots of one learner, each a step further from the first."""
    known: dict[str, object] = {
        "game": "connect_four",
        "role": "player",
        "policies": tuple(style(number) for number in range(count)),
        "distances": tuple(tuple(abs(a - b) / count for b in range(count)) for a in range(count)),
        "margin": 0.0071,
        "order": tuple(range(count)),
        "copies": (),
        "changes": (),
        "openings": (),
        "common": 0.1,
        "plies": 2,
        "snapshots": count,
        "positions": 1800,
        "games": 200,
        "seed": 7,
        "seconds": 65.0,
    }
    return StylesReport(**known | fields)  # type: ignore[arg-type]


def lines_of(of: StylesReport, width: int = 80, **terminal: object) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, legacy_windows=False, highlight=False, **terminal)  # type: ignore[arg-type]
    console.print(styles_table(of))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_everything_in_its_place() -> None:
    change = Change(learner="main", before="main.0", after="main.1", distance=0.21, steps=2, mean=0.11)
    opening = OpeningCourse(
        opening="3 3", first="main.1", steps=100_000, shares=(0.0, 0.2, 0.1), course=(0.0, 0.2, 0.1)
    )
    shown = report(order=(0, 2, 1), copies=((1, 2),), changes=(change,), openings=(opening,))
    assert lines_of(shown) == [
        "distance of play in hundredths: 0 is the same, 100 has nothing in common",
        "           1  2  3",
        "1  main.0  · 67 33",
        "2  main.2 67  · 33",
        "3  main.1 33 33  ·",
        "",
        "Near-copies, less than 0.01 apart: main.1, main.2.",
        "main changed most from main.0 to main.1: by 0.210, against 0.110 on average from",
        "one snapshot to the next.",
        "",
        "policy  steps  nearest  distance  commonest opening  share  distinct games",
        "main.0      0  main.1      0.050  3 3                 0.12            0.90",
        "main.1   100k  main.1      0.050  3 3                 0.12            0.90",
        "main.2   200k  main.1      0.050  3 3                 0.12            0.90",
        "",
        "openings with which at least 10 % of a snapshot's games with itself begin",
        "first 2 moves  first common in  steps  highest share  latest  oldest to newest",
        "3 3            main.1            100k           0.20    0.10  ▁█▅",
        "",
        "200 games of each policy with itself, 1,800 positions of games among all;",
        "distances ±0.007 or less (95 %); seed 7, 1m05s",
    ]


@pytest.mark.parametrize(
    ("copies", "says"),
    [
        ((), "No two of them are near-copies (less than 0.01 apart)."),
        (((0, 1, 2, 3, 4, 5),), "They are all near-copies: no two of them are 0.01 apart."),
        (((0, 1, 2, 4), (3, 5)), "Near-copies, less than 0.01 apart: main.0 to main.2, main.4; main.3, main.5."),
    ],
)
def test_near_copies_are_named(copies: tuple[tuple[int, ...], ...], says: str) -> None:
    assert says in lines_of(report(6, copies=copies))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((0.2, 1, 0.2), "main changed by 0.200 from main.0 to main.1."),
        ((0.0004, 3, 0.0), "main has hardly changed from one snapshot to the next."),
    ],
)
def test_small_and_single_changes(change: tuple[float, int, float], says: str) -> None:
    distance, steps, mean = change
    one = Change(learner="main", before="main.0", after="main.1", distance=distance, steps=steps, mean=mean)
    assert says in lines_of(report(changes=(one,)))


def test_many_snapshots_are_reduced_to_what_fits() -> None:
    lines = lines_of(report(60, snapshots=200))
    assert max(map(cell_len, lines)) <= 80
    (said,) = (line for line in lines if "evenly spread" in line)
    assert said == "23 of 60 policies, evenly spread; --json has the distances of all"
    assert lines[1].split() == [str(number) for number in range(1, 24)]
    assert lines[2].split()[:2] == ["1", "main.0"]
    assert lines[24].split()[:2] == ["23", "main.59"]
    assert sum(line.startswith("main.") for line in lines) == 60
    assert lines[-2].startswith("60 of 200 snapshots, 200 games of each policy with itself")


def test_policies_without_snapshots_have_no_history() -> None:
    scripted = tuple(
        style(n, name, learner=None, round=None, steps=None) for n, name in enumerate(["one-ply", "random"])
    )
    lines = lines_of(report(2, policies=scripted, snapshots=9))
    assert any(line.split()[:3] == ["one-ply", "–", "main.1"] for line in lines)
    assert not any("opening has been common" in line for line in lines)
    assert lines[-2].startswith("200 games of each policy with itself")


def test_no_opening_and_too_many() -> None:
    lines = lines_of(report(plies=1))
    assert "No opening of one move has been common: none begins 10 % of a snapshot's games" in " ".join(lines)
    many = tuple(
        OpeningCourse(opening=str(number), first="main.0", steps=0, shares=(0.1,) * 3, course=(0.1,) * 3)
        for number in range(18)
    )
    assert "and 3 more, which --json has" in lines_of(report(openings=many))


def test_the_map_is_a_heat_map_where_there_are_colours() -> None:
    coloured = "\n".join(lines_of(report(), force_terminal=True, color_system="truecolor"))
    assert "\x1b[38;2;0;0;0;48;2;103;169;207m" in coloured, "the farthest are blue"
    assert "48;" not in "\n".join(lines_of(report(), force_terminal=True, color_system="standard"))
    assert "\x1b" not in "\n".join(lines_of(report()))


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_any_name_fits_any_width(width: int) -> None:
    named = tuple(style(number, name, opening=name, nearest=name) for number, name in enumerate(NASTY))
    change = Change(learner=NASTY[4], before=NASTY[3], after=NASTY[6], distance=0.3, steps=2, mean=0.1)
    opening = OpeningCourse(opening=NASTY[0], first=NASTY[4], steps=10, shares=(0.5,) * 8, course=(0.5,) * 8)
    shown = report(8, policies=named, copies=((0, 4),), changes=(change,), openings=(opening,), note=NASTY[4])
    for line in lines_of(replace(shown, order=(3, 1, 2, 0, 4, 5, 7, 6)), width):
        assert cell_len(line) <= width
        assert line.isprintable()
