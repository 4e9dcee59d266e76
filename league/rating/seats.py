"""Results of policies by side and by seat: is a snapshot strong at every seat of its role?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from league.rating.standings import records
from league.records import PolicyId, Rating

if TYPE_CHECKING:
    from league.rating.ledger import Ledger

Sums = Mapping[tuple[PolicyId, int], tuple[int, float, float]]
"""By policy and seat: episodes, and the sum and the sum of squares of the scores there."""


def at_side(ledger: Ledger, side: int) -> dict[PolicyId, Rating]:
    """Mean results in [0, 1] on one side of the game, with Wilson's interval; paired matches are left out."""
    from league.rating.payoff import wilson

    return {
        policy: Rating(record.score / record.games, *wilson(record.score, record.games), record.games)
        for policy, record in records(ledger, side).items()
    }


def at_seat(sums: Sums, seat: int) -> dict[PolicyId, Rating]:
    """Mean scores at one seat of the game, with Student's interval."""
    from league.rating.mean_score import mean_interval

    return {
        policy: Rating(*mean_interval(episodes, total, square), episodes)
        for (policy, where), (episodes, total, square) in sums.items()
        if where == seat
    }
