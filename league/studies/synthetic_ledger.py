"""Synthetic ledgers of any length with known strengths, to test and measure ratings and readers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from league import files
from league.config.load import to_dict
from league.config.run import RunConfig
from league.config.sections import GameConfig
from league.records import MatchResult, PolicyId, Snapshot, anchor
from league.run.roster.game_facts import GAME_FACT, GameFacts
from league.run.roster.ranking import refresh
from league.storage.provenance import provenance
from league.storage.store import Store

SEAT, DRAW = 0.2, 0.3
"""The model of the games: the first side's advantage in log-odds, and Davidson's nu."""

_GAME = "tictactoe"
_AT_ONCE = 50_000


def strengths(snapshots: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """`[snapshots]` true strengths in log-odds, which grow with the number like a learner's. The anchor's is 0."""
    rng = np.random.default_rng([seed, 0])
    return np.linspace(0.5, 6.0, snapshots) + 0.5 * rng.standard_normal(snapshots)


def mean_results(true: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """`[N, N]` the expected result of the row against the column, both on either side equally often. true: `[N]`."""
    gap = true[:, None] - true
    won, drawn = np.zeros_like(gap), np.zeros_like(gap)
    for seat in (SEAT, -SEAT):
        weights = np.stack([np.exp((gap + seat) / 2.0), np.full_like(gap, DRAW), np.exp(-(gap + seat) / 2.0)])
        won, drawn = won + weights[0] / weights.sum(0), drawn + weights[1] / weights.sum(0)
    return np.asarray((won + drawn / 2.0) / 2.0)


def duels(ids: list[PolicyId], matches: int, seed: int = 0) -> Iterator[MatchResult]:
    """`matches` single games between random pairs of `ids`, drawn from the model of Davidson 1970.

    ids: the anchor, then the snapshots, in the order of `strengths`.
    """
    rng = np.random.default_rng([seed, 1])
    true = np.append(0.0, strengths(len(ids) - 1, seed))
    outcomes = ((0, 1), (0, 0), (1, 0))
    for begin in range(0, matches, _AT_ONCE):
        size = min(_AT_ONCE, matches - begin)
        first = rng.integers(0, len(ids), size)
        second = (first + rng.integers(1, len(ids), size)) % len(ids)
        gap = (true[first] - true[second] + SEAT) / 2.0
        weights = np.stack([np.exp(gap), np.full(size, DRAW), np.exp(-gap)])
        outcome = (rng.random(size) > np.cumsum(weights / weights.sum(0), axis=0)[:2]).sum(0)
        rows = zip(first.tolist(), second.tolist(), outcome.tolist(), strict=True)
        for number, (a, b, how) in enumerate(rows, begin):
            score = 1.0 - how
            scores, squares = (score, -score), (score**2, score**2)
            yield MatchResult(
                lineup=((ids[a],), (ids[b],)),
                games=1,
                placements={outcomes[how]: 1},
                score_sum=scores,
                score_sq=squares,
                episodes=1,
                turns=9,
                seed=number,
                round=1,
            )


def synthetic_run(folder: Path, matches: int, snapshots: int, seed: int = 0) -> None:
    """Create a run of this size in `folder`, with its ratings cached.

    Its snapshot files hold no policies, so that the run can be rated and read but not played. Raises RunError.
    """
    config = to_dict(RunConfig(game=GameConfig(id=_GAME)))
    facts = asdict(GameFacts(_GAME, ("player",), False))
    with Store.create(folder, config, {GAME_FACT: facts}, provenance()) as store:
        with store.transaction():
            ids = ["random"]
            store.put_snapshot(anchor("player", 1), 0.0)
            for number in range(snapshots):
                content = f"{seed} {number}".encode()
                id = files.digest(content)
                # Not written durably: syncing thousands of files would take longer than everything else here.
                files.content_path(store.snapshot_folder, id).write_bytes(content)
                parent = ids[-1] if number else None
                store.put_snapshot(
                    Snapshot(
                        id=id,
                        role="player",
                        learner="main",
                        number=number,
                        round=number,
                        steps=1000 * number,
                        origin="trained",
                        parent=parent,
                    ),
                    float(number),
                )
                ids.append(id)
        rows = duels(ids, matches, seed)
        while some := list(islice(rows, _AT_ONCE)):
            store.put_results(some)
        refresh(store)
