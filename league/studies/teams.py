"""Teams of one-sided games: what they score, as a whole and by agent, with one policy at all seats or two mixed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from league.games.core import GameSpec
from league.play.fixture import Fixture, among
from league.records import MatchResult

_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class AgentScore:
    """What was scored at one seat: the mean of `episodes` episodes, and half its 95 % interval."""

    seat: str
    mean: float
    halfwidth: float
    episodes: int


@dataclass(frozen=True, slots=True)
class TeamScore:
    """What a team scored: the mean over its seats and over `episodes` episodes, half its 95 % interval, and by agent.

    label: who is in it. shares: of the seats, by contestant.
    """

    label: str
    shares: tuple[float, ...]
    mean: float
    halfwidth: float
    episodes: int
    agents: tuple[AgentScore, ...]


@dataclass(frozen=True, slots=True)
class Mixed:
    """A team about to be played in which the policies of two contestants sit together."""

    label: str
    shares: tuple[float, ...]
    fixtures: tuple[Fixture, ...]


def mixed(apart: Fixture, labels: Sequence[str]) -> list[Mixed]:
    """The teams of two contestants mixed, on the seeds of the fixture in which they play apart.

    One of the first among the second's and the other way round, at each post in turn: where there are two posts these
    are the same teams, and where there is one there are none.
    """
    if len(labels) < 2:
        return []
    first, second = apart.episodes
    posts = [post for post, holder in enumerate(apart.holders[0]) if holder >= 0]
    if len(posts) < 2:
        return []
    found = []
    for mine, one, rest in ((0, first, second), (1, second, first))[: 1 if len(posts) == 2 else 2]:
        share = 1 / len(posts)
        shares = (share, 1 - share) if mine == 0 else (1 - share, share)
        label = f"{labels[mine]} {'with' if len(posts) == 2 else 'among'} {labels[1 - mine]}"
        played = among(one, rest, posts, apart.games, apart.seed, "mixed")
        found.append(Mixed(label, shares, tuple(played)))
    return found


def team_score(
    spec: GameSpec,
    label: str,
    shares: Sequence[float],
    played: Sequence[tuple[Fixture, MatchResult]],
    place: int = 0,
) -> TeamScore:
    """Sum up what a team scored in its fixtures. place: of the lineup, under which its scores stand."""
    count = sum(fixture.games * sum(place in held for held in fixture.holders) for fixture, _ in played)
    total, square = (sum(getattr(result, name)[place] for _, result in played) for name in ("score_sum", "score_sq"))
    found = [one for _, result in played for one in result.seats if one.post == place]
    agents = []
    for seat in sorted({one.seat for one in found}):
        mine = [one for one in found if one.seat == seat]
        episodes = sum(one.episodes for one in mine)
        mean = sum(one.score_sum for one in mine) / episodes
        half = halfwidth(sum(one.score_sq for one in mine), mean, episodes)
        agents.append(AgentScore(spec.seats[seat], mean, half, episodes))
    mean = total / count
    return TeamScore(label, tuple(shares), mean, halfwidth(square, mean, count), count, tuple(agents))


def halfwidth(square: float, mean: float, count: int) -> float:
    """Half of a mean's 95 % interval. square: the sum of the squares of its `count` values."""
    variance = max(square / count - mean * mean, 0.0)
    return _Z95 * math.sqrt(variance / max(count - 1, 1))
