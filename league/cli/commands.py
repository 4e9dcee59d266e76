"""What the command line calls: open what is named, ask the rooms below, print with the views."""

from __future__ import annotations

import json
import math
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from league.cli.readers import found_run, print_json
from league.config.compare import differences
from league.config.explain import show
from league.config.load import assigned, from_dict, load, resolve_sources, to_dict
from league.config.run import RunConfig
from league.errors import ConfigError
from league.run.folders import RUNS, beside, find_run, new_run
from league.views import tables
from league.views.text import clean

if TYPE_CHECKING:
    from league.api import Run
    from league.games.core import Game
    from league.studies.credit import Question


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line of `league run` changes in the config."""

    game: str | None = None
    seed: int | None = None
    set: tuple[str, ...] = ()
    rounds: int | None = None
    steps: int | None = None
    minutes: float | None = None
    device: str | None = None

    def assignments(self) -> list[str]:
        """As KEY=VALUE. A budget named here replaces the config's budgets."""
        found = [f"game.id={json.dumps(self.game, ensure_ascii=False)}"] if self.game else []
        found += list(self.set)
        budget = {"rounds": self.rounds, "steps": self.steps, "minutes": self.minutes}
        if any(value is not None for value in budget.values()):
            found += [f"budget.{key}={'none' if value is None else value}" for key, value in budget.items()]
        found += [f"seed={self.seed}"] if self.seed is not None else []
        return found + ([f"device={json.dumps(self.device)}"] if self.device else [])


def run_league(config: str | None, run: str | None, overrides: Overrides, new: bool, plain: bool, retune: bool) -> int:
    """`league run`. Returns the exit code: 0, or 130 after an interrupt."""
    folder = _run_folder(config, run, overrides.game, new)
    going_on = (folder / "league.db").is_file()
    settings = _settings(config, folder, overrides, going_on)
    from league.orchestrator import League
    from league.views.console import LiveConsole
    from league.views.plain import PlainConsole
    from league.views.tensorboard import TensorBoard

    out = Console(highlight=False)
    # Made first: a package that is missing must not leave a run behind.
    listeners = [TensorBoard(folder)] if settings.tensorboard else []
    with League(settings, folder, listeners, retune) as league, ExitStack() as screen:
        live = out.is_interactive and not plain
        league.bus.add(screen.enter_context(LiveConsole(out)) if live else PlainConsole(sys.stdout))
        with _interruptible(league.interrupt):
            reason = league.run()
        screen.close()
        roles = [role.name for role in league.roster.spec.roles]
        known = "best" if all(league.roster.ranking.best(role) for role in roles) else "latest"
        _say_what_next(out, folder, reason, _more(settings, league.round_number, league.steps), roles, known)
    return 130 if reason == "interrupt" else 0


def play_match(
    run: str | None, policies: Sequence[str], games: int, seed: int, temperature: float, show: bool, as_json: bool
) -> None:
    """`league match`."""
    from league.studies.match import match
    from league.studies.match import show as show_game

    if not (games >= 1 and 0 <= temperature < math.inf and 0 <= seed < 2**63):
        raise ConfigError(
            "a match needs at least one game, a finite temperature of 0 or more and a seed from 0 to 2**63 - 1, "
            f"not --games {games} --temperature {temperature} --seed {seed}"
        )
    if not policies:
        raise ConfigError("name the policies to play, such as `league match best random`")
    with _opened(run) as opened:
        make = _maker(opened.config)
        if show:
            for frame in show_game(make, opened.roster, policies, seed, temperature):
                print(frame, end="\n\n", file=sys.stderr if as_json else sys.stdout)
        with _progress("playing") as tick:
            report = match(make, opened.roster, policies, games, seed, temperature, tick)
    if as_json:
        print_json(asdict(report))
    else:
        Console(highlight=False).print(tables.match_table(report))


def show_payoff(run: str | None, policies: Sequence[str], games: int, seed: int, size: int, as_json: bool) -> None:
    """`league payoff`: of the ledger, or of games that are played for it."""
    from league.studies import payoff
    from league.views.payoff_table import payoff_table

    if not (games >= 1 and size >= 2 and 0 <= seed < 2**63):
        raise ConfigError(
            "a payoff table needs at least one game a cell, a size of 2 or more and a seed from 0 to 2**63 - 1, "
            f"not --games {games} --size {size} --seed {seed}"
        )
    with _opened(run) as opened:
        if policies:
            from league.studies.head_to_head import head_to_head

            with _progress("playing") as tick:
                report = head_to_head(_maker(opened.config), opened.roster, policies, games, seed, tick)
        else:
            report = payoff.from_ledger(opened.ranking, size)
    if as_json:
        print_json(asdict(report))
    else:
        Console(highlight=False).print(payoff_table(report))


def show_credit(run: str | None, asked: Question, as_json: bool) -> None:
    """`league credit`."""
    from league.studies.credit import credit
    from league.views.credit_table import again, credit_table

    with _opened(run) as opened, _progress("playing") as tick:
        report = credit(_maker(opened.config), opened.roster, asked, tick)
    if as_json:
        print_json(asdict(report))
        return
    out = Console(highlight=False)
    out.print(credit_table(report))
    option = "" if run is None else f" --run {shlex.quote(run)}"
    for line in (
        "Next:",
        f"  league credit {again(asked, 4 * asked.games)}{option}    halves the intervals",
        f"  league standings{option}",
    ):
        out.print(Text(clean(line)), soft_wrap=True)


def show_exploitability(run: str | None, policies: Sequence[str], every: bool, mixture: bool, as_json: bool) -> None:
    """`league exploit`."""
    from league.studies.exploit import exploit
    from league.views.exploit_table import exploit_table

    if every and policies:
        raise ConfigError(f"--every judges all snapshots of the run: name none beside it, not {' '.join(policies)}")
    with _opened(run) as opened, _progress("traversing") as tick:
        report = exploit(_maker(opened.config), opened.roster, policies or ("best",), every, mixture, tick)
    if as_json:
        print_json(asdict(report))
        return
    out, option = Console(highlight=False), f" --run {shlex.quote(run)}" if run else ""
    out.print(exploit_table(report))
    said = " ".join(["--every"] * every + ["--mixture"] * mixture)
    others = [flags for flags in ("--every", "--every --mixture") if flags != said]
    out.print(Text(f"Next: {', '.join(f'league exploit {flags}{option}' for flags in others)}", "dim"), soft_wrap=True)


def export_policy(run: str | None, policy: str, out: Path, as_json: bool) -> None:
    """`league export`."""
    from league.studies.export import export

    with _opened(run) as opened:
        written = export(opened, policy, out)
    if as_json:
        print_json({"folder": str(written.folder), "policies": {s.id: str(path) for s, path in written.policies}})
        return
    for snapshot, path in written.policies:
        print(f"{snapshot.name} ({snapshot.short}) is in {path}")
    folder = shlex.quote(str(out) if "/" in str(out) else f"./{out}")
    several = len(written.policies) > 1
    role = written.policies[0][0].role
    rivals = f"{role}={folder} {role}=random" if several else f"{folder} random"
    argument = f", role={role!r}" if several else ""
    print(f"Next: league match {rivals}    or, in Python: league.load_policy({str(out)!r}{argument})")


def run_bench(
    config: str | None, overrides: Overrides, quick: bool, only: str | None, compare: Path | None, as_json: bool
) -> None:
    """`league bench`."""
    settings = load(config, overrides.assignments())
    from league.studies.bench import report as reports
    from league.studies.bench.measure import bench
    from league.views.bench_table import bench_table

    # Before the minutes that it takes, not after.
    old = None if compare is None else reports.read(compare)
    names = [name.strip() for name in (only or "").split(",") if name.strip()]
    with _progress("measuring") as tick:
        found = bench(settings, quick, names, tick)
    changes = None if old is None else reports.compare(found, old, str(compare))
    if as_json:
        print_json(found.to_dict() | ({} if changes is None else {"comparison": asdict(changes)}))
    else:
        Console(highlight=False).print(bench_table(found, changes))


def run_check(overrides: Overrides, seconds: float, steps: int, as_json: bool) -> int:
    """`league check`. Returns the exit code: 0, or 1 where there is an error."""
    if not (0 <= seconds < math.inf and steps >= 0):
        raise ConfigError(f"a check needs --seconds and --steps of 0 or more, not {seconds:g} and {steps}")
    game, *others = overrides.assignments()
    settings = load(None, [game, *others])
    from league.studies.check.checking import check
    from league.studies.check.learning import SETTINGS
    from league.views.check_table import check_table

    with _progress("checking") as tick:
        found = check(load(None, [game, *SETTINGS, *others]), settings, seconds, steps, tick)
    if as_json:
        print_json(found.to_dict())
    else:
        # Commands to copy may be longer than a line.
        Console(highlight=False).print(check_table(found), crop=False)
    return 0 if found.passed else 1


def list_games(attempt: bool, only: str | None, as_json: bool) -> None:
    """`league games`."""
    from league.games.catalogue import catalogue

    if attempt:
        return _try_games([part.strip() for part in (only or "").split(",") if part.strip()], as_json)
    if only is not None:
        raise ConfigError("--only chooses what --try tries: league games --try --only TEXT")
    found = catalogue()
    if as_json:
        print_json([one._asdict() for one in found])
        return
    out = Console(highlight=False)
    out.print(tables.games_table(found))
    out.print(
        Text("\nYour own: package.module:Name or file.py:Name. Next: league run --game GAME --run NAME", "dim"),
        soft_wrap=True,
    )


def _try_games(only: Sequence[str], as_json: bool) -> None:
    from league.studies.survey import candidates, survey
    from league.views.survey_table import survey_table

    with _progress("trying games") as tick:
        found = survey(candidates(only), tick=tick)
    if as_json:
        print_json([one.to_dict() for one in found])
        return
    out = Console(highlight=False)
    out.print(survey_table(found))
    failed = sum(bool(one.fault) for one in found)
    told = f"{len(found) - failed} of {len(found)} games ran" if failed else f"all {len(found)} games ran"
    out.print(Text(f"\n{told}. Next: league check GAME, league run --game GAME --run NAME", "dim"), soft_wrap=True)


def show_config(path: str | None, overrides: Overrides, diff: str | None, as_json: bool) -> None:
    """`league config`."""
    assignments = overrides.assignments()
    resolved = resolve_sources(path, assignments)
    if diff is not None:
        from league.storage.store import Store

        with Store.reader(find_run(diff)) as store:
            rows = differences(store.config(), to_dict(load(path, assignments)))
        if as_json:
            print_json([row._asdict() for row in rows])
            return
        for row in rows:
            print(f"{row.key}: {show(row.old)} in {diff}, {show(row.new)} here")
        if not rows:
            print(f"No setting differs from {diff}'s.")
        return
    if as_json:
        print_json({row.key: {"value": row.value, "source": row.source} for row in resolved})
    else:
        Console(highlight=False).print(tables.config_table(resolved))


def _settings(config: str | None, folder: Path, overrides: Overrides, going_on: bool) -> RunConfig:
    """The config of a new run, or of one that goes on: its own where none is named."""
    assignments = overrides.assignments()
    if going_on and config is None:
        from league.storage.store import Store

        # Not as a reader: only its writer may bring an older run up to date, and that is what this call will be.
        with Store.open(folder) as store:
            return assigned(store.config(), assignments, str(folder))
    return load(config, assignments)


def _run_folder(config: str | None, run: str | None, game: str | None, new: bool) -> Path:
    """Where a run lives: as named, or runs/<config stem>; with --new, the first free name beside it."""
    stem = Path(config).stem if config else re.sub(r"[^A-Za-z0-9_-]+", "-", game) if game else "default"
    folder = new_run(run) if run else RUNS / stem
    return beside(folder) if new else folder


@contextmanager
def _interruptible(interrupt: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) asks to stop, the second stops at once."""
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


def _more(settings: RunConfig, rounds: int, steps: int) -> str:
    """The option with which a run whose total of rounds or steps is reached would go on for as long again."""
    budget = settings.budget
    if budget.rounds is not None and rounds >= budget.rounds:
        return f" --rounds {2 * rounds}"
    if budget.steps is not None and steps >= budget.steps:
        return f" --steps {2 * steps}"
    return ""


def _say_what_next(out: Console, folder: Path, reason: str, more: str, roles: Sequence[str], known: str) -> None:
    """known: `best`, or `latest` before anybody is rated."""
    name = folder.name if folder.parent == RUNS else str(folder) if "/" in str(folder) else f"./{folder}"
    option = "" if folder == RUNS / "default" else f" --run {shlex.quote(name)}"
    stopped = "Interrupted: nothing committed is lost." if reason == "interrupt" else "The budget is reached."
    lines = [f"{stopped} The run is in {folder}.", "Next:"]
    lines.append(f"  league run{option}{more}    goes on with it")
    lines.append(f"  league standings{option}")
    rivals = f"{known} random" if len(roles) == 1 else f"{roles[0]}={known} {roles[0]}=random"
    lines.append(f"  league match {rivals}{option}")
    lines.append(f"  league export {known} --out champion{option}")
    for line in lines:
        out.print(Text(line), soft_wrap=True)


@contextmanager
def _opened(run: str | None) -> Iterator[Run]:
    from league.api import open_run

    with open_run(found_run(run)) as opened:
        yield opened


def _maker(config: Mapping[str, object]) -> Callable[[int], Game]:
    from league.games.registry import make
    from league.threads import usable_cores

    game = from_dict(config).game
    # A single game needs no processes beside this one; native games never do.
    return lambda slots: make(game.id, slots, "cpu", game.made_with, usable_cores() if slots > 1 else 0)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    """A bar with an ETA on a terminal's stderr, shown only where the work takes a while."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    err = Console(stderr=True)
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
