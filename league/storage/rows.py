"""Pure conversions between records and database rows, both ways. JSON columns are canonical."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from league.files import canonical_json
from league.records import MatchResult, PolicyId, Rating, SeatScore, Snapshot

if TYPE_CHECKING:
    from league.rating.ledger import Ints, MatchColumns

Row = dict[str, object]

# Reading a column of a long table as one text of numbers takes half the time of reading its rows. SQLite keeps the
# order of a subquery for aggregates whose result depends on it.
MATCH_COLUMNS = (
    "SELECT group_concat(placements, ';'), group_concat(paired), group_concat(episodes) FROM "
    "(SELECT placements, paired, episodes FROM matches WHERE id > ? AND id <= ? AND id {which} ORDER BY id)"
)
POST_COLUMNS = (
    "SELECT group_concat(post), group_concat(side), group_concat(snapshot) FROM "
    "(SELECT post, side, snapshot FROM match_posts WHERE match > ? AND match <= ? AND match {which} "
    "ORDER BY match, post)"
)
SCORES = (
    "SELECT score_sum, score_sq FROM match_posts WHERE match > ? AND match <= ? AND match {which} ORDER BY match, post"
)
EVERY, WITHOUT_GUESTS = "IS NOT NULL", "NOT IN (SELECT match FROM match_posts JOIN guests USING (snapshot))"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """A committed round. steps: agent-steps in total. checkpoint: id of the file that the run resumes from.

    learners: each learner's state as JSON, by name. seconds: how long the round took, by phase in `phases`.
    """

    round: int
    steps: int
    checkpoint: str
    learners: dict[str, dict[str, Any]]
    seconds: float
    phases: dict[str, float]


@dataclass(frozen=True, slots=True)
class MetricsRow:
    """A learner's metrics of one round, by name; NaN if the value was not finite."""

    round: int
    learner: str
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event of a round. kind: such as "exploit". data: JSON."""

    round: int
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RatingsRow:
    """Cached ratings, computed from the ledger up to match `upto` with `settings` (the rating system's, as JSON)."""

    ratings: dict[PolicyId, Rating]
    upto: int
    settings: str


def snapshot_row(snapshot: Snapshot, created: float) -> Row:
    """A row of `snapshots`, without its `seq`. created: seconds since 1970."""
    return {
        "id": snapshot.id,
        "role": snapshot.role,
        "learner": snapshot.learner,
        "number": snapshot.number,
        "round": snapshot.round,
        "steps": snapshot.steps,
        "origin": snapshot.origin,
        "parent": snapshot.parent,
        "hyperparameters": canonical_json(dict(snapshot.hyperparameters)),
        "created_at": created,
    }


def match_row(id: int, result: MatchResult) -> Row:
    """A row of `matches`."""
    return {
        "id": id,
        "round": result.round,
        "games": result.games,
        "placements": _placements_text(tuple(result.placements.items())),
        "episodes": result.episodes,
        "turns": result.turns,
        "seed": result.seed,
        "paired": bool(result.paired),
        "others": canonical_json(list(result.others)) if result.others else "[]",
    }


def post_rows(id: int, result: MatchResult, seq: Mapping[PolicyId, int]) -> Iterator[Row]:
    """The rows of `match_posts` for one match, in flat order. Raises KeyError for a policy missing from `seq`."""
    sides = [side for side, policies in enumerate(result.lineup) for _ in policies]
    forfeits = result.forfeits or (None,) * len(sides)
    posts = zip(sides, result.policies, result.score_sum, result.score_sq, forfeits, strict=True)
    for post, (side, policy, score_sum, score_sq, forfeit) in enumerate(posts):
        yield {
            "match": id,
            "post": post,
            "side": side,
            "snapshot": seq[policy],
            "score_sum": score_sum,
            "score_sq": score_sq,
            "forfeits": forfeit,
        }


def seat_rows(id: int, result: MatchResult) -> Iterator[Row]:
    """The rows of `match_seats` for one match."""
    for found in result.seats:
        yield {"match": id} | asdict(found)


def read_matches(
    matches: Iterable[Sequence[Any]], posts: Iterable[Sequence[Any]], seats: Iterable[Sequence[Any]] = ()
) -> list[MatchResult]:
    """Match results in the order of `matches`.

    matches: (id, round, games, placements, episodes, turns, seed, paired, others), by id.
    posts: (match, side, policy, score_sum, score_sq, forfeits), by match and post.
    seats: (match, then as in `SeatScore`), by match, post and seat.
    """
    found, rest = [], iter(posts)
    at_seat: dict[int, list[SeatScore]] = {}
    for match, *values in seats:
        at_seat.setdefault(match, []).append(SeatScore(*values))
    post = next(rest, None)
    for id, round, games, placements, episodes, turns, seed, paired, others in matches:
        lineup: list[list[PolicyId]] = []
        sums, squares, forfeits = [], [], []
        while post is not None and post[0] == id:
            _, side, policy, score_sum, score_sq, forfeit = post
            if side == len(lineup):
                lineup.append([])
            lineup[side].append(policy)
            sums.append(score_sum)
            squares.append(score_sq)
            if forfeit is not None:
                forfeits.append(forfeit)
            post = next(rest, None)
        found.append(
            MatchResult(
                lineup=tuple(map(tuple, lineup)),
                games=games,
                placements=dict(_placements(placements)),
                score_sum=tuple(sums),
                score_sq=tuple(squares),
                episodes=episodes,
                turns=turns,
                seed=seed,
                paired=bool(paired),
                forfeits=tuple(forfeits),
                others=_others(others),
                round=round,
                seats=tuple(at_seat.get(id, ())),
            )
        )
    return found


def read_columns(
    names: Mapping[int, PolicyId], matches: Sequence[str], posts: Sequence[str], scores: Sequence[tuple[float, float]]
) -> MatchColumns:
    """Match results as columns. names: snapshot ids by `seq`.

    matches, posts: the row that `MATCH_COLUMNS` and `POST_COLUMNS` select. scores: the rows of `SCORES`, or empty.
    """
    import numpy as np

    from league.rating.ledger import MatchColumns

    texts, paired, episodes = matches[0].split(";"), *(_numbers(column) for column in matches[1:])
    post, side, seq = (_numbers(column) for column in posts)
    number: dict[str, int] = {}
    outcome = [number.setdefault(text, len(number)) for text in texts]
    score = np.array(scores) if scores else np.zeros((len(post), 2))
    return MatchColumns(
        names=[names.get(place, "") for place in range(max(names) + 1)],
        outcomes=[_placements(text) for text in number],
        outcome=np.array(outcome),
        paired=paired.astype(bool),
        episodes=episodes,
        first=np.flatnonzero(post == 0),
        side=side,
        policy=seq,
        score_sum=score[:, 0],
        score_sq=score[:, 1],
    )


def _numbers(text: str) -> Ints:
    """Integers separated by commas."""
    import numpy as np

    return np.fromstring(text, sep=",", dtype=np.int64)


@lru_cache(maxsize=4096)
def _placements_text(placements: tuple[tuple[tuple[int, ...], int], ...]) -> str:
    """Patterns of ranks as the keys "0,1" of a JSON object."""
    return canonical_json({",".join(map(str, pattern)): games for pattern, games in placements})


@lru_cache(maxsize=4096)
def _placements(text: str) -> Mapping[tuple[int, ...], int]:
    # Cached because matches of few games have few different outcomes: a long ledger is read in half the time.
    return {tuple(map(int, key.split(","))): count for key, count in json.loads(text).items()}


@lru_cache(maxsize=4096)
def _others(text: str) -> tuple[PolicyId, ...]:
    return tuple(json.loads(text))


def known_number(value: float) -> float | None:
    """A metric as it is stored: None for NaN and infinities (SQLite itself turns only NaN into NULL)."""
    return float(value) if math.isfinite(value) else None


def number_or_nan(value: float | None) -> float:
    """The inverse of `known_number`."""
    return math.nan if value is None else value
