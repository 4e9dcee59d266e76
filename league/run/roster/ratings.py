"""The ratings and records of a run, computed from its ledger or read from the run's cache.

The ledger is the source of truth, and the cache makes readers fast: they read the ledger only for what is not cached.

Policies that were evicted are rated no more, so that ratings take no longer however many snapshots a long run has had:
a rating is based on the matches among those that are left. What was evicted keeps its last rating, in the cache.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from league.files import canonical_json
from league.rating.core import RatingModel, RosterFacts, make_rating, needs_scores, rate
from league.rating.standings import BEST, FIELD, ONE_SIDED, REFERENCE, Record, records
from league.records import MatchResult, PolicyId, Rating, Snapshot
from league.run.roster.entrants import Entrants

if TYPE_CHECKING:
    from league.rating.ledger import Floats, Ledger
    from league.rating.prediction.fitted_payoff import FittedPayoff
    from league.rating.prediction.goodness import GoodnessOfFit
    from league.rating.seats import Sums
    from league.storage.store import Store

REFERENCE_KIND = "reference"
"""The kind of cached ratings that is shown unless another is asked for."""

COMPARED = ("melo", "bradley-terry", "elo", "openskill")
"""The rating systems in Elo points, which can be compared by what they predict."""

GOODNESS_FACT = "goodness of fit"
"""The key of a run's fact that caches how well its ratings predict."""


@dataclass(frozen=True, slots=True)
class Refit:
    """The differences that a full refit found.

    ratings: by system, the largest difference from the cached value or interval bound, in the system's unit; None if
    nothing was cached. records: how many differed from the cache.
    """

    matches: int
    policies: int
    ratings: dict[str, float | None]
    records: int
    seconds: float


class Ratings:
    """Ratings by system, and the records of all policies.

    one_sided: the game has no opponents, so policies are rated by their mean score. scored: how large a score is
    counts, as in `GameSpec.scored`. settings: the section `rating` of the run's config, as plain data.
    """

    def __init__(self, entrants: Entrants, one_sided: bool, settings: Mapping[str, Any], scored: bool = False) -> None:
        self.one_sided, self.scored, self.settings = one_sided, scored, settings
        self._entrants = entrants
        self._store: Store | None = None
        self._upto = 0
        self._guests = True
        self._ledger: Ledger | None = None
        self._among_pool: Ledger | None = None
        self._last: dict[str, dict[PolicyId, Rating]] = {}
        self._models: dict[str, RatingModel] = {}
        self._ratings: dict[str, dict[PolicyId, Rating]] = {}
        self._records: dict[PolicyId, Record] | None = None
        self._goodness: GoodnessOfFit | None = None
        self._goodness_known = False

    @property
    def ledger(self) -> Ledger:
        """All rated matches, with scores if they count or a rating that the run shows needs them."""
        return self._loaded_ledger(self.scored or any(needs_scores(self._model(name)) for name in self._shown()))

    @property
    def current(self) -> Ledger:
        """The rated matches without those of evicted policies; all in one-sided games, whose ratings are means."""
        ledger, evicted = self._loaded_ledger(self.scored), self._entrants.evicted
        if not evicted or self.one_sided:
            return ledger
        if self._among_pool is None:
            self._among_pool = ledger.without(evicted)
        return self._among_pool

    @property
    def reference(self) -> Mapping[PolicyId, Rating]:
        """The reference ratings, which are shown unless others are asked for."""
        return self.by()

    @property
    def field(self) -> Mapping[PolicyId, Rating]:
        """The scores against the field (mean scores in one-sided games), which order the standings."""
        return self.by(FIELD)

    @property
    def best(self) -> Mapping[PolicyId, Rating]:
        """The scores that tell which policy is best (mean scores in one-sided games)."""
        return self.by(BEST)

    @property
    def payoff(self) -> FittedPayoff | None:
        """The model of the payoff behind reference, field and best; None before any match and in one-sided games."""
        from league.rating.melo import MeloSettings
        from league.rating.prediction.fitted_payoff import fitted_payoff

        ledger = self.current
        if self.one_sided or not len(ledger):
            return None
        return fitted_payoff(
            ledger, self._zeros, self._facts, MeloSettings.model_validate(self._options(REFERENCE)).components
        )

    def gains(self, snapshots: Sequence[Snapshot]) -> Floats:
        """`[N, N]` the payoff of the meta-game between snapshots of one role (`prediction.forecast.gains`)."""
        from league.rating.prediction.forecast import gains
        from league.rating.prediction.margins import expected_margins

        margins, payoff = None, self.payoff
        if self.scored and payoff is not None:
            margins = expected_margins(self._loaded_ledger(True), payoff.ids, payoff.model.log_odds()[0])
        return gains(snapshots, payoff, margins)

    @property
    def goodness(self) -> GoodnessOfFit | None:
        """How well the payoff model predicts held-out results; None if there are too few."""
        if not self._goodness_known:
            payoff = self.payoff
            self._goodness, self._goodness_known = None if payoff is None else payoff.goodness, True
        return self._goodness

    @property
    def records(self) -> Mapping[PolicyId, Record]:
        """The records of all policies."""
        if self._records is None:
            self._records = records(self.ledger)
        return self._records

    @property
    def shown(self) -> str:
        """The rating system that the run's config asks for."""
        # Runs from before multidimensional Elo stored the default of then, Bradley-Terry, as if it had been chosen.
        by = self.settings.get("by") if REFERENCE in self.settings else None
        return self._name(by)

    def by(self, system: str | None = None) -> Mapping[PolicyId, Rating]:
        """The ratings of all policies by a rating system; None is the reference. Raises ConfigError."""
        name = self._name(system)
        if name not in self._ratings:
            model = self._model(name)
            # Score sums are known of all matches together only.
            ledger = self._loaded_ledger(True) if needs_scores(model) else self.current
            rated = self._entrants.in_order(rate(model, ledger, self._zeros, self._facts))
            self._ratings[name] = {id: found for id, found in rated.items() if id not in self._entrants.evicted}
        return self._ratings[name]

    def last(self, system: str | None, policy: PolicyId) -> Rating | None:
        """The rating of one policy; of an evicted one, the last that it had. None if there is none."""
        return self.by(system).get(policy) or self._last.get(self._name(system), {}).get(policy)

    def compared(self) -> dict[str, GoodnessOfFit | None]:
        """How well each rating system in Elo points predicts held-out results; None where those are too few."""
        from league.rating.prediction.compared import compare

        systems = {name: self._model(name) for name in COMPARED}
        return compare(self.current, self._zeros, self._facts, systems)

    # The ledger and the cache

    def load(self, store: Store, guests: bool = True) -> None:
        """Load what is cached for the ledger's current state. The entrants must be loaded first.

        guests: include the matches of guests. Ratings without them are not cached.
        """
        self._store, self._upto, self._guests = store, store.last_match(), guests
        if not guests:
            return
        for kind in store.rated_kinds():
            name, cached = self._name(None if kind == REFERENCE_KIND else kind), store.ratings(kind)
            found, evicted = self._entrants.in_order(cached.ratings), self._entrants.evicted
            self._last[name] = {id: rating for id, rating in found.items() if id in evicted}
            if cached.upto == self._upto and cached.settings == self._model_settings(name):
                self._ratings[name] = {id: rating for id, rating in found.items() if id not in evicted}
        played, upto = store.records()
        self._records = played if upto == self._upto else None
        kept = store.facts().get(GOODNESS_FACT)
        if kept is not None and kept["upto"] == self._upto and self._name(None) in self._ratings:
            self._goodness, self._goodness_known = _restored(kept["goodness"]), True

    def add(self, results: Iterable[MatchResult]) -> None:
        """Append to the ledger and recompute all ratings that the run shows."""
        ledger, added, evicted = self.ledger, list(results), self._entrants.evicted
        if self._among_pool is not None:
            self._among_pool.extend(one for one in added if evicted.isdisjoint(one.policies))
        ledger.extend(added)
        self.refit()

    def evict(self, gone: Collection[PolicyId]) -> None:
        """Keep the present ratings of these policies as their last. The entrants must evict them after this."""
        for name in self._shown():
            rated, last = self.by(name), self._last.setdefault(name, {})
            last |= {policy: rated[policy] for policy in gone if policy in rated}
        self._ratings = {
            name: {policy: one for policy, one in rated.items() if policy not in gone}
            for name, rated in self._ratings.items()
        }
        self._among_pool = None

    def refit(self) -> Refit:
        """Compute everything that a run caches from the ledger, and compare it with the previous values."""
        began, before, played = time.monotonic(), dict(self._ratings), self._records or {}
        self._ratings.clear()
        self._goodness_known = False
        for name in self._shown():
            self.by(name)
        self._records = records(self.ledger)
        return Refit(
            matches=len(self.ledger),
            policies=len(self.reference),
            ratings={name: _difference(before.get(name), new) for name, new in self._ratings.items()},
            records=sum(played.get(policy) != record for policy, record in self._records.items()),
            seconds=time.monotonic() - began,
        )

    def cache(self, store: Store) -> None:
        """Store the ratings and records of the whole ledger with the run. Call it in the round's transaction."""
        self._upto = store.last_match()
        for name, ratings in self._ratings.items():
            kind = REFERENCE_KIND if name == self._name(None) else name
            last = self._last.get(name, {})
            store.put_ratings(kind, {**last, **ratings}, self._upto, self._model_settings(name))
        store.put_records(self.records, self._upto)
        goodness = self.goodness
        store.put_fact(GOODNESS_FACT, {"upto": self._upto, "goodness": goodness and asdict(goodness)})

    def seat_scores(self) -> Sums:
        """The scores of all policies at each seat, summed by the database; empty without a database."""
        return self._store.seat_scores() if self._store else {}

    def _shown(self) -> list[str]:
        """The rating systems that the run shows: the reference, its scores, and the one in the config."""
        names = (None, FIELD, BEST, self.shown)
        return list(dict.fromkeys(self._name(name) for name in names))

    @property
    def _zeros(self) -> frozenset[PolicyId]:
        """Random play, which is rated 0."""
        return frozenset(anchor.id for anchor in self._entrants.anchors if anchor.zero)

    @property
    def _facts(self) -> RosterFacts:
        """What the ledger does not say about the entrants."""
        return RosterFacts(
            scripted=frozenset(anchor.id for anchor in self._entrants.added),
            parents={one.id: one.parent for one in self._entrants.snapshots if one.parent is not None},
        )

    def _loaded_ledger(self, scored: bool) -> Ledger:
        from league.rating.ledger import Ledger  # slow to import, and not needed if everything is cached

        if self._ledger is None or (scored and not self._ledger.scored):
            self._ledger = self._store.ledger(scored, self._upto, self._guests) if self._store else Ledger()
        return self._ledger

    def _name(self, by: str | None) -> str:
        """The rating system that `by` refers to; one-sided games have only one. Raises ConfigError."""
        reference = ONE_SIDED if self.one_sided else REFERENCE
        if by in (None, REFERENCE, reference):
            return reference
        if self.one_sided:
            self._model(str(by))
            return reference
        return str(by)

    def _options(self, name: str) -> dict[str, object]:
        section = REFERENCE if name in (FIELD, BEST) else name
        options = self.settings.get(section.replace("-", "_"))
        return dict(options) if isinstance(options, Mapping) else {}

    def _model_settings(self, name: str) -> str:
        """A rating system's settings, as the cache stores them."""
        return canonical_json(self._options(name))

    def _model(self, name: str) -> RatingModel:
        if name not in self._models:
            self._models[name] = make_rating(name, **self._options(name))
        return self._models[name]


def _restored(kept: Mapping[str, Any] | None) -> GoodnessOfFit | None:
    """A goodness of fit as `asdict` gave it."""
    from league.rating.prediction.goodness import Bin, GoodnessOfFit

    return None if kept is None else GoodnessOfFit(**{**kept, "bins": tuple(Bin(**one) for one in kept["bins"])})


def _difference(old: Mapping[PolicyId, Rating] | None, new: Mapping[PolicyId, Rating]) -> float | None:
    """The largest difference between two sets of ratings; infinite if they rate different policies."""
    if old is None:
        return None
    if old.keys() != new.keys():
        return float("inf")
    ends = ((old[policy], rating) for policy, rating in new.items())
    return max((max(abs(a.value - b.value), _gap(a.low, b.low), _gap(a.high, b.high)) for a, b in ends), default=0.0)


def _gap(a: float, b: float) -> float:
    return 0.0 if a == b else abs(a - b)
