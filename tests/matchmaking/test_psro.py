"""Policy-space response oracles: the meta-solvers by hand, who is met by them, and PSRO with exact best responses."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leagues import TAG, league

from league.errors import RatingError
from league.games.exact.sequence_form import InformationSets
from league.games.exact.unroll import sequence_form
from league.games.registry import make
from league.matchmaking import psro
from league.matchmaking.psro import PSRO, rectified
from league.records import LeagueView

SOLVERS = ("uniform", "nash", "rectified_nash", "alpharank", "prd")
RPS = np.array([[0.0, -0.5, 0.5], [0.5, 0.0, -0.5], [-0.5, 0.5, 0.0]])
CHAIN = np.sign(np.subtract.outer(np.arange(4.0), np.arange(4.0))) / 2
"""Each of four beats those before it."""


def mixture(solver: str, advantage: np.ndarray, own: int = 0, **options: object) -> np.ndarray:
    return PSRO.model_validate({"meta_solver": solver, **options}).mixture(advantage, own)


@pytest.mark.parametrize("solver", ["uniform", "nash", "alpharank", "prd"])
def test_rock_paper_scissors_is_met_uniformly(solver):
    assert mixture(solver, RPS) == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize(
    ("solver", "wanted"), [("uniform", [0.25] * 4), ("nash", [0, 0, 0, 1]), ("alpharank", [0, 0, 0, 1])]
)
def test_of_a_chain_only_the_strongest_counts_unless_all_do(solver, wanted):
    assert mixture(solver, CHAIN) == pytest.approx(wanted)


def test_replicator_dynamics_keep_the_weak_at_their_floor():
    found = mixture("prd", CHAIN, exploration=0.4)
    assert found == pytest.approx([0.1, 0.1, 0.1, 0.7], abs=0.01)


def test_rectified_nash_leaves_out_those_to_whom_the_learner_loses():
    # Rock loses to paper, draws with itself and beats scissors.
    assert mixture("rectified_nash", RPS, own=0) == pytest.approx([0.5, 0, 0.5])
    assert mixture("rectified_nash", RPS, own=1) == pytest.approx([0.5, 0.5, 0])
    # The first of the chain loses to the only one in the equilibrium.
    assert mixture("rectified_nash", CHAIN, own=0) == pytest.approx([0, 0, 0, 1])
    assert rectified(np.array([0.2, 0.3, 0.5]), np.array([0.1, 0.0, -0.1])) == pytest.approx([0.4, 0.6, 0])


def test_a_run_does_not_end_where_the_equilibrium_is_not_found(monkeypatch):
    def fails(advantage: np.ndarray) -> np.ndarray:
        raise RatingError("a linear program of the meta-game failed")

    monkeypatch.setattr(psro, "nash_mixture", fails)
    assert psro.nash(RPS) == pytest.approx([1 / 3] * 3)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 9), st.integers(0, 2**32), st.sampled_from(SOLVERS))
def test_every_solver_gives_a_distribution_and_the_equilibrium_cannot_be_beaten(size, seed, solver):
    upper = np.triu(np.random.default_rng(seed).uniform(-0.5, 0.5, (size, size)), 1)
    game = upper - upper.T
    found = mixture(solver, game)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    if solver == "nash":
        assert (game @ found).max() <= 1e-9


def known(view: LeagueView, advantages: dict[str, np.ndarray]) -> LeagueView:
    """The league with these advantages among the snapshots of each role."""
    return replace(view, gains=lambda policies: advantages[policies[0].split("-")[0]])


def met(view: LeagueView, rounds: int = 300, **options: object) -> dict[str, float]:
    found: Counter[str] = Counter()
    rng = np.random.default_rng(5)
    matchmaker = PSRO.model_validate(options)
    for _ in range(rounds):
        for seating in matchmaker.plan(view, rng).seatings[0]:
            found.update({policy: seating.share / rounds for policy in seating.lineup if "." in policy})
    return dict(found)


def test_opponents_are_met_in_proportion_to_the_solution():
    biased = np.array([[0.0, -1.0, 2.0], [1.0, 0.0, -3.0], [-2.0, 3.0, 0.0]]) / 6
    found = met(known(league(past=3), {"main": biased}))
    assert found == pytest.approx({"main-0.0": 3 / 6, "main-0.1": 2 / 6, "main-0.2": 1 / 6}, abs=0.03)


def test_without_rated_matches_all_are_even():
    assert met(league(past=4)) == pytest.approx({f"main-0.{n}": 0.25 for n in range(4)}, abs=0.03)


def test_each_role_has_a_meta_game_of_its_own():
    found = met(known(league(TAG, past=3), {"predator": RPS, "prey": CHAIN[:3, :3]}))
    predators = {f"predator-0.{n}": 1 / 6 for n in range(3)}
    assert found == pytest.approx({**predators, "prey-0.2": 0.5}, abs=0.03)


def test_a_learner_rectifies_by_its_own_latest_snapshot():
    # The latest of three is scissors: it beats paper, and rock beats it.
    assert met(known(league(past=3), {"main": RPS}), meta_solver="rectified_nash") == pytest.approx(
        {"main-0.1": 0.5, "main-0.2": 0.5}, abs=0.03
    )


# Exact best responses as oracles: what the meta-solvers do when nothing is learned or sampled.


def best_response(sets: InformationSets, gain: np.ndarray) -> tuple[np.ndarray, float]:
    """A seat's best plan `[Q]` and its payoff. gain: `[Q]` the payoff where each sequence ends, given the opponent."""
    gain, mask = gain.copy(), sets.mask.numpy()
    count, actions = mask.shape
    choice = np.zeros(count, dtype=np.int64)
    for number in reversed(range(count)):
        values = np.where(mask[number], gain[1 + number * actions : 1 + (number + 1) * actions], -np.inf)
        # Rounded: which of equally good actions is taken must not hang on the order in which payoffs were added up.
        choice[number] = values.round(9).argmax()
        gain[sets.parent[number]] += values.max()
    plan = np.zeros(sets.sequences)
    plan[0] = 1.0
    for number in range(count):
        plan[1 + number * actions + choice[number]] = plan[sets.parent[number]]
    return plan, float(gain[0])


def random_play(sets: InformationSets) -> np.ndarray:
    """A seat's plan `[Q]` of uniformly random moves."""
    mask = sets.mask.numpy()
    chance = mask / mask.sum(1, keepdims=True)
    plan = np.ones(sets.sequences)
    for number, parent in enumerate(sets.parent):
        plan[1:].reshape(mask.shape)[number] = plan[parent] * chance[number]
    return plan


def exploitability(game: str, solver: str, additions: int) -> list[float]:
    """NashConv / 2 of the mixture after each addition of a pair of best responses to it; naive: of the latest alone."""
    form = sequence_form(make(game, 1))
    population = [tuple(random_play(seat) for seat in form.seats)]
    found = []
    for _ in range(additions + 1):
        firsts, seconds = (np.array([policy[seat] for policy in population]) for seat in range(2))
        payoff = firsts @ (form.payoff @ seconds.T)
        # Every policy plays both seats equally often.
        advantage = (payoff - payoff.T) / max(4 * np.abs(payoff).max(), 1e-9)
        weight = np.eye(len(population))[-1] if solver == "naive" else mixture(solver, advantage, len(population) - 1)
        first, gain = best_response(form.seats[0], form.payoff @ (weight @ seconds))
        second, other_gain = best_response(form.seats[1], -(form.payoff.T @ (weight @ firsts)))
        population.append((first, second))
        found.append((gain + other_gain) / 2)
    return found


def test_with_exact_oracles_naive_play_of_kuhn_poker_runs_in_circles():
    found = exploitability("kuhn", "naive", 30)
    assert min(found) > 0.1
    assert max(found[-10:]) > 0.5


@pytest.mark.parametrize(
    ("solver", "additions", "below"),
    [("uniform", 20, 0.08), ("nash", 12, 1e-9), ("alpharank", 20, 0.06), ("prd", 12, 0.01)],
)
def test_with_exact_oracles_kuhn_poker_is_solved(solver, additions, below):
    assert exploitability("kuhn", solver, additions)[-1] < below


def test_fictitious_play_of_kuhn_poker_is_slower_than_the_equilibrium():
    assert exploitability("kuhn", "uniform", 20)[-1] > 0.03


def test_with_exact_oracles_leduc_poker_becomes_less_exploitable():
    found = exploitability("leduc", "nash", 60)
    assert np.mean(found[-5:]) < found[0] / 2
