"""What `league styles` is asked for, and what it reports, as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StylesRequest:
    """What is asked for.

    texts: POLICY …; none: the snapshots of the role, at most `size` of them (`spread`). role: that the
    policies play; None: the game's only one. games: of each policy with itself, and as many among all. plies: moves of
    an opening.
    """

    texts: tuple[str, ...] = ()
    role: str | None = None
    games: int = 200
    plies: int = 2
    size: int = 40
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one policy plays.

    learner, round, steps: of its snapshot; None if there is none. nearest: the policy that plays most like it, at
    `distance`. opening: the most common one of its games with itself, and its `share` of them. distinct: the share of
    these games that differ from each other.
    """

    label: str
    learner: str | None
    round: int | None
    steps: int | None
    nearest: str
    distance: float
    opening: str
    share: float
    distinct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningCourse:
    """An opening that was once common. first: the label of the oldest snapshot where it is, with its steps.

    shares: of every policy's games with itself, in the order of the policies. course: by age, the mean share of the
    snapshots of one round, from the first round to the last.
    """

    opening: str
    first: str
    steps: int
    shares: tuple[float, ...]
    course: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Where a learner's play changed most from one of its snapshots to the next.

    steps: how many times one of its snapshots follows another. mean: the mean distance from one to the next.
    """

    learner: str
    before: str
    after: str
    distance: float
    steps: int
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StylesReport:
    """Distances are mean Jensen-Shannon divergences in bits, from 0 (the same play) to 1 (nothing in common).

    policies: snapshots oldest first, or as they were named. distances: `[N][N]` in this order. margin: half of the
    widest 95 % interval of them. order: the numbers of the policies, from 0, with like beside like. copies: the numbers
    of near-copies, by group. common: the share of a snapshot's games from which on an opening is listed. plies: moves
    of an opening. snapshots: how many the run has of this role. positions: at which all were asked. games: of each
    policy with itself. note: who holds the other posts.
    """

    game: str
    role: str
    policies: tuple[Style, ...]
    distances: tuple[tuple[float, ...], ...]
    margin: float
    order: tuple[int, ...]
    copies: tuple[tuple[int, ...], ...]
    changes: tuple[Change, ...]
    openings: tuple[OpeningCourse, ...]
    common: float
    plies: int
    snapshots: int
    positions: int
    games: int
    seed: int
    seconds: float
    note: str = ""


def spread(learners: Sequence[str | None], most: int) -> list[int]:
    """At most `most` of some policies, by number: as many of each learner if there are, evenly spread over its age.

    learners: of each policy, the oldest first. The first and the last of a learner are there if two of it are.
    """
    places: dict[str | None, list[int]] = {}
    for place, learner in enumerate(learners):
        places.setdefault(learner, []).append(place)
    groups = list(places.values())
    groups = sorted((groups[number] for number in _evenly(len(groups), most)), key=len)
    found: list[int] = []
    for number, group in enumerate(groups):
        share = (most - len(found)) // (len(groups) - number)
        found += [group[place] for place in _evenly(len(group), share)]
    return sorted(found)


def _evenly(count: int, most: int) -> list[int]:
    """At most `most` of the numbers 0 to `count` - 1, evenly spread, with the last and, of several, the first."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count - 1]
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]
