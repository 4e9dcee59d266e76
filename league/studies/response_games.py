"""Games of trained responses against a frozen policy: which response is best at each side, and what it gains there.

Letters in shapes: G games, S seats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from league.events import Tick
from league.games.core import Game, GameSpec
from league.play.fixture import Fixture
from league.rating.mean_score import mean_interval
from league.records import PolicyId, TrainingResult
from league.run.roster.roster import Roster
from league.storage.store import Store
from league.studies.contest import Contest, play_for_scores

Key = TypeVar("Key", bound=Hashable)
Floats = npt.NDArray[np.float64]
Interval = tuple[float, float, float]
"""A mean and the ends of its 95 % interval."""

_SHORTLIST = 8
"""The most snapshots that are compared by games of their own: those with the highest returns in training."""

_CHOICE_GAMES = 512
"""Games at each side by which they are compared."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Snapshots that one table took together. ids: by role. trained: their mean return in the rounds before."""

    label: str
    ids: Mapping[str, PolicyId]
    trained: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SideScore:
    """The response at one side, in the game's score an episode, as a mean over the side's seats.

    seats: their names. response: the label of the response. score: of the response there. own: of the policy itself
    there, against itself; None where the scores of every game sum to 0, so that both sides' sum is known to be 0. gain:
    the score, less `own` where that is known. result: mean result in [0, 1], a draw being half a win.
    """

    seats: tuple[str, ...]
    response: str
    score: Interval
    own: Interval | None
    gain: Interval
    result: float


def candidates(store: Store, tables: Sequence[Sequence[str]]) -> list[Candidate]:
    """The snapshots of a run with the highest returns in training, best first. tables: the learners of each table."""
    snapshots, rows = store.snapshots(), store.training()
    found = []
    for learners in tables:
        lines = [[one for one in snapshots if one.learner == learner] for learner in learners]
        before = 0
        for together in zip(*lines, strict=True):
            until = together[0].round
            recent = [row for row in rows if row.learner in learners and before < row.round <= until]
            label = "+".join(one.name for one in together)
            found.append(Candidate(label, {one.role: one.id for one in together}, _mean_return(recent)))
            before = until
    return sorted(found, key=lambda one: -one.trained)[:_SHORTLIST]


def chosen(
    make: Callable[[int], Game],
    roster: Roster,
    found: Sequence[Candidate],
    target: Mapping[str, PolicyId],
    seed: int,
    tick: Tick,
) -> list[Candidate]:
    """The best candidate at each side, by games that serve nothing else. target: the frozen policy's ids, by role."""
    sides = range(len(roster.spec.sides))
    fixtures = {
        (side, place): _fixture(roster.spec, one.ids, target, side, _CHOICE_GAMES, seed)
        for side in sides
        for place, one in enumerate(found)
    }
    scores = _played(make, roster, fixtures, tick)
    means = {key: float(_of_side(roster.spec, score, key[0]).mean()) for key, score in scores.items()}
    return [found[max(range(len(found)), key=lambda place: means[side, place])] for side in sides]


def measured(
    make: Callable[[int], Game],
    roster: Roster,
    best: Sequence[Candidate],
    target: Mapping[str, PolicyId],
    games: int,
    seed: int,
    tick: Tick,
) -> tuple[SideScore, ...]:
    """What the best response of each side gains there in `games` new games. best: by side."""
    spec = roster.spec
    fixtures = {side: _fixture(spec, one.ids, target, side, games, seed + side) for side, one in enumerate(best)}
    scores = _played(make, roster, fixtures, tick)
    sums = [sum(_of_side(spec, score, side) for side in fixtures) for score in scores.values()]
    own: Floats | None = None
    if any(np.abs(total).max() > 1e-4 for total in sums):
        alone = {len(best): _fixture(spec, target, target, 0, games, seed + len(best))}
        (own,) = _played(make, roster, alone, lambda fraction: None).values()
    lines = []
    for side, one in enumerate(best):
        score = _interval(_of_side(spec, scores[side], side))
        base = None if own is None else _interval(_of_side(spec, own, side))
        lines.append(
            SideScore(
                seats=tuple(spec.seats[seat] for seat in spec.sides[side]),
                response=one.label,
                score=score,
                own=base,
                gain=score if base is None else _difference(score, base),
                result=_result(spec, scores[side], side),
            )
        )
    return tuple(lines)


def mean_of_sides(sides: Sequence[SideScore]) -> Interval:
    """The mean gain over the sides, whose games are independent: exploitability, as the response shows it."""
    mean = sum(one.gain[0] for one in sides) / len(sides)
    half = math.hypot(*(one.gain[2] - one.gain[0] for one in sides)) / len(sides)
    return mean, mean - half, mean + half


def _fixture(
    spec: GameSpec,
    response: Mapping[str, PolicyId],
    target: Mapping[str, PolicyId],
    side: int,
    games: int,
    seed: int,
) -> Fixture:
    """Games in which the response holds one side and the target the other. Both are ids by role."""
    lineup = tuple((response if post.side == side else target)[post.role] for post in spec.posts)
    held = tuple(int(post.side != side) for post in spec.posts)
    ends = tuple((lineup[held.index(holder)],) for holder in (0, 1))
    return Fixture(contestants=ends, episodes=(lineup,), rated_index=(held,), games=games, seed=seed)


def _played(
    make: Callable[[int], Game], roster: Roster, fixtures: Mapping[Key, Fixture], tick: Tick
) -> dict[Key, Floats]:
    """`[G, S]` the scores of each fixture's games."""
    ids = {id for fixture in fixtures.values() for id in fixture.episodes[0]}
    policies = {id: roster.policy(id) for id in sorted(ids)}
    groups = {key: (fixture,) for key, fixture in fixtures.items()}
    return play_for_scores(make, Contest(roster.spec, roster.spec.posts, policies, groups), tick)


def _of_side(spec: GameSpec, score: Floats, side: int) -> Floats:
    """`[G]` the mean score of a side's seats. score: `[G, S]`."""
    mean: Floats = score[:, list(spec.sides[side])].mean(1)
    return mean


def _result(spec: GameSpec, score: Floats, side: int) -> float:
    ahead = _of_side(spec, score, side) - _of_side(spec, score, 1 - side)
    return float(((ahead > 0) + 0.5 * (ahead == 0)).mean())


def _interval(values: Floats) -> Interval:
    return mean_interval(len(values), float(values.sum()), float(np.square(values).sum()))


def _difference(one: Interval, other: Interval) -> Interval:
    """Of independent means."""
    mean, half = one[0] - other[0], math.hypot(one[2] - one[0], other[2] - other[0])
    return mean, mean - half, mean + half


def _mean_return(rows: Sequence[TrainingResult]) -> float:
    """Over all episodes; minus infinity without any, as for snapshots that were never trained."""
    episodes = sum(row.episodes for row in rows)
    return sum(row.episodes * row.return_mean for row in rows) / episodes if episodes else -math.inf
