"""OpenSkill's five Weng-Lin models, applied game by game in ledger order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from league.errors import RatingError
from league.rating.core import POINTS, Z95, Pattern, games_played, peers, require_opponents, spread, tells_nothing
from league.records import MatchResult, PolicyId, Rating
from league.settings import Settings

ModelName = Literal[
    "PlackettLuce", "BradleyTerryFull", "BradleyTerryPart", "ThurstoneMostellerFull", "ThurstoneMostellerPart"
]


class OpenSkillSettings(Settings):
    """Settings of OpenSkill's rating."""

    model: ModelName = "PlackettLuce"
    """Which of the five models. Where more than two sides can tie, only BradleyTerryFull treats ties rightly."""


@dataclass(frozen=True, slots=True)
class Skill:
    """A belief about a policy, N(mu, sigma²), in OpenSkill's own unit (25 and 25/3 before any game)."""

    mu: float
    sigma: float


class OpenSkill:
    """Weng and Lin 2011, "A Bayesian Approximation Method for Online Ranking", as the openskill package has it.

    A snapshot's skill does not drift, so tau is 0; sigma then only shrinks: it shows the model's own belief, not a
    calibrated error. A row of n games is n updates, its patterns spread evenly (`spread`). A policy at several posts
    of a game takes the mean of what its posts would become. Anchors are rated like all others, and a rating is the
    distance to the anchor of the policy's role (`peers`), or to the starting mu where it has none, as log-odds
    Δmu / (√2 beta), the models' win probability between settled policies, in Elo points.
    """

    settings_type = OpenSkillSettings

    def __init__(self, settings: OpenSkillSettings | None = None) -> None:
        self.settings = settings or OpenSkillSettings()

    @cached_property
    def _model(self) -> Any:
        import openskill.models

        return getattr(openskill.models, self.settings.model)(tau=0.0)

    def rate(self, results: Sequence[MatchResult], anchors: frozenset[PolicyId]) -> dict[PolicyId, Rating]:
        """Rate in ledger order. low and high are mu -/+ 1.96 sigma. Raises RatingError (one side, not finite)."""
        skills, games = self.skills(results), games_played(results)
        unit = POINTS / (math.sqrt(2.0) * self._model.beta)
        ratings = {}
        for group in peers(results, anchors):
            zeros = [skills[policy].mu for policy in sorted(group & anchors)]
            zero = sum(zeros) / len(zeros) if zeros else self._model.mu
            for policy in sorted(group):
                skill = skills[policy]
                value, half = unit * (skill.mu - zero), unit * Z95 * skill.sigma
                ratings[policy] = Rating(value, value - half, value + half, games[policy])
        return ratings

    def skills(self, results: Sequence[MatchResult]) -> dict[PolicyId, Skill]:
        """What the model believes of each policy after all games. Raises RatingError as `rate` does."""
        require_opponents(results)
        start = (float(self._model.mu), float(self._model.sigma))
        skills = {policy: start for row in results for policy in row.policies}
        for row in results:
            if not tells_nothing(row.lineup):
                for pattern in spread(row.placements):
                    self._play(skills, row, pattern)
        for policy, skill in skills.items():
            if not all(map(math.isfinite, skill)):
                raise RatingError(f"OpenSkill's {self.settings.model} gave {policy} the skill {skill}, not a number")
        return {policy: Skill(*skill) for policy, skill in skills.items()}

    def update(self, sides: Sequence[Sequence[Skill]], pattern: Pattern) -> list[list[Skill]]:
        """What one game makes of its policies, by the package itself. sides: as seated; pattern: ranks by side."""
        teams = [[self._model.rating(mu=one.mu, sigma=one.sigma) for one in side] for side in sides]
        rated = self._model.rate(teams, ranks=[float(rank) for rank in pattern])
        return [[Skill(one.mu, one.sigma) for one in side] for side in rated]

    def _play(self, skills: dict[PolicyId, tuple[float, float]], row: MatchResult, pattern: Pattern) -> None:
        """One game; skills (mu, sigma) are updated in place."""
        lineup = row.lineup
        if len(lineup) == 2 and len(lineup[0]) == len(lineup[1]) == 1:
            (a,), (b,) = lineup
            score = 0.5 if pattern[0] == pattern[1] else float(pattern[0] < pattern[1])
            skills[a], skills[b] = self._duel(skills[a], skills[b], score)
            return
        rated = self.update([[Skill(*skills[policy]) for policy in side] for side in lineup], pattern)
        became: dict[PolicyId, list[Skill]] = {}
        for side, new in zip(lineup, rated, strict=True):
            for policy, skill in zip(side, new, strict=True):
                became.setdefault(policy, []).append(skill)
        for policy, all_of in became.items():
            skills[policy] = (sum(s.mu for s in all_of) / len(all_of), sum(s.sigma for s in all_of) / len(all_of))

    def _duel(
        self, a: tuple[float, float], b: tuple[float, float], score: float
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """`update` for one policy against one: written out, for the package copies its objects deeply every game.

        Weng and Lin 2011, algorithms 1 to 4 with two teams, where the three logistic models are one.
        """
        model, (mu_a, sigma_a), (mu_b, sigma_b) = self._model, a, b
        thurstone = self.settings.model.startswith("Thurstone")
        c = math.sqrt(sigma_a**2 + sigma_b**2 + 2.0 * model.beta**2)
        if self.settings.model == "ThurstoneMostellerPart":
            c *= 2.0
        gap = (mu_a - mu_b) / c
        omega, delta = _thurstone(gap, model.epsilon / c, score) if thurstone else _logistic(gap, score)
        return _moved(mu_a, sigma_a, c, omega, delta, model.kappa), _moved(mu_b, sigma_b, c, -omega, delta, model.kappa)


def _logistic(gap: float, score: float) -> tuple[float, float]:
    """First and (negated) second derivative of the log-likelihood in the gap, in units of c."""
    p = 1.0 / (1.0 + math.exp(-gap))
    return score - p, p * (1.0 - p)


def _thurstone(gap: float, margin: float, score: float) -> tuple[float, float]:
    """The same for the normal model with a draw margin: V and W, or their two-sided forms for a draw."""
    from openskill.models.weng_lin.common import v, vt, w, wt

    if score == 0.5:
        return vt(gap, margin), wt(gap, margin)
    sign = 1.0 if score == 1.0 else -1.0
    return sign * v(sign * gap, margin), w(sign * gap, margin)


def _moved(mu: float, sigma: float, c: float, omega: float, delta: float, kappa: float) -> tuple[float, float]:
    """The new (mu, sigma), with the package's own gamma, sigma / c."""
    shrink = 1.0 - (sigma / c) ** 3 * delta
    return mu + sigma**2 / c * omega, sigma * math.sqrt(max(shrink, kappa))
