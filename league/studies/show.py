"""`league show`: one snapshot, where it comes from, and its record by opponent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from league.api import Run
from league.errors import PolicyError
from league.rating.payoff import Payoff
from league.records import Rating, Snapshot
from league.run.lookup import split_roles


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


def shown(run: Run, text: str) -> Shown:
    """All there is to say of the snapshot that `text` means. Raises PolicyError."""
    roster = run.roster
    roles = [role.name for role in roster.spec.roles]
    ((role, name), *more) = split_roles(text, roles).items()
    if more:
        raise PolicyError(f"'{text}' names several policies: show one at a time")
    snapshot = roster.named(name, [role] if role else roles)
    payoff, record = Payoff(roster.results), []
    for other in (*roster.anchors, *roster.snapshots):
        if other.id != snapshot.id and payoff.games(snapshot.id, other.id):
            wins, draws, losses = payoff.counts(snapshot.id, other.id)
            games = wins + draws + losses
            record.append(Against(other, games, wins, draws, losses, payoff.score(snapshot.id, other.id)))
    record.sort(key=lambda row: (-row.games, row.opponent.id))
    return Shown(snapshot, roster.ratings.get(snapshot.id), tuple(lineage(roster.snapshots, snapshot)), tuple(record))


def lineage(snapshots: Sequence[Snapshot], snapshot: Snapshot) -> list[Snapshot]:
    """The snapshot and its ancestors in this run, oldest first."""
    by_id = {one.id: one for one in snapshots}
    chain = [snapshot]
    while (parent := by_id.get(chain[-1].parent or "")) is not None:
        chain.append(parent)
    return chain[::-1]
