"""`league show`: one snapshot, its ancestors, and its record against each opponent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from league.errors import PolicyError
from league.events import Exploited
from league.rating.payoff import Payoff
from league.rating.standings import FIELD
from league.records import ExploitabilityBound, Rating, Snapshot
from league.run.folders import BEGUN_FACT
from league.run.roster.policy_text import split_roles
from league.run.roster.ranking import Ranking
from league.storage.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class OpponentRecord:
    """A snapshot's rated games against one opponent. score: mean result in [0, 1]."""

    opponent: Snapshot
    games: int
    wins: int
    draws: int
    losses: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotProfile:
    """A snapshot, its rating, its lineage and its record by opponent.

    rating: None before any rated game. field: the score against the field; None in one-sided games, too. lineage: its
    ancestors in this run, oldest first, then the snapshot itself. begun_from: the policy from outside the run that the
    first of them began from; "" if there is none. record: by opponent, most games first. exploited: how its learner
    was last copied over or reset since the snapshot before it; None if it was not. evicted: whether it is no longer an
    opponent; then the ratings are the last that it had. exploitability: as the run or `league exploit --record`
    measured it.
    """

    snapshot: Snapshot
    rating: Rating | None
    field: Rating | None
    lineage: tuple[Snapshot, ...]
    begun_from: str
    record: tuple[OpponentRecord, ...]
    exploited: Exploited | None
    evicted: bool
    exploitability: ExploitabilityBound | None


def profile(ranking: Ranking, store: Reading, text: str) -> SnapshotProfile:
    """The profile of the snapshot that `text` names. Raises PolicyError."""
    roles = ranking.game.roles
    ((role, name), *more) = split_roles(text, roles).items()
    if more:
        raise PolicyError(f"'{text}' names several policies; show one at a time")
    snapshot = ranking.named(name, [role] if role else roles)
    payoff, record = Payoff(store.results(of=snapshot.id)), []
    for other in (*ranking.entrants.anchors, *ranking.entrants.snapshots):
        if other.id != snapshot.id and payoff.games(snapshot.id, other.id):
            wins, draws, losses = payoff.counts(snapshot.id, other.id)
            record.append(
                OpponentRecord(
                    opponent=other,
                    games=wins + draws + losses,
                    wins=wins,
                    draws=draws,
                    losses=losses,
                    score=payoff.score(snapshot.id, other.id),
                )
            )
    record.sort(key=lambda row: (-row.games, row.opponent.id))
    ancestors = tuple(ranking.entrants.lineage(snapshot))
    ratings = ranking.ratings
    field = None if ranking.game.one_sided else ratings.last(FIELD, snapshot.id)
    return SnapshotProfile(
        snapshot=snapshot,
        rating=ratings.last(None, snapshot.id),
        field=field,
        lineage=ancestors,
        begun_from=_begun_from(store, ancestors[0]),
        record=tuple(record),
        exploited=_exploited(store, ranking.entrants.snapshots, snapshot),
        evicted=snapshot.id in ranking.entrants.evicted,
        exploitability=store.exploitability().get(snapshot.id),
    )


def _begun_from(store: Reading, first: Snapshot) -> str:
    """What a snapshot without ancestors in its run began from; "" if from nothing."""
    if first.parent is None:
        return ""
    # Older runs know only the id.
    named = store.facts().get(BEGUN_FACT, {}).get(first.parent, "a policy of another run")
    return f"{named} ({first.parent[:8]})"


def _exploited(store: Reading, snapshots: Sequence[Snapshot], snapshot: Snapshot) -> Exploited | None:
    """The last exploit of a snapshot's learner since the snapshot before it."""
    began = max((o.round for o in snapshots if o.learner == snapshot.learner and o.number < snapshot.number), default=0)
    found = [
        Exploited.restore(event.round, event.data)
        for event in store.events(since_round=began + 1)
        if event.kind == Exploited.KIND and event.data["learner"] == snapshot.learner and event.round <= snapshot.round
    ]
    return found[-1] if found else None
