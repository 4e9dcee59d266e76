"""Everything that README.md and the pages of league/docs tell the reader to do is done, in order, in one folder."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from reading import BLOCKS, OTHERS, ROOT, STEPS, Step

from league.cli import main
from league.games.registry import NATIVE
from league.learning.algorithms import LEARNERS
from league.learning.settings import ALGORITHMS
from league.matchmaking.core import MATCHMAKERS

pytestmark = pytest.mark.timeout(900)
"""The first test waits until everything is done, which takes minutes on a machine that does other work, too."""

SMALL = (
    "algorithm.slots=8",
    "algorithm.turns=8",
    "population.snapshot_every=1",
    "rating.games_per_match=4",
    "rating.matches_per_snapshot=2",
    "threads=1",
    "workers=0",
)
"""What makes every run end within seconds."""

FOR_EVER = {
    "league standings --watch": "it shows the standings until Ctrl-C",
    "league bench": "it takes minutes; the shorter forms are run",
}
"""Commands that are not run, and why."""

TO_RUN = [step for step in STEPS if step not in OTHERS and step.text not in FOR_EVER]

RUNLESS = ("league check ", "league games --try", "league bench ")
"""Commands that depend on no run: where a page repeats one, it is not run again."""

HEADERS = (
    "# snapshot name field rating games W D L trend",
    "# snapshot name field rating player_0 player_1",
    "team mean score agent_0 agent_1 agent_2",
    "policy mean return",
    "seat policy share of the score own score",
    "opponent games wins draws losses score",
    "metric latest change course",
    "hyperparameter value",
    "key value source",
    "policy round steps exploit. NashConv BR player_0 BR player_1",
    "# policy rating score games W D L",
    "policy round steps sampled most likely",
    "policy steps nearest distance commonest opening share distinct games",
    "config policy cross-play worst case exploitability",
)
"""Of tables whose values differ from run to run."""

REGISTRIES: tuple[dict[str, Any], ...] = (NATIVE, MATCHMAKERS, LEARNERS, ALGORITHMS)
"""What pages add entries to; other tests must not find these."""

WIDTH = 78
"""Columns of the terminal in which what is shown was printed."""


@dataclass(frozen=True)
class Ran:
    """How a step ended: its exit code, and all that it printed."""

    code: int
    output: str


def shortened(command: str, seen: dict[tuple[str, ...], int]) -> list[str]:
    """The arguments of a `league` command; a run's are given a small budget, one that grows where it continues, a
    comparison's a round of one seed, and a best response's a round.

    seen: how often each run was called for, updated in place.
    """
    words = shlex.split(command)[1:]
    if words[0] == "compare":
        small = {"--seeds": "1", "--steps": "1000"}
        return [small.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    if words[0] == "exploit" and {"--train", "--train-steps"} & set(words):
        options = [word.replace("--train-steps", "--train") for word in words]
        small = {"--train": "100", "--games": "20"}
        shorter = [small.get(before, word) for before, word in zip(["", *options], options, strict=False)]
        return [word.replace("--train", "--train-steps") for word in shorter]
    if words[0] != "run":
        return words
    kept: list[str] = []
    left = iter(words)
    for word in left:
        if word in ("--minutes", "--rounds", "--steps"):
            next(left)
        elif word != "--plain":
            kept.append(word)
    run = tuple(kept)
    seen[run] = seen.get(run, 0) + 1
    budget = ["--rounds", str(1 + seen[run]), "--plain"]
    return [*kept, *budget, *(word for setting in SMALL for word in ("--set", setting))]


def run_step(step: Step, seen: dict[tuple[str, ...], int]) -> Ran:
    """Do it here, in the working directory; what it raises is its output, and exit code 1."""
    out, code = io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(out):
        try:
            if step.kind == "file":
                name = step.text.partition("\n")[0].removeprefix("# ")
                Path(name).write_text(step.text, encoding="utf-8")
            elif step.kind == "python":
                exec(compile(step.text, f"{step.file}:{step.line}", "exec"), {"__name__": "__main__"})
            else:
                with patch.object(sys, "argv", ["league", *shortened(step.text, seen)]):
                    main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:
            code = 1
            traceback.print_exc(file=out)
    return Ran(code, out.getvalue())


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Step, Ran]]:
    """Everything, done once and in order, in a folder with configs and tests/data from which Python can import."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copytree(ROOT / "tests" / "data", folder / "tests" / "data")
    with pytest.MonkeyPatch.context() as patched, ExitStack() as stack:
        for registry in REGISTRIES:
            stack.enter_context(patch.dict(registry))
        patched.chdir(folder)
        patched.syspath_prepend(folder)
        patched.setenv("COLUMNS", str(WIDTH))
        seen: dict[tuple[str, ...], int] = {}
        done: dict[Step, Ran] = {}
        for step in TO_RUN:
            before = (found for one, found in done.items() if one.text == step.text and step.text.startswith(RUNLESS))
            done[step] = next(before, None) or run_step(step, seen)
        yield done


@pytest.mark.parametrize("step", TO_RUN, ids=str)
def test_what_a_reader_is_told_to_do_works(step: Step, ran: dict[Step, Ran]) -> None:
    assert ran[step].code == 0, ran[step].output


def test_commands_print_what_is_shown_of_them(ran: dict[Step, Ran]) -> None:
    def printed(command: str, file: str) -> list[str]:
        return [found.output for step, found in ran.items() if (step.text, step.file) == (command, file)]

    (first, _), (again, _) = printed("league run", "README.md"), printed("league run", "tutorial.md")
    assert "begins, until 2 rounds" in first
    assert "goes on" in again
    assert re.search(
        r"\nNext:\n  league run --run (\S+) --rounds 4    goes on with it\n  league standings --run \1\n", first
    )
    (match,) = printed("league match best one-ply --run default --games 200", "commands.md")
    assert re.search(r"^main\.\d against one-ply\nscore  0\.\d{3}   95 % interval 0\.\d{3} to ", match, re.MULTILINE)
    (ledger,) = printed("league payoff --run default", "commands.md")
    assert ledger.startswith("mean result of the row against the column ± 95 % interval\n")
    for file in ("README.md", "commands.md"):
        (alike,) = printed("league styles --run default", file)
        assert alike.startswith("distance of play in hundredths: 0 is the same, 100 has nothing in common\n")
    (shared,) = printed("league credit agent_1=random --run team --games 50", "commands.md")
    assert re.search(r"^agent_1 +random +\+0\.0+ ±0\.0+ ", shared, re.MULTILINE)
    (hunt,) = printed("league payoff adversary.0 adversary.1 agent.0 agent.1 --games 10", "games.md")
    assert "mean score of adversary (rows) against agent (columns) ± 95 % interval" in hunt
    (mixed,) = printed("league match best main.0 --run partners --games 20", "games.md")
    assert re.search(r"^main\.\d among main\.\d ", mixed, re.MULTILINE)
    (game,) = printed("league match best random --run nim --games 100 --show", "your_own_game.md")
    assert "\n15 stones, player_0 to move\n" in f"\n{game}"
    (exported,) = printed("league export best --run default --out champion", "commands.md")
    assert re.search(
        r"\nNext: league match (\S+/champion) random    or, in Python: league.load_policy\('\1'\)\n$", exported
    )
    (spread,) = printed("league standings", "games.md")
    assert "mean score ± 95 % interval" in spread
    *_, undercut = printed("league standings", "tutorial.md")
    assert "melo ± 95 % interval" in undercut
    (by_share,) = printed("league standings --run default --by share.py:Share", "contributing.md")
    assert by_share.startswith("share.py:Share ± 95 % interval\n")
    assert re.search(r"^ +\d+ +random +anchor +0\.\d+ ±0\.\d+ +\+0\.0", by_share, re.MULTILINE)
    (topics,) = printed("league docs", "commands.md")
    assert topics.startswith("tutorial       From nothing")


def titles(line: str) -> tuple[str, ...]:
    """The titles of a header, as far as they do not depend on how much room the ratings leave."""
    words = line.replace("score as ", "").replace("against the field", "field").split()
    return tuple(word for word in words if word != "games")


@pytest.mark.parametrize("header", HEADERS)
def test_tables_have_the_columns_that_are_shown(header: str, ran: dict[Step, Ran]) -> None:
    shown = {titles(line) for block in BLOCKS if block.language == "text" for line in block.text.splitlines()}
    printed = {titles(line) for found in ran.values() for line in found.output.splitlines()}
    wanted = titles(header)
    # How many columns follow depends on how wide the figures are.
    assert all(any(found[: len(wanted)] == wanted for found in lines) for lines in (shown, printed))


def test_runs_are_listed_with_the_columns_that_are_shown(ran: dict[Step, Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # pages show it without the less important columns
    header, *_ = run_step(Step("command", "league runs", "", 0), {}).output.splitlines()
    (shown,) = (line for block in BLOCKS for line in block.text.splitlines() if line.startswith("run      game "))
    titles = iter(header.split())
    assert all(word in titles for word in shown.split())
