"""A run that is open for rated games outside its rounds, and the meetings that are possible in it.

The rounds of `league run` choose their own matches (`run.pairing`); the games here are asked for by `league rate`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from league.config.load import from_dict
from league.events import Tick
from league.games.core import Game
from league.games.registry import make
from league.play.fixture import Fixture, compares_same_role, fixtures, rated_posts
from league.policies.core import Policy
from league.records import PolicyId, Post, Snapshot
from league.run import code
from league.run.folders import require_run
from league.run.pairing import draw_others
from league.run.roster.lookup import open_roster
from league.storage.store import Store
from league.studies.stepwise import Stepwise
from league.threads import usable_cores


class RatedGames:
    """A run that is open for rated games; must be closed. guests: the policies of guests that may play, by id.

    round: the last one, in which the games are filed.
    """

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder)
        try:
            require_run(self.store)
            code.own_game(self.store)
            code.require_unchanged(self.store, code.changes(code.kept(self.store)))
            self.config = from_dict(self.store.config())
            self.stepwise = Stepwise(self._make)
            self.roster = open_roster(self.store, self.stepwise.spec)
            last = self.store.last_round()
        except BaseException:
            self.store.close()
            raise
        self.spec, self.round = self.roster.spec, last.round if last else 0
        self.guests: dict[PolicyId, Policy] = {}

    def __enter__(self) -> RatedGames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stepwise.close()
        self.store.close()

    def policies(self, step: Sequence[Fixture]) -> dict[PolicyId, Policy]:
        """The policies that play the fixtures: guests, snapshots and anchors."""
        names = sorted({name for fixture in step for episode in fixture.episodes for name in episode})
        return {name: self.guests[name] if name in self.guests else self.roster.policy(name) for name in names}

    def play(self, step: Sequence[Fixture], tick: Tick) -> None:
        """Play fixtures and commit their results, all or none, with the ratings that follow from them."""
        played = self.stepwise.play(step, self.policies(step), tick)
        results = [replace(result, round=self.round) for result in played]
        self.roster.ratings.add(results)
        with self.store.transaction():
            self.store.put_results(results)
            self.roster.ratings.cache(self.store)

    def add_guest(self, record: Snapshot) -> None:
        """Add a guest to the run's entrants."""
        self.store.put_snapshot(record, time.time())
        self.roster.entrants.added.append(record)

    def field(self, role: str) -> list[Snapshot]:
        """Whom a policy of `role` can meet: random play, then the pool, oldest first; nobody in one-sided games."""
        entrants = self.roster.entrants
        everyone = [*(anchor for anchor in entrants.anchors if anchor.zero), *entrants.pool]
        return [one for one in everyone if self._seatings(role, one.role)]

    def meeting(self, one: Snapshot, other: Snapshot | None, games: int, seed: int) -> list[Fixture]:
        """At least `games` rated games of `one` against `other`; alone in one-sided games, where `other` is None.

        All other posts are held by snapshots that the seed draws, team-mates alike on both sides.
        """
        rng, posts = np.random.default_rng(seed), rated_posts(self.spec, one.role)
        seated = {next(k for k, post in enumerate(posts) if post.role == one.role): one.id}
        if other is not None:
            seatings = self._seatings(one.role, other.role)
            mine, theirs = seatings[int(rng.integers(len(seatings)))]
            seated = {mine: one.id, theirs: other.id}
        facing, mates = {posts[place].side for place in seated}, dict[str, PolicyId]()
        lineup = []
        for place, post in enumerate(posts):
            if place in seated:
                lineup.append(seated[place])
            elif post.side not in facing:
                lineup.append(self._drawn(post, rng))
            else:
                if post.role not in mates:
                    mates[post.role] = self._drawn(post, rng)
                lineup.append(mates[post.role])
        others = draw_others(self.roster, one.role, rng) if compares_same_role(self.spec) else ()
        return fixtures(self.spec, lineup, games, seed, others)

    def _make(self, slots: int) -> Game:
        game = self.config.game
        # One slot needs no worker processes, and native games never need any.
        return make(game.id, slots, "cpu", game.make_options, usable_cores() if slots > 1 else 0)

    def _seatings(self, role: str, against: str) -> list[tuple[int, int]]:
        """The posts, on different sides, at which policies of two roles can meet."""
        posts = list(enumerate(rated_posts(self.spec, role)))
        return [(i, j) for i, p in posts for j, q in posts if p.side != q.side and (p.role, q.role) == (role, against)]

    def _drawn(self, post: Post, rng: np.random.Generator) -> PolicyId:
        """A snapshot for a post that the meeting leaves open."""
        pool = [one.id for one in self.roster.entrants.pool if one.role == post.role]
        return pool[int(rng.integers(len(pool)))]
