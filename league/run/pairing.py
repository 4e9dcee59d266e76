"""Which rated matches are played next: the rating room's wishes, as fixtures of the game at hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from league.config.sections import RatingConfig
from league.play.fixture import Fixture, compared, fixtures, rated_posts
from league.records import PolicyId, Snapshot
from league.run.roster import Roster


def fixtures_for(settings: RatingConfig, roster: Roster, taken: Sequence[Snapshot], seed: int) -> list[Fixture]:
    """Fixtures for a round in which the snapshots `taken` joined; none where there are none. Pure in its arguments."""
    from league.rating.schedule import wanted

    if not taken:
        return []
    spec, rng = roster.spec, np.random.default_rng(seed)
    everyone = [*roster.entrants.active, *roster.entrants.snapshots]
    games, rated = settings.games_per_match, set(roster.ratings.ledger.ids)
    found: list[Fixture] = []
    apart = compared(spec)
    for role in spec.roles if apart else spec.roles[:1]:
        pool = [snapshot for snapshot in everyone if not apart or snapshot.role == role.name]
        newcomers = [snapshot for snapshot in taken if not apart or snapshot.role == role.name]
        unknown = [one for one in pool if one.id not in rated]
        # Whoever wants more anchors does not want to know less of the snapshots among themselves.
        extra = sum(not one.zero for one in unknown) * sum(one.origin == "anchor" and not one.zero for one in pool)
        # One match at least for each who has none: else newcomers wait behind those of the run's first round for ever.
        budget = max(settings.matches_per_snapshot * len(newcomers) + extra, len(unknown)) * games
        posts = rated_posts(spec, role.name)
        for lineup in wanted(pool, roster.ratings.ledger, roster.ratings.reference, budget, games, posts, rng):
            others = draw_others(roster, role.name, rng) if apart else ()
            found += fixtures(spec, lineup, games, seed + 1000 * len(found), others)
    return found


def draw_others(roster: Roster, role: str, rng: np.random.Generator) -> tuple[PolicyId, ...]:
    """By post: "" for the posts of `role`, a snapshot drawn from the whole roster of its role for each other post.

    Drawn anew for every match, so that a rating is strength against the history of the others, not against one. Of
    the anchors random play alone is drawn: it is where that history began.
    """
    held = []
    for post in roster.spec.posts:
        history = [*(anchor for anchor in roster.entrants.anchors if anchor.zero), *roster.entrants.snapshots]
        pool = [snapshot.id for snapshot in history if snapshot.role == post.role]
        held.append("" if post.role == role else pool[int(rng.integers(len(pool)))])
    return tuple(held)
