"""A team's score, taken apart, as text: what adds up stands below each other, at every width and with any names."""

from __future__ import annotations

import io
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from announced import NASTY
from rich.cells import cell_len
from rich.console import Console

from league.studies.credit import CreditReport, CreditRequest, Mean, Share
from league.views.credit_table import again, credit_table


def mean(value: float, half: float) -> Mean:
    return Mean(value, value - half, value + half)


REPORT = CreditReport(
    side=0, sides=1, before=mean(-81.14, 3.5),
    shares=(
        Share("agent_0", "main.5", "random", mean(6.2, 0.91), mean(-20.6, 1.2)),
        Share("agent_1", "random", "random", mean(0.0, 0.0), mean(-20.7, 1.2)),
    ),
    gained=mean(6.2, 0.91), after=mean(-74.94, 2.1), exact=True, permutations=0, coalitions=2, games=200, episodes=400,
    seed=3, seconds=65.0,
)  # fmt: skip


def lines_of(report: CreditReport, width: int = 100) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width).print(credit_table(report))
    return stream.getvalue().splitlines()


def test_baseline_and_shares_add_up_to_the_score():
    assert lines_of(REPORT) == [
        "the team's total score, shared out by seat (Shapley) ± 95 % interval",
        "seat        policy  share of the score     own score",
        "baseline    random        -81.14 ±3.50",
        "agent_0     main.5         +6.20 ±0.91  -20.60 ±1.20",
        "agent_1     random         +0.00 ±0.00  -20.70 ±1.20",
        "all shares                 +6.20 ±0.91",
        "score                     -74.94 ±2.10",
        "",
        "the shares add up to the team's score: baseline + shares = score",
        "all 2 coalitions on the same 200 games, 400 episodes, seed 3, 1m05s",
        "",
    ]


def test_how_it_was_found_out_is_said():
    drawn = replace(REPORT, exact=False, permutations=4, coalitions=900, side=1, sides=2, note="against main.2")
    lines = lines_of(drawn)
    assert lines[0].startswith("side 1's total score, shared out")
    ending = "4 orders of joining drawn for each of 200 games, 400 episodes, seed 3, 1m05s; against main.2"
    assert lines[-2] == ending
    assert lines_of(replace(REPORT, coalitions=1))[-2].startswith("the baseline at every seat, 200 games")


@pytest.mark.parametrize("width", [20, 60, 200])
def test_any_names_fit_any_width(width):
    shares = tuple(Share(name, name, name, mean(1e9, 1.0), mean(0.0, float("inf"))) for name in NASTY)
    for line in lines_of(replace(REPORT, shares=shares, note=NASTY[3]), width):
        assert cell_len(line) <= width
        assert line.isprintable()


def test_asking_again_says_only_what_is_not_as_by_default():
    assert again(CreditRequest("agent_1=random"), 800) == "agent_1=random --games 800"
    asked = CreditRequest("my bots.py:Bot", "main.1", side=1, against="best", games=50, seed=7, permutations=4)
    bot = f"{Path('my bots.py').absolute()}:Bot"
    assert shlex.split(again(asked, 200)) == [
        bot, "--games", "200", "--baseline", "main.1", "--side", "1", "--against", "best", "--seed", "7",
        "--permutations", "4",
    ]  # fmt: skip
