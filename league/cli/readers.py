"""The commands that only read a run's database: standings, show, runs; and rate, which refreshes its cached ratings.

A program may call them every second, so they import neither torch nor the config's models.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from league.cli.output import console, print_json
from league.cli.shared import found_run, reading
from league.errors import ConfigError, LeagueError
from league.plugins import short
from league.records import PolicyId, Rating, Standing
from league.run.folders import RUNS
from league.run.roster.policy_text import own_run
from league.run.roster.ranking import open_ranking, refresh
from league.run.roster.ratings import COMPARED, REFERENCE_KIND
from league.storage.store import Store, written_at
from league.views.goodness_text import goodness_lines
from league.views.listings import RunRow, runs_table
from league.views.snapshot_view import snapshot_view
from league.views.standings_table import refit_table, standings_table
from league.views.text import clean

if TYPE_CHECKING:
    from league.rating.prediction.goodness import GoodnessOfFit

ALL = "all"
"""In place of a rating system: all of them side by side."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The standings to show: lines by role and, on request, the scores at each seat by role."""

    lines: dict[str, tuple[Standing, ...]]
    seats: dict[str, dict[str, Mapping[PolicyId, Rating]]]
    one_sided: bool
    by: str
    goodness: GoodnessOfFit | None

    def record(self) -> dict[str, object]:
        """As plain values for JSON."""
        return {
            role: [
                _standing_record(line) | ({"seats": _seats_record(line, self.seats[role])} if self.seats else {})
                for line in lines
            ]
            for role, lines in self.lines.items()
        }

    def tables(self, named: bool) -> list[RenderableType]:
        """One table per role. named: show the role's name even if there is only one."""
        several = named or len(self.lines) > 1
        tables = [
            standings_table(lines, role if several else None, self.by, self.one_sided, self.seats.get(role))
            for role, lines in self.lines.items()
        ]
        rated = not self.one_sided and any(self.lines.values())
        notes = [Text(line, "dim") for line in goodness_lines(self.goodness)] if rated else []
        return [*tables, *([Text(), *notes] if notes else [])]


def show_standings(run: str | None, by: str | None, role: str | None, seat: bool, as_json: bool) -> None:
    """`league standings`."""
    if by == ALL:
        compare_ratings(run, role, as_json)
        return
    found = read_standings(run, by, role, seat)
    if as_json:
        print_json(found.record())
        return
    for table in found.tables(role is not None):
        console().print(table)


def watch_standings(run: str | None, by: str | None, role: str | None, seat: bool, as_json: bool) -> None:
    """`league standings --watch`: a live screen; without a terminal or with --json, one print every two seconds."""
    from rich.console import Group
    from rich.live import Live

    if as_json or not sys.stdout.isatty():
        while True:
            show_standings(run, by, role, seat, as_json)
            sys.stdout.flush()
            time.sleep(2)
    with Live(console=console(), screen=True, auto_refresh=False) as live:
        while True:
            parts = read_standings(run, by, role, seat, quiet=True).tables(False)
            live.update(Group(*parts, Text("Ctrl-C ends", "dim")), refresh=True)
            time.sleep(2)


def compare_ratings(run: str | None, role: str | None, as_json: bool) -> None:
    """`league standings --by all`: every rating system in Elo points, with its goodness of fit."""
    from league.views.comparison_table import comparison_table

    with reading(run) as store:
        ranking = open_ranking(store)
        if ranking.game.one_sided:
            raise ConfigError(
                f"{ranking.game.id} has one side, so the mean score is its only rating: leave out --by all"
            )
        roles = [ranking.game.role(role)] if role else ranking.game.roles
        lines = {name: {by: ranking.standings(name, by) for by in COMPARED} for name in roles}
        goodness = ranking.ratings.compared()
    if as_json:
        print_json(
            {
                "standings": {
                    name: {by: [_standing_record(line) for line in found] for by, found in systems.items()}
                    for name, systems in lines.items()
                },
                "goodness": {by: found and asdict(found) for by, found in goodness.items()},
            }
        )
        return
    out = console()
    for name, systems in lines.items():
        if len(lines) > 1:
            out.print(Text(clean(name), "dim"))
        out.print(comparison_table(systems, goodness))


def rate_run(run: str | None, by: str | None, as_json: bool) -> None:
    """`league rate`."""
    with Store.open(found_run(run)) as store:
        found = refresh(store, by)
    if as_json:
        print_json(asdict(found))
    else:
        console().print(refit_table(found))


def show_prediction(run: str | None, a: str, b: str, as_json: bool) -> None:
    """`league predict`."""
    from league.studies.prediction import predict
    from league.views.prediction_table import prediction_table

    run, (a, b) = own_run(run, (a, b))
    with reading(run) as store:
        found = predict(open_ranking(store), a, b)
    if as_json:
        print_json(asdict(found))
    else:
        console().print(prediction_table(found))


def show_policy(run: str | None, policy: str, as_json: bool) -> None:
    """`league show`."""
    from league.studies.snapshot_profile import profile

    run, (policy,) = own_run(run, (policy,))
    with reading(run) as store:
        ranking = open_ranking(store)
        found = profile(ranking, store, policy)
        champion, one_sided = ranking.best(found.snapshot.role), ranking.game.one_sided
    if as_json:
        print_json(asdict(found))
        return
    best = champion is not None and champion.id == found.snapshot.id
    console().print(snapshot_view(found, best, one_sided))


def list_runs(as_json: bool) -> None:
    """`league runs`."""
    rows = []
    for folder in Store.find_runs(RUNS):
        try:
            rows.append(_run_row(folder))
        except LeagueError as error:
            # One damaged run must not hide the others.
            print(f"league: {error}", file=sys.stderr)
    if as_json:
        print_json([row._asdict() for row in rows])
    elif rows:
        console().print(runs_table(rows))
    else:
        print("There is no run under runs/ yet. Next: league run")


def _run_row(folder: Path) -> RunRow:
    """A run as one line of `league runs`. Raises RunError."""
    from league.rating.standings import BEST, best_ids

    with Store.reader(folder) as store:
        config, last = store.config(), store.last_round()
        # One-sided games have one rating, which older runs used for all.
        ratings = store.ratings(BEST).ratings or store.ratings(REFERENCE_KIND).ratings
        roster = [snapshot for snapshot in store.snapshots() if snapshot.origin != "anchor"]
        evicted = store.evicted()
    # The last ratings of evicted snapshots are from other times.
    champions = set(best_ids((one for one in roster if one.id not in evicted), ratings).values())
    best = ", ".join(f"{s.name} {s.short}" for s in roster if s.id in champions)
    return RunRow(
        name=folder.name,
        game=short(config["game"]["id"]),
        matchmaking=short(config["matchmaking"]["kind"]),
        rounds=last.round if last else 0,
        steps=last.steps if last else 0,
        snapshots=len(roster),
        best=best,
        age=max(time.time() - written_at(folder) / 1e9, 0.0),
    )


def read_standings(run: str | None, by: str | None, role: str | None, seat: bool, quiet: bool = False) -> Shown:
    """The standings of a run. Raises LeagueError as `league standings` shows it."""
    with reading(run, quiet) as store:
        ranking = open_ranking(store, places=seat)
        roles = [ranking.game.role(role)] if role else ranking.game.roles
        chosen = by or ranking.ratings.shown
        lines = {name: ranking.standings(name, chosen) for name in roles}
        seats = {name: ranking.seats(name) for name in roles if seat}
        return Shown(lines, seats, ranking.game.one_sided, chosen, ranking.ratings.goodness)


def _seats_record(line: Standing, seats: Mapping[str, Mapping[PolicyId, Rating]]) -> dict[str, object]:
    """A snapshot's score at each seat; None if it never sat there or the score was not recorded."""
    found = {name: scores.get(line.snapshot.id) for name, scores in seats.items()}
    return {
        name: score and {"score": score.value, "low": score.low, "high": score.high, "games": score.games}
        for name, score in found.items()
    }


def _standing_record(line: Standing) -> dict[str, object]:
    snapshot = line.snapshot
    return {
        "rank": line.rank,
        "id": snapshot.id,
        "name": snapshot.name,
        "role": snapshot.role,
        "learner": snapshot.learner,
        "round": snapshot.round,
        "steps": snapshot.steps,
        "origin": "guest" if snapshot.guest else snapshot.origin,
        "rating": line.rating.value,
        "low": line.rating.low,
        "high": line.rating.high,
        "games": line.rating.games,
        "wins": line.wins,
        "draws": line.draws,
        "losses": line.losses,
        "score": line.score,
        "field": line.field and {"score": line.field.value, "low": line.field.low, "high": line.field.high},
        "exploitability": line.exploitability and asdict(line.exploitability),
        "trend": line.trend,
        "best": line.best,
    }
