"""Projected replicator dynamics: an approximate equilibrium that gives weight to everybody (Lanctot et al. 2017)."""

from __future__ import annotations

import numpy as np

from league.rating.ledger import Floats
from league.rating.metagame.advantage import checked

STEPS, STEP = 10_000, 0.05
"""How many steps of which length, for advantages in [-1/2, 1/2]: the mean over them is then near an equilibrium."""


def projected_replicator(advantage: Floats, floor: float = 0.0, steps: int = STEPS, step: float = STEP) -> Floats:
    """The mean mixture `[N]` of a population that starts uniform and follows the replicator dynamics.

    In every step, x_i changes by step * x_i * (A x)_i, as the mean advantage in a symmetric zero-sum game is 0, and is
    then projected to the mixtures in which nobody has less than `floor` / N (Lanctot et al. 2017, arXiv:1711.00832,
    sec. 3.2, with exploration γ = `floor`). Raises RatingError as `checked` does.
    """
    advantage = checked(advantage)
    size = len(advantage)
    least = floor / max(size, 1)
    x = np.full(size, 1.0 / max(size, 1))
    total = x.copy()
    for _ in range(steps):
        x = x + step * x * (advantage @ x)
        if x.min(initial=1.0) < least:
            x = _projected(x, least)
        total += x
    return np.asarray(total / (steps + 1))


def _projected(x: Floats, least: float) -> Floats:
    """The nearest mixture with no weight below `least` (Wang and Carreira-Perpiñán 2013, arXiv:1309.1541)."""
    above = np.sort(x - least)[::-1]
    shift = (1.0 - len(x) * least - np.cumsum(above)) / np.arange(1, len(x) + 1)
    # Those that stay above the floor come first; where the floor leaves nothing, rounding may find none.
    last = max(int(np.count_nonzero(above + shift > 0.0)) - 1, 0)
    return np.asarray(np.maximum(x - least + shift[last], 0.0) + least)
