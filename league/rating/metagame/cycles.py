"""The strongest cycles of a payoff: a beats b, b beats c, c beats a. A cycle is as strong as its weakest edge."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from league.rating.ledger import Bools, Floats

LONGEST = 5
"""The most policies in a cycle. Up to five, every closed walk is a cycle, for no two policies beat each other."""

Cycle = tuple[int, ...]
"""Policies in order: each beats the next, and the last the first. The smallest number comes first."""


def strongest_cycles(edge: Floats, most: int = 5) -> list[Cycle]:
    """Up to `most` cycles of 3 to `LONGEST` policies that share no edge, the strongest first.

    edge: `[N, N]` how surely the row beats the column, such as the lower bound of its advantage: an edge where it is
    above 0, and then not above 0 the other way. The strongest cycle is the one whose weakest edge is strongest; among
    equals the shorter, then the one with the larger sum. Its edges are removed before the next is looked for.
    """
    return list(islice(_cycles(np.where(edge > 0, edge, 0.0)), most))


def _cycles(edge: Floats) -> Iterator[Cycle]:
    while True:
        inside = _on_cycles(edge > 0)
        values = np.unique(edge[inside])
        if not len(values) or _shortest(edge >= values[0]) is None:
            return
        # The strongest weakest edge, by bisection: with fewer edges there are fewer cycles.
        low, high = 0, len(values)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _shortest(edge >= values[middle]) else (low, middle)
        strong = edge >= values[low]
        length = _shortest(strong)
        assert length is not None
        cycle = _largest(np.where(strong, edge, -np.inf), length, values[low])
        yield cycle
        edge = edge.copy()
        edge[list(cycle), [*cycle[1:], cycle[0]]] = 0.0


def _on_cycles(beats: Bools) -> Bools:
    """`[N, N]` the edges that are part of some cycle, of any length."""
    from scipy.sparse.csgraph import connected_components

    _, label = connected_components(beats, directed=True, connection="strong")
    inside: Bools = beats & (label[:, None] == label)
    return inside


def _shortest(beats: Bools) -> int | None:
    """The length of the shortest cycle of at most `LONGEST` policies; None if there is none."""
    beats = _on_cycles(beats)
    some = beats.any(1)
    step = beats[np.ix_(some, some)].astype(np.float32)
    walks = step
    for length in range(2, LONGEST + 1):
        walks = (walks @ step > 0).astype(np.float32)
        if walks.diagonal().any():
            return length
    return None


def _largest(edge: Floats, length: int, weakest: float) -> Cycle:
    """The cycle of `length` with an edge `weakest` that has the largest sum. edge: -inf where there is none."""
    best: tuple[float, Cycle] | None = None
    for start, then in np.argwhere(edge == weakest).tolist():
        total = np.full(len(edge), -np.inf)
        total[then], back = weakest, []
        for _ in range(length - 2):
            through = total[:, None] + edge
            back.append(through.argmax(0))
            total = through.max(0)
        total = total + edge[:, start]
        last = int(total.argmax())
        if total[last] > -np.inf and (best is None or total[last] > best[0]):
            path = [last]
            for before in reversed(back):
                path.append(int(before[path[-1]]))
            best = float(total[last]), (start, *reversed(path))
    assert best is not None
    cycle = best[1]
    first = cycle.index(min(cycle))
    return (*cycle[first:], *cycle[:first])
