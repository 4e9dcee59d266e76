"""A measurement (`Probe`), the amount of work it may do (`Effort`), and what it measures (`Workload`)."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from league.config.load import to_dict, with_overrides
from league.config.run import RunConfig
from league.execution.executor import Executor
from league.games.core import Game, GameSpec
from league.games.native.core import NativeGame
from league.games.registry import make
from league.learning.settings import ActorCriticSettings
from league.policies.neural import NeuralPolicy
from league.records import PolicyId
from league.run.learners import new_learner
from league.run.open import resolve_device
from league.run.slots import usual_slots
from league.run.tuning import Tuning, choose
from league.threads import Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much work a benchmark does.

    cycles: passes over all probes. seconds: the least duration of a sample. limit: total seconds of samples after which
    a probe is not sampled again. enough: seconds of the whole benchmark after which only probes without a sample are
    sampled. steps: the most agent-steps of a training round (None: the config's). games: of a match. matches,
    snapshots: of the synthetic ledger. rounds: of the league that is run (None: up to its first rated matches).
    batches: batch sizes to try for the machine's limit.
    """

    cycles: int
    seconds: float
    limit: float
    enough: float
    steps: int | None
    games: int
    matches: int
    snapshots: int
    rounds: int | None
    batches: tuple[int, ...]


FULL = Effort(
    cycles=5,
    seconds=1.0,
    limit=60.0,
    enough=420.0,
    steps=None,
    games=40_000,
    matches=1_000_000,
    snapshots=1_000,
    rounds=None,
    batches=(512, 1024, 2048, 4096, 8192, 16384),
)
QUICK = Effort(
    cycles=2,
    seconds=0.2,
    limit=3.0,
    enough=42.0,
    steps=4_096,
    games=4_000,
    matches=20_000,
    snapshots=100,
    rounds=2,
    batches=(1024, 4096),
)


class Probe(ABC):
    """One measurement, which is sampled several times.

    name: dotted. unit: of the samples. about: what is measured, in a few words. most: the most samples to take.
    """

    unit: str
    most = 1_000

    def __init__(self, name: str, about: str) -> None:
        self.name, self.about = name, about

    def prepare(self) -> None:  # noqa: B027
        """Create what the samples need. Called once, before any other method."""

    def warm(self) -> None:
        """Do the work once, unmeasured, to fill caches and to create what is created lazily."""
        self.sample()

    @abstractmethod
    def sample(self) -> float:
        """Do a short piece of work; returns its rate per second, or its duration if the unit is "s"."""

    def phases(self) -> Mapping[str, float]:
        """Each phase's share of the time of all samples; empty for a probe without phases."""
        return {}

    def details(self) -> Mapping[str, object]:
        """Other facts to report, as plain JSON values."""
        return {}

    def close(self) -> None:  # noqa: B027
        """Release what `prepare` created."""


@dataclass(slots=True, kw_only=True)
class Workload:
    """A configured game and network, and how the machine is used for them. Created by `workload`."""

    config: RunConfig
    effort: Effort
    device: torch.device
    spec: GameSpec
    native: bool
    replays: bool
    tuning: Tuning
    _rivals: list[dict[str, NeuralPolicy]] = field(default_factory=list)

    @property
    def slots(self) -> int:
        """Parallel games at a training table, as in a run of this config."""
        return self.config.algorithm.slots or usual_slots(self.spec, self.native)

    @property
    def epochs(self) -> int:
        """Passes of an update over its rollout."""
        settings = self.config.algorithm
        assert isinstance(settings, ActorCriticSettings)
        return settings.epochs

    @property
    def turns(self) -> int:
        """Turns of a training round: as configured, or fewer if the effort limits them."""
        turns, steps = self.config.algorithm.turns, self.effort.steps
        return turns if steps is None else min(turns, max(steps // self.slots, 8))

    def game(self, slots: int) -> Game:
        """A new game with this number of slots."""
        game = self.config.game
        return make(game.id, slots, str(self.device), game.make_options, self.tuning.workers)

    def executor(self, seeds: tuple[int, ...]) -> Executor:
        """The executor that a run of this config would use; the caller closes it. seeds: of its training tables."""
        return Executor(
            make_game=self.game,
            seeds=seeds,
            slots=self.slots,
            replays=self.replays,
            threads=Threads(self.tuning.threads),
        )

    def rivals(self, count: int) -> list[dict[str, NeuralPolicy]]:
        """Distinct frozen policies of the configured actor, each by role. Every call returns the same ones."""
        for index in range(len(self._rivals), count):
            learners = [
                new_learner(self.config, self.spec, 1000 + index, role, self.device)
                for role in range(len(self.spec.roles))
            ]
            self._rivals.append({learner.role.name: learner.frozen() for learner in learners})
        return self._rivals[:count]

    def changed(self, *assignments: str) -> RunConfig:
        """The config with KEY=VALUE assignments."""
        return with_overrides(to_dict(self.config), assignments, "league bench")

    def variant(self, *assignments: str) -> Workload:
        """The same game and networks with changed training settings, as KEY=VALUE assignments."""
        return replace(self, config=self.changed(*assignments))


def workload(config: RunConfig, effort: Effort) -> Workload:
    """The workload of a config. Raises LeagueError for the same reasons as a run."""
    device = resolve_device(config.device)
    game = make(config.game.id, 1, str(device), config.game.make_options)
    spec, native, replays = game.spec, isinstance(game, NativeGame), game.replays
    game.close()
    tuning = choose(config, native, device)
    return Workload(
        config=config, effort=effort, device=device, spec=spec, native=native, replays=replays, tuning=tuning
    )


def versus(
    spec: GameSpec, live: Mapping[str, PolicyId], rivals: Sequence[Mapping[str, PolicyId]]
) -> list[tuple[PolicyId, ...]]:
    """Lineups in which the learners hold each side in turn and a rival all others. live, rivals: ids by role."""
    return [
        tuple(live[post.role] if post.side == side else rival[post.role] for post in spec.posts)
        for rival in rivals
        for side in range(len(spec.sides))
    ]


def now(device: torch.device) -> float:
    """The time of a monotonic clock in seconds, read once the device has finished its queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
