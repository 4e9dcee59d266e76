"""`league rate --until ±X`: rated games until every 95 % interval is small enough, where the widest are.

What is played next is a function of the ledger, the run's seed and the arguments, and is committed as one step. So a
call that is stopped loses at most a step, and the next call plays what this one would have played.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite

import numpy as np

from league.errors import ConfigError
from league.events import Tick, part
from league.games.counter_rng import fold
from league.play.fixture import Fixture
from league.policies.names import is_scripted
from league.rating.core import META_GAMES
from league.rating.standings import FIELD, REFERENCE
from league.records import PolicyId, Rating, Snapshot
from league.studies.rate_guests import LEAST
from league.studies.rated_games import RatedGames
from league.studies.stepwise import STEP

MOST_GAMES = 100_000
"""The most games that are played unless another limit is given."""

FIRST = 64
"""Games of a policy that has none, until its interval tells how many it needs."""

_SEED = 32
"""What the seeds of these games are drawn for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What has to be reached. half: of the interval's width. by: the rating system whose intervals are meant."""

    half: float
    by: str


@dataclass(frozen=True, slots=True)
class Wide:
    """A policy whose interval is wider than the target. needed: games that it still lacks, about."""

    snapshot: Snapshot
    half: float
    needed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended. games: that were played. wide: who is still wider than the target, the widest first.

    out_of_reach: whether each of these would need more games than the limit; otherwise the limit ended it.
    absent: who is wider, too, but could not play, because the run has no copy of it.
    """

    target: Target
    games: int
    limit: int
    wide: tuple[Wide, ...]
    out_of_reach: bool
    absent: tuple[Wide, ...]


def target_of(games: RatedGames, half: float, by: str | None) -> Target:
    """The intervals that `half` is about: below 1, those of the score against the field; else those of the rating.

    by: the rating system; None is the one that the run shows. One-sided games have the mean score only. Raises
    ConfigError for a rating without intervals.
    """
    ratings = games.roster.ratings
    if ratings.one_sided or half < 1:
        return Target(half=half, by=FIELD)
    name = by or ratings.shown
    if name in META_GAMES:
        raise ConfigError(f"--until needs intervals, and '{name}' has none: use --by melo, or a score such as 0.02")
    ratings.by(name)
    return Target(half=half, by=name)


def rate_until(games: RatedGames, target: Target, limit: int, tick: Tick) -> Ended:
    """Play until every interval's half-width is at most the target's, or `limit` games are played.

    Policies that would need more games than the limit are left as they are: where one loses every game, its interval
    hardly shrinks."""
    played = 0
    while True:
        able = [one for one in games.roster.entrants.everyone if _can_play(games, one)]
        wide = _wide(games, target, able)
        todo = [one for one in wide if one.needed <= limit]
        if not todo or played >= limit:
            others = [one for one in games.roster.entrants.everyone if not _can_play(games, one)]
            return Ended(
                target=target,
                games=played,
                limit=limit,
                wide=tuple(wide),
                out_of_reach=not todo,
                absent=tuple(_wide(games, target, others)),
            )
        step = _step(games, target, todo, limit - played)
        size = sum(fixture.games for fixture in step)
        left = max(min(sum(one.needed for one in todo), limit - played), size)
        games.play(step, part(tick, played / (played + left), size / (played + left)))
        played += size


def _wide(games: RatedGames, target: Target, among: Sequence[Snapshot]) -> list[Wide]:
    """Who has a wider interval than the target, the widest first."""
    rated = games.roster.ratings.by(target.by)
    found = []
    for one in among:
        if one.zero and target.by != FIELD:
            continue  # random play is 0 by definition
        half = _half(rated, one.id)
        if half > target.half:
            so_far = rated[one.id].games if one.id in rated else 0
            needed = so_far * ((half / target.half) ** 2 - 1.0) if isfinite(half) and so_far else FIRST
            found.append(Wide(one, half, needed))
    return sorted(found, key=lambda one: (-one.half, one.snapshot.id))


def _can_play(games: RatedGames, one: Snapshot) -> bool:
    """Whether it is a snapshot, random play, a scripted anchor, or a guest that is here.

    Other anchors are the user's own code, which is loaded only where the user names it.
    """
    return one.origin != "anchor" or one.id in games.guests or (not one.guest and is_scripted(one.text))


def _step(games: RatedGames, target: Target, todo: Sequence[Wide], most: int) -> list[Fixture]:
    """The next step, at most about `most` games: for the widest first, at most as many games as each has had."""
    last, step, cost, size = games.store.last_match(), list[Fixture](), 0, 0
    rated = games.roster.ratings.by(target.by)
    for place, one in enumerate(todo):
        had = rated[one.snapshot.id].games if one.snapshot.id in rated else 0
        count = min(max(ceil(one.needed), LEAST), max(had, FIRST), most - size)
        for fixture in _games_of(games, target, one.snapshot, count, fold(games.config.seed, _SEED, last, place)):
            spent = games.stepwise.cost(fixture, games.policies([fixture]))
            if step and cost + spent > STEP:
                return step
            step.append(fixture)
            cost, size = cost + spent, size + fixture.games
        if size >= most:
            break
    return step


def _games_of(games: RatedGames, target: Target, one: Snapshot, count: int, seed: int) -> list[Fixture]:
    """`count` games of a policy where they tell most about its interval.

    The reference is a distance to random play, which is told by games against it; every other interval by games
    against many.
    """
    field = [other for other in games.field(one.role) if other.id != one.id]
    if not field:
        return games.meeting(one, None, count, seed)
    zeros = [other for other in field if other.zero]
    if target.by == REFERENCE and zeros:
        field = zeros
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(field))[: max(count // LEAST, 1)].tolist()
    share = -(-count // len(drawn))
    return [fixture for place in drawn for fixture in games.meeting(one, field[place], share, fold(seed, place))]


def _half(rated: Mapping[PolicyId, Rating], id: PolicyId) -> float:
    """Half of the interval's width; infinite without a rating."""
    return (rated[id].high - rated[id].low) / 2.0 if id in rated else inf
