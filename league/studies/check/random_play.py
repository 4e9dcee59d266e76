"""Uniformly random play of a game: how long episodes are, how they end, what each seat scores, and how fast it is.

Letters in shapes: B slots, S seats.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.games.conformance.suite import find_violations, random_actions
from league.games.core import Game, GameSpec
from league.games.counter_rng import fold, mix
from league.games.native.core import NativeGame
from league.studies.check.check_report import Mean, Play
from league.studies.check.finding_log import FindingLog

EPISODES, TURNS = 256, 5_000
"""Number of episodes, and the largest number of turns of each."""

_SLOTS, _AT_ONCE = (4, 32), 0.02
"""Fewest and most games side by side, fewer if they are slow; seconds that a turn of all of them should take."""

_CERTAIN = 4.0
"""Standard errors above which a difference is reported; high, because many pairs of seats are compared."""


@dataclass(slots=True, kw_only=True)
class _Wave:
    """The first episode of every slot. score: `[B, S]`. length: `[B]` turns. truncated, unfinished: `[B]` bool."""

    score: npt.NDArray[np.float64]
    length: npt.NDArray[np.int64]
    truncated: npt.NDArray[np.bool_]
    unfinished: npt.NDArray[np.bool_]
    turns: int
    seconds: float


def play_randomly(game: Game, seconds: float, seed: int, tick: Callable[[float], None] = lambda done: None) -> Play:
    """Play about `EPISODES` episodes, in waves of one per slot that are all played to the end, because stopping at the
    first to finish would favour short ones.

    seconds: after which no new wave begins; the first is broken off after 3 times as long.
    """
    began, waves = time.perf_counter(), list[_Wave]()
    while True:
        timeout = began + 3 * seconds - time.perf_counter() if not waves else float("inf")
        waves.append(_play_wave(game, fold(seed, len(waves)), timeout))
        spent, episodes = time.perf_counter() - began, sum(len(wave.length) for wave in waves)
        tick(min(max(spent / seconds, episodes / EPISODES), 1.0))
        if waves[-1].unfinished.any() or spent >= seconds or episodes >= EPISODES:
            break
    return _summarize(game.spec, waves)


def slots_for(rate: float) -> int:
    """Games side by side for random play. rate: turns per second of one."""
    fewest, most = _SLOTS
    return int(min(max(rate * _AT_ONCE, fewest), most))


def check_contract(make: Callable[[int], Game], log: FindingLog, episodes: int, slots: int, seed: int) -> None:
    """Check a game against league's own contract of games, and report every rule that it breaks."""
    _, violations = find_violations(make, episodes=episodes, slots=slots, seed=seed)
    for rule, place in violations.found.items():
        log.add("error", "contract", f"the contract of a game: {rule}", place, "see league.games.core", of=rule)


def assess_play(game: Game, play: Play, log: FindingLog) -> None:
    """Report what random play shows about a game."""
    spec = game.spec
    code = "" if isinstance(game, NativeGame) else "step"
    ended = play.episodes - play.unfinished
    if play.unfinished and play.limit < TURNS:
        log.add(
            "note",
            "play.slow",
            f"{play.unfinished} of {play.episodes} episodes had not ended after {play.limit} turns, when the time for "
            f"random play ran out ({play.steps_per_second:.0f} steps/s)",
            advice="checks of whole episodes were skipped: make episodes shorter (max_cycles)",
        )
    elif ended == 0:
        log.add(
            "error",
            "play.endless",
            f"none of {play.episodes} episodes ended within {play.limit} turns of random play",
            advice="end episodes: terminate by the rules, or truncate at a horizon (max_cycles)",
            method=code,
        )
    elif play.unfinished:
        log.add(
            "warning",
            "play.endless",
            f"{play.unfinished} of {play.episodes} episodes did not end within {play.limit} turns of random play",
            advice="truncate at a horizon (max_cycles): a match waits for each of its episodes to end",
            method=code,
        )
    silent = [seat for seat, score in play.scores.items() if score.value == 0 and score.error == 0]
    if ended and len(silent) == len(spec.seats):
        log.add(
            "warning",
            "play.unpaid",
            f"no agent received a reward in {ended} random episodes",
            advice="if random play never scores, learning cannot start: add rewards for partial progress",
            method=code,
        )
    for seat in silent if ended and len(silent) < len(spec.seats) else ():
        log.add(
            "warning",
            "play.unpaid",
            f"'{seat}' never received a reward in {ended} random episodes, while others did",
            f"agent '{seat}'",
            "is it in `rewards`? An agent without rewards learns nothing",
            code,
            of=seat,
        )
    for name, one, other in _unequal_seats(spec, play):
        log.add(
            "note",
            "play.seats",
            f"seats are not equal under random play: '{one}' scores {play.scores[one].value:.3g}, "
            f"'{other}' {play.scores[other].value:.3g}",
            f"role '{name}'",
            "no action needed: league seats every policy equally often in each of them",
            of=name,
        )


def _play_wave(game: Game, seed: int, timeout: float) -> _Wave:
    """Play the first episode of every slot, `TURNS` turns at most."""
    slots, began, stepping = game.slots, time.perf_counter(), 0.0
    row = torch.arange(slots, device=game.device)
    turn = game.start(mix(row, seed))
    live = np.ones(slots, dtype=np.bool_)
    length, cut = np.zeros(slots, dtype=np.int64), np.zeros(slots, dtype=np.bool_)
    score = np.zeros((slots, len(game.spec.seats)))
    count = 0
    while live.any() and count < TURNS and time.perf_counter() - began < timeout:
        count += 1
        actions, seeds = random_actions(game, turn, fold(seed, count)), mix(row, seed, count)
        before = time.perf_counter()
        turn = game.step(actions, seeds)
        stepping += time.perf_counter() - before
        cut |= live & _to_numpy(turn.truncated.any(1))
        over = live & _to_numpy(turn.ended)
        length[live] = count
        score[over] = _to_numpy(turn.score)[over]
        live &= ~over
    return _Wave(score=score, length=length, truncated=cut & ~live, unfinished=live, turns=count, seconds=stepping)


def _summarize(spec: GameSpec, waves: Sequence[_Wave]) -> Play:
    unfinished = np.concatenate([wave.unfinished for wave in waves])
    length, cut = np.concatenate([wave.length for wave in waves]), np.concatenate([wave.truncated for wave in waves])
    score = np.concatenate([wave.score for wave in waves])[~unfinished]
    seconds = sum(wave.seconds for wave in waves)
    return Play(
        episodes=len(length),
        unfinished=int(unfinished.sum()),
        limit=int(length.max()),
        terminated=int((~unfinished & ~cut).sum()),
        truncated=int(cut.sum()),
        shortest=int(length.min()),
        median=float(statistics.median(length.tolist())),
        longest=int(length.max()),
        scores={name: Mean.of(score[:, seat]) for seat, name in enumerate(spec.seats)},
        zero_sum=len(score) > 0 and float(np.abs(score.sum(1)).max()) < 1e-4,
        steps_per_second=sum(wave.turns * len(wave.length) for wave in waves) / max(seconds, 1e-9),
    )


def _unequal_seats(spec: GameSpec, play: Play) -> list[tuple[str, str, str]]:
    """By role, the two seats on different sides that differ most, if significantly: (role, better, worse)."""
    found = []
    for role in spec.roles:
        pairs = [
            (
                play.scores[spec.seats[one]].standard_errors_above(play.scores[spec.seats[other]]),
                spec.seats[one],
                spec.seats[other],
            )
            for one, other in combinations(role.seats, 2)
            if spec.side_of_seat[one] != spec.side_of_seat[other]
        ]
        if pairs:
            far, one, other = max(pairs, key=lambda pair: abs(pair[0]))
            if abs(far) >= _CERTAIN:
                found.append((role.name, one, other) if far > 0 else (role.name, other, one))
    return found


def _to_numpy(tensor: Tensor) -> npt.NDArray[np.bool_]:
    array: npt.NDArray[np.bool_] = tensor.cpu().numpy()
    return array
