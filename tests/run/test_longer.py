"""Does the default league grow stronger for as long as it runs? Judged by a perfect solver's labels.

Labels, solver and search serve neither training nor rating. Prints one line per run with `-s`; `-k` chooses.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from league.api import open_run
from league.config.load import load
from league.games.registry import make
from league.orchestrator import League
from league.studies.probe.probe import probe

POSITIONS = Path(__file__).parents[1] / "data" / "connect_four_positions.jsonl"


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("minutes", "seed", "least"), [(3, 1, 0.62), (3, 2, 0.62), (3, 3, 0.62), (30, 1, 0.73)])
def test_what_the_default_run_learns_lasts(minutes: int, seed: int, least: float, tmp_path: Path) -> None:
    """The probability of moves that keep the result: uniform play 0.37, MCTS of 100 simulations 0.73."""
    with League(load(None, (f"budget.minutes={minutes}", f"seed={seed}")), tmp_path / "run") as run:
        run.run()
    with open_run(tmp_path / "run") as opened:
        report = probe(lambda slots: make("connect_four", slots), opened.roster, "latest", POSITIONS, every=True)
    curve = [line.sampled[0] for line in report.lines if line.steps is not None]
    fall = max(max(curve[:k]) - value for k, value in enumerate(curve) if k)
    print(
        f"{minutes} minutes, seed {seed}: {curve[-1]:.3f} at the end, {max(curve):.3f} at best; "
        f"largest fall {fall:.3f}; {(report.lines[-1].steps or 0) / 1e6:.1f} million agent-steps"
    )
    assert curve[-1] >= least
    assert fall <= 0.02
