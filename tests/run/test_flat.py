"""A long run stays flat: its rounds take no longer, and it needs no more memory, however many snapshots it has had.

Processor time is measured, which does not depend on what else the machine does. Prints a line with `-s`; `-k` chooses
how many rounds there are.
"""

from __future__ import annotations

import time
from multiprocessing import get_context
from pathlib import Path

import pytest
from running import tiny

from league.events import Event, RoundFinished
from league.orchestrator import League
from league.storage.store import Store

SETTINGS = (
    "population.learners=1",
    "population.spread={}",
    "population.snapshot_every=5",
    "population.most_snapshots=30",
    "matchmaking.kind=fictitious",
    "matchmaking.opponents=1",
    "algorithm.slots=8",
    "algorithm.turns=4",
    "rating.matches_per_snapshot=6",
)
"""Snapshots are taken at the default intervals; there are few in the pool, so that most of them are evicted."""

EARLY, LATE = 500, 400
"""The round at which a run is compared with its end, and of how many rounds processor time is averaged: of the ones
around it, and of the last ones."""

MOST = 1.1
"""How many times the early ones the late processor time and memory may be."""


def measured(rounds: int, folder: Path) -> tuple[list[float], list[int]]:
    """Processor seconds of each round, and the most memory needed up to each, in KiB."""
    seconds, memory = [0.0], [0]
    last = time.process_time()

    def listen(event: Event) -> None:
        nonlocal last
        if isinstance(event, RoundFinished):
            now = time.process_time()
            seconds.append(now - last)
            memory.append(peak())
            last = now

    with League(tiny(*SETTINGS, f"budget.rounds={rounds}"), folder, [listen]) as run:
        assert run.run() == "budget"
    return seconds, memory


def peak() -> int:
    """The most memory that this process has needed, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("rounds", [3000, 10_000])
def test_the_last_rounds_cost_no_more_than_those_around_round_500(rounds: int, tmp_path: Path) -> None:
    # In a process of its own, since other tests may have needed more memory in this one.
    with get_context("spawn").Pool(1) as pool:
        seconds, memory = pool.apply(measured, (rounds, tmp_path / "run"))
    around = slice(EARLY - LATE // 2, EARLY + LATE // 2)
    before, after = sum(seconds[around]) / LATE, sum(seconds[-LATE:]) / LATE
    low, high = memory[EARLY] / 1024, memory[-1] / 1024
    print(f"{rounds} rounds: {1000 * before:.1f} → {1000 * after:.1f} ms a round, {low:.0f} → {high:.0f} MiB")
    with Store.reader(tmp_path / "run") as store:
        assert len(store.snapshots()) - len(store.evicted()) <= 1 + 30, "random play and the pool"
        assert len(store.evicted()) > 200
    assert high <= MOST * low
    assert after <= MOST * before
