"""Payoff tables as text: aligned, with as many digits as the intervals have a use for, at every width."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from announced import NASTY
from rich.cells import cell_len
from rich.console import Console

from league.studies.payoff.report import Cell, PayoffReport, PayoffTable
from league.views.payoff_table import payoff_table

HIGH, LOW = Cell(0.76, 0.7, 0.82, 100), Cell(0.24, 0.18, 0.3, 100)
BOARD = PayoffTable(
    rows=("main.5", "random"), columns=("main.5", "random"), role="player", against="player", unit="result",
    together=False, cells=((None, HIGH), (LOW, None)),
)  # fmt: skip
CATCHES = PayoffTable(
    rows=("adversary.1", "adversary.9"), columns=("agent.1", "agent.9"), role="adversary", against="agent",
    unit="score", together=False,
    cells=((Cell(12.25, 10.0, 14.5, 50), Cell(4.0, 3.0, 5.0, 50)),
           (Cell(31.0, 28.0, 34.0, 50), Cell(17.5, 15.0, 20.0, 50))),
)  # fmt: skip


def lines_of(report: PayoffReport, width: int = 100) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width).print(payoff_table(report))
    return stream.getvalue().splitlines()


def test_rated_games_are_counted_beside_what_they_say():
    assert lines_of(PayoffReport((BOARD,), False)) == [
        "mean result of the row against the column ± 95 % interval",
        "              main.5        random",
        "main.5             –  0.760 ±0.060",
        "random  0.240 ±0.060             –",
        "",
        "rated games",
        "        main.5  random",
        "main.5       –     100",
        "random     100       –",
        "",
        "rated games of the ledger; name policies to play new games",
    ]


def test_a_table_by_role_says_whose_score_it_is():
    report = PayoffReport((CATCHES,), True, note="with main.1 at the other posts", episodes=200, seed=7, seconds=65.0)
    assert lines_of(report) == [
        "mean score of adversary (rows) against agent (columns) ± 95 % interval",
        "               agent.1    agent.9",
        "adversary.1  12.2 ±2.2   4.0 ±1.0",
        "adversary.9  31.0 ±3.0  17.5 ±2.5",
        "",
        "50 games per cell, 200 episodes, seed 7, 1m05s; with main.1 at the other posts",
    ]


def test_cross_play_is_the_teams():
    alone = replace(BOARD, role="", against="", together=True, unit="score")
    assert lines_of(PayoffReport((alone,), True))[0].startswith(
        "mean score of the team: row at one seat, column at all others"
    )
    pair = replace(CATCHES, together=True)
    assert "of the team: adversary (rows) with agent (columns)" in lines_of(PayoffReport((pair,), True))[0]


def test_long_names_are_cut_before_any_column_leaves():
    names = ("speaker.2+listener.2", "random/speaker+random/listener")
    lines = lines_of(PayoffReport((replace(BOARD, rows=names, columns=names),), True), 80)
    assert lines[1].split() == ["speaker.2+l…", "random/spea…"]
    assert lines[2].split()[0] == names[0]


@pytest.mark.parametrize("width", [20, 60, 200])
def test_any_names_fit_any_width(width):
    labels = tuple(NASTY[:2])
    tables = replace(BOARD, rows=labels, columns=labels), replace(CATCHES, cells=((None, None), (None, None)))
    for line in lines_of(PayoffReport(tables, False), width):
        assert cell_len(line) <= width
        assert line.isprintable()
