"""Ledger rows and snapshots for the tests of the rating room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from league.records import MatchResult, Snapshot

RANDOM = frozenset({"random"})


def row(
    *sides: str,
    placements: Mapping[tuple[int, ...], int],
    paired: bool = False,
    scores: tuple[float, ...] = (),
    squares: tuple[float, ...] = (),
) -> MatchResult:
    """A ledger row; each side names its policies, separated by spaces."""
    lineup = tuple(tuple(side.split()) for side in sides)
    posts = sum(map(len, lineup))
    games = sum(placements.values())
    zero = (0.0,) * posts
    return MatchResult(
        lineup=lineup,
        games=games,
        placements=placements,
        score_sum=scores or zero,
        score_sq=squares or zero,
        episodes=games,
        turns=games,
        seed=0,
        paired=paired,
    )


def duel(a: str, b: str, wins: int, draws: int, losses: int, paired: bool = False) -> MatchResult:
    """A two-sided row, counted from the first side."""
    counts = {(0, 1): wins, (0, 0): draws, (1, 0): losses}
    return row(a, b, placements={pattern: n for pattern, n in counts.items() if n}, paired=paired)


def snapshot(id: str, number: int = 1, origin: str = "trained", role: str = "any", **fields: object) -> Snapshot:
    """A snapshot of learner "main"; `fields` replace what else there is."""
    known: dict[str, object] = {"learner": "main", "round": number, "steps": 0} | fields
    return Snapshot(id=id, number=number, origin=origin, role=role, **known)  # type: ignore[arg-type]


def simulated(
    strength: Mapping[str, float], games: int, rng: np.random.Generator, side: float = 0.0, nu: float = 0.0
) -> list[MatchResult]:
    """`games` games for every ordered pair, drawn from Davidson's model. strength, side (of the first): log-odds."""
    rows = []
    for a in strength:
        for b in strength:
            if a != b:
                gap = (strength[a] - strength[b] + side) / 2.0
                weights = np.array([np.exp(gap), nu, np.exp(-gap)])
                wins, draws, losses = map(int, rng.multinomial(games, weights / weights.sum()))
                rows.append(duel(a, b, wins, draws, losses))
    return rows


def ids(rows: Sequence[MatchResult]) -> list[str]:
    """Everybody who played, sorted."""
    return sorted({policy for one in rows for policy in one.policies})
