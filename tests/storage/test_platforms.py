"""Where a platform lacks fcntl and resource, or a file system lacks locks: in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from league.errors import RunError
from league.storage.lock import RunLock
from league.storage.store import Store

ROOT = Path(__file__).parents[2]
BLOCKED = "import fcntl as real, os, sys; sys.modules.update(fcntl=None, resource=None)\n"
CALL = "from league.cli import main; sys.argv = ['league', *sys.argv[1:]]; main()"
# A module like Windows' own, whose locks are those of this system.
MSVCRT = """
import errno, subprocess, types
def locking(handle, mode, count):
    assert (mode, count) == (2, 1)
    assert os.lseek(handle, 0, os.SEEK_CUR) > 1000
    try:
        real.flock(handle, real.LOCK_EX | real.LOCK_NB)
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None
sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
for name in ("pread", "pwrite", "O_DIRECTORY"):
    delattr(os, name)
"""


def process(code: str, *args: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a run and an export, made where nothing is missing."""
    folder = tmp_path_factory.mktemp("platforms")
    run = (
        "run --game kuhn --run k --rounds 6 --seed 3 --plain --set algorithm.slots=64 --set population.snapshot_every=1"
    )
    for words in (run, "export latest --run k --out champ"):
        done = process("import sys\n" + CALL, *words.split(), cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "games",
        "runs",
        "standings --run k",
        "metrics --run k",
        "show latest --run k",
        "match ./champ random --run k --games 20",
        "docs",
        "config",
    ],
)
def test_what_writes_no_run_works_without_fcntl_and_resource(words: str, place: Path) -> None:
    done = process(BLOCKED + CALL, *words.split(), cwd=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_an_export_is_loaded_and_played_without_fcntl_and_resource(place: Path) -> None:
    code = BLOCKED + (
        "import league, numpy\n"
        "from league.games.registry import make\n"
        "policy = league.load_policy('champ')\n"
        "shape = policy.metadata['obs_shape']\n"
        "print(policy.act(numpy.zeros(shape, numpy.float32), 0), make('kuhn', 4).spec.id)\n"
    )
    done = process(code, cwd=place)
    assert (done.returncode, done.stdout.split()[1:]) == (0, ["kuhn"]), done.stderr


def test_an_export_is_loaded_without_databases_runs_and_configs(place: Path) -> None:
    code = (
        "import sys, league\nleague.load_policy('champ')\nheavy = ('league.config', 'league.run', 'league.storage')\n"
    )
    code += "print([name for name in sys.modules if name.startswith(heavy) or name in ('sqlite3', 'sqlite_utils')])"
    assert process(code, cwd=place).stdout == "[]\n"


def test_a_check_says_no_memory_where_nothing_tells(place: Path) -> None:
    done = process(BLOCKED + CALL, "check", "kuhn", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "takes about" in done.stdout
    assert "memory" not in done.stdout


def test_a_run_trains_and_goes_on_with_the_locks_of_windows(place: Path) -> None:
    words = "run --game kuhn --run w --rounds {} --set algorithm.slots=64 --plain"
    for rounds in (2, 3):
        done = process(BLOCKED + MSVCRT + CALL, *words.format(rounds).split(), cwd=place)
        assert done.returncode == 0, done.stderr


def test_the_second_writer_is_refused_with_the_locks_of_windows(place: Path) -> None:
    code = (
        "from pathlib import Path; from league.storage.lock import RunLock; from league.errors import LeagueError\n"
        "lock = RunLock(Path('k'))\n"
        "try: RunLock(Path('k'))\n"
        "except LeagueError as error: print(os.getpid(), error)\n"
        "lock.release(); RunLock(Path('k')).release()\n"
    )
    done = process(BLOCKED + MSVCRT + code, cwd=place / "runs")
    pid, message = done.stdout.split(" ", 1)
    assert message.startswith(f"k is in use: process {pid} on "), done.stderr


def test_a_python_without_any_locks_writes_no_run_and_says_so(place: Path) -> None:
    done = process(BLOCKED + CALL, "run", "--game", "kuhn", "--run", "none", "--rounds", "1", cwd=place)
    assert done.returncode == 2
    assert "cannot be locked: this Python has neither fcntl nor msvcrt" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def lockless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes all file systems of a process like a network folder without locks."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler, on Linux")
    folder = tmp_path_factory.mktemp("lockless")
    (folder / "lockless.c").write_text(
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n#include <fcntl.h>\n#include <stdarg.h>\n"
        "static int call(const char *name, int fd, int cmd, void *arg) {\n"
        "  if (cmd == F_SETLK || cmd == F_SETLKW || cmd == F_GETLK) { errno = ENOLCK; return -1; }\n"
        "  return ((int (*)(int, int, void *)) dlsym(RTLD_NEXT, name))(fd, cmd, arg);\n}\n"
        "#define TAKE va_list a; va_start(a, cmd); void *arg = va_arg(a, void *); va_end(a)\n"
        'int fcntl(int fd, int cmd, ...) { TAKE; return call("fcntl", fd, cmd, arg); }\n'
        'int fcntl64(int fd, int cmd, ...) { TAKE; return call("fcntl64", fd, cmd, arg); }\n'
    )
    library = folder / "lockless.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "lockless.c", "-ldl"], check=True)
    return library


@pytest.mark.parametrize(
    "words", ["standings --run k", "run --run k --rounds 9 --plain", "run --game kuhn --run new --rounds 1 --plain"]
)
def test_a_folder_without_locks_is_one_message_at_once(
    words: str, place: Path, lockless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", str(lockless))
    code = "import sys, time\nbegan = time.monotonic()\nimport atexit\n"
    code += "import league.storage.store\nbegan = time.monotonic()\n"
    code += "atexit.register(lambda: print('SECONDS', time.monotonic() - began))\n" + CALL
    done = process(code, *words.split(), cwd=place)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "is on a file system without locks (No locks available)" in done.stderr
    assert "use a folder on a local disk" in done.stderr
    assert float(done.stdout.split("SECONDS")[1]) < 20


def test_a_folder_of_a_writer_can_be_read_beside_it(tmp_path: Path) -> None:
    Store.create(tmp_path, {}, {}, {}).close()
    with RunLock(tmp_path):
        Store.reader(tmp_path).close()
        with pytest.raises(RunError, match="is in use"):
            Store.open(tmp_path)
