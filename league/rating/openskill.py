"""OpenSkill's five Weng-Lin models, applied meeting by meeting."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from league.errors import RatingError
from league.rating.core import POINTS, Z95, require_opponents, role_groups
from league.rating.ledger import Ledger, Pattern
from league.rating.meetings import Duels, Meeting, meetings
from league.records import PolicyId, Rating
from league.settings import Settings

ModelName = Literal[
    "PlackettLuce", "BradleyTerryFull", "BradleyTerryPart", "ThurstoneMostellerFull", "ThurstoneMostellerPart"
]

_STEP = 0.05
"""The change of what is believed, relative to beta and to sigma², up to which games are rated at once."""


class OpenSkillSettings(Settings):
    """Settings of OpenSkill's rating."""

    model: ModelName = "PlackettLuce"
    """Which of the five models. If more than two sides can tie, only BradleyTerryFull treats ties correctly."""


@dataclass(frozen=True, slots=True)
class Skill:
    """A belief about a policy, N(mu, sigma²), in OpenSkill's own unit (25 and 25/3 before any game)."""

    mu: float
    sigma: float


class OpenSkill:
    """Weng and Lin 2011, "A Bayesian Approximation Method for Online Ranking", as implemented by the openskill package.

    A snapshot's skill does not drift, so tau is 0; sigma then only shrinks: it shows the model's own belief, not a
    calibrated error. All games of the same sides are one meeting, whoever sat where (`meetings`). A meeting of n games
    is n updates, each the mean of what its games say; one game is the package's own update. A policy at several posts
    of a game takes the mean of its posts' updates. Anchors are rated like all others, and a rating is the distance to
    the anchor of the policy's role (`role_groups`), or to the starting mu where it has none, as log-odds
    Δmu / (√2 beta), the models' win probability between settled policies, in Elo points.
    """

    settings_type = OpenSkillSettings
    needs_scores = False

    def __init__(self, settings: OpenSkillSettings | None = None) -> None:
        self.settings = settings or OpenSkillSettings()

    @cached_property
    def _model(self) -> Any:
        import openskill.models

        return getattr(openskill.models, self.settings.model)(tau=0.0)

    def rate(self, ledger: Ledger, anchors: frozenset[PolicyId]) -> dict[PolicyId, Rating]:
        """Rate meeting by meeting. low and high are mu -/+ 1.96 sigma. Raises RatingError (one side, not finite)."""
        skills, games = self.skills(ledger), ledger.games_played()
        unit = POINTS / (math.sqrt(2.0) * self._model.beta)
        ratings = {}
        for group in role_groups(ledger, anchors):
            zeros = [skills[policy].mu for policy in sorted(group & anchors)]
            zero = sum(zeros) / len(zeros) if zeros else self._model.mu
            for policy in sorted(group):
                skill = skills[policy]
                value, half = unit * (skill.mu - zero), unit * Z95 * skill.sigma
                ratings[policy] = Rating(value, value - half, value + half, games[policy])
        return ratings

    def skills(self, ledger: Ledger) -> dict[PolicyId, Skill]:
        """Each policy's skill after all games. Raises RatingError as `rate` does."""
        require_opponents(ledger)
        count = len(ledger.ids)
        state = _State([float(self._model.mu)] * count, [float(self._model.sigma)] * count)
        for one in meetings(ledger):
            if isinstance(one, Duels):
                self._rate_duels(state, one)
            else:
                self._rate_meeting(state, one)
        for policy, mu, sigma in zip(ledger.ids, state.mu, state.sigma, strict=True):
            if not (math.isfinite(mu) and math.isfinite(sigma)):
                raise RatingError(
                    f"OpenSkill's {self.settings.model} gave {policy} the skill {mu, sigma}, not a number"
                )
        skills = zip(state.mu, state.sigma, strict=True)
        return {policy: Skill(mu, sigma) for policy, (mu, sigma) in zip(ledger.ids, skills, strict=True)}

    def update(self, sides: Sequence[Sequence[Skill]], pattern: Pattern) -> list[list[Skill]]:
        """What one game makes of its policies, by the package itself. sides: as seated; pattern: ranks by side."""
        teams = [[self._model.rating(mu=one.mu, sigma=one.sigma) for one in side] for side in sides]
        rated = self._model.rate(teams, ranks=[float(rank) for rank in pattern])
        return [[Skill(one.mu, one.sigma) for one in side] for side in rated]

    def _rate_meeting(self, state: _State, meeting: Meeting) -> None:
        """One meeting of any sides, several games at a time while they hardly change what is believed."""
        left = sum(meeting.placements.values())
        while left:
            became = self._mean_update(state, meeting)
            change = max(
                max(abs(mu - state.mu[one]) / self._model.beta, 1.0 - (sigma / state.sigma[one]) ** 2)
                for one, (mu, sigma) in became.items()
            )
            games = min(left, int(_STEP / max(change, 1e-9))) if change < _STEP else 1
            for one, (mu, sigma) in became.items():
                state.mu[one] = (1 - games) * state.mu[one] + games * mu
                state.sigma[one] = sigma * (sigma / state.sigma[one]) ** (games - 1)
            left -= games

    def _mean_update(self, state: _State, meeting: Meeting) -> dict[int, tuple[float, float]]:
        """By policy, the mean mu and sigma that one of the meeting's games would lead to."""
        sides = [[Skill(state.mu[one], state.sigma[one]) for one in side] for side in meeting.sides]
        total, found = sum(meeting.placements.values()), dict[int, tuple[float, float]]()
        posts = Counter(one for side in meeting.sides for one in side)
        for pattern, games in meeting.placements.items():
            for side, rated in zip(meeting.sides, self.update(sides, pattern), strict=True):
                for policy, skill in zip(side, rated, strict=True):
                    mu, sigma = found.get(policy, (0.0, 0.0))
                    share = games / total / posts[policy]
                    found[policy] = mu + share * skill.mu, sigma + share * skill.sigma
        return found

    def _rate_duels(self, state: _State, duels: Duels) -> None:
        """`_rate_meeting` for one policy against one, game by game. Written out: the package copies its objects deeply
        every game.

        Weng and Lin 2011, algorithms 1 to 4 with two teams, where the three logistic models are one; with the
        package's own gamma, sigma / c.
        """
        mus, sigmas, sqrt, exp = state.mu, state.sigma, math.sqrt, math.exp
        noise, kappa = 2.0 * self._model.beta**2, self._model.kappa
        thurstone = self.settings.model.startswith("Thurstone")
        epsilon = self._model.epsilon if thurstone else 0.0
        stretch = 2.0 if self.settings.model == "ThurstoneMostellerPart" else 1.0
        columns = (duels.first, duels.second, duels.wins, duels.draws, duels.losses)
        for a, b, wins, draws, losses in zip(*(column.tolist() for column in columns), strict=True):
            mu_a, mu_b, sigma_a, sigma_b = mus[a], mus[b], sigmas[a], sigmas[b]
            games = wins + draws + losses
            score = (wins + 0.5 * draws) / games
            for _ in range(games):
                variance_a, variance_b = sigma_a**2, sigma_b**2
                c = sqrt(variance_a + variance_b + noise) * stretch
                gap = (mu_a - mu_b) / c
                # First and (negated) second derivative of the log-likelihood in the gap, in units of c.
                if thurstone:
                    omega, delta = _thurstone(gap, epsilon / c, wins, draws, losses)
                else:
                    p = 1.0 / (1.0 + exp(-gap))
                    omega, delta = score - p, p * (1.0 - p)
                mu_a += variance_a / c * omega
                mu_b -= variance_b / c * omega
                sigma_a *= sqrt(max(1.0 - (sigma_a / c) ** 3 * delta, kappa))
                sigma_b *= sqrt(max(1.0 - (sigma_b / c) ** 3 * delta, kappa))
            mus[a], mus[b], sigmas[a], sigmas[b] = mu_a, mu_b, sigma_a, sigma_b


@dataclass(slots=True)
class _State:
    """Skills by policy number."""

    mu: list[float]
    sigma: list[float]


def _thurstone(gap: float, margin: float, wins: int, draws: int, losses: int) -> tuple[float, float]:
    """The mean derivatives in the normal model with a draw margin: V and W, or their two-sided forms for a draw."""
    from openskill.models.weng_lin.common import v, vt, w, wt

    omega = delta = 0.0
    if wins:
        omega, delta = wins * v(gap, margin), wins * w(gap, margin)
    if losses:
        omega, delta = omega - losses * v(-gap, margin), delta + losses * w(-gap, margin)
    if draws:
        omega, delta = omega + draws * vt(gap, margin), delta + draws * wt(gap, margin)
    games = wins + draws + losses
    return omega / games, delta / games
