"""`league exploit --train`: a planted weakness is found, bounds hold where the truth is known, and what is refused."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from calling import league
from rich.cells import cell_len
from running import committed, content, started, tiny, trained

WEAK = '''
import torch
from league.policies.scripted import make_scripted


class Weak:
    """Wins and blocks like one-ply; but where the other has the first cell and not the centre, it takes the last
    legal cell, whatever that loses."""

    looks_ahead = True

    def __init__(self, role, spec):
        self.role, self.strong = role, make_scripted("one-ply", role, spec)

    def logits(self, rows):
        other = rows.obs[:, 1].flatten(1)
        lost = (other[:, 0] == 1) & (other[:, 4] == 0)
        last = torch.where(rows.mask, torch.arange(9.0) * 50, -1e9)
        return torch.where(lost[:, None], last, self.strong.logits(rows))
'''
QUICK = ("algorithm.slots=256", "algorithm.turns=16", "algorithm.learning_rate=3e-3", "algorithm.minibatch=1024")
QUICK += ("algorithm.epochs=2", "algorithm.discount=1.0", "network.actor=[64]", "network.critic=[64]")
QUICK += ("population.learners=1", "matchmaking.kind=naive", "population.snapshot_every=2", "budget.rounds=4")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of tic-tac-toe, beside weak.py."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "weak.py").write_text(WEAK)
    return trained(tiny(*QUICK), folder / "run")


def test_a_planted_weakness_is_found(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(board.parent)
    # By play that does not look for it, it stands high: one-ply itself does not beat it.
    usual = league("match", "best", "weak.py:Weak", "-r", "run", "--json").json
    assert usual["score"] < 0.25
    command = ("exploit", "weak.py:Weak", "-r", "run", "--train-steps", "150000", "--games", "1000", "--out", "found")
    found = league(*command, "--json").json
    first, second = found["sides"]
    assert first["result"] > 0.85, "it moves first, and begins in the corner"
    assert (first["seats"], second["seats"]) == (["player_0"], ["player_1"])
    value, low, high = found["exploitability"]
    assert value == pytest.approx((first["score"][0] + second["score"][0]) / 2)
    assert low > 0.3
    assert low < value < high
    assert first["own"] is None, "the scores of every game sum to 0"
    assert 150_000 <= found["steps"] < 150_000 + 2 * 256 * 16
    assert (found["label"], found["started"][0], len(found["started"])) == ("weak.py:Weak", "scratch", 2)
    # The same command again trains no more, and plays the same games.
    assert league(*command, "--json").json | {"seconds": 0} == found | {"seconds": 0}
    # The response is a run like any other.
    assert league("standings", "--run", "found", "--json").code == 0


def test_the_bound_is_below_the_truth_and_comes_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained(tiny(*QUICK, "game.id=kuhn"), tmp_path / "kuhn")
    for text in ("latest", "random"):
        exact = league("exploit", text, "-r", "kuhn", "--json").json["lines"][0]
        command = ("exploit", text, "-r", "kuhn", "--train-steps", "100000", "--games", "100000", "--json")
        found = league(*command).json
        value, low, high = found["exploitability"]
        assert high - low < 0.03
        assert value - (high - low) <= exact["exploitability"], "but for the luck of the games"
        assert value > 0.6 * exact["exploitability"]
        assert found["folder"] == f"exploits/kuhn-{found['label']}"


def test_two_roles_respond_each_from_its_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained(tiny(*QUICK, "game.id=matrix", "game.options={payoff=[[3, 0, 1], [1, 2, 0]]}"), tmp_path / "uneven")
    found = league(
        "exploit", "row=row.0,column=random", "-r", "uneven", "--train-steps", "60000", "--games", "2000", "--json"
    ).json
    row, column = found["sides"]
    # Against uniform columns the first row is worth 4/3; the column pays least where the untrained row is answered.
    assert row["score"][0] == pytest.approx(4 / 3, abs=0.1)
    exact = league("exploit", "row=row.0,column=random", "-r", "uneven", "--json").json["lines"][0]
    assert found["exploitability"][0] == pytest.approx(exact["exploitability"], abs=0.15)
    assert found["label"] == "row.0+random/column"
    assert column["response"].startswith("row-")


def test_a_killed_response_goes_on_to_the_same_run(
    board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ("exploit", "best", "-r", board, "--train-steps", "40000", "--games", "10")
    killed = started(*command, "--out", "out", cwd=tmp_path)
    while not ((tmp_path / "out" / "league.db").exists() and committed(tmp_path / "out")):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    again = league(*command, "--out", "out", "--json")
    assert again.code == 0, again.err
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    whole = league(*command, "--out", "out", "--json")
    assert again.json["exploitability"] == whole.json["exploitability"]
    other = content(tmp_path / "other" / "out")
    # A run keeps the absolute path of the policy that it plays against.
    other["tables"] = other["tables"].replace(str(tmp_path / "other"), str(tmp_path))
    assert content(tmp_path / "out") == other


def test_the_table_fits_and_says_how_it_was_found(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(board.parent)
    monkeypatch.setenv("COLUMNS", "60")
    command = ("exploit", "random", "-r", "run", "--train-steps", "4000", "--games", "50", "--out", "tiny")
    lines = league(*command).out.splitlines()
    assert lines[0] == "random is exploitable by at least"
    assert lines[1].startswith("exploitability  0.")
    titles = lines.index("") + 1
    assert lines[titles].split() == ["side", "response", "score", "of", "the", "response", "mean", "result"]
    assert lines[titles + 1].startswith("player_0  main-")
    assert max(map(cell_len, lines)) <= 60


def test_what_cannot_be_trained_against_is_refused(
    here: Path, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained(tiny(*QUICK, "game.id=two_step"), tmp_path / "team")
    steps = ("--train-steps", "100")
    assert league("exploit", "random", "-r", board, *steps, "--games", "2", "--out", "taken").code == 0
    for arguments, why in (
        (("random", "-r", "team", *steps), "a best response is trained in games of two sides; two_step has 1"),
        (("best", "random", "-r", board, *steps), "--train trains against one policy"),
        (("best", "--every", "-r", board, *steps), "--train trains against one policy"),
        (("best", "-r", board, "--train", "0"), "--train needs minutes above 0"),
        (("best", "-r", board, "--games", "10", "--seed", "1"), "--games and --seed belong to --train"),
        (("nobody", "-r", board, *steps), "no policy is called 'nobody'"),
        (("one-ply", "-r", board, *steps, "--out", "taken"), "another config (matchmaking.target.player was"),
    ):
        called = league("exploit", *arguments)
        assert (called.code, called.out) == (2, "")
        assert why in called.err
