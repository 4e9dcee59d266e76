"""The ranking of a run: its entrants, their ratings, and the standings made from both. Loads no policy."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from league.errors import PolicyError
from league.rating.seats import at_seat, at_side
from league.rating.standings import REFERENCE, best_ids, ranked
from league.records import ExploitabilityBound, PolicyId, Rating, Snapshot, Standing
from league.run.folders import require_run
from league.run.roster.entrants import Entrants
from league.run.roster.game_facts import GameFacts, keep_facts, read_facts
from league.run.roster.ratings import Ratings, Refit

if TYPE_CHECKING:
    from league.storage.store import Store


class Ranking:
    """The strength of every entrant of a run. settings: the section `rating` of the run's config, as plain data.

    exploitability: of snapshots, as far as it was measured.
    """

    def __init__(self, game: GameFacts, settings: Mapping[str, Any]) -> None:
        self.game = game
        self.entrants = Entrants(game.roles)
        self.exploitability: dict[PolicyId, ExploitabilityBound] = {}
        self.ratings = Ratings(self.entrants, game.one_sided, settings, game.scored)

    def load(self, store: Store, guests: bool = True) -> None:
        """Load the entrants and cached ratings of a run. guests: include guests and all that their matches tell."""
        with store.transaction():
            known = store.snapshots()
            self.entrants.replace([one for one in known if guests or not one.guest], store.evicted())
            self.ratings.load(store, guests or not any(one.guest for one in known))
            self.exploitability = store.exploitability()

    def evict(self, gone: Collection[PolicyId]) -> None:
        """Remove snapshots from the pool. They keep their last ratings; new ones are computed without them."""
        if gone:
            self.ratings.evict(gone)
            self.entrants.evict(gone)

    def standings(self, role: str, by: str | None = None) -> tuple[Standing, ...]:
        """The standings of a role's anchors and pool, best first. Raises ConfigError.

        by: a rating system; None is the reference. Lines are ordered by the score against the field, or by the rating
        if it is not the reference.
        """
        everyone, one_sided = self.entrants.contenders, self.game.one_sided
        return ranked(
            everyone,
            self.ratings.by(by),
            played=self.ratings.records,
            champions=best_ids(everyone, self.ratings.best),
            role=role,
            one_sided=one_sided,
            field=None if one_sided else self.ratings.field,
            by_field=not one_sided and by in (None, REFERENCE),
            exploitability=self.exploitability,
        )

    def seats(self, role: str) -> dict[str, Mapping[PolicyId, Rating]]:
        """The mean result of every policy at each place of a role (mean score if scores count), by the place's name."""
        places = [place for place in self.game.places if role in place.roles]
        if self.game.scored:
            sums = self.ratings.seat_scores()
            return {place.name: at_seat(sums, place.index) for place in places}
        return {place.name: at_side(self.ratings.ledger, place.index) for place in places}

    def best(self, role: str) -> Snapshot | None:
        """The best trained snapshot (`best_ids`); None before any rated game."""
        champion = best_ids(self.entrants.pool, self.ratings.best).get(role)
        return next((snapshot for snapshot in self.entrants.pool if snapshot.id == champion), None)

    def named(self, text: str, roles: Sequence[str]) -> Snapshot:
        """The snapshot or anchor that `text` refers to: best, latest, or as in `Entrants.named`. Raises PolicyError."""
        if text not in ("best", "latest"):
            return self.entrants.named(text, roles)
        found = self.best(roles[0]) if text == "best" else self.entrants.latest(roles[0])
        if found is None:
            raise PolicyError(f"there is no '{text}' yet: no rated snapshot of role '{roles[0]}'")
        return found


def open_ranking(store: Store, places: bool = False) -> Ranking:
    """The ranking of an open run. places: whether those of its game are needed (older versions did not store them)."""
    require_run(store)
    ranking = Ranking(read_facts(store, places), store.config()["rating"])
    ranking.load(store)
    return ranking


def refresh(store: Store, by: str | None = None) -> Refit:
    """Recompute and cache the ratings of a run open for writing. Returns how they differ from the cached ones.

    by: a rating system to use besides the reference; None is the one in the config. Raises ConfigError, RatingError.
    """
    ranking = open_ranking(store)
    if by is not None:
        ranking.ratings.settings = {**ranking.ratings.settings, "by": by}
    shown = ranking.ratings.refit()
    with store.transaction():
        keep_facts(store, ranking.game)
        ranking.ratings.cache(store)
    return shown
