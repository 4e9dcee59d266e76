"""`league payoff`: the head-to-head table, and the cycles in it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.text import Text

from league.cli.output import console, print_json
from league.cli.shared import Opened, opened_context, opened_run, progress_bar
from league.errors import ConfigError
from league.run.folders import run_option
from league.views.text import clean

if TYPE_CHECKING:
    from league.studies.payoff.report import PayoffReport


def show_payoff(
    run: str | None, game: str | None, policies: Sequence[str], games: int, seed: int, size: int, as_json: bool
) -> None:
    """`league payoff`: from the ledger, or from games played for the table."""
    from league.views.payoff_table import payoff_table

    if not (games >= 1 and size >= 2):
        raise ConfigError(
            "a payoff table needs at least one game per cell and a size of 2 or more, "
            f"not --games {games} --size {size}"
        )
    if policies:
        with opened_context(run, policies, game) as opened:
            report = _played(opened, games, seed)
    else:
        from league.studies.payoff.ledger import payoff_of_ledger

        with opened_run(run) as kept:
            report = payoff_of_ledger(kept.ranking, size)
    if as_json:
        print_json(asdict(report))
    else:
        console().print(payoff_table(report))


def show_cycles(
    run: str | None, game: str | None, policies: Sequence[str], games: int, seed: int, as_json: bool
) -> None:
    """`league payoff --cycles`: from the ledger, or among policies that play for it."""
    from league.studies.payoff.cycles import cycles_of_ledger, cycles_played, require_cycles
    from league.views.cycles_table import cycles_table

    if games < 2:
        raise ConfigError(f"cycles need at least two games per pair, not --games {games}")
    if policies:
        with opened_context(run, policies, game) as opened:
            require_cycles(opened.roster.spec, opened.texts)
            report, option, guests = cycles_played(_played(opened, games, seed)), opened.option, set()
    else:
        with opened_run(run) as kept:
            report, option = cycles_of_ledger(kept.ranking), run_option(kept.store.folder)
            guests = {one.name for one in kept.ranking.entrants.anchors if one.guest}
    if as_json:
        print_json(asdict(report))
        return
    out = console()
    out.print(cycles_table(report))
    doubtful = next((table.expected[0] for table in report.tables if table.expected), None)
    # A run has no copies of its guests, which are played only where the user names them.
    if doubtful and not any(edge.row in guests for edge in doubtful):
        names = " ".join(shlex.quote(edge.row) for edge in doubtful)
        text = f"Next: league payoff {names} --cycles --games 1000{option}"
        out.print(Text(clean(text), "dim"), soft_wrap=True)


def _played(opened: Opened, games: int, seed: int) -> PayoffReport:
    from league.studies.payoff.played import play_payoff

    with progress_bar("playing") as tick:
        return play_payoff(opened.make, opened.roster, opened.texts, games=games, seed=seed, tick=tick)
