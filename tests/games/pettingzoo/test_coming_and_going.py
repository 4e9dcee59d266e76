"""Agents that pause, join late, leave for good or come back when they may not: play and check agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paying
import pytest
import torch
from pool import Pool
from torch import Tensor

from league.errors import GameError
from league.games.pettingzoo.driver import new_driver
from league.games.pettingzoo.game import PettingZooGame
from league.games.pettingzoo.spaces import ObservationOptions, agents_of
from league.studies.check.game_under_test import game_under_test
from league.studies.check.pettingzoo_audit import audit

FILE = f"{Path(__file__).parent / 'pool.py'}:Pool"


def played(*taken: list[int], **options: object) -> list[Tensor]:
    """By turn, which workers act (`[3]`), after actions that are given by turn and worker."""
    game = PettingZooGame(Pool, 1, **options)
    turn = game.start(torch.tensor([5]))
    present = [turn.acts["worker"].present[0]]
    for actions in taken:
        turn = game.step({"worker": torch.tensor([actions])}, torch.tensor([6]))
        present.append(turn.acts["worker"].present[0])
    game.close()
    return present


def found(**options: object) -> dict[str, str]:
    """By check, the level of what `league check` finds in played episodes."""
    log, _ = audit(game_under_test(FILE, options), "", 0.05, seed=0)
    return {finding.check: finding.level for finding in log.found if not finding.check.startswith("observations")}


def test_who_pauses_acts_again() -> None:
    present = played([0, 1, 0], [0, 0, 0], [0, 0, 0])
    assert [row.tolist() for row in present] == [
        [True, True, True],
        [True, False, True],
        [True, False, True],
        [True, True, True],
    ]
    assert found() == {"agents.pause": "note"}


def test_who_joins_late_acts_from_then_on() -> None:
    present = played([0, 0, 0], [0, 0, 0], [0, 0, 0], late=True)
    assert [row.tolist()[2] for row in present] == [False, False, False, True]
    assert found(late=True, pauses=False) == {}


def test_who_leaves_for_good_without_a_flag_ends_with_the_others() -> None:
    present = played(*[[0, 0, 0]] * 12, leaver=True)
    assert [row.tolist()[1] for row in present] == [True, True, *[False] * 10, True]
    assert found(leaver=True, pauses=False) == {"agents.unflagged": "warning"}


def test_who_was_over_must_not_come_back() -> None:
    message = r"agent 'worker_\d' is back.*pool\.py:\d+ \(Pool\.step\)\); set an agent's flag only"
    with pytest.raises(GameError, match=message):
        PettingZooGame(Pool, 1, flagged=True)
    assert found(flagged=True)["agents.act-when-over"] == "error"
    # The advice, followed: without the flag nothing but a pause is left.
    assert found(flagged=False) == {"agents.pause": "note"}


@pytest.mark.parametrize("numbers", ["plain", "array", "scalar", "zero_d", "listed", "column"])
def test_numbers_that_can_only_mean_one_thing_are_taken(numbers: str) -> None:
    game = PettingZooGame(Pool, 1, numbers=numbers, pauses=False)
    turn = game.start(torch.tensor([5]))
    total = np.zeros(3)
    for step in range(12):
        assert turn.acts["worker"].obs[0].tolist() == [[step, 3.0, 0.0]] * 3
        turn = game.step({"worker": torch.tensor([[0, 1, 0]])}, torch.tensor([6]))
        total += turn.reward[0].numpy()
    assert total.tolist() == [3.0, 3.0, 3.0]
    assert bool(turn.ended[0])
    assert turn.truncated[0].tolist() == [True] * 3
    game.close()
    assert "error" not in found(numbers=numbers, pauses=False).values()


def test_agents_of_a_game_in_turn_are_listed_in_any_form_with_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    env = paying.Paying()
    driver = new_driver("paying", env, *agents_of("paying", env, ObservationOptions("last")))
    reset = env.reset
    for listed in (tuple, np.array, lambda agents: dict.fromkeys(agents).keys()):
        monkeypatch.setattr(
            env, "reset", lambda seed, form=listed: (reset(seed), vars(env).update(agents=form(env.agents)))
        )
        driver.reset(1)
        assert driver.acting == (0,)
    monkeypatch.setattr(env, "reset", lambda seed: (reset(seed), vars(env).update(agents=2)))
    with pytest.raises(GameError, match="`agents` is 2, not a list of agents"):
        driver.reset(1)
