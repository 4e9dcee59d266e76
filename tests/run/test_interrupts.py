"""Ctrl-C and SIGTERM: the round is finished where that is quick, else dropped; nothing committed is ever lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from running import committed, content, league, started, tiny, trained

from league.errors import ConfigError, RunError, interrupts_as_raised
from league.events import Event, Progress, RoundFinished
from league.orchestrator import League
from league.run import budget


class InterruptAt:
    """A listener that interrupts the run when a round is finished, or when a round has come so far."""

    def __init__(self, run: League, round: int, fraction: float | None = None) -> None:
        self.run, self.round, self.fraction, self.done = run, round, fraction, False

    def __call__(self, event: Event) -> None:
        if self.fraction is None:
            if isinstance(event, RoundFinished) and event.round == self.round:
                self.run.interrupt()
        elif isinstance(event, Progress) and event.round == self.round and event.fraction >= self.fraction:
            if not self.done:
                self.done = True
                self.run.interrupt()
            # A round that takes its time: the grace of an interrupt is over before its next sign of life.
            time.sleep(0.02)


def interrupted(folder: Path, round: int, fraction: float | None = None) -> None:
    """Run until an interrupt in or after that round."""
    with League(tiny("budget.rounds=1000"), folder) as run:
        run.bus.add(InterruptAt(run, round, fraction))
        assert run.run() == "interrupt"


def test_ctrl_c_lets_the_round_end_and_says_what_next(away: Path) -> None:
    process = started("run", "tiny.toml", "--plain", "--rounds", 1000, cwd=away)
    while not (line := process.stdout.readline()).startswith("round"):
        assert line, process.stderr.read()
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - sent < 10
    assert (process.returncode, err) == (130, "")
    assert "Interrupted: nothing committed is lost. The run is in runs/tiny." in out
    assert f"  league run --run {away}/runs/tiny    goes on with it" in out
    stopped = next(line for line in out.splitlines() if "stopped by an interrupt" in line)
    last = committed(away / "runs" / "tiny")
    assert stopped.startswith(f"round {last} ")
    assert league("run", "--run", "tiny", "--rounds", last + 2, "--plain").code == 0
    interrupted(away / "straight", last + 2)
    assert content(away / "runs" / "tiny") == content(away / "straight")


def test_sigterm_does_the_same(away: Path) -> None:
    before, folder = signal.getsignal(signal.SIGTERM), away / "runs" / "tiny"

    def send() -> None:
        ends = time.monotonic() + 60
        while signal.getsignal(signal.SIGTERM) == before or committed(folder) < 1:
            if time.monotonic() > ends:
                return
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    called = league("run", "tiny.toml", "--plain", "--rounds", 1000)
    sender.join()
    assert (called.code, called.err) == (130, "")
    assert "Interrupted: nothing committed is lost." in called.out
    assert f"round {committed(folder)}  stopped by an interrupt" in called.out
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_run_is_refused_and_a_second_signal_stops_at_once(away: Path) -> None:
    # A round of half a minute or more.
    process = started("run", "tiny.toml", "--plain", "--set", "algorithm.turns=100000", cwd=away)
    assert process.stdout.readline().startswith("tictactoe")
    refused = league("run", "tiny.toml", "--set", "algorithm.turns=100000")
    assert refused.code == 2
    assert f"runs/tiny is in use: process {process.pid} " in refused.err
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - sent < 5
    assert (process.returncode, err) == (130, "")
    assert committed(away / "runs" / "tiny") == 0


def test_an_interrupt_within_an_import_is_one(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What pybind11 makes of an interrupt while a compiled module imports others.
    (away / "halted.py").write_text(
        "try:\n    raise KeyboardInterrupt\n"
        "except KeyboardInterrupt as stop:\n    raise ImportError('initialization failed') from stop\n"
    )
    monkeypatch.syspath_prepend(away)
    called = league("run", "tiny.toml", "--plain", "--set", "rating.by=halted:Rating")
    assert (called.code, called.err) == (130, "")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, budget.RoundDropped])
def test_only_what_an_interrupt_caused_becomes_an_interrupt(stop: type[BaseException]) -> None:
    @interrupts_as_raised()
    def imports(cause: BaseException | None) -> None:
        failed = ImportError("initialization failed")
        failed.__cause__ = cause
        raise ConfigError("a rating system that cannot be used") from failed

    with pytest.raises(stop):
        imports(stop())
    with pytest.raises(ConfigError):
        imports(None)
    with pytest.raises(ConfigError):
        imports(ValueError())


def test_a_round_that_outlasts_the_grace_is_dropped_and_replayed(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "GRACE", 0.1)
        for round, fraction in ((1, 0.1), (4, 0.3)):
            interrupted(tmp_path / "dropped", round, fraction)
            assert committed(tmp_path / "dropped") == (0 if round == 1 else 3)
            with League(tiny("budget.rounds=3"), tmp_path / "dropped") as run:
                assert run.run() == "budget"
    trained(tiny("budget.rounds=5"), tmp_path / "dropped")
    interrupted(tmp_path / "straight", 5)
    assert content(tmp_path / "dropped") == content(tmp_path / "straight")


def test_a_round_that_is_known_to_take_too_long_is_dropped_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "GRACE", 0.0)
    with League(tiny("budget.rounds=1000"), tmp_path / "run") as run:
        seen: list[Event] = []

        def listen(event: Event) -> None:
            seen.append(event)
            if isinstance(event, Progress) and event.round == 3:
                run.interrupt()

        run.bus.add(listen)
        assert run.run() == "interrupt"
        assert [event for event in seen if isinstance(event, Progress) and event.round == 3][1:] == []
        with pytest.raises(RunError, match="open the run again"):
            run.run()
    assert committed(tmp_path / "run") == 2


def test_a_finished_run_can_be_run_on_after_an_interrupt_between_rounds(tmp_path: Path) -> None:
    with League(tiny("budget.rounds=4"), tmp_path / "run") as run:
        run.bus.add(InterruptAt(run, 2))
        assert run.run() == "interrupt"
        assert run.round_number == 2
        assert run.run() == "budget"
        assert run.round_number == 4
    trained(tiny("budget.rounds=4"), tmp_path / "straight")
    assert content(tmp_path / "run") == content(tmp_path / "straight")


def test_a_listener_that_fails_does_not_stop_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: Event) -> None:
        raise ValueError("no terminal")

    with League(tiny("budget.rounds=1"), tmp_path / "run", [fail]) as run:
        assert run.run() == "budget"
    assert len([record for record in caplog.records if "removed" in record.message]) == 1
