"""The reference rating: Bradley-Terry with draws, seat terms and any number of sides, by maximum a posteriori.

The model (strengths in log-odds, sides in the order of the lineup):

- A side's utility is s = sum of its policies' strengths + the term of its seat (none in paired games).
- A game's ranking is a sequence of choices: first who comes first among all sides, then who comes first among the
  rest, and so on (Plackett 1975; Luce 1959). Who comes first may be several sides, level with each other: a set T of
  them is chosen with weight delta_|T| exp(mean of s over T), where delta_1 = 1 (Firth, Kosmidis and Turner 2019,
  "Davidson-Luce model for multi-item choice with ties"). With two sides this is Davidson 1970, whose nu is delta_2:
  P(first wins) = e^(a/2) / (e^(a/2) + e^(-a/2) + nu), a the difference in utility; without ties, Bradley-Terry 1952.
- Priors are Gaussian. Within a role, strengths are N(m, sd^2) around the roster's own level m, itself N(0, sd^2); seat
  terms and log deltas are N(0, sd^2). (Independent priors around 0 would add up over a large roster and drag all of it
  towards the anchor.) m is integrated out. Sizes of ties that never occurred are left out of the model. Anchors have
  strength 0: they set the zero, and need no prior.

Every choice is a multinomial logit whose utilities are linear in the parameters, so the log-posterior is strictly
concave with one maximum, which Newton's method finds; the prior keeps it finite for a policy that wins all its games.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from league.errors import RatingError
from league.rating.core import NO_FACTS, POINTS, Z95, RosterFacts, require_opponents
from league.rating.ledger import Floats, Ledger
from league.rating.likelihood import RankingLikelihood
from league.rating.standings import Record, records
from league.records import PolicyId, Rating
from league.settings import Settings

MAX_STEPS = 100
"""Newton steps before the fit is given up; ten are usual."""

TOLERANCE = 1e-6
"""The fit ends when a Newton step moves no parameter by more, in log-odds; the error left is about its square."""

START_SCALE = 1.5
"""How much further apart strengths are than log-odds against the whole field, in which wins over the weakest saturate.
It only sets where the fit begins, which saves half of the steps."""


class BradleyTerrySettings(Settings):
    """Settings of the Bradley-Terry rating."""

    prior: float = Field(default=2000.0, gt=0.0)
    """Standard deviation of the priors, in Elo points. At 2000 a prior has the weight of 0.03 games between equals: it
    bounds ratings that the games leave open and hardly moves the others."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted model. Strengths are in log-odds (`POINTS` Elo points each), N policies in the order of `ids`.

    theta: `[N]`, 0 for anchors. covariance: `[N, N]` of theta, from the Hessian at the maximum (Laplace), with seat
    and draw terms integrated out; zero for anchors. draw: delta by the number of sides that tie (2: Davidson's nu).
    side_terms: the advantage of each side of the lineup, in log-odds; they sum to 0. games: `[N]` rated games.
    """

    ids: tuple[PolicyId, ...]
    theta: Floats
    covariance: Floats
    draw: Mapping[int, float]
    side_terms: tuple[float, ...]
    games: tuple[int, ...]
    groups: tuple[frozenset[PolicyId], ...]
    """The policies by role (`role_groups`)."""


class BradleyTerry:
    """Ratings from `fit`, in Elo points, with uniformly random play (the anchors) at 0.

    The 95 % interval is that of the policy's difference to the mean of its role's roster (anchors and other scripted
    policies left out), centred on its value. The distance to the anchor itself would mislead: random play soon loses
    every game, so its distance is hardly known, and that one uncertainty would widen all intervals alike although the
    order of the policies is well known. A lone policy has no roster to be compared with, so its interval is that of its
    distance to the anchor.
    """

    settings_type = BradleyTerrySettings
    needs_scores, knows_roster = False, True

    def __init__(self, settings: BradleyTerrySettings | None = None) -> None:
        self.settings = settings or BradleyTerrySettings()

    def rate(
        self, ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts = NO_FACTS
    ) -> dict[PolicyId, Rating]:
        """Rate everybody who played; order makes no difference. Raises RatingError as `fit` does.

        Scripted policies beside the anchors are not part of the roster. Their strengths are estimated like all
        others, but one that wins or loses all its games would widen everybody's interval, as random play would.
        """
        if not len(ledger):
            return {}
        fitted = fit(ledger, anchors, self.settings)
        half = Z95 * POINTS * np.sqrt(roster_variance(fitted, anchors | roster.scripted))
        return {
            policy: Rating(float(value), float(value - h), float(value + h), games)
            for policy, value, h, games in zip(fitted.ids, POINTS * fitted.theta, half, fitted.games, strict=True)
        }


def fit(ledger: Ledger, anchors: frozenset[PolicyId], settings: BradleyTerrySettings | None = None) -> Fit:
    """Fit the model to all results.

    Raises RatingError without any, for one-sided games, for too many tied sides, and where Newton's method fails.
    """
    if not len(ledger):
        raise RatingError("there are no rated games to fit")
    require_opponents(ledger)
    prior = (settings or BradleyTerrySettings()).prior / POINTS
    model = RankingLikelihood(ledger, anchors)
    parameters, information = _maximise(
        model, _prior_precision(model, prior), _initial_parameters(model, records(ledger), anchors)
    )
    covariance = np.zeros((len(model.ids), len(model.ids)))
    free = np.flatnonzero(model.parameter_of != model.size)
    covariance[np.ix_(free, free)] = np.linalg.inv(information)[: len(free), : len(free)]
    first_tie = model.size - len(model.ties)
    return Fit(
        ids=model.ids,
        theta=np.append(parameters, 0.0)[model.parameter_of],
        covariance=covariance,
        draw={size: float(np.exp(parameters[first_tie + i])) for i, size in enumerate(model.ties)},
        side_terms=tuple(parameters[len(free) : first_tie].tolist()),
        games=model.games,
        groups=model.groups,
    )


def roster_variance(fitted: Fit, anchors: frozenset[PolicyId]) -> Floats:
    """`[N]` posterior variance of each policy's distance to its roster's mean, in squared log-odds.

    A roster is a group of `fitted.groups` without `anchors`; a lone policy's variance is that of its own strength.
    """
    place = {policy: i for i, policy in enumerate(fitted.ids)}
    variance = np.diag(fitted.covariance).copy()
    for group in fitted.groups:
        roster = [place[policy] for policy in sorted(group - anchors)]
        if len(roster) < 2:
            continue
        everyone = [place[policy] for policy in sorted(group)]
        with_mean = fitted.covariance[np.ix_(everyone, roster)].mean(1)
        mean_itself = fitted.covariance[np.ix_(roster, roster)].mean()
        variance[everyone] += mean_itself - 2.0 * with_mean
    # Rounding can put the variance of an exactly known difference slightly below 0.
    return np.maximum(variance, 0.0)


def _prior_precision(model: RankingLikelihood, prior: float) -> Floats:
    """The inverse covariance `[P, P]` of the priors. prior: standard deviation in log-odds.

    A role of F policies has covariance prior^2 (I + 11'), whose inverse is (I - 11' / (1 + F)) / prior^2.
    """
    precision = np.eye(model.size) / prior**2
    parameter = dict(zip(model.ids, model.parameter_of.tolist(), strict=True))
    for group in model.groups:
        roster = [parameter[policy] for policy in group if parameter[policy] != model.size]
        precision[np.ix_(roster, roster)] -= 1.0 / (1 + len(roster)) / prior**2
    return precision


def _initial_parameters(
    model: RankingLikelihood, played: Mapping[PolicyId, Record], anchors: frozenset[PolicyId]
) -> Floats:
    """Initial parameters `[P]`: strengths from mean results; seat and tie terms at 0."""
    mean = {policy: (record.score + 0.5) / (record.games + 1.0) for policy, record in played.items()}
    odds = np.array([np.log(mean[policy] / (1.0 - mean[policy])) if policy in mean else 0.0 for policy in model.ids])
    fixed = np.array([policy in anchors for policy in model.ids])
    zero = odds[fixed].mean() if fixed.any() else 0.0
    parameters = np.zeros(model.size + 1)
    parameters[model.parameter_of] = START_SCALE * (odds - zero)
    return parameters[:-1]


def _maximise(model: RankingLikelihood, precision: Floats, parameters: Floats) -> tuple[Floats, Floats]:
    """The parameters `[P]` of the highest posterior and the information (negative Hessian) `[P, P]` there.

    parameters: where to begin.
    """
    value, gradient, information = _posterior(model, parameters, precision)
    for _ in range(MAX_STEPS):
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError as error:
            raise RatingError(f"the Bradley-Terry fit broke down: {error}") from error
        if np.abs(step).max(initial=0.0) <= TOLERANCE:
            return parameters + step, information
        scale = 1.0
        # Far from the maximum a full step can overshoot; concavity makes a short enough one climb.
        while True:
            trial = _posterior(model, parameters + scale * step, precision)
            if trial[0] >= value - 1e-12 * abs(value):
                break
            scale /= 2.0
            if scale < 1e-6:
                raise RatingError("the Bradley-Terry fit did not converge: no step along Newton's direction climbs")
        parameters = parameters + scale * step
        value, gradient, information = trial
    raise RatingError(f"the Bradley-Terry fit did not converge in {MAX_STEPS} steps")


def _posterior(model: RankingLikelihood, parameters: Floats, precision: Floats) -> tuple[float, Floats, Floats]:
    """Log-posterior (up to a constant), its gradient `[P]` and negative Hessian `[P, P]`."""
    likelihood, gradient, information = model.evaluate(parameters)
    pull = precision @ parameters
    return likelihood - 0.5 * float(parameters @ pull), gradient - pull, information + precision
