"""Match play: fixtures between frozen policies, all in one table, every episode fixed beforehand and played out.

Counting the first episodes to finish would favour short games; here episode e is played whatever its length.
Letters in shapes: B slots, S seats, P posts, N episodes of the job.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from league.games.core import Game, GameSpec
from league.games.counter_rng import mix
from league.matchmaking.posts import post_of_seat
from league.play.fixture import Fixture
from league.play.table import Move, Table
from league.play.trajectory_hash import TrajectoryHashes
from league.policies.core import Policy
from league.records import MatchResult, PolicyId, Post, SeatScore
from league.threads import Threads

_ALONE = Threads(1)
_Played = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Episodes:
    """The results of each episode of a fixture; letters: G its games, E the episodes of a game.

    score: `[G, E, S]` float64, by seat. turns: `[G, E]` int64. forfeit: `[G, E, S]` bool, seats that lost by an
    illegal move. trajectory: `[G, E]` int64, equal for equal games (`TrajectoryHashes`); None unless asked for.
    """

    score: np.ndarray
    turns: np.ndarray
    forfeit: np.ndarray
    trajectory: np.ndarray | None = None


class _Fixed:
    """A schedule of N fixed episodes; slots without further episodes repeat the last one, and nobody decides there."""

    def __init__(self, lineup: Tensor, seed: Tensor, key: Tensor) -> None:
        self._lineup = torch.cat((lineup, torch.full_like(lineup[:1], -1)))
        self._seed, self._key = seed, key

    def lineups(self, episodes: Tensor) -> Tensor:
        return self._lineup[episodes.clamp(max=len(self._seed))]

    def seeds(self, episodes: Tensor) -> Tensor:
        return self._seed[self._row(episodes)]

    def keys(self, episodes: Tensor) -> Tensor:
        return self._key[self._row(episodes)]

    def _row(self, episodes: Tensor) -> Tensor:
        return episodes.clamp(max=len(self._seed) - 1)


def play(
    games: Sequence[Game],
    policies: Mapping[PolicyId, Policy],
    fixtures: Sequence[Fixture],
    temperature: float = 1.0,
    tick: Callable[[float], None] = lambda fraction: None,
    watch: Callable[[Table], None] | None = None,
    threads: Threads = _ALONE,
    posts: Sequence[Post] | None = None,
) -> list[MatchResult]:
    """Play every fixture to the end; one result each, in order. Arguments and errors are those of `play_episodes`."""
    played = play_episodes(games, policies, fixtures, temperature, tick, watch, threads, posts)
    return results_of(games[0].spec, fixtures, played, posts)


def play_episodes(
    games: Sequence[Game],
    policies: Mapping[PolicyId, Policy],
    fixtures: Sequence[Fixture],
    temperature: float = 1.0,
    tick: Callable[[float], None] = lambda fraction: None,
    watch: Callable[[Table], None] | None = None,
    threads: Threads = _ALONE,
    posts: Sequence[Post] | None = None,
    hashed: bool = False,
    observe: Callable[[Move], None] | None = None,
) -> list[Episodes]:
    """Play every fixture to the end; the episodes of each, in order. Raises PolicyError where a policy cannot play.

    games: any slots; each plays its part of the episodes, and threads share the parts out. policies: by the ids that
    the fixtures name. temperature: of every policy's choice (0 is greedy). tick: called with the share of episodes that
    ended. watch: called with the table before each turn; pass one game only. posts: those that the fixtures' lineups
    fill; by default the game's own. hashed: whether to tell equal games from different ones. observe: called with every
    move, in which slots without further episodes have episodes beyond the last; pass one game only.
    """
    if not fixtures:
        return []
    names = sorted({name for fixture in fixtures for lineup in fixture.episodes for name in lineup})
    number = {name: index for index, name in enumerate(names)}
    seated = [policies[name] for name in names]
    lineup = torch.cat([_lineups(fixture, number) for fixture in fixtures])
    drawn = [_seeds(fixture) for fixture in fixtures]
    seed, key = (torch.cat(part) for part in zip(*drawn, strict=True))
    games = games[: len(seed)]
    begins = [len(seed) * part // len(games) for part in range(len(games) + 1)]
    progress = _Progress(len(seed), tick)

    def play_part(part: int) -> _Played:
        here, game = slice(begins[part], begins[part + 1]), games[part]
        schedule = _Fixed(*(values[here].to(game.device) for values in (lineup, seed, key)))
        table = Table(game, seated, schedule, temperature, posts=posts)
        return _play_out(table, begins[part + 1] - begins[part], progress, watch, hashed, observe)

    parts = threads.map(play_part, range(len(games)), progress.tell, progress.give_up)
    score, turns, forfeit, trajectory = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    found, begin = [], 0
    for fixture in fixtures:
        shape = (fixture.games, len(fixture.episodes))
        part = slice(begin, begin := begin + shape[0] * shape[1])
        found.append(
            Episodes(
                score[part].reshape(*shape, -1),
                turns[part].reshape(shape),
                forfeit[part].reshape(*shape, -1),
                trajectory[part].reshape(shape) if hashed else None,
            )
        )
    return found


def results_of(
    spec: GameSpec, fixtures: Sequence[Fixture], played: Sequence[Episodes], posts: Sequence[Post] | None = None
) -> list[MatchResult]:
    """Count the episodes of each fixture. posts: as in `play_episodes`."""
    holder = post_of_seat(spec.posts if posts is None else posts)
    return [_result(spec.scored, holder, fixture, found) for fixture, found in zip(fixtures, played, strict=True)]


def placements(totals: np.ndarray) -> np.ndarray:
    """Ranks `[G, C]` by descending total, equals sharing the better rank: 0 for first. totals: `[G, C]`."""
    ranks: np.ndarray = (totals[:, None, :] > totals[:, :, None]).sum(2)
    return ranks


def post_scores(posts: Sequence[Post], score: np.ndarray) -> np.ndarray:
    """`[..., S]` scores by seat → `[..., P]`: the mean over each post's seats."""
    return np.stack([score[..., list(post.seats)].mean(-1) for post in posts], -1)


class _Progress:
    """Counts ended episodes over all parts of a match, and reports them in the thread that started it."""

    def __init__(self, episodes: int, tick: Callable[[float], None]) -> None:
        self._left, self._episodes, self._tick = episodes, episodes, tick
        self._lock, self._home, self._over = threading.Lock(), threading.get_ident(), False

    def ended(self, episodes: int) -> None:
        """Add ended episodes. Raises RuntimeError if the match has been given up, to end its other parts."""
        with self._lock:
            self._left -= episodes
        if threading.get_ident() == self._home:
            self.tell()
        elif self._over:
            raise RuntimeError("the match was given up")

    def tell(self) -> None:
        """Call `tick`; an exception from it ends the match."""
        self._tick(1 - self._left / self._episodes)

    def give_up(self) -> None:
        """Stop the parts that are still being played."""
        self._over = True


def _play_out(
    table: Table,
    episodes: int,
    progress: _Progress,
    watch: Callable[[Table], None] | None,
    hashed: bool,
    observe: Callable[[Move], None] | None,
) -> _Played:
    """Scores `[N, S]`, lengths in turns `[N]`, forfeits `[N, S]` and hashes `[N]` of every episode."""
    game = table.game
    seats = len(game.spec.seats)
    # One extra row takes the results of idle slots.
    score = torch.zeros((episodes + 1, seats), device=game.device)
    forfeit = torch.zeros((episodes + 1, seats), dtype=torch.bool, device=game.device)
    turns = torch.zeros(episodes + 1, dtype=torch.int64, device=game.device)
    trajectory = torch.zeros(episodes + 1, dtype=torch.int64)
    hashes = TrajectoryHashes(game.slots) if hashed else None
    table.start()
    # Slots without further episodes would play for nothing; `watch` needs every slot at its place.
    may_shrink = game.can_fork and watch is None
    left = episodes
    while left:
        if watch is not None:
            watch(table)
        move = table.advance()
        if observe is not None:
            observe(move)
        for role, log_prob in move.log_prob.items():
            table.check(log_prob, move.owner[role])
        rows = move.turn.ended.nonzero()[:, 0]
        into = move.episode[rows].clamp(max=episodes)
        score[into], turns[into] = move.turn.score[rows], move.clock[rows] + 1
        if move.turn.forfeit is not None:
            forfeit[into] = move.turn.forfeit[rows]
        if hashes is not None:
            trajectory[into.cpu()] = hashes.ended(move)
        ended = int((into < episodes).sum())
        left -= ended
        progress.ended(ended)
        if may_shrink and 2 * left <= table.game.slots:
            playing = (table.episode < episodes).nonzero()[:, 0]
            if 0 < 2 * len(playing) <= table.game.slots:
                table.keep(playing)
                if hashes is not None:
                    hashes.keep(playing)
    return (
        score[:-1].cpu().numpy().astype(np.float64),
        turns[:-1].cpu().numpy(),
        forfeit[:-1].cpu().numpy(),
        trajectory[:-1].numpy(),
    )


def _lineups(fixture: Fixture, number: Mapping[PolicyId, int]) -> Tensor:
    """The policy at each post, `[games * E, P]`."""
    return torch.tensor([[number[name] for name in episode] for episode in fixture.episodes]).repeat(fixture.games, 1)


def _seeds(fixture: Fixture) -> tuple[Tensor, Tensor]:
    """Seed and key of each episode, `[games * E]`: the E episodes of one game share their seed, never their key."""
    first, step = fixture.numbers
    games = mix(fixture.seed, first + step * torch.arange(fixture.games)).repeat_interleave(len(fixture.episodes))
    number = torch.arange(len(fixture.episodes)).repeat(fixture.games)
    return games, mix(games, number)


def totals(fixture: Fixture, found: Episodes, posts: Sequence[Post]) -> np.ndarray:
    """`[G, C]` the total score of each contestant in each game, which decides it. posts: that the lineups fill."""
    by_post, ends = post_scores(posts, found.score), np.cumsum([0, *map(len, fixture.contestants)])
    policies = np.zeros((fixture.games, int(ends[-1])))
    for e, rated_index in enumerate(fixture.rated_index):
        for index in sorted(set(rated_index) - {-1}):
            held = [post for post, rated in enumerate(rated_index) if rated == index]
            seats = np.array([len(posts[post].seats) for post in held])
            policies[:, index] += by_post[:, e, held] @ (seats / seats.sum())
    return np.stack([policies[:, a:b].sum(1) for a, b in pairwise(ends)], 1)


def _result(scored: bool, holder_of_seat: Sequence[int], fixture: Fixture, found: Episodes) -> MatchResult:
    """Count one fixture. scored: as in `GameSpec.scored`. holder_of_seat: the post that holds each seat."""
    width = sum(len(contestant) for contestant in fixture.contestants)
    score, forfeit = found.score, found.forfeit
    held: list[list[np.ndarray]] = [[] for _ in range(width)]
    at_seat: dict[tuple[int, int], list[np.ndarray]] = {}
    forfeits = [0] * width
    for e, rated_index in enumerate(fixture.rated_index):
        for index in sorted(set(rated_index) - {-1}):
            mine = [seat for seat, post in enumerate(holder_of_seat) if rated_index[post] == index]
            held[index].append(score[:, e, mine].mean(-1))
            forfeits[index] += int(forfeit[:, e, mine].any(-1).sum())
            for seat in mine:
                at_seat.setdefault((index, seat), []).append(score[:, e, seat])
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
        episodes=fixture.episode_count,
        turns=int(found.turns.sum()),
        seed=fixture.seed,
        paired=len(fixture.episodes) > 1,
        forfeits=tuple(forfeits),
        others=fixture.others,
        seats=tuple(
            SeatScore(post, seat, values.size, float(values.sum()), float(np.square(values).sum()))
            for (post, seat), values in sorted((place, np.stack(found)) for place, found in at_seat.items())
        )
        if scored
        else (),
    )
