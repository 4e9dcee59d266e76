"""`league tournament` over a real run: killed and resumed, shown at any width, and what it refuses."""

from __future__ import annotations

import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from calling import heavy_imports
from rich.cells import cell_len
from running import Called, league, started

from league.storage import audit
from league.storage.store import Store

ENTRANTS = ("main-0.3", "main-1.3", "main-0.0", "./champion", "mcts=30", "random")


@pytest.fixture
def cup(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a copy of the finished run, and an exported policy."""
    shutil.copytree(here / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    assert league("export", "main-0.1", "--out", "champion").code == 0
    return tmp_path


def matches(folder: Path) -> int:
    """The rows of a tournament's ledger."""
    if not (folder / "league.db").exists():
        return 0
    with Store.reader(folder) as store:
        return store.last_match()


def content(folder: Path) -> str:
    with Store.reader(folder) as store:
        assert audit.verify(store) == []
        return audit.dump(store)


def test_a_killed_tournament_goes_on_to_the_same_ledger(cup: Path) -> None:
    command = ("tournament", *ENTRANTS, "--games", "400")
    killed = started(*command, "--out", "killed", cwd=cup)
    while matches(cup / "killed") == 0 and killed.poll() is None:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    begun = matches(cup / "killed")
    whole = league(*command, "--out", "whole", "--json")
    assert 0 < begun < matches(cup / "whole")
    again = league(*command, "--out", "killed", "--json")
    assert again.json | {"folder": ""} == whole.json | {"folder": ""}
    assert content(cup / "killed") == content(cup / "whole")
    assert league(*command, "--out", "whole", "--json").json == whole.json, "nothing is played again"
    assert len(whole.json["entrants"]) == 6


def test_what_was_played_is_shown_without_its_run_and_without_torch(cup: Path) -> None:
    played = league("tournament", "best", "random", "--run", "tiny", "--games", "20")
    assert (played.code, played.err) == (0, "tournament: tournaments/tiny\n")
    shutil.rmtree(cup / "runs")
    shown = league("tournament", "--out", "tournaments/tiny")
    assert (shown.code, shown.out) == (0, played.out)
    assert "HEAVY []" in heavy_imports(["tournament", "--out", "tournaments/tiny"], ("torch", "pettingzoo"))


def test_its_folder_is_not_a_run(cup: Path) -> None:
    assert league("tournament", "best", "random", "--out", "cup", "--games", "2").code == 0
    for command in (["standings", "--run", "cup"], ["run", "--run", "cup"], ["match", "best", "random", "-r", "cup"]):
        refused = league(*command)
        assert refused.code == 2
        assert f"cup is a tournament, not a run: `league tournament --out {cup}/cup` shows it" in refused.err
    refused = league("tournament", "best", "random", "--out", "runs/tiny")
    assert (refused.code, refused.err.splitlines()[-1]) == (
        2,
        "league: runs/tiny is a run, not a tournament: name another folder by --out",
    )


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_tables_fit(cup: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    called = league("tournament", *ENTRANTS, "--out", "cup", "--games", "10", "--swiss", "--rounds", "5")
    assert called.code == 0
    assert max(map(cell_len, called.out.splitlines())) <= width
    cells = re.findall(r"\d\.\d+ ±\d\.\d+", called.out.split("against the column")[1])
    assert bool(cells) == (width == 120), "intervals stand in the cells where there is room"
    assert ("95 % intervals: at most ±" in called.out) == (width < 120)
    assert ("columns do not fit" in called.out) == (width == 40)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("best",), "a tournament needs two different policies or more, not best"),
        (("best", "random", "--rounds", "2"), "--rounds is of a Swiss tournament: add --swiss"),
        (("best", "random", "--games", "0"), "one game a pairing or more, and one round or more, not --games 0"),
        (("best", "random", "--swiss", "--rounds", "0"), "not --games 100 --rounds 0"),
        (("best", "nobody"), "no policy is called 'nobody'"),
        ((), "tournaments/tiny is no tournament yet: name the policies"),
        (("best", "random", "--by", "glicko"), "no rating system is called 'glicko'"),
    ],
)
def test_what_cannot_be_played_is_refused(cup: Path, arguments: tuple[str, ...], message: str) -> None:
    called: Called = league("tournament", *arguments)
    assert called.code == 2
    assert message in called.err
    assert not (cup / "tournaments").exists()
