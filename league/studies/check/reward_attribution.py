"""Finds rewards that go to the wrong agent, by training.

An agent that cannot raise its own return by learning from its own reward is trained on the rewards of the others. If
that raises another agent's return and does not change its own, then the other one gets the rewards for its actions.
(If it merely sacrificed itself for another, its own return would fall.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

import torch

from league.config.run import RunConfig
from league.events import part
from league.games.core import Game, GameSpec
from league.matchmaking.posts import post_of_seat
from league.studies.check.check_report import Curve, Play
from league.studies.check.finding_log import FindingLog
from league.studies.check.game_under_test import GameUnderTest
from league.studies.check.short_training import CHANGED, format_mean, slots_for, train_role

_CERTAIN = 5.0
"""Standard errors by which another agent's return must rise."""

_MAX_AGENTS = 2
"""Largest number of agents of a role that are examined."""


def find_misattributed_rewards(
    config: RunConfig,
    one: GameUnderTest,
    play: Play,
    seats: Sequence[int],
    seconds: float,
    log: FindingLog,
    tick: Callable[[float], None] = lambda done: None,
) -> bool:
    """Whether rewards for the actions of any of `seats` go to other agents; an error is reported for each such seat.

    seconds: of training, for all of them together.
    """
    examined = seats[:_MAX_AGENTS]
    share, misattributed = 1 / len(examined), False
    game = _one_role_per_agent(one, play, seconds * share)
    if game is None:
        return False
    with closing(game):
        for place, seat in enumerate(examined):
            role = next(index for index, other in enumerate(game.spec.roles) if seat in other.seats)
            posts, pay = [post_of_seat(game.spec.posts)[seat]], _from_others(game.spec, seat)
            here = part(tick, place * share, share)
            found = train_role(config, game, play, role, seconds * share, here, posts, pay, _another_gains)
            mine, best = _learner_and_other(found.curves)
            if mine.last.n and best.change >= _CERTAIN and abs(mine.change) < CHANGED and mine.random.error > 0:
                _report(mine, best, found.agent_steps, log)
                misattributed = True
    return misattributed


def _from_others(spec: GameSpec, seat: int) -> torch.Tensor:
    """`pay` of `RecordedGame`, `[S, S]`: this seat gets the rewards of all others, which keep their own."""
    pay = torch.eye(len(spec.seats))
    pay[:, seat] = 1.0
    pay[seat, seat] = 0.0
    return pay


def _learner_and_other(curves: Sequence[Curve]) -> tuple[Curve, Curve]:
    """The learner's own curve, and the other's whose return rose most."""
    mine = next(curve for curve in curves if curve.learns)
    return mine, max((curve for curve in curves if not curve.learns), key=lambda curve: curve.change)


def _another_gains(curves: Sequence[Curve]) -> bool:
    """Whether another agent's return has risen beyond doubt."""
    return _learner_and_other(curves)[1].change > 2 * _CERTAIN


def _report(mine: Curve, best: Curve, steps: int, log: FindingLog) -> None:
    log.add(
        "error",
        "rewards.wrong-agent",
        f"the reward for what '{mine.agent}' does goes to '{best.agent}': learning from its own reward does not raise "
        f"its own return; learning from the others' rewards raises that of '{best.agent}' "
        f"({format_mean(best.random)} → {format_mean(best.last)} in {steps:,} agent-steps) and does not change its own "
        f"({format_mean(mine.random)} → {format_mean(mine.last)})",
        f"agent '{mine.agent}'",
        "check where rewards are set: by another agent's name or index, or after agent_selection has moved on?",
        "step",
        of=mine.agent,
    )


def _one_role_per_agent(one: GameUnderTest, play: Play, seconds: float) -> Game | None:
    """The game with a role and a side for every agent; a native game as it is. None for a single agent."""
    agents = list(play.scores)
    if len(agents) < 2:
        return None
    if one.source is not None:
        one = one.changed({"roles": {agent: [agent] for agent in agents}, "sides": [[agent] for agent in agents]})
    return one.game(slots_for(len(agents), play, seconds))
