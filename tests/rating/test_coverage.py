"""95 % intervals hold the truth 93 to 97 % of the time, on simulated rosters of every kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from builders import RANDOM, duel
from scipy.special import expit, logit

from league.rating.core import NO_FACTS, POINTS, make_rating, rate
from league.rating.field import field_weights
from league.rating.ledger import Ledger
from league.rating.prediction.fitted_payoff import fitted_payoff

Truth = np.ndarray[tuple[int, int], np.dtype[np.float64]]

POLICIES, GAMES = 24, 40
"""Of a roster, random play among them, and of each pair."""

KINDS = ("transitive", "cyclic", "saturating", "draws", "seats")


def truth(kind: str, rng: np.random.Generator) -> tuple[Truth, Truth]:
    """`[N, N]` the chances that the row, seated first, wins and draws. Policy 0 is random play, the weakest."""
    theta = np.append(-2.0, 1.2 * rng.standard_normal(POLICIES - 1))
    eta = theta[:, None] - theta
    if kind == "cyclic":
        x, y = rng.standard_normal((2, POLICIES))
        eta = eta + 0.8 * (x[:, None] * y - y[:, None] * x)
    if kind == "seats":
        eta = eta + 0.7
    won = expit(eta)
    if kind == "saturating":
        won = 0.04 + 0.92 * won
    drawn = 0.4 * 4.0 * won * (1.0 - won) if kind == "draws" else np.zeros_like(won)
    return won - drawn / 2.0, drawn


def played(won: Truth, drawn: Truth, rng: np.random.Generator, games: int = GAMES) -> Ledger:
    """Every pair plays, half of its games in each seating."""
    names, rows = ["random", *(f"s{k:02}" for k in range(1, len(won)))], []
    for i, j in zip(*np.triu_indices(len(won), 1), strict=True):
        for a, b in ((i, j), (j, i)):
            counts = rng.multinomial(games // 2, [won[a, b], drawn[a, b], max(1.0 - won[a, b] - drawn[a, b], 0.0)])
            rows.append(duel(names[a], names[b], *counts.tolist()))
    return Ledger([rows[k] for k in rng.permutation(len(rows))])


def covered(won: Truth, drawn: Truth, ledger: Ledger) -> tuple[float, float, float]:
    """How often the intervals hold the truth: of all pairs' scores, of ratings, of scores against the field."""
    seated = won + drawn / 2.0
    score = (seated + 1.0 - seated.T) / 2.0
    fitted = fitted_payoff(ledger, RANDOM, NO_FACTS)
    place = [0 if one == "random" else int(one[1:]) for one in fitted.ids]
    score = score[np.ix_(place, place)]
    upper = np.triu_indices(len(place), 1)
    _, low, high = fitted.model.interval(*fitted.model.log_odds())
    pairs = ((low <= score) & (score <= high))[upper].mean()
    above, field = (rate(make_rating(name), ledger, RANDOM, NO_FACTS) for name in ("melo", "field"))
    mean = (field_weights(fitted, NO_FACTS) * score).sum(1)
    zero, others = fitted.ids.index("random"), [n for n, one in enumerate(fitted.ids) if one != "random"]
    points = POINTS * logit(score[:, zero])
    ratings = np.mean([above[fitted.ids[n]].low <= points[n] <= above[fitted.ids[n]].high for n in others])
    fields = np.mean([field[fitted.ids[n]].low <= mean[n] <= field[fitted.ids[n]].high for n in others])
    return float(pairs), float(ratings), float(fields)


def simulated(kind: str, rosters: int) -> Iterator[tuple[float, float, float]]:
    for seed in range(rosters):
        rng = np.random.default_rng([KINDS.index(kind), seed])
        won, drawn = truth(kind, rng)
        yield covered(won, drawn, played(won, drawn, rng))


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_cover_on_a_few_rosters(kind: str) -> None:
    """Five rosters, hence wide bounds: 1,380 pairs, but their errors within a roster go together."""
    for mean in np.mean(list(simulated(kind, 5)), axis=0):
        assert 0.90 <= mean <= 1.0


@pytest.mark.slow
def test_intervals_cover_on_200_rosters() -> None:
    found = {kind: np.mean(list(simulated(kind, 40)), axis=0) for kind in KINDS}
    for kind, (pairs, ratings, fields) in found.items():
        print(f"{kind}: scores of pairs {pairs:.3f}, ratings {ratings:.3f}, scores against the field {fields:.3f}")
    overall = np.mean(list(found.values()), axis=0)
    print("all", np.round(overall, 3))
    for mean in overall:
        assert 0.93 <= mean <= 0.97
