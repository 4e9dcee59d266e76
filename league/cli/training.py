"""`league run`: train, until the budget is reached or the user interrupts."""

from __future__ import annotations

import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from league.cli.output import console
from league.cli.overrides import Overrides
from league.config.load import load, with_overrides
from league.config.run import RunConfig
from league.run.folders import RUNS, beside, new_run, run_option
from league.storage.store import FILE


def run_league(
    config: str | None,
    run: str | None,
    overrides: Overrides,
    *,
    new: bool,
    plain: bool,
    retune: bool,
    accept_changes: bool,
) -> int:
    """`league run`. Returns the exit code: 0, or 130 after an interrupt."""
    named = _run_folder(config, run, overrides.game)
    folder = beside(named) if new else named
    settings = _settings(config, named, overrides, new, named_by_user=run is not None)
    from league.orchestrator import League
    from league.views.console import LiveConsole
    from league.views.plain import PlainConsole
    from league.views.tensorboard import TensorBoard

    out = console()
    # Created before the run, so that a missing package does not leave a new folder behind.
    listeners = [TensorBoard(folder)] if settings.tensorboard else []
    with League(settings, folder, listeners, retune, accept_changes) as league, ExitStack() as screen:
        live = out.is_interactive and not plain
        league.bus.add(screen.enter_context(LiveConsole(out)) if live else PlainConsole(sys.stdout))
        with _interruptible(league.interrupt):
            reason = league.run()
        screen.close()
        roles = [role.name for role in league.roster.spec.roles]
        known = "best" if all(league.roster.ranking.best(role) for role in roles) else "latest"
        more = _longer_budget(settings, league.round_number, league.steps)
        _print_next_steps(out, folder, reason, more=more, roles=roles, known=known)
    return 130 if reason == "interrupt" else 0


def _settings(config: str | None, folder: Path, overrides: Overrides, new: bool, named_by_user: bool) -> RunConfig:
    """The named config; without one, that of the run that goes on, or that a new one is begun beside.

    folder: of that run, if it is there. named_by_user: whether the user named it by --run.
    """
    assignments = overrides.assignments()
    beside_it = new and named_by_user and overrides.game is None
    if config is None and (folder / FILE).is_file() and (not new or beside_it):
        from league.storage.store import Store

        # Opened for writing to go on: only a writer may migrate the database of an older run.
        with Store.reader(folder) if new else Store.open(folder) as store:
            return with_overrides(store.config(), assignments, str(folder))
    return load(config, assignments)


def _run_folder(config: str | None, run: str | None, game: str | None) -> Path:
    """The run's folder: as named, else runs/<config stem>."""
    # A file's folder is not part of the name.
    called = Path(game).name if game and ".py:" in game else game
    stem = Path(config).stem if config else re.sub(r"[^A-Za-z0-9_-]+", "-", called) if called else "default"
    return new_run(run) if run else RUNS / stem


@contextmanager
def _interruptible(interrupt: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) calls `interrupt`, the second raises KeyboardInterrupt."""
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        interrupt()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _longer_budget(settings: RunConfig, rounds: int, steps: int) -> str:
    """The option that doubles the exhausted budget of rounds or steps; empty if neither is exhausted."""
    budget = settings.budget
    if budget.rounds is not None and rounds >= budget.rounds:
        return f" --rounds {2 * rounds}"
    if budget.steps is not None and steps >= budget.steps:
        return f" --steps {2 * steps}"
    return ""


def _print_next_steps(out: Console, folder: Path, reason: str, more: str, roles: Sequence[str], known: str) -> None:
    """known: "best", or "latest" before any snapshot is rated."""
    option = run_option(folder)
    stopped = "Interrupted: nothing committed is lost." if reason == "interrupt" else "The budget is reached."
    lines = [f"{stopped} The run is in {folder}.", "Next:"]
    lines.append(f"  league run{option}{more}    goes on with it")
    lines.append(f"  league standings{option}")
    by_role = [f"{roles[0]}={policy}" for policy in (known, "random")]
    rivals = f"{known} random" if len(roles) == 1 else shlex.join(by_role)
    lines.append(f"  league match {rivals}{option}")
    lines.append(f"  league export {known} --out champion{option}")
    for line in lines:
        out.print(Text(line), soft_wrap=True)
