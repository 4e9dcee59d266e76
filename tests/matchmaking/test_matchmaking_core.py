"""Finding matchmakers by name, dividing slots, and refusing plans that cannot be carried out."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leagues import BOARD, TAG, THREE, league

from league.errors import ConfigError, PlanError
from league.matchmaking.core import (
    MATCHMAKERS,
    largest_remainder,
    log_uniform,
    make_matchmaker,
    matchmaker_class,
    past,
    seatings,
    self_play_lineup,
    solution_of,
    validate,
    versus,
)
from league.records import Exploit, LeagueView, Plan, Seating

OWN = """
from league.matchmaking.core import self_play_lineup, tables
from league.records import Plan, Seating

class Mirror:
    def __init__(self, share=1.0):
        if share < 0:
            raise ValueError("share must not be negative")
        self.share = share

    def plan(self, view, rng):
        return Plan(tuple((Seating(self_play_lineup(view, table), self.share),) for table in tables(view)))

class Idle:
    pass

mirror = Mirror()
"""


@pytest.mark.parametrize("kind", sorted(MATCHMAKERS))
def test_every_kind_in_the_dict_can_be_made(kind):
    assert isinstance(make_matchmaker(kind, {}), matchmaker_class(kind))


def test_a_users_matchmaker_is_found_in_a_file_and_given_its_settings(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    view = league(BOARD, tables=2)
    plan = make_matchmaker(f"{tmp_path}/mine.py:Mirror", {"share": 1.0}).plan(view, np.random.default_rng(0))
    validate(plan, view)
    bad = make_matchmaker(f"{tmp_path}/mine.py:Mirror", {"share": 0.9}).plan(view, np.random.default_rng(0))
    with pytest.raises(PlanError, match=r"table 0: the shares sum to 0\.9, not to 1"):
        validate(bad, view)


def test_a_users_matchmaker_is_found_in_a_package(tmp_path, monkeypatch):
    (tmp_path / "mirrors_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    assert make_matchmaker("mirrors_of_mine:Mirror", {}).plan(league(), np.random.default_rng(0)).exploits == ()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("fictitous", {}, r"unknown matchmaker 'fictitous'; did you mean 'fictitious'\?"),
        ("no.such.module:X", {}, r"there is no module 'no\.such\.module'"),
        ("{here}/none.py:X", {}, r"there is no file .*none\.py"),
        ("{here}/broken.py:X", {}, r"broken\.py' failed: ZeroDivisionError"),
        ("{here}/mine.py:Miror", {}, r"mine\.py has no 'Miror'; did you mean 'Mirror'"),
        ("{here}/mine.py:mirror", {}, r"'mirror' is a Mirror, not a class"),
        ("{here}/mine.py:Idle", {}, r"has no method plan\(view, rng\)"),
        ("{here}/mine.py:Mirror", {"shar": 1}, r"refuses its settings .*unexpected keyword argument 'shar'"),
        ("{here}/mine.py:Mirror", {"share": -1}, r"share must not be negative"),
        ("naive", {"self_play": 2}, r"refuses its settings: self_play: .* less than or equal to 1"),
        (":", {}, r"matchmaker ':': write it as package\.module:Name"),
    ],
)
def test_a_matchmaker_that_cannot_be_made_says_why(tmp_path, kind, options, message):
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(ConfigError, match=message):
        make_matchmaker(kind.replace("{here}", str(tmp_path)), options)


@pytest.mark.parametrize(
    ("shares", "slots", "counts"),
    [
        ([1.0], 7, [7]),
        ([0.5, 0.5], 5, [3, 2]),
        ([0.6, 0.3, 0.1], 10, [6, 3, 1]),
        ([0.47, 0.16, 0.158, 0.12, 0.061, 0.031], 100, [47, 16, 16, 12, 6, 3]),
        ([0.25, 0.25, 0.25, 0.25], 2, [1, 1, 0, 0]),
        ([1 / 3, 1 / 3, 1 / 3], 9, [3, 3, 3]),
        ([0.0, 1.0], 3, [0, 3]),
    ],
)
def test_slots_by_largest_remainder(shares, slots, counts):
    assert largest_remainder(shares, slots) == counts


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40).filter(lambda w: sum(w) > 0.1), st.integers(0, 4096))
def test_slots_sum_up_and_are_never_off_by_one_or_more(weights, slots):
    shares = [weight / math.fsum(weights) for weight in weights]
    counts = largest_remainder(shares, slots)
    assert sum(counts) == slots
    assert all(abs(count - share * slots) < 1 + 1e-6 for count, share in zip(counts, shares, strict=True))


def test_a_table_with_few_slots_is_still_balanced_over_the_sides():
    view = league(BOARD, past=8)
    lineups = versus(view, 0, past(view), 4, np.random.default_rng(0))
    counts = largest_remainder([1 / len(lineups)] * len(lineups), 4)
    played = [lineup for lineup, count in zip(lineups, counts, strict=True) if count]
    assert sum(lineup[0] == "main-0" for lineup in played) == sum(lineup[1] == "main-0" for lineup in played) == 2


def test_with_three_posts_the_other_two_are_filled_independently():
    view = league(THREE, past=3)
    pairs: Counter[tuple[str, ...]] = Counter()
    rng = np.random.default_rng(5)
    for _ in range(600):
        lineup = versus(view, 0, past(view), 3, rng)[0]
        assert lineup[0] == "main-0"
        pairs[lineup[1:]] += 1
    # Nine pairs at 600/9 = 66.7 each, standard deviation 7.7: five of them.
    assert len(pairs) == 9
    assert all(abs(count - 66.7) < 38.5 for count in pairs.values())


def test_no_more_opponents_are_drawn_than_asked_and_none_twice():
    view = league(BOARD, past=20)
    lineups = versus(view, 0, past(view), 4, np.random.default_rng(0))
    met = Counter(policy for lineup in lineups for policy in lineup if policy != "main-0")
    assert sorted(met.values()) == [2, 2, 2, 2]


def test_a_post_whose_role_has_no_past_is_held_by_the_tables_learner():
    view = league(TAG)
    lineups = versus(view, 0, {"prey": ["prey-0.0"], "predator": []}, 4, np.random.default_rng(0))
    assert lineups == (("predator-0", "prey-0.0"), ("predator-0", "prey-0"))


def test_equal_lineups_are_merged_and_empty_shares_left_out():
    one, two = ("main-0", "main-0"), ("main-0", "main-0.1")
    assert seatings([(0.5, [one]), (0.5, [one, two]), (0.0, [("x", "y")])]) == (Seating(one, 0.75), Seating(two, 0.25))


def test_log_uniform_draws_depend_on_the_generator_alone():
    ranges = {"learning_rate": (1e-4, 1e-2), "entropy": (0.01, 0.1)}
    one, other = (log_uniform(ranges, np.random.default_rng(seed)) for seed in (1, 2))
    same = log_uniform(dict(reversed(ranges.items())), np.random.default_rng(1))
    assert one == same != other
    assert all(low <= one[name] <= high for name, (low, high) in ranges.items())


def good_plan(view):
    return Plan(tuple((Seating(self_play_lineup(view, table), 1.0),) for table in range(2)))


EXPLOIT = Exploit("predator-0", "predator-1", "predator-1.3", {"learning_rate": 1e-3})


def test_a_plan_may_seat_anchors_snapshots_and_live_learners_and_copy_within_a_role():
    view = league(TAG, tables=2)
    seated = (Seating(("predator-0", "random/prey"), 0.5), Seating(("predator-1.0", "prey-0"), 0.5))
    tables = (seated, (Seating(("predator-0", "prey-1"), 1.0),))
    validate(Plan(tables, (EXPLOIT,)), view)
    with pytest.raises(PlanError, match="seats 1 tables; the league has 2"):
        validate(Plan(tables[:1], (EXPLOIT,)), view)
    with pytest.raises(PlanError, match="copied over more than once"):
        validate(Plan(tables, (EXPLOIT, EXPLOIT)), view)


@pytest.mark.parametrize(
    ("seated", "message"),
    [
        ((), r"table 0: the shares sum to 0(\.0)?, not to 1"),
        ((Seating(("predator-0", "prey-0"), -1.0),), r"table 0: the share of .* is -1\.0"),
        ((Seating(("predator-0", "prey-0"), math.nan),), r"is nan; shares are >= 0"),
        ((Seating(("predator-0", "prey-0"), math.inf),), r"sum to inf"),
        ((Seating(("predator-0",), 1.0),), r"must fill 2 posts"),
        ((Seating(("predator-0", "pray-0"), 1.0),), r"post 1: unknown policy 'pray-0'; did you mean 'prey-0'\?"),
        ((Seating(("prey-0", "prey-0"), 1.0),), r"post 0 is for role 'predator'; 'prey-0' is of role 'prey'"),
        ((Seating(("predator-0", "random/predator"), 1.0),), r"post 1 is for role 'prey'"),
        ((Seating(("predator-1", "prey-0.1"), 1.0),), r"has none of the table's learners \['predator-0', 'prey-0'\]"),
    ],
)
def test_a_seating_that_cannot_be_is_named(seated, message):
    view = league(TAG, tables=2)
    with pytest.raises(PlanError, match=message):
        validate(replace(good_plan(view), seatings=(seated, good_plan(view).seatings[1])), view)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learner": "predator-7"}, r"unknown learner 'predator-7'"),
        ({"source": "predator-1.3"}, r"unknown learner 'predator-1\.3'"),
        ({"source": "prey-1"}, r"'predator-0' is of role 'predator', 'prey-1' of role 'prey'"),
        ({"snapshot": "prey-1.3"}, r"'prey-1\.3' of role 'prey'"),
        ({"snapshot": "predator-1"}, r"unknown snapshot 'predator-1'"),
        ({"snapshot": "0123"}, r"unknown snapshot '0123'"),
        ({"hyperparameters": {"learning_rate": math.nan}}, r"hyperparameter 'learning_rate' is nan"),
    ],
)
def test_an_exploit_that_cannot_be_is_named(changes, message):
    view = league(TAG, tables=2)
    with pytest.raises(PlanError, match=message):
        validate(replace(good_plan(view), exploits=(replace(EXPLOIT, **changes),)), view)


def test_a_learner_can_be_reset_to_a_snapshot_of_its_own_and_frozen():
    view = league(TAG, tables=2)
    reset = replace(EXPLOIT, source="predator-0", snapshot="predator-0.0")
    validate(replace(good_plan(view), exploits=(reset,), snapshots=("prey-1", "predator-0")), view)
    with pytest.raises(PlanError, match="exploit of 'predator-0': unknown snapshot 'random/predator'"):
        validate(replace(good_plan(view), exploits=(replace(reset, snapshot="random/predator"),)), view)
    with pytest.raises(PlanError, match=r"snapshots: unknown learner 'prey-2'; did you mean 'prey-"):
        validate(replace(good_plan(view), snapshots=("prey-2",)), view)


def test_no_learner_is_copied_over_twice():
    view = league(TAG, tables=2)
    with pytest.raises(PlanError, match="'predator-0' is copied over more than once"):
        validate(replace(good_plan(view), exploits=(EXPLOIT, EXPLOIT)), view)


def test_a_plan_for_other_tables_or_of_another_type_is_refused():
    with pytest.raises(PlanError, match="seats 2 tables; the league has 3"):
        validate(good_plan(league(TAG, tables=2)), league(TAG, tables=3))
    with pytest.raises(PlanError, match=r"must return a league\.records\.Plan, not list"):
        validate([], league())


def test_a_method_says_what_to_play_in_the_end() -> None:
    solutions = {kind: solution_of(make_matchmaker(kind, {})) for kind in MATCHMAKERS}
    assert {kind: one for kind, one in solutions.items() if one != "latest"} == {
        "fictitious": "average",
        "psro": "nash",
    }
    assert solution_of(make_matchmaker("psro", {"meta_solver": "uniform"})) == "average"

    class Own:
        solution = "strongest"

        def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
            raise NotImplementedError

    with pytest.raises(ConfigError, match="solution must be one of latest, average, nash, not 'strongest'"):
        solution_of(Own())  # type: ignore[arg-type]
    Own.solution = "nash"
    assert solution_of(Own()) == "nash"  # type: ignore[arg-type]
