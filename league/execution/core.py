"""Jobs and the executor that runs them. A job is a function of what it names, so that it can run anywhere.

`Executor` is the seam for other engines (worker processes, a cluster); `InlineExecutor` runs jobs here, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from league.events import Tick, part
from league.execution.training import Trained, TrainingTable
from league.games.core import Game, NativeGame
from league.learning.learner import Learner
from league.play.fixture import Fixture
from league.play.match import play
from league.policies.core import Policy
from league.records import MatchResult, PolicyId, Seating


@dataclass(frozen=True, slots=True)
class TrainRound:
    """Train one table's learners through one round. policies: every frozen policy that may be seated."""

    table: int
    round: int
    learners: tuple[Learner, ...]
    seatings: tuple[Seating, ...]
    policies: Mapping[PolicyId, Policy]
    turns: int


@dataclass(frozen=True, slots=True)
class PlayMatches:
    """Play fixtures between frozen policies."""

    fixtures: tuple[Fixture, ...]
    policies: Mapping[PolicyId, Policy]
    temperature: float = 1.0


Carry = tuple[dict[str, Tensor], tuple[PolicyId, ...]]


class Executor(Protocol):
    """Runs jobs and keeps the training tables' live games between rounds."""

    def train(self, jobs: Sequence[TrainRound], tick: Tick) -> list[Trained]:
        """Results in job order; the jobs' learners are changed in place."""
        ...

    def play(self, job: PlayMatches, tick: Tick) -> list[MatchResult]:
        """One result a fixture, in order."""
        ...

    def seated(self, table: int) -> set[PolicyId]:
        """The policies that a table's unfinished episodes are played by."""
        ...

    def carries(self) -> dict[int, Carry]:
        """All that play keeps between rounds, by table."""
        ...

    def restore(self, carries: Mapping[int, Carry]) -> None:
        """Go on from saved carries."""
        ...

    def close(self) -> None:
        """Give back games and workers."""
        ...


@dataclass(slots=True)
class InlineExecutor:
    """Runs every job in this process, in order.

    make: a new game of so many slots. seeds: of each training table. slots: of a training table. replays: whether
    equal seeds and actions give equal episodes; where not, every round begins with fresh ones. match_slots: how many
    games of a match are played side by side at most (native games; others use `slots`).
    """

    make: Callable[[int], Game]
    seeds: tuple[int, ...]
    slots: int
    replays: bool = True
    match_slots: int = 1024
    _tables: dict[int, TrainingTable] = field(default_factory=dict)
    _rated: Game | None = None

    def train(self, jobs: Sequence[TrainRound], tick: Tick) -> list[Trained]:
        """See `Executor.train`."""
        return [
            self._table(job.table).round(
                job.round,
                job.learners,
                job.policies,
                job.seatings,
                job.turns,
                part(tick, done / len(jobs), 1 / len(jobs)),
            )
            for done, job in enumerate(jobs)
        ]

    def play(self, job: PlayMatches, tick: Tick) -> list[MatchResult]:
        """See `Executor.play`."""
        if not job.fixtures:
            return []
        episodes = sum(fixture.games * len(fixture.episodes) for fixture in job.fixtures)
        return play(self._rated_game(episodes), job.policies, job.fixtures, job.temperature, tick)

    def seated(self, table: int) -> set[PolicyId]:
        """See `Executor.seated`."""
        return self._table(table).seated()

    def carries(self) -> dict[int, Carry]:
        """See `Executor.carries`."""
        return {number: table.carry() for number, table in sorted(self._tables.items())} if self.replays else {}

    def restore(self, carries: Mapping[int, Carry]) -> None:
        """See `Executor.restore`."""
        for number, (tensors, names) in carries.items():
            self._table(number).restore(tensors, names)

    def close(self) -> None:
        """See `Executor.close`."""
        for game in [*(table.game for table in self._tables.values()), *([self._rated] if self._rated else [])]:
            game.close()

    def _table(self, number: int) -> TrainingTable:
        if number not in self._tables:
            self._tables[number] = TrainingTable(self.make(self.slots), number, self.seeds[number])
        return self._tables[number]

    def _rated_game(self, episodes: int) -> Game:
        """A native game is cheap to make anew at the size wanted; environments are kept."""
        if isinstance(self._rated, NativeGame) or self._rated is None:
            probe = self._rated or self.make(1)
            native = isinstance(probe, NativeGame)
            self._rated = self.make(min(episodes, self.match_slots) if native else min(self.slots, self.match_slots))
        return self._rated
