"""The matchmaker of best responses: every side in turn, against the frozen policy alone."""

from __future__ import annotations

import numpy as np
import pytest
from leagues import BOARD, PAIRS, SPREAD, TAG, league

from league.errors import PlanError
from league.matchmaking.best_response import BestResponse
from league.matchmaking.core import validate
from league.records import LeagueView, Plan, Seating


def planned(view: LeagueView, **target: str) -> Plan:
    plan = BestResponse(target=target).plan(view, np.random.default_rng(0))
    validate(plan, view)
    return plan


def test_learners_hold_each_side_against_the_target() -> None:
    plan = planned(league(BOARD, tables=2), main="random")
    assert plan.seatings == tuple(
        (Seating((f"main-{table}", "random"), 0.5), Seating(("random", f"main-{table}"), 0.5)) for table in range(2)
    )
    assert not plan.exploits


def test_sides_are_whole_teams_of_their_roles() -> None:
    (seated,) = planned(league(TAG), predator="predator-0.1", prey="random/prey").seatings
    assert [one.lineup for one in seated] == [("predator-0", "random/prey"), ("predator-0.1", "prey-0")]
    (teams,) = planned(league(PAIRS), main="main-0.0").seatings
    assert [one.lineup for one in teams] == [
        ("main-0", "main-0", "main-0.0", "main-0.0"),
        ("main-0.0", "main-0.0", "main-0", "main-0"),
    ]


def test_a_single_side_has_nobody_to_respond_to() -> None:
    with pytest.raises(PlanError, match="two sides or more"):
        planned(league(SPREAD), main="random")
