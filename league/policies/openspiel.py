"""OpenSpiel's Monte Carlo tree search as a policy for OpenSpiel's games."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from league.errors import PolicyError
from league.games.core import GameSpec
from league.games.openspiel import search
from league.policies.core import Rows
from league.policies.mcts import EXPLORATION, visit_logits

_FAMILY = "openspiel"


@dataclass(frozen=True, slots=True)
class SpielMCTS:
    """`simulations` simulations a move by `pyspiel.MCTSBot`; moves are chosen from the visits as in `MCTS`."""

    role: str
    actions: int
    simulations: int

    def logits(self, rows: Rows) -> Tensor:
        """`[N, A]`, as of `MCTS.logits`."""
        if rows.positions is None:
            raise PolicyError("mcts looks ahead: it needs the positions to search")
        found = search.search(rows.positions(), self.simulations, self.actions, EXPLORATION)
        return visit_logits(*found).to(rows.seat.device)


def is_spiel(game: GameSpec) -> bool:
    """Whether a game is one of OpenSpiel's."""
    return game.id.startswith(f"{_FAMILY}:")


def why_not(game: GameSpec) -> str | None:
    """Why `SpielMCTS` cannot play a game of OpenSpiel, or None where it can."""
    return search.why_not(game.id.partition(":")[2], game.options)
