"""The monitor of a run: after each round it reports the warning signs that begin in the learners' metrics.

It watches a run and never stops it: a diagnostic that fails is logged, reported once and left out from then on.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from league.games.actions import Discrete
from league.games.core import Game, GameSpec
from league.learning.diagnostics import observations, rules
from league.learning.diagnostics.catalogue import DIAGNOSTICS, ROUNDS_NEEDED, Diagnostic, Finding, new_findings
from league.learning.diagnostics.history import LearnerFacts, RoundMetrics
from league.learning.learner import Learner
from league.learning.settings import ALGORITHMS
from league.storage.rows import MetricsRow

log = logging.getLogger("league")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a round's metrics show. failures: a sentence for each diagnostic that failed and is left out from now on."""

    findings: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(slots=True)
class Monitor:
    """Keeps the metrics of the last rounds. tables: the learners of each training table; their settings may change.

    make_game: a new game of so many slots, to see what each seat observes. kept: metrics of the rounds so far.
    diagnostics: those that are still run.
    """

    spec: GameSpec
    tables: Sequence[Sequence[Learner]]
    make_game: Callable[[int], Game]
    kept: Sequence[MetricsRow] = ()
    diagnostics: tuple[Diagnostic, ...] = DIAGNOSTICS
    _rounds: deque[RoundMetrics] = field(default_factory=lambda: deque(maxlen=ROUNDS_NEEDED))

    def __post_init__(self) -> None:
        by_round: dict[int, dict[str, Mapping[str, float]]] = {}
        for row in self.kept:
            by_round.setdefault(row.round, {})[row.learner] = row.values
        self._rounds.extend(by_round.items())

    def check(self, number: int, metrics: Mapping[str, Mapping[str, float]]) -> Diagnosis:
        """The signs that begin in a round. metrics: of the round, by learner. No Exception leaves it."""
        self._rounds.append((number, metrics))
        findings: list[Finding] = []
        failures: list[str] = []

        def failed(diagnostic: Diagnostic, error: Exception) -> None:
            if diagnostic in self.diagnostics:
                self.diagnostics = tuple(one for one in self.diagnostics if one is not diagnostic)
                log.error("the diagnostic %s failed and is left out from now on", diagnostic.name, exc_info=error)
                failures.append(f"the diagnostic {diagnostic.name} failed and is left out from now on: {error!r}")

        try:
            findings += new_findings(tuple(self._rounds), facts(self.spec, self.tables), self.diagnostics, failed)
            findings = [self._with_observations(finding, number) for finding in findings]
        except Exception as error:
            log.exception("diagnostics failed in round %d", number)
            failures.append(f"diagnostics failed in this round: {error!r}")
        return Diagnosis(tuple(findings), tuple(failures))

    def _with_observations(self, finding: Finding, number: int) -> Finding:
        """The finding, and where seats drift apart, how their observations differ, which may be the cause."""
        if finding.diagnostic.rule is not rules.seats_apart:
            return finding
        game = self.make_game(observations.SLOTS)
        try:
            differences = observations.observation_differences(observations.random_observations(game, number))
        finally:
            game.close()
        return replace(finding, what=f"{finding.what} (in random play, of what seats observe: {differences})")


def facts(spec: GameSpec, tables: Sequence[Sequence[Learner]]) -> dict[str, LearnerFacts]:
    """What the rules must know of each learner, by its name. tables: the learners of each training table."""
    sides = dict(zip(spec.seats, spec.side_of_seat, strict=True))
    return {
        learner.name: LearnerFacts(
            mates=tuple(mate.name for mate in table),
            sides=sides,
            scored=spec.scored,
            discrete=isinstance(learner.role.actions, Discrete),
            settings=_numbers(learner.settings.model_dump()),
            unused_settings=_unused_settings(learner),
        )
        for table in tables
        for learner in table
    }


def _unused_settings(learner: Learner) -> frozenset[str]:
    """Keys of the config without effect on a learner: those of other algorithms, and how rewards are shared."""
    own = type(learner.settings).model_fields
    others = {name for settings in ALGORITHMS.values() for name in settings.model_fields if name not in own}
    return frozenset(
        {f"algorithm.{name}" for name in others} | ({"game.reward"} if learner.uses_team_reward else set())
    )


def _numbers(settings: Mapping[str, object]) -> dict[str, float]:
    """The numeric settings that are set."""
    return {name: float(value) for name, value in settings.items() if isinstance(value, int | float)}
