"""Training speed, in all and by phase: in self-play, against opponents, as a population, and in a whole run."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from league.events import Event, RoundFinished
from league.execution.executor import Executor, TrainRound
from league.games.counter_rng import fold
from league.matchmaking.core import make_matchmaker
from league.orchestrator import League
from league.policies.core import Policy
from league.records import LeagueView, LearnerView, PolicyId, Seating, Snapshot
from league.run.learners import new_learner
from league.studies.bench.probe import Probe, Workload, now, versus

_WARM_TURNS = 4


class Training(Probe):
    """Agent-steps per second of one learner per role, including the update.

    opponents: the number of distinct frozen opponents, with the learner's side balanced; 0 means self-play. Decisions
    of frozen opponents are not counted; `details` has their rate.
    """

    unit = "agent-steps/s"
    tables = 1

    def __init__(self, name: str, about: str, workload: Workload, opponents: int = 0) -> None:
        super().__init__(name, about)
        self._workload, self._opponents, self._round = workload, opponents, 0
        self._phases: Counter[str] = Counter()
        self._seconds, self._opponent_steps = 0.0, 0
        self._executor: Executor | None = None

    def prepare(self) -> None:
        workload = self._workload
        roles = range(len(workload.spec.roles))
        self._tables = [
            tuple(new_learner(workload.config, workload.spec, table, role, workload.device) for role in roles)
            for table in range(self.tables)
        ]
        for learner in (learner for table in self._tables for learner in table):
            learner.microbatch_rows = workload.tuning.microbatch_rows
            learner.auto_precision = workload.tuning.precision
        self._frozen: dict[PolicyId, Policy] = {}
        names = []
        for number, rival in enumerate(workload.rivals(self._opponents)):
            names.append({role: f"opponent-{number}/{role}" for role in rival})
            self._frozen |= {f"opponent-{number}/{role}": policy for role, policy in rival.items()}
        live = {learner.role.name: learner.name for learner in self._tables[0]}
        lineups = versus(workload.spec, live, names) or [tuple(live[post.role] for post in workload.spec.posts)]
        self._lineups = [Seating(lineup, 1 / len(lineups)) for lineup in lineups]
        self._executor = workload.executor(tuple(fold(workload.config.seed, table) for table in range(self.tables)))

    def warm(self) -> None:
        self._train(min(self._workload.turns, _WARM_TURNS))
        self._phases, self._seconds, self._opponent_steps = Counter(), 0.0, 0

    def sample(self) -> float:
        device = self._workload.device
        began, steps, took = now(device), 0, 0.0
        while took < self._workload.effort.seconds:
            steps += self._train(self._workload.turns)
            took = now(device) - began
        self._seconds += took
        return steps / took

    def phases(self) -> Mapping[str, float]:
        return {name: seconds / self._seconds for name, seconds in self._phases.items()} if self._seconds else {}

    def details(self) -> Mapping[str, object]:
        """The rate of the frozen opponents' decisions, over all samples."""
        return {"opponent_steps_per_second": self._opponent_steps / self._seconds} if self._seconds else {}

    def close(self) -> None:
        if self._executor is not None:
            self._executor.close()

    def seatings(self) -> Sequence[Sequence[Seating]]:
        """The seatings of the next round, by table."""
        return [self._lineups]

    def frozen(self) -> Mapping[PolicyId, Policy]:
        """By id, every policy that can sit at a table where it is not trained."""
        return self._frozen

    def _train(self, turns: int) -> int:
        """Train one round at every table; returns its agent-steps."""
        assert self._executor is not None
        self._round += 1
        seatings, frozen = self.seatings(), self.frozen()
        jobs = [
            TrainRound(
                table=table,
                round=self._round,
                learners=learners,
                seatings=tuple(seatings[table]),
                policies=frozen,
                turns=turns,
            )
            for table, learners in enumerate(self._tables)
        ]
        trained = self._executor.train(jobs, lambda done: None)
        for one in trained:
            self._phases.update(one.phases)
            self._opponent_steps += one.opponent_steps
        return sum(one.agent_steps for one in trained)


class PopulationTraining(Training):
    """A population of eight learners with a table each, seated by PBT: self-play, past snapshots and live opponents.

    The rate is the sum of all eight. The past consists of each learner's initial snapshot.
    """

    tables = 8

    def prepare(self) -> None:
        super().prepare()
        learners = [learner for table in self._tables for learner in table]
        kind = self._workload.config.matchmaking
        self._matchmaker = make_matchmaker("pbt", kind.settings if kind.kind == "pbt" else {})
        self._past: dict[PolicyId, Policy] = {f"{learner.name}.0": learner.frozen() for learner in learners}
        self._snapshots = tuple(
            Snapshot(
                id=f"{learner.name}.0",
                role=learner.role.name,
                learner=learner.name,
                number=0,
                round=0,
                steps=0,
                origin="initial",
            )
            for learner in learners
        )

    def seatings(self) -> Sequence[Sequence[Seating]]:
        views = tuple(
            LearnerView(
                name=learner.name,
                role=learner.role.name,
                table=table,
                steps=learner.steps,
                steps_since_exploit=0,
                latest=f"{learner.name}.0",
            )
            for table, learners in enumerate(self._tables)
            for learner in learners
        )
        spec, slots = self._workload.spec, self._workload.slots
        view = LeagueView(
            round=self._round,
            posts=spec.posts,
            learners=views,
            snapshots=self._snapshots,
            anchors=(),
            ratings={},
            training=(),
            slots=slots,
        )
        return self._matchmaker.plan(view, np.random.default_rng([self._workload.config.seed, self._round])).seatings

    def frozen(self) -> Mapping[PolicyId, Policy]:
        live = {learner.name: learner.frozen() for table in self._tables for learner in table}
        return self._past | live


class RunTraining(Probe):
    """Agent-steps per second of a complete league as in `league run`: with snapshots, rated matches and storage.

    It runs in a temporary folder until its first rated matches.
    """

    unit = "agent-steps/s"
    most = 1

    def __init__(self, workload: Workload) -> None:
        super().__init__("training.run", "a whole league, matches and storage too")
        self._workload, self._phases, self._seconds = workload, Counter[str](), 0.0

    def warm(self) -> None:
        """Not needed: a run starts cold, too."""

    def sample(self) -> float:
        every = self._workload.config.population.snapshot_every
        rounds = every if self._workload.effort.rounds is None else min(every, self._workload.effort.rounds)
        config = self._workload.changed(
            f"population.snapshot_every={rounds}",
            "population.init=''",
            f"budget.rounds={rounds}",
            "budget.steps=none",
            "budget.minutes=none",
        )
        finished: list[RoundFinished] = []

        def listen(event: Event) -> None:
            if isinstance(event, RoundFinished):
                finished.append(event)

        with (
            tempfile.TemporaryDirectory(prefix="league-bench-") as folder,
            League(config, Path(folder) / "run", [listen]) as league,
        ):
            league.run()
        for one in finished:
            self._phases.update(one.phases)
        took = sum(one.seconds for one in finished)
        self._seconds += took
        return finished[-1].steps / took

    def phases(self) -> Mapping[str, float]:
        return {name: seconds / self._seconds for name, seconds in self._phases.items()} if self._seconds else {}
