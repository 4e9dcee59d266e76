"""One finished tiny run, shared by the tests that only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import TINY, Called, league


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The working directory is no repository: a run notes its commit, which may change while the tests are run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Called]:
    """A folder with tiny.toml and runs/tiny, trained by `league run tiny.toml`, and what that command printed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.toml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        called = league("run", "tiny.toml", "--plain")
    assert called.code == 0, called.err
    return folder, called


@pytest.fixture
def here(finished: tuple[Path, Called], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory is the finished run's; only for reading."""
    monkeypatch.chdir(finished[0])
    return finished[0]


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory is an empty folder with tiny.toml."""
    (tmp_path / "tiny.toml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    return tmp_path
