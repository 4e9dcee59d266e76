"""Which rated matches are played next: the rating room's wishes, as fixtures of the game at hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from league.config import RatingConfig
from league.play.fixture import Fixture, compared, fixtures, rated_posts
from league.records import PolicyId, Snapshot
from league.run.roster import Roster


def fixtures_for(settings: RatingConfig, roster: Roster, taken: Sequence[Snapshot], seed: int) -> list[Fixture]:
    """Fixtures for a round in which the snapshots `taken` joined; none where there are none. Pure in its arguments."""
    from league.rating.schedule import wanted

    if not taken:
        return []
    spec, rng = roster.spec, np.random.default_rng(seed)
    everyone = [*roster.anchors, *roster.snapshots]
    games = settings.games_per_match
    found: list[Fixture] = []
    apart = compared(spec)
    for role in spec.roles if apart else spec.roles[:1]:
        pool = [snapshot for snapshot in everyone if not apart or snapshot.role == role.name]
        newcomers = [snapshot for snapshot in taken if not apart or snapshot.role == role.name]
        budget = settings.matches_per_snapshot * games * len(newcomers)
        posts = rated_posts(spec, role.name)
        for lineup in wanted(pool, roster.ledger, roster.ratings, budget, games, posts, rng):
            others = draw_others(roster, role.name, rng) if apart else ()
            found += fixtures(spec, lineup, games, seed + 1000 * len(found), others)
    return found


def draw_others(roster: Roster, role: str, rng: np.random.Generator) -> tuple[PolicyId, ...]:
    """By post: "" for the posts of `role`, a snapshot drawn from the whole roster of its role for each other post.

    Drawn anew for every match, so that a rating is strength against the history of the others, not against one.
    """
    held = []
    for post in roster.spec.posts:
        pool = [snapshot.id for snapshot in (*roster.anchors, *roster.snapshots) if snapshot.role == post.role]
        held.append("" if post.role == role else pool[int(rng.integers(len(pool)))])
    return tuple(held)
