"""A round: its results, what its matchmaker may see, and the training jobs of its plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from league.errors import PlanError
from league.events import Exploited
from league.execution.executor import Executor, TrainRound
from league.execution.training_table import Trained
from league.learning.diagnostics.monitor import Diagnosis
from league.learning.learner import Learner
from league.rating.ledger import Floats
from league.records import (
    ExploitabilityBound,
    LeagueView,
    MatchResult,
    Plan,
    PolicyId,
    Post,
    Snapshot,
    TrainingResult,
)
from league.run.progress import LearnerProgress
from league.run.recovery import AgainstPast
from league.run.roster.roster import Roster

Tables = Sequence[tuple[Learner, ...]]
"""The learners of each training table, by role."""


@dataclass(slots=True, kw_only=True)
class Round:
    """The results of a round, filled in as it proceeds. phases: seconds by name.

    past: how learners fare against their own past as the round begins, by name. taken: snapshots that joined the
    roster. exploitability: of those among them that were due for it. evicted: those that left the pool. results: of
    rated matches. diagnosis: findings that begin in this round.
    """

    number: int
    past: Mapping[str, AgainstPast] = field(default_factory=dict)
    exploited: Sequence[Exploited] = ()
    trained: Sequence[Trained] = ()
    taken: Sequence[Snapshot] = ()
    exploitability: Mapping[PolicyId, ExploitabilityBound] = field(default_factory=dict)
    evicted: Sequence[PolicyId] = ()
    results: Sequence[MatchResult] = ()
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    phases: dict[str, float] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, Mapping[str, float]]:
        """Metrics by learner."""
        found = {learner: metrics for one in self.trained for learner, metrics in one.metrics.items()}
        past = {learner: one.metrics for learner, one in self.past.items()}
        exact = {
            one.learner: {"exploitability": self.exploitability[one.id].value}
            for one in self.taken
            if one.id in self.exploitability
        }
        return {
            learner: {**metrics, **past.get(learner, {}), **exact.get(learner, {})}
            for learner, metrics in found.items()
        }

    @property
    def training(self) -> list[TrainingResult]:
        """Training results of all tables."""
        return [result for one in self.trained for result in one.results]

    @property
    def agent_steps(self) -> int:
        """Agent-steps of all tables."""
        return sum(one.agent_steps for one in self.trained)


def total_phases(trained: Sequence[Trained]) -> dict[str, float]:
    """Seconds by phase, over all tables."""
    names = dict.fromkeys(name for one in trained for name in one.phases)
    return {name: sum(one.phases.get(name, 0.0) for one in trained) for name in names}


def view_of(
    number: int,
    *,
    tables: Tables,
    progress: Mapping[str, LearnerProgress],
    roster: Roster,
    training: Iterable[TrainingResult],
    posts: tuple[Post, ...],
    slots: int,
) -> LeagueView:
    """What the matchmaker sees before a round. progress: by learner; the rest as in `LeagueView`."""

    def gains(policies: Sequence[PolicyId]) -> Floats:
        found = {one.id: one for one in roster.entrants.pool}
        if strange := [policy for policy in policies if policy not in found]:
            raise PlanError(f"the matchmaker asked for the gains of {strange[0]}, which is not in `view.snapshots`")
        return roster.ratings.gains([found[policy] for policy in policies])

    return LeagueView(
        round=number,
        posts=posts,
        learners=tuple(
            progress[learner.name].view(learner, table, roster.entrants.pool)
            for table, members in enumerate(tables)
            for learner in members
        ),
        snapshots=tuple(roster.entrants.pool),
        anchors=roster.entrants.active,
        ratings=roster.ratings.field,
        training=tuple(training),
        slots=slots,
        gains=gains,
    )


def training_jobs(
    number: int, plan: Plan, tables: Tables, executor: Executor, roster: Roster, turns: int
) -> list[TrainRound]:
    """One job per table, with every frozen policy that is seated in new or unfinished episodes."""
    live = {learner.name: learner for members in tables for learner in members}
    names: set[PolicyId] = set()
    for table, members in enumerate(tables):
        seated = {name for seating in plan.seatings[table] for name in seating.lineup}
        names |= (seated | executor.seated(table)) - {learner.name for learner in members}
    # Learners of other tables play with their current weights, no matter when their own table is trained.
    frozen = {name: live[name].frozen() if name in live else roster.policy(name) for name in sorted(names)}
    return [
        TrainRound(
            table=table,
            round=number,
            learners=members,
            seatings=plan.seatings[table],
            policies=frozen,
            turns=turns,
        )
        for table, members in enumerate(tables)
    ]
