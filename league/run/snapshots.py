"""Snapshots: a learner's policy frozen into an immutable file."""

from __future__ import annotations

from pathlib import Path

from league.games.core import GameSpec
from league.learning.learner import Learner
from league.policies import weights
from league.policies.neural import snapshot_metadata
from league.records import Origin, Snapshot
from league.run.progress import LearnerProgress, hyperparameters_of


def write_snapshot(folder: Path, spec: GameSpec, learner: Learner, progress: LearnerProgress, number: int) -> Snapshot:
    """Write a learner's policy and advance its lineage. The returned record is not in the database yet.

    folder: of the run's snapshots. number: of the round.
    """
    origin: Origin = "trained" if learner.steps else "initial"
    lineage = {
        "learner": learner.name,
        "number": progress.taken,
        "round": number,
        "steps": learner.steps,
        "parent": progress.parent,
        "origin": origin,
        "hyperparameters": hyperparameters_of(learner),
    }
    policy = learner.frozen()
    metadata = snapshot_metadata(spec, learner.role, policy.actor.spec, policy.epsilon) | lineage
    id = weights.write(folder, weights.pack(policy.weights(), metadata))
    snapshot = Snapshot(
        id=id,
        role=learner.role.name,
        learner=learner.name,
        number=progress.taken,
        round=number,
        steps=learner.steps,
        origin=origin,
        parent=progress.parent,
        hyperparameters=hyperparameters_of(learner),
    )
    progress.parent, progress.taken = id, progress.taken + 1
    return snapshot
