"""The standings: ratings sorted, with each policy's record, its trend, and which policy is best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from league.rating.core import RatingModel, RosterFacts, make_rating, rate
from league.records import ExploitabilityBound, PolicyId, Rating, Snapshot, Standing

if TYPE_CHECKING:
    from league.rating.ledger import Ledger

REFERENCE = "melo"
"""The rating that is shown unless another is asked for."""

FIELD, BEST = "field", "robust"
"""The scores that order the standings and tell which policy is best, whichever rating the table shows."""

ONE_SIDED = "mean-score"
"""The rating of one-sided games, for which no other rating has a meaning."""


@dataclass(slots=True)
class Record:
    """A policy's results. wins: games won alone; draws: first place shared; losses: the rest.

    score: sum over games of the share of the other sides that it beat (level: half), each in [0, 1]. A game counts once
    for every side that the policy sat on, and not at all where all sides held the same policies.
    """

    wins: int = 0
    draws: int = 0
    losses: int = 0
    score: float = 0.0

    @property
    def games(self) -> int:
        """How many results there are."""
        return self.wins + self.draws + self.losses


def standings(
    ledger: Ledger,
    snapshots: Sequence[Snapshot],
    anchors: frozenset[PolicyId],
    by: str | RatingModel = REFERENCE,
    role: str | None = None,
    one_sided: bool = False,
) -> tuple[Standing, ...]:
    """Everybody who has played, best first.

    snapshots: whom to show, anchors included if wanted. by: a name (`make_rating`)
    or a rating system; one-sided games are always rated by mean score. role: only this one.
    Raises ConfigError for an unknown name and RatingError where the results cannot be rated.
    """
    facts = RosterFacts(parents={one.id: one.parent for one in snapshots if one.parent is not None})

    def rated(system: str | RatingModel) -> dict[PolicyId, Rating]:
        model = make_rating(system) if isinstance(system, str) else system
        return rate(model, ledger, anchors, facts)

    if one_sided:
        ratings = rated(ONE_SIDED)
        return ranked(snapshots, ratings, records(ledger), best_ids(snapshots, ratings), role, one_sided=True)
    return ranked(
        snapshots,
        rated(by),
        records(ledger),
        best_ids(snapshots, rated(BEST)),
        role,
        field=rated(FIELD),
        by_field=by == REFERENCE,
    )


def ranked(
    snapshots: Sequence[Snapshot],
    ratings: Mapping[PolicyId, Rating],
    played: Mapping[PolicyId, Record],
    champions: Mapping[str, PolicyId],
    role: str | None = None,
    one_sided: bool = False,
    field: Mapping[PolicyId, Rating] | None = None,
    by_field: bool = False,
    exploitability: Mapping[PolicyId, ExploitabilityBound] | None = None,
) -> tuple[Standing, ...]:
    """Standings from ratings that are already there, best first; equals are ordered by id.

    played: from `records`. champions: from `best_ids`. field: scores against the field. by_field: order by these
    rather than by rating. exploitability: as far as it is known. Snapshots without a rating are left out.
    """
    field, exploitability = field or {}, exploitability or {}
    leading = field if by_field else ratings
    shown = [s for s in snapshots if s.id in ratings and s.id in leading and (role is None or s.role == role)]
    # Ratings such as alpha-rank's leave many level; then the field tells.
    shown.sort(key=lambda s: (-leading[s.id].value, -field[s.id].value if s.id in field else 0.0, s.id))
    before = _previous(snapshots, leading)
    lines = []
    for rank, snapshot in enumerate(shown, start=1):
        rating, record = ratings[snapshot.id], played.get(snapshot.id, Record())
        last = before.get(snapshot.id)
        lines.append(
            Standing(
                rank=rank,
                snapshot=snapshot,
                rating=rating,
                wins=record.wins,
                draws=record.draws,
                losses=record.losses,
                # A policy that has only met itself has no results: 0.5 is neutral.
                score=rating.value if one_sided else record.score / record.games if record.games else 0.5,
                field=field.get(snapshot.id),
                trend=None if last is None else leading[snapshot.id].value - leading[last].value,
                best=champions.get(snapshot.role) == snapshot.id,
                exploitability=exploitability.get(snapshot.id),
            )
        )
    return tuple(lines)


def best(lines: Iterable[Standing]) -> dict[str, Standing]:
    """By role, the line that is marked as best."""
    return {line.snapshot.role: line for line in lines if line.best}


def best_ids(snapshots: Iterable[Snapshot], ratings: Mapping[PolicyId, Rating]) -> dict[str, PolicyId]:
    """By role, the trained snapshot whose interval has the highest lower end (an initial one where none is trained).

    ratings: by `BEST`, or mean score in one-sided games. Equals: the higher value, then the smaller id.
    """
    found: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        if snapshot.id not in ratings or snapshot.origin == "anchor":
            continue
        champion = found.get(snapshot.role)
        if champion is None or _best_first(snapshot, ratings) < _best_first(champion, ratings):
            found[snapshot.role] = snapshot
    return {role: snapshot.id for role, snapshot in found.items()}


def records(ledger: Ledger, at: int | None = None) -> dict[PolicyId, Record]:
    """Everybody's results; one-sided games have none. Exact: the same whatever the order of the ledger.

    at: only what was reached on that side of the game (paired matches, whose policies sit on every side, are left out).
    """
    import numpy as np

    size = len(ledger.ids)
    outcomes = np.zeros((3, size))  # won, drawn, lost: whole numbers, and so exact
    halves: dict[int, np.ndarray] = {}  # half sides beaten, by how many others there were
    for table in ledger.tables:
        if at is not None and table.paired:
            continue
        informative, others = table.informative(), len(table.sizes) - 1
        ranks = np.array(table.patterns).reshape(-1, others + 1)
        top = ranks == ranks.min(1, keepdims=True)
        alone = top.sum(1) == 1
        for side, columns in enumerate(table.sides):
            if at not in (None, side):
                continue
            mine = ranks[:, side, None]
            beaten = 2 * (ranks > mine).sum(1) + (ranks == mine).sum(1) - 1
            first = top[:, side]
            weights = np.stack([first & alone, first & ~alone, ~first, beaten], 1).astype(np.float64)
            each = informative * (table.counts.astype(np.float64) @ weights).T
            for post in range(columns.start, columns.stop):
                who, counts = table.members[:, post], each * table.first_occurrence(post, since=columns.start)
                sums = np.array([np.bincount(who, one, size) for one in counts])
                outcomes += sums[:3]
                halves[others] = halves.get(others, 0) + sums[3]
    score = sum((beaten / (2.0 * others) for others, beaten in sorted(halves.items()) if others), np.zeros(size))
    found = zip(ledger.ids, *outcomes.astype(np.int64).tolist(), score.tolist(), strict=True)
    return {policy: Record(*numbers) for policy, *numbers in found if any(numbers[:3])}


def _best_first(snapshot: Snapshot, ratings: Mapping[PolicyId, Rating]) -> tuple[bool, float, float, PolicyId]:
    """A key that puts the best snapshot first."""
    rating = ratings[snapshot.id]
    return snapshot.origin != "trained", -rating.low, -rating.value, snapshot.id


def _previous(snapshots: Iterable[Snapshot], ratings: Mapping[PolicyId, Rating]) -> dict[PolicyId, PolicyId]:
    """For each rated snapshot its learner's rated snapshot before it."""
    before: dict[PolicyId, PolicyId] = {}
    last: dict[tuple[str, str], PolicyId] = {}
    for snapshot in sorted(snapshots, key=lambda s: s.number):
        if snapshot.id not in ratings or snapshot.origin == "anchor":
            continue
        learner = (snapshot.learner, snapshot.role)
        if learner in last:
            before[snapshot.id] = last[learner]
        last[learner] = snapshot.id
    return before
