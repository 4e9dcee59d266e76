"""`league match --until decided`: pairs of games are played until a sequential test of their results ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from league.errors import PolicyError
from league.games.core import Game
from league.play.fixture import Fixture, sides_are_alike
from league.play.match import Episodes, play_episodes, results_of, totals
from league.rating.sequential import (
    Estimate,
    Evidence,
    SequentialTest,
    elo,
    expected_remaining,
    normalised_elo,
    score_interval,
    weigh,
)
from league.studies.contest import Played, games_for
from league.studies.match_plan import MatchPlan
from league.studies.repetition import Repetition, repetition

PAIRS = 128
"""Pairs that are played side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a sequential test ended, see `league.rating.sequential`.

    accepted: "H0" or "H1"; None if the most games were played before. lower, upper: the ratios llr at which H0 and H1
    are accepted. counts: of the pairs, by their result, the worst first: five where a pair is two rated games, three
    where it is one. score, normalised_elo, elo: of the first contestant. beyond: episodes that were played beyond the
    decision, and count for nothing.
    """

    accepted: str | None
    llr: float
    lower: float
    upper: float
    elo0: float
    elo1: float
    alpha: float
    beta: float
    counts: tuple[int, ...]
    score: tuple[float, float]
    normalised_elo: Estimate
    elo: Estimate
    beyond: int


def play_until_decided(
    make: Callable[[int], Game],
    plan: MatchPlan,
    test: SequentialTest,
    temperature: float = 1.0,
    tick: Callable[[float], None] = lambda fraction: None,
    pairs: int = PAIRS,
) -> tuple[Played, Repetition, Decision]:
    """Play pairs until the test ends, at most the games of the plan; returns those up to the decision.

    The two games of a pair have one seed and swapped seats. They count in the order of their seeds, so that the
    decision does not depend on `pairs`, how many are played side by side. Raises PolicyError where the plan has no
    pairs, or greedy play repeats the same one.
    """
    pair, single = _pair_of(plan)
    contest = plan.contest
    evidence, parts, played = Evidence((0,) * (3 if single is None else 5)), list[Episodes](), 0
    with games_for(make, contest.spec, 2 * min(pairs, pair.games)) as (games, threads):
        while evidence.accepted is None and played < pair.games:
            batch = replace(pair, games=min(pairs, pair.games - played), numbers=(played, 1))
            before = evidence.results
            left = min(expected_remaining(test, evidence), pair.games - before) if before else pair.games

            def progress(share: float, done: int = before, size: int = batch.games, left: float = left) -> None:
                now = done + share * size
                tick(min(now / max(done + left, now), 1.0))

            (found,) = play_episodes(
                games,
                contest.policies,
                [batch],
                temperature,
                progress,
                threads=threads,
                posts=contest.posts,
                hashed=True,
            )
            evidence, played = weigh(test, evidence, _outcomes(plan, batch, single, found)), played + batch.games
            parts.append(found)
            if len(parts) == 1 and played > 1 and repetition(parts).fixed:
                raise PolicyError(
                    "every pair repeats the same two games, so there is nothing to decide: choose policies that sample "
                    "their moves, without --greedy"
                )
    whole = _first([np.concatenate(values) for values in zip(*map(_arrays, parts), strict=True)], evidence.results)
    fixtures, episodes = [replace(pair, games=evidence.results)], [whole]
    if single is not None:
        fixtures = [replace(one, games=evidence.results, seed=pair.seed) for one in single]
        episodes = [_seating(whole, number) for number in (0, 1)]
    results = results_of(contest.spec, fixtures, episodes, contest.posts)
    counts = np.array(evidence.counts)
    decision = Decision(
        accepted=evidence.accepted,
        llr=evidence.llr,
        lower=test.lower,
        upper=test.upper,
        elo0=test.elo0,
        elo1=test.elo1,
        alpha=test.alpha,
        beta=test.beta,
        counts=evidence.counts,
        score=score_interval(counts),
        normalised_elo=normalised_elo(counts),
        elo=elo(counts),
        beyond=2 * (played - evidence.results),
    )
    return list(zip(fixtures, results, strict=True)), repetition(episodes), decision


def _pair_of(plan: MatchPlan) -> tuple[Fixture, tuple[Fixture, Fixture] | None]:
    """The fixture whose games are pairs, and the two seatings if each game of a pair is rated by itself."""
    spec, fixtures = plan.contest.spec, plan.contest.fixtures[None]
    alike = sides_are_alike(spec)
    if len(spec.sides) == 1 or len(plan.contestants) != 2 or not plan.comparable or (alike and len(spec.sides) > 2):
        why = (
            "policies of games with one side are compared by their mean scores"
            if len(spec.sides) == 1
            else ("it needs two policies that take turns in the same seats")
        )
        raise PolicyError(f"{spec.id}: this match cannot be played until it is decided; {why}")
    first, *rest = fixtures
    if not rest:
        return first, None
    (second,) = rest
    pair = replace(
        first,
        episodes=first.episodes + second.episodes,
        rated_index=first.rated_index + second.rated_index,
        games=min(first.games, second.games),
    )
    return pair, (first, second)


def _outcomes(plan: MatchPlan, batch: Fixture, single: tuple[Fixture, Fixture] | None, found: Episodes) -> np.ndarray:
    """`[G]` the pairs' results for the first contestant: the number of half points, or of wins and half wins."""
    posts = plan.contest.posts
    if single is None:
        total = totals(batch, found, posts)
        outcomes: np.ndarray = (np.sign(total[:, 0] - total[:, 1]) + 1).astype(np.int64)
        return outcomes
    halves = np.zeros(batch.games, dtype=np.int64)
    for number, fixture in enumerate(single):
        total = totals(replace(fixture, games=batch.games), _seating(found, number), posts)
        # In the second seating the first contestant holds the second side.
        halves += (np.sign(total[:, number] - total[:, 1 - number]) + 1).astype(np.int64)
    return halves


def _arrays(found: Episodes) -> list[np.ndarray]:
    assert found.trajectory is not None
    return [found.score, found.turns, found.forfeit, found.trajectory]


def _first(arrays: list[np.ndarray], games: int) -> Episodes:
    score, turns, forfeit, trajectory = (values[:games] for values in arrays)
    return Episodes(score, turns, forfeit, trajectory)


def _seating(found: Episodes, number: int) -> Episodes:
    score, turns, forfeit, trajectory = (values[:, number : number + 1] for values in _arrays(found))
    return Episodes(score, turns, forfeit, trajectory)
