"""The game to check with its options, as a bare environment (if it is one) and as a `Game`. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from league.games.pettingzoo.sources import Source
from league.games.registry import make, source_of
from league.studies.check.environment import BareEnvironment

if TYPE_CHECKING:
    from league.games.core import Game


@dataclass(frozen=True, slots=True)
class GameUnderTest:
    """A game by its name. source: where its environments come from; None for games in batched torch."""

    id: str
    options: Mapping[str, object]
    source: Source | None

    def bare(self) -> BareEnvironment:
        """A new environment. Raises GameError and EnvCallError."""
        assert self.source is not None
        return BareEnvironment(self.id, self.source.build())

    def game(self, slots: int) -> Game:
        """A new game of so many slots, on the CPU and in this process. Raises GameError."""
        return make(self.id, slots, "cpu", self.options)

    def changed(self, options: Mapping[str, object]) -> GameUnderTest:
        """The same game with other options beside its own."""
        return game_under_test(self.id, {**self.options, **options})


def game_under_test(id: str, options: Mapping[str, object]) -> GameUnderTest:
    """Find a game. Raises GameError if it does not exist."""
    return GameUnderTest(id, options, source_of(id, options))
