"""Who is how strong in a run: snapshots, ratings, records and standings, cached ones where they are up to date.

What is cached is what the ledger says, kept with the run for quick readers: nothing here loads a policy, builds a game
that the run knows the facts of, or reads the ledger before something is asked for that is not cached.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from league.errors import GameError, PolicyError
from league.files import canonical_json
from league.rating.core import RatingModel, make_rating, needs_scores, rate
from league.rating.seats import at_seat, at_side
from league.rating.standings import ONE_SIDED, REFERENCE, Record, best_ids, ranked, records
from league.records import MatchResult, PolicyId, Rating, Snapshot, Standing, anchor_id

if TYPE_CHECKING:
    from league.games.core import GameSpec
    from league.rating.ledger import Ledger
    from league.storage.store import Store

GAME_FACT = "game"
"""The key under which a run keeps its `GameFacts` among its facts."""

REFERENCE_KIND = "reference"
"""The kind of cached ratings that decides who is best."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a policy may have sat, as standings tell it: one seat, or where only placements count, one side.

    index: of the seat or side in the game. roles: of whom somebody sits there.
    """

    name: str
    index: int
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GameFacts:
    """What standings need to know of a game. scored: as in `GameSpec.scored`; places are then seats, else sides.

    places: empty in what older versions kept.
    """

    id: str
    roles: tuple[str, ...]
    one_sided: bool
    scored: bool = False
    places: tuple[Place, ...] = ()

    @staticmethod
    def of(spec: GameSpec) -> GameFacts:
        """The facts of a game."""
        groups = [(seat,) for seat in range(len(spec.seats))] if spec.scored else spec.sides
        places = tuple(
            Place(
                " ".join(spec.seats[seat] for seat in seats),
                index,
                tuple(role.name for role in spec.roles if set(role.seats) & set(seats)),
            )
            for index, seats in enumerate(groups)
        )
        return GameFacts(spec.id, tuple(role.name for role in spec.roles), len(spec.sides) == 1, spec.scored, places)

    @staticmethod
    def restore(kept: Mapping[str, Any]) -> GameFacts:
        """The facts that a run kept."""
        places = (Place(one["name"], one["index"], tuple(one["roles"])) for one in kept.get("places", ()))
        roles = tuple(kept["roles"])
        return GameFacts(kept["id"], roles, kept["one_sided"], kept.get("scored", False), tuple(places))

    def role(self, name: str | None) -> str:
        """The role called `name`; the only one where None. Raises GameError."""
        if name is None and len(self.roles) > 1:
            raise GameError(f"{self.id} has several roles; name one: {', '.join(self.roles)}")
        if name is not None and name not in self.roles:
            raise GameError(f"{self.id} has no role '{name}'; its roles are {', '.join(self.roles)}")
        return name or self.roles[0]


@dataclass(frozen=True, slots=True)
class Refit:
    """What a full refit showed. ratings: by system, the largest difference of a value or an end of an interval from
    what was cached, in the system's unit; None where nothing was. records: how many were not as cached."""

    matches: int
    policies: int
    ratings: dict[str, float | None]
    records: int
    seconds: float


class Ranking:
    """The snapshots of a run in the order in which they joined, anchors apart, and their ratings and records.

    rating: the section `rating` of the run's config, as plain data. joined: the anchors beside random play, in the
    order in which they joined; one that has joined keeps its line in the standings.
    """

    def __init__(self, game: GameFacts, rating: Mapping[str, Any]) -> None:
        self.game, self.rating = game, rating
        self.snapshots: list[Snapshot] = []
        self.joined: list[Snapshot] = []
        self._store: Store | None = None
        self._upto = 0
        self._ledger: Ledger | None = None
        self._models: dict[str, RatingModel] = {}
        self._known: dict[str, dict[PolicyId, Rating]] = {}
        self._records: dict[PolicyId, Record] | None = None

    @property
    def anchors(self) -> tuple[Snapshot, ...]:
        """Random play, one for each role, and whoever else joined as an anchor."""
        roles = self.game.roles
        zeros = (Snapshot(anchor_id(role, len(roles)), role, "", 0, 0, 0, "anchor") for role in roles)
        return (*zeros, *self.joined)

    @property
    def one_sided(self) -> bool:
        """Whether the game has no opponents, so that policies are rated by their mean score."""
        return self.game.one_sided

    @property
    def ledger(self) -> Ledger:
        """All rated matches, with their scores if a rating that the run shows reads them."""
        return self._read(any(needs_scores(self._model(name)) for name in self._shown()))

    @property
    def ratings(self) -> Mapping[PolicyId, Rating]:
        """The reference ratings, which decide who is best."""
        return self.rated()

    @property
    def records(self) -> Mapping[PolicyId, Record]:
        """Everybody's results."""
        if self._records is None:
            self._records = records(self.ledger)
        return self._records

    def rated(self, by: str | None = None) -> Mapping[PolicyId, Rating]:
        """Everybody's ratings. by: a rating system's name; the reference where None. Raises ConfigError."""
        name = self._name(by)
        if name not in self._known:
            model = self._model(name)
            zeros = frozenset(anchor.id for anchor in self.anchors if anchor.zero)
            scripted = frozenset(anchor.id for anchor in self.joined)
            self._known[name] = self._in_order(rate(model, self._read(needs_scores(model)), zeros, scripted))
        return self._known[name]

    def standings(self, role: str, by: str | None = None) -> tuple[Standing, ...]:
        """The standings of a role, best first. by: as in `rated`."""
        ratings, everyone = self.rated(by), [*self.anchors, *self.snapshots]
        return ranked(everyone, ratings, self.records, best_ids(everyone, self.ratings), role, self.one_sided)

    def seats(self, role: str) -> dict[str, Mapping[PolicyId, Rating]]:
        """What everybody scored at each place of a role, by its name: mean result (mean score where scores count)."""
        places = [place for place in self.game.places if role in place.roles]
        if self.game.scored:
            sums = self._store.seat_scores() if self._store else {}
            return {place.name: at_seat(sums, place.index) for place in places}
        return {place.name: at_side(self.ledger, place.index) for place in places}

    def best(self, role: str) -> Snapshot | None:
        """The trained snapshot whose rating's lower 95 % bound is highest; None before any rated game."""
        champion = best_ids(self.snapshots, self.ratings).get(role)
        return next((snapshot for snapshot in self.snapshots if snapshot.id == champion), None)

    def latest(self, role: str) -> Snapshot | None:
        """The newest snapshot of a role."""
        return next((snapshot for snapshot in reversed(self.snapshots) if snapshot.role == role), None)

    def named(self, text: str, roles: Sequence[str]) -> Snapshot:
        """The snapshot or anchor that `text` means: best, latest, an anchor's name, a name, or a unique id prefix.

        roles: what may be meant, the first one preferred for best and latest. Raises PolicyError.
        """
        if text in ("best", "latest"):
            found = (self.best if text == "best" else self.latest)(roles[0])
            if found is None:
                raise PolicyError(f"there is no '{text}' yet: no rated snapshot of role '{roles[0]}'")
            return found
        for anchor in self.anchors:
            if anchor.text == text and anchor.role == roles[0]:
                return anchor
        exact = [snapshot for snapshot in (*self.anchors, *self.snapshots) if text in (snapshot.name, snapshot.id)]
        close = exact or [snapshot for snapshot in self.snapshots if len(text) >= 3 and snapshot.id.startswith(text)]
        if len(close) > 1:
            shown = ", ".join(snapshot.short for snapshot in close[:5])
            raise PolicyError(f"'{text}' is ambiguous: {len(close)} snapshots begin so ({shown}); give more digits")
        if not close:
            raise PolicyError(
                f"no policy is called '{text}': give a snapshot's id (or the first digits of one), its name, best, "
                "latest, random, one-ply, mcts=N, a folder that `league export` wrote, or package.module:Name"
            )
        if close[0].role not in roles:
            raise PolicyError(f"'{text}' has the role '{close[0].role}', wanted is {' or '.join(roles)}")
        return close[0]

    # With the ledger that it comes from

    def load(self, store: Store) -> None:
        """Take the roster of a run and what is cached for the ledger as it stands; the ledger is read when needed."""
        with store.transaction():
            self._store, self._upto = store, store.last_match()
            everyone = store.snapshots()
            self.snapshots = [one for one in everyone if one.origin != "anchor"]
            self.joined = [one for one in everyone if one.origin == "anchor" and not one.zero]
            for kind in store.rated_kinds():
                name, cached = self._name(None if kind == REFERENCE_KIND else kind), store.ratings(kind)
                if cached.upto == self._upto and cached.settings == self._settings(name):
                    self._known[name] = self._in_order(cached.ratings)
            played, upto = store.records()
            self._records = played if upto == self._upto else None

    def add(self, results: Iterable[MatchResult]) -> None:
        """Append to the ledger, and rate everybody anew by the reference and by what the run shows."""
        self.ledger.extend(results)
        self.refit()

    def refit(self) -> Refit:
        """Compute from the ledger all that a run caches, and compare it with what was known before."""
        began, ratings, played = time.monotonic(), dict(self._known), self._records or {}
        self._known.clear()
        for name in self._shown():
            self.rated(name)
        self._records = records(self.ledger)
        return Refit(
            matches=len(self.ledger),
            policies=len(self.ratings),
            ratings={name: _difference(ratings.get(name), new) for name, new in self._known.items()},
            records=sum(played.get(policy) != record for policy, record in self._records.items()),
            seconds=time.monotonic() - began,
        )

    def cache(self, store: Store) -> None:
        """Keep ratings and records with the run, as those of its whole ledger. Call it in the round's transaction."""
        self._upto = store.last_match()
        for name, ratings in self._known.items():
            kind = REFERENCE_KIND if name == self._name(None) else name
            store.put_ratings(kind, ratings, self._upto, self._settings(name))
        store.put_records(self.records, self._upto)

    def _in_order(self, ratings: Mapping[PolicyId, Rating]) -> dict[PolicyId, Rating]:
        """In the roster's order, computed or cached: nobody who goes through them may tell the two apart."""
        return {one.id: ratings[one.id] for one in (*self.anchors, *self.snapshots) if one.id in ratings}

    def _shown(self) -> list[str]:
        """The rating systems that the run itself shows: the reference, and the config's own."""
        return list(dict.fromkeys([self._name(None), self._name(self.rating.get("by"))]))

    def _read(self, scored: bool) -> Ledger:
        from league.rating.ledger import Ledger

        if self._ledger is None or (scored and not self._ledger.scored):
            self._ledger = self._store.ledger(scored, self._upto) if self._store else Ledger()
        return self._ledger

    def _name(self, by: str | None) -> str:
        """The rating system that answers to `by`: in one-sided games always the same. Raises ConfigError."""
        reference = ONE_SIDED if self.one_sided else REFERENCE
        if by in (None, REFERENCE, reference):
            return reference
        if self.one_sided:
            self._model(str(by))
            return reference
        return str(by)

    def _options(self, name: str) -> dict[str, object]:
        options = self.rating.get(name.replace("-", "_"))
        return dict(options) if isinstance(options, Mapping) else {}

    def _settings(self, name: str) -> str:
        """A rating system's settings, as the cache notes them."""
        return canonical_json(self._options(name))

    def _model(self, name: str) -> RatingModel:
        if name not in self._models:
            self._models[name] = make_rating(name, **self._options(name))
        return self._models[name]


def open_ranking(store: Store, places: bool = False) -> Ranking:
    """The ranking of an open run. places: those of its game are needed, which an older version did not keep."""
    config, kept = store.config(), store.facts().get(GAME_FACT)
    facts = GameFacts.restore(kept) if kept and (kept.get("places") or not places) else _facts_of_old(config)
    ranking = Ranking(facts, config["rating"])
    ranking.load(store)
    return ranking


def keep_facts(store: Store, game: GameFacts) -> None:
    """Note with the run what standings need to know of its game, if it is not noted yet, or not as much."""
    kept = store.facts().get(GAME_FACT)
    if kept is None or (game.places and not kept.get("places")):
        store.put_fact(GAME_FACT, asdict(game))


def refresh(store: Store, by: str | None = None) -> Refit:
    """Rate a run that is open for writing anew from its whole ledger, and cache that; says what was not as cached.

    by: a rating system to rate by beside the reference; the config's own where None. Raises ConfigError, RatingError.
    """
    ranking = open_ranking(store)
    if by is not None:
        ranking.rating = {**ranking.rating, "by": by}
    shown = ranking.refit()
    with store.transaction():
        keep_facts(store, ranking.game)
        ranking.cache(store)
    return shown


def _difference(old: Mapping[PolicyId, Rating] | None, new: Mapping[PolicyId, Rating]) -> float | None:
    """The largest between two sets of ratings, infinite where they do not rate the same policies."""
    if old is None:
        return None
    if old.keys() != new.keys():
        return float("inf")
    ends = ((old[policy], rating) for policy, rating in new.items())
    return max(
        (max(abs(a.value - b.value), _apart(a.low, b.low), _apart(a.high, b.high)) for a, b in ends), default=0.0
    )


def _apart(a: float, b: float) -> float:
    return 0.0 if a == b else abs(a - b)


def _facts_of_old(config: Mapping[str, Any]) -> GameFacts:
    """The facts of the game of a run that keeps none yet, from the game itself."""
    from league.games.registry import make

    game = make(config["game"]["id"], 1, "cpu", config["game"]["options"])
    try:
        return GameFacts.of(game.spec)
    finally:
        game.close()
