"""Rewards that are given to the wrong agent, found by learning.

An agent that cannot raise its own return by learning from its own reward is let learn from what the others are given.
If that raises another's return and leaves its own as it is, then what it does is paid to the other one. (Where an agent
merely plays badly for another's good, its own return falls with it.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from league.config import RunConfig
from league.errors import LeagueError
from league.games.core import Game, RoleSpec
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
    role: RoleSpec,
    seconds: float,
    notes: Notes,
    tick: Callable[[float], None] = lambda done: None,
) -> None:
    """Look for agents of a role whose deeds are paid to others; an error for each. seconds: for all of them."""
    game = _each_for_itself(one, play)
    if game is None:
        return
    try:
        spec = game.spec
        for place, seat in enumerate(role.seats[:_MOST]):
            count = len(spec.seats)
            pay = torch.eye(count)
            pay[:, seat] = 1.0
            pay[seat, seat] = 0.0
            number = next(index for index, other in enumerate(spec.roles) if seat in other.seats)
            share = 1 / min(len(role.seats), _MOST)

            def told(done: float, place: int = place, share: float = share) -> None:
                tick((place + done) * share)

            posts = [spec.post_of_seat[seat]]
            found = lesson(config, game, play, number, seconds * share, told, posts, pay, _another_gains)
            mine, best = _sides(found.curves)
            if mine.last.n and best.change >= _CERTAIN and abs(mine.change) < CLIMBS and mine.random.error > 0:
                _accuse(mine, best, found.agent_steps, notes)
    finally:
        game.close()


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


def _each_for_itself(one: Subject, play: Play) -> Game | None:
    """The game with every agent a role and a side of its own; a native one as it is. None where nobody is there."""
    agents = list(play.scores)
    if len(agents) < 2:
        return None
    if one.source is not None:
        one = one.changed({"roles": {agent: [agent] for agent in agents}, "sides": [[agent] for agent in agents]})
    try:
        probe = one.game(1)
        spec = probe.spec
        probe.close()
        return one.game(slots_for(spec, play))
    except LeagueError:
        return None
