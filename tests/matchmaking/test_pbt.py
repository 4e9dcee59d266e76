"""Exploit and explore: who may copy whom, when, and what becomes of the hyperparameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leagues import BOARD, TAG, league, leagues
from pydantic import ValidationError

from league.errors import PlanError
from league.matchmaking.pbt import PBT, exceeds
from league.records import LeagueView, Rating


def rated(values: list[float], width: float = 10.0, sides=BOARD, steps: int = 10**6) -> LeagueView:
    """A league whose learners' latest snapshots have these ratings, by table and equal for all roles."""
    roles = dict.fromkeys(role for side in sides for role in side)
    ratings = {
        f"{role}-{table}.3": Rating(value, value - width, value + width, 50)
        for table, value in enumerate(values)
        for role in roles
    }
    return league(sides, len(values), 4, ratings, steps)


def exploits(view: LeagueView, seed: int = 0, **options: object):
    return PBT.model_validate(options).plan(view, np.random.default_rng(seed)).exploits


def test_usual_ranges_are_those_that_a_learner_has():
    view = rated([0, 500])
    learners = tuple(replace(one, hyperparameters={"learning_rate": 1e-3, "epsilon": 0.5}) for one in view.learners)
    (exploit,) = exploits(replace(view, learners=learners), resample_probability=0.0)
    assert exploit.hyperparameters["epsilon"] == 0.5
    assert exploit.hyperparameters["learning_rate"] != 1e-3


def test_the_last_of_five_copies_the_first():
    (exploit,) = exploits(rated([0, 300, 100, -200, 50]))
    assert (exploit.learner, exploit.source, exploit.snapshot) == ("main-3", "main-1", "main-1.3")


def test_a_fifth_of_ten_is_two_and_a_source_is_drawn_from_the_first_two():
    view = rated([10.0 * table for table in range(10)], width=1.0)
    found = [exploits(view, seed) for seed in range(20)]
    assert {exploit.learner for plan in found for exploit in plan} == {"main-0", "main-1"}
    assert {exploit.source for plan in found for exploit in plan} == {"main-8", "main-9"}


@pytest.mark.parametrize(("steps", "ready"), [(999, False), (1000, True)])
def test_a_learner_copies_only_after_its_steps(steps, ready):
    assert bool(exploits(rated([0, 500], steps=steps), exploit_steps=1000)) is ready


@pytest.mark.parametrize(("difference", "differs"), [(49.9, False), (50.1, True)])
def test_ratings_must_differ_beyond_the_root_of_their_squared_half_widths(difference, differs):
    # Half-widths of 30 and 40: the difference has one of 50.
    high, low = Rating(difference, difference - 30, difference + 30, 1), Rating(0, -40, 40, 1)
    assert exceeds(high, low) is differs
    assert not exceeds(low, high)


def test_equal_ratings_without_error_do_not_differ():
    assert exploits(rated([100, 100], width=0.0)) == ()


def test_an_unrated_learner_neither_copies_nor_is_copied():
    view = rated([0, 100, 500])
    ratings = {one: rating for one, rating in view.ratings.items() if one != "main-2.3"}
    (exploit,) = exploits(replace(view, ratings=ratings))
    assert (exploit.learner, exploit.source) == ("main-0", "main-1")
    assert exploits(replace(view, ratings={"main-0.3": view.ratings["main-0.3"]})) == ()


def test_roles_are_ranked_apart():
    found = exploits(rated([0, 500], sides=TAG))
    assert [(e.learner, e.source) for e in found] == [("predator-0", "predator-1"), ("prey-0", "prey-1")]


def test_a_copied_hyperparameter_is_multiplied_by_one_of_the_factors_and_the_others_are_kept():
    view = rated([0, 500])
    seen = set()
    for seed in range(40):
        (exploit,) = exploits(view, seed, resample_probability=0.0, ranges={"learning_rate": [1e-5, 1e-1]})
        assert exploit.hyperparameters["entropy"] == 0.02
        assert exploit.hyperparameters["clip"] == 0.2
        seen.add(round(exploit.hyperparameters["learning_rate"], 9))
    assert seen == {0.0016, 0.0025}  # the source's 0.002 times 0.8 and 1.25


def test_a_perturbed_hyperparameter_stays_in_its_range():
    (exploit,) = exploits(rated([0, 500]), resample_probability=0.0, ranges={"entropy": [0.021, 0.022]})
    assert exploit.hyperparameters["entropy"] in (0.021, 0.022)


def test_a_resampled_hyperparameter_is_log_uniform_in_its_range():
    view = rated([0, 500])
    drawn = [
        exploits(view, seed, resample_probability=1.0, ranges={"learning_rate": [1e-4, 1e-2]})[0].hyperparameters
        for seed in range(400)
    ]
    logs = np.log10([one["learning_rate"] for one in drawn])
    assert -4 <= logs.min() < -3.9
    assert -2.1 < logs.max() <= -2
    # Uniform over a width of 2 has a mean of -3 with a standard error of 2/√12/√400 = 0.029: five of them.
    assert abs(logs.mean() + 3) < 0.15


def test_a_range_of_something_that_learners_do_not_have_is_named():
    with pytest.raises(PlanError, match=r"names 'gamma'; learner 'main-1' has the hyperparameters learning_rate"):
        exploits(rated([0, 500]), ranges={"gamma": [0.9, 1.0]})


@pytest.mark.parametrize(
    "options",
    [
        {"self_play": 0.6, "past": 0.5},
        {"ranges": {"entropy": [0.0, 0.1]}},
        {"ranges": {"entropy": [0.2, 0.1]}},
        {"perturb": []},
        {"perturb": [0.0, 1.25]},
        {"fraction": 0.6},
        {"exploit_steps": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(options):
    with pytest.raises(ValidationError):
        PBT.model_validate(options)


@settings(max_examples=150, deadline=None)
@given(leagues(), st.integers(0, 2**32))
def test_every_exploit_is_of_a_ready_learner_that_is_clearly_worse(view, seed):
    learners = {learner.name: learner for learner in view.learners}
    for exploit in exploits(view, seed):
        target, source = learners[exploit.learner], learners[exploit.source]
        assert target.role == source.role
        assert target.steps_since_exploit >= 500_000
        assert exceeds(view.ratings[source.latest], view.ratings[target.latest])
        assert 3e-5 <= exploit.hyperparameters["learning_rate"] <= 3e-3
