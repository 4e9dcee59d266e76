"""`league payoff`: the head-to-head table, and the cycles in it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.text import Text

from league.cli.output import console
from league.cli.shared import game_maker, opened_run, print_json, progress_bar
from league.errors import ConfigError
from league.views.text import clean

if TYPE_CHECKING:
    from league.api import Run
    from league.studies.payoff.report import PayoffReport


def show_payoff(run: str | None, policies: Sequence[str], games: int, seed: int, size: int, as_json: bool) -> None:
    """`league payoff`: from the ledger, or from games played for the table."""
    from league.views.payoff_table import payoff_table

    if not (games >= 1 and size >= 2):
        raise ConfigError(
            "a payoff table needs at least one game per cell and a size of 2 or more, "
            f"not --games {games} --size {size}"
        )
    with opened_run(run) as opened:
        if policies:
            report = _played(opened, policies, games, seed)
        else:
            from league.studies.payoff.ledger import payoff_of_ledger

            report = payoff_of_ledger(opened.ranking, size)
    if as_json:
        print_json(asdict(report))
    else:
        console().print(payoff_table(report))


def show_cycles(run: str | None, policies: Sequence[str], games: int, seed: int, as_json: bool) -> None:
    """`league payoff --cycles`: from the ledger, or among policies that play for it."""
    from league.studies.payoff.cycles import cycles_of_ledger, cycles_played, require_cycles
    from league.views.cycles_table import cycles_table

    if games < 2:
        raise ConfigError(f"cycles need at least two games per pair, not --games {games}")
    with opened_run(run) as opened:
        if policies:
            require_cycles(opened.roster.spec, policies)
            report = cycles_played(_played(opened, policies, games, seed))
        else:
            report = cycles_of_ledger(opened.ranking)
    if as_json:
        print_json(asdict(report))
        return
    out = console()
    out.print(cycles_table(report))
    doubtful = next((table.expected[0] for table in report.tables if table.expected), None)
    if doubtful:
        names = " ".join(shlex.quote(edge.row) for edge in doubtful)
        option = f" --run {shlex.quote(run)}" if run else ""
        text = f"Next: league payoff {names} --cycles --games 1000{option}"
        out.print(Text(clean(text), "dim"), soft_wrap=True)


def _played(opened: Run, policies: Sequence[str], games: int, seed: int) -> PayoffReport:
    from league.studies.payoff.played import play_payoff

    with progress_bar("playing") as tick:
        return play_payoff(game_maker(opened.config), opened.roster, policies, games=games, seed=seed, tick=tick)
