"""How well ratings predict, as a record: light, for readers that load it from a cache."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bin:
    """Held-out pairs whose favourite's predicted score lies within a tenth: the means of both, and how many games."""

    predicted: float
    seen: float
    games: float


@dataclass(frozen=True, kw_only=True)
class GoodnessOfFit:
    """How well predicted scores agree with held-out results.

    pairs, games: that were held out. error: the mean difference between predicted and true score, that is without the
    luck of the held-out games. raw_error: the mean difference from what was seen. covered: the share of pairs whose
    seen score lies within the predicted 95 % interval, widened by that luck; None for systems without one.
    one_number: the error of one strength per policy (Bradley-Terry) on the same pairs. highest: the highest score that
    any policy is predicted to reach against another (anchors left out). bins: reliability, by tenth of the
    favourite's predicted score.
    """

    pairs: int
    games: int
    error: float
    raw_error: float
    covered: float | None = None
    one_number: float | None = None
    highest: float | None = None
    components: int = 0
    upset: float = 0.0
    bins: tuple[Bin, ...] = ()
