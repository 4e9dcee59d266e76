"""Detects whether greedy play repeats the same episodes, as it does in games without chance."""

from __future__ import annotations

import torch

from league.games.core import Game
from league.games.counter_rng import mix
from league.play.table import Move


class ActionHashes:
    """Hashes all actions of each episode, as a listener of match play with one game."""

    def __init__(self, slots: int, episodes: int) -> None:
        self._running = torch.zeros(slots, dtype=torch.int64)
        self._ended = torch.zeros(episodes + 1, dtype=torch.int64)

    def __call__(self, move: Move) -> None:
        for role, action in move.action.items():
            numbers = action.view(torch.int32) if action.is_floating_point() else action
            numbers = numbers.flatten(2) if numbers.dim() > 2 else numbers[..., None]
            taken = torch.where(move.acts[role].present[..., None], numbers, -1).flatten(1).cpu()
            for column in taken.unbind(1):
                self._running = mix(self._running, column)
        ended, last = move.turn.ended.cpu(), len(self._ended) - 1
        self._ended[torch.where(ended, move.episode.cpu().clamp(max=last), last)] = self._running
        self._running = torch.where(ended, 0, self._running)

    def different(self) -> int:
        """The number of distinct episodes."""
        return len(self._ended[:-1].unique())


def starts_vary(game: Game) -> bool:
    """Whether the first observations of an episode depend on its seed. This restarts the game."""
    turn = game.start(torch.arange(1, game.slots + 1, device=game.device))
    seen = [acting.obs for acting in turn.acts.values()] + ([turn.state] if turn.state is not None else [])
    return any(bool((values != values[:1]).any()) for values in seen)
