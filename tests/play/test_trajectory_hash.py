"""Repeated games are recognised, in any batch: known numbers of different games, and a count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from league.games.registry import make
from league.play.fixture import fixtures
from league.play.match import play_episodes
from league.play.table import Table
from league.policies.core import Policy
from league.policies.scripted import Random
from league.threads import Threads


def hashes(game: str, games: int, slots: list[int], threads: int = 1) -> np.ndarray:
    """`[games]` of random play."""
    batches = [make(game, count) for count in slots]
    role = batches[0].spec.roles[0]
    players: dict[str, Policy] = {name: Random(role.name, role.actions) for name in "ab"}
    pool = Threads(threads)
    played = play_episodes(batches, players, fixtures(batches[0].spec, ["a", "b"], games, 3), threads=pool, hashed=True)
    pool.close()
    found = [one.trajectory for one in played]
    return np.concatenate([one.ravel() for one in found if one is not None])


@pytest.mark.parametrize(("game", "known"), [("rps", 9), ("kuhn", 30)])
def test_every_game_that_there_is(game: str, known: int) -> None:
    """Two choose one of three at once; six deals of Kuhn poker can each be played in five ways."""
    assert len(np.unique(hashes(game, 2000, [64]))) == known


@pytest.mark.parametrize(("slots", "threads"), [([1], 1), ([7], 1), ([300], 1), ([32, 32], 2)])
def test_a_hash_depends_on_its_game_only(slots: list[int], threads: int) -> None:
    assert (hashes("tictactoe", 200, slots, threads) == hashes("tictactoe", 200, [64])).all()


def test_games_are_told_apart_as_their_moves_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tic-tac-toe has no chance, so that games are their moves; those of 3,000 games are written down here."""
    moves: dict[int, list[int]] = {}
    advance = Table.advance

    def written(table: Table) -> object:
        move = advance(table)
        for episode, action in zip(move.episode.tolist(), move.action["player"].flatten().tolist(), strict=True):
            moves.setdefault(episode, []).append(action)
        return move

    monkeypatch.setattr(Table, "advance", written)
    found = hashes("tictactoe", 3000, [100])
    games = [tuple(moves[episode]) for episode in range(3000)]
    assert len(set(zip(games, found.tolist(), strict=True))) == len(set(games)) == len(np.unique(found))
    assert 2000 < len(set(games)) < 3000


def test_hashes_are_only_made_where_asked_for() -> None:
    game = make("rps", 8)
    role = game.spec.roles[0]
    players: dict[str, Policy] = {name: Random(role.name, role.actions) for name in "ab"}
    (one, *_) = play_episodes([game], players, fixtures(game.spec, ["a", "b"], 8, 0))
    assert one.trajectory is None
