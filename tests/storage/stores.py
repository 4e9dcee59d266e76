"""Shared by the tests of the store: a provenance, and builders of snapshots, results and rounds."""

from __future__ import annotations

from dataclasses import replace

from league import files
from league.records import MatchResult, Snapshot
from league.storage.store import Store

PLACE = {"torch": "2.6", "cpu": "some"}
RANDOM = Snapshot(id="random", role="seat", learner="random", number=0, round=0, steps=0, origin="anchor")


def snapshot(store: Store, number: int = 0, **changes: object) -> Snapshot:
    """A snapshot whose file is written, not yet in the roster."""
    id = files.write_content(store.snapshot_folder, f"weights {number}".encode())
    return replace(
        Snapshot(id=id, role="seat", learner="main", number=number, round=number, steps=9 * number, origin="trained"),
        **changes,
    )


def result(*lineup: tuple[str, ...], **changes: object) -> MatchResult:
    posts = sum(map(len, lineup))
    usual = MatchResult(
        lineup=lineup,
        games=20,
        placements={(0, 1): 11, (1, 0): 6, (0, 0): 3},
        score_sum=tuple(0.1 * post for post in range(posts)),
        score_sq=(20.0,) * posts,
        episodes=20,
        turns=181,
        seed=2**63 - 1,
    )
    return replace(usual, **changes)


def put_round(store: Store, round: int, learners: dict[str, dict[str, object]] | None = None) -> str:
    checkpoint = files.write_content(store.checkpoint_folder, f"checkpoint {round}".encode())
    store.put_round(round, 100 * round, checkpoint, learners or {}, 1.5, {"play": 1.0})
    return checkpoint
