"""Which rated matches to play next: newcomers meet many opponents, few games with each; then what is in doubt."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, combinations, zip_longest
from typing import NamedTuple

import numpy as np

from league.errors import RatingError
from league.rating.ledger import Floats, Ints
from league.rating.prediction.forecast import Forecast
from league.records import PolicyId, Post, Rating, Snapshot

FEWEST_OPPONENTS = 6
"""The fewest opponents of a newcomer, anchors included, as far as the roster and the number of matches allow."""

MOST_OPPONENTS = 16
"""A newcomer meets at most this many times log2(N) of N policies, so that N snapshots cost O(N log N) matches."""

FOR_NEWCOMERS = 0.6
"""The share of the matches that newcomers may take. What they leave goes to the pairs most in doubt."""

AGAINST_RANDOM = 0.25
"""How many further matches a newcomer plays against random play, as a share of its matches: a rating is that score."""

LEADER_AGAINST_RANDOM = 0.2
"""The share of the matches in which the best snapshot meets random play, for its rating is the first that is read."""

LEADER_ENOUGH = 10_000
"""Games against random play after which the best snapshot plays no more: its score is then known to 0.01 (95 %)."""

RANDOM_COUNTS = 3.0
"""How much more the doubt about a score against random play counts: a rating is that score."""

ENOUGH = 400
"""Games after which a pair is not chosen again: the standard error of its score is then at most 0.025."""

ENOUGH_WITH_ANCHOR = 64
"""The same where one of the two is an anchor other than random play: its decisions may be slow tree searches."""

_PROFILE = 128
"""The most opponents whose predicted scores make up a policy's payoff profile."""


class RatedMatch(NamedTuple):
    """Policies in the order of the posts, and how many games they play."""

    lineup: tuple[PolicyId, ...]
    games: int


def next_matches(
    snapshots: Sequence[Snapshot],
    known: Forecast,
    matches: int,
    games: int,
    posts: Sequence[Post],
    rng: np.random.Generator,
    leaders: Collection[PolicyId] = (),
) -> tuple[RatedMatch, ...]:
    """The matches to play next in a game with several sides, most urgent first.

    snapshots: the roster, oldest first, with its anchors. known: its forecast. leaders: the best of them, one for
    each role. At most `matches` matches of `games` games are chosen, fewer where all pairs have played enough; those of
    one lineup are returned as one longer match.

    (1) The anchors meet once among themselves, which gives them a common scale and, if roles differ, measures the
    advantage of the seats. (2) Newcomers (no rated game yet) meet the anchors, their parent, the latest snapshot and
    then everybody or, in a large roster or with few matches, a selection: half of it from equal strata of age, half by
    payoff profile. They take turns, so that few matches connect them all. Then they meet random play again, and (3) so
    do the leaders. (4) The pair whose predicted score is most in doubt plays, again and again.

    Posts that a pair leaves open are filled with random play beside an anchor, else with random companions of the role,
    the same on both sides. Raises RatingError where a post's role has no snapshot.
    """
    _require_roles(snapshots, posts)
    pairing = _Pairing(snapshots, known, games, posts, rng)
    for x, y in pairing.connecting_pairs(matches):
        if len(pairing.chosen) < matches:
            pairing.play(x, y)
    pairing.play_leaders(leaders, matches)
    pairing.play_most_doubtful(matches - len(pairing.chosen))
    return _merged(pairing.chosen, games)


def next_one_sided(
    snapshots: Sequence[Snapshot],
    ratings: Mapping[PolicyId, Rating],
    matches: int,
    games: int,
    posts: Sequence[Post],
) -> tuple[RatedMatch, ...]:
    """The matches to play next in a game with one side; arguments and result as of `next_matches`.

    ratings: mean scores. Newcomers (without a rating) play first, those of one round together, then each time the
    policy with the widest interval.
    """
    _require_roles(snapshots, posts)
    lineups = list(
        dict.fromkeys(_lineup_of_contemporaries(s, snapshots, posts) for s in snapshots if s.id not in ratings)
    )[:matches]
    width = {s.id: ratings[s.id].high - ratings[s.id].low for s in snapshots if s.id in ratings}
    counted = {policy: ratings[policy].games for policy in width}
    while width and len(lineups) < matches:
        snapshot = max((s for s in snapshots if s.id in width), key=lambda s: width[s.id])
        lineup = _lineup_of_contemporaries(snapshot, snapshots, posts)
        lineups.append(lineup)
        for policy in {snapshot.id, *lineup} & width.keys():
            width[policy] *= (counted[policy] / (counted[policy] + games)) ** 0.5
            counted[policy] += games
    return _merged(lineups, games)


class _Pairing:
    """The matches chosen so far, and the pairs to choose from; every match chosen counts as played.

    Policies are given by their index in the roster, N of them.
    """

    def __init__(
        self,
        snapshots: Sequence[Snapshot],
        known: Forecast,
        games: int,
        posts: Sequence[Post],
        rng: np.random.Generator,
    ) -> None:
        self.chosen: list[tuple[PolicyId, ...]] = []
        self._snapshots, self._known, self._games, self._posts, self._rng = snapshots, known, games, posts, rng
        self._added = np.zeros_like(known.games)
        self._variance = known.variance
        self._anchor = np.array([snapshot.origin == "anchor" for snapshot in snapshots])
        self._zero = np.array([snapshot.zero for snapshot in snapshots])
        roles = sorted({snapshot.role for snapshot in snapshots})
        opposed = {(p.role, q.role) for p in posts for q in posts if p.side != q.side}
        facing = np.array([[(r, s) in opposed for s in roles] for r in roles])
        role = np.array([roles.index(snapshot.role) for snapshot in snapshots])
        self._of_role = {name: role == number for number, name in enumerate(roles)}
        self._can_meet = facing[np.ix_(role, role)] & ~np.eye(len(snapshots), dtype=bool)
        columns = np.unique(np.linspace(0, len(snapshots) - 1, _PROFILE).astype(np.int64))
        self._profile = np.where(self._can_meet, known.score, 0.5)[:, columns]

    def connecting_pairs(self, matches: int) -> Iterator[tuple[int, int]]:
        """The pairs that connect anchors and newcomers to the roster, most urgent first, of `matches` to be chosen."""
        for x, y in combinations(np.flatnonzero(self._anchor).tolist(), 2):
            if self._can_meet[x, y] and not self._known.games[x, y]:
                yield x, y
        newcomers = np.flatnonzero(~self._known.games.any(1) & ~self._anchor).tolist()
        wanted = max(int(FOR_NEWCOMERS * matches / max(len(newcomers), 1)), FEWEST_OPPONENTS)
        for step in zip_longest(*([(x, y) for y in self._opponents(x, wanted)] for x in newcomers)):
            for x, y in filter(None, step):
                # Two newcomers are each other's opponents, and companions have met, too.
                if not self._added[x, y]:
                    yield x, y
        again = min(int(AGAINST_RANDOM * wanted), ENOUGH // self._games - 1)
        for x in newcomers:
            for y in np.flatnonzero(self._zero & self._can_meet[x]).tolist():
                yield from [(x, y)] * again

    def play_leaders(self, leaders: Collection[PolicyId], matches: int) -> None:
        """Choose the leaders' matches against random play, of `matches` to be chosen in all."""
        share = int(LEADER_AGAINST_RANDOM * matches / max(len(leaders), 1))
        for x in [k for k, snapshot in enumerate(self._snapshots) if snapshot.id in leaders]:
            for y in np.flatnonzero(self._zero & self._can_meet[x]).tolist():
                lacking = int((LEADER_ENOUGH - self._played()[x, y]) / self._games)
                for _ in range(min(share, lacking, matches - len(self.chosen))):
                    self.play(x, y)

    def play(self, x: int, y: int) -> None:
        """Choose a match of `x` against `y`."""
        x, y = max(x, y), min(x, y)
        snapshots, posts = self._snapshots, self._posts
        fitting = [
            (i, j)
            for i, p in enumerate(posts)
            for j, q in enumerate(posts)
            if p.side != q.side and p.role == snapshots[x].role and q.role == snapshots[y].role
        ]
        # Lineups are rotated over the sides; between more than two, who comes after whom must not always be the same.
        several = len({post.side for post in posts}) > 2
        i, j = fitting[int(self._rng.integers(len(fitting))) if several else 0]
        seated = {i: x, j: y}
        mates: dict[str, int] = {}
        with_anchor = bool(self._anchor[x] or self._anchor[y])
        for k, post in enumerate(posts):
            if k in seated:
                continue
            if post.side in (posts[i].side, posts[j].side):
                if post.role not in mates:
                    mates[post.role] = self._companion(post.role, with_anchor, {x, y})
                seated[k] = mates[post.role]
            else:
                seated[k] = self._companion(post.role, with_anchor, set(seated.values()))
        self.chosen.append(tuple(snapshots[seated[k]].id for k in range(len(posts))))
        for one, other in combinations(range(len(posts)), 2):
            if posts[one].side != posts[other].side and seated[one] != seated[other]:
                self._added[seated[one], seated[other]] += self._games
                self._added[seated[other], seated[one]] += self._games

    def play_most_doubtful(self, matches: int) -> None:
        """Choose `matches` matches, each of the pair most in doubt; fewer where all pairs have played enough."""
        if matches <= 0:
            return
        scripted = self._anchor & ~self._zero
        enough = np.where(scripted[:, None] | scripted, ENOUGH_WITH_ANCHOR, ENOUGH)
        may_play = self._can_meet & ~(self._anchor[:, None] & self._anchor) & (self._played() < enough)
        # Which of equally doubtful pairs comes first is left to chance.
        pairs = self._rng.permutation(np.flatnonzero(np.triu(may_play)))
        if matches < len(pairs):
            # A match makes no pair more doubtful, so it is nobody else's turn.
            pairs = pairs[np.argpartition(-self._doubt(pairs), matches - 1)[:matches]]
        queue = [(-doubt, order) for order, doubt in enumerate(self._doubt(pairs).tolist())]
        heapq.heapify(queue)
        last = len(self.chosen) + matches
        while queue and len(self.chosen) < last:
            before, order = heapq.heappop(queue)
            x, y = divmod(int(pairs[order]), len(self._snapshots))
            # The two may have met since then, as companions of others.
            if -before <= (now := float(self._doubt(pairs[order : order + 1])[0])):
                self.play(x, y)
                now = float(self._doubt(pairs[order : order + 1])[0])
            if self._known.games[x, y] + self._added[x, y] < enough[x, y]:
                heapq.heappush(queue, (-now, order))

    def _opponents(self, x: int, wanted: int) -> list[int]:
        """The opponents of a newcomer, most urgent first: `wanted` of them, but always all anchors and two others."""
        able = np.flatnonzero(self._can_meet[x])
        anchors, others = able[self._anchor[able]], able[~self._anchor[able]]
        most = max(min(wanted - len(anchors), int(MOST_OPPONENTS * np.log2(len(self._snapshots)))), 2)
        parent = [k for k in others.tolist() if self._snapshots[k].id == self._snapshots[x].parent]
        first = list(dict.fromkeys([*parent, *others[-1:].tolist()]))
        rest = others[~np.isin(others, first)]
        if len(others) <= most:
            return [*anchors.tolist(), *first, *self._rng.permutation(rest).tolist()]
        count = most - len(first)
        by_age = self._spread_by_age(rest, count - count // 2)
        known = np.array([*anchors.tolist(), *first, *by_age], dtype=np.int64)
        by_profile = self._spread_by_profile(rest[~np.isin(rest, known)], known, count // 2)
        turns = chain.from_iterable(zip_longest(by_age, by_profile))
        return [*anchors.tolist(), *first, *(k for k in turns if k is not None)]

    def _spread_by_age(self, candidates: Ints, count: int) -> list[int]:
        """One of each of `count` equal strata of candidates, which are ordered by age, in random order."""
        bounds = np.arange(count + 1) * len(candidates) // max(count, 1)
        picks: list[int] = self._rng.permutation(candidates[self._rng.integers(bounds[:-1], bounds[1:])]).tolist()
        return picks

    def _spread_by_profile(self, candidates: Ints, known: Ints, count: int) -> list[int]:
        """`count` candidates, each time the one whose profile is farthest from those of all `known` and picked ones.

        Greedy k-centre (Gonzalez 1985, "Clustering to Minimize the Maximum Intercluster Distance"). Profiles, unlike
        ratings, tell apart two that are equally strong and beaten by different policies, and near copies are met once.
        """
        profiles = self._profile[candidates]
        squares = (profiles**2).sum(1)

        def squared_distance(to: Floats) -> Floats:
            found: Floats = squares[:, None] + (to**2).sum(1) - 2.0 * profiles @ to.T
            return found

        nearest = squared_distance(self._profile[known]).min(1)
        picks: list[int] = []
        for _ in range(count):
            pick = int(nearest.argmax())
            picks.append(int(candidates[pick]))
            nearest = np.minimum(nearest, squared_distance(profiles[pick : pick + 1])[:, 0])
            nearest[pick] = -np.inf
        return picks

    def _companion(self, role: str, with_anchor: bool, taken: set[int]) -> int:
        """A policy for an open post, unseated if possible: random play if `with_anchor`, else any snapshot."""
        able = np.flatnonzero(self._of_role[role] & (self._zero if with_anchor else ~self._anchor))
        able = able if len(able) else np.flatnonzero(self._of_role[role])
        unseated = able[~np.isin(able, list(taken))]
        return int(self._rng.choice(unseated if len(unseated) else able))

    def _played(self) -> Floats:
        """`[N, N]` games of each pair, with those of the matches chosen."""
        return self._known.games + self._added

    def _doubt(self, pairs: Ints) -> Floats:
        """`[n]` the doubt that the matches chosen leave about pairs, each given by its place in the flattened `[N, N]`.

        A normal posterior: g more games of variance v turn the variance d^2 into 1 / (1 / d^2 + g / v). The doubt about
        a score against random play counts `RANDOM_COUNTS` times.
        """
        squared = self._known.doubt.take(pairs) ** 2
        narrowed: Floats = np.sqrt(squared / (1.0 + squared * self._added.take(pairs) / self._variance.take(pairs)))
        x, y = np.divmod(pairs, len(self._snapshots))
        return np.where(self._zero[x] | self._zero[y], RANDOM_COUNTS, 1.0) * narrowed


def _require_roles(snapshots: Sequence[Snapshot], posts: Sequence[Post]) -> None:
    for post in posts:
        if not any(snapshot.role == post.role for snapshot in snapshots):
            raise RatingError(f"no policy in the roster plays the role '{post.role}' that side {post.side} needs")


def _merged(lineups: Sequence[tuple[PolicyId, ...]], games: int) -> tuple[RatedMatch, ...]:
    """One match for each lineup, in the order of first appearance. games: of each time that it was chosen."""
    return tuple(RatedMatch(lineup, times * games) for lineup, times in Counter(lineups).items())


def _lineup_of_contemporaries(
    snapshot: Snapshot, snapshots: Sequence[Snapshot], posts: Sequence[Post]
) -> tuple[PolicyId, ...]:
    """`snapshot` at its role's posts beside its contemporaries: the k-th of its role and round with the k-th of others.

    Where a role has nobody of that round, one of its newest earlier round, else its oldest; anchors sit with anchors.
    """
    anchor = snapshot.origin == "anchor"
    alike = [s for s in snapshots if (s.origin == "anchor") == anchor]
    turn = [s.id for s in alike if s.role == snapshot.role and s.round == snapshot.round].index(snapshot.id)
    seated = []
    for post in posts:
        if post.role == snapshot.role:
            seated.append(snapshot.id)
            continue
        able = [s for s in alike if s.role == post.role] or [s for s in snapshots if s.role == post.role]
        then = max((s.round for s in able if s.round <= snapshot.round), default=min(s.round for s in able))
        group = [s for s in able if s.round == then]
        seated.append(group[turn % len(group)].id)
    return tuple(seated)
