"""Pairing: the rated matches to play next, as fixtures of the run's game."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from league.config.sections import RatingConfig
from league.play.fixture import Fixture, compares_same_role, fixtures, rated_posts
from league.rating.schedule import next_matches
from league.records import PolicyId, Snapshot
from league.run.roster.roster import Roster


def fixtures_for(settings: RatingConfig, roster: Roster, taken: Sequence[Snapshot], seed: int) -> list[Fixture]:
    """Fixtures for a round in which the snapshots `taken` joined; empty without any. Deterministic in its arguments."""
    if not taken:
        return []
    spec, rng = roster.spec, np.random.default_rng(seed)
    everyone = [*roster.entrants.active, *roster.entrants.snapshots]
    games, rated = settings.games_per_match, set(roster.ratings.ledger.ids)
    found: list[Fixture] = []
    apart = compares_same_role(spec)
    for role in spec.roles if apart else spec.roles[:1]:
        pool = [snapshot for snapshot in everyone if not apart or snapshot.role == role.name]
        newcomers = [snapshot for snapshot in taken if not apart or snapshot.role == role.name]
        unknown = [one for one in pool if one.id not in rated]
        # Matches with added anchors come on top, so that they take no games from matches between snapshots.
        extra = sum(not one.zero for one in unknown) * sum(one.origin == "anchor" and not one.zero for one in pool)
        # At least one match for each unrated policy: otherwise newcomers could wait forever behind earlier ones.
        budget = max(settings.matches_per_snapshot * len(newcomers) + extra, len(unknown)) * games
        posts = rated_posts(spec, role.name)
        for lineup in next_matches(
            pool,
            roster.ratings.ledger,
            roster.ratings.reference,
            budget_games=budget,
            games_per_match=games,
            posts=posts,
            rng=rng,
        ):
            others = draw_others(roster, role.name, rng) if apart else ()
            found += fixtures(spec, lineup, games, seed + 1000 * len(found), others)
    return found


def draw_others(roster: Roster, role: str, rng: np.random.Generator) -> tuple[PolicyId, ...]:
    """The policies of the other roles in a match that compares two policies of `role`: by post, "" for posts of `role`.

    They are drawn for every match from all snapshots of the post's role, so that a rating measures strength against the
    whole history of the other roles. Random play, the start of that history, is the only anchor among them.
    """
    held = []
    for post in roster.spec.posts:
        history = [*(anchor for anchor in roster.entrants.anchors if anchor.zero), *roster.entrants.snapshots]
        pool = [snapshot.id for snapshot in history if snapshot.role == post.role]
        held.append("" if post.role == role else pool[int(rng.integers(len(pool)))])
    return tuple(held)
