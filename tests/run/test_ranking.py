"""What is cached for quick readers is what the whole ledger says; what is not up to date is computed from it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from calling import heavy_imports
from running import Called, content, league, tiny, trained

from league.events import Event, RoundFinished
from league.orchestrator import League
from league.rating.core import POINTS, RosterFacts, make_rating, rate
from league.rating.ledger import Ledger
from league.rating.standings import records
from league.run.roster.ranking import open_ranking
from league.run.roster.ratings import REFERENCE_KIND, Ratings
from league.storage.store import Store
from league.studies.synthetic_ledger import mean_results, strengths, synthetic_run

TOLERANCE = 1e-6
"""Points by which a cached rating may differ from a refit of the same ledger."""


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20,000 games among 40 snapshots of known strength."""
    folder = tmp_path_factory.mktemp("synthetic") / "run"
    synthetic_run(folder, 20_000, 40)
    return folder


@pytest.fixture
def copy(finished: tuple[Path, Called], tmp_path: Path) -> Path:
    """A copy of the finished run, to be written to."""
    return Path(shutil.copytree(finished[0] / "runs" / "tiny", tmp_path / "copy"))


def change(folder: Path, statement: str) -> None:
    """Change a run's database behind its back."""
    database = sqlite3.connect(folder / "league.db")
    with database:
        database.execute(statement)
    database.close()


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger must not be read."""

    def read(*_: object) -> Ledger:
        raise AssertionError("the ledger was read")

    monkeypatch.setattr(Store, "ledger", read)


def assert_cached_is_refitted(folder: Path) -> None:
    with Store.reader(folder) as store:
        results, parents = Ledger(store.results()), {one.id: one.parent for one in store.snapshots() if one.parent}
        cached, (played, upto) = store.ratings(REFERENCE_KIND), store.records()
    assert cached.upto == upto == len(results) > 0
    assert played == records(results)
    again = rate(make_rating("melo"), results, frozenset({"random"}), RosterFacts(parents=parents))
    assert cached.ratings.keys() == again.keys()
    for policy, rating in again.items():
        one = cached.ratings[policy]
        assert (one.value, one.low, one.high, one.games) == pytest.approx(
            (rating.value, rating.low, rating.high, rating.games), abs=TOLERANCE
        )


def test_what_a_run_caches_is_what_its_ledger_says(finished: tuple[Path, Called], synthetic: Path) -> None:
    assert_cached_is_refitted(finished[0] / "runs" / "tiny")
    assert_cached_is_refitted(synthetic)


def test_known_strengths_come_out(synthetic: Path) -> None:
    with Store.reader(synthetic) as store:
        ranking = open_ranking(store)
        found = [ranking.ratings.by("bradley-terry")[snapshot.id] for snapshot in ranking.entrants.snapshots]
        payoff = ranking.ratings.payoff
    true, values = POINTS * strengths(40), np.array([rating.value for rating in found])
    # The intervals are those of the distance to the roster's mean.
    misses = np.abs(true - true.mean() - values + values.mean()) > [rating.high - rating.value for rating in found]
    assert misses.sum() <= 6
    place = [payoff.ids.index(snapshot.id) for snapshot in (*ranking.entrants.anchors, *ranking.entrants.snapshots)]
    _, low, high = (table[np.ix_(place, place)] for table in payoff.model.interval(*payoff.model.log_odds()))
    score, pairs = mean_results(np.append(0.0, strengths(40))), np.triu_indices(41, 1)
    covered = ((low <= score) & (score <= high))[pairs].mean()
    assert 0.92 <= covered <= 1.0


def test_every_system_is_shown_with_how_well_it_predicts(synthetic: Path) -> None:
    found = league("standings", "--by", "all", "--run", synthetic, "--json").json["goodness"]
    for one in found.values():
        assert 0.0 <= one["error"] <= one["raw_error"]
        assert one["pairs"] > 100
    assert found["melo"]["error"] < found["elo"]["error"], "Elo knows neither seats nor draws, and depends on order"
    assert "error of predicted scores" in league("standings", "--by", "all", "--run", synthetic).out


def test_standings_are_read_from_the_cache(synthetic: Path, unread: None) -> None:
    rows = league("standings", "--run", synthetic, "--json").json["player"]
    assert len(rows) == 41
    assert sum(row["games"] for row in rows) == 40_000
    out = league("standings", "--run", synthetic).out
    assert out.count("main.") == 40
    assert "pairs held out" in " ".join(out.split()), "goodness of fit is part of the standings"
    assert league("show", "best", "--run", synthetic, "--json").json["rating"]["games"] > 0


@pytest.mark.parametrize("command", ["standings --json", "standings --by field", "show best", "runs"])
def test_reading_imports_nothing_heavy(here: Path, command: str) -> None:
    assert heavy_imports(command.split(), ("torch", "scipy", "pettingzoo", "pydantic")) == "HEAVY []"


def test_what_is_cached_for_an_older_ledger_or_by_other_settings_is_not_shown(copy: Path) -> None:
    whole = league("standings", "--run", copy, "--json").json
    for stale in (
        "UPDATE rating_kinds SET upto = upto - 1",
        "UPDATE rating_kinds SET upto = upto + 1, settings = ''",
        "UPDATE records_upto SET upto = upto - 1",
        "DELETE FROM records_upto",
    ):
        change(copy, "UPDATE ratings SET value = value + 100")
        change(copy, "UPDATE records SET wins = wins + 1")
        change(copy, stale)
        if "rating" in stale:
            change(copy, "UPDATE records_upto SET upto = 0")
        else:
            change(copy, "UPDATE rating_kinds SET upto = 0")
        assert league("standings", "--run", copy, "--json").json == whole


def test_a_run_that_keeps_no_facts_of_its_game_is_read_all_the_same(copy: Path) -> None:
    whole = league("standings", "--run", copy, "--json").json
    change(copy, "DELETE FROM facts WHERE key = 'game'")
    assert league("standings", "--run", copy, "--json").json == whole


def test_rate_says_what_was_not_as_cached_and_mends_it(copy: Path) -> None:
    whole = league("standings", "--run", copy, "--json").json
    found = league("rate", "--run", copy, "--json").json
    assert found["ratings"] == {"melo": 0.0, "field": 0.0, "robust": 0.0}
    assert (found["policies"], found["records"]) == (len(whole["player"]), 0)
    change(copy, "UPDATE ratings SET value = value + 3.5 WHERE snapshot = 2")
    change(copy, "UPDATE records SET wins = wins + 1 WHERE snapshot IN (2, 3)")
    assert league("standings", "--run", copy, "--json").json != whole
    said = league("rate", "--run", copy).out
    assert "melo    3.5" in said
    assert "2 records differed" in said
    assert league("standings", "--run", copy, "--json").json == whole


def test_rate_caches_a_rating_that_the_run_does_not_show(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_elo = league("standings", "--run", copy, "--by", "elo", "--json").json
    assert league("rate", "--run", copy, "--by", "elo", "--json").json["ratings"]["elo"] is None
    monkeypatch.setattr(Ratings, "_loaded_ledger", None)
    assert league("standings", "--run", copy, "--by", "elo", "--json").json == by_elo


def test_rate_leaves_a_run_in_progress_alone(copy: Path) -> None:
    with Store.open(copy):
        called = league("rate", "--run", copy)
    assert called.code == 2
    assert "is in use: process" in called.err


def test_rate_refuses_an_unknown_rating_and_changes_nothing(copy: Path) -> None:
    before = content(copy)
    called = league("rate", "--run", copy, "--by", "ello")
    assert called.code == 2
    assert "did you mean 'elo'" in called.err
    assert content(copy) == before


def test_a_run_caches_the_rating_that_it_shows_and_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    whole = trained(tiny("rating.by=elo"), tmp_path / "whole")

    def stop(event: Event) -> None:
        if isinstance(event, RoundFinished) and event.round == 3:
            run.interrupt()

    with League(tiny("rating.by=elo"), tmp_path / "parts", [stop]) as run:
        assert run.run() == "interrupt"
    assert content(trained(tiny("rating.by=elo"), tmp_path / "parts")) == content(whole)
    with Store.reader(whole) as store:
        assert store.rated_kinds() == ["elo", "field", REFERENCE_KIND, "robust"]
        assert store.ratings("elo").upto == store.last_match()
        assert store.ratings("elo").ratings == make_rating("elo").rate(store.ledger(), frozenset({"random"}))


def test_a_rating_that_needs_scores_sees_the_rounds_of_a_run_under_way(tmp_path: Path) -> None:
    with League(tiny(), tmp_path) as run:
        run.run()
        assert not run.roster.ratings.ledger.scored
        rated = run.roster.ratings.by("mean-score")
        assert {policy: rating.games for policy, rating in rated.items()} == run.roster.ratings.ledger.games_played()
        assert len(run.roster.ratings.ledger) == run.store.last_match() > 0
