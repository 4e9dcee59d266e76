"""A user's files: each finds what lies beside it, also late and in other processes, and never another folder's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from league import plugins
from league.errors import GameError
from league.files import digest_file
from league.games.registry import source_of

ASK_HELPER = "from helper import VALUE\ndef ask():\n    return VALUE\n"

Files = dict[str, str]


def write(folder: Path, files: Files) -> Path:
    """The folder, with these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def ask(file: Path, name: str = "ask") -> Any:
    """What the function in a file returns."""
    return cast(Callable[[], Any], plugins.load(f"{file}:{name}", "game", GameError))()


SEVEN = "VALUE = 7"
PIECE = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Piece:
    x: int
"""

FORMS: dict[str, Files] = {
    "from": {"main.py": ASK_HELPER, "helper.py": SEVEN},
    "import": {"main.py": "import helper\ndef ask():\n    return helper.VALUE", "helper.py": SEVEN},
    "when called": {"main.py": "def ask():\n    from helper import VALUE\n    return VALUE", "helper.py": SEVEN},
    "through another": {"main.py": ASK_HELPER, "helper.py": "import deep as d\nVALUE = d.VALUE", "deep.py": SEVEN},
    "folder": {"main.py": "import lib.part\ndef ask():\n    return lib.part.VALUE", "lib/part.py": SEVEN},
    "package": {
        "main.py": "from lib import part as p\ndef ask():\n    return p.VALUE",
        "lib/__init__.py": "",
        "lib/part.py": "from . import one\nVALUE = one.ONE + 6",
        "lib/one.py": "ONE = 1",
    },
    "out of a package": {
        "main.py": "import lib.part as p\ndef ask():\n    return p.VALUE",
        "lib/__init__.py": "",
        "lib/part.py": "from base import VALUE",
        "base.py": SEVEN,
    },
    "late, in a helper": {
        "main.py": "import helper\ndef ask():\n    return helper.late()",
        "helper.py": "def late():\n    import other\n    return other.VALUE",
        "other.py": SEVEN,
    },
    "a name of the library's": {"main.py": "import random\ndef ask():\n    return random.VALUE", "random.py": SEVEN},
    "dataclass": {"main.py": "from helper import Piece\ndef ask():\n    return Piece(7).x", "helper.py": PIECE},
    "an odd name": {"my game.v2.py": ASK_HELPER, "helper.py": SEVEN},
    "itself": {
        "main.py": "from helper import VALUE\nimport main\ndef ask():\n    return main.VALUE",
        "helper.py": SEVEN,
    },
}
"""Ways to import what lies beside a file; the first file is the one that is named."""


@pytest.mark.parametrize("form", FORMS)
def test_a_file_imports_what_lies_beside_it(form: str, tmp_path: Path) -> None:
    """Whatever the form of the import, and in a process of its own, too."""
    files = FORMS[form]
    write(tmp_path / "code", files)
    main = tmp_path / "code" / next(iter(files))
    before = set(sys.modules)
    assert ask(main) == 7
    assert all(name.startswith("league_user_") for name in set(sys.modules) - before), "nothing under a common name"
    used = plugins.files_of(f"{main}:ask")
    assert set(used.content) == set(files)
    assert used.content[main.name] == digest_file(main)
    program = (
        "import sys; from league import plugins; from league.errors import GameError; "
        "print(plugins.load(sys.argv[1], 'game', GameError)())"
    )
    called = subprocess.run(
        [sys.executable, "-c", program, f"{main}:ask"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert called.stdout == "7\n", called.stderr


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, {"main.py": ASK_HELPER + "def late():\n    import other\n    return other.NAME"})
        write(tmp_path / name, {"helper.py": f"VALUE = '{name}'", "other.py": f"NAME = 'other {name}'"})
    first = plugins.load(f"{tmp_path}/one/main.py:late", "game", GameError)
    second = plugins.load(f"{tmp_path}/two/main.py:late", "game", GameError)
    assert [ask(tmp_path / name / "main.py") for name in ("one", "two", "one")] == ["one", "two", "one"]
    assert [late() for late in (second, first, second)] == ["other two", "other one", "other two"]


def test_a_folder_on_the_path_has_one_copy_of_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"main.py": "import shared_beside\ndef ask():\n    return shared_beside", "shared_beside.py": ""})
    monkeypatch.syspath_prepend(tmp_path)
    import shared_beside  # type: ignore[import-not-found]

    assert ask(tmp_path / "main.py") is shared_beside
    assert set(plugins.files_of(f"{tmp_path}/main.py:ask").content) == {"main.py", "shared_beside.py"}


def test_a_file_is_run_again_only_if_something_changed(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": ASK_HELPER, "helper.py": "VALUE = 1"})
    first = plugins.load(f"{tmp_path}/main.py:ask", "game", GameError)
    assert plugins.load(f"{tmp_path}/main.py:ask", "game", GameError) is first
    (tmp_path / "helper.py").write_text("VALUE = 2")  # as long as before, and within the same second
    assert ask(tmp_path / "main.py") == 2
    assert first() == 1, "what was made before stays as it was"
    assert not list(tmp_path.rglob("__pycache__"))


def test_what_failed_to_load_is_loaded_anew(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import helper\n" + ASK_HELPER, "helper.py": "VALU = 1"})
    with pytest.raises(GameError, match="cannot import name 'VALUE'"):
        ask(tmp_path / "main.py")
    (tmp_path / "helper.py").write_text("VALUE = 1")
    assert ask(tmp_path / "main.py") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import nowhere_at_all", "needs the module 'nowhere_at_all', which is neither installed nor beside 'main.py'"),
        ("import lib.nothing", "needs the module 'lib.nothing', which is neither installed nor beside 'main.py'"),
        ("from lib import nothing", "cannot import name 'nothing'"),
        ("import helper", "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_imported_is_named(
    line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"main.py": f"{line}\ndef ask(): ...", "lib/__init__.py": "", "helper.py": "1 / 0"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GameError) as refused:
        plugins.load("main.py:ask", "game", GameError)
    assert said in str(refused.value)
    assert "game 'main.py:ask'" in str(refused.value)
    assert "league_user" not in str(refused.value)


def test_a_fault_beside_a_file_is_blamed_on_it(tmp_path: Path) -> None:
    write(
        tmp_path, {"main.py": "def ask():\n    import helper\n    helper.fail()", "helper.py": "def fail():\n    1 / 0"}
    )
    with pytest.raises(ZeroDivisionError) as failed:
        ask(tmp_path / "main.py")
    said = plugins.blame(failed.value)
    assert said is not None
    assert said.startswith(f"game '{tmp_path}/main.py:ask' failed: ZeroDivisionError: division by zero (")
    assert f"{tmp_path}/helper.py, line 2, in fail" in said


@pytest.mark.parametrize("on_path", [False, True])
def test_a_game_from_beside_a_file_is_called_the_same_on_pythons_path_or_off_it(
    on_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = f"inner_{on_path}".lower()
    (tmp_path / f"{inner}.py").write_text("class Ladder:\n    pass\n")
    (tmp_path / "front.py").write_text(f"from {inner} import Ladder\n")
    if on_path:
        monkeypatch.syspath_prepend(tmp_path)
    source = source_of(f"{tmp_path / 'front.py'}:Ladder")
    assert source is not None
    assert source.id == f"{inner}.py:Ladder"
    sys.modules.pop(inner, None)
