"""Rewards that are given to the wrong agent, found by learning.

An agent that cannot raise its own return by learning from its own reward is let learn from what the others are given.
If that raises another's return and leaves its own as it is, then what it does is paid to the other one. (Where an agent
merely plays badly for another's good, its own return falls with it.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

import torch

from league.config.run import RunConfig
from league.events import part
from league.games.core import Game, GameSpec
from league.matchmaking.posts import post_of_seat
from league.studies.check.learning import CLIMBS, lesson, shown, slots_for
from league.studies.check.notes import Notes
from league.studies.check.report import Curve, Play
from league.studies.check.subject import Subject

_CERTAIN = 5.0
"""Standard errors by which another's return must rise."""

_MOST = 2
"""Agents of a role that are looked at."""


def misdirected(
    config: RunConfig,
    one: Subject,
    play: Play,
    seats: Sequence[int],
    seconds: float,
    notes: Notes,
    tick: Callable[[float], None] = lambda done: None,
) -> bool:
    """Whether there are agents among `seats` whose deeds are paid to others; an error is noted for each.

    seconds: for all of them.
    """
    looked = seats[:_MOST]
    share, accused = 1 / len(looked), False
    game = _each_for_itself(one, play, seconds * share)
    if game is None:
        return False
    with closing(game):
        for place, seat in enumerate(looked):
            role = next(index for index, other in enumerate(game.spec.roles) if seat in other.seats)
            posts, pay = [post_of_seat(game.spec.posts)[seat]], _from_others(game.spec, seat)
            here = part(tick, place * share, share)
            found = lesson(config, game, play, role, seconds * share, here, posts, pay, _another_gains)
            mine, best = _sides(found.curves)
            if mine.last.n and best.change >= _CERTAIN and abs(mine.change) < CLIMBS and mine.random.error > 0:
                _accuse(mine, best, found.agent_steps, notes)
                accused = True
    return accused


def _from_others(spec: GameSpec, seat: int) -> torch.Tensor:
    """Who is paid with what, `[S, S]` as in `Desk`: this seat with what all others are given, they with their own."""
    pay = torch.eye(len(spec.seats))
    pay[:, seat] = 1.0
    pay[seat, seat] = 0.0
    return pay


def _sides(curves: Sequence[Curve]) -> tuple[Curve, Curve]:
    """The learner's own curve, and the other's that rose most."""
    mine = next(curve for curve in curves if curve.learns)
    return mine, max((curve for curve in curves if not curve.learns), key=lambda curve: curve.change)


def _another_gains(curves: Sequence[Curve]) -> bool:
    """Whether enough is known."""
    return _sides(curves)[1].change > 2 * _CERTAIN


def _accuse(mine: Curve, best: Curve, steps: int, notes: Notes) -> None:
    notes.add(
        "error",
        "rewards.wrong-agent",
        f"what '{mine.agent}' does is paid to '{best.agent}': learning from its own reward does not raise its own "
        f"return; learning from what the others are given raises that of '{best.agent}' ({shown(best.random)} → "
        f"{shown(best.last)} in {steps:,} agent-steps) and leaves its own ({shown(mine.random)} → {shown(mine.last)})",
        f"agent '{mine.agent}'",
        "look where rewards are set: by another agent's name or index, or after agent_selection has moved on?",
        "step",
        of=mine.agent,
    )


def _each_for_itself(one: Subject, play: Play, seconds: float) -> Game | None:
    """The game with every agent a role and a side of its own; a native one as it is. None where nobody is there."""
    agents = list(play.scores)
    if len(agents) < 2:
        return None
    if one.source is not None:
        one = one.changed({"roles": {agent: [agent] for agent in agents}, "sides": [[agent] for agent in agents]})
    return one.game(slots_for(len(agents), play, seconds))
