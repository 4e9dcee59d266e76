"""How many games are played side by side: chosen once by what the game shows, and kept in the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import committed, tiny, trained

from league.games.registry import make
from league.run.slots import SLOTS_FACT, usual_slots
from league.storage.store import Store


@pytest.mark.parametrize(
    ("game", "slots"),
    [
        ("connect_four", 512),
        ("pettingzoo:classic/connect_four-v3", 256),
        ("mpe2:simple_spread_v3", 64),  # three decisions a turn
        ("mpe2:simple_tag_v3", 64),  # four
    ],
)
def test_so_many_environments_are_stepped_that_a_turn_has_enough_decisions(game: str, slots: int) -> None:
    made = make(game, 1)
    assert usual_slots(made.spec, game == "connect_four") == slots
    made.close()


def test_a_run_keeps_the_number_that_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ("game.id=pettingzoo:classic/tictactoe-v3", "algorithm.slots=none", "algorithm.turns=2", "workers=0")
    folder = trained(tiny(*small, "population.learners=1", "budget.rounds=1"), tmp_path / "run")
    with Store.reader(folder) as store:
        assert store.facts()[SLOTS_FACT] == 256
    # Another version of the rule would choose otherwise: the games in progress must still fit.
    monkeypatch.setattr("league.run.open.usual_slots", lambda spec, native: 32)
    trained(tiny(*small, "population.learners=1", "budget.rounds=2"), folder)
    assert committed(folder) == 2
