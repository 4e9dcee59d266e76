"""What a command plays: the policies that it names say so, and a run is looked for only where they do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from running import league

SMALL = (
    *("--set", "algorithm.slots=16", "--set", "algorithm.turns=16", "--set", "network.actor=[16]"),
    *("--set", "network.critic=[16]", "--set", "population.snapshot_every=1", "--set", "threads=1", "--plain"),
)
OWN = """\
from league.games.native.kuhn import Kuhn


class Poker(Kuhn):
    pass
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs `one` of Kuhn poker in folders with a blank in their names, each with an export; `ttt`; an own game."""
    root = tmp_path_factory.mktemp("some where")
    (root / "poker.py").write_text(OWN)
    for place, seed in (("a b", 1), ("c", 2)):
        run = root / place / "runs" / "one"
        assert league("run", "--game", "kuhn", "--run", run, "--rounds", "2", *SMALL, "--seed", str(seed)).code == 0
        assert league("export", "main.1", "--run", run, "--out", root / place / "champ").code == 0
    assert league("run", "--game", "tictactoe", "--run", root / "ttt", "--rounds", "2", *SMALL).code == 0
    own = root / "own"
    assert league("run", "--game", f"{root}/poker.py:Poker", "--run", own, "--rounds", "1", *SMALL).code == 0
    assert league("export", "latest", "--run", own, "--out", root / "shark").code == 0
    return root


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def unrelated(empty: Path, trained: Path) -> Path:
    """A working folder whose newest run is of tic-tac-toe, and which has an older one of Kuhn poker."""
    shutil.copytree(trained / "c" / "runs" / "one", empty / "runs" / "older")
    shutil.copytree(trained / "ttt", empty / "runs" / "newer")
    for name in ("older", "newer"):
        for file in (empty / "runs" / name).iterdir():
            file.touch()
    return empty


PLAYED = {
    "match": ("match", "{champ}", "random", "--games", "8"),
    "match of two exports": ("match", "{champ}", "{other}", "--games", "8"),
    "match of own runs": ("match", "best@{a}", "best@{c}", "--games", "8"),
    "match of an export and a run": ("match", "{champ}", "latest@{c}", "--games", "8"),
    "payoff": ("payoff", "{champ}", "{other}", "random", "--games", "8"),
    "payoff of runs": ("payoff", "best@{a}", "best@{c}", "--games", "8"),
    "tournament": ("tournament", "{champ}", "{other}", "random", "--games", "8"),
    "styles": ("styles", "{champ}", "random", "--games", "8"),
    "exploit": ("exploit", "{champ}", "latest@{c}"),
    "exploit --train": ("exploit", "{champ}", "--train-steps", "500", "--games", "8"),
    "show": ("show", "latest@{a}"),
    "predict": ("predict", "latest@{a}", "random@{a}"),
    "export": ("export", "latest@{a}"),
}
"""Commands that name all that they need."""


@pytest.mark.parametrize("place", ["empty", "unrelated"])
@pytest.mark.parametrize("name", PLAYED)
def test_policies_say_what_is_played_wherever_they_are(
    trained: Path, place: str, name: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(place)
    a, c = trained / "a b" / "runs" / "one", trained / "c" / "runs" / "one"
    words = {"a": a, "c": c, "champ": trained / "a b" / "champ", "other": trained / "c" / "champ"}
    called = league(*(word.format(**words) for word in PLAYED[name]), "--json")
    assert called.code == 0, called.err
    assert "run:" not in called.err
    assert "tictactoe" not in called.out


@pytest.mark.parametrize("command", ["match", "payoff", "styles", "tournament"])
def test_a_run_is_looked_for_among_those_of_the_game_that_is_said(trained: Path, unrelated: Path, command: str) -> None:
    called = league(command, trained / "a b" / "champ", "latest", "--games", "8", "--json")
    assert (called.code, "run: runs/older\n" in called.err) == (0, True), called.err
    assert league(command, "latest", "random", "--games", "8", "--json").err.startswith("run: runs/newer\n")


def test_a_guest_is_rated_in_a_run_of_its_game(trained: Path, unrelated: Path) -> None:
    called = league("rate", "--guest", trained / "a b" / "champ", "--games", "8", "--json")
    assert (called.code, called.err) == (0, "run: runs/older\n")


REFUSED = {
    "two games": (("match", "{champ}", "latest@{ttt}"), "these policies play different games: '", "tictactoe"),
    "two games in a table": (
        ("payoff", "best@{ttt}", "random", "{champ}"),
        "these policies play different games",
        "kuhn",
    ),
    "another run": (("match", "{champ}", "random", "--run", "{ttt}"), "leave out --run", "kuhn"),
    "another game": (("match", "{champ}", "random", "--game", "tictactoe"), "leave out --game", "kuhn"),
    "both": (("match", "best", "random", "--run", "{ttt}", "--game", "kuhn"), "--run and --game", "give one"),
    "no run of the game": (("match", "{champ}", "best"), "no run under runs/ does", "POLICY@RUN"),
    "no run": (("match", "best", "random"), "there is no run yet", "league run"),
    "no policy": (("match", "./nowhere", "random"), "there is no policy at ./nowhere", "league export"),
    "an empty folder": (("match", "{folder}", "random"), "there is no policy at", "league export"),
    "code of a stranger": (("match", "{shark}", "random"), "code that is not part of league", "--game FILE.py:Poker"),
    "no game": (("match", "random", "one-ply"), "there is no run yet", "--run"),
    "nothing to record in": (("exploit", "{champ}", "--record"), "--record", "of none"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_known_is_said(trained: Path, empty: Path, name: str) -> None:
    given, message, right = REFUSED[name]
    (empty / "folder").mkdir()
    words = {name: trained / name for name in ("ttt", "shark")} | {"champ": trained / "a b" / "champ"}
    words["folder"] = empty / "folder"
    called = league(*(word.format(**words) for word in given))
    assert (called.code, called.out) == (2, "")
    assert message in called.err
    assert right in called.err
    assert not (empty / "tournaments").exists()


@pytest.mark.parametrize("game", ["othello", "tictactoe", "connect_four"])
def test_a_game_can_be_named_instead(empty: Path, game: str) -> None:
    called = league("match", "random", "one-ply", "--game", game, "--games", "4", "--json")
    assert called.code == 0
    assert called.err == ""


def test_code_beside_league_is_loaded_where_the_user_names_it(trained: Path, empty: Path) -> None:
    called = league("match", trained / "shark", "random", "--game", f"{trained}/poker.py:Poker", "--games", "4")
    assert called.code == 0, called.err
    assert league("match", f"latest@{trained}/own", "random", "--games", "4").code == 0


def test_an_export_cannot_have_code_run(trained: Path, empty: Path) -> None:
    """The metadata of an export names the game; it may be a stranger's."""
    shutil.copytree(trained / "a b" / "champ", empty / "gift")
    about = json.loads((empty / "gift" / "metadata.json").read_text())
    about["config"]["game"] = {"id": "subprocess:run", "options": {"args": ["touch", "harm"]}}
    (empty / "gift" / "metadata.json").write_text(json.dumps(about))
    called = league("match", "./gift", "random")
    assert called.code == 2
    assert "code that is not part of league" in called.err
    assert not (empty / "harm").exists()


def test_two_runs_of_one_name_are_not_taken_for_each_other(trained: Path, empty: Path) -> None:
    shutil.copytree(trained / "ttt", empty / "runs" / "one")
    shutil.copytree(trained / "own", empty / "one")
    for command in (("standings", "--run", "one"), ("match", "best@one", "random"), ("run", "--run", "one", "--plain")):
        called = league(*command)
        assert (called.code, called.err) == (2, "league: 'one' is two runs: write ./one or runs/one, as is meant\n")
    assert league("standings", "--run", "./one").code == league("standings", "--run", "runs/one").code == 0


def test_twins_are_merged_or_told_apart(trained: Path, empty: Path) -> None:
    a = trained / "a b" / "runs" / "one"
    shutil.copytree(trained / "a b" / "champ", empty / "x" / "champ")
    shutil.copytree(trained / "c" / "champ", empty / "y" / "champ")
    table = league("payoff", "latest", "main.2", "random", "--run", a, "--games", "4", "--json").json
    assert table["tables"][0]["rows"] == ["main.2", "random"]
    assert table["note"] == "latest and main.2 are one policy, main.2"
    table = league("payoff", "./x/champ", "./y/champ", "--games", "4", "--json").json
    assert table["tables"][0]["rows"] == ["main.1 (./x/champ)", "main.1 (./y/champ)"]
    found = league("match", "latest", "main.2", "--run", a, "--games", "4", "--json").json
    assert found["labels"] == ["main.2 (latest)", "main.2 (main.2)"]
    assert found["note"] == "main.2 (latest) and main.2 (main.2) are the same policy"
    found = league("match", "./x/champ", "./y/champ", "--games", "4", "--json").json
    assert (found["labels"], found["note"]) == (["main.1 (./x/champ)", "main.1 (./y/champ)"], "")
    assert "needs at least two different" in league("payoff", "latest", "main.2", "--run", a).err
    lines = league("exploit", "latest", "main.2", "--run", a, "--json").json["lines"]
    assert [line["label"] for line in lines] == ["main.2 (latest)", "main.2 (main.2)"]
    found = league("styles", "./x/champ", "./y/champ", "--games", "4", "--json").json
    assert [one["label"] for one in found["policies"]] == ["main.1 (./x/champ)", "main.1 (./y/champ)"]


def test_a_file_of_weights_alone_says_what_is_played(empty: Path) -> None:
    """Its options are those of the game, with all defaults; an export has those of the config."""
    troops = ("--set", "game.options.troops=5")
    assert league("run", "--game", "blotto", "--run", "b", "--rounds", "1", *troops, *SMALL).code == 0
    assert league("export", "latest", "--run", "b", "--out", "e").code == 0
    (weights, *_) = sorted((empty / "runs" / "b" / "snapshots").iterdir())
    shutil.copy(weights, empty / weights.name)
    shutil.rmtree(empty / "runs")
    for pair in ((f"./{weights.name}", "./e"), ("./e", f"./{weights.name}"), (f"./{weights.name}", "random")):
        called = league("match", *pair, "--games", "4")
        assert called.code == 0, called.err


def test_the_run_of_all_policies_is_the_one_that_ratings_are_read_from(trained: Path, empty: Path) -> None:
    a = trained / "a b" / "runs" / "one"
    named = league("match", f"main.2@{a}", f"main.0@{a}", "--games", "40", "--json").json
    given = league("match", "main.2", "main.0", "--run", a, "--games", "40", "--json").json
    assert named["predicted"]
    assert {**named, "seconds": 0} == {**given, "seconds": 0}


def test_without_a_run_an_export_of_all_roles_fills_the_posts_that_are_left(empty: Path) -> None:
    assert league("run", "--game", "tag", "--run", "t", "--rounds", "1", *SMALL).code == 0
    assert league("export", "latest", "--run", "t", "--out", "team").code == 0
    shutil.rmtree("runs")
    first = json.loads(Path("team/metadata.json").read_text())["policies"][0]["role"]
    found = league("match", f"{first}=./team", f"{first}=random", "--games", "4", "--json").json
    assert found["note"] == "with agent.1 (team) at the other posts"


TWO_NAMES = """\
from functools import partial

from pettingzoo.classic import rps_v2

short = partial(rps_v2.parallel_env, max_cycles=3)
plain = rps_v2.parallel_env
"""


@pytest.mark.parametrize("name", ["short", "plain"])
def test_weights_of_a_game_with_two_names_meet_those_of_its_run(name: str, empty: Path) -> None:
    (empty / "found.py").write_text(TWO_NAMES)
    assert league("run", "--game", f"found.py:{name}", "--run", "r", "--rounds", "1", *SMALL).code == 0
    assert league("export", "latest", "--run", "runs/r", "--out", "e").code == 0
    (weights, *_) = sorted((empty / "runs" / "r" / "snapshots").iterdir())
    shutil.copy(weights, empty / weights.name)
    for pair in ((f"./{weights.name}", "latest"), (f"./{weights.name}", "./e"), ("./e", f"./{weights.name}")):
        called = league("match", *pair, "--run", "runs/r", "--games", "4")
        assert called.code == 0, called.err
    (empty / "poker.py").write_text(OWN)
    refused = league("match", f"./{weights.name}", "random", "--game", "poker.py:Poker", "--games", "4")
    assert refused.code == 2
    assert "cannot play here: it plays" in refused.err
