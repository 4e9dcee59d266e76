"""What a run stores about each learner besides its weights: lineage, counters and hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from league.learning.learner import Learner
from league.records import LearnerView, PolicyId, Snapshot


@dataclass(slots=True)
class LearnerProgress:
    """A learner's position in the lineage of snapshots.

    parent: of its next snapshot. taken: its number of snapshots so far. exploited_at: its agent-steps when an exploit
    last overwrote it; exploited: the round.
    """

    parent: PolicyId | None = None
    taken: int = 0
    exploited_at: int = 0
    exploited: int = 0

    def view(self, learner: Learner, table: int, snapshots: Sequence[Snapshot]) -> LearnerView:
        """What a matchmaker may know about the learner. snapshots: the pool, oldest first."""
        return LearnerView(
            name=learner.name,
            role=learner.role.name,
            table=table,
            steps=learner.steps,
            steps_since_exploit=learner.steps - self.exploited_at,
            exploited=self.exploited,
            latest=next(one.id for one in reversed(snapshots) if one.learner == learner.name),
            hyperparameters=hyperparameters_of(learner),
        )

    def record(self, learner: Learner) -> dict[str, object]:
        """The progress and the learner's counters as JSON values, as a round's row stores them."""
        return {
            "steps": learner.steps,
            "skipped": learner.skipped,
            "hyperparameters": dict(learner.hyperparameters),
            "parent": self.parent,
            "taken": self.taken,
            "exploited_at": self.exploited_at,
            "exploited": self.exploited,
            "begun": learner.begun,
        }

    @staticmethod
    def restore(learner: Learner, record: Mapping[str, object]) -> LearnerProgress:
        """Restore the progress that `record` returned; also sets the learner's counters and hyperparameters."""
        values = dict(record)
        learner.steps, learner.skipped = int(str(values["steps"])), int(str(values["skipped"]))
        hyperparameters = values["hyperparameters"]
        assert isinstance(hyperparameters, dict)
        learner.hyperparameters = dict(hyperparameters)
        # Runs of earlier versions lack the last two.
        learner.begun = int(str(values.get("begun", 0)))
        parent = values["parent"]
        return LearnerProgress(
            None if parent is None else str(parent),
            int(str(values["taken"])),
            int(str(values["exploited_at"])),
            int(str(values.get("exploited", 0))),
        )


def hyperparameters_of(learner: Learner) -> dict[str, float]:
    """All float settings of a learner, sorted by name, as a snapshot stores them."""
    values = learner.settings.model_dump()
    return {key: float(value) for key, value in sorted(values.items()) if isinstance(value, float)}
