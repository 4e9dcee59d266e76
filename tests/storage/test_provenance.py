"""Provenance: what made a run, and in words what differs when it is resumed elsewhere."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess

import torch

from league.storage.provenance import differences, provenance

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_it_names_versions_machine_and_commit_and_does_not_change_from_call_to_call(tmp_path):
    facts = provenance(tmp_path)
    assert facts == provenance(tmp_path)
    assert facts["python"] == platform.python_version()
    assert facts["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert int(facts["cores"]) >= 1
    assert facts["gpu"] == (torch.cuda.get_device_name() if torch.cuda.is_available() else "none")
    assert set(facts) == {
        *("league", "torch", "numpy", "pettingzoo", "openskill", "python", "platform", "cpu", "cores", "gpu", "commit")
    }
    assert all(facts.values())


def test_differences_are_sentences_and_equal_places_have_none():
    old = {"torch": "2.6", "cpu": "old", "cores": "2"}
    assert differences(old, old) == []
    assert differences(old, {"torch": "2.7", "cpu": "old", "gpu": "H100"}) == [
        "cores was 2 and is now none",
        "gpu was none and is now H100",
        "torch was 2.6 and is now 2.7",
    ]


def repository(folder, head, **refs):
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text(head)
    for name, text in refs.items():
        path = folder / ".git" / name.replace("__", "/").replace("_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_commit_is_found_from_a_folder_below_loose_packed_or_detached(tmp_path):
    repository(tmp_path / "loose", "ref: refs/heads/main\n", refs__heads__main=f"{COMMIT}\n")
    (tmp_path / "loose" / "a" / "b").mkdir(parents=True)
    repository(tmp_path / "packed", "ref: refs/heads/main\n", packed_refs=f"# pack\n{COMMIT} refs/heads/main\n")
    repository(tmp_path / "detached", f"{COMMIT}\n")
    for place in ("loose/a/b", "packed", "detached"):
        assert provenance(tmp_path / place)["commit"] == COMMIT, place


def test_a_repository_without_a_readable_commit_has_none(tmp_path):
    repository(tmp_path / "unborn", "ref: refs/heads/main\n")
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ".git").write_bytes(b"\xff\xfe")
    for place in ("unborn", "empty", "odd"):
        assert provenance(tmp_path / place)["commit"] == "none", place


def test_a_worktree_made_by_git_itself_has_its_commit(tmp_path):
    assert shutil.which("git"), "git is needed to make the repository"

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(tmp_path / "main"), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    (tmp_path / "main").mkdir()
    git("init")
    git("commit", "--allow-empty", "-m", "first")
    git("worktree", "add", str(tmp_path / "tree"), "-b", "side")
    commit = git("rev-parse", "HEAD")
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert provenance(tmp_path / "main")["commit"] == provenance(tmp_path / "tree")["commit"] == commit
    git("pack-refs", "--all")
    assert provenance(tmp_path / "tree")["commit"] == commit
