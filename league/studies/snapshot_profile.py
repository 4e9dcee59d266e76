"""`league show`: one snapshot, its ancestors, and its record against each opponent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from league.errors import PolicyError
from league.rating.payoff import Payoff
from league.records import Rating, Snapshot
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


@dataclass(frozen=True, slots=True)
class SnapshotProfile:
    """A snapshot, its rating, its lineage and its record by opponent.

    rating: None before any rated game. field: the score against the field; None in one-sided games, too. lineage: its
    ancestors, oldest first, then the snapshot itself. record: by opponent, most games first.
    """

    snapshot: Snapshot
    rating: Rating | None
    field: Rating | None
    lineage: tuple[Snapshot, ...]
    record: tuple[OpponentRecord, ...]


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
    ancestors = tuple(lineage(ranking.entrants.snapshots, snapshot))
    ratings = ranking.ratings
    field = None if ranking.game.one_sided else ratings.field.get(snapshot.id)
    return SnapshotProfile(snapshot, ratings.reference.get(snapshot.id), field, ancestors, tuple(record))


def lineage(snapshots: Sequence[Snapshot], snapshot: Snapshot) -> list[Snapshot]:
    """The snapshot's ancestors in this run, oldest first, then the snapshot itself."""
    by_id = {one.id: one for one in snapshots}
    chain = [snapshot]
    while (parent := by_id.get(chain[-1].parent or "")) is not None:
        chain.append(parent)
    return chain[::-1]
