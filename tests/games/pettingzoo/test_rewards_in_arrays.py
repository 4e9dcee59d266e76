"""Rewards that are arrays of one count as the numbers that they hold, also where PettingZoo adds them up in place."""

from __future__ import annotations

from pathlib import Path

import paying
import pytest

from league.games.pettingzoo.driver import new_driver
from league.games.pettingzoo.spaces import ObservationOptions, agents_of
from league.studies.check.game_under_test import game_under_test
from league.studies.check.pettingzoo_audit import audit


@pytest.mark.parametrize("form", paying.FORMS)
def test_each_form_of_a_reward_pays_the_same(form: str) -> None:
    env = paying.Paying(form)
    driver = new_driver("paying", env, *agents_of("paying", env, ObservationOptions("last")))
    driver.reset(1)
    paid = [driver.step([0, 0]).reward for _ in range(paying.TURNS)]
    assert paid == [[0.25, -0.5], [-0.5, 0.25], [0.25, -0.5], [-0.5, 0.25], [0.25, -0.5], [-1.0, 1.0]]
    assert not driver.acting


@pytest.mark.parametrize("form", paying.FORMS)
def test_check_finds_each_form_of_a_reward_accumulated(form: str) -> None:
    log, _ = audit(game_under_test(f"{Path(paying.__file__)}:Paying", {"form": form}), "", 0.05, seed=0)
    assert [finding.what for finding in log.found if finding.level in ("warning", "error")] == []
