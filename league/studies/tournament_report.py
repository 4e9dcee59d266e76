"""A tournament as a record: its entrants in order with their ratings, the crosstable, and the rounds of a Swiss one.

Everything comes from the tournament's folder. No policy is loaded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from league.errors import RunError
from league.games.names import current_id
from league.rating.core import NO_FACTS, make_rating, rate
from league.rating.payoff import Payoff, beaten, wilson
from league.rating.standings import Record, records
from league.rating.swiss import SwissRound, points
from league.records import MatchResult, PolicyId, Rating
from league.run.folders import TOURNAMENT_FACT
from league.storage.store import Store
from league.studies.payoff.report import Cell

if TYPE_CHECKING:
    from league.rating.ledger import Ledger

BRADLEY_TERRY = "bradley-terry"
"""The rating of a tournament unless another is asked for. All have met, or nearly all, about equally often, so that one
strength for each policy says what the games say."""

SWISS_EVENT = "swiss round"
"""The kind of the event that records a round's pairs before they are played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to play: between the policies that `texts` name. games: of each pairing. swiss: whether to pair by score.
    rounds: of a Swiss tournament, in total; None: as many as `rating.swiss.usual_rounds` gives."""

    texts: Sequence[str]
    games: int = 100
    seed: int = 0
    swiss: bool = False
    rounds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a tournament's results depend on, besides its entrants; it is never changed.

    options: the section `game` of the config, as JSON. games: of each pairing, on which the next Swiss round depends;
    None in a round-robin, where every pairing may be played on.
    """

    game: str
    options: str
    seed: int
    swiss: bool
    games: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One line of the standings of a tournament.

    rating: None before any game. points: of a Swiss tournament (see `rating.swiss.points`); None in a round-robin.
    score: mean result of all its games, with its 95 % interval; None before any game.
    """

    rank: int
    id: PolicyId
    name: str
    rating: Rating | None
    points: float | None
    byes: int
    games: int
    wins: int
    draws: int
    losses: int
    score: Cell | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TournamentReport:
    """A tournament. by: the rating system. cells: `[entrant][entrant]` the row's score against the column, in the order
    of the entrants; None if they have not met. rounds: of a Swiss tournament, with the entrants' names. paired: a game
    is a pair of episodes with equal seeds and seats swapped, won by the larger total.
    """

    folder: str
    game: str
    seed: int
    swiss: bool
    by: str
    paired: bool
    entrants: tuple[Entrant, ...]
    cells: tuple[tuple[Cell | None, ...], ...]
    rounds: tuple[SwissRound, ...]


def read_tournament(folder: Path, by: str = BRADLEY_TERRY) -> TournamentReport:
    """The tournament in a folder. by: a rating system's name.

    Raises RunError if the folder has no tournament, ConfigError for an unknown rating system.
    """
    with Store.reader(folder) as store:
        terms, known, results, rounds = terms_of(store), store.snapshots(), store.results(), swiss_rounds(store)
        rated = ratings_of(store, by)
        ledger = store.ledger()
    played, payoff = records(ledger), Payoff.of(ledger)
    scored = points(rounds, mean_results(results)) if terms.swiss else {}

    def worth(id: PolicyId) -> tuple[float, float]:
        """What an entrant is ranked by: points, then rating; without games, last."""
        return -scored.get(id, 0.0), -rated[id].value if id in rated else float("inf")

    order = sorted(known, key=lambda one: worth(one.id))
    byes = Counter(one.bye for one in rounds)
    entrants = []
    for rank, one in enumerate(order, start=1):
        record = played.get(one.id, Record())
        entrants.append(
            Entrant(
                rank=rank,
                id=one.id,
                name=one.name,
                rating=rated.get(one.id),
                points=scored.get(one.id, 0.0) if terms.swiss else None,
                byes=byes[one.id],
                games=record.games,
                wins=record.wins,
                draws=record.draws,
                losses=record.losses,
                score=_cell(record.score, record.games),
            )
        )
    name = {one.id: one.name for one in known}
    return TournamentReport(
        folder=str(folder),
        game=terms.game,
        seed=terms.seed,
        swiss=terms.swiss,
        by=by,
        paired=any(result.paired for result in results),
        entrants=tuple(entrants),
        cells=tuple(
            tuple(
                _cell(payoff.score(a.id, b.id) * games, games) if (games := payoff.games(a.id, b.id)) else None
                for b in order
            )
            for a in order
        ),
        rounds=tuple(
            SwissRound(tuple((name[a], name[b]) for a, b in one.pairs), one.bye and name[one.bye]) for one in rounds
        ),
    )


def terms_of(store: Store) -> Terms:
    """The terms of a tournament. Raises RunError if the folder is a run."""
    kept = store.facts().get(TOURNAMENT_FACT)
    if kept is None:
        raise RunError(f"{store.folder} is a run, not a tournament: name another folder by --out")
    return Terms(**{**kept, "game": current_id(kept["game"])})


def swiss_rounds(store: Store) -> tuple[SwissRound, ...]:
    """The rounds that were paired so far; empty in a round-robin."""
    found = [event.data for event in store.events() if event.kind == SWISS_EVENT]
    return tuple(SwissRound(tuple((a, b) for a, b in one["pairs"]), one["bye"]) for one in found)


def ratings_of(store: Store, by: str = BRADLEY_TERRY) -> dict[PolicyId, Rating]:
    """The ratings of everybody who has played, by a rating system.

    Random play is 0 if it takes part; otherwise 0 is where the system's prior puts the field's middle.
    """
    settings = store.config()["rating"]
    ledger: Ledger = store.ledger()
    zeros = frozenset(one.id for one in store.snapshots() if one.zero)
    model = make_rating(by, **(settings.get(by.replace("-", "_")) or {}))
    return rate(model, ledger, zeros, NO_FACTS)


def mean_results(results: Sequence[MatchResult]) -> dict[tuple[int, PolicyId], float]:
    """By the round's index (counted from 0) and policy: its mean result over the round's games."""
    total: dict[tuple[int, PolicyId], float] = defaultdict(float)
    games: Counter[tuple[int, PolicyId]] = Counter()
    for result in results:
        for side, (policy,) in enumerate(result.lineup):
            total[result.round - 1, policy] += beaten(result.placements, side)
            games[result.round - 1, policy] += result.games
    return {key: total[key] / games[key] for key in games}


def _cell(score: float, games: int) -> Cell | None:
    return Cell(score / games, *wilson(score, games), games) if games else None
