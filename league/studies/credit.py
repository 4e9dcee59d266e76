"""`league credit`: each seat's share of its team's score, as Shapley values.

The members are the seats of one side. A coalition's value is the side's total score in games in which the coalition's
seats are held by their own policies and the side's other seats by the baseline. Every coalition plays the same games:
equal seeds, and equal draws at each seat. Shares are linear, so they are computed for each game; luck that all
coalitions share then does not widen the intervals, which are over the games.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from league.errors import ConfigError, PolicyError
from league.games.core import Game, GameSpec
from league.matchmaking.posts import by_seat
from league.play.fixture import Fixture
from league.policies.core import Policy
from league.rating.mean_score import mean_interval
from league.records import RANDOM, PolicyId, Post
from league.run.roster.lookup import find
from league.run.roster.roster import Roster
from league.studies.contest import Contest, play_for_scores, roles_meant, stand_in
from league.studies.shapley import antithetic, sampled, shapley
from league.threads import alone

MAX_EXACT_MEMBERS = 8
"""With up to this many members, every coalition is played: 256 of eight members."""

PERMUTATIONS = 2
"""Orders drawn per game if there are more members: one and its reverse."""

Scores = NDArray[np.float64]
Coalition = int
"""Bit i is set if the coalition contains member i."""


@dataclass(frozen=True, slots=True)
class CreditRequest:
    """The team whose score is shared out, its baseline and opponents, and the number of games.

    text: the team's POLICY, also by role or seat; the best policies hold seats that it does not name. baseline: the
    POLICY, also by role or seat, that replaces members outside a coalition; random play holds seats that it does not
    name. side: the side whose seats are the team. against: POLICY of all other sides; None: the best. games: per
    coalition. permutations: joining orders drawn per game if not every coalition is played; an even number.
    """

    text: str
    baseline: str = RANDOM
    _: KW_ONLY
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
        """The mean of one independent value per game."""
        mean = float(values.mean())
        # From differences to the mean: a small spread would be lost in the squares of large numbers.
        _, low, high = mean_interval(len(values), 0.0, float(np.square(values - mean).sum()))
        return cls(mean, mean + low, mean + high)


@dataclass(frozen=True, slots=True)
class Share:
    """One seat's share of the team's score. policy, baseline: labels of its own policy and of the one that replaces it.

    share: of the team's score; 0 if both are the same policy. own: the seat's own score in the whole team.
    """

    seat: str
    policy: str
    baseline: str
    share: Mean
    own: Mean


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditReport:
    """A team's score by seat: `before` and all shares add up to `after`.

    side: the side whose total score is shared out, of the game's `sides`. before: the score with the baseline at every
    seat; after: the score of the whole team; gained: the difference. exact: whether every coalition was played; if not,
    `permutations` orders were drawn per game (0 if exact). coalitions: the number of distinct coalitions played. note:
    the opponents.
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
class SeatPolicy:
    """The policy at a seat. id: in fixtures, the same for one policy at several seats."""

    id: PolicyId
    label: str
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPlan:
    """The games for one `CreditRequest`.

    contest: the games of each coalition; every seat is a post of its own. team, baseline: by seat of the side. others:
    by seat of the other sides. members: the seats that form coalitions; a seat whose own policy is also its baseline is
    not a member, since it makes no difference. games_of: by coalition, the numbers of the games that it plays. orders:
    for each game, the orders in which members join; empty if every coalition is played.
    """

    contest: Contest[Coalition]
    team: Mapping[int, SeatPolicy]
    baseline: Mapping[int, SeatPolicy]
    others: Mapping[int, SeatPolicy]
    members: Sequence[int]
    games_of: Mapping[Coalition, Sequence[int]]
    orders: Sequence[NDArray[np.int64]]

    @property
    def whole(self) -> Coalition:
        """The coalition of all members."""
        return (1 << len(self.members)) - 1


def credit(
    make: Callable[[int], Game],
    roster: Roster,
    asked: CreditRequest,
    tick: Callable[[float], None] = lambda fraction: None,
) -> CreditReport:
    """Play the games of all coalitions (or some, see `MAX_EXACT_MEMBERS`) and share out the score. Moves are sampled.

    make: creates a game with a number of slots. Raises PolicyError or ConfigError if there is no such team.
    """
    alone()
    began = time.monotonic()
    plan = plan_credit(roster, asked)
    scores = play_for_scores(make, plan.contest, tick)
    seats, names = list(plan.team), plan.contest.spec.seats
    values = {coalition: score[:, seats].sum(1) for coalition, score in scores.items()}
    share_of = dict(zip(plan.members, _shares(plan, values), strict=True))
    nothing = np.zeros(asked.games)
    before, after = values[0], values[plan.whole]
    others = list(dict.fromkeys(one.label for one in plan.others.values()))
    return CreditReport(
        side=asked.side,
        sides=len(plan.contest.spec.sides),
        before=Mean.of(before),
        shares=tuple(
            Share(
                names[seat],
                plan.team[seat].label,
                plan.baseline[seat].label,
                share=Mean.of(share_of.get(seat, nothing)),
                own=Mean.of(scores[plan.whole][:, seat]),
            )
            for seat in seats
        ),
        gained=Mean.of(after - before),
        after=Mean.of(after),
        exact=not plan.orders,
        permutations=asked.permutations if plan.orders else 0,
        coalitions=len(plan.games_of),
        games=asked.games,
        episodes=plan.contest.episodes,
        seed=asked.seed,
        seconds=time.monotonic() - began,
        note=f"against {', '.join(others)}" if others else "",
    )


def plan_credit(roster: Roster, asked: CreditRequest) -> CreditPlan:
    """Seat the policies and assign games to coalitions. Raises PolicyError or ConfigError, see `credit`."""
    spec, posts = roster.spec, by_seat(roster.spec.posts)
    _check(spec, asked)
    mine = [post.seats[0] for post in posts if post.side == asked.side]
    rest = [post.seats[0] for post in posts if post.side != asked.side]
    team = _seat(roster, asked.text, mine, partial(stand_in, roster))
    baseline = _seat(roster, asked.baseline, mine, lambda role: RANDOM)
    others = _seat(roster, asked.against, rest, partial(stand_in, roster))
    members = [seat for seat in mine if team[seat].id != baseline[seat].id]
    orders: list[NDArray[np.int64]] = []
    games_of: dict[Coalition, Sequence[int]]
    if len(members) <= MAX_EXACT_MEMBERS:
        games_of = dict.fromkeys(range(1 << len(members)), range(asked.games))
    else:
        # Each game has orders of its own, so that intervals over the games include the chance of the orders.
        rng = np.random.default_rng(asked.seed)
        orders = [antithetic(len(members), asked.permutations, rng) for _ in range(asked.games)]
        games_of = _games_of(orders)
    fixtures = {}
    for coalition, games in games_of.items():
        inside = {seat: team[seat] for bit, seat in enumerate(members) if coalition >> bit & 1}
        fixtures[coalition] = _fixtures(posts, others | baseline | inside, games, asked)
    every = (one for held in (team, baseline, others) for one in held.values())
    return CreditPlan(
        contest=Contest(spec, posts, {one.id: one.policy for one in every}, fixtures),
        team=team,
        baseline=baseline,
        others=others,
        members=members,
        games_of=games_of,
        orders=orders,
    )


def _check(spec: GameSpec, asked: CreditRequest) -> None:
    """Raises PolicyError or ConfigError if there is no such team or nothing to share out."""
    side = asked.side
    if not 0 <= side < len(spec.sides):
        raise ConfigError(f"{spec.id} has no side {side}; its sides, from 0 on: {spec.seating}")
    if not (asked.games >= 1 and 0 <= asked.seed < 2**63 and asked.permutations >= 2 and asked.permutations % 2 == 0):
        raise ConfigError(
            "credit needs at least one game, a seed from 0 to 2**63 - 1 and an even number of permutations from 2 on, "
            f"not --games {asked.games} --seed {asked.seed} --permutations {asked.permutations}"
        )
    if len(spec.sides[side]) == 1:
        teams = [str(number) for number, seats in enumerate(spec.sides) if len(seats) > 1]
        hint = f"; see --side {' and '.join(teams)}" if teams else ""
        (seat,) = spec.sides[side]
        raise PolicyError(
            f"side {side} of {spec.id} is one seat, {spec.seats[seat]}: there are no other seats to share its score "
            f"with{hint}"
        )
    if asked.against is not None and len(spec.sides) == 1:
        raise PolicyError(f"{spec.id} has one side and no opponents: leave out --against")


def _fixtures(
    posts: Sequence[Post], seated: Mapping[int, SeatPolicy], games: Sequence[int], asked: CreditRequest
) -> list[Fixture]:
    """A coalition's games. Each game has the same seed in every coalition. games: their numbers."""
    lineup = tuple(seated[post.seats[0]].id for post in posts)
    rated_index = tuple(0 if post.side == asked.side else -1 for post in posts)
    spans = [(0, asked.games)] if len(games) == asked.games else [(number, 1) for number in games]
    return [
        Fixture(
            contestants=(("team",),),
            episodes=(lineup,),
            rated_index=(rated_index,),
            games=count,
            seed=asked.seed,
            numbers=(first, 1),
        )
        for first, count in spans
    ]


def _games_of(orders: Sequence[NDArray[np.int64]]) -> dict[Coalition, Sequence[int]]:
    """By coalition, the numbers of the games whose orders contain it."""
    found: dict[Coalition, list[int]] = {}
    for number, drawn in enumerate(orders):
        for coalition in dict.fromkeys(one for order in drawn for one in _prefix_coalitions(order)):
            found.setdefault(coalition, []).append(number)
    return dict(found)


def _prefix_coalitions(order: NDArray[np.int64]) -> list[int]:
    """The coalitions of the first 0 … n members of an order."""
    found = [0]
    for member in order.tolist():
        found.append(found[-1] | 1 << member)
    return found


def _shares(plan: CreditPlan, values: Mapping[Coalition, Scores]) -> Scores:
    """`[members, games]`: each member's share in each game. values: by coalition, of the games that it played."""
    if not plan.orders:
        return shapley(np.stack([values[coalition] for coalition in range(plan.whole + 1)]))
    by_game: list[dict[Coalition, float]] = [{} for _ in plan.orders]
    for coalition, games in plan.games_of.items():
        for number, value in zip(games, values[coalition].tolist(), strict=True):
            by_game[number][coalition] = value
    found = [
        sampled(orders, np.array([[of[coalition] for coalition in _prefix_coalitions(order)] for order in orders]))
        for orders, of in zip(plan.orders, by_game, strict=True)
    ]
    return np.stack(found, 1)


def _seat(
    roster: Roster, text: str | None, seats: Sequence[int], default: Callable[[str], str]
) -> dict[int, SeatPolicy]:
    """The policy at each of the seats: the one that `text` names for the seat, else for its role, else for all seats.

    text: None names no policy. default: returns the POLICY of a role that the text does not name. Raises PolicyError if
    the text names other seats or roles.
    """
    spec = roster.spec
    role_of = {seat: role.name for role in spec.roles for seat in role.seats}
    named = {} if text is None else roles_meant(text, roster, spec.seats)
    here = {spec.seats[seat] for seat in seats} | {role_of[seat] for seat in seats} | {""}
    if elsewhere := [name for name in named if name not in here]:
        raise PolicyError(f"'{text}': '{elsewhere[0]}' is not on this side; the sides, from 0 on: {spec.seating}")
    found: dict[int, SeatPolicy] = {}
    known: dict[tuple[str, str], SeatPolicy] = {}
    for seat in seats:
        role = role_of[seat]
        sources = [named[name] for name in (spec.seats[seat], role, "") if name in named]
        source = sources[0] if sources else default(role)
        if (source, role) not in known:
            one = find(source, role, roster)
            known[source, role] = SeatPolicy(f"{role} {one.id or source}", one.label, one.policy)
        found[seat] = known[source, role]
    return found
