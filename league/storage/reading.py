"""Reading a run: its config, roster, ledger, training results, rounds and cached ratings, as records."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from league import files
from league.rating.standings import Record
from league.records import ExploitabilityBound, MatchResult, PolicyId, Rating, Snapshot, TrainingResult
from league.storage import rows
from league.storage.rows import EventRow, MetricsRow, RatingsRow, RoundRow

if TYPE_CHECKING:
    from league.rating.ledger import Ledger

_MATCHES_PER_READ = 250_000
"""Matches whose columns are read by one query."""

EVICTION_KIND = "eviction"
"""The kind of an eviction among a run's events; its data are the ids of the `snapshots`."""

EXPLOITABILITY_KIND = "exploitability"
"""The kind of a measurement among a run's events; its data are the id of the `snapshot` and what was `found`."""

CODE_FACT = "code"
"""The key of a run's fact about the user's own code; `moved` has names in the config with what they are now."""

_SNAPSHOTS = "id, role, learner, number, round, steps, origin, parent, hyperparameters"
_TRAINING = "learner, round, opponent, episodes, score, return_mean"


class Reading(ABC):
    """Reads of a run's folder, all through `query`. Every method raises RunError if the database cannot be read."""

    folder: Path

    @abstractmethod
    def query(self, sql: str, *parameters: object) -> list[Any]:
        """All rows of a SELECT or PRAGMA, as tuples. Only for `league.storage`; other code reads records."""

    @property
    def snapshot_folder(self) -> Path:
        """The folder of snapshot files."""
        return self.folder / "snapshots"

    @property
    def checkpoint_folder(self) -> Path:
        """The folder of checkpoint files."""
        return self.folder / "checkpoints"

    @property
    def replay_folder(self) -> Path:
        """The folder of replay segments; it exists once there is one."""
        return self.folder / "replay"

    def config(self) -> dict[str, Any]:
        """The config that the run was created with; names of the user's files that have moved are as they are now."""
        moved = self.facts().get(CODE_FACT, {}).get("moved", {})
        found: dict[str, Any] = _renamed(_object(self.query("SELECT config FROM run")[0][0]), moved)
        return found

    def facts(self) -> dict[str, Any]:
        """Facts by key."""
        return {key: json.loads(value) for key, value in self.query("SELECT key, value FROM facts ORDER BY key")}

    def provenance(self) -> list[dict[str, str]]:
        """Where the run was made and where it was resumed, oldest first; at least one."""
        return [_object(data) for (data,) in self.query("SELECT data FROM provenance ORDER BY id")]

    def snapshots(self) -> list[Snapshot]:
        """The roster, including anchors, oldest first."""
        found = self.query(
            f"SELECT COALESCE(name, ''), {_SNAPSHOTS} FROM snapshots LEFT JOIN guests ON seq = snapshot ORDER BY seq"
        )
        names = ["guest", *_SNAPSHOTS.split(", ")]
        whole = ((*row[:-1], _object(row[-1])) for row in found)
        return [Snapshot(**dict(zip(names, row, strict=True))) for row in whole]

    def evicted(self) -> set[PolicyId]:
        """Ids of the snapshots that were evicted from the pool of opponents."""
        found = self.query("SELECT data FROM events WHERE kind = ?", EVICTION_KIND)
        return {id for (data,) in found for id in _object(data)["snapshots"]}

    def exploitability(self) -> dict[PolicyId, ExploitabilityBound]:
        """The exploitability of snapshots, as far as it was measured; of several bounds, the highest lower end."""
        known: dict[PolicyId, ExploitabilityBound] = {}
        for (data,) in self.query("SELECT data FROM events WHERE kind = ? ORDER BY id", EXPLOITABILITY_KIND):
            kept = _object(data)
            found, before = ExploitabilityBound(**kept["found"]), known.get(kept["snapshot"])
            if before is None or (found.exact, found.low) >= (before.exact, before.low):
                known[kept["snapshot"]] = found
        return known

    def snapshot_files(self) -> set[str]:
        """Ids of the snapshot files that exist."""
        return content_ids(self.snapshot_folder)

    def last_match(self) -> int:
        """The id of the ledger's last match; 0 if it is empty. Ids run from 1 without gaps."""
        return int(self.query("SELECT COALESCE(MAX(id), 0) FROM matches")[0][0])

    def turns_per_game(self) -> float | None:
        """Mean turns of a rated game, of the last thousand matches; None before any."""
        latest = "SELECT turns, games FROM matches ORDER BY id DESC LIMIT 1000"
        turns, games = self.query(f"SELECT SUM(turns), SUM(games) FROM ({latest})")[0]
        return float(turns / games) if games else None

    def results(self, since: int = 0, of: PolicyId | None = None) -> list[MatchResult]:
        """The ledger in order, as records. since: only matches with a higher id. of: only matches of this policy."""
        which, values = "> ?", tuple[object, ...]([since])
        if of is not None:
            which = "IN (SELECT match FROM match_posts JOIN snapshots ON seq = snapshot WHERE match > ? AND id = ?)"
            values += (of,)
        matches = self.query(
            "SELECT id, round, games, placements, episodes, turns, seed, paired, others FROM matches "
            f"WHERE id {which} ORDER BY id",
            *values,
        )
        posts = self.query(
            "SELECT match, side, snapshots.id, score_sum, score_sq, forfeits FROM match_posts "
            f"JOIN snapshots ON snapshots.seq = snapshot WHERE match {which} ORDER BY match, post",
            *values,
        )
        seats = self.query(
            "SELECT match, post, seat, episodes, score_sum, score_sq FROM match_seats "
            f"WHERE match {which} ORDER BY match, post, seat",
            *values,
        )
        return rows.read_matches(matches, posts, seats)

    def seat_scores(self) -> dict[tuple[PolicyId, int], tuple[int, float, float]]:
        """By policy and seat: episodes, sum and sum of squares of scores.

        Counts the matches whose lineups do not tell who sat where (`MatchResult.seats`).
        """
        found = self.query(
            "SELECT id, seat, SUM(episodes), SUM(seats.score_sum), SUM(seats.score_sq) FROM match_seats AS seats "
            "JOIN match_posts USING (match, post) JOIN snapshots ON seq = snapshot GROUP BY seq, seat"
        )
        return {(id, seat): (episodes, total, square) for id, seat, episodes, total, square in found}

    def ledger(self, scored: bool = True, upto: int | None = None, guests: bool = True) -> Ledger:
        """The ledger as columns. scored: include score sums, which take as long to read as everything else.

        upto: only matches up to this id. guests: include the matches of guests.
        """
        from league.rating.ledger import Ledger

        names = dict(self.query("SELECT seq, id FROM snapshots"))
        ledger, last = Ledger(scored=scored), self.last_match() if upto is None else upto
        which = rows.EVERY if guests else rows.WITHOUT_GUESTS
        for since in range(0, last, _MATCHES_PER_READ):
            upto = min(since + _MATCHES_PER_READ, last)
            matches = self.query(rows.MATCH_COLUMNS.format(which=which), since, upto)
            posts = self.query(rows.POST_COLUMNS.format(which=which), since, upto)
            scores = self.query(rows.SCORES.format(which=which), since, upto) if scored else []
            if posts[0][0] is not None:
                ledger.append(rows.read_columns(names, matches[0], posts[0], scores))
        return ledger

    def training(self, rounds: int | None = None) -> list[TrainingResult]:
        """Training results, oldest first. rounds: only those of the last `rounds` committed rounds."""
        found = self.query(
            f"SELECT {_TRAINING} FROM training WHERE round > ? ORDER BY round, id",
            self._before(rounds),
        )
        names = _TRAINING.split(", ")
        return [TrainingResult(**dict(zip(names, row, strict=True))) for row in found]

    def metrics(self, learner: str | None = None, last: int | None = None) -> list[MetricsRow]:
        """Metrics by round, then learner. learner: only this one's. last: only the last `last` committed rounds."""
        found: dict[tuple[int, str], dict[str, float]] = {}
        for round, name, metric, value in self.query(
            "SELECT round, learner, name, value FROM metrics WHERE round > ?1 AND learner = COALESCE(?2, learner) "
            "ORDER BY round, learner, name",
            self._before(last),
            learner,
        ):
            found.setdefault((round, name), {})[metric] = rows.number_or_nan(value)
        return [MetricsRow(round, name, values) for (round, name), values in found.items()]

    def events(self, since_round: int = 0) -> list[EventRow]:
        """Events since a round, including it, oldest first."""
        found = self.query("SELECT round, kind, data FROM events WHERE round >= ? ORDER BY id", since_round)
        return [EventRow(round, kind, _object(data)) for round, kind, data in found]

    def last_round(self) -> RoundRow | None:
        """The last committed round, from which the run resumes; None before the first."""
        columns = "round, steps, checkpoint, learners, seconds, phases"
        for round, steps, checkpoint, learners, seconds, phases in self.query(
            f"SELECT {columns} FROM rounds ORDER BY round DESC LIMIT 1"
        ):
            return RoundRow(
                round=round,
                steps=steps,
                checkpoint=checkpoint,
                learners=_object(learners),
                seconds=seconds,
                phases=_object(phases),
            )
        return None

    def steps_after(self, round: int) -> int:
        """Agent-steps in total after a committed round; 0 before the first."""
        return next((steps for (steps,) in self.query("SELECT steps FROM rounds WHERE round = ?", round)), 0)

    def seconds(self) -> float:
        """How long all rounds took together."""
        ((seconds,),) = self.query("SELECT total(seconds) FROM rounds")
        return float(seconds)

    def rated_kinds(self) -> list[str]:
        """The kinds of ratings that are cached."""
        return [kind for (kind,) in self.query("SELECT kind FROM rating_kinds ORDER BY kind")]

    def ratings(self, kind: str) -> RatingsRow:
        """The cached ratings of one kind; `upto` is 0 if there are none."""
        stamp = self.query("SELECT upto, settings FROM rating_kinds WHERE kind = ?", kind)
        found = self.query(
            "SELECT snapshots.id, value, low, high, games FROM ratings JOIN snapshots ON snapshots.seq = snapshot "
            "WHERE kind = ? ORDER BY snapshot",
            kind,
        )
        return RatingsRow({id: Rating(*row) for id, *row in found}, *(stamp[0] if stamp else (0, "")))

    def records(self) -> tuple[dict[PolicyId, Record], int]:
        """The cached record of every policy, and the last match that they count; ({}, 0) if there are none."""
        upto = self.query("SELECT upto FROM records_upto")
        found = self.query(
            "SELECT snapshots.id, wins, draws, losses, score FROM records JOIN snapshots ON snapshots.seq = snapshot "
            "ORDER BY snapshot"
        )
        return {id: Record(*row) for id, *row in found}, upto[0][0] if upto else 0

    def _before(self, rounds: int | None) -> int:
        """The number of the round before the last `rounds` committed rounds; -1 for None, before all."""
        if rounds is None:
            return -1
        return int(self.query("SELECT COALESCE(MAX(round), 0) FROM rounds")[0][0]) - rounds


def content_ids(folder: Path) -> set[str]:
    """Ids of the content-addressed files in a folder."""
    return {path.stem for path in folder.glob(f"*{files.SUFFIX}") if files.is_id(path.stem)}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """JSON data with the texts that are keys of `names` replaced."""
    if isinstance(value, dict):
        return {key: _renamed(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


def _object(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text)
    return value
