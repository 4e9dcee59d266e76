"""Which rating system predicts best: all of them fitted without the same held-out pairs, and judged by these."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from league.rating.core import RatingModel, RosterFacts, expected_score, rate
from league.rating.ledger import Bools, Ledger
from league.rating.melo import Melo
from league.rating.prediction.fitted_payoff import fitted_payoff
from league.rating.prediction.goodness import GoodnessOfFit
from league.rating.prediction.held_out import FEWEST_PAIRS, HeldOut, folds, goodness_of, predict
from league.rating.prediction.pairs import Pairs
from league.records import PolicyId


def compare(
    ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts, systems: Mapping[str, RatingModel]
) -> dict[str, GoodnessOfFit | None]:
    """How well each system predicts held-out pairs; None for all where too few pairs met.

    systems: by name, such that ratings are Elo points: the score that they predict is `expected_score`. That of `Melo`
    is predicted by its payoff model. A match in which a held-out pair met is withheld with all its other pairs.
    """
    pairs = Pairs.of(ledger)
    if len(pairs) < FEWEST_PAIRS:
        return dict.fromkeys(systems)
    held: dict[str, list[HeldOut]] = {name: [] for name in systems}
    for fold in folds(pairs):
        withheld = np.zeros(len(pairs), dtype=bool)
        withheld[fold] = True
        rest = ledger.where(~_with_pairs(ledger, pairs.where(withheld)))
        place = {policy: number for number, policy in enumerate(rest.ids)}
        number = np.array([place.get(policy, -1) for policy in ledger.ids])
        # A policy all of whose matches were withheld cannot be predicted by anybody.
        known = withheld & (number[pairs.first] >= 0) & (number[pairs.second] >= 0)
        asked = pairs.where(known)
        first, second = number[asked.first], number[asked.second]
        for name, system in systems.items():
            if isinstance(system, Melo):
                model = fitted_payoff(rest, anchors, roster, system.settings.components).model
                held[name].append(predict(model, first, second, asked))
                continue
            ratings = rate(system, rest, anchors, roster)
            values = [ratings[policy].value for policy in rest.ids]
            predicted = [expected_score(values[a], values[b]) for a, b in zip(first, second, strict=True)]
            held[name].append(HeldOut(np.array(predicted), np.zeros(len(predicted)), asked))
    return {name: goodness_of(found, intervals=isinstance(systems[name], Melo)) for name, found in held.items()}


def _with_pairs(ledger: Ledger, pairs: Pairs) -> Bools:
    """`[rows]` whether one of the pairs met in a match."""
    count = len(ledger.ids)
    keys = pairs.first * count + pairs.second
    found = []
    for table, members, _ in ledger.chunks():
        here = np.zeros(len(members), dtype=bool)
        for post, (side, _) in enumerate(table.posts):
            for other, (against, _) in enumerate(table.posts[:post]):
                if side != against:
                    both = np.sort(members[:, [other, post]], axis=1)
                    here |= np.isin(both[:, 0] * count + both[:, 1], keys)
        found.append(here)
    return np.concatenate(found)
