"""The ledger as choices among sides, and their likelihood: what the Bradley-Terry fit maximises.

A ranking is a sequence of choices of who comes first among the sides still to be ranked. Each is a multinomial logit
whose alternatives (one side, or several that tie) have utilities linear in the parameters, in this order: policies
that are no anchors (by id), sides, and sizes of ties. `bradley_terry` states the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from league.errors import RatingError
from league.rating.core import Pattern, grouped
from league.records import MatchResult, PolicyId

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_ALTERNATIVES = 10_000
"""Sets of sides that may come first, beyond which a game's ties are too many to enumerate."""


@dataclass(frozen=True)
class _Block:
    """R choices of one shape among C alternatives.

    own: `[E, R]` parameters of the policies at the posts. common: `[G]` parameters that all these choices share.
    design: `[C, E + G]` how much of each parameter an alternative's utility has. chosen: `[C, R]` how often.
    """

    own: Ints
    common: Ints
    design: Floats
    chosen: Floats


class Choices:
    """All choices of a ledger, merged where the model cannot tell them apart.

    ids: who played, sorted (N). parameter_of: `[N]` parameter by policy. fixed: P, the number of parameters, and the
    place of what is none (anchors). ties: sizes of ties that occurred. games: rated games by policy.
    groups: the policies by role (`peers`).
    """

    def __init__(self, results: Sequence[MatchResult], anchors: frozenset[PolicyId]) -> None:
        self.ids = tuple(sorted({policy for row in results for side in row.lineup for policy in side}))
        free = [policy for policy in self.ids if policy not in anchors]
        patterns = {pattern for row in results for pattern in row.placements}
        self.ties = sorted({pattern.count(rank) for pattern in patterns for rank in pattern} - {1})
        self._policies = len(free)
        self.fixed = len(free) + max(len(row.lineup) for row in results) + len(self.ties)
        order = {policy: i for i, policy in enumerate(free)}
        self.parameter_of: Ints = np.array([order.get(policy, self.fixed) for policy in self.ids], dtype=np.int64)
        self._games = np.zeros(len(self.ids))
        self._by_post: dict[tuple[int, int], set[PolicyId]] = {}
        self._lineups: list[Ints] = []
        self._blocks = list(self._all_blocks(results))
        self.games = tuple(int(n) for n in self._games)
        met = ([self.ids[i] for i in lineup] for lineups in self._lineups for lineup in lineups.tolist())
        self.groups = tuple(grouped(self._by_post.values(), met, anchors))

    def likelihood(self, parameters: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood (up to a constant), its gradient `[P]` and negative Hessian `[P, P]` at `parameters` `[P]`."""
        size = self.fixed + 1
        padded = np.append(parameters, 0.0)
        value, gradient, information = 0.0, np.zeros(size), np.zeros((size, size))
        for block in self._blocks:
            own = len(block.own)
            utility = block.design[:, :own] @ padded[block.own]
            utility += (block.design[:, own:] @ padded[block.common])[:, None]
            utility -= utility.max(0)
            p = np.exp(utility)
            total = p.sum(0)
            p /= total
            games = block.chosen.sum(0)
            value += float((block.chosen * utility).sum() - games @ np.log(total))
            slope = block.design.T @ (block.chosen - games * p)
            gradient += np.bincount(block.own.ravel(), slope[:own].ravel(), size)
            np.add.at(gradient, block.common, slope[own:].sum(1))
            _add_information(information, block, p, games)
        square = information + information.T
        return value, gradient[:-1], square[:-1, :-1]

    def _all_blocks(self, results: Sequence[MatchResult]) -> Iterator[_Block]:
        place = {policy: i for i, policy in enumerate(self.ids)}
        kinds = [(*map(len, row.lineup), row.paired) for row in results]
        for kind in sorted(set(kinds)):
            shape, paired = kind[:-1], bool(kind[-1])
            rows = [row for row, its in zip(results, kinds, strict=True) if its == kind]
            flat = [place[policy] for row in rows for side in row.lineup for policy in side]
            members, row_of = _merged(np.array(flat, dtype=np.int64).reshape(len(rows), -1), len(self.ids))
            patterns, counts = _counted(rows, row_of, len(members))
            self._note(shape, paired, members, counts.sum(1))
            for level, chosen in _stages(patterns, counts, len(shape)).items():
                yield self._block(shape, level, chosen, self.parameter_of[members], paired)

    def _note(self, shape: tuple[int, ...], paired: bool, members: Ints, games: Floats) -> None:
        """Who played how much (once a game, at however many posts), and who sat where (as `peers` has it)."""
        self._lineups.append(members)
        posts = [(0 if paired else side, k) for side, size in enumerate(shape) for k in range(size)]
        for column, post in enumerate(posts):
            first = (members[:, :column] != members[:, column : column + 1]).all(1)
            self._games += np.bincount(members[first, column], games[first], len(self.ids))
            there = np.unique(members[:, column]).tolist()
            self._by_post.setdefault(post, set()).update(self.ids[i] for i in there)

    def _block(
        self, shape: tuple[int, ...], level: Pattern, chosen: dict[Pattern, Floats], members: Ints, paired: bool
    ) -> _Block:
        """The choices of who comes first among the sides `level`."""
        sizes = [1, *(size for size in self.ties if size <= len(level))]
        alternatives = []
        for size in sizes:
            for subset in combinations(level, size):
                alternatives.append(subset)
                if len(alternatives) > MAX_ALTERNATIVES:
                    raise RatingError(
                        f"games of {len(shape)} sides with ties among {size} can be decided in more than "
                        f"{MAX_ALTERNATIVES} ways; rate them by 'elo' or 'openskill'"
                    )
        post_side = [side for side, size in enumerate(shape) for _ in range(size)]
        posts = [post for post, side in enumerate(post_side) if side in level]
        seats = () if paired else level
        sides = [*(post_side[post] for post in posts), *seats]
        design = [
            [(side in subset) / len(subset) for side in sides] + [float(len(subset) == size) for size in sizes[1:]]
            for subset in alternatives
        ]
        first_tie = self.fixed - len(self.ties)
        rows = np.flatnonzero(sum(chosen.values()))
        never = np.zeros(len(members))
        return _Block(
            own=np.ascontiguousarray(members[rows][:, posts].T),
            common=np.array(
                [*(self._policies + side for side in seats), *(first_tie + i for i in range(len(sizes) - 1))],
                dtype=np.int64,
            ),
            design=np.array(design),
            chosen=np.stack([chosen.get(subset, never)[rows] for subset in alternatives]),
        )


def _merged(members: Ints, policies: int) -> tuple[Ints, Ints]:
    """Distinct lineups `[R, posts]`, and for each row which of them it has `[rows]`."""
    code = np.zeros(len(members), dtype=np.int64)
    first = np.zeros(1, dtype=np.int64)
    for column in members.T:
        _, first, code = np.unique(code * policies + column, return_index=True, return_inverse=True)
    return members[first], code


def _counted(rows: Sequence[MatchResult], row_of: Ints, lineups: int) -> tuple[list[Pattern], Floats]:
    """The patterns that occurred, sorted, and how often each lineup had them `[lineups, patterns]`."""
    found = [pattern for row in rows for pattern in row.placements]
    patterns = sorted(set(found))
    column = {pattern: i for i, pattern in enumerate(patterns)}
    columns = np.array([column[pattern] for pattern in found], dtype=np.int64)
    games = np.array([count for row in rows for count in row.placements.values()], dtype=np.float64)
    place = np.repeat(row_of, [len(row.placements) for row in rows]) * len(patterns) + columns
    counts = np.bincount(place, games, lineups * len(patterns)).astype(np.float64)
    return patterns, counts.reshape(lineups, len(patterns))


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
    """Add half of a block's negative Hessian: the games' covariance of the design under the choice probabilities `p`.

    The other half is the transpose, so that each pair of parameters is visited once.
    """
    own, size = len(block.own), len(information)
    mean = block.design.T @ p
    flat = information.reshape(-1)
    for e, f in combinations_with_replacement(range(block.design.shape[1]), 2):
        weight = games * ((block.design[:, e] * block.design[:, f]) @ p - mean[e] * mean[f])
        if e == f:
            weight *= 0.5
        if f < own:
            flat += np.bincount(block.own[e] * size + block.own[f], weight, size * size)
        elif e < own:
            information[:, block.common[f - own]] += np.bincount(block.own[e], weight, size)
        else:
            information[block.common[e - own], block.common[f - own]] += weight.sum()
