"""Every action space with every form of mask: play and `league check` read them alike."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
from gymnasium import spaces
from masked import ACTS, FORMS, Masked, sizes_of

from league.errors import GameError
from league.games.conformance.suite import random_actions
from league.games.counter_rng import fold
from league.games.pettingzoo.game import PettingZooGame
from league.studies.check.game_under_test import game_under_test
from league.studies.check.pettingzoo_audit import audit

HERE = Path(__file__).parent


def taken(acts: str, form: str) -> bool:
    """What is accepted: flags one after the other, and where an action has parts, a mask for each of them."""
    space = ACTS[acts]
    if isinstance(space, spaces.Box):
        return False
    flat = form in ("flat", "bools", "floats", "listed")
    if len(sizes_of(space)) == 1:
        # For one part, the joint mask is the mask.
        return flat or form in ("tuple", "list", "joint")
    return flat or form in ("tuple", "list", "nested")


CASES = [
    (acts, form, place)
    for acts, form, place in product(ACTS, FORMS, ("obs", "info"))
    # A mask of one flag for each part has the length of a flat mask where an action has one part.
    if not (form in ("per_bit", "nested") and len(sizes_of(ACTS[acts])) == 1)
]


@pytest.mark.parametrize(("acts", "form", "place"), CASES)
def test_masks_in_play(acts: str, form: str, place: str) -> None:
    if not taken(acts, form):
        with pytest.raises(GameError, match=r"the action mask of agent 'a' .*; "):
            PettingZooGame(Masked, 1, acts=acts, form=form, place=place)
        return
    game = PettingZooGame(Masked, 2, acts=acts, form=form, place=place)
    turn = game.start(torch.arange(2))
    for step in range(12):
        turn = game.step(random_actions(game, turn, fold(1, step)), torch.arange(2) + step)
    game.close()


@pytest.mark.parametrize(("acts", "form", "place"), CASES)
def test_masks_in_check(acts: str, form: str, place: str) -> None:
    one = game_under_test(f"{HERE / 'masked.py'}:Masked", {"acts": acts, "form": form, "place": place})
    log, summary = audit(one, "", 0.02, seed=0)
    errors = [finding.check for finding in log.found if finding.level == "error"]
    if taken(acts, form):
        assert errors == []
    else:
        assert any(check.startswith("masks.") for check in errors)
    assert summary.masks
