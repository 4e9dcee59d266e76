"""The executor of a run: trains the tables' learners and plays rated matches, in this process, one job after another.

It owns the games: those of the training tables, which continue from round to round, and those for matches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from league.events import Tick, part
from league.execution.random_starts import RandomStarts
from league.execution.training_table import Trained, TrainingTable
from league.games.core import Game
from league.games.native.core import NativeGame
from league.learning.learner import Learner
from league.play.fixture import Fixture
from league.play.match import play
from league.policies.core import Policy
from league.records import MatchResult, PolicyId, Post, Seating
from league.threads import Threads

MATCH_SLOTS = 16384
"""The most games of a match that are played in one batch."""

_MAX_BATCHES = 16
"""The most batches of a long match, and so the most threads that can share it."""

_LEAST_EPISODES = 2048
"""The fewest episodes of each of the first two batches: with fewer, reading all weights twice costs more than a second
thread gains."""

Carry = tuple[dict[str, Tensor], tuple[PolicyId, ...]]
"""What a training table keeps between rounds: tensors, and the policy ids that indices in them refer to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRound:
    """One round of one training table.

    table: its index. learners: trained in place, so a job can only be run once. seatings: lineups and their shares of
    the slots. policies: every frozen policy that may be seated. turns: the length of the rollout.
    """

    table: int
    round: int
    learners: tuple[Learner, ...]
    seatings: tuple[Seating, ...]
    policies: Mapping[PolicyId, Policy]
    turns: int


@dataclass(slots=True, kw_only=True)
class Executor:
    """Trains and plays in this process, and keeps the games between jobs. Must be closed.

    make_game: makes a game with a given number of slots. seeds: one per training table. slots: of each training table.
    posts: filled by the lineups of training tables; by default the game's own. replays: whether equal seeds and actions
    give equal episodes; if not, every round starts fresh episodes. threads: for updates and matches. team_reward: seats
    learn from the mean reward of their side. starts: which training episodes begin with random play.
    """

    make_game: Callable[[int], Game]
    seeds: tuple[int, ...]
    slots: int
    posts: tuple[Post, ...] | None = None
    replays: bool = True
    threads: Threads = field(default_factory=Threads)
    team_reward: bool = False
    starts: RandomStarts | None = None
    _tables: dict[int, TrainingTable] = field(default_factory=dict)
    _match_games: list[Game] = field(default_factory=list)

    def train(self, jobs: Sequence[TrainRound], tick: Tick) -> list[Trained]:
        """Train the jobs' learners in place, in job order. Returns the result of each table's round."""
        return [
            self._table(job.table).round(
                job.round,
                learners=job.learners,
                frozen=job.policies,
                seatings=job.seatings,
                turns=job.turns,
                tick=part(tick, done / len(jobs), 1 / len(jobs)),
            )
            for done, job in enumerate(jobs)
        ]

    def play(self, fixtures: Sequence[Fixture], policies: Mapping[PolicyId, Policy], tick: Tick) -> list[MatchResult]:
        """Play fixtures between frozen policies, with sampled moves. Returns one result per fixture, in order."""
        if not fixtures:
            return []
        episodes = sum(fixture.episode_count for fixture in fixtures)
        if not self._match_games:
            self._match_games = match_games(self.make_game, episodes, self.slots)
        elif isinstance(self._match_games[0], NativeGame):
            self._match_games = _match_batches(self._match_games[0], episodes)
        return play(self._match_games, policies, fixtures, tick=tick, threads=self.threads)

    def seated(self, table: int) -> set[PolicyId]:
        """The policies seated in a table's unfinished episodes."""
        return self._table(table).seated()

    def carries(self) -> dict[int, Carry]:
        """The carry of each table; empty if the game does not replay."""
        return {number: table.carry() for number, table in sorted(self._tables.items())} if self.replays else {}

    def restore(self, carries: Mapping[int, Carry]) -> None:
        """Continue from saved carries."""
        for number, (tensors, names) in carries.items():
            self._table(number).restore(tensors, names)

    def close(self) -> None:
        """Close the games, with their worker processes, and the threads."""
        for game in [*(table.game for table in self._tables.values()), *self._match_games]:
            game.close()
        self.threads.close()

    def _table(self, number: int) -> TrainingTable:
        if number not in self._tables:
            self._tables[number] = TrainingTable(
                self.make_game(self.slots),
                number,
                self.seeds[number],
                threads=self.threads,
                team_reward=self.team_reward,
                posts=self.posts,
                starts=self.starts,
            )
        return self._tables[number]


def match_games(make: Callable[[int], Game], episodes: int, slots: int) -> list[Game]:
    """The games in which a match of `episodes` episodes is played, side by side.

    make: makes a game with a given number of slots. Environments: one game with at most `slots`. Native games: at most
    `MATCH_SLOTS` slots each, and several games for many episodes. Their number does not depend on the machine.
    """
    probe = make(1)
    if isinstance(probe, NativeGame):
        return _match_batches(probe, episodes)
    probe.close()
    return [make(min(episodes, slots))]


def _match_batches(game: NativeGame, episodes: int) -> list[Game]:
    """Forks of a native game for a match: forking is cheap, while making one may mean unrolling its rules."""
    batches = 2 if episodes >= 2 * _LEAST_EPISODES else 1
    while batches < _MAX_BATCHES and episodes >= 4 * batches * MATCH_SLOTS:
        batches *= 2
    game.start(torch.zeros(1, dtype=torch.int64))
    rows = torch.zeros(min(-(-episodes // batches), MATCH_SLOTS), dtype=torch.int64, device=game.device)
    return [game.fork(rows) for _ in range(batches)]
