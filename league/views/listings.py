"""Listings: the runs, the games, and the settings of a config, one a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from league.views.grid import Column, Grid
from league.views.text import MISSING, clean, count, duration

if TYPE_CHECKING:
    from league.config.load import ResolvedSetting
    from league.games.catalogue import CatalogueEntry


class RunRow(NamedTuple):
    """A run as one line of `league runs`.

    best: names of the best snapshots; "" before there are any. age: seconds since the run was last written, or None.
    """

    name: str
    game: str
    matchmaking: str
    rounds: int
    steps: int
    snapshots: int
    best: str
    age: float | None


def runs_table(rows: Iterable[RunRow]) -> Grid:
    """The runs, one a line."""
    columns = [
        Column(("run",), keep=9, least=12),
        Column(("game",), keep=7, least=10),
        Column(("matchmaking",), keep=0),
        Column(("rounds",), right=True, keep=6),
        Column(("steps",), right=True, keep=5),
        Column(("snapshots", "snaps"), right=True, keep=0),
        Column(("best",), keep=4, least=8),
        Column(("last written", "written"), right=True, keep=8),
    ]
    return Grid(
        columns,
        [
            [
                clean(row.name),
                clean(row.game),
                clean(row.matchmaking),
                str(row.rounds),
                count(row.steps),
                str(row.snapshots),
                clean(row.best) or MISSING,
                MISSING if row.age is None else f"{duration(row.age)} ago",
            ]
            for row in rows
        ],
    )


def games_table(games: Iterable[CatalogueEntry]) -> Grid:
    """All games, and what is missing for those that are not available."""
    columns = [
        Column(("game",), keep=3),
        Column(("description",), keep=1, least=18, wrap=True),
        Column(("available", ""), keep=2, least=10, wrap=True),
    ]
    rows = [
        [
            Text(clean(game.id), "" if game.available else "dim"),
            Text(clean(game.description), "dim"),
            Text("yes", "green") if game.available else Text(clean(game.why_not), "yellow"),
        ]
        for game in games
    ]
    return Grid(columns, rows)


def config_table(values: Iterable[ResolvedSetting]) -> Grid:
    """Resolved settings with their sources; defaults are dimmed."""
    from league.config.explain import toml_text

    columns = [
        Column(("key",), keep=3, least=20, wrap=True),
        Column(("value",), keep=2, least=12, wrap=True),
        Column(("source",), keep=1, least=12, wrap=True),
    ]
    rows = []
    for one in values:
        style = "dim" if one.source == "default" else ""
        rows.append(
            [Text(clean(one.key), style), Text(clean(toml_text(one.value)), style), Text(clean(one.source), style)]
        )
    return Grid(columns, rows)
