"""README.md and the pages of league/docs against the code: options, settings, links, and the files that they name."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator

import configuration_table
import pytest
from reading import BLOCKS, COMMANDS, OTHERS, PAGES, README, ROOT, TEXTS, Block, Step

from league.cli import app
from league.config.compare import CHANGEABLE_ON_RESUME
from league.docs import pages

LONGEST_README = 250
WIDEST_BLOCK, WIDEST_PROSE = 78, 120
"""Blocks are not broken by a terminal of 80 columns, in which `league docs` indents them by one."""


@pytest.mark.parametrize("step", COMMANDS, ids=str)
def test_every_command_is_understood_as_it_is_written(step: Step) -> None:
    app.parse_args(shlex.split(step.text)[1:], exit_on_error=False, print_error=False)


def test_set_up_lines_are_those_that_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace("--quiet ", "").splitlines()
    readme = {step.text for step in OTHERS if step.file == README.name}
    assert {"pip install -e '.[dev]'", "pytest -n auto --dist loadfile"} <= readme & set(ci)
    assert readme - set(ci) == {"pip install -e .", "pytest -m slow"}


def test_other_commands_are_those_of_ci_or_name_tests_that_are_there() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace("--quiet ", "").splitlines()
    for step in OTHERS:
        program, *words = shlex.split(step.text)
        if step.file == README.name or step.text in ci:
            continue
        assert program in ("pytest", "python"), step
        paths = [ROOT / word.partition("::")[0] for word in words if "/" in word]
        assert paths, step
        assert all(path.exists() for path in paths), step


def test_extras_and_markers_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert any(marker.startswith("slow:") for marker in project["tool"]["pytest"]["ini_options"]["markers"])
    named = {extra for text in TEXTS.values() for extra in re.findall(r"'\.\[(\w+)\]'", text)}
    assert named == set(project["project"]["optional-dependencies"])


@pytest.mark.parametrize("command", sorted(name for name in app if not name.startswith("-")))
def test_every_command_has_a_section_with_all_of_its_options(command: str) -> None:
    text = TEXTS["commands.md"]
    section = re.search(rf"^### league {command}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"commands.md has no section '### league {command}'"
    assert re.search(rf"league {command}\b", section[1])
    # What holds for all commands stands above their sections.
    everywhere = text[: text.index("### league run")]
    for argument in app[command].assemble_argument_collection():
        for option in set(argument.names) - set(argument.negatives):
            if option.startswith("-"):
                shown = re.compile(rf"(?<![\w-]){re.escape(option)}(?![\w-])")
                assert shown.search(section[1]) or shown.search(everywhere), f"league {command} {option}"


def test_options_that_hold_for_the_program_itself_are_there() -> None:
    for option in ("--help", "--version"):
        assert option in list(app)
        assert option in TEXTS["commands.md"]


def test_the_configuration_table_is_that_of_the_code() -> None:
    table = configuration_table.in_code()
    assert configuration_table.on_page() == table, "run: python tests/docs/configuration_table.py"


def test_settings_that_may_differ_when_a_run_continues_are_named() -> None:
    listed = re.search(r"so far: (.*?)\. With any other", TEXTS["storage.md"], re.DOTALL)
    assert listed
    assert set(re.findall(r"`([\w.]+)`", listed[1])) == CHANGEABLE_ON_RESUME


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    text = TEXTS[README.name]
    assert text.count("\n") <= LONGEST_README
    linked = re.findall(r"^\| \[(.+?)\]\(league/docs/(\w+)\.md\)", text, re.MULTILINE)
    assert linked == [(page.title, page.topic) for page in pages()]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_no_block_is_wider_than_a_terminal(block: Block) -> None:
    assert not [line for line in block.text.splitlines() if len(line) > WIDEST_BLOCK]


@pytest.mark.parametrize("file", TEXTS)
def test_prose_is_not_wider_than_code(file: str) -> None:
    prose = [line for line in TEXTS[file].splitlines() if not line.startswith("|")]
    assert not [line for line in prose if len(line) > WIDEST_PROSE]


def links() -> Iterator[tuple[str, str]]:
    """Each link to a place in this repository, with the file that has it."""
    for file, text in TEXTS.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not target.startswith("http"):
                yield file, target


@pytest.mark.parametrize(("file", "target"), sorted(set(links())))
def test_every_link_leads_somewhere(file: str, target: str) -> None:
    here = README if file == README.name else PAGES[file.removesuffix(".md")]
    path, _, section = target.partition("#")
    there = here.parent / path if path else here
    assert there.is_file()
    if section:
        titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
        assert section in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]


def test_every_file_and_folder_that_is_named_is_there() -> None:
    named = re.compile(r"(?<![\w./])((?:league|tests|configs)/[\w/]*[\w/](?:\.\w+)?|\.ci/run|LICENSE)(?![\w{…])")
    for file, text in TEXTS.items():
        for name in named.findall(text):
            assert (ROOT / name).exists(), f"{file} names {name}"


def test_every_module_that_is_named_is_there() -> None:
    for text in TEXTS.values():
        for module, name in re.findall(r"`(league(?:\.\w+)*)\.(\w+)(?:\(.*?\))?`", text):
            if name != "db":
                found = importlib.import_module(module)
                assert hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}"), f"{module}.{name}"
