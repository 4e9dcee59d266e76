"""Pairing: the rated matches to play next, as fixtures of the run's game."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from league.config.sections import RatingConfig
from league.play.fixture import Fixture, compares_same_role, fixtures, rated_posts
from league.rating.prediction.forecast import forecast
from league.rating.schedule import FEWEST_OPPONENTS, RatedMatch, next_matches, next_one_sided
from league.rating.standings import best_ids
from league.records import PolicyId, Post, Snapshot
from league.run.roster.roster import Roster

_BESIDE = 4
"""Games that two compared policies play beside the same others."""


def fixtures_for(
    settings: RatingConfig, roster: Roster, taken: Sequence[Snapshot], seed: int, games: float = 0.0
) -> list[Fixture]:
    """Fixtures for a round in which the snapshots `taken` joined; empty without any. Deterministic in its arguments.

    games: rated games that `rating.share` allows, unless `rating.matches_per_snapshot` is set.
    """
    if not taken:
        return []
    spec, rng = roster.spec, np.random.default_rng(seed)
    everyone = [*roster.entrants.active, *roster.entrants.pool]
    each, found = settings.games_per_match, list[Fixture]()
    apart = compares_same_role(spec)
    for role in spec.roles if apart else spec.roles[:1]:
        pool = [snapshot for snapshot in everyone if not apart or snapshot.role == role.name]
        newcomers = [snapshot for snapshot in taken if not apart or snapshot.role == role.name]
        matches = _fewest(settings, roster, pool, len(newcomers))
        if settings.matches_per_snapshot is None:
            matches = max(matches, int(games / each / (len(spec.roles) if apart else 1)))
        for lineup, count in _chosen(roster, pool, matches, each, rated_posts(spec, role.name), rng):
            # Policies that are compared beside others are compared beside many.
            for share in [_BESIDE] * max(count // _BESIDE, 1) if apart else [count]:
                others = draw_others(roster, role.name, rng) if apart else ()
                found += fixtures(spec, lineup, share, seed + 1000 * len(found), others)
    return found


def _fewest(settings: RatingConfig, roster: Roster, pool: Sequence[Snapshot], newcomers: int) -> int:
    """The fewest matches of a round. pool: who can be matched."""
    rated = set(roster.ratings.current.ids)
    unknown = [one for one in pool if one.id not in rated]
    # Matches with added anchors come on top, so that they take no games from matches between snapshots.
    extra = sum(not one.zero for one in unknown) * sum(one.origin == "anchor" and not one.zero for one in pool)
    # At least one match for each unrated policy: otherwise newcomers could wait forever behind earlier ones.
    fewest = 1 if len(roster.spec.sides) == 1 else FEWEST_OPPONENTS
    return max((settings.matches_per_snapshot or fewest) * newcomers + extra, len(unknown))


def _chosen(
    roster: Roster, pool: Sequence[Snapshot], matches: int, games: int, posts: Sequence[Post], rng: np.random.Generator
) -> tuple[RatedMatch, ...]:
    """The matches chosen by the schedule. games: of each."""
    ratings = roster.ratings
    if len({post.side for post in posts}) == 1:
        return next_one_sided(pool, ratings.reference, matches, games, posts)
    leaders = best_ids(roster.entrants.pool, ratings.best).values()
    known = forecast(pool, ratings.payoff)
    return next_matches(pool, known, matches, games, posts, rng, {one.id for one in pool} & set(leaders))


def draw_others(roster: Roster, role: str, rng: np.random.Generator) -> tuple[PolicyId, ...]:
    """The policies of the other roles in a match that compares two policies of `role`: by post, "" for posts of `role`.

    They are drawn for every match from the pool of the post's role, so that a rating measures strength against the
    whole history of the other roles. Random play, the start of that history, is the only anchor among them.
    """
    held = []
    for post in roster.spec.posts:
        history = [*(anchor for anchor in roster.entrants.anchors if anchor.zero), *roster.entrants.pool]
        pool = [snapshot.id for snapshot in history if snapshot.role == post.role]
        held.append("" if post.role == role else pool[int(rng.integers(len(pool)))])
    return tuple(held)
