"""Which rated matches to play next: first those that connect new snapshots, then maximum expected information."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from league.errors import RatingError
from league.rating.core import POINTS, Z95
from league.rating.ledger import Ledger
from league.rating.standings import best_ids
from league.records import PolicyId, Post, Rating, Snapshot

Floats = NDArray[np.float64]

PRIOR_VARIANCE = (2000.0 / POINTS) ** 2
"""Variance, in squared log-odds, of a policy without games: that of the Bradley-Terry prior."""

NOVELTY_BONUS = 0.05
"""Bonus, in nats, for a pair that never met: strength need not be transitive."""

NEIGHBOURS = 2
"""How many policies of similar rating a newcomer is paired with."""


def next_matches(
    snapshots: Sequence[Snapshot],
    ledger: Ledger,
    ratings: Mapping[PolicyId, Rating],
    budget_games: int,
    games_per_match: int,
    posts: Sequence[Post],
    rng: np.random.Generator,
) -> tuple[tuple[PolicyId, ...], ...]:
    """The matches to play next, most urgent first, each as policies in the order of `posts`.

    snapshots: the roster, oldest first, with its anchors. ratings: Bradley-Terry (mean score in one-sided games).
    At most `budget_games // games_per_match` matches; fewer if no opponents are left.

    With several sides: (1) the anchors once among themselves, which gives them a common scale and, if roles differ,
    measures the advantage of the seats; (2) each newcomer (no rated game yet) meets the anchors, then its parent, the
    best, and its nearest neighbours, all newcomers one step at a time, which connects each even on a small budget; (3)
    by expected information. Posts that a pair leaves open are filled with random play beside an anchor, else with
    random companions of the role, the same on both sides. With one side: newcomers first, those of one round together,
    then the widest intervals. Raises RatingError where a post's role has no snapshot.
    """
    matches = budget_games // games_per_match
    for post in posts:
        if not any(snapshot.role == post.role for snapshot in snapshots):
            raise RatingError(f"no policy in the roster plays the role '{post.role}' that side {post.side} needs")
    played = set(ledger.ids)
    if len({post.side for post in posts}) == 1:
        return _one_sided(snapshots, played, ratings, matches, games_per_match, posts)
    pairing = _Pairing(snapshots, ledger, ratings, games_per_match, posts, rng)
    lineups: list[tuple[PolicyId, ...]] = []
    for x, y in pairing.connecting_pairs([i for i, snapshot in enumerate(snapshots) if snapshot.id not in played]):
        if len(lineups) < matches:
            lineups.append(pairing.play(x, y))
    while len(lineups) < matches and (pair := pairing.most_informative_pair()):
        lineups.append(pairing.play(*pair))
    return tuple(lineups)


class _Pairing:
    """The expected information of each pair while matches are chosen: every match chosen counts as played.

    Snapshots are given by their index in the roster, N of them.
    """

    def __init__(
        self,
        snapshots: Sequence[Snapshot],
        ledger: Ledger,
        ratings: Mapping[PolicyId, Rating],
        games: int,
        posts: Sequence[Post],
        rng: np.random.Generator,
    ) -> None:
        self._snapshots, self._ratings, self._games, self._posts, self._rng = snapshots, ratings, games, posts, rng
        self._place = {snapshot.id: i for i, snapshot in enumerate(snapshots)}
        self._anchor = np.array([snapshot.origin == "anchor" for snapshot in snapshots])
        self._zero = np.array([snapshot.zero for snapshot in snapshots])
        roles = sorted({snapshot.role for snapshot in snapshots})
        opposed = {(p.role, q.role) for p in posts for q in posts if p.side != q.side}
        facing = np.array([[(r, s) in opposed for s in roles] for r in roles])
        role = np.array([roles.index(snapshot.role) for snapshot in snapshots])
        self._can_meet = facing[np.ix_(role, role)] & ~np.eye(len(snapshots), dtype=bool)
        self._met = self._pairs_that_met(ledger)
        self._strength = np.array([self._expected_rating(snapshot) for snapshot in snapshots]) / POINTS
        self._variance = np.array([self._strength_variance(snapshot) for snapshot in snapshots])
        # tanh does not overflow, and p (1 - p) is all that is needed of the logistic function.
        self._outcome_variance = (1.0 - np.tanh((self._strength[:, None] - self._strength) / 2.0) ** 2) / 4.0
        self._expected_gain = self._information_gain(slice(None))

    def connecting_pairs(self, newcomers: Sequence[int]) -> Iterator[tuple[int, int]]:
        """The pairs that connect anchors and newcomers to the roster, most urgent first."""
        for x, y in combinations(np.flatnonzero(self._anchor).tolist(), 2):
            if self._can_meet[x, y] and not self._met[x, y]:
                yield x, y
        chosen: set[tuple[int, int]] = set()
        links = [(x, self._connections(x)) for x in newcomers if not self._anchor[x]]
        for step in range(max((len(others) for _, others in links), default=0)):
            for x, others in links:
                if step < len(others) and (others[step], x) not in chosen:
                    chosen.add((x, others[step]))
                    yield x, others[step]

    def most_informative_pair(self) -> tuple[int, int] | None:
        """The pair with the highest expected information; None if no pair can play."""
        top = self._expected_gain.max()
        if not np.isfinite(top):
            return None
        equals = np.argwhere(self._expected_gain >= top - 1e-12)
        x, y = equals[self._rng.integers(len(equals))].tolist()
        return x, y

    def play(self, x: int, y: int) -> tuple[PolicyId, ...]:
        """A lineup with `x` against `y`, which counts as played from now on."""
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
        lineup = tuple(seated[k] for k in range(len(posts)))
        self._assume_played(lineup)
        return tuple(snapshots[k].id for k in lineup)

    def _connections(self, x: int) -> list[int]:
        """The opponents of a newcomer, in order: anchors, parent, best, policies of similar rating."""
        snapshot, meets = self._snapshots[x], np.flatnonzero(self._can_meet[x]).tolist()
        anchors = [k for k in meets if self._anchor[k]]
        parent = [self._place[p] for p in (snapshot.parent,) if p is not None and p in self._place]
        bests = [self._place[p] for p in best_ids(self._snapshots, self._ratings).values()]
        near = sorted(
            (k for k in meets if not self._anchor[k] and self._snapshots[k].id in self._ratings),
            key=lambda k: (abs(self._strength[k] - self._strength[x]), k),
        )
        wishes = [*anchors, *parent, *bests]
        fresh = [k for k in near if k not in wishes]
        return [k for k in dict.fromkeys([*wishes, *fresh[:NEIGHBOURS]]) if self._can_meet[x, k]]

    def _companion(self, role: str, with_anchor: bool, taken: set[int]) -> int:
        """A policy for an open post, unseated if possible: random play if `with_anchor`, else any snapshot."""
        able = [i for i, snapshot in enumerate(self._snapshots) if snapshot.role == role]
        able = [i for i in able if (self._zero[i] if with_anchor else not self._anchor[i])] or able
        able = [i for i in able if i not in taken] or able
        return int(self._rng.choice(able))

    def _assume_played(self, lineup: Sequence[int]) -> None:
        """Update variances and expected gains as if the match had been played."""
        sides: dict[int, list[int]] = {}
        for post, who in zip(self._posts, lineup, strict=True):
            sides.setdefault(post.side, []).append(who)
        information = dict.fromkeys(lineup, 0.0)
        for one, other in combinations(sides.values(), 2):
            for a in one:
                for b in other:
                    self._met[a, b] = self._met[b, a] = True
                    if a != b:
                        information[a] += self._outcome_variance[a, b]
                        information[b] += self._outcome_variance[a, b]
        for who, gained in information.items():
            self._variance[who] /= 1.0 + self._games * gained * self._variance[who]
        rows = sorted(information)
        self._expected_gain[rows] = self._information_gain(rows)
        self._expected_gain[:, rows] = self._expected_gain[rows].T

    def _information_gain(self, rows: list[int] | slice) -> Floats:
        """`[rows, N]` expected gain in information of a match, in nats; minus infinity where two cannot meet.

        Half the growth of the log-determinant of the Fisher information (D-optimal design; Chaloner and Verdinelli
        1995, "Bayesian Experimental Design"), with both strengths independent: ½ log(1 + n p(1-p) (var a + var b)).
        """
        variance = self._variance[rows, None] + self._variance
        gain = 0.5 * np.log1p(self._games * self._outcome_variance[rows] * variance) + NOVELTY_BONUS * ~self._met[rows]
        pointless = ~self._can_meet[rows] | (self._anchor[rows, None] & self._anchor)
        return np.where(pointless, -np.inf, gain)

    def _pairs_that_met(self, ledger: Ledger) -> NDArray[np.bool_]:
        """`[N, N]` who has met whom, on whichever sides; policies of the ledger that are not here are passed over."""
        here = [(number, self._place[policy]) for number, policy in enumerate(ledger.ids) if policy in self._place]
        numbers, places = np.array(here, dtype=np.int64).reshape(-1, 2).T
        met = np.zeros((len(self._place), len(self._place)), dtype=bool)
        met[np.ix_(places, places)] = ledger.played_together()[np.ix_(numbers, numbers)]
        return met

    def _expected_rating(self, snapshot: Snapshot) -> float:
        """Its rating in Elo points, else its parent's, else the mean of its role's."""
        for policy in (snapshot.id, snapshot.parent):
            if policy is not None and policy in self._ratings:
                return self._ratings[policy].value
        known = [
            self._ratings[s.id].value
            for s in self._snapshots
            if s.role == snapshot.role and s.origin != "anchor" and s.id in self._ratings
        ]
        return float(np.mean(known)) if known else 0.0

    def _strength_variance(self, snapshot: Snapshot) -> float:
        """Variance of its strength in squared log-odds, from its interval; random play's is 0, by definition."""
        if snapshot.zero:
            return 0.0
        rating = self._ratings.get(snapshot.id)
        return (
            PRIOR_VARIANCE
            if rating is None
            else min(PRIOR_VARIANCE, ((rating.high - rating.low) / (2.0 * Z95 * POINTS)) ** 2)
        )


def _one_sided(
    snapshots: Sequence[Snapshot],
    played: set[PolicyId],
    ratings: Mapping[PolicyId, Rating],
    matches: int,
    games: int,
    posts: Sequence[Post],
) -> tuple[tuple[PolicyId, ...], ...]:
    """Lineups of one side: newcomers in order, then each time that of the policy with the widest interval."""
    lineups = list(
        dict.fromkeys(_lineup_of_contemporaries(s, snapshots, posts) for s in snapshots if s.id not in played)
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
    return tuple(lineups)


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
