"""A game of three seats from end to end: training, rated matches, every rating, matches and payoffs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from running import league

from league.api import open_run
from league.config.load import with_overrides
from league.games.actions import Discrete
from league.games.registry import make
from league.orchestrator import League
from league.play.fixture import fixtures
from league.play.match import play
from league.policies.scripted import Random
from league.rating.core import META_GAMES, RATINGS, make_rating
from league.rating.ledger import Ledger
from league.records import MatchResult

GAME = "openspiel:kuhn_poker"
CONFIG = """\
threads = 1
workers = 0
game = { id = "openspiel:kuhn_poker", options = { players = 3 } }
budget = { rounds = 3 }
population = { snapshot_every = 1 }
algorithm = { slots = 8, turns = 16, epochs = 1, minibatch = 64 }
network = { actor = [16], critic = [16] }
rating = { matches_per_snapshot = 3, games_per_match = 6 }
"""


class Folds(Random):
    """Never puts a chip in: it loses its ante unless nobody bets and its card is the highest."""

    def logits(self, rows):
        logits = super().logits(rows).clone()
        logits[:, 0] = 30.0
        return logits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    path = tmp_path_factory.mktemp("three") / "run"
    with League(with_overrides(tomllib.loads(CONFIG), (), "three"), path) as run:
        assert run.run() == "budget"
    return path


def rated(outcome: str) -> list[MatchResult]:
    game = make(GAME, 32, options={"players": 3, "outcome": outcome})
    policies = {
        "random": Random("player", Discrete(2)),
        "twin": Random("player", Discrete(2)),
        "folds": Folds("player", Discrete(2)),
    }
    found = [fixture for seed in (0, 1) for fixture in fixtures(game.spec, ["random", "twin", "folds"], 300, 10 * seed)]
    results = play([game], policies, found)
    game.close()
    return results


def test_every_policy_sits_at_every_seat_equally_often():
    spec = make(GAME, 1, options={"players": 3}).spec
    (paired,) = fixtures(spec, ["a", "b", "c"], 10, 0)
    assert paired.episodes == (("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"))
    assert paired.rated_index == ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    ranked = make(GAME, 1, options={"players": 3, "outcome": "placements"}).spec
    apart = fixtures(ranked, ["a", "b", "b"], 10, 0)
    assert [(fixture.contestants, fixture.games) for fixture in apart] == [
        ((("a",), ("b",), ("b",)), 4),
        ((("b",), ("b",), ("a",)), 4),
        ((("b",), ("a",), ("b",)), 4),
    ]


@pytest.mark.parametrize("outcome", ["score", "placements"])
def test_every_rating_orders_three_at_a_table(outcome):
    results = rated(outcome)
    assert {result.paired for result in results} == {outcome == "score"}
    assert all(len(pattern) == 3 for result in results for pattern in result.placements)
    assert sum(result.games for result in results) == 600
    total = dict.fromkeys(("random", "twin", "folds"), 0.0)
    for result in results:
        for name, score in zip(result.policies, result.score_sum, strict=True):
            total[name] += score
    assert sum(total.values()) == pytest.approx(0.0)
    assert total["folds"] < min(total["random"], total["twin"])
    for name in sorted(RATINGS.keys() - META_GAMES.keys() - {"mean-score", "field", "robust"}):
        ratings = make_rating(name).rate(Ledger(results), frozenset({"random"}))
        assert ratings["random"].value == 0.0
        assert ratings["folds"].value < ratings["twin"].value, name
        assert ratings["twin"].low < 0.0 < ratings["twin"].high, f"{name}: twins are level"


def test_scores_by_seat_are_kept_where_the_lineup_does_not_tell(folder):
    with open_run(folder) as run:
        rows = run.store.results()
    assert rows
    for row in rows:
        assert [(one.post, one.seat) for one in row.seats] == [(post, seat) for post in range(3) for seat in range(3)]
        for post in range(3):
            mine = [one for one in row.seats if one.post == post]
            assert {one.episodes for one in mine} == {row.games}
            assert sum(one.score_sum for one in mine) == pytest.approx(row.score_sum[post])
            assert sum(one.score_sq for one in mine) == pytest.approx(row.score_sq[post])
    assert all(not result.seats for result in rated("placements"))


def test_the_second_of_two_takes_all_other_seats(folder):
    called = league("match", "random", "random", "--games", "200", "--run", folder, "--json")
    found = called.json
    assert found["labels"] == ["random", "random"]
    assert found["wins"] + found["draws"] + found["losses"] == found["games"] == 200
    assert found["episodes"] == 600
    assert found["wins"] < 0.45 * 200, "alone against two of its kind it comes first a third of the time"
    assert found["low"] < 0.5 < found["high"], "but beats half of the others"
    assert sum(found["mean_returns"]) == pytest.approx(0.5 * found["mean_returns"][0]), "two lose what one wins"
    assert "behind" in league("match", "latest", "random", "--games", "6", "--run", folder).out


def test_three_may_be_named(folder):
    found = league("match", "latest", "main.1", "random", "--games", "6", "--run", folder, "--json").json
    assert found["labels"][1:] == ["main.1", "random"]
    assert sum(found["mean_returns"]) == pytest.approx(0.0)
    refused = league("match", "latest", "main.1", "main.0", "random", "--run", folder)
    assert (refused.code, "3 sides: name one policy for each, not 4" in refused.err) == (2, True)


def test_the_game_behind_the_table_is_for_two_sides(folder):
    for by in ("nash", "alpharank", "deviation"):
        refused = league("standings", "--by", by, "--run", folder)
        assert (refused.code, "one policy against one, not of 1 against 1 against 1" in refused.err) == (2, True)


def test_standings_and_payoffs(folder):
    rows = league("standings", "--run", folder, "--json").json["player"]
    assert {row["name"] for row in rows} == {"random", "main.0", "main.1", "main.2", "main.3"}
    seats = league("standings", "--seat", "--run", folder, "--json").json["player"]
    for row in seats:
        games = {one["games"] for one in row["seats"].values()}
        assert (list(row["seats"]), len(games)) == (["player_0", "player_1", "player_2"], 1), "all seats alike"
    (table,) = league("payoff", "--run", folder, "--json").json["tables"]
    for i, row in enumerate(table["cells"]):
        assert row[i] is None
        for j, cell in enumerate(row):
            if cell:
                back = table["cells"][j][i]
                assert (cell["games"], cell["score"]) == (back["games"], pytest.approx(1 - back["score"]))
