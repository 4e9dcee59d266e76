"""`league show`: one snapshot, where it comes from, and its record by opponent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from league.errors import PolicyError
from league.rating.payoff import Payoff
from league.records import Rating, Snapshot
from league.run.names import split_roles
from league.run.ranking import Ranking
from league.storage.reading import Reading


@dataclass(frozen=True, slots=True)
class Against:
    """A snapshot's rated games against one opponent. score: in [0, 1]."""

    opponent: Snapshot
    games: int
    wins: int
    draws: int
    losses: int
    score: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A snapshot, its rating (None before any rated game), its ancestors oldest first, and its record by opponent."""

    snapshot: Snapshot
    rating: Rating | None
    lineage: tuple[Snapshot, ...]
    record: tuple[Against, ...]


def shown(ranking: Ranking, store: Reading, text: str) -> Shown:
    """All there is to say of the snapshot that `text` means. Raises PolicyError."""
    roles = ranking.game.roles
    ((role, name), *more) = split_roles(text, roles).items()
    if more:
        raise PolicyError(f"'{text}' names several policies: show one at a time")
    snapshot = ranking.named(name, [role] if role else roles)
    payoff, record = Payoff(store.results(of=snapshot.id)), []
    for other in (*ranking.entrants.anchors, *ranking.entrants.snapshots):
        if other.id != snapshot.id and payoff.games(snapshot.id, other.id):
            wins, draws, losses = payoff.counts(snapshot.id, other.id)
            games = wins + draws + losses
            record.append(Against(other, games, wins, draws, losses, payoff.score(snapshot.id, other.id)))
    record.sort(key=lambda row: (-row.games, row.opponent.id))
    return Shown(
        snapshot,
        ranking.ratings.reference.get(snapshot.id),
        tuple(lineage(ranking.entrants.snapshots, snapshot)),
        tuple(record),
    )


def lineage(snapshots: Sequence[Snapshot], snapshot: Snapshot) -> list[Snapshot]:
    """The snapshot and its ancestors in this run, oldest first."""
    by_id = {one.id: one for one in snapshots}
    chain = [snapshot]
    while (parent := by_id.get(chain[-1].parent or "")) is not None:
        chain.append(parent)
    return chain[::-1]
