"""The payoff that the ratings predict: everybody against everybody, also where two policies never met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from league.errors import RatingError
from league.rating.core import NO_FACTS, RosterFacts, require_opponents, role_groups
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


def predicted_payoff(ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts = NO_FACTS) -> PredictedPayoff:
    """The payoff that the reference rating predicts for two-sided games. anchors, roster: as in `core.rate`.

    An empty ledger has no policies. Raises RatingError as `require_one_on_one` and the fit do.
    """
    from league.rating.fitted_payoff import fitted_payoff  # loads scipy, which a reader of cached ratings does not need

    if not len(ledger):
        return PredictedPayoff((), np.zeros((0, 0)))
    require_one_on_one(ledger, anchors)
    fitted = fitted_payoff(ledger, anchors, roster)
    order = sorted(range(len(fitted.ids)), key=fitted.ids.__getitem__)
    score = fitted.model.scores()[np.ix_(order, order)]
    group = fitted.group[order]
    return PredictedPayoff(
        tuple(fitted.ids[number] for number in order), np.where(group[:, None] == group, score, np.nan)
    )


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
