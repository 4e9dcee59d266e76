"""`league rate --until`: it reaches what was asked, says where it cannot, and goes on where it was killed."""

from __future__ import annotations

import math
import shutil
import signal
import time
from pathlib import Path

import pytest
from running import league, started, tiny, trained

from league.storage import audit
from league.storage.store import Store
from league.studies import stepwise
from league.studies.rate.games import RatedGames
from league.studies.rate.until import Target, missing_games, rate_until

SMALL = ("budget.rounds=4", "population.learners=1", "matchmaking.kind=naive")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of tic-tac-toe with three snapshots."""
    return trained(tiny(*SMALL), tmp_path_factory.mktemp("small") / "run")


@pytest.fixture
def run(small: Path, tmp_path: Path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(small, tmp_path / "run"))


def halves(run: Path, by: str) -> dict[str, float]:
    """Half of the width of each rating's interval, by name."""
    (lines,) = league("standings", "--run", run, "--by", by, "--json").json.values()
    return {line["name"]: (line["high"] - line["low"]) / 2 for line in lines}


def ledger(run: Path) -> str:
    with Store.reader(run) as store:
        assert audit.verify(store) == []
        return audit.dump(store)


@pytest.mark.parametrize(("until", "by", "half"), [("±40", "melo", 40), ("25", "bradley-terry", 25)])
def test_every_rating_is_as_narrow_as_was_asked(run: Path, until: str, by: str, half: float) -> None:
    before = halves(run, by)
    assert max(before.values()) > half
    called = league("rate", "--run", run, "--until", until, "--by", by, "--json")
    assert called.code == 0, called.err
    found = called.json["until"]
    assert (found["reached"], found["wide"], found["by"], found["half"]) == (True, [], by, half)
    assert all(width <= half for name, width in halves(run, by).items() if name != "random")
    # Games go where intervals are wide: not many more than are needed, by the root of the number of games.
    assert 0 < found["games"] < 20_000
    again = league("rate", "--run", run, "--until", until, "--by", by, "--json").json["until"]
    assert (again["reached"], again["games"]) == (True, 0)


def test_below_one_it_is_the_score_against_the_field(run: Path) -> None:
    called = league("rate", "--run", run, "--until", "±0.02")
    assert called.code == 0, called.err
    assert "Every interval is ±0.02 or narrower." in called.out
    with RatedGames(run) as games:
        rated = games.roster.ratings.field
        assert len(rated) == 4
        assert all((one.high - one.low) / 2 <= 0.02 for one in rated.values())


def test_the_limit_ends_it_and_says_who_is_wider(run: Path) -> None:
    called = league("rate", "--run", run, "--until", "4", "--games", "3000", "--json").json["until"]
    assert not called["reached"]
    assert 2900 <= called["games"] <= 3100 or called["out_of_reach"]
    assert {one["name"] for one in called["wide"]} == {"main.0", "main.1", "main.2"}
    text = league("rate", "--run", run, "--until", "4", "--games", "200").out
    assert "Wider than ±4 points: main." in text
    assert "Each of them would need more games than the limit of 200 (--games)" in " ".join(text.split())


def test_the_games_that_are_missing_are_those_that_tell_something() -> None:
    """n games of variance v tell log-odds to a variance of 1 / (n v)."""
    points = Target(half=50.0, by="bradley-terry")
    games = 1.96**2 * (1 / 50**2 - 1 / 100**2) * (400 / math.log(10)) ** 2 / 0.25
    assert missing_games(points, 100.0, 9000, 0.25) == pytest.approx(games, rel=1e-3)
    assert missing_games(points, 100.0, 9000, 1e-4) > 300_000, "one that loses nearly every game is out of reach"
    score = Target(half=0.02, by="field")
    assert missing_games(score, 0.04, 50, 0.25) == pytest.approx(1.96**2 * (2500 - 625) * 0.25, rel=1e-3)
    assert missing_games(points, 100.0, 500, None) == pytest.approx(1500.0), "with the root of the games"


def test_a_killed_call_goes_on_to_the_same_ledger(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path(shutil.copytree(run, tmp_path / "whole"))
    command = ("rate", "--until", "12", "--games", "60000")
    killed = started(*command, "--run", run, cwd=tmp_path)
    with Store.reader(run) as store:
        before = store.last_match()
        while store.last_match() == before and killed.poll() is None:
            time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    with Store.reader(run) as store:
        begun = store.last_match()
    assert league(*command, "--run", run).code == 0
    assert league(*command, "--run", whole).code == 0
    with Store.reader(run) as store:
        assert before < begun < store.last_match()
    assert ledger(run) == ledger(whole)


def test_a_call_that_is_stopped_at_any_step_goes_on_to_the_same_ledger(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepwise, "STEP", 500)
    monkeypatch.setattr("league.studies.rate.until.STEP", 500)
    whole = Path(shutil.copytree(run, tmp_path / "whole"))
    target = Target(half=20, by="melo")
    with RatedGames(whole) as games:
        assert not rate_until(games, target, 10**6, lambda fraction: None).wide
    steps = 0
    for attempt in range(100):
        ticks = iter(range(3 + attempt))

        def tick(fraction: float, left=ticks) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt

        try:
            with RatedGames(run) as games:
                assert not rate_until(games, target, 10**6, tick).wide
            break
        except KeyboardInterrupt:
            steps += 1
    assert steps > 2
    assert ledger(run) == ledger(whole)


def test_guests_are_rated_until_their_intervals_are_narrow(run: Path) -> None:
    called = league("rate", "--run", run, "--until", "±60", "--guest", "one-ply", "--json")
    assert called.code == 0, called.err
    assert called.json["until"]["reached"]
    assert halves(run, "melo")["one-ply"] <= 60
    # A guest that is not named does not play, and that is said.
    left = league("rate", "--run", run, "--until", "±20").out
    assert "Every other interval is ±20 points or narrower." in left
    assert "Did not play, and wider: one-ply ±" in left


def test_games_of_one_side_have_score_units(tmp_path: Path) -> None:
    folder = trained(tiny(*SMALL, "game.id=spread"), tmp_path / "spread")
    called = league("rate", "--run", folder, "--until", "±0.9", "--json")
    assert called.code == 0, called.err
    assert called.json["until"]["reached"]
    (lines,) = called.json["standings"].values()
    assert all(line["high"] - line["low"] <= 1.8 for line in lines)


def test_roles_are_compared(tmp_path: Path) -> None:
    folder = trained(tiny(*SMALL, "game.id=tag", "rating.games_per_match=4"), tmp_path / "tag")
    with RatedGames(folder) as games:
        ended = rate_until(games, Target(half=150, by="bradley-terry"), 4000, lambda fraction: None)
        assert ended.games > 0
        rated = games.roster.ratings.by("bradley-terry")
        wide = {one.snapshot.id for one in ended.wide}
        assert all((rated[id].high - rated[id].low) / 2 <= 150 for id in rated.keys() - wide if "random" not in id)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--until", "much"), "--until takes half of an interval's width, such as ±50 points or ±0.02, not 'much'"),
        (("--until", "0"), "not '0'"),
        (("--until", "50", "--by", "nash"), "--until needs intervals, and 'nash' has none"),
        (("--until", "50", "--games", "0"), "rated games are one or more, not --games 0"),
        (("--games", "10"), "--games is of --guest and --until"),
    ],
)
def test_what_cannot_be_asked_is_refused(run: Path, arguments: tuple[str, ...], message: str) -> None:
    before = ledger(run)
    called = league("rate", "--run", run, *arguments)
    assert called.code == 2
    assert message in called.err
    assert ledger(run) == before
