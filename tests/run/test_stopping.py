"""A run that is stopped after any round goes on to the same bytes, in games and leagues of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import COPIES, content, tiny, trained

from league.orchestrator import League
from league.storage.store import Store


@pytest.mark.parametrize(
    "changes",
    [
        ("game.id=pettingzoo:classic/tictactoe-v3", "algorithm.slots=4"),
        ("game.id=leduc",),
        ("matchmaking.kind=fictitious", "population.learners=1"),
        ("game.id=tag", "game.options={max_cycles = 7}", "algorithm.slots=5", "population.learners=1"),
        (
            "game.id=mpe2:simple_tag_v3",
            "game.options={max_cycles = 7}",
            "algorithm.slots=2",
            "population.learners=1",
            "workers=2",
        ),
        (
            "game.id=mpe2:simple_push_v3",
            "game.options={max_cycles = 7, continuous_actions = true}",
            "game.reward=team",
            "algorithm.slots=2",
            "population.learners=1",
        ),
    ],
)
def test_stopping_and_going_on_is_not_stopping(tmp_path: Path, changes: tuple[str, ...]) -> None:
    small = ("population.snapshot_every=1", "rating.matches_per_snapshot=1", "rating.games_per_match=4")
    League(tiny(*changes, *small, "budget.rounds=1"), tmp_path / "straight").close()
    for name, stops in (("straight", (3,)), ("stopped", (1, 2, 3))):
        for rounds in stops:
            trained(tiny(*changes, *small, f"budget.rounds={rounds}"), tmp_path / name)
    assert content(tmp_path / "stopped") == content(tmp_path / "straight")


def test_all_that_a_matchmaker_sees_is_the_same_after_a_stop(away: Path) -> None:
    (away / "copies.py").write_text(COPIES)
    # Every decision counts, so that each second round copies.
    changes = ("matchmaking.kind=copies.py:Copies", "population.snapshot_every=1", "game.random_starts=0")
    League(tiny(*changes, "budget.rounds=1"), away / "straight").close()
    for name, stops in (("straight", (6,)), ("stopped", (1, 2, 3, 5, 6))):
        for rounds in stops:
            trained(tiny(*changes, f"budget.rounds={rounds}"), away / name)
    assert content(away / "stopped") == content(away / "straight")
    with Store.reader(away / "straight") as store:
        assert sum(event.kind == "exploit" for event in store.events()) == 2
