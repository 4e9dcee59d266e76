"""The likelihood of a ledger's rankings, which the Bradley-Terry fit maximises.

A ranking is a sequence of choices of who comes first among the sides still to be ranked. Each is a multinomial logit
whose alternatives (one side, or several that tie) have utilities linear in the parameters, in this order: policies
that are no anchors (by id), sides, and sizes of ties. `bradley_terry` states the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement

import numpy as np

from league.errors import RatingError
from league.rating.core import role_groups
from league.rating.ledger import Floats, Ints, Ledger, LineupTotals, Pattern
from league.records import PolicyId

MAX_ALTERNATIVES = 10_000
"""Sets of sides that may come first, beyond which a game's ties are too many to enumerate."""


@dataclass(frozen=True, kw_only=True)
class _Block:
    """R choices of one shape among C alternatives.

    An alternative's utility is a sum over U terms, each a sum of parameters: of the policies at the posts of one side
    and the side's own, or a size of tie. design: `[C, U]` how much of each term an alternative's utility has.
    own: `[E, R]` parameters of the policies at the posts. common: `[G]` parameters that all these choices share.
    own_term, common_term: `[E]`, `[G]` the term that each is part of. chosen: `[C, R]` how often.
    """

    own: Ints
    own_term: list[int]
    common: list[int]
    common_term: list[int]
    design: Floats
    chosen: Floats


class RankingLikelihood:
    """The likelihood of all rankings in a ledger; choices that the model cannot tell apart are merged.

    ids: who played, sorted (N). parameter_of: `[N]` parameter by policy. size: P, the number of parameters, and the
    index that stands for none (anchors). ties: sizes of ties that occurred. games: rated games by policy.
    groups: the policies by role (`role_groups`).
    """

    def __init__(self, ledger: Ledger, anchors: frozenset[PolicyId]) -> None:
        played = ledger.games_played()
        self.ids = tuple(sorted(played))
        self.games = tuple(played[policy] for policy in self.ids)
        self.groups = tuple(role_groups(ledger, anchors))
        free = [policy for policy in self.ids if policy not in anchors]
        patterns = {pattern for table in ledger.tables for pattern in table.patterns}
        self.ties = sorted({pattern.count(rank) for pattern in patterns for rank in pattern} - {1})
        self._policies = len(free)
        self.size = len(free) + max(len(table.sizes) for table in ledger.tables) + len(self.ties)
        order = {policy: i for i, policy in enumerate(free)}
        self.parameter_of: Ints = np.array([order.get(policy, self.size) for policy in self.ids], dtype=np.int64)
        place = {policy: i for i, policy in enumerate(self.ids)}
        self._place: Ints = np.array([place[policy] for policy in ledger.ids], dtype=np.int64)
        self._blocks = list(self._all_blocks(ledger))

    def evaluate(self, parameters: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood (up to a constant), its gradient `[P]` and negative Hessian `[P, P]` at `parameters` `[P]`."""
        size = self.size + 1
        padded = np.append(parameters, 0.0)
        value, gradient, information = 0.0, np.zeros(size), np.zeros((size, size))
        for block in self._blocks:
            terms = np.zeros((block.design.shape[1], block.own.shape[1]))
            for own, term in zip(block.own, block.own_term, strict=True):
                terms[term] += padded[own]
            for common, term in zip(block.common, block.common_term, strict=True):
                terms[term] += padded[common]
            utility = block.design @ terms
            utility -= utility.max(0)
            p = np.exp(utility)
            total = p.sum(0)
            p /= total
            games = block.chosen.sum(0)
            value += float(np.vdot(block.chosen, utility) - games @ np.log(total))
            slope = block.design.T @ (block.chosen - games * p)
            for own, term in zip(block.own, block.own_term, strict=True):
                gradient += np.bincount(own, slope[term], size)
            for common, term in zip(block.common, block.common_term, strict=True):
                gradient[common] += slope[term].sum()
            _add_information(information, block, p, games)
        return value, gradient[:-1], information[:-1, :-1]

    def _all_blocks(self, ledger: Ledger) -> Iterator[_Block]:
        # Everything in an order of its own: sums of floats must not depend on the order of the ledger.
        for table in sorted(ledger.tables, key=lambda table: (table.sizes, table.paired)):
            members = self._place[table.members]
            rows = np.lexsort(members.T[::-1])
            columns = sorted(range(len(table.patterns)), key=table.patterns.__getitem__)
            patterns = [table.patterns[column] for column in columns]
            counts = table.counts[rows][:, columns].astype(np.float64)
            for level, chosen in _stages(patterns, counts, len(table.sizes)).items():
                yield self._block(table, level, chosen, self.parameter_of[members[rows]])

    def _block(self, table: LineupTotals, level: Pattern, chosen: dict[Pattern, Floats], members: Ints) -> _Block:
        """The choices of who comes first among the sides `level`."""
        sizes = [1, *(size for size in self.ties if size <= len(level))]
        alternatives = []
        for size in sizes:
            for subset in combinations(level, size):
                alternatives.append(subset)
                if len(alternatives) > MAX_ALTERNATIVES:
                    raise RatingError(
                        f"games of {len(table.sizes)} sides with ties among {size} can be decided in more than "
                        f"{MAX_ALTERNATIVES} ways; rate them by 'elo' or 'openskill'"
                    )
        posts = [post for post, (side, _) in enumerate(table.posts) if side in level]
        seats = () if table.paired else level
        # The terms: the sides that are left, then the sizes of ties.
        design = [
            [(side in subset) / len(subset) for side in level] + [float(len(subset) == size) for size in sizes[1:]]
            for subset in alternatives
        ]
        first_tie = self.size - len(self.ties)
        rows = np.flatnonzero(sum(chosen.values()))
        never = np.zeros(len(members))
        return _Block(
            own=np.ascontiguousarray(members[rows][:, posts].T),
            own_term=[level.index(table.posts[post][0]) for post in posts],
            common=[*(self._policies + side for side in seats), *(first_tie + i for i in range(len(sizes) - 1))],
            common_term=[*(level.index(side) for side in seats), *(len(level) + i for i in range(len(sizes) - 1))],
            design=np.array(design),
            chosen=np.stack([chosen.get(subset, never)[rows] for subset in alternatives]),
        )


def _stages(patterns: Sequence[Pattern], counts: Floats, sides: int) -> dict[Pattern, dict[Pattern, Floats]]:
    """By the sides still to be ranked: how often `[R]` which of them came first. counts: `[R, patterns]`."""
    stages: dict[Pattern, dict[Pattern, Floats]] = {}
    for column, pattern in enumerate(patterns):
        left = tuple(range(sides))
        while len(left) > 1:
            best = min(pattern[side] for side in left)
            first = tuple(side for side in left if pattern[side] == best)
            stage = stages.setdefault(left, {})
            stage[first] = stage.get(first, 0.0) + counts[:, column]
            left = tuple(side for side in left if pattern[side] != best)
    return stages


def _add_information(information: Floats, block: _Block, p: Floats, games: Floats) -> None:
    """Add a block's negative Hessian: the games' covariance of the terms under the choice probabilities `p`."""
    size, flat = len(information), information.reshape(-1)
    mean = block.design.T @ p
    weights = {}
    for t, u in combinations_with_replacement(range(len(mean)), 2):
        weight = games * ((block.design[:, t] * block.design[:, u]) @ p - mean[t] * mean[u])
        weights[t, u] = weights[u, t] = weight
    for t, g in zip(block.common_term, block.common, strict=True):
        for u, h in zip(block.common_term, block.common, strict=True):
            information[g, h] += weights[t, u].sum()
    for e, (t, own) in enumerate(zip(block.own_term, block.own, strict=True)):
        by_term = [np.bincount(own, weights[t, u], size) for u in range(len(mean))]
        flat[:: size + 1] += by_term[t]
        for u, g in zip(block.common_term, block.common, strict=True):
            information[:, g] += by_term[u]
            information[g] += by_term[u]
        for u, other in zip(block.own_term[:e], block.own[:e], strict=True):
            pairs = np.bincount(own * size + other, weights[t, u], size * size).reshape(size, size)
            information += pairs
            information += pairs.T
