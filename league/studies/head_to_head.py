"""Payoff tables played for the purpose: every pair of the policies that are named, all on the same seeds.

- Games whose sides are alike: a row holds one side, the column all others; seats are balanced.
- Games whose roles differ: rows are policies of one role, columns of another; each is scored by its own role's score.
- One-sided games: a row sits at one seat, the column at all others (cross-play), each seat in turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from league.errors import PolicyError
from league.games.core import Game, GameSpec
from league.matchmaking.posts import by_seat
from league.play.fixture import Fixture, alike, among, fixtures
from league.play.match import play
from league.policies.core import Policy
from league.rating.mean_score import mean_interval
from league.rating.payoff import beaten, wilson
from league.records import MatchResult, Post
from league.run.lookup import find
from league.run.roster import Roster
from league.studies.match import roles_meant, stand_in
from league.studies.payoff import Cell, PayoffReport, PayoffTable, Unit
from league.studies.playing import games_for
from league.threads import alone


@dataclass(frozen=True, slots=True)
class Duel:
    """The games of one cell. keys: under which the row's and the column's scores stand in their results."""

    row: int
    column: int
    keys: tuple[str, str]
    fixtures: tuple[Fixture, ...]


@dataclass(slots=True)
class Planned:
    """A table about to be played, and the policies by their id in the fixtures.

    posts: those that the fixtures' lineups fill. mirrored: the cell of a column against a row comes from the same games
    (two sides that are alike). both: so does a second table, of what the columns' role scored against the rows'.
    """

    spec: GameSpec
    posts: tuple[Post, ...]
    role: str = ""
    against: str = ""
    together: bool = False
    mirrored: bool = False
    both: bool = False
    note: str = ""
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    duels: list[Duel] = field(default_factory=list)
    policies: dict[str, Policy] = field(default_factory=dict)

    def seat(self, roster: Roster, key: str, role: str, text: str) -> str:
        """Find the policy that `text` means for `role`, to be known by `key`; returns what to call it."""
        found = find(text, role, roster)
        self.policies[key] = found.policy
        return found.label


def head_to_head(
    make: Callable[[int], Game],
    roster: Roster,
    texts: Sequence[str],
    games: int,
    seed: int = 0,
    tick: Callable[[float], None] = lambda fraction: None,
) -> PayoffReport:
    """Play `games` games for each cell, with sampled moves. make: a new game of so many slots. Raises PolicyError."""
    alone()
    began = time.monotonic()
    planned = plan(roster, texts, games, seed)
    every = [fixture for duel in planned.duels for fixture in duel.fixtures]
    episodes = sum(fixture.games * len(fixture.episodes) for fixture in every)
    with games_for(make, planned.spec, episodes) as (at_once, threads):
        results = iter(play(at_once, planned.policies, every, 1.0, tick, threads=threads, posts=planned.posts))
    cells: dict[tuple[int, int], Cell] = {}
    others: dict[tuple[int, int], Cell] = {}
    for duel in planned.duels:
        played = [(fixture, next(results)) for fixture in duel.fixtures]
        cells[duel.row, duel.column] = _cell(planned.spec, played, duel.keys[0])
        if planned.mirrored or planned.both:
            (cells if planned.mirrored else others)[duel.column, duel.row] = _cell(planned.spec, played, duel.keys[1])
    tables = [_table(planned, planned.rows, planned.columns, planned.role, planned.against, cells)]
    if planned.both:
        tables.append(_table(planned, planned.columns, planned.rows, planned.against, planned.role, others))
    return PayoffReport(tuple(tables), True, planned.note, episodes, seed, time.monotonic() - began)


def plan(roster: Roster, texts: Sequence[str], games: int, seed: int) -> Planned:
    """Who meets whom, from POLICY texts. Raises PolicyError where they make no table."""
    spec = roster.spec
    wanted = [roles_meant(text, roster) for text in texts]
    roles = [role.name for role in spec.roles]
    if len(spec.seats) == 1:
        raise PolicyError(f"{spec.id} has one seat, so that nobody meets anybody")
    if alike(spec) and all("" in meant or set(meant) == set(roles) for meant in wanted):
        return _square(roster, wanted, games, seed)
    if alike(spec) and len(spec.sides) > 1:
        raise PolicyError(
            f"{spec.id}: each policy must fill a whole side: write {','.join(f'{role}=POLICY' for role in roles)}"
        )
    return _by_role(roster, wanted, games, seed)


def _square(roster: Roster, wanted: Sequence[Mapping[str, str]], games: int, seed: int) -> Planned:
    """Every policy against (in one-sided games: with) every other, each filling whole sides."""
    count, sides = len(wanted), len(roster.spec.sides)
    if count < 2:
        raise PolicyError("a payoff table needs two policies at least, such as `league payoff best latest random`")
    spec = roster.spec
    posts = by_seat(spec.posts) if sides == 1 else spec.posts
    found = Planned(spec, posts, together=sides == 1, mirrored=sides == 2)
    for number, texts in enumerate(wanted):
        roles = [role.name for role in roster.spec.roles]
        names = [found.seat(roster, f"{number}:{role}", role, texts.get(role, texts.get("", ""))) for role in roles]
        found.rows.append("+".join(dict.fromkeys(names)))
    found.columns = found.rows
    for i, j in product(range(count), repeat=2):
        row, column = ([f"{number}:{post.role}" for post in posts] for number in (i, j))
        if sides == 1:
            played = among(row, column, range(len(posts)), games, seed, row[0])
        elif i == j or (i > j and found.mirrored):
            continue
        else:
            first = sum(post.side == 0 for post in posts)
            played = [_whole(fixture) for fixture in fixtures(found.spec, row[:first] + column[first:], games, seed)]
        found.duels.append(Duel(i, j, (row[0], column[0]), tuple(played)))
    return found


def _by_role(roster: Roster, wanted: Sequence[Mapping[str, str]], games: int, seed: int) -> Planned:
    """The policies of one role against (or with) those of another; the best hold all other posts."""
    spec = roster.spec
    named: dict[str, list[str]] = {}
    for texts in wanted:
        for role in [one.name for one in spec.roles] if "" in texts else texts:
            text, listed = texts.get(role, texts.get("", "")), named.setdefault(role, [])
            listed += [text] if text not in listed else []
    rest = [role.name for role in spec.roles if role.name not in named]
    if len(named) == len(rest) == 1:
        (other,), rest = rest, []
        named[other] = [stand_in(roster, other)]
    if len(named) != 2:
        raise PolicyError(
            f"{spec.id}: the rows of a payoff table are policies of one role and its columns those of another; name "
            f"two of the roles {', '.join(role.name for role in spec.roles)}, as ROLE=POLICY, not {len(named)}"
        )
    role, against = named
    together = len(spec.sides) == 1
    found = Planned(spec, spec.posts, role, against, together, both=not together and spec.scored)
    found.rows = [found.seat(roster, f"{k}:{role}", role, text) for k, text in enumerate(named[role])]
    found.columns = [found.seat(roster, f"{k}:{against}", against, text) for k, text in enumerate(named[against])]
    others = [found.seat(roster, f"other:{one}", one, stand_in(roster, one)) for one in rest]
    found.note = f"with {', '.join(dict.fromkeys(others))} at the other posts" if others else ""
    for i, j in product(range(len(found.rows)), range(len(found.columns))):
        number = {role: i, against: j}
        keys = f"{i}:{role}", f"{j}:{against}"
        lineup = tuple(f"{number.get(post.role, 'other')}:{post.role}" for post in spec.posts)
        if together:
            fixture = Fixture(((keys[0],),), (lineup,), ((0,) * len(lineup),), games, seed)
        elif spec.scored:
            held = tuple(keys.index(policy) if policy in keys else -1 for policy in lineup)
            fixture = Fixture(tuple((key,) for key in keys), (lineup,), (held,), games, seed)
        else:
            (fixture,) = fixtures(spec, lineup, games, seed)
        found.duels.append(Duel(i, j, keys, (fixture,)))
    return found


def _whole(fixture: Fixture) -> Fixture:
    """The fixture with each side's policies as one, whose score is the mean over the side's seats."""
    side_of = [side for side, policies in enumerate(fixture.contestants) for _ in policies]
    return replace(
        fixture,
        contestants=tuple(policies[:1] for policies in fixture.contestants),
        holders=tuple(tuple(side_of[holder] for holder in held) for held in fixture.holders),
    )


def _cell(spec: GameSpec, played: Sequence[tuple[Fixture, MatchResult]], key: str) -> Cell:
    """What the policy `key` scored: placements as a mean result, else the mean score of an episode."""
    games = sum(result.games for _, result in played)
    if not spec.scored:
        sides = [next(side for side, held in enumerate(result.lineup) if key in held) for _, result in played]
        total = sum(beaten(result.placements, side) for (_, result), side in zip(played, sides, strict=True))
        return Cell(total / games, *wilson(total, games), games)
    count, total, square = 0, 0.0, 0.0
    for fixture, result in played:
        place = result.policies.index(key)
        count += fixture.games * sum(place in held for held in fixture.holders)
        total, square = total + result.score_sum[place], square + result.score_sq[place]
    return Cell(*mean_interval(count, total, square), games)


def _table(
    planned: Planned,
    rows: Sequence[str],
    columns: Sequence[str],
    role: str,
    against: str,
    cells: Mapping[tuple[int, int], Cell],
) -> PayoffTable:
    spec = planned.spec
    unit: Unit = "score" if spec.scored else "result"
    shown = tuple(tuple(cells.get((row, column)) for column in range(len(columns))) for row in range(len(rows)))
    return PayoffTable(tuple(rows), tuple(columns), role, against, unit, planned.together, shown)
