"""What studies play their episodes in: games made for as many as there are, and the threads that share them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from league.execution.executor import match_games
from league.games.core import Game, GameSpec
from league.run.slots import usual_slots
from league.threads import Threads


@contextmanager
def games_for(make: Callable[[int], Game], spec: GameSpec, episodes: int) -> Iterator[tuple[list[Game], Threads]]:
    """Games for so many episodes, and threads; both are closed afterwards.

    make: a new game of so many slots.
    """
    games, threads = match_games(make, episodes, usual_slots(spec, False)), Threads(0)
    try:
        yield games, threads
    finally:
        for game in games:
            game.close()
        threads.close()
