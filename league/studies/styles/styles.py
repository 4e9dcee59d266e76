"""`league styles`: how far apart policies play, which of them are near-copies, and which openings they have learned.

Every policy plays itself, for its openings and for how often it repeats a game. Then all play each other, and at one
decision of each of these games all are asked what they would do. Letters in shapes: N policies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from league.errors import PolicyError
from league.events import Tick, part
from league.games.actions import Discrete
from league.games.core import Game
from league.records import Snapshot
from league.run.roster.lookup import Found, find
from league.run.roster.roster import Roster
from league.studies.contest import Contestant, roles_meant, snapshot_of, told_apart
from league.studies.styles.distance import arranged
from league.studies.styles.openings import appearances, common
from league.studies.styles.report import Change, OpeningCourse, Style, StylesReport, StylesRequest, spread
from league.studies.styles.style_games import StyleGames
from league.threads import alone


def styles(
    make: Callable[[int], Game], roster: Roster, asked: StylesRequest, tick: Tick = lambda fraction: None
) -> StylesReport:
    """Compare how policies play. make: creates a game with a number of slots.

    Raises PolicyError for fewer than two policies and where the role's actions are not one of n, GameError for a role
    that is not there or has to be named.
    """
    alone()
    began, spec = time.monotonic(), roster.spec
    role = spec.role(roster.ranking.game.role(asked.role))
    if not isinstance(role.actions, Discrete):
        raise PolicyError(
            f"{spec.id}: play is compared where an action is one of n; an action of '{role.name}' is a point in a box "
            "or has several parts"
        )
    found = _found(roster, role.name, asked)
    games = StyleGames.of(roster, role, found, asked.games, asked.seed)
    shares, distinct = games.play_alone(make, asked.plies, part(tick, 0.0, 0.5))
    distances, positions, margin = games.play_together(make, part(tick, 0.5, 0.5))
    order, groups = arranged(distances)
    labels = [one.label for one in found]
    snapshots = [snapshot_of([one], roster) for one in found]
    return StylesReport(
        game=spec.id,
        role=role.name,
        policies=tuple(
            _style(number, labels, snapshots[number], distances[number], shares[number], distinct[number])
            for number in range(len(found))
        ),
        distances=tuple(map(tuple, distances.tolist())),
        margin=margin,
        order=tuple(order),
        copies=tuple(map(tuple, groups)),
        changes=tuple(_changes(labels, snapshots, distances)),
        openings=tuple(_openings(labels, snapshots, shares, common(asked.games))),
        common=common(asked.games),
        plies=asked.plies,
        snapshots=sum(one.role == role.name for one in roster.entrants.snapshots),
        positions=positions,
        games=asked.games,
        seed=asked.seed,
        seconds=time.monotonic() - began,
        note=f"with {games.rest.label} at the other posts" if games.rest.policies else "",
    )


def _found(roster: Roster, role: str, asked: StylesRequest) -> list[Found]:
    """The policies to compare, each once. Raises PolicyError if there are fewer than two."""
    if asked.texts:
        named = [roles_meant(text, roster) for text in asked.texts]
        for text, meant in zip(asked.texts, named, strict=True):
            if not {role, ""} & set(meant):
                raise PolicyError(f"'{text}' is of another role than '{role}', whose play is compared")
        texts = [meant.get(role, meant.get("", "")) for meant in named]
    else:
        snapshots = [one for one in roster.entrants.snapshots if one.role == role]
        texts = [snapshots[number].id for number in spread([one.learner for one in snapshots], asked.size)]
    found: dict[str, tuple[str, Found]] = {}
    for text in texts:
        one = find(text, role, roster)
        found.setdefault(one.id or one.label, (text, one))
    if len(found) < 2:
        raise PolicyError(f"play is compared between two policies or more, such as best and random, not {len(found)}")
    contestants = [Contestant(text, {role: one}) for text, one in found.values()]
    apart = told_apart(contestants, [one.name for one in contestants])
    return [one.policies[role] for one in apart]


def _style(
    number: int,
    labels: Sequence[str],
    snapshot: Snapshot | None,
    distances: NDArray[np.float64],
    shares: Mapping[str, float],
    distinct: float,
) -> Style:
    """The style of a policy. distances: `[N]`, from it to every one. shares: of its openings, common ones first."""
    nearest = int(np.where(np.arange(len(labels)) == number, np.inf, distances).argmin())
    opening, share = next(iter(shares.items()))
    return Style(
        label=labels[number],
        learner=None if snapshot is None else snapshot.learner,
        round=None if snapshot is None else snapshot.round,
        steps=None if snapshot is None else snapshot.steps,
        nearest=labels[nearest],
        distance=float(distances[nearest]),
        opening=opening,
        share=share,
        distinct=distinct,
    )


def _changes(
    labels: Sequence[str], snapshots: Sequence[Snapshot | None], distances: NDArray[np.float64]
) -> Iterator[Change]:
    """Where each learner of two or more snapshots changed most."""
    by_learner: dict[str, list[int]] = {}
    for number, snapshot in _by_age(snapshots):
        by_learner.setdefault(snapshot.learner, []).append(number)
    for learner, numbers in by_learner.items():
        steps = [(float(distances[pair]), pair) for pair in pairwise(numbers)]
        if steps:
            # Of equals, the earliest.
            distance, (before, after) = max(steps, key=lambda step: step[0])
            mean = sum(step for step, _ in steps) / len(steps)
            yield Change(
                learner=learner,
                before=labels[before],
                after=labels[after],
                distance=distance,
                steps=len(steps),
                mean=mean,
            )


def _openings(
    labels: Sequence[str], snapshots: Sequence[Snapshot | None], shares: Sequence[Mapping[str, float]], least: float
) -> Iterator[OpeningCourse]:
    """The openings that have been common, in order of appearance. least: the share from which on one is."""
    aged = _by_age(snapshots)
    rounds = sorted({snapshot.round for _, snapshot in aged})
    for opening, place in appearances([shares[number] for number, _ in aged], least).items():
        number, snapshot = aged[place]
        held = [[shares[n].get(opening, 0.0) for n, one in aged if one.round == round] for round in rounds]
        yield OpeningCourse(
            opening=opening,
            first=labels[number],
            steps=snapshot.steps,
            shares=tuple(found.get(opening, 0.0) for found in shares),
            course=tuple(sum(group) / len(group) for group in held),
        )


def _by_age(snapshots: Sequence[Snapshot | None]) -> list[tuple[int, Snapshot]]:
    """Those that are snapshots with their numbers, the oldest first."""
    known = [(number, one) for number, one in enumerate(snapshots) if one is not None]
    return sorted(known, key=lambda item: item[1].round)
