"""Checkpoints: one file with all that resuming needs: learners (weights, optimiser, counters) and carries.

Replay buffers are too large to be written every round. Each of their segments is a separate file, written once, and the
checkpoint names the segments that its learners hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from league.errors import SnapshotError
from league.execution.executor import Carry
from league.learning.learner import Learner, with_prefix
from league.policies import weights
from league.storage.store import Store


def save(store: Store, learners: Sequence[Learner], carries: Mapping[int, Carry]) -> str:
    """Write the new replay segments and the checkpoint. Returns its id. Equal state gives equal bytes."""
    tensors: dict[str, Tensor] = {}
    names: dict[str, list[str]] = {}
    replay: dict[str, list[str]] = {}

    def write(segment: Mapping[str, Tensor]) -> str:
        return weights.write(store.replay_folder, weights.pack(segment, {}))

    for learner in learners:
        tensors |= {f"learner.{learner.name}.{key}": value for key, value in learner.tensors().items()}
        tensors |= {f"experience.{learner.name}.{key}": value for key, value in learner.replay_state().items()}
        if segments := learner.replay_segments(write):
            replay[learner.name] = segments
    for table, (state, seated) in carries.items():
        tensors |= {f"table.{table}.{key}": value for key, value in state.items()}
        names[str(table)] = list(seated)
    metadata: dict[str, object] = {"tables": names}
    return weights.write(
        store.checkpoint_folder, weights.pack(tensors, metadata | ({"replay": replay} if replay else {}))
    )


def load(store: Store, id: str, learners: Sequence[Learner]) -> dict[int, Carry]:
    """Restore the learners from a checkpoint. Returns the tables' carries. Raises SnapshotError."""
    metadata, tensors = weights.read(store.checkpoint_folder, id, finite=False)
    names: Any = metadata.get("tables")
    if not isinstance(names, dict):
        raise SnapshotError(f"{id[:8]} is not a checkpoint of a run")
    replay = _replay(metadata)
    for learner in learners:
        learner.load(with_prefix(tensors, f"learner.{learner.name}."))
        segments = [
            (segment, weights.read(store.replay_folder, segment, finite=False)[1])
            for segment in replay.get(learner.name, ())
        ]
        learner.load_replay(with_prefix(tensors, f"experience.{learner.name}."), segments)
    return {int(table): (with_prefix(tensors, f"table.{table}."), tuple(seated)) for table, seated in names.items()}


def sweep(store: Store) -> None:
    """Remove checkpoints that are no longer needed, and the replay segments that no remaining checkpoint names."""
    kept = store.sweep_checkpoints()
    if not store.replay_folder.exists():
        return
    try:
        named = [_replay(weights.metadata_of(store.checkpoint_folder, id)) for id in sorted(kept)]
    except SnapshotError:
        # The segments that a damaged checkpoint needs are unknown, so all are kept while it exists.
        return
    store.sweep_replay({id for replay in named for ids in replay.values() for id in ids})


def _replay(metadata: Mapping[str, object]) -> dict[str, list[str]]:
    """The segments that a checkpoint names, by learner."""
    found: Any = metadata.get("replay", {})
    return {str(learner): [str(id) for id in ids] for learner, ids in found.items()}
