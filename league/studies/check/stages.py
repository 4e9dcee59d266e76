"""The stages of a check, from the bare environment to short training; each runs only if the ones before allow it."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from league import __version__
from league.config.run import RunConfig
from league.errors import LeagueError
from league.events import part
from league.games.core import Game, GameSpec
from league.games.pettingzoo.answers import raised_at
from league.games.words import described
from league.studies.check import random_play, short_training
from league.studies.check.check_report import LEVELS, Cost, Finding, Play, Report, ShortTraining
from league.studies.check.determinism import check_seeds
from league.studies.check.finding_log import FindingLog
from league.studies.check.game_under_test import GameUnderTest, game_under_test
from league.studies.check.min_agents import MinAgents, find_min_agents
from league.studies.check.pettingzoo_audit import AuditSummary, audit
from league.studies.check.reward_attribution import find_misattributed_rewards
from league.studies.check.run_cost import cost
from league.threads import alone

_AUDIT, _PLAY, _TRACE = 2.0, 3.0, 0.25
"""Seconds for the audit, for random play, and for each traced episode."""

_TRACED = (16, 200)
"""Turns that a traced episode is followed, at least and at most."""

_RISEN = 2.0
"""Standard errors of a rise above which reward attribution is not examined."""

_PASSED = {
    "api": "agents, spaces and calls follow the PettingZoo API",
    "agents": "agents leave when their episode is over, and neither act nor get rewards afterwards",
    "observations": "observations are finite and inside their declared spaces",
    "masks": "masks allow what step() accepts",
    "rewards": "rewards are finite and their records agree",
    "seeds": "a seed gives the same episode again: in a used instance, a fresh one, and a fresh process",
    "contract": "league's contract of games holds on random play",
}
"""The message for a group of checks without a fault."""

Tick = Callable[[float], None]


@dataclass(slots=True, kw_only=True)
class _Progress:
    """What a check has found so far. checked: groups of checks that ran."""

    findings: list[Finding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    audited: AuditSummary | None = None
    fewest: Mapping[str, object] = field(default_factory=dict)
    spec: GameSpec | None = None
    play: Play | None = None
    lessons: list[ShortTraining] = field(default_factory=list)
    cost: Cost | None = None

    def broken(self) -> bool:
        """Whether there is an error already."""
        return any(finding.level == "error" for finding in self.findings)


def check(quick: RunConfig, config: RunConfig, seconds: float, steps: int, tick: Tick = lambda done: None) -> Report:
    """Check the game of a config.

    quick: the same with settings that learn quickly (`short_training.SETTINGS`). seconds: of training, of all roles.
    steps: agent-steps of the run whose cost is estimated, 0 for no estimate. tick: called with the fraction done.
    Raises GameError for a game that cannot be found or made.
    """
    began = time.perf_counter()
    alone()
    one, found = game_under_test(config.game.id, config.game.options), _Progress()
    log = FindingLog()
    if one.source is not None:
        log = _run_audit(one, found, config.seed, part(tick, 0.0, 0.15))
    else:
        with closing(one.game(1)):
            pass  # a game that cannot be made is the caller's mistake, not a finding
    if found.audited is None or found.audited.turns:
        _run_seed_checks(one, found, log, part(tick, 0.15, 0.1))
    try:
        _run_play(one, found, log, quick, seconds, part(tick, 0.25, 0.65))
    except LeagueError as error:
        log.add("error", "game", f"the game cannot be played: {error}")
    except Exception as error:
        # An environment may raise anything; if a fault was already found, that finding explains it better.
        if not log.has("", "error"):
            log.add("error", "game", f"the game cannot be played: {type(error).__name__}: {error} ({raised_at(error)})")
    found.findings = _without_duplicates(found.findings, log.found)
    if steps and not found.broken():
        found.cost = _cost(config, steps, found, part(tick, 0.9, 0.1))
    tick(1.0)
    return _report(one, found, time.perf_counter() - began)


def _run_audit(one: GameUnderTest, found: _Progress, seed: int, tick: Tick) -> FindingLog:
    """Audit the bare environment, and again with the fewest agents, of which only errors are kept."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        log, audited = audit(one, "", _AUDIT, seed, part(tick, 0.0, 0.6))
    _pass_on(heard, log)
    found.audited = audited
    found.checked += ["api", "agents", "observations", "rewards"] if audited.turns else []
    found.checked += ["masks"] if audited.masks else []
    few = find_min_agents(one, audited.agents, seed) if audited.agents > 1 else MinAgents()
    found.fewest = few.options
    found.findings += few.errors
    if few.options and not few.errors:
        what = f"with the fewest agents ({few.setting}: {few.agents}) the environment is also sound"
        found.findings.append(Finding("ok", "fewest", what))
    tick(1.0)
    return log


def _pass_on(heard: Sequence[warnings.WarningMessage], log: FindingLog) -> None:
    """What PettingZoo and Gymnasium say to the author of an environment, once each; other warnings as they are."""
    said = [one for one in heard if {"pettingzoo", "gymnasium"} & set(Path(one.filename).parts)]
    for text in dict.fromkeys(" ".join(str(one.message).split()) for one in said):
        log.add("note", "warnings", f"PettingZoo warns its author: {text}", of=text)
    for one in heard:
        if one not in said:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _run_seed_checks(one: GameUnderTest, found: _Progress, log: FindingLog, tick: Tick) -> None:
    fewest_turns, most = _TRACED
    rate = found.audited.rate if found.audited is not None else most / _TRACE
    try:
        check_seeds(one, int(min(max(rate * _TRACE, fewest_turns), most)), log)
        found.checked.append("seeds")
    except LeagueError as error:
        log.add("error", "seeds", f"an episode cannot be traced: {error}")
    tick(1.0)


def _run_play(
    one: GameUnderTest, found: _Progress, log: FindingLog, quick: RunConfig, seconds: float, tick: Tick
) -> None:
    """Random play and training with the game that league makes of the environment."""
    if found.audited is not None and log.has("", "error"):
        # The fault is reported; playing on could hide it and would take time.
        return
    rate = found.audited.rate if found.audited is not None else math.inf
    with closing(one.game(random_play.slots_for(rate))) as game:
        found.spec = game.spec
        found.play = random_play.play_randomly(game, _PLAY, quick.seed, part(tick, 0.0, 0.2))
        random_play.assess_play(game, found.play, log)
    one = _with_fixed_roles(one, found.spec)
    if found.play.unfinished:
        return  # the rest is about whole episodes
    random_play.check_contract(one.game, log, 4, 2, quick.seed)
    found.checked.append("contract")
    tick(0.3)
    if log.has("", "error") or seconds <= 0:
        return
    _run_training(one, found, log, quick, seconds, part(tick, 0.3, 0.7))


def _run_training(
    one: GameUnderTest, found: _Progress, log: FindingLog, quick: RunConfig, seconds: float, tick: Tick
) -> None:
    """Train each role in turn; if one learns nothing, check whether others get its rewards."""
    spec, random = found.spec, found.play
    assert spec is not None
    assert random is not None
    share = 1 / len(spec.roles)
    with closing(one.game(short_training.slots_for(len(spec.posts), random, seconds * share))) as game:
        for number, role in enumerate(spec.roles):
            here = part(tick, number * share, share)
            training = _train(quick, game, random, number, seconds * share, log, part(here, 0.0, 0.5))
            if training is None:
                return
            found.lessons.append(training)
            before, after = training.learner_returns
            # Fewer rounds are not enough to conclude that nothing was learned.
            if (
                training.rounds >= short_training.ENOUGH_ROUNDS
                and after.n
                and after.standard_errors_above(before) < _RISEN
            ):
                there = part(here, 0.5, 0.5)
                if find_misattributed_rewards(quick, one, random, role.seats, seconds * share / 2, log, there):
                    continue
            short_training.assess_training(training, spec, log)


def _with_fixed_roles(one: GameUnderTest, spec: GameSpec) -> GameUnderTest:
    """The game with its roles and sides as options, so that they need not be inferred from random play again."""
    if one.source is None:
        return one
    roles = {role.name: [spec.seats[seat] for seat in role.seats] for role in spec.roles}
    sides = [[spec.seats[seat] for seat in side] for side in spec.sides]
    return one.changed({"roles": roles, "sides": sides, "outcome": spec.outcome})


def _train(
    quick: RunConfig, game: Game, random: Play, role: int, seconds: float, log: FindingLog, tick: Tick
) -> ShortTraining | None:
    try:
        return short_training.train_role(quick, game, random, role, seconds, tick)
    except LeagueError as error:
        name = game.spec.roles[role].name
        log.add("error", "learning.fails", f"{name} cannot learn: {error}", f"role '{name}'")
        return None


def _cost(config: RunConfig, steps: int, found: _Progress, tick: Tick) -> Cost | None:
    try:
        return cost(config, steps, tick)
    except LeagueError as error:
        found.findings.append(Finding("warning", "cost", f"the cost of a run could not be measured: {error}"))
        return None


def _without_duplicates(first: list[Finding], then: list[Finding]) -> list[Finding]:
    """Findings with the fewest agents, then those of the configured game that are not the same fault again."""
    known = {finding.check for finding in first if finding.level == "error"}
    return [*first, *(finding for finding in then if finding.check not in known)]


def _report(one: GameUnderTest, found: _Progress, seconds: float) -> Report:
    fallen = {finding.check.partition(".")[0] for finding in found.findings if finding.level in ("error", "warning")}
    fine = [Finding("ok", group, _PASSED[group]) for group in _PASSED if group in found.checked and group not in fallen]
    order = {level: number for number, level in enumerate(LEVELS)}
    findings = sorted([*found.findings, *fine], key=lambda finding: order[finding.level])
    spec = found.spec
    names = () if spec is None else spec.seats
    return Report(
        version=__version__,
        game=one.id,
        kind="native" if found.audited is None else found.audited.kind,
        options=dict(one.options),
        findings=tuple(findings),
        seats=names,
        roles={} if spec is None else {role.name: tuple(names[seat] for seat in role.seats) for role in spec.roles},
        sides=() if spec is None else tuple(tuple(names[seat] for seat in side) for side in spec.sides),
        words={} if spec is None else described(spec),
        fewest=dict(found.fewest),
        play=found.play,
        lessons=tuple(found.lessons),
        cost=found.cost,
        seconds=seconds,
    )
