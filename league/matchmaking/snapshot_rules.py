"""Snapshot rules: when a learner is frozen as a snapshot, and which of its snapshots stay opponents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import log1p

from league.records import LeagueView, PolicyId, Snapshot

_LEFT = 2 / 3
"""The share of the most snapshots that an eviction leaves. It evicts many at a time, so that it is rare: the shape of
the payoff model is chosen again after each."""

_RECENT = 4
"""One in so many of those is one of the newest: opponents that are about as strong as the learner."""

FEWEST_LEFT = 4
"""The smallest limit: the first, the newest, the best and one between them."""


def interval_is_over(number: int, last: int, every: int, growth: float) -> bool:
    """Whether snapshots are due in a round by the interval. last: the round of the last ones; 0: the untrained ones.

    every: rounds between snapshots at first. growth: the least interval, as a share of all rounds so far. So a run
    whose age doubles adds about ln(2) / growth snapshots of a learner, whatever its age is.
    """
    return number - last >= max(every, growth * number)


def frozen_by_win_rate(view: LeagueView, gate: float, timeout: int, every: int, growth: float) -> tuple[str, ...]:
    """The learners that are frozen at the end of a round: those of every table whose gate is open.

    A table's win rate is that of all games since its last snapshot in which it met a snapshot of the pool; one drawn
    game is added, and there is none in games with one side. It has to be above `gate`, unless `timeout` rounds have
    passed. Either way the interval of `every` and `growth` has to be over (`interval_is_over`).
    """
    pool = {snapshot.id: snapshot.round for snapshot in view.snapshots}
    last: dict[int, int] = {}
    for learner in view.learners:
        last[learner.table] = max(last.get(learner.table, 0), pool[learner.latest])
    due = [
        table
        for table, number in last.items()
        if gate_is_open(
            strong=_win_rate(view, table, number, pool) > gate,
            least=interval_is_over(view.round, number, every, growth),
            most=view.round - number >= timeout,
        )
    ]
    return tuple(learner.name for learner in view.learners if learner.table in due)


def _win_rate(view: LeagueView, table: int, after: int, pool: Collection[PolicyId]) -> float:
    """A table's win rate against a pool after a round, but not from before a learner was copied over or reset."""
    since = {one.name: max(after + 1, one.exploited) for one in view.learners if one.table == table}
    games, won = 1.0, 0.5
    if len({post.side for post in view.posts}) > 1:
        for row in reversed(view.training):
            if row.round <= after:
                break
            met = row.opponent.split("+")
            if row.round >= since.get(row.learner, view.round) and any(policy in pool for policy in met):
                games, won = games + row.episodes, won + row.episodes * row.score
    return won / games


def gate_is_open(strong: bool, least: bool, most: bool) -> bool:
    """Whether a learner is frozen by its win rate (Vinyals et al. 2019).

    strong: its win rate is above the gate. least, most: it has trained for as long as it has to be, and may be, between
    two snapshots.
    """
    return least and (strong or most)


def evictions(snapshots: Sequence[Snapshot], most: int, kept: Collection[PolicyId] = ()) -> list[PolicyId]:
    """The snapshots that a learner's limit evicts, in the order in which they go; none as long as there are `most`.

    snapshots: those of the learner that were not evicted before, oldest first. most: at least `FEWEST_LEFT`. kept: one
    of them at most, which is never evicted; nor are the first, from which a learner may start again, and the newest.

    Two thirds of `most` are left. Each time the one goes whose neighbours, without it, are the least apart in the
    logarithm of time. So those that are left are spread evenly over it, as far as there were any.
    """
    if len(snapshots) <= most:
        return []
    left, count, gone = list(snapshots), int(_LEFT * most), list[PolicyId]()
    recent = max(count // _RECENT, 1)
    while len(left) > count:
        may_go = [k for k in range(1, len(left) - recent) if left[k].id not in kept]
        if not may_go:
            break
        # Of equal gaps the older one's is closed.
        closest = min(may_go, key=lambda k: log1p(left[k + 1].round) - log1p(left[k - 1].round))
        gone.append(left.pop(closest).id)
    return gone
