"""The plan of the house, held: imports point downwards, each library has its room, and importing league is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

LEAGUE = Path(__file__).parents[1] / "league"
FILES = sorted(LEAGUE.rglob("*.py"))

FLOORS = (
    {"errors", "records", "events", "files", "imports", "settings", "plugins", "threads"},
    {"games", "rating", "docs"},
    {"matchmaking", "policies", "storage"},
    {"play"},
    {"learning"},
    {"execution"},
    {"config"},
    {"run"},
    {"api"},
    {"orchestrator"},
    {"studies"},
    {"views"},
    {"cli"},
)
"""From the ground up. A room may import itself and the floors below; on its own floor only what BESIDE says."""

BESIDE = {
    "events": {"records"},
    "files": {"errors"},
    "imports": {"files"},
    "plugins": {"errors", "files", "imports"},
}

DECLARATIONS = {"league.learning.settings", "league.policies.settings"}
"""Settings stand beside what they set and import nothing but the ground floor: config composes them."""

SOLE = {
    "sqlite3": ("storage",),
    "sqlite_utils": ("storage",),
    "rich": ("views", "cli"),
    "cyclopts": ("cli",),
    "ray": ("execution",),
    "pettingzoo": ("games",),
    "pyspiel": ("games",),
    "openskill": ("rating",),
    "safetensors": ("policies",),
    "tensorboard": ("views",),
    "pickle": (),
    "random": (),
}
"""The only rooms that may import a library."""

PURE = ("matchmaking", "rating")
"""Rooms that know neither torch nor files."""


def room(module: str) -> str:
    """`league.games.core` → `games`."""
    return module.split(".")[1] if "." in module else "league"


def name(path: Path) -> str:
    return ".".join(path.relative_to(LEAGUE.parent).with_suffix("").parts).removesuffix(".__init__")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path, typing: bool = True) -> tuple[str, ...]:
    """The dotted names of what a file imports, wherever in it. typing: also below `if TYPE_CHECKING:`."""
    return tuple(_imports(parsed(path), typing, path))


def _imports(tree: ast.Module, typing: bool, path: Path) -> Iterator[str]:
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    never_run = {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if node in never_run and not typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_has_a_floor() -> None:
    rooms = {room(name(path)) for path in FILES} - {"league", "__main__"}
    assert rooms == set().union(*FLOORS), "a new room needs a floor, and an old one must not be left behind"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_point_downwards(path: Path) -> None:
    mine = room(name(path))
    if mine in ("league", "__main__"):
        return
    level = {one: number for number, floor in enumerate(FLOORS) for one in floor}
    for target in imports(path):
        if not target.startswith("league."):
            continue
        other = room(target)
        known = other == mine or level.get(other, -1) < level[mine] or other in BESIDE.get(mine, ())
        assert known or any(target.startswith(one) for one in DECLARATIONS), f"{name(path)} imports {target}"


def test_no_files_import_each_other_in_a_circle() -> None:
    modules = {name(path) for path in FILES}

    def imported(path: Path) -> set[str]:
        return {target if target in modules else target.rpartition(".")[0] for target in imports(path)} & modules

    edges = {name(path): imported(path) - {name(path)} for path in FILES}
    # Files without imports among those that are left are taken away until nothing changes; a circle is what stays.
    while free := [module for module, targets in edges.items() if not targets & edges.keys()]:
        for module in free:
            del edges[module]
    on_a_circle = {m for m, targets in edges.items() if any(m in others for others in edges.values())}
    assert not on_a_circle, f"these import each other: {sorted(on_a_circle)}"


@pytest.mark.parametrize("module", sorted(DECLARATIONS))
def test_declarations_need_the_ground_floor_only(module: str) -> None:
    path = LEAGUE.parent / Path(*module.split(".")).with_suffix(".py")
    assert {room(target) for target in imports(path) if target.startswith("league.")} <= FLOORS[0]


@pytest.mark.parametrize("library", SOLE)
def test_every_library_has_its_room(library: str) -> None:
    for path in FILES:
        used = any(target.split(".")[0] == library for target in imports(path))
        assert not used or room(name(path)) in SOLE[library], f"{name(path)} imports {library}"


@pytest.mark.parametrize("path", [path for path in FILES if room(name(path)) in PURE], ids=name)
def test_pure_rooms_know_neither_torch_nor_files(path: Path) -> None:
    used = {target.split(".")[0] for target in imports(path, typing=False)}
    assert not used & {"torch", "pathlib", "os", "io", "time", "datetime"}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_prints_below_the_views(path: Path) -> None:
    if room(name(path)) in ("views", "cli"):
        return
    called = [node.func for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    assert not [func for func in called if isinstance(func, ast.Name) and func.id in ("print", "input")]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_say_what_they_are_for_and_stay_short(path: Path) -> None:
    text, tree = path.read_text(), parsed(path)
    assert ast.get_docstring(tree)
    assert text.count("\n") <= 420
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert not [f.name for f in functions if (f.end_lineno or 0) - f.lineno + 1 > 75]


def test_importing_league_imports_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "pydantic", "rich", "cyclopts")
    program = f"import sys, league; print([name for name in {heavy} if name in sys.modules])"
    called = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert called.stdout == "[]\n"
