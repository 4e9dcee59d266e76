"""Standings: order, records, trend, and who is best."""

from __future__ import annotations

import pytest
from builders import RANDOM, duel, row, snapshot

from league.errors import ConfigError
from league.rating.ledger import Ledger
from league.rating.standings import best, best_ids, ranked, records, standings
from league.records import Rating

ANCHOR = snapshot("random", 0, "anchor")
ROSTER = [ANCHOR, snapshot("i", 0, "initial"), snapshot("a", 1), snapshot("b", 2), snapshot("c", 3)]
LEDGER = [
    duel("i", "random", 20, 0, 20),
    duel("random", "a", 2, 0, 38),
    duel("b", "random", 39, 1, 0),
    duel("a", "i", 30, 2, 8),
    duel("i", "b", 4, 2, 34),
    duel("b", "a", 26, 4, 10),
]


@pytest.mark.parametrize("by", ["bradley-terry", "elo", "openskill"])
def test_best_comes_first_whichever_rating(by: str) -> None:
    lines = standings(Ledger(LEDGER), ROSTER, RANDOM, by)
    assert [line.snapshot.id for line in lines][:2] == ["b", "a"]
    assert [line.rank for line in lines] == [1, 2, 3, 4]
    assert [line.snapshot.id for line in lines if line.best] == ["b"]


def test_who_has_not_played_is_left_out() -> None:
    assert "c" not in [line.snapshot.id for line in standings(Ledger(LEDGER), ROSTER, RANDOM)]


def test_a_record_adds_up_over_seats_and_opponents() -> None:
    line = next(line for line in standings(Ledger(LEDGER), ROSTER, RANDOM) if line.snapshot.id == "b")
    assert (line.wins, line.draws, line.losses) == (99, 7, 14)
    assert line.score == pytest.approx((99 + 3.5) / 120)
    assert line.rating.games == 120


def test_trend_is_the_change_against_the_learners_rated_snapshot_before() -> None:
    lines = {line.snapshot.id: line for line in standings(Ledger(LEDGER), ROSTER, RANDOM)}
    assert lines["i"].trend is None
    assert lines["random"].trend is None
    assert lines["b"].trend == pytest.approx(lines["b"].field.value - lines["a"].field.value)
    lines = {line.snapshot.id: line for line in standings(Ledger(LEDGER), ROSTER, RANDOM, "elo")}
    assert lines["b"].trend == pytest.approx(lines["b"].rating.value - lines["a"].rating.value)


def test_trend_does_not_cross_learners() -> None:
    roster = [snapshot("x", 1, learner="one"), snapshot("y", 2, learner="two"), snapshot("z", 3, learner="one")]
    ratings = {"x": Rating(10.0, 0, 0, 1), "y": Rating(50.0, 0, 0, 1), "z": Rating(30.0, 0, 0, 1)}
    lines = {line.snapshot.id: line.trend for line in ranked(roster, ratings, {}, {})}
    assert lines == {"x": None, "y": None, "z": 20.0}


def test_who_is_level_by_rating_is_ordered_by_the_field() -> None:
    level, roster = Rating(0.0, 0, 0, 1), [snapshot("x", 1), snapshot("y", 2), snapshot("z", 3)]
    field = {name: Rating(score, 0, 1, 1) for name, score in (("x", 0.4), ("y", 0.6), ("z", 0.5))}
    lines = ranked(roster, dict.fromkeys("xyz", level), {}, {}, field=field, by_field=False)
    assert [line.snapshot.id for line in lines] == ["y", "z", "x"]


def test_best_is_the_highest_lower_bound_among_the_trained() -> None:
    ratings = {
        "random": Rating(900.0, 900.0, 900.0, 9),
        "i": Rating(800.0, 790.0, 810.0, 9),
        "a": Rating(500.0, 400.0, 600.0, 9),
        "b": Rating(700.0, 300.0, 1100.0, 9),
    }
    assert best_ids(ROSTER, ratings) == {"any": "a"}


def test_before_training_the_initial_snapshot_is_best() -> None:
    lines = standings(Ledger(LEDGER[:1]), ROSTER, RANDOM)
    assert {role: line.snapshot.id for role, line in best(lines).items()} == {"any": "i"}


def test_equals_are_ordered_by_id() -> None:
    rows = [duel("b", "a", 5, 0, 5, paired=True), duel("a", "b", 5, 0, 5, paired=True)]
    lines = standings(Ledger(rows), [snapshot("b", 1), snapshot("a", 2)], RANDOM)
    assert [line.snapshot.id for line in lines] == ["a", "b"]


def test_best_and_the_table_are_per_role() -> None:
    anchors = frozenset({"random/fox", "random/hen"})
    roster = [snapshot("f", role="fox"), snapshot("g", 2, role="fox"), snapshot("h", role="hen")]
    rows = [row("f", "h", placements={(0, 1): 9, (1, 0): 3}), row("g", "h", placements={(0, 1): 5, (1, 0): 7})]
    rows.append(row("random/fox", "random/hen", placements={(0, 1): 6, (1, 0): 6}))
    lines = standings(Ledger(rows), roster, anchors)
    assert {role: line.snapshot.id for role, line in best(lines).items()} == {"fox": "f", "hen": "h"}
    assert [line.snapshot.id for line in standings(Ledger(rows), roster, anchors, role="hen")] == ["h"]


def test_three_sides_won_only_alone_and_score_counts_who_was_beaten() -> None:
    played = records(Ledger([row("a", "b", "c", placements={(0, 1, 2): 1, (0, 0, 2): 1, (2, 0, 1): 1})]))
    assert (played["a"].wins, played["a"].draws, played["a"].losses, played["a"].score) == (1, 1, 1, 1.75)
    assert (played["b"].wins, played["b"].draws, played["b"].losses, played["b"].score) == (1, 1, 1, 2.25)
    assert (played["c"].wins, played["c"].draws, played["c"].losses, played["c"].score) == (0, 0, 3, 0.5)


def test_games_against_oneself_are_no_record() -> None:
    assert records(Ledger([duel("a", "a", 5, 0, 5)])) == {}


def test_one_sided_games_rank_by_mean_score() -> None:
    rows = [
        row("random", placements={(0,): 4}, scores=(-40.0,), squares=(404.0,)),
        row("a", placements={(0,): 4}, scores=(-8.0,), squares=(20.0,)),
    ]
    lines = standings(Ledger(rows), ROSTER, RANDOM, by="elo", one_sided=True)
    assert [(line.snapshot.id, line.score, line.best) for line in lines] == [
        ("a", -2.0, True),
        ("random", -10.0, False),
    ]


def test_no_results_no_lines() -> None:
    assert standings(Ledger([]), ROSTER, RANDOM) == ()


def test_an_unknown_rating_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'elo'"):
        standings(Ledger(LEDGER), ROSTER, RANDOM, by="eloo")
