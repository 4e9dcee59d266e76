"""The payoff model of a ledger: how its shape is chosen, and how it is fitted as the ledger grows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from league.rating.core import RosterFacts, require_opponents, role_groups
from league.rating.ledger import Bools, Ints, Ledger
from league.rating.prediction.goodness import GoodnessOfFit
from league.rating.prediction.held_out import choose, goodness_of
from league.rating.prediction.pairs import Pairs
from league.rating.prediction.payoff_fit import fit
from league.rating.prediction.payoff_model import Origins, PayoffModel, Shape
from league.records import PolicyId

MOST_COMPONENTS = 6
"""The most cyclic components unless told otherwise."""

GROWTH = 1.5
"""By what factor the number of policies grows until the shape is chosen again, and the model is fitted anew."""

_LEAST_SHARE = 0.4
"""The least share of all matches that these have to be based on."""


@dataclass(frozen=True, kw_only=True)
class FittedPayoff:
    """The payoff model of a ledger. ids: its N policies, in the order of their numbers. pairs: those that met.

    Where policies of one role are compared beside others, the model is fitted to fading matches (`Pairs.of`).

    goodness: of predictions for held-out pairs; None for few pairs. group: `[N]` the role's number (`role_groups`).
    faces: `[G, G]` whether policies of two roles play each other. zero: `[N]` random play.
    """

    ids: tuple[PolicyId, ...]
    pairs: Pairs
    model: PayoffModel
    goodness: GoodnessOfFit | None
    group: Ints
    faces: Bools
    zero: Bools

    def can_meet(self) -> Bools:
        """`[N, N]` whether two different policies can be opponents."""
        found: Bools = self.faces[np.ix_(self.group, self.group)] & ~np.eye(len(self.ids), dtype=bool)
        return found

    def seen(self, a: PolicyId, b: PolicyId) -> tuple[int, float | None]:
        """How many games `a` and `b` have played against each other, and the mean result of `a`; None without any."""
        one, other = self.ids.index(a), self.ids.index(b)
        found = np.flatnonzero((self.pairs.first == min(one, other)) & (self.pairs.second == max(one, other)))
        if not len(found):
            return 0, None
        score = float(self.pairs.score[found[0]])
        return round(float(self.pairs.games[found[0]])), score if one < other else 1.0 - score

    def predict(self, a: PolicyId, b: PolicyId) -> tuple[float, float, float] | None:
        """The mean result in [0, 1] of `a` against `b`, and its 95 % interval; None if they cannot be opponents."""
        place = {policy: number for number, policy in enumerate(self.ids)}
        if a not in place or b not in place or not (self.can_meet()[place[a], place[b]] or a == b):
            return None
        eta, spread = (table[place[a], place[b]] for table in self.model.log_odds())
        value, low, high = self.model.interval(eta, spread)
        return float(value), float(low), float(high)


def fitted_payoff(
    ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts, most_components: int = MOST_COMPONENTS
) -> FittedPayoff:
    """The payoff model of the whole ledger. Raises RatingError for one-sided games and where a fit fails.

    A pure function of its arguments. So that a growing run need not do everything again for each newcomer, the shape is
    chosen, and the model is fitted anew, from the results among the policies up to a mark: a number of policies that
    grows by `GROWTH`. The fit to all results begins there. Where the results up to the mark are too small a share of
    all, all are used.
    """
    require_opponents(ledger)
    key = (FittedPayoff, most_components, anchors)
    cached = ledger.cache.get(key)
    if isinstance(cached, _Fits) and cached.rows == len(ledger):
        return cached.fitted
    pairs = Pairs.of(ledger)
    groups = role_groups(ledger, anchors)
    number = {policy: n for n, group in enumerate(groups) for policy in group}
    group = np.array([number[policy] for policy in ledger.ids], dtype=np.int64)
    faces = np.zeros((len(groups), len(groups)), dtype=bool)
    faces[group[pairs.first], group[pairs.second]] = True
    # Several roles, none of which plays another: each is compared beside others.
    fading = len(groups) > 1 and not (faces & ~np.eye(len(groups), dtype=bool)).any()
    met = Pairs.of(ledger, fading=True) if fading else pairs
    before = cached if isinstance(cached, _Fits) else None

    cut = _cut(ledger)
    if before is not None and before.cut == cut != len(ledger):
        base, goodness = before.base, before.fitted.goodness
    else:
        until = Pairs.of(ledger, cut, fading) if cut < len(ledger) else met
        origins = _origins(ledger, anchors, roster, until.count)
        shape, goodness = _choose(until, origins, most_components)
        base = fit(until, origins, shape)
    model = base
    if cut < len(ledger):
        model = fit(met, _origins(ledger, anchors, roster, pairs.count), base.shape, base)
    zero = np.array([policy in anchors for policy in ledger.ids], dtype=bool)
    fitted = FittedPayoff(
        ids=tuple(ledger.ids),
        pairs=pairs,
        model=model,
        goodness=goodness and replace(goodness, highest=_highest(model, zero)),
        group=group,
        faces=faces | faces.T,
        zero=zero,
    )
    ledger.cache[key] = _Fits(rows=len(ledger), cut=cut, base=base, fitted=fitted)
    return fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fits:
    """What the last call found, for the next one. cut: the row before which are the results that `base` is based on."""

    rows: int
    cut: int
    base: PayoffModel
    fitted: FittedPayoff


def _choose(pairs: Pairs, origins: Origins, most_components: int) -> tuple[Shape, GoodnessOfFit | None]:
    """The shape of the model and how well it predicts held-out pairs."""
    shape, held, one_number = choose(pairs, origins, most_components)
    if not held:
        return shape, None
    return shape, replace(
        goodness_of(held),
        one_number=goodness_of(one_number).error,
        components=shape.components,
        upset=shape.upset,
    )


def _highest(model: PayoffModel, zero: Bools) -> float | None:
    """The highest score that a policy other than random play is predicted to reach against another that it met."""
    met = ~(zero[model.first] | zero[model.second])
    if not met.any():
        return None
    score = model.scores()[model.first[met], model.second[met]]
    return float(np.maximum(score, 1.0 - score).max())


def _cut(ledger: Ledger) -> int:
    """The row before which only policies up to the last mark have played; all rows if those are too few."""
    mark = 1
    while (grown := max(mark + 1, int(mark * GROWTH))) <= len(ledger.ids):
        mark = grown
    begin = 0
    for _, members, _ in ledger.chunks():
        fresh = (members >= mark).any(1)
        if fresh.any():
            begin += int(fresh.argmax())
            return begin if begin >= _LEAST_SHARE * len(ledger) else len(ledger)
        begin += len(members)
    return len(ledger)


def _origins(ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts, count: int) -> Origins:
    """The origins of the first `count` policies; a parent is the nearest ancestor among them."""
    place = {policy: number for number, policy in enumerate(ledger.ids[:count])}
    found, generations = np.full(count, -1, dtype=np.int64), np.ones(count, dtype=np.int64)
    for policy, number in place.items():
        above = roster.parents.get(policy)
        while above is not None and above not in place:
            above = roster.parents.get(above)
            generations[number] += 1
        if above is not None and above != policy:
            found[number] = place[above]
    outside = np.array([policy in anchors or policy in roster.scripted for policy in place], dtype=bool)
    return Origins(found, outside, generations)
