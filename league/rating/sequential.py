"""A sequential test of whether one policy is stronger than another: it ends as soon as the games played so far decide.

The results are those of games, or of pairs of games on one seed with the seats swapped, whose sum has five values.
The effect is a result's mean above one half in its standard deviations, t = (μ - 1/2) / σ, in **normalised Elo**: t is
elo · ln(10) / 800 for a game, √2 times that for a pair (Van den Bergh 2020, "Normalized Elo"). Between policies of
similar strength in games without draws this is Elo. Draws, or the advantage of a seat, change what a difference is
worth in Elo, but not how many games it takes to see.

The test is the generalised sequential probability ratio test (GSPRT; Li, Liu and Ying 2014) of t = t1 against t = t0.
The log-likelihood ratio after n results with the observed shares p̂ is

    LLR = n Σ p̂ᵢ log(pᵢ(t1) / pᵢ(t0)),    p(t) = argmax Σ p̂ᵢ log pᵢ  subject to  (μ(p) - 1/2) / σ(p) = t,

and the test ends at log(β / (1 - α)) or log((1 - β) / α) (Wald 1945). The maximum is found as in Van den Bergh, "A
practical introduction to normalized Elo", section 4.1. Results that were never seen count as one thousandth of one, so
that a match also ends where every game is won, or drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from league.errors import RatingError
from league.rating.core import POINTS, Z95
from league.rating.ledger import Floats, Ints
from league.rating.payoff import wilson

PER_DEVIATION = 800.0 / math.log(10.0)
"""Normalised Elo of one standard deviation of a game's result."""

MOST_ELO = 100.0
"""The largest hypothesis in normalised Elo. Larger differences show within a few dozen games anyway."""

_UNSEEN = 1e-3
_ITERATIONS, _PRECISION, _NEWTON = 500, 1e-5, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialTest:
    """H1: the effect is `elo1`, against H0: it is `elo0`, in normalised Elo. Raises RatingError for unusable values.

    alpha: how often H1 is accepted at most where H0 holds. beta: how often H0 is accepted at most where H1 holds.
    """

    elo0: float = 0.0
    elo1: float = 10.0
    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        if not -MOST_ELO <= self.elo0 < self.elo1 <= MOST_ELO:
            raise RatingError(
                f"a sequential test needs two hypotheses from {-MOST_ELO:g} to {MOST_ELO:g} normalised Elo, the smaller"
                f" one first, not elo0 {self.elo0:g} and elo1 {self.elo1:g}"
            )
        if not (0 < self.alpha < 0.5 and 0 < self.beta < 0.5):
            raise RatingError(f"error rates lie between 0 and 0.5, not alpha {self.alpha:g} and beta {self.beta:g}")

    @property
    def lower(self) -> float:
        """The log-likelihood ratio at which H0 is accepted."""
        return math.log(self.beta / (1 - self.alpha))

    @property
    def upper(self) -> float:
        """The log-likelihood ratio at which H1 is accepted."""
        return math.log((1 - self.beta) / self.alpha)

    def effects(self, outcomes: int) -> tuple[float, float]:
        """t0 and t1, in standard deviations of a result with so many outcomes."""
        unit = _unit(outcomes)
        return self.elo0 / unit, self.elo1 / unit


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a test stands. counts: `[K]` how often each outcome was seen, the worst first; K is 3 for single results
    (lost, drawn, won), 5 for pairs of games (their points times two). accepted: "H0", "H1" or None."""

    counts: tuple[int, ...]
    llr: float = 0.0
    accepted: str | None = None

    @property
    def results(self) -> int:
        """How many results it is."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def weigh(test: SequentialTest, evidence: Evidence, outcomes: Ints) -> Evidence:
    """Take more results into account, one by one, up to the first at which the test ends.

    outcomes: `[n]` in order, each from 0 (the worst) to K - 1. After a test has ended it stays as it is.
    """
    if evidence.accepted is not None or not len(outcomes):
        return evidence
    seen = np.eye(len(evidence.counts), dtype=np.int64)[outcomes].cumsum(0) + np.array(evidence.counts)
    ratios = log_likelihood_ratio(test, seen)
    over = (ratios <= test.lower) | (ratios >= test.upper)
    last = int(over.argmax()) if over.any() else len(over) - 1
    accepted = ("H1" if ratios[last] > 0 else "H0") if over[last] else None
    return Evidence(tuple(seen[last].tolist()), float(ratios[last]), accepted)


def log_likelihood_ratio(test: SequentialTest, counts: Ints | Floats) -> Floats:
    """`[N, K]` counts of outcomes → `[N]`: the generalised log-likelihood ratio of H1 against H0, see above.

    Raises RatingError if the constrained maximum is not found.
    """
    weight = np.where(counts == 0, _UNSEEN, counts)
    shares = weight / weight.sum(1, keepdims=True)
    h0, h1 = (_most_likely(shares, t) for t in test.effects(counts.shape[1]))
    ratio: Floats = (weight * np.log(h1 / h0)).sum(1)
    return ratio


def expected_remaining(test: SequentialTest, evidence: Evidence) -> float:
    """How many more results the test takes in expectation, if the ratio goes on to drift as it has so far.

    The exit time of a Brownian motion from an interval (Cox and Miller 1965, section 5.7): its variance per result is
    (t1 - t0)², its drift the mean so far. Infinite before the first result.
    """
    if not evidence.results:
        return math.inf
    t0, t1 = test.effects(len(evidence.counts))
    variance, drift = (t1 - t0) ** 2, evidence.llr / evidence.results
    ahead, behind = test.upper - evidence.llr, evidence.llr - test.lower
    if drift < 0:  # the same motion in a mirror
        ahead, behind, drift = behind, ahead, -drift
    slope = 2 * drift / variance
    if slope * (ahead + behind) < 1e-4:
        return max(ahead * behind / variance, 0.0)
    reach = math.expm1(-slope * behind) / math.expm1(-slope * (ahead + behind))
    return max((reach * ahead - (1 - reach) * behind) / drift, 0.0)


def fixed_length(test: SequentialTest, outcomes: int) -> float:
    """How many results a test of fixed length with the same error rates needs, by the normal approximation."""
    from statistics import NormalDist

    t0, t1 = test.effects(outcomes)
    deviations = NormalDist().inv_cdf(1 - test.alpha) + NormalDist().inv_cdf(1 - test.beta)
    return (deviations / (t1 - t0)) ** 2


def score_interval(counts: Ints) -> tuple[float, float]:
    """The 95 % interval of the mean result in [0, 1]: Wilson's, for the number of coin tosses with the same variance.

    counts: `[K]`. The variance is that of the results (pairs) themselves, with half a result for each outcome that was
    never seen, so that equal results do not look certain.
    """
    value = np.linspace(0, 1, len(counts))
    mean, variance, _, _ = _moments(_smoothed(counts))
    tosses = mean * (1 - mean) * counts.sum() / variance
    low, high = wilson(float(counts @ value) / counts.sum() * tosses, tosses)
    return float(low), float(high)


def elo(counts: Ints) -> Estimate:
    """The difference in Elo that the mean result and its `score_interval` stand for; infinite at 0 and 1."""
    mean = float(counts @ np.linspace(0, 1, len(counts))) / counts.sum()
    return Estimate(*(_elo(score) for score in (mean, *score_interval(counts))))


def normalised_elo(counts: Ints) -> Estimate:
    """The effect in normalised Elo. counts: `[K]`, smoothed as in `score_interval`.

    Its variance is that of a ratio of sample mean and deviation, (1 - t γ + t² (κ - 1) / 4) / n with skewness γ and
    kurtosis κ, by the delta method.
    """
    mean, variance, skewness, kurtosis = _moments(_smoothed(counts))
    t = (mean - 0.5) / math.sqrt(variance)
    half = Z95 * math.sqrt(max(1 - t * skewness + t * t * (kurtosis - 1) / 4, 0.0) / counts.sum())
    unit = _unit(len(counts))
    return Estimate(t * unit, (t - half) * unit, (t + half) * unit)


def _unit(outcomes: int) -> float:
    """Normalised Elo of one standard deviation of a result: five outcomes are those of two games."""
    return PER_DEVIATION / math.sqrt(2.0 if outcomes == 5 else 1.0)


def _elo(score: float) -> float:
    if not 0 < score < 1:
        return math.copysign(math.inf, score - 0.5)
    return POINTS * math.log(score / (1 - score))


def _smoothed(counts: Ints) -> Floats:
    weight = np.where(counts == 0, 0.5, counts)
    shares: Floats = weight / weight.sum()
    return shares


def _moments(shares: Floats) -> tuple[float, float, float, float]:
    """Mean, variance, skewness and kurtosis of results in [0, 1]."""
    value = np.linspace(0, 1, len(shares))
    mean = float(shares @ value)
    second, third, fourth = (float(shares @ (value - mean) ** power) for power in (2, 3, 4))
    return mean, second, third / second**1.5, fourth / second**2


def _most_likely(shares: Floats, t: float) -> Floats:
    """`[N, K]`: the most likely distributions with effect `t`, given the observed shares, all of them positive.

    The constraint (μ - 1/2) - t σ = 0 is linearised at the last estimate, which gives a maximum in closed form but for
    one multiplier; repeated until it stays. For t = 0 the first step is exact.
    """
    value = np.linspace(0, 1, shares.shape[1])
    found, left = np.full_like(shares, 1 / shares.shape[1]), np.arange(len(shares))
    for _ in range(_ITERATIONS):
        last, seen = found[left], shares[left]
        mean = (last @ value)[:, None]
        deviation = np.sqrt((last * (value - mean) ** 2).sum(1, keepdims=True))
        slack = value - 0.5 - t * deviation * (1 + ((value - mean) / deviation) ** 2) / 2
        found[left] = seen / (1 + _multiplier(seen, slack)[:, None] * slack)
        left = left[np.abs(found[left] - last).max(1) > _PRECISION]
        if not len(left):
            return found
    raise RatingError(f"no distribution with an effect of {t:g} was found in {_ITERATIONS} steps")


def _multiplier(shares: Floats, slack: Floats) -> Floats:
    """`[N]`: the x for which Σ p a / (1 + x a) = 0, by Newton's method inside a bracket. slack: a, of both signs."""
    low, high, x = -1 / slack.max(1), -1 / slack.min(1), np.zeros(len(shares))
    for _ in range(_NEWTON):
        part = slack / (1 + x[:, None] * slack)
        value, slope = (shares * part).sum(1), -(shares * part * part).sum(1)
        # The sum falls from +∞ at the lower end to -∞ at the upper end.
        low, high = np.where(value > 0, x, low), np.where(value > 0, high, x)
        step = x - value / slope
        step = np.where((step > low) & (step < high), step, (low + high) / 2)
        done = np.abs(step - x) <= 2e-15 * (1 + np.abs(x))
        x = step
        if done.all():
            break
    return x
