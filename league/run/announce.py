"""The events that a run announces when it starts and after each round, in the order in which listeners get them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from league.config.run import RunConfig
from league.events import Event, Evicted, RoundFinished, RunStarted, SnapshotTaken, Warned
from league.learning.learner import Learner
from league.plugins import short
from league.records import Standing
from league.run.budget import Budget
from league.run.roster.roster import Roster
from league.run.rounds import Round


def run_started(
    *,
    folder: Path,
    config: RunConfig,
    roster: Roster,
    learners: Sequence[Learner],
    resumed: bool,
    round: int,
    steps: int,
    budget: Budget,
    warnings: Sequence[str],
) -> Iterator[Event]:
    """The run starts or resumes. warnings: what the user should know beforehand."""
    yield RunStarted(
        folder=str(folder),
        game=roster.spec.id,
        matchmaking=short(config.matchmaking.kind),
        learners=tuple(learner.name for learner in learners),
        resumed=resumed,
        round=round,
        steps=steps,
        rounds_budget=budget.rounds,
        steps_budget=budget.steps,
        seconds_budget=budget.seconds,
        one_sided=roster.ranking.game.one_sided,
        seating=roster.spec.seating,
    )
    for warning in warnings:
        yield Warned(round, warning)


def round_finished(
    this: Round,
    *,
    steps: int,
    seconds: float,
    standings: Mapping[str, tuple[Standing, ...]],
    roster: Roster,
    remaining: float | None,
) -> Iterator[Event]:
    """A round is committed. steps: agent-steps in total. seconds: its duration. standings: by role."""
    yield from this.exploited
    for snapshot in this.taken:
        yield SnapshotTaken(this.number, snapshot, this.exploitability.get(snapshot.id))
    if this.evicted:
        yield Evicted(this.number, len(this.evicted), len(roster.entrants.pool))
    yield RoundFinished(
        round=this.number,
        steps=steps,
        seconds=seconds,
        steps_per_second=this.agent_steps / max(seconds, 1e-9),
        phases=this.phases,
        metrics=this.metrics,
        standings=standings,
        matches=len(roster.ratings.ledger),
        games=roster.ratings.ledger.games,
        remaining=remaining,
    )
    for finding in this.diagnosis.findings:
        yield Warned(this.number, finding.message)
    for failure in this.diagnosis.failures:
        yield Warned(this.number, failure)
