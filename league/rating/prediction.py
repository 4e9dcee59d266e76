"""The payoff that the ratings predict: everybody against everybody, also where two policies never met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from league.errors import RatingError
from league.rating.bradley_terry import fit
from league.rating.core import require_opponents, role_groups
from league.rating.ledger import Floats, Ledger
from league.records import PolicyId


@dataclass(frozen=True, slots=True)
class PredictedPayoff:
    """Predicted mean results among N policies, sorted by id.

    score: `[N, N]` the row's mean result against the column in [0, 1], a draw being half a win, with either policy on
    either side equally often: `score + score.T` is 1 and the diagonal 0.5. NaN between policies of different roles.
    """

    ids: tuple[PolicyId, ...]
    score: Floats


def predicted_payoff(ledger: Ledger, anchors: frozenset[PolicyId]) -> PredictedPayoff:
    """The payoff that the fitted ratings predict for two-sided games. anchors: as in `RatingModel.rate`.

    An empty ledger has no policies. Raises RatingError as `require_one_on_one` and the fit do.
    """
    if not len(ledger):
        return PredictedPayoff((), np.zeros((0, 0)))
    require_one_on_one(ledger, anchors)
    fitted = fit(ledger, anchors)
    gap = fitted.theta[:, None] - fitted.theta
    first = 0.0 if all(table.paired for table in ledger.tables) else fitted.side_terms[0] - fitted.side_terms[1]
    score = (_davidson(gap + first, fitted.draw.get(2, 0.0)) + _davidson(gap - first, fitted.draw.get(2, 0.0))) / 2.0
    place = {policy: i for i, policy in enumerate(fitted.ids)}
    role = np.zeros(len(fitted.ids), dtype=np.int64)
    for number, group in enumerate(fitted.groups):
        role[[place[policy] for policy in group]] = number
    return PredictedPayoff(fitted.ids, np.where(role[:, None] == role, score, np.nan))


def require_one_on_one(ledger: Ledger, anchors: frozenset[PolicyId]) -> None:
    """Raises RatingError unless every match is one policy against another of the same role.

    Only such policies form a payoff: in games of teams or of more sides a result belongs to several policies at once,
    and where one role plays another, policies of one role never meet.
    """
    require_opponents(ledger)
    number = {policy: n for n, group in enumerate(role_groups(ledger, anchors)) for policy in group}
    role = np.array([number[policy] for policy in ledger.ids])
    for table in ledger.tables:
        if table.sizes != (1, 1):
            shape = " against ".join(map(str, table.sizes))
            raise RatingError(f"a payoff of all policies needs games of one policy against one, not of {shape}")
        apart = np.flatnonzero(role[table.members[:, 0]] != role[table.members[:, 1]])
        if len(apart):
            a, b = (ledger.ids[policy] for policy in table.members[apart[0]])
            raise RatingError(
                f"a payoff of all policies needs sides with the same role, but {a} and {b} played for different roles"
            )


def _davidson(gap: Floats, draw: float) -> Floats:
    """Mean results for differences in utility `gap` (Davidson 1970, eq. 2.5; without draws, Bradley-Terry). draw: nu.

    With t = e^(-|gap| / 2) the favourite wins with 1 / (1 + t^2 + nu t), which cannot overflow.
    """
    t = np.exp(-np.abs(gap) / 2.0)
    favourite = (1.0 + draw * t / 2.0) / (1.0 + t * t + draw * t)
    return np.where(gap >= 0, favourite, 1.0 - favourite)
