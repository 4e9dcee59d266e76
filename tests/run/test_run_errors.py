"""Whatever a user can cause ends with exit code 2 and one message that names the place and what would be right."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import TINY, Called, league, tiny, trained

from league import files
from league.storage.store import Store

MATCHMAKERS = """
from league.records import Exploit, Plan, Seating

class Raises:
    def plan(self, view, rng):
        raise ValueError("kaboom")

class NoPlan:
    def plan(self, view, rng):
        return 3

class Copies:
    def __init__(self, **hyperparameters):
        self.hyperparameters = hyperparameters
    def plan(self, view, rng):
        one, other = view.learners
        seated = tuple((Seating(tuple(x.name for _ in view.posts), 1.0),) for x in view.learners)
        return Plan(seated, (Exploit(one.name, other.name, other.latest, self.hyperparameters),))
"""
GAMES = """
from league.games.native.tictactoe import TicTacToe

class Raises(TicTacToe):
    def play(self, state, actions):
        raise RuntimeError("kaboom")

def no_environment():
    raise RuntimeError("kaboom")
"""
POLICIES = """
class Raises:
    def __init__(self, role, spec):
        self.role = role
    def logits(self, rows):
        raise ValueError("kaboom")

class Lists(Raises):
    def logits(self, rows):
        return [[0.0] * 9] * len(rows.seat)

def refuses(role, spec):
    raise KeyError("kaboom")
"""


@pytest.fixture
def copy(finished: tuple[Path, Called], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished run's folder as the working directory, to be damaged."""
    shutil.copytree(finished[0], tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def assert_refused(*args: str | Path, saying: str) -> None:
    called = league(*args)
    assert called.code == 2
    assert called.err.removeprefix("run: runs/tiny\n").startswith("league: ")
    assert saying in called.err, called.err


@pytest.mark.parametrize(
    ("args", "saying"),
    [
        ("bogus", 'Unknown command "bogus"'),
        ("run --bogus", "Unknown option"),
        ("run --rounds many", "rounds"),
        ("run none.toml", "there is no config file none.toml"),
        ("run tiny.toml --set bogus.key=1", "--set: unknown key 'bogus' (there are: seed, "),
        ("run tiny.toml --set algorithm.slotz=1", "unknown key 'algorithm.slotz'; did you mean 'slots'?"),
        ("run tiny.toml --set algorithm.slots=0", "'algorithm.slots': must be a whole number > 0 or none, not 0"),
        ("run tiny.toml --set algorithm.discount=1.5", "'algorithm.discount': must be a number ≥ 0 and ≤ 1, not 1.5"),
        ("run tiny.toml --set algorithm", "--set algorithm: write it as KEY=VALUE"),
        ("run tiny.toml --rounds 0", "'budget.rounds': must be a whole number > 0 or none, not 0"),
        ("run tiny.toml --minutes nan", "'budget.minutes': must be a number > 0 or none, not NaN"),
        ("run tiny.toml --seed -1", "--seed. Must be a whole number from 0 to 2**63 - 1."),
        ("run tiny.toml --set seed=-1", "'seed': must be a whole number ≥ 0"),
        ("run tiny.toml --device gpu", "must be auto, cpu, cuda or cuda:N"),
        ("run tiny.toml --device cuda:99", "device 'cuda:99' does not exist"),
        ("run --game tictacto", "unknown game 'tictacto'; did you mean 'tictactoe'?"),
        ("run --game pettingzoo:mpe/simple_tag_v3", "use 'mpe2:simple_tag_v3'"),
        ("run --game pettingzoo:classic/tictactoe-v9", "use 'pettingzoo:classic/tictactoe-v3'"),
        ("run --game nowhere.module:Name", "there is no module 'nowhere.module'"),
        ("run --game nowhere.py:Name", "there is no file 'nowhere.py'"),
        ("run --game rps --set network.kind=conv", "use network.kind = 'mlp'"),
        ("run --game blotto --set game.options={fieldz=3}", "no option 'fieldz'; did you mean 'fields'?"),
        ("run tiny.toml --set matchmaking.kind=fictitous", "did you mean 'fictitious'?"),
        ("run tiny.toml --set matchmaking.kind=nowhere.py:Mine", "there is no file 'nowhere.py'"),
        (
            "run tiny.toml --set rating.exploitability_every=0",
            "'rating.exploitability_every': must be a whole number > 0 or none, not 0",
        ),
        ("run tiny.toml --set rating.by=ello", "must be one of melo, field, robust, bradley-terry, elo"),
        (
            "run tiny.toml --set rating.anchors=['best']",
            "'best' is no anchor: give one-ply, mcts=N, package.module:Name",
        ),
        ("run tiny.toml --set rating.anchors=['one_ply']", "'one_ply' is no anchor; did you mean 'one-ply'?"),
        ("run tiny.toml --set rating.anchors=['random']", "'random' is always an anchor: leave it out"),
        ("run tiny.toml --set rating.anchors=['one-ply','one-ply']", "'one-ply' is named more than once"),
        ("run tiny.toml --set rating.anchors=['mcts=many']", "'mcts=many': write mcts=N with N simulations a move"),
        ("run tiny.toml --set rating.anchors=['mcts=0']", "'mcts=0': write mcts=N with N simulations a move"),
        (
            "run tiny.toml --set rating.anchors=['nowhere.py:Bot']",
            "'rating.anchors': policy 'nowhere.py:Bot': there is no",
        ),
        (
            "run --game kuhn --set rating.anchors=['mcts=5']",
            "not kuhn: the acting seat does not see the whole",
        ),
        (
            "run --game kuhn --set rating.anchors=['one-ply']",
            "'rating.anchors': one-ply plays board games of two seats",
        ),
        ("run --game pettingzoo:classic/tictactoe-v3 --set rating.anchors=['one-ply']", "looks ahead, and the state"),
        ("run tiny.toml --set population.init=best", "of which run? Write best@RUN"),
        ("run tiny.toml --set population.init=best@nowhere", "'nowhere' is not a run"),
        ("run tiny.toml --set population.init=./nowhere", "there is no policy at nowhere"),
        (
            "run tiny.toml --set population.init=random",
            "does not fit learner main-0: it is scripted and has no network",
        ),
        ("run tiny.toml --set population.init=wolf=best@x", "has no role 'wolf'"),
        ("standings", "there is no run yet under runs/"),
        ("standings -r nowhere", "'nowhere' is not a run"),
        ("export -r nowhere", "'nowhere' is not a run"),
        ("config tiny.toml --diff nowhere", "'nowhere' is not a run"),
        ("config --set a", "write it as KEY=VALUE"),
    ],
)
def test_without_a_run(away: Path, args: str, saying: str) -> None:
    assert_refused(*args.split(), saying=saying)
    assert not (away / "runs").exists(), "nothing is left behind that would have to be removed"


@pytest.mark.parametrize(
    ("args", "saying"),
    [
        ("standings --by ello", "no rating system is called 'ello'; did you mean 'elo'? (there are: "),
        ("standings --role wolf", "has no role 'wolf'; its roles are player"),
        ("show nobody", "no policy is called 'nobody'"),
        ("show main-0.99", "no policy is called 'main-0.99'"),
        ("export random", "'random' is scripted"),
        ("export best --out tiny.toml", "tiny.toml exists and is not an exported policy"),
        ("export best --out runs", "runs exists and is not an exported policy"),
        ("match", "name the policies to play"),
        ("match best", "has 2 sides: name one policy for each, not 1"),
        ("match best random one-ply", "has 2 sides: name one policy for each, not 3"),
        ("match best nobody", "no policy is called 'nobody'"),
        ("match best wolf=random", "has no role 'wolf'"),
        ("match best player=random,player=latest", "named twice"),
        ("match best random,latest", "each of several policies needs its role"),
        ("match best ./nowhere", "there is no policy at ./nowhere"),
        ("match best best@nowhere", "'nowhere' is not a run"),
        ("match best nowhere.py:Mine", "there is no file 'nowhere.py'"),
        ("match best league.errors:nearest", "cannot be made with (role, spec)"),
        ("match best random --games 0", "a match needs at least one game"),
        ("match best random --temperature nan", "a finite temperature"),
        ("match best random --seed 99999999999999999999", "--seed. Must be a whole number from 0 to 2**63 - 1."),
    ],
)
def test_with_a_run(here: Path, args: str, saying: str) -> None:
    assert_refused(*args.split(), saying=saying)


def test_a_config_that_cannot_be_read(away: Path) -> None:
    (away / "broken.toml").write_text("[game\n")
    assert_refused("run", "broken.toml", saying="broken.toml: not valid TOML")
    (away / "latin.toml").write_bytes(b"# caf\xe9\n")
    assert_refused("run", "latin.toml", saying="latin.toml: not UTF-8 text")
    assert_refused("run", ".", saying=".: cannot be read")
    assert not (away / "runs").exists()


def test_a_missing_extra(away: Path) -> None:
    # A process of its own, in which the packages of the extra cannot be imported.
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('rlcard', 'shimmy', 'pyspiel')))\n"
        "from league.cli import main\n"
        "sys.argv = ['league', 'run', '--game', 'pettingzoo:classic/leduc_holdem-v4']\n"
        "main()\n"
    )
    called = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert called.returncode == 2
    assert called.stderr.startswith("league: pettingzoo:classic/leduc_holdem-v4 needs 'rlcard', which is not installed")
    assert "pip install 'selfplay-league[cards]'" in called.stderr
    assert "Traceback" not in called.stderr


def test_a_damaged_snapshot(copy: Path) -> None:
    with Store.reader(copy / "runs" / "tiny") as store:
        snapshot = store.snapshots()[-1]
        path = files.content_path(store.snapshot_folder, snapshot.id)
    league("export", "best", "--out", "champion")
    before = {file.name: file.read_bytes() for file in (copy / "champion").iterdir()}
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert_refused("match", snapshot.name, "random", "--games", "2", saying=f"{snapshot.id}.safetensors is damaged")
    assert_refused("export", snapshot.name, "--out", "champion", saying="is damaged or truncated")
    assert {file.name: file.read_bytes() for file in (copy / "champion").iterdir()} == before
    path.write_bytes(data[:100])
    assert_refused("match", snapshot.name, "random", "--games", "2", saying="is damaged or truncated")
    path.unlink()
    assert_refused("match", snapshot.name, "random", "--games", "2", saying=f"{snapshot.id}.safetensors is missing")
    assert league("standings").code == 0


def test_a_damaged_export(copy: Path) -> None:
    league("export", "best", "--out", "champion")
    path = copy / "champion" / "policy.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert_refused("match", "./champion", "random", "--games", "2", saying="policy.safetensors is damaged or truncated")
    path.unlink()
    assert_refused("match", "./champion", "random", "--games", "2", saying="there is no policy at champion")


def test_an_export_of_another_game(copy: Path) -> None:
    trained(tiny("game.id=rps", "budget.rounds=1"), copy / "runs" / "other")
    league("export", "latest", "-r", "other", "--out", "other")
    assert_refused("match", "./other", "random", "-r", "tiny", saying="plays rps, and the run runs/tiny plays tic")
    assert_refused("match", "latest@other", "random", "-r", "tiny", saying="plays rps, and the run runs/tiny plays tic")


def test_a_folder_that_holds_something_else_is_never_exported_over(copy: Path) -> None:
    model = copy / "model"
    model.mkdir()
    (model / "metadata.json").write_text('{"format": "pt"}')
    (model / "weights.safetensors").write_bytes(b"precious")
    assert_refused("export", "best", "--out", "model", saying="model exists and is not an exported policy")
    assert (model / "weights.safetensors").read_bytes() == b"precious"


def test_a_missing_or_damaged_checkpoint(copy: Path) -> None:
    folder = copy / "runs" / "tiny"
    with Store.reader(folder) as store:
        path = files.content_path(store.checkpoint_folder, store.last_round().checkpoint)
    path.write_bytes(path.read_bytes()[:-1])
    assert_refused("run", "-r", "tiny", "--rounds", "7", saying="is damaged or truncated")
    path.unlink()
    assert_refused("run", "-r", "tiny", "--rounds", "7", saying=f"{path.name} is missing. Without its last checkpoint")
    advice = league("run", "-r", "tiny", "--rounds", "7").err
    assert f"`league run --new --run {folder} --set population.init=latest@{folder}`" in advice


def test_a_corrupt_database(copy: Path) -> None:
    database = copy / "runs" / "tiny" / "league.db"
    data = database.read_bytes()
    database.write_bytes(b"no database at all" * 500)
    for command in ("standings", "run", "export", "show best", "match best random"):
        assert_refused(*command.split(), "-r", "tiny", saying="runs/tiny/league.db: file is not a database")
    database.write_bytes(data[:20000])
    for command in ("standings", "run", "export"):
        assert_refused(*command.split(), "-r", "tiny", saying="runs/tiny")


def test_one_damaged_run_does_not_hide_the_others(copy: Path) -> None:
    shutil.copytree(copy / "runs" / "tiny", copy / "runs" / "other")
    (copy / "runs" / "other" / "league.db").write_bytes(b"no database at all" * 500)
    called = league("runs", "--json")
    assert called.code == 0
    assert [row["name"] for row in called.json] == ["tiny"]
    assert "other" in called.err


def test_a_matchmaker_that_fails(away: Path) -> None:
    (away / "mine.py").write_text(MATCHMAKERS)

    def run(kind: str, *more: str) -> tuple[str, ...]:
        return ("run", "tiny.toml", "--new", "--plain", "--set", f"matchmaking.kind=mine.py:{kind}", *more)

    assert_refused(*run("Raises"), saying="matchmaker 'mine.py:Raises' failed: ValueError: kaboom (")
    assert_refused(*run("Raises"), saying="mine.py, line 6, in plan)")
    assert_refused(*run("NoPlan"), saying="a matchmaker must return a league.records.Plan, not int")
    assert_refused(*run("Nobody"), saying="matchmaker 'mine.py:Nobody': mine.py has no 'Nobody'")
    bogus = run("Copies", "--set", "matchmaking.bogus=1.0")
    assert_refused(*bogus, saying="exploit of 'main-0': 'bogus' is not a hyperparameter")
    rate = run("Copies", "--set", "matchmaking.learning_rate=-1.0")
    assert_refused(*rate, saying="exploit of 'main-0': invalid hyperparameters: learning_rate")
    assert_refused(*run("Copies", "--set", "matchmaking.self.x=1"), saying="refuses its settings")


def test_a_game_that_fails(away: Path) -> None:
    (away / "mine.py").write_text(GAMES)
    assert_refused(
        "run", "tiny.toml", "--game", "mine.py:Raises", saying="game 'mine.py:Raises' failed: RuntimeError: kaboom"
    )
    assert_refused("run", "tiny.toml", "--game", "mine.py:no_environment", "--new", saying="RuntimeError: kaboom")
    (away / "broken.py").write_text("1 / 0\n")
    assert_refused(
        "run", "tiny.toml", "--game", "broken.py:Game", "--new", saying="running 'broken.py' failed: ZeroDivision"
    )


def test_a_policy_that_fails(copy: Path) -> None:
    (copy / "mine.py").write_text(POLICIES)
    for name, saying in (
        ("Raises", "policy 'mine.py:Raises' failed: ValueError: kaboom"),
        ("Lists", "gives a list, not a tensor of shape"),
        ("refuses", "policy 'mine.py:refuses' cannot be made with (role, spec): KeyError('kaboom')"),
    ):
        assert_refused("match", "best", f"mine.py:{name}", "--games", "2", saying=saying)


def test_a_full_disk(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(tiny("budget.rounds=1"), away / "runs" / "tiny")

    def full(point: str) -> None:
        if point == "fsync":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "faults", full)
    assert_refused("run", "-r", "tiny", "--rounds", "3", saying=".safetensors: No space left on device")
    monkeypatch.setattr(files, "faults", None)
    assert league("run", "-r", "tiny", "--rounds", "3", "--plain").code == 0


def test_more_than_the_memory_can_hold(away: Path) -> None:
    (away / "big.toml").write_text(TINY.replace("slots = 16", "slots = 100_000_000_000"))
    assert_refused("run", "big.toml", "--plain", saying="use fewer algorithm.slots")


def test_a_folder_that_cannot_be_written(away: Path) -> None:
    (away / "file").write_text("")
    assert_refused("run", "tiny.toml", "-r", "./file/run", saying="file/run cannot be made a run")
    trained(tiny("budget.rounds=1"), away / "runs" / "tiny")
    assert_refused("export", "latest", "--out", "file/champion", saying="file")


def test_what_comes_from_outside_cannot_move_the_cursor(away: Path) -> None:
    called = league("run", "tiny.toml", "--game", "\x1b[2Jgame")
    assert called.code == 2
    assert "\x1b" not in called.err
