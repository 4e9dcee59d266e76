"""Budgets, the pace of rounds, and how an interrupt ends a round."""

from __future__ import annotations

import pytest

from league.run import budget
from league.run.budget import Budget, Interruption, RoundClock, RoundDropped


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows what the list holds."""
    shown = [100.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: shown[0])
    return shown


def test_a_budget_is_reached_with_the_first_of_its_limits() -> None:
    limits = Budget(rounds=10, steps=5000, seconds=60.0)
    assert not limits.reached(9, 4999, 59.9)
    assert limits.reached(10, 0, 0.0)
    assert limits.reached(0, 5000, 0.0)
    assert limits.reached(0, 0, 60.0)
    assert not Budget().reached(10**9, 10**12, 1e9)


def test_the_time_that_remains_is_that_of_the_nearest_limit() -> None:
    assert Budget(rounds=10).remaining(4, 400, 8.0, pace=2.0) == 12.0
    # 100 steps a round, so 6 rounds more.
    assert Budget(steps=1000).remaining(4, 400, 8.0, pace=2.0) == 12.0
    assert Budget(rounds=10, steps=600).remaining(4, 400, 8.0, pace=2.0) == 4.0
    assert Budget(rounds=10, seconds=9.0).remaining(4, 400, 8.0, pace=2.0) == 1.0
    assert Budget(rounds=3).remaining(4, 400, 8.0, pace=2.0) == 0.0
    assert Budget().remaining(4, 400, 8.0, pace=2.0) is None


def test_a_clock_knows_how_long_rounds_take_and_what_is_left(now: list[float]) -> None:
    clock = RoundClock()
    assert (clock.pace, clock.left) == (0.0, 0.0)
    for seconds in (4.0, 6.0):
        clock.start()
        now[0] += seconds
        assert clock.finish() == seconds
    assert (clock.pace, clock.left) == (5.0, 0.0), "no round is running"
    clock.start()
    now[0] += 2.0
    assert (clock.seconds, clock.left) == (2.0, 3.0)
    now[0] += 7.0
    assert clock.left == 0.0
    clock.stop()
    assert clock.pace == 5.0, "a round that was not finished does not count"


def test_a_round_that_does_not_end_in_time_is_dropped(now: list[float]) -> None:
    stop = Interruption()
    stop.check()
    stop.ask(left=budget.GRACE)
    now[0] += budget.GRACE
    stop.check()
    now[0] += 0.1
    with pytest.raises(RoundDropped):
        stop.check()
    stop.clear()
    assert not stop.asked
    with pytest.raises(RoundDropped):
        stop.ask(left=budget.GRACE + 0.1)
    assert stop.asked
