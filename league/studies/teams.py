"""Teams in one-sided games, of one contestant or of two mixed: their scores, in all and by seat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from league.games.core import GameSpec
from league.play.fixture import Fixture, mixed_team
from league.records import PolicyId
from league.studies.contest import Played, tally

MIXED: PolicyId = "mixed"
"""The id of a mixed team in its fixtures."""

_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class AgentScore:
    """The mean score at one seat over `episodes` episodes, and half of its 95 % interval."""

    seat: str
    mean: float
    halfwidth: float
    episodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamScore:
    """A team's score: the mean over its seats and over `episodes` episodes, and half of its 95 % interval.

    label: names the contestants. shares: each contestant's share of the seats. agents: the scores by seat.
    """

    label: str
    shares: tuple[float, ...]
    mean: float
    halfwidth: float
    episodes: int
    agents: tuple[AgentScore, ...]


@dataclass(frozen=True, slots=True)
class Team:
    """A team of one or two contestants. shares: each contestant's share of the seats."""

    label: str
    shares: tuple[float, ...]


def mixed_teams(apart: Fixture, labels: Sequence[str]) -> dict[Team, list[Fixture]]:
    """The mixed teams of two contestants, with their games.

    apart: the fixture in which the contestants play apart; mixed teams play on the same seeds. One post belongs to the
    first contestant and all others to the second, or the other way round; the single post moves through all posts. With
    two posts both teams are the same; with one post there is no mixed team.
    """
    if len(labels) < 2:
        return {}
    first, second = apart.episodes
    posts = [post for post, holder in enumerate(apart.rated_index[0]) if holder >= 0]
    if len(posts) < 2:
        return {}
    share, joined = 1 / len(posts), "with" if len(posts) == 2 else "among"
    teams = {
        Team(f"{labels[0]} {joined} {labels[1]}", (share, 1 - share)): mixed_team(
            first, second, posts, games=apart.games, seed=apart.seed, name=MIXED
        )
    }
    if len(posts) > 2:
        teams[Team(f"{labels[1]} {joined} {labels[0]}", (1 - share, share))] = mixed_team(
            second, first, posts, games=apart.games, seed=apart.seed, name=MIXED
        )
    return teams


def team_score(spec: GameSpec, team: Team, played: Played, id: PolicyId = MIXED) -> TeamScore:
    """Add up a team's scores. played: its games. id: the team's id in their results."""
    seats = [one for _, result in played for one in result.seats if one.post == result.policies.index(id)]
    agents = []
    for seat in sorted({one.seat for one in seats}):
        mine = [one for one in seats if one.seat == seat]
        episodes = sum(one.episodes for one in mine)
        mean = sum(one.score_sum for one in mine) / episodes
        half = halfwidth(sum(one.score_sq for one in mine), mean, episodes)
        agents.append(AgentScore(spec.seats[seat], mean, half, episodes))
    whole = tally(played, {id})
    mean = whole.total / whole.episodes
    return TeamScore(
        label=team.label,
        shares=team.shares,
        mean=mean,
        halfwidth=halfwidth(whole.square, mean, whole.episodes),
        episodes=whole.episodes,
        agents=tuple(agents),
    )


def halfwidth(square: float, mean: float, count: int) -> float:
    """Half of a mean's 95 % interval. square: the sum of the squares of its `count` values."""
    variance = max(square / count - mean * mean, 0.0)
    return _Z95 * math.sqrt(variance / max(count - 1, 1))
