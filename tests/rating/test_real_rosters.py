"""Intervals of pairs on rosters of real runs: set against new games, and on ledgers that are drawn anew from those."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from real_rosters import RealRoster, real_rosters

from league.rating.core import Z95
from league.rating.ledger import Floats
from league.rating.prediction.held_out import choose
from league.rating.prediction.pairs import Pairs
from league.rating.prediction.payoff_fit import fit

COMPONENTS, LEDGERS = 6, 20


def judged(roster: RealRoster, pairs: Pairs, luck: Floats) -> tuple[float, float]:
    """How often the intervals from the results of `pairs` hold the new scores, and the mean error of the predictions.

    luck: `[M]` the variance of the new scores.
    """
    shape, _, _ = choose(pairs, roster.origins, COMPONENTS)
    model = fit(pairs, roster.origins, shape)
    value, low, high = (table[pairs.first, pairs.second] for table in model.interval(*model.log_odds()))
    half = np.where(roster.new < value, value - low, high - value)
    gap = np.abs(value - roster.new)
    return float((gap <= np.hypot(half, Z95 * np.sqrt(luck))).mean()), float(gap.mean())


def test_intervals_of_real_runs_hold_what_new_games_show() -> None:
    found = []
    for roster in real_rosters():
        covered, error = judged(roster, roster.pairs, roster.luck)
        luck = np.sqrt(2.0 / np.pi * roster.luck).mean()
        print(f"{roster.name}: {covered:.3f} of {len(roster.new)} pairs; error {error:.4f}, of which luck {luck:.4f}")
        found.append(covered)
        assert covered >= 0.9
        assert error <= 0.025
    assert 0.93 <= np.mean(found) <= 0.97


@pytest.mark.slow
def test_intervals_hold_on_ledgers_drawn_anew_from_real_rosters() -> None:
    """The new games' scores are taken as the truth, of which each ledger draws as many games as were rated."""
    found = []
    for number, roster in enumerate(real_rosters()):
        covered, games = [], np.round(roster.pairs.games).astype(np.int64)
        for seed in range(LEDGERS):
            drawn = np.random.default_rng([number, seed]).binomial(games, roster.new) / games
            pairs = replace(roster.pairs, games=games.astype(np.float64), score=drawn, spread=1.0)
            covered.append(judged(roster, pairs, np.zeros(len(games)))[0])
        print(f"{roster.name}: {np.mean(covered):.3f} of the pairs in {LEDGERS} ledgers")
        found.append(np.mean(covered))
    print(f"all: {np.mean(found):.3f}")
    assert 0.93 <= np.mean(found) <= 0.97
