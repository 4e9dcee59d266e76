"""The reference rating: how far a policy stands from random play, by a model of the whole payoff (`payoff_model`).

One number cannot say who beats whom where gains over the latest do not add up. So the model predicts every pair, and
the number that is shown is one that can be checked: the predicted score against random play, in Elo points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from league.rating.core import NO_FACTS, POINTS, Z95, RosterFacts
from league.rating.ledger import Floats, Ledger
from league.records import PolicyId, Rating
from league.settings import Settings

if TYPE_CHECKING:
    from league.rating.prediction.fitted_payoff import FittedPayoff

_CERTAIN = 1e-6
"""Scores are kept this far from 0 and 1, 2400 Elo points."""


class MeloSettings(Settings):
    """Settings of the rating by multidimensional Elo."""

    components: int = Field(default=6, ge=0, le=8)
    """The most cyclic components of the payoff model; how many there are is decided on held-out pairs."""


class Melo:
    """Elo points above random play: the log-odds of the score that `payoff_model` predicts against it.

    +400 means a score of 10/11 against random play, and the interval is that of this score. A role that never meets
    random play of its own role (two roles that face each other) is compared with what random play scores in its place.
    Without any random play the score against the field takes its place: 0 is a field of one's equals.
    """

    settings_type = MeloSettings
    needs_scores, knows_roster = False, True

    def __init__(self, settings: MeloSettings | None = None) -> None:
        self.settings = settings or MeloSettings()

    def rate(
        self, ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts = NO_FACTS
    ) -> dict[PolicyId, Rating]:
        """Rate everybody who played. Raises RatingError for one-sided games and where a fit fails."""
        if not len(ledger):
            return {}
        from league.rating.prediction.fitted_payoff import fitted_payoff  # loads scipy

        fitted = fitted_payoff(ledger, anchors, roster, self.settings.components)
        games = ledger.games_played()
        value, low, high = (POINTS * _above_random(fitted)).tolist()
        return {policy: Rating(value[n], low[n], high[n], games[policy]) for n, policy in enumerate(fitted.ids)}


def _above_random(fitted: FittedPayoff) -> Floats:
    """`[3, N]` log-odds above random play, and the ends of the 95 % interval."""
    odds = _log_odds(np.stack(fitted.model.interval(*fitted.model.log_odds())))
    meets, found = fitted.can_meet(), np.zeros((3, len(fitted.ids)))
    for group, faced in enumerate(fitted.faces):
        members = np.flatnonzero(fitted.group == group)
        zeros = np.flatnonzero(fitted.zero & faced[fitted.group])
        own = np.flatnonzero(fitted.zero & (fitted.group == group))
        if len(zeros):
            found[:, members] = odds[:, members][:, :, zeros].mean(2)
            if len(own) and not faced[group]:
                value, low, high = odds[:, own][:, :, zeros].mean((1, 2))
                # A difference of two estimates; the ends are those of a sum of independent errors.
                found[1, members] = found[0, members] - np.hypot(found[0, members] - found[1, members], high - value)
                found[2, members] = found[0, members] + np.hypot(found[2, members] - found[0, members], value - low)
                found[:, members] -= value
        else:
            score, spread = fitted.model.mean_score(meets / np.maximum(meets.sum(1, keepdims=True), 1))
            found[:, members] = _log_odds(score + Z95 * spread * np.array([[0.0], [-1.0], [1.0]]))[:, members]
    found[:, fitted.zero] = 0.0
    return found


def _log_odds(score: Floats) -> Floats:
    score = np.clip(score, _CERTAIN, 1.0 - _CERTAIN)
    return np.asarray(np.log(score) - np.log1p(-score))
