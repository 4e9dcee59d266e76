"""Fictitious play's mixture comes near an equilibrium, naive self-play's latest does not: the configs as shipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from league.config.load import load
from league.games.exact.unroll import sequence_form
from league.orchestrator import League
from league.play.nash_conv import nash_conv

CONFIGS = Path(__file__).parents[2] / "configs"
SEEDS = (0, 1, 2)
LATE = 10
"""The last snapshots by which naive self-play is judged: its latest may pass near an equilibrium, not stay there."""


@dataclass(frozen=True)
class Measured:
    """NashConv of the uniform mixture of all snapshots, the untrained one included, and of each late one alone."""

    mixture: float
    latest: list[float]


def measure(config: str, seed: int, folder: Path) -> Measured:
    """Run a shipped config to its budget."""
    with League(load(str(CONFIGS / f"{config}.toml"), [f"seed={seed}", "threads=1"]), folder) as league:
        assert league.run() == "budget"
        policies = [{"player": league.roster.policy(snapshot.id)} for snapshot in league.roster.entrants.snapshots]
        form = sequence_form(league.executor.make_game(1))
        late = [nash_conv(form, [policy]) for policy in policies[-LATE:]]
        return Measured(nash_conv(form, policies), late)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("game", "bound"), [("rps", 0.1), ("kuhn", 0.15)])
def test_a_fictitious_mixture_nears_equilibrium_and_naive_self_play_does_not(
    game: str, bound: float, tmp_path: Path
) -> None:
    fictitious = [measure(f"fictitious_{game}", seed, tmp_path / f"fictitious-{seed}") for seed in SEEDS]
    naive = [measure(game, seed, tmp_path / f"naive-{seed}") for seed in SEEDS]
    for seed, ours, theirs in zip(SEEDS, fictitious, naive, strict=True):
        print(
            f"{game} seed {seed}: NashConv of the fictitious mixture {ours.mixture:.3f}; of naive self-play's latest "
            f"{theirs.latest[-1]:.3f}, its last {LATE} {np.mean(theirs.latest):.3f}"
        )
    worst = max(ours.mixture for ours in fictitious)
    assert worst <= bound
    assert min(float(np.mean(theirs.latest)) for theirs in naive) >= 2 * worst
