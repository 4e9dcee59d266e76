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

STEPS = (2.0, 1.0, 0.5, 0.25, 0.125)
"""The steps from parent to child that are tried, in log-odds."""

TURNS = (0.125, 0.25, 0.5)
"""The turns that are tried."""

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


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A shape that is tried: the models without each fold, and what they predict of it."""

    models: Sequence[PayoffModel]
    held: Sequence[HeldOut]

    @property
    def shape(self) -> Shape:
        return self.models[0].shape


def choose(pairs: Pairs, origins: Origins, most_components: int) -> tuple[Shape, Sequence[HeldOut], Sequence[HeldOut]]:
    """The shape that predicts held-out pairs best, its predictions, and those of one strength per policy.

    First the components with the lowest loss: one too many costs little, for its prior keeps it small; one too few
    makes all intervals too narrow. Then the smallest upset share whose loss is within a standard error of the lowest
    (the rule of Breiman et al. 1984, "Classification and Regression Trees", sec. 3.4.3), but none where policies are
    seen to lose less often than it allows. Then the turn, and the step, each by its loss. A pair's loss counts as many
    games as the pair is worth to one strength per policy (`HeldOut.worth`). Each fit begins at the one it changes,
    which makes it several times faster than anew. There are no predictions if there are few pairs.
    """
    pairs, origins = _thinned(pairs, origins)
    if len(pairs) < FEWEST_PAIRS:
        return Shape(), [], []
    most = min(most_components, (int(np.count_nonzero(_played(pairs))) - 1) // 4)
    parts = [_parted(pairs, held) for held in folds(pairs)]

    def candidate(models: Sequence[PayoffModel]) -> _Candidate:
        held = [predict(model, to.first, to.second, to) for model, (_, to) in zip(models, parts, strict=True)]
        return _Candidate(models, held)

    def changed(one: _Candidate, shape: Shape) -> _Candidate:
        return candidate([fit(rest, origins, shape, model) for model, (rest, _) in zip(one.models, parts, strict=True)])

    def losses(one: _Candidate) -> Floats:
        return np.asarray(games * np.concatenate([held.losses() for held in one.held]))

    def loss(one: _Candidate) -> float:
        return float(losses(one).sum())

    paths = [path(rest, origins, Shape(most)) for rest, _ in parts]
    grown = [candidate(models) for models in zip(*paths, strict=True)]
    games = np.concatenate([held.worth() for held in grown[0].held])
    tried = [changed(one, replace(one.shape, upset=upset)) for upset in UPSETS for one in grown]
    allowed = [one for one in tried if not _exceeded(one.held, 1.0 - one.shape.upset / 2.0)]
    lowest = min(allowed, key=loss)
    rivals = [one for one in allowed if one.shape.components == lowest.shape.components]
    best = next(one for one in rivals if _within_an_error(losses(one) - losses(lowest)))
    if (origins.parents >= 0).any():
        if best.shape.components:
            best = min((changed(best, replace(best.shape, turn=turn)) for turn in TURNS), key=loss)
        best = min((changed(best, replace(best.shape, step=step)) for step in STEPS), key=loss)
    return best.shape, best.held, grown[0].held


def _within_an_error(excess: Floats) -> bool:
    """Whether losses that are higher by `excess` `[n]` may be so by chance: by at most one standard error."""
    return bool(excess.mean() <= excess.std() / np.sqrt(len(excess)))


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
