"""OpenSkill's five Weng-Lin models, applied game by game in ledger order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from league.errors import RatingError
from league.rating.core import POINTS, Z95, require_opponents, role_groups, spread_games
from league.rating.ledger import Ledger, Pattern
from league.records import PolicyId, Rating
from league.settings import Settings

ModelName = Literal[
    "PlackettLuce", "BradleyTerryFull", "BradleyTerryPart", "ThurstoneMostellerFull", "ThurstoneMostellerPart"
]


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
    calibrated error. A row of n games is n updates, its patterns spread evenly (`spread_games`). A policy at several
    posts of a game takes the mean of its posts' updates. Anchors are rated like all others, and a rating is the
    distance to the anchor of the policy's role (`role_groups`), or to the starting mu where it has none, as log-odds
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
        """Rate in ledger order. low and high are mu -/+ 1.96 sigma. Raises RatingError (one side, not finite)."""
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
        state = ledger.cache.setdefault((OpenSkill, self.settings), _State())
        assert isinstance(state, _State)
        fresh = len(ledger.ids) - len(state.mu)
        state.mu += [float(self._model.mu)] * fresh
        state.sigma += [float(self._model.sigma)] * fresh
        self._advance(state, ledger)
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

    def _advance(self, state: _State, ledger: Ledger) -> None:
        """Play the rows that came since."""
        games = [spread_games(placements) for placements in ledger.outcomes]
        scores = [[_score(pattern) for pattern in patterns] for patterns in games]
        for table, members, outcomes in ledger.chunks(state.upto):
            if table.sizes == (1, 1):
                first, second = members.T.tolist()
                self._update_one_on_one(state, zip(first, second, [scores[one] for one in outcomes], strict=True))
                continue
            for policies, outcome in zip(members.tolist(), outcomes, strict=True):
                sides = [policies[side] for side in table.sides]
                if sides.count(sides[0]) < len(sides):
                    for pattern in games[outcome]:
                        self._update_many_sided(state, sides, pattern)
        state.upto = len(ledger)

    def _update_many_sided(self, state: _State, sides: Sequence[Sequence[int]], pattern: Pattern) -> None:
        """One game of any sides."""
        rated = self.update([[Skill(state.mu[one], state.sigma[one]) for one in side] for side in sides], pattern)
        became: dict[int, list[Skill]] = {}
        for side, new in zip(sides, rated, strict=True):
            for policy, skill in zip(side, new, strict=True):
                became.setdefault(policy, []).append(skill)
        for policy, all_of in became.items():
            state.mu[policy] = sum(skill.mu for skill in all_of) / len(all_of)
            state.sigma[policy] = sum(skill.sigma for skill in all_of) / len(all_of)

    def _update_one_on_one(self, state: _State, rows: Iterable[tuple[int, int, list[float]]]) -> None:
        """`update` for rows of one policy against one. Written out: the package copies its objects deeply every game.

        Weng and Lin 2011, algorithms 1 to 4 with two teams, where the three logistic models are one; with the
        package's own gamma, sigma / c.
        """
        mus, sigmas, sqrt, exp = state.mu, state.sigma, math.sqrt, math.exp
        noise, kappa = 2.0 * self._model.beta**2, self._model.kappa
        thurstone = self.settings.model.startswith("Thurstone")
        epsilon = self._model.epsilon if thurstone else 0.0
        stretch = 2.0 if self.settings.model == "ThurstoneMostellerPart" else 1.0
        for a, b, scores in rows:
            if a == b:
                continue
            mu_a, mu_b, sigma_a, sigma_b = mus[a], mus[b], sigmas[a], sigmas[b]
            for score in scores:
                variance_a, variance_b = sigma_a**2, sigma_b**2
                c = sqrt(variance_a + variance_b + noise) * stretch
                gap = (mu_a - mu_b) / c
                # First and (negated) second derivative of the log-likelihood in the gap, in units of c.
                if thurstone:
                    omega, delta = _thurstone(gap, epsilon / c, score)
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
    """Skills after the ledger's first `upto` rows, by the policy's number."""

    upto: int = 0
    mu: list[float] = field(default_factory=list)
    sigma: list[float] = field(default_factory=list)


def _score(pattern: Pattern) -> float:
    """The result of the first of two sides."""
    return 0.5 if pattern[0] == pattern[1] else float(pattern[0] < pattern[1])


def _thurstone(gap: float, margin: float, score: float) -> tuple[float, float]:
    """The derivatives in the normal model with a draw margin: V and W, or their two-sided forms for a draw."""
    from openskill.models.weng_lin.common import v, vt, w, wt

    if score == 0.5:
        return vt(gap, margin), wt(gap, margin)
    sign = 1.0 if score == 1.0 else -1.0
    return sign * v(sign * gap, margin), w(sign * gap, margin)
