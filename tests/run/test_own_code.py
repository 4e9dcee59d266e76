"""A run and the user's own code: where each file is and what it holds, from whatever folder the run is used."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from own_code import BOTS, CONSTS, DUEL, MATCHING, OTHER_RULES, RULES, WRAP, go_on, write_project
from running import league, started

import league as library
from league.config.load import load
from league.errors import ConfigError, RunError
from league.files import digest_file
from league.orchestrator import League
from league.run.code import CHANGE_KIND
from league.storage.reading import CODE_FACT
from league.storage.store import Store


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder; the working folder is another, empty one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return write_project(tmp_path / "duel")


@pytest.fixture
def run(project: Path, tmp_path: Path) -> Path:
    """A run of the project after its first round."""
    called = league("run", project / "duel.toml", "--run", tmp_path / "runs" / "duel", "--plain")
    assert called.code == 0, called.err
    return tmp_path / "runs" / "duel"


def kept(run: Path) -> dict[str, dict[str, str]]:
    """What a run keeps of each file, by what it is of."""
    with Store.reader(run) as store:
        used = store.facts()[CODE_FACT]["used"]
    return {one["what"]: {f"{one['folder']}/{file}": id for file, id in one["content"].items()} for one in used}


def rounds(run: Path) -> int:
    with Store.reader(run) as store:
        last = store.last_round()
    return last.round if last else 0


def as_of_an_older_version(run: Path, folder: Path) -> None:
    """Take from a run what older versions did not keep: names were as the user wrote them."""
    with sqlite3.connect(run / "league.db") as db:
        db.execute("DELETE FROM facts WHERE key = ?", (CODE_FACT,))
        ((config,),) = db.execute("SELECT config FROM run")
        db.execute("UPDATE run SET config = ?", (config.replace(f"{folder}/", ""),))
    db.close()


def test_a_game_of_three_files_is_used_from_three_folders(project: Path, tmp_path: Path) -> None:
    """Made into a run, matched, exported, gone on with and shown, each in a process and a folder of its own."""
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    (folders[2] / "duel.py").write_text(DUEL.replace("won, who =", "won, who = 5 *"))
    (folders[2] / "consts.py").write_text("ACTIONS = 4\n")
    run = tmp_path / "one" / "runs" / "duel"
    # Workers import the game in processes of their own.
    steps: list[tuple[int, tuple[str | Path, ...]]] = [
        (0, ("run", project / "duel.toml", "--set", "workers=2", "--plain")),
        (1, ("match", "best", "bots.py:First", "--run", run, "--games", "8", "--json")),
        (1, ("export", "best", "--run", run, "--out", tmp_path / "champion")),
        (2, ("match", tmp_path / "champion", "random", "--run", run, "--games", "8", "--json")),
        (2, ("run", "--run", run, "--rounds", "2", "--plain")),
        (1, ("run", project / "duel.toml", "--run", run, "--rounds", "3", "--set", "workers=2", "--plain")),
        (2, ("show", "best", "--run", run)),
        (0, ("show", "latest", "--run", run, "--json")),
    ]
    outputs = []
    for folder, command in steps:
        process = started(*command, cwd=folders[folder])
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, (command, err)
        assert "warning" not in err, command
        outputs.append(out)
    assert json.loads(outputs[1])["labels"][1] == "bots.py:First"
    assert json.loads(outputs[-1])["snapshot"]["round"] == 3
    assert rounds(run) == 3
    expected = {"game": ["consts", "duel", "rules"], "wrapper": ["wrap"], "matchmaker": ["matching"]}
    expected["anchor"] = ["bots", "consts"]
    files = {what: [project / f"{name}.py" for name in names] for what, names in expected.items()}
    assert kept(run) == {what: {str(file): digest_file(file) for file in some} for what, some in files.items()}


def test_names_are_looked_up_beside_the_config_and_then_in_the_working_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path.cwd()
    (here / "duel.py").write_text(DUEL)
    (project / "wrap.py").rename(here / "wrap.py")
    config = load(str(project / "duel.toml"))
    assert config.game.id == f"{project}/duel.py:Duel"
    assert config.game.wrappers == [f"{here}/wrap.py:same"]
    assert config.matchmaking.kind == f"{project}/matching.py:Alone"
    assert config.rating.anchors == (f"{project}/bots.py:First",)
    named = load(str(project / "duel.toml"), ["game.id=duel.py:Duel", "rating.anchors=['./bots.py:First']"])
    assert named.game.id == f"{here}/duel.py:Duel"
    assert named.rating.anchors == ("./bots.py:First",), "what is not there stays as it was written"
    monkeypatch.chdir(project)
    assert load("duel.toml", ["game.wrappers=['../here/wrap.py:same']"]).game.wrappers == [f"{here}/wrap.py:same"]


@pytest.mark.parametrize("file", ["duel.py", "wrap.py", "matching.py", "bots.py"])
def test_a_file_that_is_in_neither_folder_is_named_with_both(file: str, project: Path) -> None:
    (project / file).unlink()
    called = league("run", project / "duel.toml", "--run", "./none")
    assert called.code == 2
    for place in (project / file, Path.cwd() / file):
        assert str(place) in called.err
    assert not Path("none").exists()


CHANGES = {
    "game": ("duel", DUEL + "\nNEW = 1\n", "results before and after are of different games"),
    "rules": ("rules", OTHER_RULES, "results before and after are of different games"),
    "constants": ("consts", CONSTS + "\n", "results before and after are of different games"),
    "wrapper": ("wrap", WRAP + "\n", "results before and after are of different games"),
    "matchmaker": ("matching", MATCHING + "\n", "rounds before and after are planned by different rules"),
    "anchor": ("bots", BOTS + "\n", "results before and after are of different policies under one name"),
}
"""By what is edited: the file, its new text, and what that means."""


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_file_is_told_to_readers_and_not_mixed_by_a_run(what: str, project: Path, run: Path) -> None:
    name, text, meaning = CHANGES[what]
    file = project / f"{name}.py"
    file.write_text(text)
    for command in (("standings",), ("show", "latest"), ("metrics",), ("match", "latest", "random", "--games", "2")):
        read = league(*command, "--run", run)
        assert read.code == 0, read.err
        assert f"since the run's last round {file}, of the " in read.err
        assert meaning in read.err
    refused = go_on(run, "--rounds", "2")
    assert (refused.code, rounds(run)) == (2, 1)
    assert str(file) in refused.err
    assert meaning in refused.err
    guest = league("rate", "--run", run, "--guest", "one-ply", "--games", "10")
    assert guest.code == 2
    assert str(file) in guest.err
    # As it was before, it is no change.
    file.write_text(
        {"duel": DUEL, "rules": RULES, "consts": CONSTS, "wrap": WRAP, "matching": MATCHING, "bots": BOTS}[name]
    )
    assert league("standings", "--run", run).err == ""
    assert go_on(run, "--rounds", "2").code == 0


def test_an_accepted_change_is_recorded_and_shown(project: Path, run: Path) -> None:
    (project / "rules.py").write_text(OTHER_RULES)
    gone_on = go_on(run, "--rounds", "2", "--accept-changes")
    assert gone_on.code == 0, gone_on.err
    assert f"round 1  warning  {project}/rules.py, of the game duel.py:Duel, has changed" in gone_on.out
    assert kept(run)["game"][f"{project}/rules.py"] == digest_file(project / "rules.py")
    with Store.reader(run) as store:
        ((event),) = [one for one in store.events() if one.kind == CHANGE_KIND]
    assert (event.round, event.data["files"]) == (1, [f"{project}/rules.py"])
    for command in ("standings", "metrics"):
        assert (
            f"note: after round 1, as was accepted, {project}/rules.py, of the game"
            in league(command, "--run", run).err
        )
    # It was accepted once: the next change is another.
    assert go_on(run, "--rounds", "3").code == 0
    (project / "rules.py").write_text(RULES)
    assert go_on(run, "--rounds", "4").code == 2


def test_another_file_of_the_same_name_never_takes_its_place(project: Path, run: Path, tmp_path: Path) -> None:
    other = write_project(tmp_path / "other", rules=OTHER_RULES)
    os.chdir(other)
    before = league("match", "latest", "random", "--run", run, "--games", "4", "--json").json
    assert before["labels"] == ["main.1", "random"]
    for arguments in ((other / "duel.toml",), ("--game", "duel.py:Duel")):
        refused = league("run", *arguments, "--run", run, "--rounds", "2")
        assert (refused.code, rounds(run)) == (2, 1)
        assert f"{other}/rules.py, of the game duel.py:Duel, differs from {project}/rules.py" in refused.err
    assert go_on(run, "--rounds", "2").code == 0
    assert list(kept(run)["game"]) == [f"{project}/{name}.py" for name in ("consts", "duel", "rules")]


def test_equal_files_elsewhere_are_the_same_game(project: Path, run: Path, tmp_path: Path) -> None:
    other = write_project(tmp_path / "other")
    assert league("run", other / "duel.toml", "--run", run, "--rounds", "2").code == 0
    shutil.rmtree(project)
    assert league("match", "latest", "bots.py:First", "--run", run, "--games", "2").code == 0
    assert list(kept(run)["anchor"]) == [f"{other}/{name}.py" for name in ("bots", "consts")]
    ids = [row["id"] for row in league("standings", "--run", run, "--json").json["p"]]
    assert ids.count("bots.py:First") == 1, "an anchor is the same policy wherever its file is"


@pytest.mark.parametrize("file", ["duel.py", "wrap.py", "matching.py", "bots.py"])
def test_a_file_that_has_moved_is_named_and_its_new_place_told(file: str, project: Path, run: Path) -> None:
    """By the command that the message prints, in the state in which it is printed."""
    there = project.parent / "new place"
    shutil.copytree(project, there)
    (project / file).unlink()
    refused = go_on(run, "--rounds", "2")
    assert (refused.code, rounds(run)) == (2, 1)
    assert f"{project}/{file}" in refused.err
    printed = re.search(r"league (run --run .*)", refused.err)
    assert printed is not None
    command = [word.replace("NEW_FOLDER", str(there)) for word in shlex.split(printed[1])]
    if file in ("duel.py", "wrap.py"):
        read = league("match", "latest", "random", "--run", run, "--games", "2")
        assert (read.code, printed[0] in read.err) == (2, True), read.err
    assert league("standings", "--run", run).err == "", "readers of the database need no file"
    told = league(*command, "--plain")
    assert told.code == 0, told.err
    assert rounds(run) == 1
    assert league("match", "latest", "bots.py:First", "--run", run, "--games", "2").code == 0
    assert go_on(run, "--rounds", "2").code == 0
    assert any(str(there / file) in files for files in kept(run).values())


def test_what_lay_beside_a_game_that_has_moved_has_moved_with_it(project: Path, run: Path) -> None:
    there = project.rename(project.parent / "moved")
    refused = league("match", "latest", "random", "--run", run, "--games", "2")
    assert f"game.id is {project}/duel.py:Duel, and that file is gone" in refused.err
    (there / "rules.py").write_text(OTHER_RULES)
    told = go_on(run, "--game", there / "duel.py:Duel", "--rounds", "1")
    assert told.code == 2
    assert f"{there}/rules.py, of the game duel.py:Duel, differs from {project}/rules.py" in told.err
    (there / "rules.py").write_text(RULES)
    assert go_on(run, "--game", there / "duel.py:Duel", "--rounds", "1").code == 0
    assert {str(Path(file).parent) for files in kept(run).values() for file in files} == {str(there)}
    assert go_on(run, "--rounds", "2").code == 0
    assert league("match", "latest", "random", "--run", run, "--games", "2").code == 0


def test_a_run_of_an_older_version_is_read_as_before_and_keeps_its_code_from_then_on(project: Path, run: Path) -> None:
    as_of_an_older_version(run, project)
    elsewhere = league("match", "latest", "random", "--run", run, "--games", "2")
    assert elsewhere.code == 2
    assert f"there is no file 'duel.py' (searched at {Path.cwd()}/duel.py)" in elsewhere.err
    os.chdir(project)
    there = league("match", "latest", "random", "--run", run, "--games", "2")
    assert there.code == 0
    assert "an older version made the run, which does not say where duel.py:Duel was" in there.err
    assert go_on(run, "--rounds", "2").code == 0
    assert kept(run)["game"][f"{project}/rules.py"] == digest_file(project / "rules.py")
    os.chdir(project.parent / "here")
    assert league("match", "latest", "bots.py:First", "--run", run, "--games", "2").code == 0
    assert go_on(run, "--rounds", "3").code == 0
    ids = [row["id"] for row in league("standings", "--run", run, "--json").json["p"]]
    assert ids.count("bots.py:First") == 1


def test_a_file_that_changes_while_the_run_goes_on_ends_it_before_it_counts(project: Path, tmp_path: Path) -> None:
    config = load(str(project / "duel.toml"), ["budget.rounds=50"])
    with League(config, tmp_path / "run") as run:
        run.interrupt()
        run.run()
        (project / "rules.py").write_text(OTHER_RULES)
        run.executor.make_game(1).close()  # as for matches and diagnoses, in the midst of a run
        with pytest.raises(
            RunError, match=r"while the run was going on, .*rules\.py, of the game duel\.py:Duel, has changed"
        ):
            run.run()
        before = run.round_number
    assert rounds(tmp_path / "run") == before
    with pytest.raises(ConfigError, match="accept-changes"):
        League(config, tmp_path / "run")


def test_a_file_edited_during_a_run_does_no_harm_until_it_is_loaded_again(project: Path, run: Path) -> None:
    process = started("run", "--run", run, "--rounds", "100000", "--plain", cwd=project.parent)
    try:
        assert process.stdout is not None
        while "round 2  steps" not in (line := process.stdout.readline()):
            assert line, "it ended early"
        (project / "rules.py").write_text(OTHER_RULES)
        reached = rounds(run)
        while rounds(run) < reached + 2:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    finally:
        process.kill()
        process.wait()
    assert kept(run)["game"][f"{project}/rules.py"] != digest_file(project / "rules.py")
    assert go_on(run, "--rounds", "100000").code == 2


def test_the_api_tells_of_changes_too(project: Path, run: Path) -> None:
    with library.open_run(run) as opened:
        assert opened.warnings == []
    (project / "consts.py").write_text("ACTIONS = 3  # edited\n")
    with library.open_run(run) as opened:
        (warning,) = [one for one in opened.warnings if "of the game" in one]
    assert f"{project}/consts.py" in warning


def test_guests_are_kept_and_known_by_all_that_they_consist_of(project: Path, run: Path) -> None:
    rate = ("rate", "--run", run, "--guest", "../duel/bots.py:First", "--games", "10")
    known = league("match", "latest", "../duel/bots.py:First", "--run", run, "--games", "2")
    assert known.code == 0, known.err
    (project / "guest.py").write_text(
        BOTS.replace("0] = 0", "N] = 0").replace("import ACTIONS", "import ACTIONS\nfrom which import N")
    )
    (project / "which.py").write_text("N = 1\n")
    rate = ("rate", "--run", run, "--guest", f"{project}/guest.py:First", "--games", "10")
    assert league(*rate).code == 0
    assert set(kept(run)["guest"]) == {f"{project}/{name}.py" for name in ("guest", "which", "consts")}
    assert league(*rate).code == 0
    (project / "which.py").write_text("N = 2\n")
    refused = league(*rate)
    assert refused.code == 2
    assert "is not the policy of that name that played in" in refused.err
    assert go_on(run, "--rounds", "2").code == 0, "a guest is no part of the run"


def test_a_rating_system_may_change(project: Path, run: Path) -> None:
    text = """
from share_of import half
from league.records import Rating
from league.settings import Settings


class Half:
    settings_type = Settings

    def __init__(self, settings): ...

    def rate(self, ledger, anchors):
        return {one: Rating(half(), 0.0, 1.0, 1) for one in ledger.games_played()}
"""
    (project / "half.py").write_text(text)
    (project / "share_of.py").write_text("def half():\n    return 0.5\n")
    by = f"rating.by={project}/half.py:Half"
    assert go_on(run, "--rounds", "2", "--set", by).code == 0
    assert set(kept(run)["rating system"]) == {f"{project}/half.py", f"{project}/share_of.py"}
    (project / "share_of.py").write_text("def half():\n    return 0.25\n")
    gone_on = go_on(run, "--rounds", "3", "--set", by)
    assert gone_on.code == 0, gone_on.err
    assert f"{project}/share_of.py, of the rating system half.py:Half, has changed" in gone_on.out
    shown = league("standings", "--run", run, "--by", f"{project}/half.py:Half")
    assert shown.out.startswith("half.py:Half ± 95 % interval")
    assert {
        row["rating"]
        for row in league("standings", "--run", run, "--by", f"{project}/half.py:Half", "--json").json["p"]
    } == {0.25}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_what_a_run_says_of_files_is_data(run: Path, tmp_path: Path) -> None:
    """Readers of the database neither load what it names nor wait for what is no file."""
    trap, pipe = tmp_path / "trap.py", tmp_path / "pipe.py"
    trap.write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'sprung')!r}).touch()")
    os.mkfifo(pipe)
    with sqlite3.connect(run / "league.db") as db:
        code = {"what": "game", "folder": str(tmp_path), "content": {"trap.py": "0" * 64, "pipe.py": "1" * 64}}
        fact = {"used": [{**code, "name": f"{trap}:Game"}], "moved": {}}
        db.execute("UPDATE facts SET value = ? WHERE key = ?", (json.dumps(fact), CODE_FACT))
    db.close()
    shown = league("standings", "--run", run)
    assert shown.code == 0
    assert "trap.py and" in shown.err
    assert not (tmp_path / "sprung").exists()
