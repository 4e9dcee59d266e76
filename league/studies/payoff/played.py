"""`league payoff POLICY …`: a head-to-head table of newly played games, with the same seeds for every pair.

- Games whose sides are alike: the row holds one side, the column all others; seats are balanced.
- Games whose roles differ: rows are policies of one role, columns of another; each has its own role's score.
- One-sided games: the row sits at each seat in turn, the column at all others (cross-play).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from league.errors import PolicyError
from league.games.core import Game, GameSpec
from league.matchmaking.posts import by_seat
from league.play.fixture import Fixture, fixtures, mixed_team, sides_are_alike
from league.rating.mean_score import mean_interval
from league.rating.payoff import beaten, wilson
from league.records import PolicyId
from league.run.roster.roster import Roster
from league.studies.contest import (
    Contest,
    Contestant,
    Played,
    all_policies,
    contestant,
    play_contest,
    roles_meant,
    same_policies,
    stand_in,
    stand_ins,
    tally,
    told_apart,
)
from league.studies.payoff.report import Cell, PayoffReport, PayoffTable
from league.threads import alone

Place = tuple[int, int]
"""Row and column of a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoffPlan:
    """A payoff table to play.

    contest: the games of each cell. rows, columns: the contestants. role, against: of rows and of columns; "" if
    they fill whole sides. together: rows and columns play on one side. mirrored: the cell of a column against a row
    comes from the same games (two sides that are alike). both_roles: the same games give a second table, with
    the scores of the columns' role.
    """

    contest: Contest[Place]
    rows: Sequence[Contestant]
    columns: Sequence[Contestant]
    role: str = ""
    against: str = ""
    together: bool = False
    mirrored: bool = False
    both_roles: bool = False
    note: str = ""


def play_payoff(
    make: Callable[[int], Game],
    roster: Roster,
    texts: Sequence[str],
    games: int,
    seed: int = 0,
    tick: Callable[[float], None] = lambda fraction: None,
) -> PayoffReport:
    """Play `games` games per cell with sampled moves. make: creates a game of a number of slots.

    Raises PolicyError if the texts do not form a table.
    """
    alone()
    began = time.monotonic()
    plan = plan_payoff(roster, texts, games, seed)
    spec = plan.contest.spec
    results = play_contest(make, plan.contest, tick)
    cells: dict[Place, Cell] = {}
    reverse: dict[Place, Cell] = {}
    for (row, column), played in results.items():
        cells[row, column] = _cell(spec, played, _first_id(plan.rows[row]))
        if plan.mirrored or plan.both_roles:
            reverse[column, row] = _cell(spec, played, _first_id(plan.columns[column]))
    tables = [_table(plan, cells | reverse if plan.mirrored else cells)]
    if plan.both_roles:
        other = replace(plan, rows=plan.columns, columns=plan.rows, role=plan.against, against=plan.role)
        tables.append(_table(other, reverse))
    return PayoffReport(
        tuple(tables),
        played=True,
        note=plan.note,
        episodes=plan.contest.episodes,
        seed=seed,
        seconds=time.monotonic() - began,
    )


def plan_payoff(roster: Roster, texts: Sequence[str], games: int, seed: int) -> PayoffPlan:
    """The rows, columns and games from POLICY texts. Raises PolicyError if these do not form a table."""
    spec = roster.spec
    named = [roles_meant(text, roster) for text in texts]
    roles = [role.name for role in spec.roles]
    if len(spec.seats) == 1:
        raise PolicyError(f"{spec.id} has one seat, so policies cannot meet")
    if sides_are_alike(spec) and all("" in one or set(one) == set(roles) for one in named):
        return _square(roster, texts, named, games, seed)
    if sides_are_alike(spec) and len(spec.sides) > 1:
        raise PolicyError(
            f"{spec.id}: each policy must fill a whole side: write {','.join(f'{role}=POLICY' for role in roles)}"
        )
    return _by_role(roster, named, games, seed)


def _square(
    roster: Roster, texts: Sequence[str], named: Sequence[Mapping[str, str]], games: int, seed: int
) -> PayoffPlan:
    """Every policy against (in one-sided games: with) every other, each filling whole sides."""
    if len(named) < 2:
        raise PolicyError("a payoff table needs at least two policies, such as best, latest and random")
    sides, roles = len(roster.spec.sides), [role.name for role in roster.spec.roles]
    spec = roster.spec
    posts = by_seat(spec.posts) if sides == 1 else spec.posts
    contestants, note = _distinct(
        texts,
        [
            contestant(str(number), {role: one.get(role, one.get("", "")) for role in roles}, roster)
            for number, one in enumerate(named)
        ],
    )
    if len(contestants) < 2:
        raise PolicyError(f"a payoff table needs at least two different policies: {note}")
    cells: dict[Place, list[Fixture]] = {}
    for i, j in product(range(len(contestants)), repeat=2):
        row, column = ([contestants[number].id(post.role) for post in posts] for number in (i, j))
        if sides == 1:
            cells[i, j] = mixed_team(
                row, column, range(len(row)), games=games, seed=seed, name=_first_id(contestants[i])
            )
        elif i < j or (i > j and sides > 2):
            first = sum(post.side == 0 for post in posts)
            lineup = row[:first] + column[first:]
            cells[i, j] = [_by_side(fixture) for fixture in fixtures(spec, lineup, games, seed)]
    return PayoffPlan(
        contest=Contest(spec, posts, all_policies(contestants), cells),
        rows=contestants,
        columns=contestants,
        together=sides == 1,
        mirrored=sides == 2,
        note=note,
    )


def _distinct(texts: Sequence[str], contestants: Sequence[Contestant]) -> tuple[tuple[Contestant, ...], str]:
    """Each policy once, with labels of their own, and a note on those that were named by several names."""
    kept: dict[int, list[int]] = {}
    for number, one in enumerate(contestants):
        # One that is named twice by the same text is meant twice.
        twins = (n for n in kept if texts[n] != texts[number] and same_policies(contestants[n], one))
        first = next(twins, number)
        kept.setdefault(first, []).append(number)
    notes = [
        f"{' and '.join(dict.fromkeys(texts[number] for number in numbers))} are one policy, {contestants[first].label}"
        for first, numbers in kept.items()
        if len(numbers) > 1
    ]
    return told_apart([contestants[n] for n in kept], [texts[n] for n in kept]), "; ".join(notes)


def _by_role(roster: Roster, named: Sequence[Mapping[str, str]], games: int, seed: int) -> PayoffPlan:
    """The policies of one role against (or with) those of another; stand-ins hold all other posts."""
    spec, texts_by_role = roster.spec, _texts_by_role(roster, named)
    role, against = texts_by_role
    (rows, twins), (columns, others_twins) = (
        _distinct(texts, [contestant(str(number), {each: text}, roster) for number, text in enumerate(texts)])
        for each, texts in texts_by_role.items()
    )
    others = stand_ins([one.name for one in spec.roles if one.name not in texts_by_role], roster)
    together = len(spec.sides) == 1
    cells: dict[Place, list[Fixture]] = {}
    for (i, row), (j, column) in product(enumerate(rows), enumerate(columns)):
        holders = {role: row, against: column}
        lineup = tuple(holders.get(post.role, others).id(post.role) for post in spec.posts)
        ids = (row.id(role), column.id(against))
        if together:
            team = (0,) * len(lineup)
            cells[i, j] = [
                Fixture(contestants=(ids[:1],), episodes=(lineup,), rated_index=(team,), games=games, seed=seed)
            ]
        elif spec.scored:
            held = tuple(ids.index(policy) if policy in ids else -1 for policy in lineup)
            apart = (ids[:1], ids[1:])
            cells[i, j] = [Fixture(contestants=apart, episodes=(lineup,), rated_index=(held,), games=games, seed=seed)]
        else:
            cells[i, j] = fixtures(spec, lineup, games, seed)
    labels = dict.fromkeys(found.label for found in others.policies.values())
    posts = f"with {', '.join(labels)} at the other posts" if labels else ""
    return PayoffPlan(
        contest=Contest(spec, spec.posts, all_policies([*rows, *columns, others]), cells),
        rows=rows,
        columns=columns,
        role=role,
        against=against,
        together=together,
        both_roles=not together and spec.scored,
        note="; ".join(note for note in (posts, twins, others_twins) if note),
    )


def _texts_by_role(roster: Roster, named: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """The POLICY texts of the rows' role and the columns' role, each once. Raises PolicyError unless there are two."""
    roles = [role.name for role in roster.spec.roles]
    found: dict[str, list[str]] = {}
    for texts in named:
        for role in roles if "" in texts else texts:
            text, listed = texts.get(role, texts.get("", "")), found.setdefault(role, [])
            listed += [text] if text not in listed else []
    rest = [role for role in roles if role not in found]
    if len(found) == len(rest) == 1:
        found[rest[0]] = [stand_in(roster, rest[0])]
    if len(found) != 2:
        raise PolicyError(
            f"{roster.spec.id}: the rows of a payoff table are policies of one role and its columns those of another; "
            f"name two of the roles {', '.join(roles)}, as ROLE=POLICY, not {len(found)}"
        )
    return found


def _first_id(one: Contestant) -> PolicyId:
    """The id under which results hold a contestant's score."""
    return next(iter(one.ids))


def _by_side(fixture: Fixture) -> Fixture:
    """The fixture with the policies of each side as one, whose score is the mean over the side's seats."""
    side_of = [side for side, policies in enumerate(fixture.contestants) for _ in policies]
    return replace(
        fixture,
        contestants=tuple(policies[:1] for policies in fixture.contestants),
        rated_index=tuple(tuple(side_of[holder] for holder in held) for held in fixture.rated_index),
    )


def _cell(spec: GameSpec, played: Played, id: PolicyId) -> Cell:
    """The score of the policy `id`: a mean result in games with placements, else the mean score of an episode."""
    games = sum(result.games for _, result in played)
    if spec.scored:
        scores = tally(played, {id})
        return Cell(*mean_interval(scores.episodes, scores.total, scores.square), games)
    total = 0.0
    for _, result in played:
        side = next(side for side, policies in enumerate(result.lineup) if id in policies)
        total += beaten(result.placements, side)
    return Cell(total / games, *wilson(total, games), games)


def _table(plan: PayoffPlan, cells: Mapping[Place, Cell]) -> PayoffTable:
    rows, columns = range(len(plan.rows)), range(len(plan.columns))
    return PayoffTable(
        rows=tuple(one.label for one in plan.rows),
        columns=tuple(one.label for one in plan.columns),
        role=plan.role,
        against=plan.against,
        unit="score" if plan.contest.spec.scored else "result",
        together=plan.together,
        cells=tuple(tuple(cells.get((row, column)) for column in columns) for row in rows),
    )
