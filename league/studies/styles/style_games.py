"""The games of `league styles`: every policy with itself, and all policies among each other.

Letters in shapes: N policies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from league.events import Tick
from league.games.core import Game, GameSpec, RoleSpec
from league.games.counter_rng import fold
from league.matchmaking.posts import by_seat
from league.play.fixture import Fixture
from league.play.match import play_episodes
from league.policies.core import Policy
from league.records import PolicyId, Post
from league.run.roster.lookup import Found
from league.run.roster.roster import Roster
from league.studies.contest import Contestant, games_for, stand_ins
from league.studies.repetition import repetition
from league.studies.styles.openings import FirstMoves
from league.studies.styles.questions import Questions

_SLOTS = 1024
"""The most games side by side: for each of them every policy has a memory and an answer."""


@dataclass(frozen=True, slots=True)
class StyleGames:
    """Policies of one role and where they sit.

    games: of each policy with itself, and as many among all. posts: those that lineups fill. rest: who holds the posts
    of other roles.
    """

    spec: GameSpec
    role: RoleSpec
    found: Sequence[Found]
    games: int
    seed: int
    posts: tuple[Post, ...]
    rest: Contestant

    @staticmethod
    def of(roster: Roster, role: RoleSpec, found: Sequence[Found], games: int, seed: int) -> StyleGames:
        """Raises PolicyError if another role has no snapshot yet."""
        spec = roster.spec
        posts = by_seat(spec.posts) if len(spec.sides) == 1 else spec.posts
        rest = stand_ins(dict.fromkeys(post.role for post in posts if post.role != role.name), roster)
        return StyleGames(spec, role, found, games, seed, posts, rest)

    def play_alone(
        self, make: Callable[[int], Game], plies: int, tick: Tick
    ) -> tuple[list[dict[str, float]], list[float]]:
        """Every policy plays itself. Returns the shares of each one's openings, and of its games that are distinct.

        make: creates a game with a number of slots. plies: moves of an opening.
        """
        games, count = self.games, len(self.found)
        moves = FirstMoves(self.role, count * games, plies)
        # The same seeds for all: the same chance in their games.
        alone = [self._fixture(n, 0, games, self.seed) for n in range(count)]
        with games_for(make, self.spec, min(count * games, _SLOTS)) as (tables, _):
            played = play_episodes(
                tables[:1],
                self._policies,
                alone,
                tick=tick,
                posts=self.posts,
                hashed=True,
                observe=moves.observe,
            )
        shares = [moves.shares(n * games, (n + 1) * games) for n in range(count)]
        return shares, [repetition([one]).distinct / games for one in played]

    def play_together(self, make: Callable[[int], Game], tick: Tick) -> tuple[NDArray[np.float64], int, float]:
        """All policies play each other. Returns how far apart they play, `[N, N]`, at how many positions, and half of
        the widest 95 % interval.

        Every policy holds every post equally often. make: creates a game with a number of slots.
        """
        games, count = self.games, len(self.found)
        # In game g of policy n, the next post is held by the policy that is g * N // games places on, and so forth.
        shifts = Counter(game * count // games for game in range(games))
        mixed = [
            self._fixture(n, shift, together, fold(self.seed, 1, n, shift))
            for n in range(count)
            for shift, together in shifts.items()
        ]
        episodes = count * games
        policies, labels = [one.policy for one in self.found], [one.label for one in self.found]
        with games_for(make, self.spec, min(episodes, _SLOTS)) as ((table, *_), _):
            questions = Questions(table, self.role, policies, labels, episodes, fold(self.seed, 2))
            play_episodes([table], self._policies, mixed, tick=tick, watch=questions.ask, posts=self.posts)
        distances, margin = questions.distances()
        return distances, questions.positions, margin

    @property
    def _policies(self) -> Mapping[PolicyId, Policy]:
        """All policies by their ids in fixtures."""
        return {str(number): one.policy for number, one in enumerate(self.found)} | dict(self.rest.ids)

    def _fixture(self, n: int, shift: int, games: int, seed: int) -> Fixture:
        """Games of one lineup: policy `n` at the role's first post, that which is `shift` places on at the next."""
        mine = [place for place, post in enumerate(self.posts) if post.role == self.role.name]
        held = {place: str((n + turn * shift) % len(self.found)) for turn, place in enumerate(mine)}
        lineup = tuple(held.get(place) or self.rest.id(post.role) for place, post in enumerate(self.posts))
        return Fixture(
            contestants=(lineup,),
            episodes=(lineup,),
            rated_index=(tuple(range(len(lineup))),),
            games=games,
            seed=seed,
        )
