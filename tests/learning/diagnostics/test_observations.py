"""How the observations of seats differ, in made-up numbers and in random play."""

from __future__ import annotations

import torch

from league.games.registry import make
from league.learning.diagnostics.observations import observation_differences, random_observations


def test_observations_that_differ_are_told_by_seat() -> None:
    generator = torch.Generator().manual_seed(1)
    common = torch.rand((400, 4), generator=generator)
    blind = common.clone()
    blind[:, 2] = 0.0
    told = observation_differences({"a": common, "b": blind})
    assert "varies for others and not for b: 2 of 4 numbers" in told
    assert "most in number 2 (0.5" in told
    assert observation_differences({"a": common, "b": common[:200]}).startswith("the same numbers vary for a, b, means")
    wider = observation_differences({"a": common, "c": torch.rand((9, 2, 4), generator=generator), "b": blind})
    assert wider.startswith("4 numbers seen by a, b, 8 numbers seen by c; what varies")
    assert observation_differences({"a": common, "b": common[:0]}) == ""


def test_what_seats_see_in_random_play() -> None:
    seen = random_observations(make("speaker_listener", 16), 3)
    assert {seat: (len(one), *one.shape[1:]) for seat, one in seen.items()} == {
        "speaker_0": (512, 3),
        "listener_0": (512, 11),
    }
    assert observation_differences(seen) == "3 numbers seen by speaker_0, 11 numbers seen by listener_0"
    boards = random_observations(make("connect_four", 16), 3)
    assert len(boards["player_0"]) + len(boards["player_1"]) == 512, "in turns, one of them sees the board"
    again = random_observations(make("connect_four", 16), 3)
    assert torch.equal(boards["player_0"], again["player_0"])
