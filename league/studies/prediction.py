"""`league predict`: the score that the ratings predict for two policies of a run, beside what they have played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from league.errors import PolicyError
from league.run.roster.ranking import Ranking

if TYPE_CHECKING:
    from league.rating.prediction.goodness import GoodnessOfFit


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The predicted mean result in [0, 1] of `a` against `b`, and its 95 % interval.

    games, seen: the rated games that they have played, and their mean result; None without any. goodness: how well
    the same model predicts held-out pairs; None if too few pairs have met.
    """

    a: str
    b: str
    score: float
    low: float
    high: float
    games: int
    seen: float | None
    goodness: GoodnessOfFit | None


def predict(ranking: Ranking, a: str, b: str) -> Prediction:
    """Predict `a` against `b`, as POLICY texts of the run. Raises PolicyError if the ratings cannot tell."""
    if ranking.game.one_sided:
        raise PolicyError(f"{ranking.game.id} has one side, so policies have no opponents")
    roles = list(ranking.game.roles)
    one, other = ranking.named(a, roles), ranking.named(b, roles)
    payoff = ranking.ratings.payoff
    found = None if payoff is None else payoff.predict(one.id, other.id)
    if payoff is None or found is None:
        for snapshot in (one, other):
            if payoff is None or snapshot.id not in payoff.ids:
                raise PolicyError(f"{snapshot.name} has played no rated game yet, so nothing can be predicted")
        raise PolicyError(f"{one.name} and {other.name} are never opponents: they play '{one.role}' and '{other.role}'")
    games, seen = payoff.seen(one.id, other.id)
    score, low, high = found
    return Prediction(
        a=one.name,
        b=other.name,
        score=score,
        low=low,
        high=high,
        games=games,
        seen=seen,
        goodness=payoff.goodness,
    )
