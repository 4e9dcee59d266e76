"""The meta-game's rating systems: Nash averaging, alpha-rank and deviation ratings of the predicted payoff.

They rate two-sided games of one policy against one, each role by itself. Their values have no interval: which policies
an equilibrium holds can change with a single game, so that no honest one is cheap.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from pydantic import Field

from league.rating.core import NO_FACTS, RosterFacts, role_groups
from league.rating.ledger import Floats, Ledger
from league.rating.metagame.alpharank import alpha_rank
from league.rating.metagame.deviation import symmetric_deviation_ratings
from league.rating.metagame.nash import nash_mixture
from league.rating.prediction import predicted_payoff
from league.records import PolicyId, Rating
from league.settings import Settings


class _MetaGameRating(ABC):
    """Rates by `values` of the predicted payoff."""

    needs_scores, knows_roster = False, True

    def rate(
        self, ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts = NO_FACTS
    ) -> dict[PolicyId, Rating]:
        """Rate everybody who played; the anchors make no difference. Raises RatingError as `predicted_payoff` does."""
        payoff, played = predicted_payoff(ledger, anchors, roster), ledger.games_played()
        place = {policy: i for i, policy in enumerate(payoff.ids)}
        ratings = {}
        for group in role_groups(ledger, anchors):
            members = sorted(group)
            rows = [place[policy] for policy in members]
            values = self.values(payoff.score[np.ix_(rows, rows)])
            for policy, value in zip(members, values.tolist(), strict=True):
                ratings[policy] = Rating(value, -math.inf, math.inf, played[policy])
        return ratings

    @abstractmethod
    def values(self, score: Floats) -> Floats:
        """The values `[N]` of policies with mean results `score` `[N, N]`."""
        ...


class NashSettings(Settings):
    """Nash averaging has no settings."""


class NashAveraging(_MetaGameRating):
    """A policy's predicted score against the maximum-entropy Nash equilibrium of the roster: 0.5 for its members.

    The payoff is the result itself, not its log-odds, which Balduzzi et al. 2018 use: the value is a score that can be
    played for, and policies that lose every game, whose log-odds are hardly known, do not shape the equilibrium.
    """

    settings_type = NashSettings

    def __init__(self, settings: NashSettings | None = None) -> None:
        self.settings = settings or NashSettings()

    def values(self, score: Floats) -> Floats:
        """Scores in [0, 0.5]."""
        return score @ nash_mixture(score - 0.5)


class AlphaRankSettings(Settings):
    """Settings of alpha-rank."""

    alpha: float | None = Field(default=None, gt=0.0)
    """Intensity of selection, for results in [0, 1]; not set: its limit at infinity."""
    population: int = Field(default=50, ge=2)
    """Size of the population; for the limit it matters only where policies are equal."""


class AlphaRank(_MetaGameRating):
    """A policy's mass: how often a population that keeps adopting better policies holds it. Masses sum to 1."""

    settings_type = AlphaRankSettings

    def __init__(self, settings: AlphaRankSettings | None = None) -> None:
        self.settings = settings or AlphaRankSettings()

    def values(self, score: Floats) -> Floats:
        """Masses in [0, 1]."""
        return alpha_rank(score, self.settings.alpha, self.settings.population)


class DeviationSettings(Settings):
    """Deviation ratings have no settings."""


class DeviationRatings(_MetaGameRating):
    """What insisting on a policy gains, in mean results: 0 for those that can be chosen, negative for all others."""

    settings_type = DeviationSettings

    def __init__(self, settings: DeviationSettings | None = None) -> None:
        self.settings = settings or DeviationSettings()

    def values(self, score: Floats) -> Floats:
        """Gains in [-0.5, 0]."""
        return symmetric_deviation_ratings(score - 0.5)
