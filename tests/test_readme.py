"""The README against the code: every command and Python block runs, in order, and every option and setting is there."""

from __future__ import annotations

import importlib
import importlib.util
import io
import re
import shlex
import shutil
import sys
import tomllib
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from league.cli import app, main
from league.config.reference import reference

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

SMALL = (
    "algorithm.slots=8",
    "algorithm.turns=8",
    "population.snapshot_every=1",
    "rating.games_per_match=8",
    "rating.matches_per_snapshot=2",
    "threads=1",
    "workers=0",
)
"""What makes every run of the README end within seconds."""

FOR_EVER = {
    "league standings --watch": "it shows the standings until Ctrl-C",
    "league bench": "it takes minutes; the shorter forms are run",
}
"""Commands that are not run, and why."""

HEADERS = (
    "# snapshot name rating games W D L score trend round steps",
    "# snapshot name rating games score as player_0 score as player_1",
    "team mean score agent_0 agent_1 agent_2",
    "policy mean return",
    "seat policy share of the score own score",
    "opponent games wins draws losses score",
    "metric latest change course",
    "hyperparameter value",
    "run game matchmaking rounds steps snapshots best last written",
    "key value source",
)
"""Of tables whose values differ from run to run."""

WIDEST = 120
BEGIN, END = "<!-- configuration: begin", "<!-- configuration: end -->"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the README on which it begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Step:
    """Something that the README tells the reader to do: a command, a Python block, or a file to write."""

    kind: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line}: {self.text.splitlines()[0]}"


@dataclass(frozen=True)
class Ran:
    """How a step ended: its exit code, and all that it printed."""

    code: int
    output: str


def blocks() -> list[Block]:
    """All fenced blocks, in order."""
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [Block(one[1], one[2], README[: one.start()].count("\n") + 1) for one in found]


def steps() -> list[Step]:
    """What there is to do, in the order in which a reader would."""
    found = []
    for block in blocks():
        if block.language == "bash":
            for offset, line in enumerate(block.text.splitlines(), 1):
                found += [Step("command", part.strip(), block.line + offset) for part in line.split("&&")]
        elif block.language in ("python", "toml"):
            kind = "file" if re.match(r"# \w+\.(py|toml)\n", block.text) else "python"
            found.append(Step(kind, block.text, block.line))
    return found


STEPS = steps()
LEAGUE = [step for step in STEPS if step.kind == "command" and step.text.startswith("league ")]
SETUP = [step for step in STEPS if step.kind == "command" and step not in LEAGUE]


def shortened(command: str, seen: dict[tuple[str, ...], int]) -> list[str]:
    """The arguments of a `league` command; a run's are given a small budget, one that grows where it goes on.

    seen: how often each run was called for, updated in place.
    """
    words = shlex.split(command)[1:]
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
    budget = ["--rounds", str(2 * seen[run]), "--plain"]
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
                exec(compile(step.text, f"README.md:{step.line}", "exec"), {"__name__": "__main__"})
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
    """Everything the README says, done once and in order, in a folder with the configs."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "configs", folder / "configs")
    todo = [step for step in STEPS if step not in SETUP and step.text not in FOR_EVER]
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("COLUMNS", "110")
        seen: dict[tuple[str, ...], int] = {}
        yield {step: run_step(step, seen) for step in todo}


@pytest.mark.parametrize("step", [s for s in STEPS if s not in SETUP and s.text not in FOR_EVER], ids=str)
def test_what_the_readme_says_works(step, ran):
    assert ran[step].code == 0, ran[step].output


@pytest.mark.parametrize("step", LEAGUE, ids=str)
def test_every_command_is_understood_as_it_is_written(step):
    app.parse_args(shlex.split(step.text)[1:], exit_on_error=False, print_error=False)


def test_commands_print_what_the_readme_shows_of_them(ran):
    def printed(command: str) -> list[str]:
        return [found.output for step, found in ran.items() if step.text == command]

    first, again = printed("league run")
    assert "begins, until 2 rounds" in first
    assert "goes on" in again
    assert "\nNext:\n  league run --rounds 4    goes on with it\n  league standings\n" in first
    (match,) = printed("league match best one-ply --run default --games 200")
    assert re.search(r"^main\.\d against one-ply\nscore  0\.\d{3}   95 % interval 0\.\d{3} to ", match, re.MULTILINE)
    (ledger,) = printed("league payoff --run default")
    assert ledger.startswith("mean result of the row against the column ± 95 % interval\n")
    (shared,) = printed("league credit agent_1=random --run team --games 50")
    assert re.search(r"^agent_1 +random +\+0\.0+ ±0\.0+ ", shared, re.MULTILINE)
    (hunt,) = printed("league payoff adversary.0 adversary.1 agent.0 agent.1 --games 10")
    assert "mean score of adversary (rows) against agent (columns) ± 95 % interval" in hunt
    (mixed,) = printed("league match best main.0 --run partners --games 20")
    assert re.search(r"^main\.\d among main\.\d ", mixed, re.MULTILINE)
    (game,) = printed("league match best random --run nim --games 100 --show")
    assert "\n15 stones, player_0 to move\n" in f"\n{game}"
    (exported,) = printed("league export best --run default --out champion")
    assert exported.endswith("Next: league match ./champion random    or, in Python: league.load_policy('champion')\n")
    spread, undercut = printed("league standings")
    assert "mean score ± 95 % interval" in spread
    assert "bradley-terry ± 95 % interval" in undercut


@pytest.mark.parametrize("header", HEADERS)
def test_tables_have_the_columns_that_the_readme_shows(header, ran):
    shown = {tuple(line.split()) for block in blocks() if block.language == "text" for line in block.text.splitlines()}
    printed = {tuple(line.split()) for found in ran.values() for line in found.output.splitlines()}
    assert tuple(header.split()) in shown & printed


def test_set_up_lines_are_those_that_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace("--quiet ", "").splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = [step.text for step in SETUP]
    assert {"pip install -e '.[dev]'", "pytest -n auto --dist loadfile"} <= set(lines) & set(ci)
    others = set(lines) - set(ci)
    assert others == {"pip install -e .", "pytest -m slow"}
    assert any(marker.startswith("slow:") for marker in project["tool"]["pytest"]["ini_options"]["markers"])
    for extra in re.findall(r"'\.\[(\w+)\]'", README):
        assert extra in project["project"]["optional-dependencies"]


@pytest.mark.parametrize("command", sorted(name for name in app if not name.startswith("-")))
def test_every_command_has_a_section_with_all_of_its_options(command):
    section = re.search(rf"^### league {command}\n(.*?)^##", README, re.MULTILINE | re.DOTALL)
    assert section, f"README.md has no section '### league {command}'"
    assert re.search(rf"league {command}\b", section[1])
    # What holds for all commands stands above their sections.
    everywhere = README[README.index("## The commands") : README.index("### league run")]
    for argument in app[command].assemble_argument_collection():
        for option in set(argument.names) - set(argument.negatives):
            if option.startswith("-"):
                shown = re.compile(rf"(?<![\w-]){re.escape(option)}(?![\w-])")
                assert shown.search(section[1]) or shown.search(everywhere), f"league {command} {option}"


def test_options_that_hold_for_the_program_itself_are_there():
    for option in ("--help", "--version"):
        assert option in list(app)
        assert option in README


def reference_table() -> str:
    """The configuration reference as README.md has it."""
    lines = ["| key | value | default | what it does |", "|---|---|---|---|"]
    for entry in reference():
        cells = (f"`{entry.key}`", entry.type, f"`{entry.default}`", entry.doc)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines)


def test_the_configuration_table_is_that_of_the_code():
    start = README.index("\n", README.index(BEGIN)) + 1
    table = README[start : README.index(END)].strip()
    assert table == reference_table(), f"between the markers of README.md must stand:\n\n{reference_table()}\n"


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"line {block.line}")
def test_no_block_is_wider_than_a_page(block):
    wide = [line for line in block.text.splitlines() if len(line) > WIDEST]
    assert not wide


def test_every_file_and_folder_named_in_the_readme_is_there():
    for name in re.findall(r"(?<![\w./])(configs/\w+\.toml|tests/\w+\.py|\.ci/run|LICENSE)\b", README):
        assert (ROOT / name).is_file(), name


def test_every_module_named_in_the_readme_is_there():
    for module, name in re.findall(r"`(league(?:\.\w+)*)\.(\w+)(?:\(.*?\))?`", README):
        if name != "db":
            found = importlib.import_module(module)
            assert hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}"), f"{module}.{name}"
