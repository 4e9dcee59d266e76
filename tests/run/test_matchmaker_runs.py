"""Every matchmaker in a run from the command line; a run that stops in between ends in the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import content, league

from league.matchmaking.core import MATCHMAKERS


@pytest.mark.parametrize("kind", sorted(MATCHMAKERS))
def test_a_run_that_goes_on_is_the_same_as_one_that_never_stopped(away: Path, kind: str) -> None:
    for name, rounds in (("whole", ["1", "5"]), ("parts", ["1", "3", "5"])):
        for until in rounds:
            args = ("--set", f"matchmaking.kind={kind}", "--set", "population.snapshot_every=1", "--rounds", until)
            called = league("run", "tiny.toml", "-r", name, *args, "--plain")
            assert called.code == 0, called.err
    assert content(away / "runs" / "whole") == content(away / "runs" / "parts")
