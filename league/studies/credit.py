"""`league credit`: how much of a team's score each of its seats brings, as Shapley values over who sits there.

The members are the seats of one side. What a coalition of them is worth is the side's total score in games where its
seats are held by their policies and all others by a baseline's. Every coalition plays the same games: equal seeds, and
equal draws at each seat. Shares are computed game by game (they are linear), so that their intervals, over the games,
are not widened by luck that all coalitions had alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from league.errors import ConfigError, PolicyError
from league.games.core import Game, GameSpec
from league.matchmaking.posts import by_seat
from league.play.fixture import Fixture
from league.play.match import play_episodes
from league.policies.core import Policy
from league.rating.mean_score import mean_interval
from league.records import RANDOM, Post
from league.run.lookup import find
from league.run.roster import Roster
from league.studies.match import roles_meant, stand_in
from league.studies.playing import games_for
from league.studies.shapley import antithetic, sampled, shapley
from league.threads import alone

EVERY = 8
"""Members up to which every coalition is played: 256 of eight."""

PERMUTATIONS = 2
"""Orders drawn for each game where there are more members: one and its reverse."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Question:
    """Whose score is to be shared out among whom.

    text: the team's POLICY, also by role or seat; seats that it does not name are the best's. baseline: likewise, who
    sits where the member does not; random play where it names nobody. side: whose seats are the team. against: POLICY
    of all other sides; None: the best. games: that every coalition plays. permutations: orders of joining drawn for
    each game where not every coalition is played, an even number.
    """

    text: str
    baseline: str = RANDOM
    side: int = 0
    against: str | None = None
    games: int = 200
    seed: int = 0
    permutations: int = PERMUTATIONS


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over the games, and its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Scores) -> Mean:
        """values: one of each game, independent."""
        mean = float(values.mean())
        # Of the differences from it: squares of large numbers would leave nothing of a small spread.
        _, low, high = mean_interval(len(values), 0.0, float(np.square(values - mean).sum()))
        return cls(mean, mean + low, mean + high)


@dataclass(frozen=True, slots=True)
class Share:
    """What one seat brings. policy, baseline: labels of who sits there, and of who would.

    share: of the team's score; 0 where both are the same policy. own: the seat's own score in the whole team.
    """

    seat: str
    policy: str
    baseline: str
    share: Mean
    own: Mean


@dataclass(frozen=True, slots=True)
class CreditReport:
    """A team's score, taken apart: `before` and all shares add up to `after`.

    side: of the game, whose total score it is, one of `sides`. before, after: the baseline's team, and the whole team;
    gained: what lies between. exact: every coalition was played, else `permutations` orders drawn for each game (0
    where exact). coalitions: distinct ones that were played. note: who else played.
    """

    side: int
    sides: int
    before: Mean
    shares: tuple[Share, ...]
    gained: Mean
    after: Mean
    exact: bool
    permutations: int
    coalitions: int
    games: int
    episodes: int
    seed: int
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Seated:
    """Who sits at a seat. key: of the policy in fixtures, the same for one policy at several seats."""

    key: str
    label: str
    policy: Policy


@dataclass(slots=True)
class Planned:
    """A team about to be played. posts: one a seat.

    team, baseline: by seat of the side. others: by seat of other sides. members: the seats that count in a coalition,
    bit by bit; where the baseline's policy is the seat's own, it makes no difference whether the seat is in it.
    plays: the games that each coalition plays, by their numbers. orders: of the members, by game, where not every
    coalition is played.
    """

    spec: GameSpec
    posts: tuple[Post, ...]
    side: int
    team: dict[int, Seated]
    baseline: dict[int, Seated]
    others: dict[int, Seated]
    games: int
    seed: int
    members: tuple[int, ...] = ()
    plays: dict[int, Sequence[int]] = field(default_factory=dict)
    orders: list[NDArray[np.int64]] = field(default_factory=list)

    @property
    def whole(self) -> int:
        """The coalition of all members."""
        return (1 << len(self.members)) - 1

    def policies(self) -> dict[str, Policy]:
        """By key."""
        every = (self.team, self.baseline, self.others)
        return {seated.key: seated.policy for held in every for seated in held.values()}

    def fixtures(self, coalition: int) -> list[Fixture]:
        """The games that a coalition plays. Game by game their seeds are those of every other coalition."""
        inside = {seat for bit, seat in enumerate(self.members) if coalition >> bit & 1}
        held = self.others | self.baseline | {seat: self.team[seat] for seat in inside}
        lineup = tuple(held[post.seats[0]].key for post in self.posts)
        whose = tuple(0 if post.side == self.side else -1 for post in self.posts)
        numbers = self.plays[coalition]
        spans = [(0, self.games)] if len(numbers) == self.games else [(number, 1) for number in numbers]
        return [Fixture((("team",),), (lineup,), (whose,), n, self.seed, numbers=(first, 1)) for first, n in spans]


def credit(
    make: Callable[[int], Game],
    roster: Roster,
    asked: Question,
    tick: Callable[[float], None] = lambda fraction: None,
) -> CreditReport:
    """Play the games with every coalition (or some, see `EVERY`) and share the score out, with sampled moves.

    make: a new game of so many slots. Raises PolicyError or ConfigError where there is no such team.
    """
    alone()
    began = time.monotonic()
    planned = plan(roster, asked)
    fixtures = {coalition: planned.fixtures(coalition) for coalition in planned.plays}
    every = [fixture for played in fixtures.values() for fixture in played]
    episodes = sum(fixture.games for fixture in every)
    with games_for(make, planned.spec, episodes) as (at_once, threads):
        found = iter(play_episodes(at_once, planned.policies(), every, 1.0, tick, threads=threads, posts=planned.posts))
    # Of each coalition its games' scores by seat, in the order of `plays`.
    scores = {
        coalition: np.concatenate([next(found).score[:, 0] for _ in played]) for coalition, played in fixtures.items()
    }
    seats = list(planned.team)
    worth = {coalition: score[:, seats].sum(1) for coalition, score in scores.items()}
    shared = dict(zip(planned.members, _shares(planned, worth), strict=True))
    nothing = np.zeros(asked.games)
    shares = tuple(
        Share(
            planned.spec.seats[seat],
            planned.team[seat].label,
            planned.baseline[seat].label,
            Mean.of(shared.get(seat, nothing)),
            Mean.of(scores[planned.whole][:, seat]),
        )
        for seat in seats
    )
    before, after = worth[0], worth[planned.whole]
    others = list(dict.fromkeys(seated.label for seated in planned.others.values()))
    return CreditReport(
        asked.side,
        len(planned.spec.sides),
        Mean.of(before),
        shares,
        Mean.of(after - before),
        Mean.of(after),
        not planned.orders,
        asked.permutations if planned.orders else 0,
        len(planned.plays),
        asked.games,
        episodes,
        asked.seed,
        time.monotonic() - began,
        f"against {', '.join(others)}" if others else "",
    )


def plan(roster: Roster, asked: Question) -> Planned:
    """Who sits where, and which coalitions play which games. Raises PolicyError or ConfigError, see `credit`."""
    spec, side = roster.spec, asked.side
    if not 0 <= side < len(spec.sides):
        raise ConfigError(f"{spec.id} has no side {side}; its sides, from 0 on: {roster.spec.seating}")
    if not (asked.games >= 1 and 0 <= asked.seed < 2**63 and asked.permutations >= 2 and asked.permutations % 2 == 0):
        raise ConfigError(
            "a score is shared out over at least one game, with a seed from 0 to 2**63 - 1 and an even number of "
            f"permutations from 2 on, not --games {asked.games} --seed {asked.seed} --permutations {asked.permutations}"
        )
    posts = by_seat(spec.posts)
    mine = [post.seats[0] for post in posts if post.side == side]
    rest = [post.seats[0] for post in posts if post.side != side]
    if len(mine) == 1:
        teams = [str(number) for number, seats in enumerate(spec.sides) if len(seats) > 1]
        hint = f"; see --side {' and '.join(teams)}" if teams else ""
        alone_there = spec.seats[mine[0]]
        raise PolicyError(
            f"side {side} of {spec.id} is one seat, {alone_there}: there is nobody to share its score with{hint}"
        )
    if asked.against is not None and not rest:
        raise PolicyError(f"{spec.id} has one side: there is nobody to play against, so leave --against out")
    planned = Planned(
        spec,
        posts,
        side,
        _seated(roster, asked.text, mine, lambda role: stand_in(roster, role)),
        _seated(roster, asked.baseline, mine, lambda role: RANDOM),
        _seated(roster, asked.against, rest, lambda role: stand_in(roster, role)),
        asked.games,
        asked.seed,
    )
    planned.members = tuple(seat for seat in mine if planned.team[seat].key != planned.baseline[seat].key)
    if len(planned.members) <= EVERY:
        planned.plays = dict.fromkeys(range(planned.whole + 1), range(asked.games))
    else:
        _draw(planned, asked.permutations)
    return planned


def _draw(planned: Planned, permutations: int) -> None:
    """Other orders for each game, so that intervals over games hold both kinds of chance."""
    rng = np.random.default_rng(planned.seed)
    planned.orders = [antithetic(len(planned.members), permutations, rng) for _ in range(planned.games)]
    plays: dict[int, list[int]] = {}
    for number, orders in enumerate(planned.orders):
        for coalition in dict.fromkeys(one for order in orders for one in _joining(order)):
            plays.setdefault(coalition, []).append(number)
    planned.plays.update(plays)


def _joining(order: NDArray[np.int64]) -> list[int]:
    """The coalitions of the first 0 … n members."""
    found = [0]
    for member in order.tolist():
        found.append(found[-1] | 1 << member)
    return found


def _shares(planned: Planned, worth: Mapping[int, Scores]) -> Scores:
    """`[members, games]`: every member's share of each game. worth: by coalition, of the games that it played."""
    if not planned.orders:
        return shapley(np.stack([worth[coalition] for coalition in range(planned.whole + 1)]))
    by_game: list[dict[int, float]] = [{} for _ in planned.orders]
    for coalition, numbers in planned.plays.items():
        for number, value in zip(numbers, worth[coalition].tolist(), strict=True):
            by_game[number][coalition] = value
    found = [
        sampled(orders, np.array([[values[coalition] for coalition in _joining(order)] for order in orders]))
        for orders, values in zip(planned.orders, by_game, strict=True)
    ]
    return np.stack(found, 1)


def _seated(roster: Roster, text: str | None, seats: Sequence[int], unnamed: Callable[[str], str]) -> dict[int, Seated]:
    """Who sits at each of the seats: whom POLICY names for the seat, else for its role, else for all; else `unnamed`.

    text: None names nobody. unnamed: a role's POLICY. Raises PolicyError where the text names other seats or roles.
    """
    spec = roster.spec
    role_of = {seat: role.name for role in spec.roles for seat in role.seats}
    wanted = {} if text is None else roles_meant(text, roster, spec.seats)
    here = {spec.seats[seat] for seat in seats} | {role_of[seat] for seat in seats} | {""}
    if elsewhere := [name for name in wanted if name not in here]:
        raise PolicyError(f"'{text}': '{elsewhere[0]}' is not on the side that is meant; from 0 on: {spec.seating}")
    found: dict[int, Seated] = {}
    known: dict[tuple[str, str], Seated] = {}
    for seat in seats:
        role = role_of[seat]
        named = (wanted[name] for name in (spec.seats[seat], role, "") if name in wanted)
        source = next(named, None)
        source = unnamed(role) if source is None else source
        if (source, role) not in known:
            one = find(source, role, roster)
            known[source, role] = Seated(f"{role} {one.id or source}", one.label, one.policy)
        found[seat] = known[source, role]
    return found
