"""`league compare` over real runs: equal steps, resumed after a kill, judged, and what it refuses."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from rich.cells import cell_len
from running import TINY, Called, content, league, started, trained

from league.config.load import load
from league.storage.store import Store

STEPS = 1500
PLAIN = TINY.replace('kind = "pbt"\nexploit_steps = 200', 'kind = "naive"').replace("learners = 2\n", "learners = 1\n")
PLAIN = PLAIN.replace("spread = { learning_rate = [1e-4, 1e-2] }\n", "")
"""One learner in naive self-play; `TINY` has two under population based training."""


def configs(folder: Path) -> None:
    (folder / "naive.toml").write_text(PLAIN)
    (folder / "pbt.toml").write_text(TINY)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Called]:
    """A folder with the comparison of both configs with two seeds, and what it printed."""
    folder = tmp_path_factory.mktemp("compared")
    configs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        called = league("compare", *COMMAND, "--seeds", "2", "--probe", positions(folder), "--json")
    assert called.code == 0, called.err
    return folder, called


COMMAND = ("naive.toml", "pbt.toml", "--steps", str(STEPS), "--games", "20")


def positions(folder: Path) -> Path:
    """One position of tic-tac-toe, at which one of five moves wins at once."""
    path = folder / "positions.jsonl"
    path.write_text(json.dumps({"moves": "0314", "scores": [None, None, 5, None, None, -1, -1, -1, -1]}))
    return path


def steps_of(folder: Path) -> int:
    if not (folder / "league.db").exists():
        return 0
    with Store.reader(folder) as store:
        last = store.last_round()
        return last.steps if last else 0


def test_every_config_has_the_same_agent_steps_whatever_its_learners(compared: tuple[Path, Called]) -> None:
    folder, called = compared
    found = called.json
    assert (found["configs"], found["seeds"], found["steps"], found["games"]) == (["naive", "pbt"], 2, STEPS, 20)
    for line in found["lines"]:
        # A run ends with the round that reaches the budget: two tables of at most 16 slots and 16 turns.
        assert all(STEPS <= steps < STEPS + 2 * 256 for steps in line["steps"]["values"])
        for seed, steps in enumerate(line["steps"]["values"], 1):
            run = folder / "comparison" / f"{line['config']}-{seed}"
            assert steps_of(run) == steps
            with Store.reader(run) as store:
                assert store.config()["seed"] == seed
                assert store.config()["budget"] == {"rounds": None, "steps": STEPS, "minutes": None}
    assert sorted(line.split()[1] for line in called.err.splitlines()) == ["naive-1:", "naive-2:", "pbt-1:", "pbt-2:"]


def test_everything_meets_everything(compared: tuple[Path, Called]) -> None:
    found = compared[1].json
    assert [(line["config"], line["policy"]) for line in found["lines"]] == [
        (config, kind) for config in ("naive", "pbt") for kind in ("best", "latest")
    ]
    cup = league("tournament", "--out", compared[0] / "comparison" / "cross-play", "--json").json
    place = {
        one["name"].partition("@")[2].rpartition("/")[2] + one["name"].partition("@")[0]: n
        for n, one in enumerate(cup["entrants"])
    }
    for kind in ("best", "latest"):
        naive, pbt = (
            next(one for one in found["lines"] if (one["config"], one["policy"]) == (name, kind))
            for name in ("naive", "pbt")
        )
        scores = [
            [
                cup["cells"][place[f"naive-{i}{naive['policies'][i - 1]}"]][place[f"pbt-{j}{pbt['policies'][j - 1]}"]][
                    "score"
                ]
                for j in (1, 2)
            ]
            for i in (1, 2)
        ]
        assert naive["cross_play"]["values"] == pytest.approx([sum(row) / 2 for row in scores])
        assert naive["worst_case"]["values"] == pytest.approx([min(row) for row in scores])
        assert pbt["cross_play"]["mean"] == pytest.approx(1 - naive["cross_play"]["mean"])
        (none, against), (back, nothing) = found["against"][kind]
        assert none is nothing is None
        assert against["mean"] == pytest.approx(naive["cross_play"]["mean"])
        assert back["mean"] == pytest.approx(1 - against["mean"])
        assert naive["exploitability"] is None, "tictactoe cannot be traversed"
        assert all(0 <= share <= 1 for share in naive["sampled"]["values"])
        assert len(naive["most_likely"]["values"]) == 2
        # Two seeds may happen to score the same.
        assert naive["cross_play"]["low"] <= naive["cross_play"]["mean"] <= naive["cross_play"]["high"]


def test_a_method_is_also_judged_by_what_it_says_to_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configs(tmp_path)
    (tmp_path / "fictitious.toml").write_text(PLAIN.replace('kind = "naive"', 'kind = "fictitious"'))
    command = ("naive.toml", "fictitious.toml", "--steps", str(STEPS), "--games", "20", "--seeds", "1")
    found = league("compare", *command, "--json").json
    policies = {(line["config"], line["policy"]): line["policies"] for line in found["lines"]}
    assert list(found["against"]) == ["best", "latest", "solution"]
    assert policies["naive", "solution"] == policies["naive", "latest"]
    (mixture,) = policies["fictitious", "solution"]
    assert mixture.startswith("average of ")
    (_, against), _ = found["against"]["solution"]
    assert 0 < against["mean"] < 1
    assert against["mean"] == pytest.approx(
        next(
            line["cross_play"]["mean"]
            for line in found["lines"]
            if line["policies"] == policies["naive", "solution"] and line["policy"] == "solution"
        )
    )


def test_again_nothing_is_trained_or_played(compared: tuple[Path, Called], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, called = compared
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "60")
    again = league("compare", *COMMAND, "--seeds", "2", "--probe", "positions.jsonl", "--json")
    assert again.json | {"seconds": 0} == called.json | {"seconds": 0}
    assert again.err == ""
    table = league("compare", *COMMAND, "--seeds", "2")
    lines = table.out.splitlines()
    assert lines[0] == "mean over 2 seeds ± 95 % interval"
    assert lines[1].split()[:4] == ["config", "policy", "cross-play", "worst"]
    assert max(map(cell_len, lines)) <= 60
    text = league("compare", *COMMAND, "--seeds", "2", "--markdown").out
    assert text.startswith(
        "| config | policy | cross-play | worst case | rating | agent-steps | time |\n| --- | ---: |"
    )
    assert "| best against | naive | pbt |" in text


def test_a_killed_comparison_goes_on_to_the_same_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configs(tmp_path)
    command = ("compare", "naive.toml", "pbt.toml", "--seeds", "1", "--steps", "6000", "--games", "20", "--jobs", "2")
    killed = started(*command, cwd=tmp_path)
    runs = [tmp_path / "comparison" / name for name in ("naive-1", "pbt-1")]
    while not all(map(steps_of, runs)) and killed.poll() is None:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    # Its runs end with it, after their rounds: their locks are free, and they are not trained to the end.
    deadline = time.monotonic() + 60
    while True:
        try:
            for run in runs:
                Store.open(run).close()
            break
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert min(map(steps_of, runs)) < 6000
    called = league(*command, "--json")
    assert called.code == 0, called.err
    for name, run in zip(("naive", "pbt"), runs, strict=True):
        budget = ["budget.rounds=none", "budget.minutes=none", "budget.steps=6000", "seed=1"]
        whole = trained(load(f"{name}.toml", budget), tmp_path / "whole" / name)
        assert content(run) == content(whole)


def test_what_cannot_be_compared_is_refused(compared: tuple[Path, Called], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = compared
    monkeypatch.chdir(folder)
    (folder / "kuhn.toml").write_text('[game]\nid = "kuhn"\n')
    (folder / "spread.toml").write_text('[game]\nid = "spread"\n')
    (folder / "alone.toml").write_text('[game]\nid = "spread"\n')
    (folder / "other").mkdir(exist_ok=True)
    (folder / "other" / "naive.toml").write_text(PLAIN)
    (folder / "wrong.jsonl").write_text('{"moves": "00", "scores": [0, 0, 0, 0, 0, 0, 0, 0, 0]}\n')
    for arguments, why in (
        (("naive.toml",), "a comparison needs two configs or more"),
        (("naive.toml", "other/naive.toml"), "two configs are called naive"),
        (("naive.toml", "kuhn.toml"), "all configs must play the same game: naive plays tictactoe, kuhn kuhn"),
        (("spread.toml", "alone.toml"), "it has 1 side"),
        (("naive.toml", "absent.toml"), "there is no config file absent.toml"),
        (("naive.toml", "pbt.toml", "--steps", "100"), "was trained for"),
        (("naive.toml", "pbt.toml", "--set", "algorithm.epochs=2"), "another config (algorithm.epochs was 1, now 2)"),
        ((*COMMAND, "--probe", "wrong.jsonl"), "line 1: move 2 of its moves (0) is illegal"),
        ((*COMMAND, "--seeds", "0"), "--seeds, --steps, --games and --jobs must be 1 or more"),
        ((*COMMAND, "--json", "--markdown"), "two forms of the same output"),
    ):
        called = league("compare", *arguments)
        assert (called.code, called.out) == (2, "")
        assert why in called.err


def test_a_run_that_cannot_be_trained_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "naive.toml").write_text(PLAIN)
    (tmp_path / "mine.py").write_text("class Mine:\n    def plan(self, view, rng):\n        return None\n")
    (tmp_path / "mine.toml").write_text(PLAIN.replace('kind = "naive"', 'kind = "mine.py:Mine"'))
    called = league("compare", "naive.toml", "mine.toml", "--seeds", "1", "--steps", "500", "--jobs", "1")
    assert called.code == 2
    assert "mine-1 could not be trained: a matchmaker must return a league.records.Plan, not NoneType" in called.err
    assert steps_of(tmp_path / "comparison" / "naive-1") >= 500, "what was trained before it stays"


def test_exploitability_is_measured_where_the_whole_game_can_be_traversed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("one", "two")
    for name in names:
        (tmp_path / f"{name}.toml").write_text(PLAIN.replace("tictactoe", "kuhn"))
        # Runs that `league run` trained count, too.
        trained(load(f"{name}.toml", ["budget.rounds=none", "budget.steps=500", "seed=1"]), Path("out") / f"{name}-1")
    command = ("compare", "one.toml", "two.toml", "--seeds", "1", "--steps", "500", "--games", "10", "--out", "out")
    called = league(*command, "--json")
    assert called.err == ""
    for line in called.json["lines"]:
        exact = league("exploit", line["policies"][0], "--run", f"out/{line['config']}-1", "--json").json["lines"][0]
        assert line["exploitability"]["values"] == pytest.approx([exact["exploitability"]])
        assert line["exploitability"]["low"] is None, "one seed has no interval"
    assert called.json["paired"]
    assert "exploitability" in league(*command).out
