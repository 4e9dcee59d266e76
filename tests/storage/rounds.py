"""A writer of a run that trains nothing, for tests that kill it: `python rounds.py FOLDER ROUNDS [STEP]`.

It creates or resumes the run, writes rounds whose content depends only on their number, and prints the number of each
round once it is committed. STEP: die (SIGKILL) before the STEP-th step that `league.files` announces.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

from league import files
from league.records import MatchResult, Rating, Snapshot
from league.storage.store import FILE, Store


def write_round(store: Store, round: int) -> None:
    """Write everything that a round of a real run writes, in the same order."""
    draw = random.Random(round)
    snapshot_id = files.write_content(store.snapshot_folder, draw.randbytes(20_000))
    checkpoint = files.write_content(store.checkpoint_folder, draw.randbytes(200_000))
    parent = store.snapshots()[-1].id
    with store.transaction():
        store.put_snapshot(
            Snapshot(
                id=snapshot_id,
                role="seat",
                learner="main",
                number=round,
                round=round,
                steps=round,
                origin="trained",
                parent=parent,
            ),
            float(round),
        )
        lineup = ((snapshot_id,), (parent,))
        for games in (10, 20):
            store.put_results(
                [
                    MatchResult(
                        lineup=lineup,
                        games=games,
                        placements={(0, 1): games},
                        score_sum=(1.0, -1.0),
                        score_sq=(1.0, 1.0),
                        episodes=games,
                        turns=99,
                        seed=round,
                        round=round,
                    )
                ]
            )
        store.put_metrics(round, "main", {"entropy": draw.random(), "approx_kl": float("nan")})
        store.put_ratings("elo", {snapshot_id: Rating(round, -1.0, 1.0, 30)}, store.last_match())
        store.put_round(round, round, checkpoint, {"main": {"steps": round}}, draw.random(), {})
    print(round, flush=True)
    store.sweep_checkpoints()


def main(folder: Path, rounds: int, step: int) -> None:
    """Write rounds up to number `rounds`."""
    count = 0

    def kill(point: str) -> None:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)

    files.faults = kill
    exists = (folder / FILE).exists()
    with Store.open(folder) if exists else Store.create(folder, {"seed": 1}, {}, {"cpu": "some"}) as store:
        if not store.snapshots():
            store.put_snapshot(
                Snapshot(id="random", role="seat", learner="random", number=0, round=0, steps=0, origin="anchor"), 0.0
            )
        print("open", flush=True)
        last = store.last_round()
        for round in range(last.round + 1 if last else 1, rounds + 1):
            write_round(store, round)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
