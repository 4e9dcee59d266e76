"""Match play: fixtures between frozen policies, all in one table, every episode fixed beforehand and played out.

Counting the first episodes to finish would favour short games; here episode e is played whatever its length.
Letters in shapes: B slots, S seats, P posts, N episodes of the job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from league.games.chance import mix
from league.games.core import Game, GameSpec
from league.play.fixture import Fixture
from league.play.table import Move, Table
from league.policies.core import Policy
from league.records import MatchResult, PolicyId


class _Fixed:
    """A schedule of N episodes known beforehand; slots that run out go on with the last one, unrecorded."""

    def __init__(self, lineup: Tensor, seed: Tensor, key: Tensor) -> None:
        self._lineup, self._seed, self._key = lineup, seed, key

    def lineups(self, episodes: Tensor) -> Tensor:
        return self._lineup[self._row(episodes)]

    def seeds(self, episodes: Tensor) -> Tensor:
        return self._seed[self._row(episodes)]

    def keys(self, episodes: Tensor) -> Tensor:
        return self._key[self._row(episodes)]

    def _row(self, episodes: Tensor) -> Tensor:
        return episodes.clamp(max=len(self._seed) - 1)


def play(
    game: Game,
    policies: Mapping[PolicyId, Policy],
    fixtures: Sequence[Fixture],
    temperature: float = 1.0,
    tick: Callable[[float], None] = lambda fraction: None,
    watch: Callable[[Table], None] | None = None,
    listen: Callable[[Move], None] | None = None,
) -> list[MatchResult]:
    """Play every fixture to the end; one result each, in order. Raises PolicyError where a policy cannot play its part.

    game: any slots. policies: by the ids that the fixtures name. temperature: of every policy's choice (0 is greedy).
    tick: called with the share of episodes that ended. watch: called with the table before each turn.
    listen: called with every move; episodes are numbered in the fixtures' order, idle slots play higher numbers.
    """
    if not fixtures:
        return []
    names = sorted({name for fixture in fixtures for lineup in fixture.episodes for name in lineup})
    number = {name: index for index, name in enumerate(names)}
    lineup = torch.tensor(
        [
            [number[name] for name in episode]
            for fixture in fixtures
            for _ in range(fixture.games)
            for episode in fixture.episodes
        ],
        device=game.device,
    )
    drawn = [_seeds(fixture, game.device) for fixture in fixtures]
    seed, key = (torch.cat(part) for part in zip(*drawn, strict=True))
    table = Table(game, [policies[name] for name in names], _Fixed(lineup, seed, key), temperature)
    score, turns, forfeit = _play_out(table, len(seed), tick, watch, listen)
    results, begin = [], 0
    for fixture in fixtures:
        end = begin + fixture.games * len(fixture.episodes)
        part = slice(begin, end)
        results.append(_result(game.spec, fixture, score[part], turns[part], forfeit[part]))
        begin = end
    return results


def placements(totals: np.ndarray) -> np.ndarray:
    """Ranks `[G, C]` by descending total, equals sharing the better rank: 0 for first. totals: `[G, C]`."""
    ranks: np.ndarray = (totals[:, None, :] > totals[:, :, None]).sum(2)
    return ranks


def post_scores(spec: GameSpec, score: np.ndarray) -> np.ndarray:
    """`[..., S]` scores by seat → `[..., P]`: the mean over each post's seats."""
    return np.stack([score[..., list(post.seats)].mean(-1) for post in spec.posts], -1)


def _play_out(
    table: Table,
    episodes: int,
    tick: Callable[[float], None],
    watch: Callable[[Table], None] | None,
    listen: Callable[[Move], None] | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores `[N, S]`, lengths in turns `[N]` and forfeits `[N, S]` of every episode."""
    game = table.game
    seats = len(game.spec.seats)
    # One row more than there are episodes takes what idle slots bring.
    score = torch.zeros((episodes + 1, seats), device=game.device)
    forfeit = torch.zeros((episodes + 1, seats), dtype=torch.bool, device=game.device)
    turns = torch.zeros(episodes + 1, dtype=torch.int64, device=game.device)
    table.start()
    left = episodes
    while left:
        if watch is not None:
            watch(table)
        move = table.advance()
        if listen is not None:
            listen(move)
        counted = move.turn.ended & (move.episode < episodes)
        into = torch.where(counted, move.episode, episodes)
        score[into], turns[into] = move.turn.score, move.clock + 1
        if move.turn.forfeit is not None:
            forfeit[into] = move.turn.forfeit
        left -= int(counted.sum())
        tick(1 - left / episodes)
    return score[:-1].cpu().numpy().astype(np.float64), turns[:-1].cpu().numpy(), forfeit[:-1].cpu().numpy()


def _seeds(fixture: Fixture, device: torch.device) -> tuple[Tensor, Tensor]:
    """Seed and key of each episode, `[games * E]`: the E episodes of one game share their seed, never their key."""
    games = mix(fixture.seed, torch.arange(fixture.games, device=device)).repeat_interleave(len(fixture.episodes))
    number = torch.arange(len(fixture.episodes), device=device).repeat(fixture.games)
    return games, mix(games, number)


def _result(spec: GameSpec, fixture: Fixture, score: np.ndarray, turns: np.ndarray, forfeit: np.ndarray) -> MatchResult:
    """Count one fixture. score: `[games * E, S]`."""
    width = sum(len(contestant) for contestant in fixture.contestants)
    posts = post_scores(spec, score).reshape(fixture.games, len(fixture.episodes), -1)
    lost = post_scores(spec, forfeit.astype(np.float64)).reshape(posts.shape) > 0
    held: list[list[np.ndarray]] = [[] for _ in range(width)]
    forfeits = [0] * width
    for e, holders in enumerate(fixture.holders):
        for post, holder in enumerate(holders):
            if holder >= 0:
                held[holder].append(posts[:, e, post])
                forfeits[holder] += int(lost[:, e, post].sum())
    per_policy = np.stack([np.stack(values).sum(0) for values in held], 1)
    bounds = np.cumsum([0, *(len(contestant) for contestant in fixture.contestants)])
    totals = np.stack([per_policy[:, a:b].sum(1) for a, b in pairwise(bounds)], 1)
    patterns, counts = np.unique(placements(totals), axis=0, return_counts=True)
    return MatchResult(
        lineup=fixture.contestants,
        games=fixture.games,
        placements={
            tuple(int(rank) for rank in pattern): int(count) for pattern, count in zip(patterns, counts, strict=True)
        },
        score_sum=tuple(float(np.stack(values).sum()) for values in held),
        score_sq=tuple(float(np.square(np.stack(values)).sum()) for values in held),
        episodes=fixture.games * len(fixture.episodes),
        turns=int(turns.sum()),
        seed=fixture.seed,
        paired=len(fixture.episodes) > 1,
        forfeits=tuple(forfeits),
        others=fixture.others,
    )
