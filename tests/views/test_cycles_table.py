"""Cycles as text: by name, with scores, games and intervals, and a verdict in words."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from announced import NASTY
from rich.cells import cell_len
from rich.console import Console

from league.studies.payoff.cycles import CycleReport, CycleTable, Edge, Interval
from league.studies.payoff.report import Cell
from league.views.cycles_table import cycles_table

EDGES = (
    Edge(row="main.2", column="main.6", played=Cell(0.561, 0.546, 0.576, 4000)),
    Edge(row="main.6", column="main.10", played=Cell(0.624, 0.609, 0.639, 4000)),
    Edge(row="main.10", column="main.2", played=Cell(0.536, 0.521, 0.551, 4000)),
)
CYCLIC = CycleTable(
    role="player", policies=("main.2", "main.6", "main.10"), pairs=3, unit="result", transitive=0.45, cyclic=0.55,
    chance=0.0, verdict="cyclic", cycles=(EDGES,),
)  # fmt: skip


def lines_of(table: CycleTable, width: int = 80, played: bool = True) -> list[str]:
    stream = io.StringIO()
    report = CycleReport(tables=(table,), played=played, episodes=12000, seed=1, seconds=2.0)
    Console(file=stream, width=width).print(cycles_table(report))
    return stream.getvalue().splitlines()


def test_a_cycle_is_named_with_what_it_rests_on() -> None:
    assert lines_of(CYCLIC) == [
        "3 policies, 3 pairs played",
        "transitive 45 %, cyclic 55 %  of the variance of the log-odds",
        "",
        "One cycle is certain (at 95 % for all pairs together).",
        "",
        "main.2 beats main.6 beats main.10 beats main.2",
        "         against  score ± 95 % interval  games",
        "main.2   main.6            0.561 ±0.015   4000",
        "main.6   main.10           0.624 ±0.015   4000",
        "main.10  main.2            0.536 ±0.015   4000",
        "",
        "12000 episodes, seed 1, 2s",
    ]


def test_what_is_only_predicted_is_said_to_be() -> None:
    doubtful = tuple(replace(edge, played=None, predicted=Interval(0.62, 0.52, 0.7)) for edge in EDGES)
    lines = lines_of(replace(CYCLIC, verdict="undecided", cycles=(), expected=(doubtful,), chance=0.01), played=False)
    assert lines[3].startswith("No cycle is certain. Yet strengths do not explain the scores")
    assert "predicted, but not certain from the games so far:" in lines
    assert ["main.2", "main.6", "–", "–", "0.620", "±0.090"] in [line.split() for line in lines]


def test_a_ladder_is_called_transitive() -> None:
    lines = lines_of(replace(CYCLIC, verdict="transitive", cycles=(), transitive=1.0, cyclic=0.0, chance=0.4), 200)
    assert lines[1].startswith("transitive 100 %, cyclic 0 %")
    assert lines[3].startswith("The payoff is transitive, as far as the games tell")


@pytest.mark.parametrize("width", [30, 60, 200])
def test_any_names_fit_any_width(width: int) -> None:
    nasty = tuple(replace(edge, row=name, column=name) for edge, name in zip(EDGES, NASTY, strict=False))
    for line in lines_of(replace(CYCLIC, role=NASTY[0], policies=tuple(NASTY), cycles=(nasty,)), width):
        assert cell_len(line) <= width
        assert line.isprintable()
