"""`league metrics` over runs: the table, CSV and JSON say what is stored, warning signs are kept, reported and listed;
a resumed run reports the same."""

from __future__ import annotations

import csv
import io
import math
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from calling import heavy_imports
from rich.cells import cell_len
from running import content, league, tiny, trained

from league.events import Event, RoundFinished, Warned
from league.games.core import Game
from league.learning.diagnostics.catalogue import DIAGNOSTICS
from league.learning.diagnostics.history import History
from league.learning.diagnostics.monitor import Diagnosis, Monitor
from league.orchestrator import League
from league.storage.store import Store

WIDTH = 70

WILD = ("algorithm.learning_rate=0.3", "algorithm.epochs=6", "algorithm.minibatch=32", "population.spread={}")
"""Steps so large that warning signs must show."""


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """A run gone wrong, and all that it announced."""
    folder, events = tmp_path_factory.mktemp("wild") / "run", list[Event]()
    with League(tiny(*WILD, "budget.rounds=8"), folder, [events.append]) as run:
        run.run()
    return folder, events


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_shows_each_learners_metrics(here: Path) -> None:
    called = league("metrics")
    assert (called.code, called.err) == (0, "run: runs/tiny\n")
    lines = called.out.splitlines()
    assert max(map(cell_len, lines)) <= WIDTH
    assert lines[0] == "main-0  rounds 1 to 6"
    assert lines[1].split() == ["metric", "latest", "change", "course"]
    assert "main-1  rounds 1 to 6" in lines
    with Store.reader(here / "runs" / "tiny") as store:
        values = [row.values["entropy"] for row in store.metrics("main-0")]
    (shown,) = (line.split() for line in lines[: lines.index("")] if line.startswith("entropy "))
    assert shown[1] == f"{values[-1]:.2f}"
    assert float(shown[2]) == pytest.approx(values[-1] - values[0], rel=0.01, abs=1e-4)
    assert len(shown[3]) == 6


def test_what_is_asked_for_is_chosen(here: Path) -> None:
    found = league("metrics", "--learner", "main-1", "--last", "2", "--name", "return", "--name", "entropy", "--json")
    metrics = found.json["metrics"]
    assert [(one["round"], one["learner"]) for one in metrics] == [(5, "main-1"), (6, "main-1")]
    assert all(set(one["values"]) == {"entropy", "return", "return/player_0", "return/player_1"} for one in metrics)
    with Store.reader(here / "runs" / "tiny") as store:
        stored = store.metrics("main-1", last=2)
    assert [one["values"]["return"] for one in metrics] == [row.values["return"] for row in stored]


def test_csv_has_one_line_for_each_value(here: Path, tmp_path: Path) -> None:
    printed = league("metrics", "--csv", "-", "--name", "approx_kl").out
    with Store.reader(here / "runs" / "tiny") as store:
        stored = [(row.round, row.learner, row.values["approx_kl"]) for row in store.metrics()]
    assert printed.splitlines()[0] == "round,learner,name,value"
    found = [row for row in rows(printed) if row["name"] == "approx_kl"]
    assert [(int(row["round"]), row["learner"], float(row["value"])) for row in found] == stored
    out = tmp_path / "metrics.csv"
    assert league("metrics", "--csv", out, "--name", "approx_kl").out == ""
    assert out.read_text() == printed


def test_what_was_not_finite_is_empty_in_csv_and_null_in_json(tmp_path: Path) -> None:
    folder = trained(tiny("budget.rounds=1"), tmp_path / "run")
    with sqlite3.connect(folder / "league.db") as db:
        db.execute("UPDATE metrics SET value = NULL WHERE name = 'entropy'")
    assert {row["value"] for row in rows(league("metrics", "-r", folder, "--csv", "-", "--name", "entropy").out)} == {
        ""
    }
    found = league("metrics", "-r", folder, "--json").json["metrics"]
    assert [one["values"]["entropy"] for one in found] == [None, None]
    assert "nan" in league("metrics", "-r", folder, "--name", "entropy").out


def test_reading_metrics_writes_nothing_and_loads_nothing_heavy(here: Path) -> None:
    before = {path: path.read_bytes() for path in (here / "runs" / "tiny").rglob("*") if path.is_file()}
    for options in ([], ["--json"], ["--csv", "-"], ["--signs"]):
        assert league("metrics", *options).code == 0
    assert {path: path.read_bytes() for path in (here / "runs" / "tiny").rglob("*") if path.is_file()} == before
    assert heavy_imports(["metrics"], ("torch", "pydantic", "scipy")) == "HEAVY []"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--learner", "main-2"), "there is no learner 'main-2'; did you mean 'main-"),
        (("--name", "entrpy"), "there is no metric 'entrpy'; did you mean 'entropy'?"),
        (("--last", "0"), "--last takes a number of rounds, at least 1, not 0"),
        (("--csv", "-", "--json"), "--csv takes a file, or - for standard output"),
        (("--csv", "--json"), "--csv takes a file, or - for standard output"),
        (("--csv", "nowhere/at/all.csv"), "nowhere/at/all.csv: No such file or directory"),
    ],
)
def test_what_cannot_be_shown_is_refused(here: Path, options: tuple[str, ...], said: str) -> None:
    called = league("metrics", *options)
    assert called.code == 2
    assert said in called.err


def test_a_run_that_has_not_begun_has_no_metrics(tmp_path: Path) -> None:
    with League(tiny(), tmp_path / "run") as run:
        run._begin()
    called = league("metrics", "-r", tmp_path / "run")
    assert (called.code, called.out.splitlines()[0]) == (0, "no rounds have been trained yet")
    assert league("metrics", "-r", tmp_path / "run", "--json").json == {"metrics": [], "signs": []}


def test_bad_signs_are_told_kept_and_shown(wild: tuple[Path, list[Event]]) -> None:
    folder, events = wild
    warnings = [(event.round, event.message) for event in events if isinstance(event, Warned)]
    seen = league("metrics", "-r", folder, "--json").json["signs"]
    assert {"kl_jump"} <= {one["sign"] for one in seen} <= {sign.name for sign in DIAGNOSTICS}
    told = {(one["round"], f"{one['learner']}: {one['what']}.") for one in seen}
    assert told == {(number, message[: message.index(". Look at ") + 1]) for number, message in warnings}
    lines = league("metrics", "-r", folder).out.splitlines()
    assert max(map(cell_len, lines)) <= WIDTH
    assert any("kl_jump" in line for line in lines)
    only = league("metrics", "-r", folder, "--learner", "main-1", "--json").json["signs"]
    assert only == [one for one in seen if one["learner"] == "main-1"]


def test_a_run_that_goes_on_tells_the_same(wild: tuple[Path, list[Event]], tmp_path: Path) -> None:
    for _ in range(8):
        with League(tiny(*WILD, "budget.rounds=8"), tmp_path / "run") as run:
            run.bus.add(lambda event, run=run: run.interrupt() if isinstance(event, RoundFinished) else None)
            run.run()
    assert content(tmp_path / "run") == content(wild[0]), "signs are among the run's events"


def test_a_diagnostic_that_fails_is_told_once_and_does_not_stop_the_run(
    wild: tuple[Path, list[Event]], tmp_path: Path
) -> None:
    def rule(history: History) -> str:
        raise ZeroDivisionError("by design")

    events: list[Event] = []
    with League(tiny(*WILD, "budget.rounds=8"), tmp_path / "run", [events.append]) as run:
        run.monitor.diagnostics = (replace(DIAGNOSTICS[0], name="broken", rule=rule), *DIAGNOSTICS)
        assert run.run() == "budget"
    told = [event for event in events if isinstance(event, Warned) and "broken" in event.message]
    assert [(event.round, event.message) for event in told] == [
        (1, "the diagnostic broken failed and is left out from now on: ZeroDivisionError('by design')")
    ]
    assert content(tmp_path / "run") == content(wild[0]), "what the others find is kept all the same"


def seats_part(monitor: Monitor) -> list[Diagnosis]:
    """Rounds in which the listener loses what the speaker wins."""
    seats = {"speaker": ("speaker_0", 0.5), "listener": ("listener_0", -0.5)}
    return [
        monitor.check(
            number,
            {
                learner: {f"return/{seat}": slope * number + math.sin((4.3 + slope) * number)}
                for learner, (seat, slope) in seats.items()
            },
        )
        for number in range(1, 31)
    ]


def test_a_seat_that_climbs_at_anothers_cost_is_told_with_what_seats_see(tmp_path: Path) -> None:
    config = tiny("game.id=speaker_listener", "game.options={}", "population.learners=1", "matchmaking.kind=naive")
    with League(config, tmp_path / "run") as run:
        checked = seats_part(run.monitor)
    told = [finding for one in checked for finding in one.findings]
    assert [(finding.learner, finding.diagnostic.name) for finding in told] == [("speaker", "seats_apart")]
    assert told[0].what.startswith("return/speaker_0 climbs from ")
    assert "return/listener_0 falls" in told[0].what
    assert "3 numbers seen by speaker_0, 11 numbers seen by listener_0" in told[0].what
    assert not any(one.failures for one in checked)


def test_a_finding_is_told_even_if_what_seats_see_cannot_be_shown(tmp_path: Path) -> None:
    def no_game(slots: int) -> Game:
        raise OSError("out of memory")

    config = tiny("game.id=speaker_listener", "game.options={}", "population.learners=1", "matchmaking.kind=naive")
    with League(config, tmp_path / "run") as run:
        run.monitor.make_game = no_game
        (found,) = [one for one in seats_part(run.monitor) if one.findings or one.failures]
    assert [finding.diagnostic.name for finding in found.findings] == ["seats_apart"]
    assert found.failures == ("diagnostics failed in this round: OSError('out of memory')",)


def test_all_signs_are_listed() -> None:
    out = league("metrics", "--signs").out
    assert max(map(cell_len, out.splitlines())) <= WIDTH
    listed = league("metrics", "--signs", "--json").json
    assert [one["name"] for one in listed] == [sign.name for sign in DIAGNOSTICS]
    for sign, one in zip(DIAGNOSTICS, listed, strict=True):
        assert f"{sign.name}  {', '.join(sign.metrics)}" in out
        assert (one["threshold"], one["cause"], one["setting"]) == (sign.threshold, sign.cause, sign.setting)
