"""Contests: policies named by POLICY texts, the games that they play, and the results by group of games.

`league match`, `payoff` and `credit` each plan a `Contest`, play it here and report the results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from league.errors import PolicyError
from league.execution.executor import match_games
from league.games.core import Game, GameSpec
from league.play.fixture import Fixture
from league.play.match import play, play_episodes, results_of
from league.policies.core import Policy
from league.records import MatchResult, PolicyId, Post, Snapshot
from league.run.roster.lookup import Found, find, role_of
from league.run.roster.policy_text import split_roles
from league.run.roster.roster import Roster
from league.run.slots import usual_slots
from league.studies.repetition import Repetition, repetition
from league.threads import Threads

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Contestant:
    """One contestant: a policy for each role that it plays. name: unique within the contest, part of its ids."""

    name: str
    policies: Mapping[str, Found]

    @property
    def label(self) -> str:
        """The labels of its policies, each once."""
        return "+".join(dict.fromkeys(found.label for found in self.policies.values()))

    def called(self, text: str) -> Contestant:
        """The same contestant, with the text that the user named it by in its label."""
        # An exported folder's name, which follows the policy's in brackets, is part of the text.
        label = f"{self.label.partition(' (')[0]} ({text})"
        return replace(self, policies={role: replace(one, label=label) for role, one in self.policies.items()})

    @property
    def ids(self) -> Mapping[PolicyId, Policy]:
        """Its policies by their ids in fixtures."""
        return {self.id(role): found.policy for role, found in self.policies.items()}

    def id(self, role: str) -> PolicyId:
        """The id in fixtures of its policy for `role`."""
        return f"{self.name}:{role}"


@dataclass(frozen=True, slots=True)
class Contest(Generic[Key]):
    """Games to play together.

    posts: the posts of the fixtures' lineups. policies: by their ids in the fixtures. fixtures: by group; a group is a
    cell of a table, a team or a coalition.
    """

    spec: GameSpec
    posts: tuple[Post, ...]
    policies: Mapping[PolicyId, Policy]
    fixtures: Mapping[Key, Sequence[Fixture]]

    @property
    def every_fixture(self) -> list[Fixture]:
        """The fixtures of all groups, in order."""
        return [fixture for group in self.fixtures.values() for fixture in group]

    @property
    def episodes(self) -> int:
        """The total number of episodes."""
        return sum(fixture.episode_count for fixture in self.every_fixture)


Played = Sequence[tuple[Fixture, MatchResult]]
"""Fixtures with their results."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The number of episodes, the sum of their scores and the sum of the squared scores."""

    episodes: int
    total: float
    square: float


def play_contest(
    make: Callable[[int], Game], contest: Contest[Key], tick: Callable[[float], None] = lambda fraction: None
) -> Mapping[Key, Played]:
    """Play all games with sampled moves; returns the results of each group.

    make: creates a game with a number of slots.
    """
    with games_for(make, contest.spec, contest.episodes) as (games, threads):
        results = play(games, contest.policies, contest.every_fixture, tick=tick, threads=threads, posts=contest.posts)
    return _grouped(contest, results)


def play_and_compare(
    make: Callable[[int], Game],
    contest: Contest[Key],
    temperature: float = 1.0,
    tick: Callable[[float], None] = lambda fraction: None,
) -> tuple[Mapping[Key, Played], Repetition]:
    """Play all games; returns the results of each group, and how far the games repeat each other.

    make: creates a game with a number of slots. temperature: divides the policies' log-probabilities; 0 is greedy.
    """
    every = contest.every_fixture
    with games_for(make, contest.spec, contest.episodes) as (games, threads):
        episodes = play_episodes(
            games, contest.policies, every, temperature, tick, threads=threads, posts=contest.posts, hashed=True
        )
    return _grouped(contest, results_of(contest.spec, every, episodes, contest.posts)), repetition(episodes)


def play_for_scores(
    make: Callable[[int], Game], contest: Contest[Key], tick: Callable[[float], None] = lambda fraction: None
) -> dict[Key, NDArray[np.float64]]:
    """Play all games with sampled moves; returns `[games, S]` for each group: every game's score by seat.

    make: creates a game with a number of slots. A game is one episode here.
    """
    with games_for(make, contest.spec, contest.episodes) as (games, threads):
        episodes = play_episodes(
            games, contest.policies, contest.every_fixture, tick=tick, threads=threads, posts=contest.posts
        )
    return {
        key: np.concatenate([found.score[:, 0] for _, found in group])
        for key, group in _grouped(contest, episodes).items()
    }


def tally(played: Played, ids: Collection[PolicyId]) -> Tally:
    """Add up the scores of the policies with these ids over all results."""
    episodes, total, square = 0, 0.0, 0.0
    for fixture, result in played:
        for place, policy in enumerate(result.policies):
            if policy in ids:
                episodes += fixture.games * sum(place in held for held in fixture.rated_index)
                total, square = total + result.score_sum[place], square + result.score_sq[place]
    return Tally(episodes, total, square)


def contestant(name: str, texts: Mapping[str, str], roster: Roster) -> Contestant:
    """Find a contestant's policies. texts: POLICY by role. Raises PolicyError, SnapshotError or RunError."""
    return Contestant(name, {role: find(text, role, roster) for role, text in texts.items()})


def same_policies(one: Contestant, other: Contestant) -> bool:
    """Whether two contestants are one and the same, called by two names."""
    return [found.id or found.label for found in one.policies.values()] == [
        found.id or found.label for found in other.policies.values()
    ]


def told_apart(contestants: Sequence[Contestant], texts: Sequence[str]) -> tuple[Contestant, ...]:
    """The contestants, with labels that differ wherever their texts do: the text follows a label that others share."""
    labels = [one.label for one in contestants]
    return tuple(
        one.called(text)
        if any(label == one.label and other != text for label, other in zip(labels, texts, strict=True))
        else one
        for one, text in zip(contestants, texts, strict=True)
    )


def stand_ins(roles: Iterable[str], roster: Roster) -> Contestant:
    """The policies for roles without a named policy. Raises PolicyError if there is no snapshot yet."""
    return contestant("other", {role: stand_in(roster, role) for role in roles}, roster)


def stand_in(roster: Roster, role: str) -> str:
    """The POLICY for a role without a named policy: the best, or the latest if none is rated."""
    if role in roster.stand_ins:
        return roster.stand_ins[role]
    return "best" if roster.ranking.best(role) is not None else "latest"


def all_policies(contestants: Iterable[Contestant]) -> dict[PolicyId, Policy]:
    """The policies of all contestants, by their ids in fixtures."""
    return {id: policy for one in contestants for id, policy in one.ids.items()}


def roles_meant(text: str, roster: Roster, seats: Sequence[str] = ()) -> dict[str, str]:
    """The POLICY for each role that a text names; under "" the POLICY for all others.

    A snapshot's own role counts as named. seats: names of seats that the text may use instead of roles.
    """
    roles = split_roles(text, [role.name for role in roster.spec.roles], seats)
    if "" in roles and len(roster.spec.roles) > 1 and (role := role_of(roles[""], roster)) is not None:
        return {role: roles[""]}
    return roles


def filled_roles(text: str, roster: Roster) -> dict[str, str]:
    """The POLICY for each role of the game. Raises PolicyError if the text leaves a role open."""
    meant, roles = roles_meant(text, roster), [role.name for role in roster.spec.roles]
    missing = [role for role in roles if "" not in meant and role not in meant]
    if missing:
        every = "both seats need one" if len(roster.spec.seats) == 2 else "every role needs one"
        example = ",".join(f"{role}={meant.get(role, 'best')}" for role in roles)
        raise PolicyError(f"'{text}' names no policy for {' and '.join(missing)}: {every}, as in {example}")
    return {role: meant.get(role, meant.get("", "")) for role in roles}


def every_snapshot(roster: Roster) -> list[dict[str, str]]:
    """All snapshots of the run in order, by role; with several roles, those that were taken together."""
    snapshots, roles = roster.entrants.snapshots, roster.spec.roles
    by_role = {role.name: [one.id for one in snapshots if one.role == role.name] for role in roles}
    return [dict(zip(by_role, ids, strict=True)) for ids in zip(*by_role.values(), strict=True)]


def label_of(found: Iterable[Found]) -> str:
    """What the policies are called together; one that takes several roles is named once."""
    return "+".join(dict.fromkeys(one.label for one in found))


def snapshot_of(found: Iterable[Found], roster: Roster) -> Snapshot | None:
    """A snapshot among the policies; None if there is none, or if their rounds or steps differ."""
    ids = {one.id for one in found}
    snapshots = {(one.round, one.steps): one for one in roster.entrants.snapshots if one.id in ids}
    return next(iter(snapshots.values())) if len(snapshots) == 1 else None


@contextmanager
def games_for(make: Callable[[int], Game], spec: GameSpec, episodes: int) -> Iterator[tuple[list[Game], Threads]]:
    """Games with as many slots as so many episodes need, and threads. Both are closed on exit."""
    games, threads = match_games(make, episodes, usual_slots(spec, False)), Threads(0)
    try:
        yield games, threads
    finally:
        for game in games:
            game.close()
        threads.close()


def _grouped(contest: Contest[Key], results: Sequence[Result]) -> dict[Key, list[tuple[Fixture, Result]]]:
    """Group the results of all fixtures, each with its fixture. results: in the order of the fixtures."""
    remaining = iter(results)
    return {key: [(fixture, next(remaining)) for fixture in group] for key, group in contest.fixtures.items()}
