"""The ledger as columns: the lineup and outcome of each match, and totals by lineup.

A match is a few numbers, not an object, so that millions fit. Rating systems read the totals (`Ledger.tables`), which
are updated as the ledger grows, or the matches in order (`Ledger.chunks`, `Ledger.rows`). Results may depend on the
order of the matches, but not on how many are added at once.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from league.records import MatchResult, PolicyId

Sides = tuple[tuple[PolicyId, ...], ...]
"""Policies by side, and by post within a side."""

Pattern = tuple[int, ...]
"""A rank for each side of a match; level sides share a rank."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 65_536
"""Matches per chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchColumns:
    """M matches with P posts in all, as `Ledger.append` takes them.

    names: the policies that `policy` numbers. outcomes: the placements that `outcome` numbers.
    outcome, paired, episodes: `[M]`. first: `[M]` the place of a match's first post among the P; its others follow.
    side, policy, score_sum, score_sq: `[P]`, the sides of a match in order.
    """

    names: Sequence[PolicyId]
    outcomes: Sequence[Mapping[Pattern, int]]
    outcome: Ints
    paired: Bools
    episodes: Ints
    first: Ints
    side: Ints
    policy: Ints
    score_sum: Floats
    score_sq: Floats


class MatchRow(NamedTuple):
    """One match, for users' own rating systems; fields as in `MatchResult`."""

    lineup: Sides
    placements: Mapping[Pattern, int]
    paired: bool


class LineupTotals:
    """Totals by lineup of all matches of one shape: L lineups, in order of first appearance.

    sizes: policies by side. paired: as in `MatchResult`. members: `[L, posts]` numbers of the policies, by side.
    patterns: those that occurred. counts: `[L, patterns]` games. episodes: `[L]`.
    score_sum, score_sq: `[L, posts]`; zeros in a ledger that keeps no scores.
    """

    def __init__(self, sizes: tuple[int, ...], paired: bool) -> None:
        posts = sum(sizes)
        self.sizes, self.paired = sizes, paired
        self.members = np.zeros((0, posts), dtype=np.int32)
        self.patterns: list[Pattern] = []
        self.counts: Ints = np.zeros((0, 0), dtype=np.int64)
        self.episodes: Ints = np.zeros(0, dtype=np.int64)
        self.score_sum: Floats = np.zeros((0, posts))
        self.score_sq: Floats = np.zeros((0, posts))
        self._levels = [_KeyNumbers() for _ in range(max(posts - 1, 1))]

    @property
    def sides(self) -> list[slice]:
        """The columns of `members` of each side."""
        ends = np.cumsum(self.sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True)]

    @property
    def posts(self) -> list[tuple[int, int]]:
        """Side and place within the side, by post."""
        return [(side, k) for side, size in enumerate(self.sizes) for k in range(size)]

    def informative(self) -> Bools:
        """`[L]` whether the sides of a lineup differ. If they do not, its results carry no information on strength."""
        if len(set(self.sizes)) > 1:
            return np.ones(len(self.members), dtype=bool)
        informative: Bools = (self.members != np.tile(self.members[:, : self.sizes[0]], len(self.sizes))).any(1)
        return informative

    def first_occurrence(self, post: int, since: int = 0) -> Bools:
        """`[L]` whether the policy at a post sits at none of the posts `since` to `post` before it."""
        first: Bools = (self.members[:, since:post] != self.members[:, post : post + 1]).all(1)
        return first

    def add(
        self, members: Ints, outcomes: Sequence[Mapping[Pattern, int]], outcome: Ints, columns: MatchColumns, rows: Ints
    ) -> Ints:
        """Count M more matches; returns the number of each one's lineup. members: `[M, posts]`, outcome: `[M]`.

        columns, rows: the matches' other values are at these rows of `columns`.
        """
        lineup, *others = members.T if members.shape[1] > 1 else (members[:, 0], np.zeros_like(members[:, 0]))
        for level, column in zip(self._levels, others, strict=True):
            lineup = level.numbered(lineup << 32 | column)
        self._grow(lineup, members)
        distinct, first, which = np.unique(outcome, return_index=True, return_inverse=True)
        # In the order of their first appearance in this table, independent of matches of other shapes.
        came = np.argsort(first)
        games = self._by_pattern([outcomes[one] for one in distinct[came].tolist()])
        _add(self.counts, lineup, games[np.argsort(came)[which]])
        np.add.at(self.episodes, lineup, columns.episodes[rows])
        posts = columns.first[rows][:, None] + np.arange(members.shape[1])
        # One row after another: sums of floats must not depend on how many rows are added at once.
        _add(self.score_sum, lineup, columns.score_sum[posts])
        _add(self.score_sq, lineup, columns.score_sq[posts])
        return lineup

    def _grow(self, lineup: Ints, members: Ints) -> None:
        """Make room for lineups that are new."""
        before = len(self.members)
        fresh = lineup >= before
        if not fresh.any():
            return
        added = np.zeros((int(lineup.max()) + 1 - before, members.shape[1]), dtype=np.int32)
        added[lineup[fresh] - before] = members[fresh]
        self.members = np.concatenate([self.members, added])
        self.counts, self.episodes, self.score_sum, self.score_sq = (
            np.concatenate([old, np.zeros((len(added), *old.shape[1:]), dtype=old.dtype)])
            for old in (self.counts, self.episodes, self.score_sum, self.score_sq)
        )

    def _by_pattern(self, outcomes: Sequence[Mapping[Pattern, int]]) -> Ints:
        """`[outcomes, patterns]` games; new patterns get columns of their own."""
        self.patterns += dict.fromkeys(
            pattern for outcome in outcomes for pattern in outcome if pattern not in self.patterns
        )
        width = len(self.patterns) - self.counts.shape[1]
        self.counts = np.pad(self.counts, ((0, 0), (0, width))) if width else self.counts
        return np.array([[outcome.get(pattern, 0) for pattern in self.patterns] for outcome in outcomes])


class Ledger:
    """The rated matches in their order; grows by `extend` and `append`.

    scored: whether score sums are kept, which only rating by mean score needs. ids: the policies by number, in
    order of first appearance. outcomes: placements by number, each in the order of its patterns. tables: sums by shape
    and lineup. games: the number of rated games. cache: what was fitted to the rows so far, by system and
    settings; its users note how many rows they have seen.
    """

    def __init__(self, results: Iterable[MatchResult] = (), scored: bool = True) -> None:
        self.scored = scored
        self.ids: list[PolicyId] = []
        self.outcomes: list[Mapping[Pattern, int]] = []
        self.tables: list[LineupTotals] = []
        self.games = 0
        self.cache: dict[Hashable, object] = {}
        self._policies: dict[PolicyId, int] = {}
        self._outcomes: dict[tuple[tuple[Pattern, int], ...], int] = {}
        self._shapes: dict[tuple[tuple[int, ...], bool], int] = {}
        self._table = np.zeros(0, dtype=np.int32)
        self._lineup = np.zeros(0, dtype=np.int32)
        self._outcome = np.zeros(0, dtype=np.int32)
        self.extend(results)

    def __len__(self) -> int:
        return len(self._lineup)

    def extend(self, results: Iterable[MatchResult]) -> None:
        """Append results, in this order."""
        rows = list(results)
        names = {policy: i for i, policy in enumerate(dict.fromkeys(p for row in rows for p in row.policies))}
        posts = [
            (side, names[policy]) for row in rows for side, policies in enumerate(row.lineup) for policy in policies
        ]
        side, policy = np.array(posts, dtype=np.int64).reshape(-1, 2).T
        widths = np.array([len(row.policies) for row in rows], dtype=np.int64)
        scored = rows if self.scored else []
        nothing = np.zeros(0 if self.scored else len(side))
        self.append(
            MatchColumns(
                names=list(names),
                outcomes=[row.placements for row in rows],
                outcome=np.arange(len(rows)),
                paired=np.array([row.paired for row in rows], dtype=bool),
                episodes=np.array([row.episodes for row in rows], dtype=np.int64),
                first=np.cumsum(widths) - widths,
                side=side,
                policy=policy,
                score_sum=np.append(nothing, [score for row in scored for score in row.score_sum]),
                score_sq=np.append(nothing, [score for row in scored for score in row.score_sq]),
            )
        )

    def append(self, columns: MatchColumns) -> None:
        """Append matches given as columns."""
        if not len(columns.outcome):
            return
        policy = self._numbered(columns)
        numbers = np.array([self._outcome_number(one) for one in columns.outcomes], dtype=np.int64)
        outcome = numbers[columns.outcome]
        table, lineup = np.zeros_like(outcome), np.zeros_like(outcome)
        for sizes, paired, rows in _shapes(columns):
            number = self._table_number(sizes, paired)
            members = policy[columns.first[rows][:, None] + np.arange(sum(sizes))]
            table[rows] = number
            lineup[rows] = self.tables[number].add(members, self.outcomes, outcome[rows], columns, rows)
        games = np.array([sum(one.values()) for one in self.outcomes])
        self.games += int(games[outcome].sum())
        self._table = np.concatenate([self._table, table.astype(np.int32)])
        self._lineup = np.concatenate([self._lineup, lineup.astype(np.int32)])
        self._outcome = np.concatenate([self._outcome, outcome.astype(np.int32)])

    def chunks(self, since: int = 0, upto: int | None = None) -> Iterator[tuple[LineupTotals, Ints, list[int]]]:
        """The rows from `since` on (before `upto`), in order, in runs of rows of one table: the table, the policies'
        numbers `[n, posts]`, and the numbers of the outcomes `[n]`."""
        end_row = len(self) if upto is None else upto
        for begin in range(since, end_row, CHUNK):
            part = slice(begin, min(begin + CHUNK, end_row))
            table, lineup, outcome = self._table[part], self._lineup[part], self._outcome[part]
            cuts = [0, *(np.flatnonzero(np.diff(table)) + 1).tolist(), len(table)]
            for start, end in pairwise(cuts):
                its = self.tables[table[start]]
                yield its, its.members[lineup[start:end]].astype(np.int64), outcome[start:end].tolist()

    def first_rows(self) -> list[Ints]:
        """By table, the row in which each lineup first played, `[L]`."""
        found = []
        for number, table in enumerate(self.tables):
            rows = np.flatnonzero(self._table == number)[::-1]
            first = np.zeros(len(table.members), dtype=np.int64)
            # Of several values for one place numpy keeps the last: backwards, the first.
            first[self._lineup[rows]] = rows
            found.append(first)
        return found

    def where(self, keep: Bools) -> Ledger:
        """A ledger of the chosen matches in their order, without scores. keep: `[rows]`."""
        chosen = np.flatnonzero(keep)
        table = self._table[chosen]
        widths = np.array([sum(one.sizes) for one in self.tables], dtype=np.int64)[table]
        first = np.cumsum(widths) - widths
        side, policy = np.zeros((2, int(widths.sum())), dtype=np.int64)
        paired = np.zeros(len(chosen), dtype=bool)
        for number, one in enumerate(self.tables):
            here = np.flatnonzero(table == number)
            posts = first[here][:, None] + np.arange(sum(one.sizes))
            side[posts] = [which for which, _ in one.posts]
            policy[posts] = one.members[self._lineup[chosen[here]]]
            paired[here] = one.paired
        found = Ledger(scored=False)
        found.append(
            MatchColumns(
                names=self.ids,
                outcomes=self.outcomes,
                outcome=self._outcome[chosen].astype(np.int64),
                paired=paired,
                episodes=np.zeros(len(chosen), dtype=np.int64),
                first=first,
                side=side,
                policy=policy,
                score_sum=np.zeros(len(side)),
                score_sq=np.zeros(len(side)),
            )
        )
        return found

    def without(self, policies: Collection[PolicyId]) -> Ledger:
        """A ledger of the matches in which none of these policies played, in their order, without scores."""
        gone = np.array([policy in policies for policy in self.ids], dtype=bool)
        parts = [~gone[members].any(1) for _, members, _ in self.chunks()]
        return self.where(np.concatenate(parts) if parts else np.zeros(0, dtype=bool))

    def rows(self, since: int = 0) -> Iterator[MatchRow]:
        """The rows from `since` on, in order, one by one."""
        for table, members, outcomes in self.chunks(since):
            sides = table.sides
            for numbers, outcome in zip(members.tolist(), outcomes, strict=True):
                lineup = tuple(tuple(self.ids[policy] for policy in numbers[side]) for side in sides)
                yield MatchRow(lineup, self.outcomes[outcome], table.paired)

    def games_played(self) -> dict[PolicyId, int]:
        """Rated games by policy; a game counts once for a policy that sat at several of its posts."""
        played = np.zeros(len(self.ids), dtype=np.int64)
        for table in self.tables:
            games = table.counts.sum(1)
            for post in range(table.members.shape[1]):
                once = table.first_occurrence(post)
                np.add.at(played, table.members[once, post], games[once])
        return dict(zip(self.ids, played.tolist(), strict=True))

    def played_together(self, include_allies: bool = False) -> Bools:
        """`[N, N]` whether two policies played in one match on different sides. include_allies: or on the same side."""
        met = np.zeros((len(self.ids), len(self.ids)), dtype=bool)
        for table in self.tables:
            for i, (one, _) in enumerate(table.posts):
                for j, (other, _) in enumerate(table.posts[:i]):
                    if include_allies or one != other:
                        met[table.members[:, i], table.members[:, j]] = True
        return met | met.T

    def distinct(self, members: NDArray[np.integer[Any]]) -> list[int]:
        """The distinct policy numbers in `members`, sorted."""
        return np.flatnonzero(np.bincount(members)).tolist()

    def _numbered(self, columns: MatchColumns) -> Ints:
        """`[P]` the ledger's number of each post's policy."""
        number = np.full(len(columns.names), -1)
        # Of several values for one place numpy keeps the last: backwards, the first.
        number[columns.policy[::-1]] = np.arange(len(columns.policy))[::-1]
        for place in sorted(np.flatnonzero(number >= 0).tolist(), key=number.__getitem__):
            name = columns.names[place]
            if name not in self._policies:
                self._policies[name] = len(self.ids)
                self.ids.append(name)
            number[place] = self._policies[name]
        return number[columns.policy]

    def _outcome_number(self, placements: Mapping[Pattern, int]) -> int:
        key = tuple(sorted(placements.items()))
        if key not in self._outcomes:
            self._outcomes[key] = len(self.outcomes)
            self.outcomes.append(dict(key))
        return self._outcomes[key]

    def _table_number(self, sizes: tuple[int, ...], paired: bool) -> int:
        if (sizes, paired) not in self._shapes:
            self._shapes[sizes, paired] = len(self.tables)
            self.tables.append(LineupTotals(sizes, paired))
        return self._shapes[sizes, paired]


class _KeyNumbers:
    """Numbers for keys, from 0 on, in the order in which the keys first came."""

    def __init__(self) -> None:
        self._keys: Ints = np.zeros(0, dtype=np.int64)  # sorted
        self._numbers: Ints = np.zeros(0, dtype=np.int64)

    def numbered(self, keys: Ints) -> Ints:
        distinct, first, which = np.unique(keys, return_index=True, return_inverse=True)
        place = np.searchsorted(self._keys, distinct)
        new = np.append(self._keys, -1)[place] != distinct
        order = np.argsort(np.argsort(first[new]))
        self._numbers = np.insert(self._numbers, place[new], len(self._keys) + order)
        self._keys = np.insert(self._keys, place[new], distinct[new])
        return self._numbers[np.searchsorted(self._keys, distinct)][which]


def _shapes(columns: MatchColumns) -> Iterator[tuple[tuple[int, ...], bool, Ints]]:
    """The shapes of the matches: policies by side, whether paired, and which matches `[n]` have it."""
    widths = np.diff(columns.first, append=len(columns.side))
    left = np.arange(len(columns.first))
    while len(left):
        start, width, paired = columns.first[left[0]], widths[left[0]], columns.paired[left[0]]
        sides = columns.side[start : start + width]
        alike = (widths[left] == width) & (columns.paired[left] == paired)
        posts = columns.first[left[alike]][:, None] + np.arange(width)
        alike[alike] = (columns.side[posts] == sides).all(1)
        yield tuple(np.bincount(sides).tolist()), bool(paired), left[alike]
        left = left[~alike]


def _add(sums: NDArray[Any], rows: Ints, values: NDArray[Any]) -> None:
    """Add `values` `[M, W]` to the rows `[M]` of `sums` `[L, W]`, one after another."""
    width = sums.shape[1]
    np.add.at(sums.reshape(-1), (rows[:, None] * width + np.arange(width)).reshape(-1), values.reshape(-1))
