"""`league probe` over a real run: what it probes, what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import league
from rich.cells import cell_len
from running import tiny, trained

WIDTH = 76


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three positions of tic-tac-toe: an immediate win, a block, and the first move, of which all draw."""
    lines = [
        {"moves": "0314", "scores": [None, None, 5, None, None, -1, -1, -1, -1]},
        {"moves": "031", "scores": [None, None, 0, None, -1, -1, -1, -1, -1]},
        {"moves": "", "scores": [0] * 9},
    ]
    path = tmp_path / "positions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_policy_beside_uniform_play(here: Path, file: Path) -> None:
    found = league("probe", "one-ply", file, "-r", "tiny", "--json").json
    assert (found["game"], found["file"], found["positions"]) == ("tictactoe", str(file), 3)
    (line,) = found["lines"]
    assert (line["label"], line["round"], line["steps"]) == ("one-ply", None, None)
    assert line["sampled"][0] == pytest.approx(1.0)
    assert line["most_likely"][0] == pytest.approx(1.0)
    # Wilson's interval of three of three.
    assert line["most_likely"][1:] == pytest.approx([0.4385, 1.0], abs=1e-3)
    uniform = found["uniform"]
    mean = (1 / 5 + 1 / 6 + 1) / 3
    half = 1.959964 * (((1 / 25 + 1 / 36 + 1) / 3 - mean**2) / 2) ** 0.5
    assert uniform["sampled"] == pytest.approx([mean, max(mean - half, 0), min(mean + half, 1)], abs=1e-6)
    assert uniform["most_likely"][0] == pytest.approx(mean, abs=1e-6)
    random = league("probe", "random", file, "-r", "tiny", "--json").json["lines"][0]
    assert random["sampled"] == uniform["sampled"]


def test_every_snapshot_comes_first_in_order(here: Path, file: Path) -> None:
    found = league("probe", "mcts=40", file, "--every", "-r", "tiny", "--json").json["lines"]
    labels = [line["label"] for line in found]
    assert labels[-1] == "mcts=40"
    assert set(labels[:-1]) == {f"{learner}.{n}" for learner in ("main-0", "main-1") for n in range(4)}
    assert [line["round"] for line in found[:-1]] == sorted(line["round"] for line in found[:-1])
    named = league("probe", found[0]["label"], file, "-r", "tiny", "--json").json["lines"]
    assert named == found[:1]


def test_policies_from_elsewhere_are_probed(here: Path, file: Path, tmp_path: Path) -> None:
    best = league("probe", "best", file, "-r", "tiny", "--json").json["lines"][0]
    assert league("export", "best", "-r", "tiny", "--out", tmp_path / "champion").code == 0
    for text in (str(tmp_path / "champion"), "best@tiny"):
        found = league("probe", text, file, "-r", "tiny", "--json").json["lines"][0]
        assert (found["sampled"], found["most_likely"]) == (best["sampled"], best["most_likely"])


def test_the_table_fits(here: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    lines = league("probe", "one-ply", file, "-r", "tiny").out.splitlines()
    assert lines[0] == "moves that keep the result of best play ± 95 % interval"
    assert lines[1].split() == ["policy", "round", "steps", "sampled", "most", "likely"]
    assert lines[2].split()[:4] == ["one-ply", "–", "–", "1.000"]
    assert lines[3].startswith("uniform play")
    assert max(map(cell_len, lines)) <= WIDTH


def test_what_cannot_be_probed_is_refused(here: Path, file: Path, tmp_path: Path) -> None:
    settings = ("game.id=rps", "population.learners=1", "matchmaking.kind=naive", "budget.rounds=1")
    rps = trained(tiny(*settings), tmp_path / "rps")
    (tmp_path / "wrong.jsonl").write_text('{"moves": "00", "scores": [0, 0, 0, 0, 0, 0, 0, 0, 0]}\n')
    for arguments, why in (
        (("best", file, "-r", rps), "has no positions of moves: its seats must take turns"),
        (("nobody", file, "-r", "tiny"), "no policy is called 'nobody'"),
        (("best", tmp_path / "absent", "-r", "tiny"), "absent: No such file or directory"),
        (("best", tmp_path / "wrong.jsonl", "-r", "tiny"), "line 1: move 2 of its moves (0) is illegal"),
    ):
        called = league("probe", *arguments)
        assert (called.code, called.out) == (2, "")
        assert why in called.err
