"""The loop of a league: plan, train, snapshot, play rated matches, commit, rate, announce. One round after another.

A round is committed in one transaction after its files are written. A run that is killed goes on from its last
committed round, replays the next one from the same state and reaches what it would have reached.
"""

from __future__ import annotations

import shlex
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from league.config.load import in_working_folder
from league.config.run import RunConfig
from league.errors import RunError, SnapshotError, TrainingError, interrupts_as_raised
from league.events import Bus, Exploited, Listener, Progress, RunStopped
from league.execution.training_table import Trained
from league.games.counter_rng import fold
from league.learning.diagnostics import catalogue
from league.learning.diagnostics.monitor import Monitor
from league.learning.learner import Learner
from league.matchmaking.core import validate
from league.matchmaking.snapshot_rules import evictions, frozen_by_win_rate, interval_is_over
from league.rating.standings import best_ids
from league.records import ExploitabilityBound, MatchResult, Plan, PolicyId, Snapshot, Standing
from league.run import announce, checkpoint, code, exploitability, exploits
from league.run.budget import Budget, Interruption, RoundClock, RoundDropped
from league.run.folders import run_option
from league.run.open import open_league
from league.run.pairing import fixtures_for
from league.run.progress import LearnerProgress
from league.run.recovery import AgainstPast, against_past, recoveries
from league.run.roster.ranking import open_ranking
from league.run.rounds import Round, total_phases, training_jobs, view_of
from league.run.snapshots import write_snapshot
from league.storage.provenance import differences, provenance

_HISTORY = 1000
"""Rounds of training results that matchmakers see: so many that older ones hardly count, and memory stays flat."""

_PLAN, _RATED = 1, 2
"""What the seeds of a round are drawn for: its plan and its rated matches."""

_BAD_ROUNDS = 3
"""Rounds in a row without a finite gradient after which a run gives up."""

_TRAINING_SHARE = 0.8
"""The share of a round with rated matches that training takes, for the progress that is shown."""


class League:
    """A run, open for going on. Made by `League(config, folder)`; `run()` trains until the budget is reached.

    folder: created if it is not a run yet; otherwise the run goes on, and a config that differs is refused
    (ConfigError). Raises LeagueError for everything that the user can fix. Close it, or use it with `with`. retune:
    choose threads, workers and microbatch size for this machine anew when the run goes on. accept_changes: let it go on
    although code of the user's has changed, which is recorded. Files that the config names by a relative path are
    looked for in the working folder.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: str | Path,
        listeners: Sequence[Listener] = (),
        retune: bool = False,
        accept_changes: bool = False,
    ) -> None:
        self.config, self.folder = in_working_folder(config), Path(folder)
        self.bus = Bus(tuple(listeners))
        parts = open_league(self.config, self.folder, retune, accept_changes)
        self._code, self._changes = parts.own_code, parts.changes
        self._tuning_changes = parts.tuning.changes_since(parts.tuned_before)
        self.store, self.roster, self.executor = parts.store, parts.roster, parts.executor
        self._for_readers = self.roster.ranking
        self.tables, self.learners = parts.tables, parts.learners
        self.matchmaker, self.posts, self._rated_turns = parts.matchmaker, parts.posts, parts.rated_turns
        self._sequence_form = parts.sequence_form
        self.progress = {one.name: LearnerProgress(parts.parents.get(one.name)) for one in self.learners}
        self.monitor = Monitor(
            self.roster.spec, self.tables, self.executor.make_game, self.store.metrics(last=catalogue.ROUNDS_NEEDED)
        )
        self.round_number = self.steps = 0
        self.resumed = self._broken = False
        self._training = deque(self.store.training(rounds=_HISTORY))
        self._interruption, self._clock = Interruption(), RoundClock()

    def __enter__(self) -> League:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the games and the database, and release the folder's lock."""
        self.executor.close()
        self.store.close()

    def interrupt(self) -> None:
        """Ask the run to stop after this round, or to drop it if it would take over 10 seconds (safe in a handler)."""
        self._interruption.ask(self._clock.left)

    def run(self) -> str:
        """Train until the budget is reached or the run is interrupted. Returns the reason: "budget" or "interrupt".

        Raises TrainingError where learning cannot go on; what is committed stays.
        """
        if self._broken:
            raise RunError(f"{self.folder}: a round was not finished; open the run again to go on from its last one")
        budget, began, reason = Budget.of(self.config.budget), time.monotonic(), "error"
        try:
            with interrupts_as_raised():
                self._resume_or_begin(budget)
                while (reason := self._stop_reason(budget, time.monotonic() - began)) == "":
                    self._round(self.round_number + 1, budget, began)
        except RoundDropped:
            reason, self._broken = "interrupt", True
        except BaseException as error:
            reason, self._broken = "interrupt" if isinstance(error, KeyboardInterrupt) else "error", True
            raise
        finally:
            self._interruption.clear()
            self._clock.stop()
            self.bus.emit(RunStopped(self.round_number, self.steps, time.monotonic() - began, reason or "error"))
        return reason

    def standings(self) -> dict[str, tuple[Standing, ...]]:
        """The standings of every role, best first."""
        by = self.config.rating.by
        return {role.name: self.roster.ranking.standings(role.name, by) for role in self.roster.spec.roles}

    # A round, from top to bottom

    def _round(self, number: int, budget: Budget, began: float) -> None:
        """One turn of the league: plan, exploit, train, snapshot, evict, measure, rate, diagnose, commit, announce."""
        self._clock.start()
        this, plan = Round(number=number, past=self._against_past()), self._plan(number)
        due = self._due(number, plan)
        share, rounds = _TRAINING_SHARE if due else 1.0, number - self._last_taken
        this.exploited = self._exploit(this, plan)
        this.trained = self._train(number, plan, share)
        this.taken = self._take_snapshots(number, due)
        this.evicted = self._evict(due)
        this.phases = total_phases(this.trained)
        this.exploitability = self._measure_exploitability(this, share)
        this.results = self._play_rated(this, rounds, share)
        this.diagnosis = self.monitor.check(number, this.metrics)
        self.steps = sum(learner.steps for learner in self.learners)
        self._commit(this)
        self.round_number = number
        self._announce(this, self._clock.finish(), budget, time.monotonic() - began)

    def _plan(self, number: int) -> Plan:
        """Who trains against whom, by the matchmaker; and who is frozen, where win rates decide."""
        view = view_of(
            number,
            tables=self.tables,
            progress=self.progress,
            roster=self.roster,
            training=self._training,
            posts=self.posts,
            slots=self.executor.slots,
        )
        plan = self.matchmaker.plan(view, np.random.default_rng(fold(self.config.seed, _PLAN, number)))
        validate(plan, view)
        rules = self.config.population
        if plan.snapshots is None and rules.snapshot_gate is not None:
            interval = rules.snapshot_every, rules.snapshot_growth
            plan = replace(
                plan, snapshots=frozen_by_win_rate(view, rules.snapshot_gate, rules.snapshot_timeout, *interval)
            )
        return plan

    def _against_past(self) -> dict[str, AgainstPast]:
        """How learners fare against their own past, by the ratings so far."""
        window = self.config.population.recover_window
        return against_past(self.roster.entrants, self.roster.ratings.field, window)

    def _exploit(self, this: Round, plan: Plan) -> list[Exploited]:
        """Copy weights, optimiser and hyperparameters, as they stand now, and explore from there; or start again."""
        learners, settings = {learner.name: learner for learner in self.learners}, self.config.population
        wanted = list(plan.exploits)
        if settings.recover:
            apart = {name: one for name, one in learners.items() if all(name != taken.learner for taken in wanted)}
            wanted += recoveries(this.past, apart, self.progress, self.roster.entrants.snapshots, settings)
        return [exploits.carry_out(one, learners, self.progress, self.roster, this.number) for one in wanted]

    def _due(self, number: int, plan: Plan) -> list[Learner]:
        """The learners that are frozen at the end of the round: those that the plan names, else by the interval."""
        if plan.snapshots is not None:
            return [learner for learner in self.learners if learner.name in plan.snapshots]
        every, growth = self.config.population.snapshot_every, self.config.population.snapshot_growth
        return list(self.learners) if interval_is_over(number, self._last_taken, every, growth) else []

    @property
    def _last_taken(self) -> int:
        """The round of the newest snapshot."""
        return self.roster.entrants.snapshots[-1].round

    def _train(self, number: int, plan: Plan, share: float) -> list[Trained]:
        """Rollout and update at every table. share: of the round, for its progress."""
        turns = self.config.algorithm.turns
        jobs = training_jobs(number, plan, tables=self.tables, executor=self.executor, roster=self.roster, turns=turns)
        trained = self.executor.train(jobs, lambda done: self._tick(number, "training", share * done))
        for learner in self.learners:
            if learner.skipped >= _BAD_ROUNDS:
                raise TrainingError(
                    f"round {number}: learner {learner.name} had no finite gradient in {learner.skipped} rounds; the "
                    f"run keeps its last good checkpoint (round {self.round_number}). Try a smaller "
                    "algorithm.learning_rate or algorithm.max_grad_norm in a new run"
                )
        return trained

    def _take_snapshots(self, number: int, due: Sequence[Learner]) -> list[Snapshot]:
        """Freeze learners' policies into files and add them to the roster. The rows come with the round."""
        folder, spec = self.store.snapshot_folder, self.roster.spec
        taken = [write_snapshot(folder, spec, one, self.progress[one.name], number) for one in due]
        self.roster.entrants.add(taken)
        return taken

    def _evict(self, due: Sequence[Learner]) -> list[PolicyId]:
        """Remove snapshots of learners that have too many from the pool of opponents."""
        most, ranking = self.config.population.most_snapshots, self.roster.ranking
        if most is None or not due:
            return []
        pool, best = ranking.entrants.pool, best_ids(ranking.entrants.pool, ranking.ratings.best).values()
        gone = [id for one in due for id in evictions([s for s in pool if s.learner == one.name], most, best)]
        ranking.evict(gone)
        return gone

    def _measure_exploitability(self, this: Round, share: float) -> dict[PolicyId, ExploitabilityBound]:
        """The exploitability of new snapshots (`rating.exploitability_every`). share: of the round that is over."""
        form, every, ranking = self._sequence_form, self.config.rating.exploitability_every, self.roster.ranking
        if form is None or every is None:
            return {}
        began, found = time.monotonic(), dict[PolicyId, ExploitabilityBound]()
        for snapshot in exploitability.due(this.taken, ranking.entrants.snapshots, ranking.exploitability, every):
            self._tick(this.number, "exploitability", share)
            found[snapshot.id] = exploitability.measure(form, self.store.snapshot_folder, snapshot)
        if found:
            this.phases["exploitability"] = time.monotonic() - began
        return found

    def _play_rated(self, this: Round, rounds: int, share: float) -> list[MatchResult]:
        """Rated matches of the new snapshots. rounds: since the last ones. share: of the round that is over."""
        seed, began = fold(self.config.seed, _RATED, this.number), time.monotonic()
        turns_per_game = self.store.turns_per_game()
        games = rounds * self._rated_turns / turns_per_game if turns_per_game else 0.0
        fixtures = fixtures_for(self.config.rating, self.roster, this.taken, seed, games)
        seated = dict.fromkeys(name for fixture in fixtures for lineup in fixture.episodes for name in lineup)
        policies = {name: self.roster.policy(name) for name in seated}
        results = self.executor.play(
            fixtures, policies, lambda done: self._tick(this.number, "rated matches", share + (1 - share) * done)
        )
        this.phases["rated matches"] = time.monotonic() - began
        return [replace(result, round=this.number) for result in results]

    def _commit(self, this: Round) -> None:
        """Write the checkpoint, then all that the round brought in one transaction; refit the ratings within it."""
        began = time.monotonic()
        self._keep_code()
        id = checkpoint.save(self.store, self.learners, self.executor.carries())
        self._training += this.training
        while self._training and self._training[0].round <= this.number - _HISTORY:
            self._training.popleft()
        self.roster.ranking.exploitability.update(this.exploitability)
        rated = bool(this.results or this.evicted)
        if rated:
            self.roster.ratings.add(this.results)
        if self._for_readers is not self.roster.ranking:
            self._for_readers.entrants.add(this.taken)
            self._for_readers.evict(this.evicted)
            if rated:
                self._for_readers.ratings.add(this.results)
        with self.store.transaction():
            for snapshot in this.taken:
                self.store.put_snapshot(snapshot, time.time())
            self.store.put_exploitability(this.number, this.exploitability)
            self.store.put_evicted(this.number, this.evicted)
            self.store.put_results(this.results)
            if rated:
                self._for_readers.ratings.cache(self.store)
            for one in this.trained:
                self.store.put_training(one.results)
            for learner, found in this.metrics.items():
                self.store.put_metrics(this.number, learner, found)
            for event in this.exploited:
                self.store.put_event(this.number, event.KIND, event.record())
            for finding in this.diagnosis.findings:
                self.store.put_event(this.number, catalogue.EVENT_KIND, finding.record())
            this.phases["storage"] = time.monotonic() - began
            states = {learner.name: self.progress[learner.name].record(learner) for learner in self.learners}
            self.store.put_round(
                this.number, self.steps, checkpoint=id, learners=states, seconds=self._clock.seconds, phases=this.phases
            )
        checkpoint.sweep(self.store)

    def _keep_code(self) -> None:
        """Keep what the user's code has imported by now. Raises RunError where it has changed while the run went on."""
        if self._code:
            before, self._code = self._code, code.again(self._code)
            if found := code.changes(before, self._code):
                raise RunError(
                    f"while the run was going on, {'; '.join(one.text() for one in found)}. Its last round is "
                    f"{self.round_number}"
                )
            code.keep(self.store, self._code)

    def _announce(self, this: Round, seconds: float, budget: Budget, elapsed: float) -> None:
        """Tell the listeners, which cannot stop the run. elapsed: seconds of this call of `run`."""
        events = announce.round_finished(
            this,
            steps=self.steps,
            seconds=seconds,
            standings=self.standings(),
            roster=self.roster,
            remaining=budget.remaining(this.number, self.steps, elapsed, self._clock.pace),
        )
        for event in events:
            self.bus.emit(event)

    # How a run begins, goes on and stops

    def _resume_or_begin(self, budget: Budget) -> None:
        last = self.store.last_round()
        self.resumed = last is not None
        if last is None:
            self._begin()
        else:
            self.round_number, self.steps = last.round, last.steps
            self._add_new_anchors()
            # Guests change nothing in a run, so its roster lacks them; but the cache is for readers, who see them.
            if any(one.guest for one in self.store.snapshots()):
                self._for_readers = open_ranking(self.store)
            # Hyperparameters come first: what a learner makes anew while it loads, such as its optimiser, needs them.
            for learner in self.learners:
                self.progress[learner.name] = LearnerProgress.restore(learner, last.learners[learner.name])
            try:
                self.executor.restore(checkpoint.load(self.store, last.checkpoint, self.learners))
            except SnapshotError as error:
                init = shlex.quote(f"population.init=latest@{self.folder.absolute()}")
                raise SnapshotError(
                    f"{error}. Without its last checkpoint the run cannot go on: put it back, or begin a new run from "
                    f"its latest snapshot: `league run --new{run_option(self.folder)} --set {init}`"
                ) from error
        self._announce_start(budget)

    def _begin(self) -> None:
        """Round 0: the untrained snapshots and the anchors."""
        self._clock.start()
        this = Round(number=0, taken=self._take_snapshots(0, self.learners))
        this.exploitability = self._measure_exploitability(this, 0.0)
        this.taken = [*self.roster.entrants.anchors, *this.taken]
        self._commit(this)
        self._clock.stop()

    def _add_new_anchors(self) -> None:
        """Write the anchors that the config of a run that goes on has gained."""
        known = {snapshot.id for snapshot in self.store.snapshots()}
        with self.store.transaction():
            for anchor in self.roster.entrants.anchors:
                if anchor.id not in known:
                    self.store.put_snapshot(anchor, time.time())

    def _announce_start(self, budget: Budget) -> None:
        here = provenance()
        warnings = differences(self.store.provenance()[-1], here)
        warnings += [one.text() for one in self._changes]
        warnings += dict.fromkeys(learner.notice for learner in self.learners if learner.notice)
        warnings += [self._tuning_changes] if self._tuning_changes else []
        if not self.executor.replays:
            warnings.append(f"{self.roster.spec.id} does not replay: every round starts fresh episodes")
        events = announce.run_started(
            folder=self.folder,
            config=self.config,
            roster=self.roster,
            learners=self.learners,
            resumed=self.resumed,
            round=self.round_number,
            steps=self.steps,
            budget=budget,
            warnings=warnings,
        )
        for event in events:
            self.bus.emit(event)
        self.store.add_provenance(here)

    def _stop_reason(self, budget: Budget, seconds: float) -> str:
        if self._interruption.asked:
            return "interrupt"
        return "budget" if budget.reached(self.round_number, self.steps, seconds) else ""

    def _tick(self, number: int, phase: str, fraction: float) -> None:
        self._interruption.check()
        self.bus.emit(Progress(number, phase, fraction))
