"""Scores that cannot inflate: against the field, and against the strongest and the worst opponent.

Both are mean scores predicted by `payoff_model`, so every policy is judged against the same opponents, whomever it met.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import expit, logit

from league.rating.core import NO_FACTS, Z95, RosterFacts
from league.rating.ledger import Bools, Floats, Ledger
from league.rating.melo import MeloSettings
from league.rating.prediction.fitted_payoff import FittedPayoff, fitted_payoff
from league.records import PolicyId, Rating

STRONGEST = 10
"""How many opponents count as the strongest."""

UNKNOWN = 0.15
"""The standard deviation of a policy's mean score above which it is too little known to be an opponent in the field."""

ALIKE = 0.05
"""The root mean square difference in scores at which two policies begin to count as one opponent."""

_CERTAIN = 1e-6
"""Scores are kept this far from 0 and 1."""


class _MeanScore(ABC):
    """A mean of predicted scores, weighted by opponent."""

    settings_type = MeloSettings
    needs_scores, knows_roster = False, True

    def __init__(self, settings: MeloSettings | None = None) -> None:
        self.settings = settings or MeloSettings()

    def rate(
        self, ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts = NO_FACTS
    ) -> dict[PolicyId, Rating]:
        """Scores in [0, 1] of everybody who has opponents, with 95 % intervals. Raises RatingError as `Melo.rate`."""
        if not len(ledger):
            return {}
        fitted = fitted_payoff(ledger, anchors, roster, self.settings.components)
        weight = self.weights(fitted, roster)
        value, spread = fitted.model.mean_score(weight)
        # On the scale of log-odds, so that the interval stays within [0, 1] and is wide where little is known.
        value = np.clip(value, _CERTAIN, 1.0 - _CERTAIN)
        half = Z95 * spread / (value * (1.0 - value))
        low, high, games = expit(logit(value) - half), expit(logit(value) + half), ledger.games_played()
        return {
            fitted.ids[n]: Rating(float(value[n]), float(low[n]), float(high[n]), games[fitted.ids[n]])
            for n in np.flatnonzero(weight.any(1)).tolist()
        }

    @abstractmethod
    def weights(self, fitted: FittedPayoff, roster: RosterFacts) -> Floats:
        """`[N, N]` the weight of each opponent (column) in the score of the row; rows sum to 1 or 0."""
        ...


class Field(_MeanScore):
    """The score against the field: the mean predicted score against the roster, near-clones sharing one weight.

    The roster is all snapshots: neither anchors nor scripted policies, nor the policy itself. An opponent's weight is
    1 / (the number of roster members that are like it), counted by a Gaussian kernel of width `ALIKE` on the difference
    in their scores against everybody. So many near-copies of one snapshot weigh as one.
    """

    def weights(self, fitted: FittedPayoff, roster: RosterFacts) -> Floats:
        """`[N, N]`, as `field_weights`."""
        return field_weights(fitted, roster)


class Robust(_MeanScore):
    """The mean of two scores: against the ten strongest by the score against the field, and against the worst opponent.

    It tells the best of a roster: a policy that beats the many but loses to the strongest, or to one that knows its
    weakness, does not come first.
    """

    def weights(self, fitted: FittedPayoff, roster: RosterFacts) -> Floats:
        """`[N, N]`: half of the weight for the strongest together, half for the worst opponent."""
        opponents = opponents_in_field(fitted, roster)
        field, _ = fitted.model.mean_score(field_weights(fitted, roster))
        score, by_strength = fitted.model.scores(), np.argsort(-field, kind="stable")
        weight = np.zeros_like(score)
        for number in range(len(fitted.ids)):
            strongest = [one for one in by_strength.tolist() if opponents[number, one]][:STRONGEST]
            if strongest:
                weight[number, strongest] = 0.5 / len(strongest)
                weight[number, np.where(opponents[number], score[number], np.inf).argmin()] += 0.5
        return weight


def opponents_in_field(fitted: FittedPayoff, roster: RosterFacts) -> Bools:
    """`[N, N]` whether the column is an opponent of the row in the field; anchors only where there is no snapshot.

    A policy of which hardly anything is known judges nobody: it would only make everybody's score uncertain.
    """
    member = np.array([policy not in roster.scripted for policy in fitted.ids]) & ~fitted.zero
    meets = fitted.can_meet()
    _, spread = fitted.model.mean_score(meets / np.maximum(meets.sum(1, keepdims=True), 1))
    found = meets & member & (spread <= UNKNOWN)
    alone = ~found.any(1)
    found[alone] = meets[alone]
    return found


def field_weights(fitted: FittedPayoff, roster: RosterFacts) -> Floats:
    """`[N, N]` the weight of each opponent (column) in the score of the row against the field; rows sum to 1 or 0."""
    opponents = opponents_in_field(fitted, roster)
    score = fitted.model.scores()
    judges = opponents.astype(np.float64)
    shared = judges @ judges.T
    # The mean over common opponents of the squared difference of two rows, without an N x N x N table.
    squares = (judges * score**2) @ judges.T
    apart = squares + squares.T - 2.0 * (judges * score) @ (judges * score).T
    apart = np.where(shared > 0.0, apart / np.maximum(shared, 1.0), np.inf)
    alike = np.exp(-np.maximum(apart, 0.0) / (2.0 * ALIKE**2)) * (fitted.group[:, None] == fitted.group)
    member = opponents.any(0)
    copies = np.maximum((alike * member).sum(1), 1.0)
    weight = opponents / copies
    return np.asarray(weight / np.maximum(weight.sum(1, keepdims=True), 1e-12))
