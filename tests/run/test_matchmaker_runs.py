"""Every matchmaker in a run from the command line; a run that stops in between ends in the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from running import content, league, tiny, trained

from league.api import open_run
from league.matchmaking.core import MATCHMAKERS
from league.matchmaking.psro import PSRO
from league.records import LeagueView, Plan


@pytest.mark.parametrize("kind", sorted(MATCHMAKERS))
def test_a_run_that_goes_on_is_the_same_as_one_that_never_stopped(away: Path, kind: str) -> None:
    for name, rounds in (("whole", ["1", "5"]), ("parts", ["1", "3", "5"])):
        for until in rounds:
            args = ("--set", f"matchmaking.kind={kind}", "--set", "population.snapshot_every=1", "--rounds", until)
            called = league("run", "tiny.toml", "-r", name, *args, "--plain")
            assert called.code == 0, called.err
    assert content(away / "runs" / "whole") == content(away / "runs" / "parts")


def test_psro_goes_on_alike_where_scores_count(tmp_path: Path) -> None:
    """Its payoff is made of the scores in the ledger, which a run that goes on reads from its database."""
    changes = ("game.id=kuhn", "matchmaking.kind=psro", "population.snapshot_every=1")
    made = [trained(tiny(*changes, "budget.rounds=4"), tmp_path / "whole")]
    trained(tiny(*changes, "budget.rounds=2"), tmp_path / "parts")
    made.append(trained(tiny(*changes, "budget.rounds=4"), tmp_path / "parts"))
    whole, parts = map(content, made)
    # The tables hold the budget of the first call.
    assert (parts["snapshots"], parts["checkpoint"]) == (whole["snapshots"], whole["checkpoint"])


def test_psro_sees_the_payoff_that_is_predicted_from_the_rated_matches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[tuple[str, str], float] = {}
    plan = PSRO.plan

    def watched(self: PSRO, view: LeagueView, rng: np.random.Generator) -> Plan:
        ids = [snapshot.id for snapshot in view.snapshots]
        scores = view.gains(ids)
        seen.clear()
        seen.update({(a, b): scores[i, j] for i, a in enumerate(ids) for j, b in enumerate(ids)})
        return plan(self, view, rng)

    monkeypatch.setattr(PSRO, "plan", watched)
    changes = ("matchmaking.kind=psro", "population.snapshot_every=1")
    trained(tiny(*changes, "budget.rounds=4"), tmp_path / "run")
    final = dict(seen)
    # The plan of the fourth round was made after the third.
    short = trained(tiny(*changes, "budget.rounds=3"), tmp_path / "short")
    with open_run(short) as run:
        payoff = run.roster.ratings.payoff
    assert payoff is not None
    predicted = {pair: payoff.predict(*pair) for pair in final}
    assert {pair: one and one[0] - 0.5 for pair, one in predicted.items()} == pytest.approx(final)
    assert max(final.values()) > 0.1
