"""The options of a command that override the config."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """The values of a command's options that override the config; None leaves it unchanged."""

    game: str | None = None
    seed: int | None = None
    set: tuple[str, ...] = ()
    rounds: int | None = None
    steps: int | None = None
    minutes: float | None = None
    device: str | None = None

    def words(self) -> list[str]:
        """The options as words of a command that can be typed anywhere, without the game and the budgets."""
        found = [word for one in self.set for word in ("--set", one)]
        found += ["--seed", str(self.seed)] if self.seed is not None else []
        return found + (["--device", self.device] if self.device else [])

    def assignments(self) -> list[str]:
        """The options as KEY=VALUE strings. Any budget given here replaces all budgets of the config."""
        found = [f"game.id={json.dumps(self.game, ensure_ascii=False)}"] if self.game else []
        found += list(self.set)
        budget = {"rounds": self.rounds, "steps": self.steps, "minutes": self.minutes}
        if any(value is not None for value in budget.values()):
            found += [f"budget.{key}={'none' if value is None else value}" for key, value in budget.items()]
        found += [f"seed={self.seed}"] if self.seed is not None else []
        return found + ([f"device={json.dumps(self.device)}"] if self.device else [])


def game_from_anywhere(game: str) -> str:
    """The id of a game, with the path of a file made absolute, to be printed in commands."""
    place, colon, name = game.rpartition(":")
    return f"{Path(place).absolute()}:{name}" if colon and place.endswith(".py") else game
