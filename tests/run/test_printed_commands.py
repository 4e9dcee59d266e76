"""Every command that league prints is run, in the state in which it is printed, but from another working folder.

`PRINTED` lists them all, each with what brings it about; a command that is printed and not listed fails the first test.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import chdir
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from boards import BOARD
from running import Called, league

from league.cli import app
from league.errors import ConfigError
from league.matchmaking.core import make_matchmaker
from league.records import MatchResult, PolicyId
from league.storage.store import Store

ROOT = Path(__file__).parents[2] / "league"
COMMANDS = sorted(name for name in app if not name.startswith("-"))

SMALL = (
    *("--set", "algorithm.slots=16", "--set", "algorithm.turns=16", "--set", "network.actor=[16]"),
    *("--set", "network.critic=[16]", "--set", "population.snapshot_every=1", "--set", "threads=1"),
)


class Advice(NamedTuple):
    """A command as the source has it, with `{}` for what is filled in: file, text."""

    file: str
    text: str


class State(NamedTuple):
    """A folder in which commands are called, and one elsewhere, without runs, in which what they print is run."""

    here: Path
    elsewhere: Path

    def call(self, *args: str | Path) -> Called:
        with chdir(self.here):
            return league(*args)


Told = Callable[[State], Called]


# What brings commands about.


def kuhn(state: State, *args: str | Path) -> Called:
    return state.call("run", "--game", "kuhn", "--run", "a run", "--rounds", "2", *SMALL, "--seed", "1", *args)


def after(*args: str) -> Told:
    """A command about a finished run of Kuhn poker."""

    def told(state: State) -> Called:
        assert kuhn(state).code == 0
        return state.call(*args)

    return told


def said(*args: str) -> Told:
    """A command that needs nothing."""
    return lambda state: state.call(*args)


def credit(state: State) -> Called:
    args = ("--set", "game.options={max_cycles=3}")
    assert state.call("run", "--game", "spread", "--run", "t", "--rounds", "1", *SMALL, *args).code == 0
    return state.call("credit", "agent_0=latest", "--games", "4", "--baseline", "latest@t")


def doubtful_cycle(state: State) -> Called:
    """Seven snapshots, of which each beats the three after it, in too few games."""
    assert state.call("run", "--game", "rps", "--run", "a run", "--rounds", "6", *SMALL, "--seed", "1").code == 0
    with Store.open(state.here / "runs" / "a run") as store, store.transaction():
        ids = [one.id for one in store.snapshots() if one.origin != "anchor"]
        pairs = [(k, (k + step) % len(ids)) for k in range(len(ids)) for step in (1, 2, 3)]
        store.put_results([_beats(ids[one], ids[other]) for one, other in pairs])
    assert state.call("rate").code == 0
    return state.call("payoff", "--cycles")


def _beats(one: PolicyId, other: PolicyId) -> MatchResult:
    zeros = (0.0, 0.0)
    return MatchResult(
        lineup=((one,), (other,)),
        games=40,
        placements={(0, 1): 31, (1, 0): 9},
        score_sum=zeros,
        score_sq=zeros,
        episodes=40,
        turns=40,
        seed=0,
    )


def damaged_checkpoint(state: State) -> Called:
    assert kuhn(state).code == 0
    for file in (state.here / "runs" / "a run" / "checkpoints").iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    return state.call("run", "--run", "a run", "--rounds", "4", "--plain")


def changed_board(state: State) -> Called:
    file = state.here / "board.py"
    file.write_text(BOARD)
    assert state.call("run", "--game", f"{file}:Board", "--run", "b", "--rounds", "1", *SMALL).code == 0
    file.write_text(BOARD.replace("SQUARES = 3", "SQUARES = 10"))
    return state.call("run", "--run", "b", "--rounds", "2", "--plain")


def moved_board(state: State) -> Called:
    """The file of a run's game has moved to where `_filled` says."""
    file = state.here / "board.py"
    file.write_text(BOARD)
    assert state.call("run", "--game", f"{file}:Board", "--run", "b", "--rounds", "1", *SMALL).code == 0
    (state.here / "moved").mkdir()
    file.rename(state.here / "moved" / "board.py")
    return state.call("run", "--run", "b", "--rounds", "2", "--plain")


def old_run(state: State) -> Called:
    """A run of a version whose tables lacked what is now there."""
    assert kuhn(state).code == 0
    with sqlite3.connect(state.here / "runs" / "a run" / "league.db") as database:
        database.execute("DROP TABLE guests")
        database.execute("DELETE FROM _sqlite_migrations WHERE name = 'm004_guests'")
    return state.call("standings", "--run", "a run")


def unknown_matchmaker(state: State) -> Called:
    """A config says it otherwise; this is what the Python API says."""
    with pytest.raises(ConfigError) as refused:
        make_matchmaker("pfps", {})
    return Called(2, "", str(refused.value))


def no_tournament(state: State) -> Called:
    assert kuhn(state).code == 0
    assert state.call("tournament", "random", "latest", "--out", "the cup", "--games", "4").code == 0
    return state.call("standings", "--run", "the cup")


def failing_check(state: State) -> Called:
    (state.here / "board.py").write_text(
        BOARD.replace("return np.resize(self.taken,", "return np.resize(self.taken + 2,")
    )
    called = state.call("check", "board.py:Board", "--seconds", "0", "--steps", "0")
    # It is to be tried again once it is fixed.
    (state.here / "board.py").write_text(BOARD)
    return called


def bad_observation(state: State) -> Called:
    (state.here / "board.py").write_text(
        BOARD.replace("return np.resize(self.taken,", "return np.resize(self.taken * np.nan,")
    )
    return state.call("run", "--game", "board.py:Board", *SHORT)


def flat_check(state: State) -> Called:
    return state.call("check", "rps", "--seconds", "0.1", "--steps", "1000", "--set", "algorithm.slots=16")


def bench(*args: str) -> Told:
    return said("bench", "--game", "kuhn", "--only", "inference", *SMALL, *args)


MATRIX = ("--game", "matrix", "--set", "game.options={payoff=[[3, 0, 1], [1, 2, 1]]}")
QUICK = ("--quick", "--only", "inference")
SHORT = ("--rounds", "1", "--plain", *SMALL)

PRINTED: dict[Advice, tuple[Told, tuple[str, ...]]] = {
    Advice("cli/training.py", "league run{}{}"): (kuhn, ("--plain",)),
    Advice("cli/training.py", "league standings{}"): (kuhn, ()),
    Advice("cli/training.py", "league match {}{}"): (kuhn, ()),
    Advice("cli/training.py", "league export {} --out champion{}"): (kuhn, ()),
    Advice("cli/exporting.py", "league match {}{}"): (after("export", "latest", "--out", "the champion"), ()),
    Advice("cli/exploiting.py", "league exploit {}{}"): (after("exploit", "latest"), ()),
    Advice("cli/playing.py", "league credit {}{}"): (credit, ("--games", "4")),
    Advice("cli/playing.py", "league standings{}"): (credit, ()),
    Advice("cli/payoffs.py", "league payoff {} --cycles --games 1000{}"): (doubtful_cycle, ()),
    Advice("cli/readers.py", "league run"): (said("runs"), SHORT),
    Advice("cli/docs.py", "league docs TOPIC"): (said("docs"), ()),
    Advice("cli/checking.py", "league run --game GAME --run NAME"): (said("games"), SHORT),
    Advice("cli/checking.py", "league games --try --only TEXT"): (said("games", "--only", "kuhn"), ()),
    Advice("cli/checking.py", "league check GAME"): (said("games", "--try", "--only", "two_step"), ("--seconds", "0")),
    Advice("views/check_table.py", "league check {}"): (failing_check, ("--seconds", "0", "--steps", "0")),
    Advice("views/check_table.py", "league check {} --json"): (flat_check, ("--seconds", "0")),
    Advice("views/check_table.py", "league check {} --seconds 120"): (flat_check, ("--seconds", "1")),
    Advice("views/check_table.py", "league run --game {} --steps {}"): (flat_check, ("--plain",)),
    Advice("views/bench_table.py", "league bench{}"): (bench("--quick"), QUICK),
    Advice("views/bench_table.py", "league bench{} --json > bench.json"): (bench("--quick"), QUICK),
    Advice("views/bench_table.py", "league bench{} --compare bench.json"): (bench("--quick"), QUICK),
    Advice("orchestrator.py", "league run --new{} --set {}"): (damaged_checkpoint, ("--plain",)),
    Advice("run/open.py", "league run --new{}"): (changed_board, ("--plain",)),
    Advice("run/open.py", "league docs storage"): (after("run", "--run", "a run", "--seed", "2"), ()),
    Advice("run/code.py", "league run --run {} {} --rounds {}"): (moved_board, ("--plain",)),
    Advice("run/folders.py", "league run"): (said("standings"), SHORT),
    Advice("run/folders.py", "league tournament --out {}"): (no_tournament, ()),
    Advice("storage/store.py", "league rate --run {}"): (old_run, ()),
    Advice("views/metrics_table.py", "league metrics --signs"): (after("metrics"), ()),
    Advice("games/pettingzoo/reader.py", "league check GAME"): (bad_observation, ("--seconds", "0")),
    Advice("games/registry.py", "league games"): (said("check", "connect_for"), ()),
    Advice("games/registry.py", "league docs your_own_game"): (said("check", "connect_for"), ()),
    Advice("matchmaking/core.py", "league docs matchmaking"): (unknown_matchmaker, ()),
    Advice("config/explain.py", "league docs configuration"): (said("config", "--set", "network.qqqq=1"), ()),
    Advice("cli/__init__.py", "league --help"): (said("nothing"), ()),
    Advice("cli/options.py", "league docs"): (said("--help"), ()),
    Advice("cli/options.py", "league docs tutorial"): (said("--help"), ()),
    Advice("views/pages.py", "league docs {}"): (said("docs", "commands"), ()),
    Advice("run/exploitability.py", "league exploit best --train 10 --run RUN"): (
        said("run", "--game", "blotto", "--set", "game.options={troops=60}", "--set", "rating.exploitability_every=1"),
        ("--train-steps", "300", "--train", "1", "--games", "8"),
    ),
    Advice("run/exploitability.py", "league exploit --every --run RUN"): (
        said("run", *MATRIX, "--set", "rating.exploitability_every=1"),
        (),
    ),
}
"""By command: what prints it, and options that make it shorter."""

UNPROVOKED = {
    Advice("views/goodness_text.py", "league predict POLICY POLICY"): "league predict latest@{run} random@{run}",
    Advice("views/bench_table.py", "league run{} --set algorithm.precision=bfloat16"): (
        "league run --game kuhn --set algorithm.precision=bfloat16"
    ),
    Advice("views/bench_table.py", "league run{}"): "league run --game kuhn",
}
"""What is only printed on some machines, or of ledgers that take hours, as it is printed there."""

MENTIONED = {
    f"league {name}" for name in ("check", "docs", "export", "games", "probe", "rate", "run", "run --game", "standings")
}
"""Commands that are only mentioned, as in help and in headings."""

NOT_COMMANDS = {
    Advice("studies/bench/measure.py", "league bench measures algorithms that learn from their latest rollout"),
    Advice("studies/bench/rating_probes.py", "league standings"),
    Advice("studies/bench/bench_report.py", "league bench"),
    Advice("studies/bench/probe.py", "league bench"),
    Advice("studies/game_trials.py", "league games --try"),
}
"""Names of measurements and reports, and sentences about league."""


def printed() -> Iterator[Advice]:
    """Every command in the text of the source that is not its own documentation."""
    command = re.compile(rf"\bleague (?:(?:{'|'.join(COMMANDS)})\b|--help)[^`\n,;:)]*?(?=`|  |\n|,|;|:|\)|\. |$)")
    for path in sorted(ROOT.rglob("*.py")):
        for text in _texts(ast.parse(path.read_text())):
            # A group of a regular expression is filled in, too.
            for found in command.findall(re.sub(r"\\\d", "{}", text)):
                yield Advice(str(path.relative_to(ROOT)), found.strip().rstrip("."))


def _texts(tree: ast.AST) -> Iterator[str]:
    """The strings of a module; what is filled into them is `{}`."""
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner | documentation:
            yield node.value


def test_every_printed_command_is_listed() -> None:
    known = PRINTED.keys() | UNPROVOKED.keys() | NOT_COMMANDS
    found = set(printed())
    assert sorted(one for one in found - known if one.text not in MENTIONED) == [], "printed, and not tried here"
    assert sorted(known - found) == [], "listed here, and printed no more"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """Two folders with blanks in their names."""
    found = State(tmp_path / "some where", tmp_path / "else where")
    for folder in found:
        folder.mkdir()
    yield found
    for folder in found:
        shutil.rmtree(folder)


@pytest.mark.parametrize("advice", PRINTED, ids=" ".join)
def test_what_is_printed_can_be_done_from_another_folder(advice: Advice, state: State) -> None:
    told, shorter = PRINTED[advice]
    called = told(state)
    pattern = re.escape(advice.text).replace(r"\{\}", "(?:.*?)")
    output = called.out + called.err
    found = re.search(rf"{pattern}(?=`|  |\n|,|;|\. |\)|$)", output)
    assert found, output
    _run(_filled(found[0], state), shorter, state)


@pytest.mark.parametrize("advice", UNPROVOKED, ids=" ".join)
def test_what_is_rarely_printed_can_be_done(advice: Advice, state: State) -> None:
    assert kuhn(state).code == 0
    command = UNPROVOKED[advice].replace("{run}", shlex.quote(f"{state.here}/runs/a run"))
    _run(command, SHORT if command.startswith("league run") else (), state)


@pytest.mark.parametrize("command", sorted(MENTIONED))
def test_what_is_mentioned_is_there(command: str) -> None:
    assert league(*command.split()[1:2], "--help").code == 0


def _filled(command: str, state: State) -> str:
    """The command with what is left to the user filled in."""
    if re.search(r"\bRUN\b", command):
        game = MATRIX if "--every" in command else ("--game", "kuhn")
        assert state.call("run", *game, "--run", "r", "--rounds", "1", *SMALL).code == 0
    words = {"GAME": "kuhn", "NAME": "mine", "TEXT": "kuhn", "TOPIC": "tutorial"}
    words["NEW_FOLDER"] = shlex.quote(f"{state.here}/moved")
    words["RUN"] = shlex.quote(f"{state.here}/runs/r")
    return re.sub(r"\b(?:GAME|NAME|TEXT|TOPIC|NEW_FOLDER|RUN)\b", lambda word: words[word[0]], command)


def _run(command: str, shorter: tuple[str, ...], state: State) -> None:
    """Run a command elsewhere. shorter: options that take the place of its own."""
    words, _, file = command.partition(" > ")
    given = shlex.split(words)[1:]
    for option, *value in _options(shorter):
        if option in given and option != "--set":
            at = given.index(option)
            given[at : at + 1 + len(value)] = []
        given += [option, *value]
    with chdir(state.elsewhere):
        if "--compare" in given:
            before = [word for word in given if word not in ("--compare", "bench.json")]
            Path("bench.json").write_text(league(*before, "--json").out)
        called = league(*given)
        assert called.code == 0, f"{shlex.join(given)}\n{called.err}"
        if file:
            Path(file).write_text(called.out)


def _options(words: tuple[str, ...]) -> Iterator[list[str]]:
    """Options, each with its value if it has one."""
    starts = [number for number, word in enumerate(words) if word.startswith("--")] + [len(words)]
    return (list(words[start:end]) for start, end in pairwise(starts))
