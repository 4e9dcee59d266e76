"""How well predicted scores agree with results that were held out, and the shape of the payoff model that they choose.

Every fifth pair that met is held out, in a fixed shuffled order; where pairs are few, several fifths in turn. All games
of a held-out pair are withheld, so this is the error for pairs that never met. A pair that did is predicted better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from league.rating.core import Z95
from league.rating.ledger import Floats, Ints
from league.rating.prediction.goodness import Bin, GoodnessOfFit
from league.rating.prediction.pairs import Pairs
from league.rating.prediction.payoff_fit import fit, path
from league.rating.prediction.payoff_model import Origins, PayoffModel, Shape

UPSETS = (0.0, 0.02, 0.05)
"""The upset shares that are tried."""

STEPS = (1.0, 0.5, 0.25, 0.125)
"""The steps from parent to child that are tried beside the default of `Shape`, in log-odds."""

FEWEST_PAIRS = 30
"""With fewer pairs there is nothing to hold out: the model is Bradley-Terry with deviations of single pairs."""

MOST_POLICIES = 150
"""The shape is chosen among the pairs of at most so many policies, spread evenly over the roster."""

_FOLDS = 5
_ENOUGH = 500
"""Held-out pairs that are enough; as many of the five folds are predicted as it takes. With 250, a component that a
roster of fifty policies needs was often missed."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Predictions of held-out pairs, `[n]` each: the predicted score, its standard deviation, what was seen."""

    predicted: Floats
    deviation: Floats
    pairs: Pairs

    def losses(self) -> Floats:
        """`[n]` negative log-likelihood of what was seen, as of one game."""
        score = np.clip(self.predicted, 1e-6, 1.0 - 1e-6)
        seen = self.pairs.score
        return np.asarray(-(seen * np.log(score) + (1.0 - seen) * np.log1p(-score)))

    def luck(self) -> Floats:
        """`[n]` the variance that the number of held-out games alone gives their mean result."""
        score = np.clip(self.predicted, 1e-6, 1.0 - 1e-6)
        return np.asarray(score * (1.0 - score) * self.pairs.spread / self.pairs.games)


def folds(pairs: Pairs) -> list[Ints]:
    """The pairs to hold out, as indices; several folds in turn if one has few pairs. Deterministic."""
    order = np.random.default_rng(0).permutation(len(pairs))
    parts = [np.sort(order[k::_FOLDS]) for k in range(_FOLDS)]
    return parts[: max(-(-_ENOUGH // max(len(parts[0]), 1)), 1)]


def choose(pairs: Pairs, origins: Origins, most_components: int) -> tuple[Shape, list[HeldOut], list[HeldOut]]:
    """The shape that predicts held-out pairs best, its predictions, and those of one strength per policy.

    Of the shapes whose mean loss exceeds the lowest by no more than two standard errors of the difference (after the
    rule of Breiman et al. 1984, "Classification and Regression Trees", sec. 3.4.3), the one with the fewest components,
    then the smallest upset share. An upset share is not tried further where policies are seen to lose less often than
    it allows. Of that shape the step with the lowest loss. There are no predictions if there are few pairs.
    """
    pairs, origins, every = _thinned(pairs, origins)
    if len(pairs) < FEWEST_PAIRS:
        return Shape(), [], []
    most = min(most_components, (int(np.count_nonzero(_played(pairs))) - 1) // 4)
    parts = [_parted(pairs, held) for held in folds(pairs)]
    found: dict[Shape, list[HeldOut]] = {}
    for rest, withheld in parts:
        for upset in UPSETS:
            for model in path(rest, origins, Shape(most, upset)):
                found.setdefault(model.shape, []).append(predict(model, withheld.first, withheld.second, withheld))
    shape, held = _simplest(found)
    tried = {shape: held}
    for step in STEPS if (origins.parents >= 0).any() else ():
        # A random walk: over `every` generations it goes the square root of that as far.
        thinned = replace(shape, step=step * np.sqrt(every))
        tried[replace(shape, step=step)] = [
            predict(fit(rest, origins, thinned), withheld.first, withheld.second, withheld) for rest, withheld in parts
        ]
    shape = min(tried, key=lambda shape: float(np.concatenate([one.losses() for one in tried[shape]]).mean()))
    return shape, tried[shape], found[Shape()]


def _simplest(found: Mapping[Shape, list[HeldOut]]) -> tuple[Shape, list[HeldOut]]:
    """The simplest shape that is about as good as the best, as `choose` has it, and its predictions."""
    losses = {
        shape: np.concatenate([one.losses() for one in held])
        for shape, held in found.items()
        if not _exceeded(held, 1.0 - shape.upset / 2.0)
    }
    best = min(losses.values(), key=lambda loss: float(loss.mean()))
    for shape in sorted(losses, key=lambda shape: (shape.components, shape.upset)):
        excess = losses[shape] - best
        if excess.mean() <= 2.0 * excess.std() / np.sqrt(len(excess)):
            return shape, found[shape]
    raise AssertionError("the best shape is within its own error")


def goodness_of(held: Sequence[HeldOut], intervals: bool = True) -> GoodnessOfFit:
    """The goodness of fit of predictions. intervals: whether their standard deviations mean something."""
    predicted = np.concatenate([one.predicted for one in held])
    seen, games = (np.concatenate([getattr(one.pairs, name) for one in held]) for name in ("score", "games"))
    luck = np.concatenate([one.luck() for one in held])
    deviation = np.concatenate([one.deviation for one in held])
    gap = predicted - seen
    covered = float((np.abs(gap) <= Z95 * np.sqrt(deviation**2 + luck)).mean()) if intervals else None
    favourite = predicted >= 0.5
    predicted, seen = np.where(favourite, predicted, 1.0 - predicted), np.where(favourite, seen, 1.0 - seen)
    bins = []
    for tenth in range(5, 10):
        here = np.minimum((predicted * 10).astype(int), 9) == tenth
        if here.any():
            weight = games[here]
            bins.append(
                Bin(
                    float(np.average(predicted[here], weights=weight)),
                    float(np.average(seen[here], weights=weight)),
                    float(weight.sum()),
                )
            )
    return GoodnessOfFit(
        pairs=len(gap),
        games=round(float(games.sum())),
        error=_mean_error(gap, luck),
        raw_error=float(np.abs(gap).mean()),
        covered=covered,
        bins=tuple(bins),
    )


def _exceeded(held: Sequence[HeldOut], limit: float) -> bool:
    """Whether the pairs that are predicted close to the highest score that is possible were seen to exceed it."""
    if limit >= 1.0:
        return False
    games = seen = 0.0
    for one in held:
        for predicted, score in ((one.predicted, one.pairs.score), (1.0 - one.predicted, 1.0 - one.pairs.score)):
            close = predicted > limit - 0.01
            games += float(one.pairs.games[close].sum())
            seen += float((one.pairs.games * score)[close].sum())
    return games > 0.0 and seen - games * limit > np.sqrt(games * limit * (1.0 - limit))


def _mean_error(gap: Floats, luck: Floats) -> float:
    """The mean absolute error that is left when the variance of luck is taken out; gap, luck: `[n]`."""
    squared = max(float((gap**2 - luck).mean()), 0.0)
    spread = float((gap**2).mean())
    # The shape of the error's distribution is that of the differences: their ratio of mean to root mean square.
    return float(np.abs(gap).mean() * np.sqrt(squared / spread)) if spread > 0.0 else 0.0


def predict(model: PayoffModel, first: Ints, second: Ints, pairs: Pairs) -> HeldOut:
    """The model's predictions of pairs that it was fitted without. first, second: `[n]` the model's numbers of them."""
    eta, spread = model.unmet_log_odds(first, second)
    score, slope = model.expected(eta, spread)
    return HeldOut(score, np.hypot(slope * spread, model.upset_error(eta)), pairs)


def _played(pairs: Pairs) -> Floats:
    return np.bincount(np.concatenate([pairs.first, pairs.second]), minlength=pairs.count).astype(np.float64)


def _parted(pairs: Pairs, held: Ints) -> tuple[Pairs, Pairs]:
    """The pairs to fit and those to predict, which are `held`."""
    out = np.zeros(len(pairs), dtype=bool)
    out[held] = True
    return pairs.where(~out), pairs.where(out)


def _thinned(pairs: Pairs, origins: Origins) -> tuple[Pairs, Origins, int]:
    """The pairs among at most `MOST_POLICIES` policies, every k-th, each one's nearest ancestor among those, and k."""
    every = -(-pairs.count // MOST_POLICIES)
    if every == 1:
        return pairs, origins, every
    kept = (np.arange(pairs.count) % every == 0) | origins.outside
    above = origins.parents.copy()
    for number in np.flatnonzero(kept):
        while above[number] >= 0 and not kept[above[number]]:
            above[number] = above[above[number]]
    above[~kept] = -1
    return pairs.where(kept[pairs.first] & kept[pairs.second]), Origins(above, origins.outside), every
