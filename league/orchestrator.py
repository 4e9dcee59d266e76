"""The loop of a league: plan, train, snapshot, play rated matches, commit, rate, announce. One round after another.

A round is committed in one transaction after its files are written, so a run that is killed goes on from its last
committed round and, replaying the next one from the same state, reaches what it would have reached.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from league.config.run import RunConfig
from league.errors import RunError, SnapshotError, TrainingError
from league.events import (
    Bus,
    Exploited,
    Listener,
    Progress,
    RoundFinished,
    RunStarted,
    RunStopped,
    SnapshotTaken,
    Warned,
)
from league.execution.executor import TrainRound
from league.execution.training_table import Trained
from league.games.counter_rng import fold
from league.learning.diagnostics.catalogue import EVENT_KIND, ROUNDS_NEEDED, Finding
from league.learning.diagnostics.monitor import Monitor
from league.learning.learner import Learner
from league.matchmaking.core import validate
from league.records import Exploit, LeagueView, MatchResult, Plan, PolicyId, Snapshot, Standing
from league.run import checkpoint, setup
from league.run.rated import fixtures_for
from league.storage.provenance import differences, provenance

_GRACE = 10.0
"""Seconds that a round may take to end after an interrupt; else it is dropped, to be replayed when the run goes on."""

_MEMORY = 20
"""Rounds of training results that matchmakers see."""

_PLAN, _RATED = 1, 2
_BAD_ROUNDS = 3

_TRAINING_SHARE = 0.8
"""Of a round with rated matches, for the progress that is shown."""


class RoundDropped(BaseException):
    """The round in progress is given up after an interrupt; nothing committed is touched. Like KeyboardInterrupt, it is
    no Exception, so that no listener and no cleanup can swallow it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: totals of rounds and agent-steps, and seconds of this call; None where unlimited."""

    rounds: int | None = None
    steps: int | None = None
    seconds: float | None = None


class League:
    """A run, open for going on. Made by `League(config, folder)`; `run()` trains until the budget is reached.

    folder: created where it is no run yet; else it goes on, and a config that differs is refused (ConfigError). Raises
    LeagueError for all that a user can mend. Close it, or use it with `with`. retune: choose threads, workers and the
    size of pieces for this machine anew, where the run goes on.
    """

    def __init__(
        self, config: RunConfig, folder: str | Path, listeners: Sequence[Listener] = (), retune: bool = False
    ) -> None:
        self.config, self.folder = config, Path(folder)
        self.bus = Bus(tuple(listeners))
        parts = setup.open_league(config, self.folder, retune)
        self._tuning_news = parts.tuning.news(parts.tuned_before)
        self.store, self.roster, self.executor = parts.store, parts.roster, parts.executor
        self.learners, self.tables, self.matchmaker = parts.learners, parts.tables, parts.matchmaker
        self.posts = parts.posts
        self.progress = {one.name: setup.LearnerProgress(parts.parents.get(one.name)) for one in self.learners}
        self.round_number = self.steps = 0
        self.resumed = self._broken = self._in_round = False
        self._training = self.store.training(rounds=_MEMORY)
        self.monitor = Monitor(
            self.roster.spec, self.tables, self.executor.make_game, self.store.metrics(last=ROUNDS_NEEDED)
        )
        self._interrupted: float | None = None
        self._round_began = 0.0
        self._paces: deque[float] = deque(maxlen=10)

    def __enter__(self) -> League:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the games, the database and the folder's lock."""
        self.executor.close()
        self.store.close()

    def interrupt(self) -> None:
        """Ask the run to stop after this round, or to drop it if it would take over 10 seconds (safe in a handler)."""
        self._interrupted = time.monotonic()
        if self._in_round and self._pace() - (self._interrupted - self._round_began) > _GRACE:
            raise RoundDropped

    def run(self) -> str:
        """Train until the budget is reached or the run is interrupted. Returns the reason: "budget" or "interrupt".

        Raises TrainingError where learning cannot go on; what is committed stays.
        """
        if self._broken:
            raise RunError(f"{self.folder}: a round was not finished; open the run again to go on from its last one")
        budget, began, reason = self._budget(), time.monotonic(), "error"
        try:
            self._resume_or_begin(budget)
            while (reason := self._stop_reason(budget, time.monotonic() - began)) == "":
                self._round(self.round_number + 1, budget, began)
        except RoundDropped:
            reason, self._broken = "interrupt", True
        except BaseException as error:
            reason, self._broken = "interrupt" if isinstance(error, KeyboardInterrupt) else "error", True
            raise
        finally:
            self._interrupted, self._in_round = None, False
            self.bus.emit(RunStopped(self.round_number, self.steps, time.monotonic() - began, reason or "error"))
        return reason

    def standings(self) -> dict[str, tuple[Standing, ...]]:
        """The standings of every role, best first."""
        by = self.config.rating.by
        return {role.name: self.roster.standings(role.name, by) for role in self.roster.spec.roles}

    def _round(self, number: int, budget: Budget, began: float) -> None:
        """One turn of the league."""
        self._round_began, self._in_round = time.monotonic(), True
        plan = self._plan(number)
        exploited = [self._exploit(number, exploit) for exploit in plan.exploits]
        due = number % self.config.population.snapshot_every == 0
        share = _TRAINING_SHARE if due else 1.0
        trained = self.executor.train(
            self._jobs(number, plan), lambda done: self._tick(number, "training", share * done)
        )
        self._check_learning(number)
        taken = [self._snapshot(learner, number) for learner in self.learners if due]
        fixtures = fixtures_for(self.config.rating, self.roster, taken, fold(self.config.seed, _RATED, number))
        policies = {name: self.roster.policy(name) for f in fixtures for lineup in f.episodes for name in lineup}
        played = time.monotonic()
        results = self.executor.play(
            fixtures,
            policies,
            lambda done: self._tick(number, "rated matches", share + (1 - share) * done),
        )
        phases = _total_phases(trained) | {"rated matches": time.monotonic() - played}
        self.steps = sum(learner.steps for learner in self.learners)
        diagnosis = self.monitor.check(number, _metrics(trained))
        self._commit(number, taken, results, trained, exploited, diagnosis.findings, phases)
        self.round_number, self._in_round = number, False
        seconds = time.monotonic() - self._round_began
        self._paces.append(seconds)
        self._announce(number, taken, exploited, trained, phases, seconds, self._remaining(budget, began))
        for message in (*(finding.message for finding in diagnosis.findings), *diagnosis.failures):
            self.bus.emit(Warned(number, message))

    def _plan(self, number: int) -> Plan:
        view = self._view(number)
        plan = self.matchmaker.plan(view, np.random.default_rng(fold(self.config.seed, _PLAN, number)))
        validate(plan, view)
        return plan

    def _view(self, number: int) -> LeagueView:
        learners = tuple(
            self.progress[learner.name].view(learner, table, self.roster)
            for table, members in enumerate(self.tables)
            for learner in members
        )
        return LeagueView(
            round=number,
            posts=self.posts,
            learners=learners,
            snapshots=tuple(self.roster.snapshots),
            anchors=self.roster.active,
            ratings=self.roster.ratings,
            training=tuple(self._training),
            slots=self.executor.slots,
        )

    def _jobs(self, number: int, plan: Plan) -> list[TrainRound]:
        live = {learner.name: learner for learner in self.learners}
        names: set[PolicyId] = set()
        for table, members in enumerate(self.tables):
            seated = {name for seating in plan.seatings[table] for name in seating.lineup}
            names |= (seated | self.executor.seated(table)) - {learner.name for learner in members}
        # Learners of other tables play the weights that they have now, whenever their own table is trained.
        frozen = {name: live[name].frozen() if name in live else self.roster.policy(name) for name in sorted(names)}
        return [
            TrainRound(
                table=table,
                round=number,
                learners=members,
                seatings=plan.seatings[table],
                policies=frozen,
                turns=self.config.algorithm.turns,
            )
            for table, members in enumerate(self.tables)
        ]

    def _exploit(self, number: int, exploit: Exploit) -> Exploited:
        """PBT: copy weights, optimiser and hyperparameters, as they stand now, and explore from there."""
        by_name = {learner.name: learner for learner in self.learners}
        target, source = by_name[exploit.learner], by_name[exploit.source]
        before = setup.hyperparameters_of(target)
        setup.explore(target, exploit.hyperparameters)
        target.load({key: value.clone() for key, value in source.tensors().items()})
        target.skipped = source.skipped
        state = self.progress[target.name]
        state.parent, state.exploited_at = exploit.snapshot, target.steps
        return Exploited(number, exploit.learner, exploit.source, before, setup.hyperparameters_of(target))

    def _snapshot(self, learner: Learner, number: int) -> Snapshot:
        """Freeze a learner's policy: write its file and add it to the roster. The row comes with the round."""
        state = self.progress[learner.name]
        snapshot = setup.write_snapshot(self.store, self.roster, learner, state, number)
        state.parent, state.taken = snapshot.id, state.taken + 1
        self.roster.snapshots.append(snapshot)
        return snapshot

    def _commit(
        self,
        number: int,
        taken: Sequence[Snapshot],
        results: Sequence[MatchResult],
        trained: Sequence[Trained],
        exploited: Sequence[Exploited],
        findings: Sequence[Finding],
        phases: dict[str, float],
    ) -> None:
        """Write the checkpoint, then everything the round brought in one transaction; refit the ratings within it."""
        began = time.monotonic()
        carries = self.executor.carries()
        id = checkpoint.save(self.store, self.learners, carries)
        rows = setup.numbered(results, number)
        self._training += [result for one in trained for result in one.results]
        self._training = [row for row in self._training if row.round > number - _MEMORY]
        if rows:
            self.roster.add(rows)
        with self.store.transaction():
            for snapshot in taken:
                self.store.put_snapshot(snapshot, time.time())
            self.store.put_results(rows)
            if rows:
                self.roster.cache(self.store)
            for one in trained:
                self.store.put_training(one.results)
            for learner, found in _metrics(trained).items():
                self.store.put_metrics(number, learner, found)
            for event in exploited:
                self.store.put_event(number, "exploit", setup.exploit_record(event))
            for finding in findings:
                self.store.put_event(number, EVENT_KIND, finding.record())
            phases["storage"] = time.monotonic() - began
            states = {learner.name: self.progress[learner.name].record(learner) for learner in self.learners}
            self.store.put_round(number, self.steps, id, states, time.monotonic() - self._round_began, phases)
        checkpoint.sweep(self.store)

    def _announce(
        self,
        number: int,
        taken: Sequence[Snapshot],
        exploited: Sequence[Exploited],
        trained: Sequence[Trained],
        phases: Mapping[str, float],
        seconds: float,
        remaining: float | None,
    ) -> None:
        for event in exploited:
            self.bus.emit(event)
        for snapshot in taken:
            self.bus.emit(SnapshotTaken(number, snapshot))
        rate = sum(one.agent_steps for one in trained) / max(seconds, 1e-9)
        self.bus.emit(
            RoundFinished(
                number,
                self.steps,
                seconds,
                rate,
                phases,
                _metrics(trained),
                self.standings(),
                len(self.roster.ledger),
                self.roster.ledger.games,
                remaining,
            )
        )

    def _check_learning(self, number: int) -> None:
        for learner in self.learners:
            if learner.skipped >= _BAD_ROUNDS:
                raise TrainingError(
                    f"round {number}: learner {learner.name} had no finite gradient in {learner.skipped} rounds; the "
                    f"run keeps its last good checkpoint (round {self.round_number}). Try a smaller "
                    "algorithm.learning_rate or algorithm.max_grad_norm in a new run"
                )

    def _resume_or_begin(self, budget: Budget) -> None:
        last = self.store.last_round()
        self.resumed = last is not None
        if last is None:
            self._begin()
        else:
            self.round_number, self.steps = last.round, last.steps
            self._admit()
            # First: what a learner makes anew below, such as its optimiser, follows its own hyperparameters.
            for learner in self.learners:
                self.progress[learner.name] = setup.LearnerProgress.restore(learner, last.learners[learner.name])
            try:
                self.executor.restore(checkpoint.load(self.store, last.checkpoint, self.learners))
            except SnapshotError as error:
                raise SnapshotError(
                    f"{error}. Without its last checkpoint the run cannot go on: put it back, or begin a new run from "
                    f"its latest snapshot: league run --new --set population.init=latest@{self.folder}"
                ) from error
        self.bus.emit(
            RunStarted(
                str(self.folder),
                self.roster.spec.id,
                self.config.matchmaking.kind,
                tuple(learner.name for learner in self.learners),
                self.resumed,
                self.round_number,
                self.steps,
                budget.rounds,
                budget.steps,
                budget.seconds,
                self.roster.one_sided,
                self.roster.spec.seating,
            )
        )
        here = provenance()
        for sentence in differences(self.store.provenance()[-1], here):
            self.bus.emit(Warned(self.round_number, sentence))
        self.store.add_provenance(here)
        for note in dict.fromkeys(learner.notice for learner in self.learners if learner.notice):
            self.bus.emit(Warned(self.round_number, note))
        if self._tuning_news:
            self.bus.emit(Warned(self.round_number, self._tuning_news))
        if not self.executor.replays:
            self.bus.emit(
                Warned(self.round_number, f"{self.roster.spec.id} does not replay: every round starts fresh episodes")
            )

    def _begin(self) -> None:
        """Round 0: the untrained snapshots and the anchors."""
        self._round_began = time.monotonic()
        taken = [self._snapshot(learner, 0) for learner in self.learners]
        self._commit(0, [*self.roster.anchors, *taken], [], [], [], [], {})

    def _admit(self) -> None:
        """Anchors that are new in the config of a run that goes on join its roster."""
        known = {snapshot.id for snapshot in self.store.snapshots()}
        with self.store.transaction():
            for anchor in self.roster.anchors:
                if anchor.id not in known:
                    self.store.put_snapshot(anchor, time.time())

    def _budget(self) -> Budget:
        budget = self.config.budget
        return Budget(budget.rounds, budget.steps, None if budget.minutes is None else 60.0 * budget.minutes)

    def _stop_reason(self, budget: Budget, seconds: float) -> str:
        if self._interrupted is not None:
            return "interrupt"
        reached = (
            (budget.rounds is not None and self.round_number >= budget.rounds)
            or (budget.steps is not None and self.steps >= budget.steps)
            or (budget.seconds is not None and seconds >= budget.seconds)
        )
        return "budget" if reached else ""

    def _pace(self) -> float:
        """Seconds of a round, from the last ten; 0 before the first."""
        return sum(self._paces) / len(self._paces) if self._paces else 0.0

    def _remaining(self, budget: Budget, began: float) -> float | None:
        """Estimated seconds until the first budget is reached."""
        done = self.round_number
        pace = self._pace()
        estimates = []
        if budget.rounds is not None:
            estimates.append((budget.rounds - done) * pace)
        if budget.steps is not None and self.steps:
            estimates.append((budget.steps - self.steps) * pace * done / self.steps)
        if budget.seconds is not None:
            estimates.append(budget.seconds - (time.monotonic() - began))
        return max(min(estimates), 0.0) if estimates else None

    def _tick(self, number: int, phase: str, fraction: float) -> None:
        if self._interrupted is not None and time.monotonic() - self._interrupted > _GRACE:
            raise RoundDropped
        self.bus.emit(Progress(number, phase, fraction))


def _metrics(trained: Sequence[Trained]) -> dict[str, Mapping[str, float]]:
    return {learner: found for one in trained for learner, found in one.metrics.items()}


def _total_phases(trained: Sequence[Trained]) -> dict[str, float]:
    names = dict.fromkeys(name for one in trained for name in one.phases)
    return {name: sum(one.phases.get(name, 0.0) for one in trained) for name in names}
