"""Swiss pairing: in every round, policies of about equal score meet, and nobody meets the same policy twice.

The field is ordered by score, then by rating. From the top, each policy meets the next one that it has not met; where
that would leave some of the others without such an opponent, the one after. Where everybody cannot be paired anew, as
few pairs as possible meet again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from league.records import PolicyId

Pair = tuple[PolicyId, PolicyId]

BYE = 1.0
"""The points of a bye: as many as of a win."""

_PRIME = 2**31 - 1


@dataclass(frozen=True, slots=True)
class SwissRound:
    """The pairs of a round, and who sat out because the field is odd."""

    pairs: tuple[Pair, ...]
    bye: PolicyId | None = None


def pair_round(order: Sequence[PolicyId], past: Sequence[SwissRound]) -> SwissRound:
    """The next round. order: the field, by score, then rating; at least two.

    Where the field is odd, the last of those with the fewest byes sits out.
    """
    field, bye = list(order), None
    if len(field) % 2:
        byes = [one.bye for one in past]
        bye = min(reversed(field), key=byes.count)
        field.remove(bye)
    met = {frozenset(pair) for one in past for pair in one.pairs}
    rematches, pairs = _rematches_needed(field, met), []
    while field:
        top = field.pop(0)
        for other in field:
            again = frozenset((top, other)) in met
            left = [policy for policy in field if policy != other]
            if again <= rematches and _rematches_needed(left, met) <= rematches - again:
                break
        pairs.append((top, other))
        field, rematches = left, rematches - again
    return SwissRound(tuple(pairs), bye)


def points(past: Sequence[SwissRound], mean: Mapping[tuple[int, PolicyId], float]) -> dict[PolicyId, float]:
    """Points of everybody who was in a round: 1 for winning a pairing, 1/2 for a level one, 1 for a bye.

    mean: by the round's index and policy, its mean result over the pairing's games; who has more than half of the
    points won it. Pairings without results give none.
    """
    total: dict[PolicyId, float] = {}
    for index, one in enumerate(past):
        for policy in (policy for pair in one.pairs for policy in pair):
            result = mean.get((index, policy))
            won = 0.0 if result is None or result < 0.5 else 0.5 if result == 0.5 else 1.0
            total[policy] = total.get(policy, 0.0) + won
        if one.bye is not None:
            total[one.bye] = total.get(one.bye, 0.0) + BYE
    return total


def usual_rounds(policies: int) -> int:
    """The rounds after which a single policy can have won all its pairings: log2 of the field, rounded up."""
    return max(ceil(log2(policies)), 1)


def _rematches_needed(field: Sequence[PolicyId], met: Collection[frozenset[PolicyId]]) -> int:
    """The fewest pairs that must meet again where an even field is paired.

    That is the number of pairs less the size of the largest matching among those that have not met: whoever it leaves
    has met everybody else that it leaves. The size is half the rank of the Tutte matrix, with random entries modulo a
    prime (Lovasz 1979, "On determinants, matchings, and random algorithms"); it is wrong once in 10^7 times.
    """
    size = len(field)
    new = np.array([[a != b and frozenset((a, b)) not in met for b in field] for a in field]).reshape(size, size)
    if not size or 2 * new.sum(1).min() >= size:
        return 0  # Dirac 1952: there is a cycle through all of them, and so a perfect matching
    draws = np.random.default_rng(size).integers(1, _PRIME, new.shape)
    tutte = np.where(new, np.triu(draws) - np.triu(draws).T, 0) % _PRIME
    return (size - _rank(tutte)) // 2


def _rank(matrix: NDArray[np.int64]) -> int:
    """The rank `[N, N]` modulo `_PRIME`, by elimination."""
    rank = 0
    for column in range(len(matrix)):
        pivots = np.flatnonzero(matrix[rank:, column])
        if not len(pivots):
            continue
        matrix[[rank, rank + pivots[0]]] = matrix[[rank + pivots[0], rank]]
        row = matrix[rank] * pow(int(matrix[rank, column]), -1, _PRIME) % _PRIME
        below = matrix[rank + 1 :]
        below -= below[:, column : column + 1] * row % _PRIME
        below %= _PRIME
        rank += 1
    return rank
