"""What is known about every pair of a roster: the games played, the predicted score, and how wrong it may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from league.rating.ledger import Floats, Ints
from league.rating.prediction.pairs import Pairs
from league.records import PolicyId, Snapshot

if TYPE_CHECKING:
    from league.rating.prediction.fitted_payoff import FittedPayoff

_LEAST_VARIANCE = 0.01
"""The smallest variance of a game's result that is assumed: a sure prediction may be wrong."""

_UNKNOWN = 0.25
"""The doubt about a pair of which one has played no rated game."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is known about each pair of a roster of N policies; rows against columns.

    games: `[N, N]` rated games between the two. score: `[N, N]` the predicted mean result, in [0, 1]. doubt: `[N, N]`
    the standard deviation of what is not known about that score, after the games played.
    """

    games: Floats
    score: Floats
    doubt: Floats

    @property
    def variance(self) -> Floats:
        """`[N, N]` the variance of one game's result, as if there were no draws."""
        return np.maximum(self.score * (1.0 - self.score), _LEAST_VARIANCE)


def forecast(snapshots: Sequence[Snapshot], payoff: FittedPayoff | None) -> Forecast:
    """The forecast by the payoff model of a ledger, None if it is empty.

    A policy that has played no rated game is predicted like its parent. One without such a parent scores 0.5.
    """
    shape = (len(snapshots), len(snapshots))
    games, score, doubt = np.zeros(shape), np.full(shape, 0.5), np.full(shape, _UNKNOWN)
    if payoff is not None:
        games = pair_games(payoff.pairs, payoff.ids, [one.id for one in snapshots])
        own, like = _places(snapshots, payoff)
        known, found = np.flatnonzero(like >= 0), np.flatnonzero(own >= 0)
        score[np.ix_(known, known)] = payoff.model.scores()[np.ix_(like[known], like[known])]
        doubt[np.ix_(found, found)] = payoff.model.doubt()[np.ix_(own[found], own[found])]
    return Forecast(games, score, doubt)


def gains(snapshots: Sequence[Snapshot], payoff: FittedPayoff | None, margins: Floats | None) -> Floats:
    """The payoff of a meta-game: `[N, N]`, what the row is predicted to gain over the column, antisymmetric, ≤ 1/2.

    margins: between the policies of `payoff`, if scores count (`expected_margins`): then their share of the largest,
    halved. Otherwise the predicted mean result less 1/2.
    """
    if margins is None or payoff is None or not margins.any():
        return forecast(snapshots, payoff).score - 0.5
    found = np.zeros((len(snapshots), len(snapshots)))
    _, like = _places(snapshots, payoff)
    known = np.flatnonzero(like >= 0)
    found[np.ix_(known, known)] = margins[np.ix_(like[known], like[known])]
    return np.asarray(found / max(2.0 * np.abs(found).max(), 1e-9))


def _places(snapshots: Sequence[Snapshot], payoff: FittedPayoff) -> tuple[Ints, Ints]:
    """`[N]` the number of each snapshot in the payoff, -1 if it has none; and that, or its parent's instead."""
    place = {policy: number for number, policy in enumerate(payoff.ids)}
    own = np.array([place.get(one.id, -1) for one in snapshots], dtype=np.int64)
    parent = np.array([place.get(one.parent or "", -1) for one in snapshots], dtype=np.int64)
    return own, np.where(own >= 0, own, parent)


def pair_games(pairs: Pairs, names: Sequence[PolicyId], ids: Sequence[PolicyId]) -> Floats:
    """`[N, N]` games between the policies `ids`. names: the policies that `pairs` numbers; others are passed over."""
    place = {policy: index for index, policy in enumerate(ids)}
    index = np.array([place.get(policy, -1) for policy in names], dtype=np.int64)
    one, two = index[pairs.first], index[pairs.second]
    here = (one >= 0) & (two >= 0)
    games = np.zeros((len(ids), len(ids)))
    games[one[here], two[here]] = games[two[here], one[here]] = pairs.games[here]
    return games
