"""A run as plain lines."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from announced import Clock, finished, scenarios, snapshot, started

from league.events import Exploited, RunStopped, SnapshotTaken, Warned
from league.records import ExploitabilityBound
from league.views.plain import PlainConsole


def test_a_run_reads_as_one_line_for_each_thing_that_happened() -> None:
    stream, clock = io.StringIO(), Clock()
    view = PlainConsole(stream, clock=clock)
    view(started(seconds_budget=180.0))
    view(Warned(0, "a warning"))
    view(Exploited(12, "main-3", "main-1", {"entropy": 0.01}, {"entropy": 0.0125}))
    view(SnapshotTaken(10, snapshot(2)))
    view(finished())
    view(RunStopped(12, 393216, 24.0, "interrupt"))
    assert stream.getvalue().splitlines() == [
        "connect_four, fictitious, 1 learner, runs/connect_four: begins, until 100 rounds or 3m00s",
        "round 0  warning  a warning",
        "round 12  exploit  main-3 ← main-1  entropy 0.01→0.0125",
        "round 10  snapshot  main.2 00020002",
        "round 12  steps 393k  16.4k/s  eta 1m40s  best main.11 0.818 ±0.020  return 0.0213  entropy 1.23",
        "round 12  stopped by an interrupt after 24s, 393k agent-steps",
    ]


def test_fast_rounds_do_not_flood_and_the_last_is_always_written() -> None:
    stream, clock = io.StringIO(), Clock()
    view = PlainConsole(stream, every=2.0, clock=clock)
    for number in range(1, 12):
        view(SnapshotTaken(number, replace(snapshot(number), round=number)))
        view(finished(number, remaining=None))
        clock.now += 0.5
    view(RunStopped(11, 5, 6.0, "budget"))
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines if "steps" in line and "after" not in line] == ["1", "5", "9", "11"]
    snapshots = [line for line in lines if "snapshot" in line]
    assert snapshots[0] == "round 1  snapshot  main.1 00010001"
    assert snapshots[-1] == "round 11  snapshots  main.10 000a000a, main.11 000b000b"


def test_how_exploitable_a_snapshot_is_stands_behind_its_name() -> None:
    stream, found = io.StringIO(), ExploitabilityBound(0.3104, 0.3104, 0.3104, exact=True)
    view = PlainConsole(stream, clock=Clock())
    for event in (SnapshotTaken(10, snapshot(2), found), SnapshotTaken(10, snapshot(3)), finished(10)):
        view(event)
    wanted = "round 10  snapshots  main.2 00020002 (exploitability 0.310), main.3 00030003"
    assert stream.getvalue().splitlines()[0] == wanted


def test_many_snapshots_are_counted() -> None:
    stream = io.StringIO()
    view = PlainConsole(stream, clock=Clock())
    for number in range(10):
        view(SnapshotTaken(5 * number, snapshot(number)))
    view(finished(45))
    assert stream.getvalue().splitlines()[0].startswith("round 45  snapshots  6 more, main.6 ")


def test_several_learners_are_summed_up_by_their_range() -> None:
    stream = io.StringIO()
    metrics = {"a": {"return": -0.5, "entropy": 1.0}, "b": {"return": 0.5, "entropy": 1.0}}
    PlainConsole(stream, clock=Clock())(finished(metrics=metrics))
    assert stream.getvalue().endswith("return -0.500 to 0.500  entropy 1.00\n")


def test_every_role_names_its_best_and_one_sided_ratings_have_no_sign() -> None:
    for name, part in (
        ("roles", "best adversary adversary.3 0.818 ±0.020  best agent agent.3"),
        ("one side", "best main.3 382 ±35"),
    ):
        stream = io.StringIO()
        view = PlainConsole(stream, clock=Clock())
        for event in scenarios()[name]:
            view(event)
        assert part in stream.getvalue()


@pytest.mark.parametrize("name", scenarios())
def test_every_state_is_printable_lines(name: str) -> None:
    stream = io.StringIO()
    view = PlainConsole(stream, clock=Clock())
    for event in scenarios()[name]:
        view(event)
    assert all(line.isprintable() for line in stream.getvalue().split("\n"))


def test_a_stream_that_cannot_write_an_arrow_gets_one_of_ascii() -> None:
    raw = io.BytesIO()
    view = PlainConsole(io.TextIOWrapper(raw, encoding="ascii"), clock=Clock())
    view(Exploited(1, "a", "b", {}, {}))
    assert raw.getvalue() == b"round 1  exploit  a < b  nothing changed\n"
