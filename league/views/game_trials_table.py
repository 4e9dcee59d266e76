"""The results of `league games --try` as a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from league.studies.game_trials import GameTrial
from league.views.grid import Column, Grid
from league.views.text import clean, count


def game_trials_table(found: Iterable[GameTrial]) -> Grid:
    """One line per game, and one for each further role."""
    columns = [
        Column(("game",), keep=9, least=12),
        Column(("seats",), keep=3, least=12, wrap=True),
        Column(("roles",), keep=4, least=16, wrap=True),
        Column(("outcome",), keep=2),
        Column(("steps/s",), right=True, keep=8),
        Column(("rounds",), right=True, keep=5),
        Column(("best and random",), keep=6, least=14, wrap=True),
    ]
    rows: list[list[str | Text]] = []
    for trial in found:
        if trial.fault:
            rows.append([clean(trial.id), Text(clean(trial.fault.splitlines()[0]), "yellow"), *[""] * 5])
            continue
        for number, (role, about) in enumerate(trial.roles.items()):
            first = number == 0
            lines = trial.standings.get(role, ())
            random = next((line for line in lines if line[0].partition("/")[0] == "random"), None)
            best = next((line for line in lines if line != random), None)
            shown = [line for line in (best, random) if line is not None]
            rows.append(
                [
                    clean(trial.id) if first else "",
                    clean(trial.seating) if first else "",
                    clean(f"{role}: {about}"),
                    trial.outcome if first else "",
                    count(trial.steps_per_second) if first else "",
                    str(trial.rounds) if first else "",
                    clean(", ".join(f"{name.partition('/')[0]} {value:+.0f}" for name, value in shown)),
                ]
            )
    return Grid(columns, rows)
