"""What the games of the same sides say together, whoever sat where and whenever they were played.

Policies do not change, so the order of their games says nothing about them. If a system that rates game by game took
a match's seatings one after the other, the last one would count most: where the first seat always wins, that alone
would set equals apart. So these systems rate meetings, in the order in which their sides first met.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from league.rating.ledger import Ints, Ledger, LineupTotals, Pattern


@dataclass(frozen=True, slots=True)
class Duels:
    """N meetings of one policy against one, in order.

    first, second: `[N]` the policies' numbers. wins, draws, losses: `[N]` games, counted from `first`.
    """

    first: Ints
    second: Ints
    wins: Ints
    draws: Ints
    losses: Ints


class Meeting(NamedTuple):
    """One meeting of any sides: the policies' numbers by side, and how many games ended with each pattern of ranks."""

    sides: tuple[tuple[int, ...], ...]
    placements: dict[Pattern, int]


def meetings(ledger: Ledger) -> Iterator[Duels | Meeting]:
    """All meetings in the order in which the sides first met, duels in a row together.

    Games in which all sides are the same policies are left out, for they say nothing.
    """
    places = ledger.first_rows()
    duels, place = _duels([(table, at) for table, at in zip(ledger.tables, places, strict=True) if _is_duel(table)])
    others: dict[tuple[tuple[int, ...], ...], tuple[int, dict[Pattern, int]]] = {}
    for table, at in zip(ledger.tables, places, strict=True):
        if not _is_duel(table):
            _gather(others, table, at)
    done = 0
    for sides, (row, placements) in sorted(others.items(), key=lambda item: item[1][0]):
        upto = int(np.searchsorted(place, row))
        if upto > done:
            yield _part(duels, slice(done, upto))
        done = upto
        yield Meeting(sides, placements)
    if done < len(place):
        yield _part(duels, slice(done, None))


def _is_duel(table: LineupTotals) -> bool:
    return table.sizes == (1, 1)


def _duels(tables: list[tuple[LineupTotals, Ints]]) -> tuple[Duels, Ints]:
    """The duels of these tables, and the row of each one's first game."""
    empty = np.zeros((0, 3), dtype=np.int64)
    members = np.concatenate([empty[:, :2], *(table.members for table, _ in tables)]).astype(np.int64)
    games = np.concatenate([empty, *(_by_result(table) for table, _ in tables)])
    at = np.concatenate([empty[:, 0], *(at for _, at in tables)])
    apart = members[:, 0] != members[:, 1]
    members, games, at = members[apart], games[apart], at[apart]
    low, high = members.min(1), members.max(1)
    games[low != members[:, 0]] = games[low != members[:, 0], ::-1]
    _, first, which = np.unique(low << 32 | high, return_index=True, return_inverse=True)
    total, place = np.zeros((len(first), 3), dtype=np.int64), at[first]
    np.add.at(total, which, games)
    np.minimum.at(place, which, at)
    order = np.argsort(place)
    wins, draws, losses = total[order].T
    return Duels(low[first][order], high[first][order], wins, draws, losses), place[order]


def _by_result(table: LineupTotals) -> Ints:
    """`[L, 3]` wins, draws and losses of the first side."""
    found = np.zeros((len(table.members), 3), dtype=np.int64)
    for pattern, games in zip(table.patterns, table.counts.T, strict=True):
        found[:, 1 + int(np.sign(pattern[0] - pattern[1]))] += games
    return found


def _gather(
    found: dict[tuple[tuple[int, ...], ...], tuple[int, dict[Pattern, int]]], table: LineupTotals, at: Ints
) -> None:
    """Add the lineups of a table. found: by sides, the row of the first game and the games by pattern."""
    for members, counts, row in zip(table.members.tolist(), table.counts.tolist(), at.tolist(), strict=True):
        seated = [tuple(members[side]) for side in table.sides]
        order = sorted(range(len(seated)), key=seated.__getitem__)
        sides = tuple(seated[seat] for seat in order)
        if sides[0] == sides[-1]:
            continue
        began, placements = found.get(sides, (row, {}))
        for pattern, games in zip(table.patterns, counts, strict=True):
            if games:
                ranks = tuple(pattern[seat] for seat in order)
                placements[ranks] = placements.get(ranks, 0) + games
        found[sides] = min(began, row), placements


def _part(duels: Duels, part: slice) -> Duels:
    return Duels(duels.first[part], duels.second[part], duels.wins[part], duels.draws[part], duels.losses[part])
