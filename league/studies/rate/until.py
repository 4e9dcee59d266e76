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
from league.rating.core import META_GAMES, POINTS, Z95
from league.rating.standings import FIELD, REFERENCE
from league.records import PolicyId, Rating, Snapshot
from league.run.roster.ratings import COMPARED
from league.studies.rate.games import RatedGames
from league.studies.rate.guests import LEAST
from league.studies.stepwise import STEP

MOST_GAMES = 100_000
"""The most games that are played unless another limit is given."""

FIRST = 64
"""Games of a policy that has none, until its interval tells how many it needs."""

_LEAST_SPREAD = 1e-4
"""The smallest variance of a result that is assumed."""

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
    hardly shrinks.
    """
    played = 0
    while True:
        able = [one for one in games.roster.entrants.contenders if _can_play(games, one)]
        wide = _wide(games, target, able)
        todo = [one for one in wide if one.needed <= limit]
        if not todo or played >= limit:
            others = [one for one in games.roster.entrants.contenders if not _can_play(games, one)]
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
    rated, spread = games.roster.ratings.by(target.by), _spreads(games, target)
    found = []
    for one in among:
        if one.zero and target.by != FIELD:
            continue  # random play is 0 by definition
        half = _half(rated, one.id)
        if half > target.half:
            found.append(
                Wide(
                    one,
                    half,
                    missing_games(target, half, rated[one.id].games, spread.get(one.id)) if isfinite(half) else FIRST,
                )
            )
    return sorted(found, key=lambda one: (-one.half, one.snapshot.id))


def missing_games(target: Target, half: float, so_far: int, spread: float | None) -> float:
    """About how many more games narrow an interval from `half` to the target.

    spread: the variance of the result of a game that it would play. None where that is not known: then an interval is
    taken to narrow with the root of all games `so_far`.
    """
    if spread is None:
        return max(so_far, FIRST) * ((half / target.half) ** 2 - 1.0)
    missing = Z95**2 * (1.0 / target.half**2 - 1.0 / half**2)
    # n games tell a mean result to a variance of spread / n, and its log-odds to one of 1 / (n spread).
    return missing * spread if target.by == FIELD else missing * POINTS**2 / spread


def _spreads(games: RatedGames, target: Target) -> dict[PolicyId, float]:
    """The predicted variance of the result of a game that a policy would play for the target, by policy.

    Empty where ratings are no Elo points. A policy that loses nearly every game has hardly any.
    """
    payoff = games.roster.ratings.payoff
    if payoff is None or target.by not in (*COMPARED, FIELD):
        return {}
    score, place = payoff.model.scores(), {policy: number for number, policy in enumerate(payoff.ids)}
    found = {}
    for one in games.roster.entrants.contenders:
        others = [place[other.id] for other in _opponents(games, target, one) if other.id in place]
        if one.id in place and others:
            results = score[place[one.id], others]
            found[one.id] = float(np.maximum(results * (1.0 - results), _LEAST_SPREAD).mean())
    return found


def _opponents(games: RatedGames, target: Target, one: Snapshot) -> list[Snapshot]:
    """Who tells most about a policy's interval; nobody in one-sided games.

    The reference is a distance to random play, which is told by games against it; every other interval by games
    against many.
    """
    field = [other for other in games.field(one.role) if other.id != one.id]
    zeros = [other for other in field if other.zero]
    return zeros if target.by == REFERENCE and zeros else field


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
    """`count` games of a policy where they tell most about its interval."""
    field = _opponents(games, target, one)
    if not field:
        return games.meeting(one, None, count, seed)
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(field))[: max(count // LEAST, 1)].tolist()
    share = -(-count // len(drawn))
    return [fixture for place in drawn for fixture in games.meeting(one, field[place], share, fold(seed, place))]


def _half(rated: Mapping[PolicyId, Rating], id: PolicyId) -> float:
    """Half of the interval's width; infinite without a rating."""
    return (rated[id].high - rated[id].low) / 2.0 if id in rated else inf
