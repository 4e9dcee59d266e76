"""Checkpoints: all that training needs to go on, as one file. Learners (weights, optimiser, counters) and carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from league.errors import SnapshotError
from league.execution.core import Carry
from league.learning.learner import Learner
from league.policies import weights


def save(folder: Path, learners: Sequence[Learner], carries: Mapping[int, Carry]) -> str:
    """Write a checkpoint and return its id. Equal state gives equal bytes."""
    tensors: dict[str, Tensor] = {}
    names: dict[str, list[str]] = {}
    for learner in learners:
        tensors |= {f"learner.{learner.name}.{key}": value for key, value in learner.tensors().items()}
    for table, (state, seated) in carries.items():
        tensors |= {f"table.{table}.{key}": value for key, value in state.items()}
        names[str(table)] = list(seated)
    return weights.write(folder, weights.pack(tensors, {"tables": names}))


def load(folder: Path, id: str, learners: Sequence[Learner]) -> dict[int, Carry]:
    """Bring the learners to where the checkpoint left them; returns the tables' carries. Raises SnapshotError."""
    metadata, tensors = weights.read(folder, id, finite=False)
    names: Any = metadata.get("tables")
    if not isinstance(names, dict):
        raise SnapshotError(f"{id[:8]} is not a checkpoint of a run")
    for learner in learners:
        prefix = f"learner.{learner.name}."
        learner.load({key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)})
    return {
        int(table): (
            {
                key.removeprefix(f"table.{table}."): value
                for key, value in tensors.items()
                if key.startswith(f"table.{table}.")
            },
            tuple(seated),
        )
        for table, seated in names.items()
    }
