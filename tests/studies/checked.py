"""What the tests of `league check` share: games checked, and a clock that is the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import Called, league

from league.studies.check import random_play, short_training
from league.studies.check.game_under_test import GameUnderTest, game_under_test

BROKEN = Path(__file__).with_name("broken.py")


class Ticks:
    """A clock that moves on by the same time whenever it is read, so that what it limits is equal everywhere."""

    def __init__(self, step: float) -> None:
        self.step, self.now = step, 0.0

    def perf_counter(self) -> float:
        self.now += self.step
        return self.now


def steady(monkeypatch: pytest.MonkeyPatch, round: float = 0.1, turn: float = 5e-3) -> None:
    """Let a round of a lesson, and a third of a turn of random play, take so many seconds."""
    monkeypatch.setattr(short_training, "time", Ticks(round))
    monkeypatch.setattr(random_play, "time", Ticks(turn))


def checked(game: str, *options: str) -> Called:
    return league("check", game, *(options or ("--seconds", "0.5")), "--steps", "0", "--json")


def broken(name: str, how: str = "") -> GameUnderTest:
    return game_under_test(f"{BROKEN}:{name}", {"how": how} if how else {})


def named(called: Called, *levels: str) -> list[dict[str, str]]:
    """The findings of a report with these levels."""
    return [finding for finding in called.json["findings"] if finding["level"] in levels]
