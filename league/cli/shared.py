"""Helpers shared by commands: finding and opening runs, their games, a progress bar."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from league.cli.output import console
from league.run import code
from league.run.folders import find_run, require_run, run_option
from league.storage.store import Store
from league.views.text import clean

if TYPE_CHECKING:
    from league.api import Run
    from league.games.core import Game
    from league.run.roster.roster import Roster


def found_run(run: str | None, quiet: bool = False) -> Path:
    """The folder of the named run; by default the newest, whose name is printed on stderr unless `quiet`.

    Raises RunError if there is no such run.
    """
    folder = find_run(run)
    if run is None and not quiet:
        print(f"run: {folder}", file=sys.stderr)
    return folder


@dataclass(frozen=True, slots=True)
class Opened:
    """What a command plays. texts: the policies. folder: of the run; None if the policies alone say what is played.

    config: of the run, or one with only the game.
    """

    texts: tuple[str, ...]
    config: Mapping[str, Any]
    roster: Roster
    folder: Path | None
    game: str | None

    @property
    def option(self) -> str:
        """The option of commands to come that names the same run or game, wherever they are typed."""
        if self.folder is not None:
            return run_option(self.folder)
        return "" if self.game is None else f" --game {shlex.quote(self.game)}"

    def make(self, slots: int) -> Game:
        """The game."""
        return game_maker(self.config)(slots)


@contextmanager
def opened_context(run: str | None, texts: Sequence[str], game: str | None = None) -> Iterator[Opened]:
    """What the policies play, and the run that the words among them are of, open for reading."""
    from league.run.context import context_of
    from league.run.roster.lookup import open_roster
    from league.run.roster.roster import Roster

    found = context_of(run, texts, game)
    if found.newest:
        print(f"run: {found.run}", file=sys.stderr)
    with ExitStack() as stack:
        store = None if found.run is None else stack.enter_context(Store.reader(found.run))
        if store is not None:
            require_run(store)
            warn_of_changes(store)
            code.own_game(store)
        config = found.config(store)
        one = game_maker(config)(1)
        one.close()
        if store is not None:
            roster = open_roster(store, one.spec)
        else:
            roster = Roster(one.spec, Path(), stand_ins=found.stand_ins([role.name for role in one.spec.roles]))
        yield Opened(found.texts, config, roster, found.run, game)


@contextmanager
def opened_run(run: str | None) -> Iterator[Run]:
    """The named run, open for reading. What it should be known of the user's code is printed on stderr."""
    from league.api import open_run

    with open_run(found_run(run)) as opened:
        warn_of_changes(opened.store)
        yield opened


@contextmanager
def reading(run: str | None, quiet: bool = False) -> Iterator[Store]:
    """The database of the named run, open for reading. quiet: print neither the newest run's name nor warnings."""
    with Store.reader(found_run(run, quiet)) as store:
        if not quiet:
            warn_of_changes(store)
            for text in code.accepted(store):
                print(f"note: {clean(text)}", file=sys.stderr)
        yield store


def warn_of_changes(store: Store) -> None:
    """Print on stderr what a reader of the run should know about the user's code."""
    for text in code.warnings(store):
        print(f"warning: {clean(text)}", file=sys.stderr)


def game_maker(config: Mapping[str, object]) -> Callable[[int], Game]:
    """A function that creates the game of a run's config on the CPU, given the number of slots."""
    from league.config.load import from_dict
    from league.games.registry import make
    from league.threads import usable_cores

    game = from_dict(config).game
    # One slot needs no worker processes, and native games never need any.
    return lambda slots: make(game.id, slots, "cpu", game.make_options, usable_cores() if slots > 1 else 0)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float], None]]:
    """Yields a function that takes the fraction done and, on a terminal, shows it on stderr as a bar with an ETA."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    err = console(stderr=True)
    if not err.is_terminal:
        yield lambda fraction: None
        return
    with Progress(
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)
