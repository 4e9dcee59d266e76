"""The meta-game's rating systems: Nash averaging, alpha-rank and deviation ratings of the predicted payoff.

They rate two-sided games of one policy against one, each role by itself. An interval is that of the score against the
equilibrium as it was found: it does not say how surely that is the equilibrium, which can change with a few games.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from league.rating.core import NO_FACTS, Z95, RosterFacts, require_one_on_one
from league.rating.ledger import Floats, Ints, Ledger
from league.rating.metagame.alpharank import alpha_rank
from league.rating.metagame.deviation import strictest_equilibrium
from league.rating.metagame.nash import nash_mixture
from league.records import PolicyId, Rating
from league.settings import Settings

if TYPE_CHECKING:
    from league.rating.prediction.payoff_model import PayoffModel

CERTAIN = 1e-6
"""Scores are kept this far from 0 and 1."""


class _MetaGameRating(ABC):
    """Rates each role's policies by its payoff."""

    needs_scores, knows_roster = False, True

    def rate(
        self, ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts = NO_FACTS
    ) -> dict[PolicyId, Rating]:
        """Rate everybody who played. Raises RatingError as `require_one_on_one` and the fit do."""
        from league.rating.prediction.fitted_payoff import (
            fitted_payoff,
        )  # loads scipy, which a reader of cached ratings does not need

        if not len(ledger):
            return {}
        require_one_on_one(ledger, anchors)
        fitted, played = fitted_payoff(ledger, anchors, roster), ledger.games_played()
        ratings = {}
        for role in range(len(fitted.faces)):
            members = np.flatnonzero(fitted.group == role)
            for n, (value, low, high) in zip(members, self.rated(fitted.model, members).T.tolist(), strict=True):
                ratings[fitted.ids[n]] = Rating(value, low, high, played[fitted.ids[n]])
        return ratings

    @abstractmethod
    def rated(self, model: PayoffModel, members: Ints) -> Floats:
        """`[3, n]` the values of a role's policies and their intervals (low, high). members: `[n]` their numbers."""
        ...


def _against(mixture: Floats, model: PayoffModel, members: Ints) -> Floats:
    """`[3, n]` the scores of `members` against a `mixture` of them, and their 95 % intervals."""
    from scipy.special import expit, logit

    weight = np.zeros((len(model.vectors), len(model.vectors)))
    weight[np.ix_(members, members)] = mixture
    # Against itself, every policy scores 0.5 for certain.
    np.fill_diagonal(weight, 0.0)
    score, spread = (values[members] for values in model.mean_score(weight))
    score = np.clip(score + 0.5 * mixture, CERTAIN, 1.0 - CERTAIN)
    half = Z95 * spread / (score * (1.0 - score))
    return np.stack([score, expit(logit(score) - half), expit(logit(score) + half)])


class NashSettings(Settings):
    """Nash averaging has no settings."""


class NashAveraging(_MetaGameRating):
    """A policy's predicted score against the maximum-entropy Nash equilibrium of its role: 0.5 for its members.

    The payoff is the result itself, not its log-odds, which Balduzzi et al. 2018 use: the value is a score that can be
    played for, and policies that lose every game, whose log-odds are hardly known, do not shape the equilibrium.
    """

    settings_type = NashSettings

    def __init__(self, settings: NashSettings | None = None) -> None:
        self.settings = settings or NashSettings()

    def rated(self, model: PayoffModel, members: Ints) -> Floats:
        """Scores in [0, 0.5]."""
        return _against(nash_mixture(_advantage(model, members)), model, members)


class AlphaRankSettings(Settings):
    """Settings of alpha-rank."""

    alpha: float | None = Field(default=None, gt=0.0)
    """Intensity of selection, for results in [0, 1]; not set: its limit at infinity."""
    population: int = Field(default=50, ge=2)
    """Size of the population; for the limit it matters only where policies are equal."""


class AlphaRank(_MetaGameRating):
    """A policy's mass: how often a population that keeps adopting better policies holds it. Masses sum to 1.

    They have no interval: that of a mass is often all of [0, 1].
    """

    settings_type = AlphaRankSettings

    def __init__(self, settings: AlphaRankSettings | None = None) -> None:
        self.settings = settings or AlphaRankSettings()

    def rated(self, model: PayoffModel, members: Ints) -> Floats:
        """Masses in [0, 1]."""
        mass = alpha_rank(_advantage(model, members), self.settings.alpha, self.settings.population)
        return np.stack([mass, np.full(len(mass), -np.inf), np.full(len(mass), np.inf)])


class DeviationSettings(Settings):
    """Deviation ratings have no settings."""


class DeviationRatings(_MetaGameRating):
    """What insisting on a policy gains, in mean results: 0 for those that can be chosen, negative for all others."""

    settings_type = DeviationSettings

    def __init__(self, settings: DeviationSettings | None = None) -> None:
        self.settings = settings or DeviationSettings()

    def rated(self, model: PayoffModel, members: Ints) -> Floats:
        """Gains in [-0.5, 0]."""
        return _against(strictest_equilibrium(_advantage(model, members)), model, members) - 0.5


def _advantage(model: PayoffModel, members: Ints) -> Floats:
    """`[n, n]` predicted mean results above 1/2."""
    return model.scores()[np.ix_(members, members)] - 0.5
