"""The ledger read as columns equals the ledger built from records of any shape; and cached records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from league import files
from league.rating.ledger import Ledger
from league.rating.standings import Record
from league.records import MatchResult, Snapshot
from league.storage import reading
from league.storage.store import Store

PATTERNS = {1: [(0,)], 2: [(0, 1), (0, 0), (1, 0)], 3: [(0, 1, 2), (1, 0, 1), (2, 0, 0)]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A run with an anchor and three snapshots."""
    with Store.create(tmp_path, {}, {}, {"cpu": "some"}) as store:
        store.put_snapshot(
            Snapshot(id="random", role="seat", learner="", number=0, round=0, steps=0, origin="anchor"), 0.0
        )
        for number in range(3):
            id = files.write_content(store.snapshot_folder, bytes([number]))
            store.put_snapshot(
                Snapshot(id=id, role="seat", learner="main", number=number, round=number, steps=0, origin="trained"),
                0.0,
            )
        yield store


def drawn(store: Store, count: int, seed: int = 0) -> list[MatchResult]:
    """Results with one to three sides of one or two policies, whose scores survive only exact storage."""
    rng = np.random.default_rng(seed)
    ids = [snapshot.id for snapshot in store.snapshots()]
    found = []
    for number in range(count):
        sides, size = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        lineup = tuple(tuple(ids[i] for i in rng.integers(0, len(ids), size)) for _ in range(sides))
        chosen = rng.permutation(len(PATTERNS[sides]))[: rng.integers(1, 3)].tolist()
        placements = {PATTERNS[sides][i]: int(rng.integers(1, 9)) for i in chosen}
        games, scores = sum(placements.values()), rng.normal(size=(2, sides * size)) / 3.0
        score_sum, score_sq = (tuple(row.tolist()) for row in scores)
        paired = bool(rng.integers(2))
        found.append(
            MatchResult(
                lineup=lineup,
                games=games,
                placements=placements,
                score_sum=score_sum,
                score_sq=score_sq,
                episodes=2 * games,
                turns=9,
                seed=number,
                paired=paired,
            )
        )
    return found


def state(ledger: Ledger) -> list[object]:
    return [
        ledger.ids,
        list(ledger.rows()),
        *((t.episodes.tolist(), t.score_sum.tolist(), t.score_sq.tolist()) for t in ledger.tables),
    ]


def test_columns_are_the_records(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MATCHES_PER_READ", 7)
    results = drawn(store, 40)
    store.put_results(results[:15])
    store.put_results(results[15:])
    assert state(store.ledger()) == state(Ledger(results)) == state(Ledger(store.results()))
    assert state(store.ledger(upto=19)) == state(Ledger(results[:19]))
    assert list(store.ledger(scored=False).rows()) == list(Ledger(results).rows())


def test_an_empty_ledger(store: Store) -> None:
    assert len(store.ledger()) == 0


def test_the_results_of_one_policy(store: Store) -> None:
    results = drawn(store, 40)
    store.put_results(results)
    for snapshot in store.snapshots():
        its = [one for one in results if snapshot.id in one.policies]
        assert store.results(of=snapshot.id) == its
        assert store.results(since=20, of=snapshot.id) == [one for one in its if one.seed >= 20]


def test_cached_records_are_replaced(store: Store) -> None:
    first = store.snapshots()[1].id
    assert store.records() == ({}, 0)
    store.put_records({"random": Record(1, 0, 2, 1.0), first: Record(2, 0, 1, 2.0)}, 1)
    store.put_records({first: Record(3, 1, 1, 1 / 3)}, 4)
    assert store.records() == ({first: Record(3, 1, 1, 1 / 3)}, 4)
