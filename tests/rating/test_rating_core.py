"""What all ratings share: making one by name, prediction, grouping by role."""

from __future__ import annotations

import subprocess
import sys

import pytest
from builders import RANDOM, duel, row

from league.errors import ConfigError, RatingError
from league.rating.core import (
    META_GAMES,
    RATINGS,
    expected_score,
    make_rating,
    pairwise_results,
    require_one_on_one,
    role_groups,
)
from league.rating.elo import Elo
from league.rating.ledger import Ledger


@pytest.mark.parametrize("name", RATINGS)
def test_every_rating_by_name_rates_nobody_from_nothing(name: str) -> None:
    assert make_rating(name).rate(Ledger([]), RANDOM) == {}


@pytest.mark.parametrize(
    "name", [name for name in RATINGS if name not in ("mean-score", "field", "robust", *META_GAMES)]
)
def test_every_relative_rating_has_the_anchor_at_0_and_the_stronger_above(name: str) -> None:
    rows = [
        duel("a", "random", 30, 2, 5),
        duel("random", "b", 1, 0, 30),
        duel("b", "a", 20, 3, 10),
        duel("a", "b", 9, 0, 20),
    ]
    ratings = make_rating(name).rate(Ledger(rows), RANDOM)
    assert set(ratings) == {"a", "b", "random"}
    assert ratings["random"].value == 0.0 < ratings["a"].value < ratings["b"].value
    assert all(rating.low <= rating.value <= rating.high for rating in ratings.values())
    assert {policy: rating.games for policy, rating in ratings.items()} == {"a": 99, "b": 93, "random": 68}


@pytest.mark.parametrize("name", RATINGS)
def test_a_rating_is_a_pure_function_of_the_ledger(name: str) -> None:
    rows = [duel("a", "random", 3, 2, 5), duel("b", "a", 1, 0, 3)]
    model, ledger = make_rating(name), Ledger(rows)
    once = model.rate(ledger, RANDOM)
    assert once == model.rate(ledger, RANDOM) == model.rate(Ledger(rows), RANDOM)
    assert once == make_rating(name).rate(ledger, RANDOM)


def test_settings_reach_the_rating() -> None:
    assert make_rating("elo", k=32.0).rate(Ledger([duel("a", "b", 1, 0, 0)]), RANDOM)["a"].value == pytest.approx(16.0)


def test_a_users_own_rating_is_named_by_module_and_class() -> None:
    assert isinstance(make_rating("league.rating.elo:Elo", k=8.0), Elo)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("bradly-terry", {}, "did you mean 'bradley-terry'"),
        ("no.such.module:Elo", {}, "no.such.module"),
        ("league.rating.elo:Eloo", {}, "Eloo"),
        ("elo", {"kk": 3}, "kk"),
        ("elo", {"k": -1.0}, "k: "),
        ("openskill", {"model": "Plackett"}, "PlackettLuce"),
    ],
)
def test_what_cannot_be_made_is_a_config_error_that_says_why(
    name: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_rating(name, **settings)


def test_importing_the_ratings_is_light() -> None:
    modules = ["bradley_terry", "elo", "openskill", "mean_score", "payoff", "standings", "schedule", "metagame.ratings"]
    code = "import sys\n" + "".join(f"import league.rating.{name}\n" for name in modules)
    code += "print([m for m in ('scipy', 'openskill', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_400_points_are_odds_of_ten_to_one() -> None:
    assert expected_score(400.0, 0.0) == pytest.approx(10 / 11)
    assert expected_score(-5000.0, 5000.0) + expected_score(5000.0, -5000.0) == pytest.approx(1.0)


def test_comparisons_go_by_rank() -> None:
    assert pairwise_results((1, 0, 0)) == ((0, 1, 0.0), (0, 2, 0.0), (1, 2, 0.5))


def test_a_game_counts_once_for_a_policy_at_several_posts() -> None:
    assert Ledger([row("a a", "b a", placements={(0, 1): 3})]).games_played() == {"a": 3, "b": 3}


FOXES_AND_HENS = frozenset({"random/fox", "random/hen"})


def _groups(
    *lineups: tuple[str, str], anchors: frozenset[str] = FOXES_AND_HENS, paired: bool = False
) -> list[set[str]]:
    rows = [row(*lineup, placements={(0, 1): 1}, paired=paired) for lineup in lineups]
    return [set(group) for group in role_groups(Ledger(rows), anchors)]


def test_with_one_anchor_whoever_a_chain_of_games_joins_is_one_group_wherever_they_sat() -> None:
    assert _groups(("a", "b"), ("b", "random"), anchors=RANDOM) == [{"a", "b", "random"}]
    assert _groups(("a", "b"), ("c", "random"), anchors=RANDOM) == [{"a", "b"}, {"c", "random"}]


def test_roles_that_meet_are_told_apart_by_their_posts() -> None:
    groups = _groups(("f1", "h1"), ("f2", "h1"), ("random/fox", "h2"), ("f1", "random/hen"), ("f2", "h2"))
    assert groups == [{"f1", "f2", "random/fox"}, {"h1", "h2", "random/hen"}]


def test_roles_compared_each_within_itself_are_told_apart_though_they_share_posts() -> None:
    groups = _groups(("f1", "f2"), ("f2", "random/fox"), ("h1", "h2"), ("h2", "random/hen"))
    assert groups == [{"f1", "f2", "random/fox"}, {"h1", "h2", "random/hen"}]


def test_sides_of_a_paired_game_sit_at_each_others_posts() -> None:
    rows = ("back1 front1", "back2 front2"), ("back2 random/fox", "random/hen front1")
    assert _groups(*rows, paired=True) == [{"back1", "back2", "random/hen"}, {"front1", "front2", "random/fox"}]


@pytest.mark.parametrize(
    ("rows", "anchors", "message"),
    [
        ([row("a", "b", "c", placements={(0, 1, 2): 4})], RANDOM, "1 against 1 against 1"),
        ([row("a b", "c d", placements={(0, 1): 4})], RANDOM, "2 against 2"),
        ([row("a", placements={(0,): 4})], RANDOM, "mean-score"),
        (
            [duel("a", "random/y", 3, 0, 1), duel("random/x", "random/y", 3, 0, 1)],
            frozenset({"random/x", "random/y"}),
            "different roles",
        ),
    ],
)
def test_what_is_not_one_policy_against_one_is_refused(rows: list, anchors: frozenset[str], message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(RatingError, match=message):
        require_one_on_one(Ledger(rows), anchors)
