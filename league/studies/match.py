"""`league match`: a seat-balanced match of two policies, or of one per side, with a 95 % interval of the score."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from league.games.core import Game
from league.play.fixture import compares_same_role
from league.rating.payoff import beaten, wilson
from league.rating.sequential import SequentialTest
from league.run.roster.roster import Roster
from league.studies.contest import Played, play_and_compare, tally
from league.studies.decisive_match import Decision, play_until_decided
from league.studies.match_plan import MatchPlan, plan_match
from league.studies.repetition import Repetition
from league.studies.teams import Team, TeamScore, halfwidth, team_score
from league.threads import alone


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReport:
    """The result of a match, from the first contestant's point of view.

    labels: of each contestant. games: rated games; wins, draws, losses: the first contestant's (with more than two
    sides: first place alone, shared first place, neither). score: the share of the other sides that it beat, as a mean
    over the games, with ties as half; between two contestants this is (wins + draws / 2) / games. low, high:
    its 95 % Wilson interval. If the contestants cannot be compared, the score is None, and wins, draws and losses are
    0; low and high are None if every seating repeated one and the same game.
    mean_returns, return_halfwidths: each contestant's mean score of an episode, and half of its 95 % interval.
    by_seat: for each group of seats that the first contestant took, its score there and the number of games. sides: of
    the game; in a game of more than two, the second of two contestants holds all sides but the first's. teams: in
    one-sided games, the score of each contestant at all seats, and of both mixed. predicted: the score that the run's
    ratings predict, and its 95 % interval (low, high); None unless two rated policies of the run play as they are
    rated, with sampled moves. distinct: how many of the episodes differ from all others, in what was seen, done or
    scored. warning: where repetition limits what the games say. decision: of a match until decided, whose score has
    the interval of its pairs.
    """

    labels: tuple[str, ...]
    games: int
    wins: int
    draws: int
    losses: int
    score: float | None
    low: float | None
    high: float | None
    mean_returns: tuple[float, ...]
    return_halfwidths: tuple[float, ...]
    by_seat: tuple[tuple[str, float, int], ...]
    forfeits: tuple[int, ...]
    episodes: int
    distinct: int
    seconds: float
    seed: int
    note: str = ""
    warning: str = ""
    sides: int = 2
    teams: tuple[TeamScore, ...] = ()
    predicted: tuple[float, float, float] | None = None
    decision: Decision | None = None


@dataclass(slots=True)
class _Record:
    """The first contestant's games. beaten: the share of the other sides that it beat, summed over all games."""

    games: int = 0
    wins: int = 0
    draws: int = 0
    beaten: float = 0.0


def match(
    make: Callable[[int], Game],
    roster: Roster,
    texts: Sequence[str],
    games: int = 400,
    seed: int = 0,
    temperature: float = 1.0,
    tick: Callable[[float], None] = lambda fraction: None,
    until: SequentialTest | None = None,
) -> MatchReport:
    """Play a match between the policies that the texts name. Raises PolicyError, see `plan_match`.

    make: creates a game with a number of slots. temperature: divides the policies' log-probabilities; 0 is greedy.
    until: the test that ends the match, after `games` games at most.
    """
    alone()
    began = time.monotonic()
    plan = plan_match(roster, texts, games, seed)
    results: Mapping[Team | None, Played]
    decision = None
    if until is None:
        results, repeated = play_and_compare(make, plan.contest, temperature, tick)
    else:
        played, repeated, decision = play_until_decided(make, plan, until, temperature, tick)
        results = {None: played}
    report = _report(plan, results, repeated, seed, time.monotonic() - began)
    if decision is not None:
        low, high = decision.score
        report = replace(report, low=low, high=high, decision=decision)
    return replace(report, predicted=_predicted(roster, plan)) if temperature == 1.0 else report


def _report(
    plan: MatchPlan, results: Mapping[Team | None, Played], repeated: Repetition, seed: int, seconds: float
) -> MatchReport:
    """The report of a match that was played."""
    spec, played = plan.contest.spec, results[None]
    record, by_seat = _record(plan, played)
    compared = plan.comparable
    low, high = wilson(record.beaten, record.games) if compared and not repeated.fixed else (None, None)
    tallies = [tally(played, one.ids) for one in plan.contestants]
    means = [one.total / one.episodes for one in tallies]
    return MatchReport(
        labels=plan.labels,
        games=record.games,
        wins=record.wins if compared else 0,
        draws=record.draws if compared else 0,
        losses=record.games - record.wins - record.draws if compared else 0,
        score=record.beaten / record.games if compared else None,
        low=low,
        high=high,
        mean_returns=tuple(means),
        return_halfwidths=tuple(
            halfwidth(one.square, mean, one.episodes) for one, mean in zip(tallies, means, strict=True)
        ),
        by_seat=tuple(by_seat),
        forfeits=tuple(_forfeits(played, one.ids) for one in plan.contestants),
        episodes=repeated.episodes,
        distinct=repeated.distinct,
        seconds=seconds,
        seed=seed,
        note=plan.note,
        warning=repeated.warning,
        sides=len(spec.sides),
        teams=tuple(_teams(plan, results)) if len(spec.sides) == 1 else (),
    )


def _predicted(roster: Roster, plan: MatchPlan) -> tuple[float, float, float] | None:
    """The score that the ratings predict for the first of two rated policies, and its 95 % interval."""
    # With more sides, or roles, the ratings predict how two policies do beside drawn others; a match chooses them.
    spec = plan.contest.spec
    if not plan.comparable or len(plan.contestants) != 2 or len(spec.sides) > 2 or compares_same_role(spec):
        return None
    one, other = (tuple(found.id for found in each.policies.values()) for each in plan.contestants)
    rated = roster.ratings.reference
    # A contestant of several policies, or one that is not in the standings, has no rating of its own.
    if len(one) != 1 or len(other) != 1 or one[0] not in rated or other[0] not in rated or one == other:
        return None
    payoff = roster.ratings.payoff
    return None if payoff is None else payoff.predict(str(one[0]), str(other[0]))


def _record(plan: MatchPlan, played: Played) -> tuple[_Record, list[tuple[str, float, int]]]:
    """The first contestant's record, in all and, if it took several sides in turn, by seats."""
    spec, first = plan.contest.spec, plan.contestants[0].ids
    record, by_seat = _Record(), []
    for _, result in played:
        side = next(side for side, policies in enumerate(result.lineup) if policies[0] in first)
        for pattern, count in result.placements.items():
            if pattern[side] == 0 and len(pattern) > 1:
                alone_first = pattern.count(0) == 1
                record.wins, record.draws = record.wins + count * alone_first, record.draws + count * (not alone_first)
        share = beaten(result.placements, side)
        record.games, record.beaten = record.games + result.games, record.beaten + share
        if not result.paired and len(played) > 1:
            seats = " ".join(spec.seats[seat] for seat in spec.sides[side])
            by_seat.append((seats, share / result.games, result.games))
    return record, by_seat


def _forfeits(played: Played, ids: Mapping[str, object]) -> int:
    return sum(
        forfeits
        for _, result in played
        for policy, forfeits in zip(result.policies, result.forfeits, strict=True)
        if policy in ids
    )


def _teams(plan: MatchPlan, results: Mapping[Team | None, Played]) -> list[TeamScore]:
    """The scores of each contestant at all seats, then those of mixed teams."""
    spec, found = plan.contest.spec, []
    for number, one in enumerate(plan.contestants):
        shares = tuple(float(other == number) for other in range(len(plan.contestants)))
        found.append(team_score(spec, Team(one.label, shares), results[None], next(iter(one.ids))))
    return found + [team_score(spec, team, played) for team, played in results.items() if team is not None]
