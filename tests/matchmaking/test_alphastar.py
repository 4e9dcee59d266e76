"""The AlphaStar league: who meets whom by league role, when learners are frozen, and when exploiters start again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leagues import BOARD, TAG, league, leagues, result
from pydantic import ValidationError

from league.matchmaking.alphastar import AlphaStar, without_falling_end
from league.records import LeagueView, Plan

ALL_MAIN = {"main_agents": 6}


def planned(view: LeagueView, seed: int = 0, **options: object) -> Plan:
    return AlphaStar.model_validate(options).plan(view, np.random.default_rng(seed))


def met(view: LeagueView, table: int, **options: object) -> dict[str, float]:
    """The share of a table's slots by opponent, over several rounds; "self" for pure self-play."""
    found: dict[str, float] = defaultdict(float)
    for seed in range(20):
        for seating in planned(view, seed, **options).seatings[table]:
            own = {learner.name for learner in view.learners if learner.table == table}
            others = [policy for policy in seating.lineup if policy not in own]
            found[others[0] if others else "self"] += seating.share / 20
    return dict(found)


def fared(view: LeagueView, table: int, scores: dict[str, float]) -> LeagueView:
    """The league after a table scored so in very many games against each opponent."""
    rows = [result(f"main-{table}", opponent, score, 10**6, view.round - 1) for opponent, score in scores.items()]
    return replace(view, training=(*view.training, *rows))


def test_league_roles_go_to_the_tables_in_order_as_far_as_they_reach():
    main, spy, wide = "main", "main_exploiter", "league_exploiter"
    assert AlphaStar().league_roles(1) == [main]
    assert AlphaStar().league_roles(4) == [main, spy, wide, wide]
    chosen = AlphaStar.model_validate({"main_agents": 2, "main_exploiters": 0})
    assert chosen.league_roles(3) == [main, main, wide]
    assert AlphaStar().labels(4) == [main, spy, f"{wide}-0", f"{wide}-1"]
    assert chosen.labels(3) == [f"{main}-0", f"{main}-1", wide]


def test_a_main_agent_plays_itself_and_the_whole_past():
    # Nothing is known, so nobody has to be verified: that share goes to self-play.
    found = met(league(tables=4, past=3), 0)
    assert found.pop("self") == pytest.approx(0.5)
    assert sum(found.values()) == pytest.approx(0.5)
    assert {policy.split(".")[0] for policy in found} == {f"main-{table}" for table in range(4)}


def test_a_main_agent_prefers_the_hardest_of_the_past():
    view = league(past=3)
    found = met(fared(view, 0, {"main-0.0": 1.0, "main-0.1": 0.9, "main-0.2": 0.5}), 0)
    # Weights 0, 0.01 and 0.25.
    assert found == pytest.approx({"self": 0.5, "main-0.1": 0.5 / 26, "main-0.2": 0.5 * 25 / 26}, abs=0.06)


def test_past_exploiters_that_still_win_are_met_again():
    view = fared(league(tables=2, past=2), 0, {f"main-{table}.{n}": 1.0 for table in range(2) for n in range(2)})
    assert met(view, 0)["self"] == pytest.approx(0.5)
    beaten = fared(view, 0, {"main-1.1": 0.0})  # half won, half lost: not below 0.3
    assert met(beaten, 0)["self"] == pytest.approx(0.5)
    again = fared(fared(fared(view, 0, {"main-1.1": 0.0}), 0, {"main-1.1": 0.0}), 0, {"main-1.1": 0.0})
    assert met(again, 0) == pytest.approx({"self": 0.35, "main-1.1": 0.65})


def test_a_past_main_agent_that_was_forgotten_is_met_again():
    scores = {"main-0.0": 0.95, "main-0.1": 0.5, "main-0.2": 0.9, "main-0.3": 0.8}
    found = met(fared(league(past=4), 0, scores), 0, pfsp=0.0)
    # The last is harder than the one before, as it should be; the second is harder than the third.
    assert found.pop("self") == pytest.approx(0.35)
    assert found.keys() <= {"main-0.0", "main-0.1", "main-0.2"}
    assert found["main-0.1"] > 0.5
    assert met(fared(league(past=4), 0, {**scores, "main-0.1": 0.92}), 0, pfsp=0.0) == {"self": pytest.approx(1.0)}


def test_main_agents_meet_each_other_and_the_past_of_one_that_is_too_strong():
    view = league(tables=2, past=2)
    assert met(view, 0, pfsp=0.0, **ALL_MAIN) == pytest.approx({"self": 0.5, "main-1": 0.5})
    found = met(fared(view, 0, {"main-1": 0.2}), 0, pfsp=0.0, **ALL_MAIN)
    assert found.pop("self") == pytest.approx(0.5)
    assert found.pop("main-1") == pytest.approx(0.05)
    assert found == pytest.approx({"main-1.0": 0.225, "main-1.1": 0.225}, abs=0.1)


def test_a_main_exploiter_meets_the_live_main_agents_or_their_past():
    view = league(tables=3, past=3)
    two = {"main_agents": 2}
    assert met(view, 2, **two) == pytest.approx({"main-0": 0.5, "main-1": 0.5})
    assert met(fared(view, 2, {"main-0": 0.11}), 2, **two) == pytest.approx({"main-0": 0.5, "main-1": 0.5})
    found = met(fared(view, 2, {"main-0": 0.09, "main-0.0": 0.5, "main-0.1": 0.0, "main-0.2": 1.0}), 2, **two)
    # By x (1 - x), only the first is worth meeting.
    assert found == pytest.approx({"main-1": 0.5, "main-0": 0.05, "main-0.0": 0.45}, abs=1e-3)


def test_a_league_exploiter_meets_the_whole_past_by_capped_weights():
    view = fared(league(tables=3, past=1), 2, {"main-0.0": 0.0, "main-1.0": 0.5, "main-2.0": 0.75})
    assert met(view, 2) == pytest.approx({"main-0.0": 0.4, "main-1.0": 0.4, "main-2.0": 0.2}, abs=0.06)


def test_results_from_before_a_reset_do_not_count():
    view = fared(league(tables=2, past=3), 1, {"main-0": 0.0})
    assert "main-0.1" in met(view, 1)
    learners = (view.learners[0], replace(view.learners[1], exploited=view.round))
    assert met(replace(view, learners=learners), 1) == {"main-0": pytest.approx(1.0)}


def trained(view: LeagueView, *steps: int) -> LeagueView:
    """The league in which each table's learners have trained so many agent-steps since their last snapshot."""
    latest = {snapshot.id: snapshot.steps for snapshot in view.snapshots}
    learners = tuple(replace(one, steps=latest[one.latest] + steps[one.table]) for one in view.learners)
    return replace(view, learners=learners)


STEPS = {"min_steps": 100, "max_steps": 200}


def test_a_learner_is_frozen_when_it_beats_everybody_or_in_the_end():
    everybody = {f"main-{table}.{n}": 0.8 for table in range(3) for n in range(2)}
    view = fared(league(tables=3, past=2), 0, everybody)
    assert planned(trained(view, 99, 0, 0), **STEPS).snapshots == ()
    assert planned(trained(view, 100, 0, 0), **STEPS).snapshots == ("main-0",)
    # Nobody has met everybody but the first.
    assert planned(trained(view, 100, 199, 199), **STEPS).snapshots == ("main-0",)
    assert planned(trained(view, 0, 200, 200), **STEPS).snapshots == ("main-1", "main-2")
    weak = fared(view, 0, {"main-2.1": 0.5})  # 0.65 on the whole
    assert planned(trained(weak, 199, 0, 0), **STEPS).snapshots == ()


def test_a_main_exploiter_is_frozen_when_it_beats_the_main_agents():
    view = fared(league(tables=2, past=2), 1, {"main-0": 0.71})
    assert planned(trained(view, 0, 100), **STEPS).snapshots == ("main-1",)
    assert planned(trained(fared(view, 1, {"main-0": 0.6}), 0, 100), **STEPS).snapshots == ()


def test_exploiters_start_again_after_they_were_frozen_and_main_agents_go_on():
    view = trained(league(tables=3, past=2), 0, 0, 0)
    found = planned(view, reset_probability=1.0).exploits
    assert [(one.learner, one.source, one.snapshot) for one in found] == [
        ("main-1", "main-1", "main-1.0"),
        ("main-2", "main-2", "main-2.0"),
    ]
    assert found[0].hyperparameters == view.learners[1].hyperparameters
    assert [one.learner for one in planned(view, reset_probability=0.0).exploits] == ["main-1"]
    assert planned(trained(league(tables=3, past=2), 1, 1, 1), reset_probability=1.0).exploits == ()
    # Their untrained snapshots are no reason to start again.
    assert planned(trained(league(tables=3, past=1), 0, 0, 0), reset_probability=1.0).exploits == ()


def test_a_league_exploiter_starts_again_once_in_four():
    view = trained(league(tables=3, past=2), 0, 0, 0)
    resets = sum(len(planned(view, seed).exploits) - 1 for seed in range(400))
    assert 70 < resets < 130  # 100 with a standard deviation of 8.7


def test_the_learners_of_all_roles_at_a_table_are_frozen_and_reset_together():
    view = trained(league(TAG, tables=2, past=2), 300, 0)
    plan = planned(view, reset_probability=1.0, **STEPS)
    assert plan.snapshots == ("predator-0", "prey-0")
    assert [one.learner for one in plan.exploits] == ["predator-1", "prey-1"]


def falling_end_of_the_paper(win_rates: list[float]) -> int:
    """`remove_monotonic_suffix` of the supplementary code."""
    for i in range(len(win_rates) - 1, 0, -1):
        if win_rates[i - 1] < win_rates[i]:
            return i + 1
    return 0


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), max_size=8))
def test_the_falling_end_of_a_history_is_that_of_the_paper(win_rates):
    assert without_falling_end(np.array(win_rates)) == falling_end_of_the_paper(win_rates)


@settings(deadline=None, max_examples=100)
@given(leagues(), st.integers(1, 3), st.integers(0, 3), st.integers(0, 2**32))
def test_main_agents_always_play_themselves_and_league_exploiters_only_the_past(view, mains, exploiters, seed):
    settings = AlphaStar.model_validate({"main_agents": mains, "main_exploiters": exploiters})
    plan = settings.plan(view, np.random.default_rng(seed))
    live = {learner.name: learner.table for learner in view.learners}
    roles = settings.league_roles(1 + max(live.values()))
    for table, seated in enumerate(plan.seatings):
        pure = sum(one.share for one in seated if all(live.get(policy) == table for policy in one.lineup))
        if roles[table] == "main":
            assert pure >= 0.35 / roles.count("main") - 1e-9
        elif view.snapshots and len(view.posts) > 1 and roles[table] == "league_exploiter":
            assert pure == 0
            assert {live.get(policy, table) for one in seated for policy in one.lineup} == {table}
    assert {live[exploit.learner] for exploit in plan.exploits}.isdisjoint(
        table for table, role in enumerate(roles) if role == "main"
    )


@pytest.mark.parametrize("options", [{"self_play": 0.6}, {"min_steps": 2, "max_steps": 1}, {"main_agents": 0}])
def test_settings_that_do_not_fit_are_refused(options):
    with pytest.raises(ValidationError):
        AlphaStar.model_validate(options)


def test_a_lone_learner_is_a_main_agent():
    assert met(league(BOARD, past=2), 0).keys() == {"self", "main-0.0", "main-0.1"}
