"""Jobs and the executor that runs them. A job is a function of what it names, so that it can run anywhere.

`Executor` is the seam for other engines (worker processes, a cluster); `InlineExecutor` runs jobs here, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from league.events import Tick, part
from league.execution.training_table import Trained, TrainingTable
from league.games.core import Game
from league.games.native.core import NativeGame
from league.learning.learner import Learner
from league.play.fixture import Fixture
from league.play.match import play
from league.policies.core import Policy
from league.records import MatchResult, PolicyId, Post, Seating
from league.threads import Threads


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


MATCH_SLOTS = 16384
"""Games of a match that are played side by side in one batch."""

_BATCHES = 16
"""Batches of a long match at most: as many threads can share it."""

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
    equal seeds and actions give equal episodes; where not, every round begins with fresh ones. threads: share out
    updates and matches. team_reward: seats learn from the mean reward of their side. posts: those that the lineups of
    training tables fill; by default the game's own.
    """

    make: Callable[[int], Game]
    seeds: tuple[int, ...]
    slots: int
    replays: bool = True
    threads: Threads = field(default_factory=Threads)
    team_reward: bool = False
    posts: tuple[Post, ...] | None = None
    _tables: dict[int, TrainingTable] = field(default_factory=dict)
    _rated: list[Game] = field(default_factory=list)

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
        if not self._rated:
            self._rated = match_games(self.make, episodes, self.slots)
        elif isinstance(self._rated[0], NativeGame):
            self._rated = _batches(self._rated[0], episodes)
        return play(self._rated, job.policies, job.fixtures, job.temperature, tick, threads=self.threads)

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
        for game in [*(table.game for table in self._tables.values()), *self._rated]:
            game.close()
        self.threads.close()

    def _table(self, number: int) -> TrainingTable:
        if number not in self._tables:
            self._tables[number] = TrainingTable(
                self.make(self.slots), number, self.seeds[number], self.threads, self.team_reward, self.posts
            )
        return self._tables[number]


def match_games(make: Callable[[int], Game], episodes: int, slots: int) -> list[Game]:
    """Games to play a match of so many episodes in, side by side.

    make: a new game of so many slots. Environments: one game of `slots`. Native games: of at most `MATCH_SLOTS` slots,
    several of them where there are episodes for more. How many does not depend on the machine.
    """
    probe = make(1)
    if isinstance(probe, NativeGame):
        return _batches(probe, episodes)
    probe.close()
    return [make(min(episodes, slots))]


def _batches(game: NativeGame, episodes: int) -> list[Game]:
    """Copies of a native game for a match: to fork one is cheap, to make one may mean to unroll its rules."""
    batches = 2 if episodes >= MATCH_SLOTS else 1
    while batches < _BATCHES and episodes >= 4 * batches * MATCH_SLOTS:
        batches *= 2
    game.start(torch.zeros(1, dtype=torch.int64))
    rows = torch.zeros(min(-(-episodes // batches), MATCH_SLOTS), dtype=torch.int64, device=game.device)
    return [game.fork(rows) for _ in range(batches)]
