"""How well predicted scores agree with results that were held out, and the shape of the payoff model that they choose.

Every fifth pair that met is held out, in a fixed shuffled order; where pairs are few, several fifths in turn. All games
of a held-out pair are withheld, so this is the error for pairs that never met. A pair that did is predicted better.
"""

from __future__ import annotations

from collections.abc import Sequence
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

TURNS = (0.5, 0.125)
"""The turns that are tried beside the default of `Shape`."""

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

    def worth(self) -> Floats:
        """`[n]` how many games of its own would tell as much of a pair: fewer than were played, as it may deviate."""
        score = np.clip(self.predicted, 1e-6, 1.0 - 1e-6)
        return np.asarray(score * (1.0 - score) / (self.deviation**2 + self.luck()))

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

    First the components with the lowest loss: one too many costs little, for its prior keeps it small; one too few
    makes all intervals too narrow. Then the smallest upset share whose loss is within a standard error of the lowest
    (the rule of Breiman et al. 1984, "Classification and Regression Trees", sec. 3.4.3), but none where policies are
    seen to lose less often than it allows. Then the turn, with components anew, and the step, each by its loss.
    A pair's loss counts as many games as the pair is worth to one strength per policy (`HeldOut.worth`). There are no
    predictions if there are few pairs.
    """
    pairs, origins = _thinned(pairs, origins)
    if len(pairs) < FEWEST_PAIRS:
        return Shape(), [], []
    most = min(most_components, (int(np.count_nonzero(_played(pairs))) - 1) // 4)
    parts = [_parted(pairs, held) for held in folds(pairs)]
    related = bool((origins.parents >= 0).any())
    found: dict[Shape, list[HeldOut]] = {}

    def try_components(shape: Shape) -> None:
        for rest, withheld in parts:
            for model in path(rest, origins, shape):
                found.setdefault(model.shape, []).append(predict(model, withheld.first, withheld.second, withheld))

    for upset in UPSETS:
        try_components(Shape(most, upset))
    games = np.concatenate([one.worth() for one in found[Shape()]])

    def losses(shape: Shape) -> Floats:
        return np.asarray(games * np.concatenate([one.losses() for one in found[shape]]))

    def loss(shape: Shape) -> float:
        return float(losses(shape).sum())

    allowed = [shape for shape in found if not _exceeded(found[shape], 1.0 - shape.upset / 2.0)]
    best = min(allowed, key=loss)
    for shape in sorted((one for one in allowed if one.components == best.components), key=lambda one: one.upset):
        excess = losses(shape) - losses(best)
        if excess.mean() <= excess.std() / np.sqrt(len(excess)):
            best = shape
            break
    for turn in TURNS if related and best.components else ():
        try_components(Shape(most, best.upset, turn=turn))
    best = min((shape for shape in found if shape == best or shape.turn in TURNS), key=loss)
    narrower = [replace(best, step=step) for step in STEPS] if related else []
    for shape in narrower:
        found[shape] = [
            predict(fit(rest, origins, shape), withheld.first, withheld.second, withheld) for rest, withheld in parts
        ]
    shape = min((best, *narrower), key=loss)
    return shape, found[shape], found[Shape()]


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


def _thinned(pairs: Pairs, origins: Origins) -> tuple[Pairs, Origins]:
    """The pairs among at most `MOST_POLICIES` policies, every k-th, and those policies' origins."""
    every = -(-pairs.count // MOST_POLICIES)
    if every == 1:
        return pairs, origins
    kept = (np.arange(pairs.count) % every == 0) | origins.outside
    return pairs.where(kept[pairs.first] & kept[pairs.second]), origins.among(kept)
