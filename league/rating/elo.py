"""Elo's sequential rating: cheap, familiar, and dependent on the order in which policies first met."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from league.rating.core import Z95, pairwise_results, require_opponents
from league.rating.ledger import Ledger, Pattern
from league.rating.meetings import Duels, meetings
from league.records import PolicyId, Rating
from league.settings import Settings


class EloSettings(Settings):
    """Settings of Elo's rating."""

    k: float = Field(default=16.0, gt=0.0, le=400.0)
    """The most points that one game can move a policy."""
    scale: float = Field(default=400.0, gt=0.0)
    """Points that stand for odds of ten to one."""


class Elo:
    """Elo 1978: after each game a policy moves by K (result - expectation). Everybody starts at 0; anchors stay there.

    - All games of the same sides are one meeting, whoever sat where (`meetings`). A meeting of n games is n updates,
      each by its mean result: for one game, or n equal ones, this is the textbook's rule, and it never overshoots what
      the meeting implies. Where everybody is even with everybody, nobody moves.
    - A side's strength is the sum of its policies' ratings, and all of them move by the same amount.
    - More than two sides are all pairs of them, each moved by K / (sides - 1) per pair.
    - Elo has no seat terms and no error model. The interval is our own approximation: its variance is the sum of
      1 / (information of the games), p(1-p) each, and of Elo's own jitter, K/2 in log-odds (the stationary variance
      of its linearised recursion). It treats the opponents' ratings as known, so it is only a rough guide.
    """

    settings_type = EloSettings
    needs_scores = False

    def __init__(self, settings: EloSettings | None = None) -> None:
        self.settings = settings or EloSettings()

    def rate(self, ledger: Ledger, anchors: frozenset[PolicyId]) -> dict[PolicyId, Rating]:
        """Rate meeting by meeting. Raises RatingError for one-sided games."""
        require_opponents(ledger)
        points_per_logit = self.settings.scale / math.log(10.0)
        step = self.settings.k / points_per_logit
        nothing = [0.0] * len(ledger.ids)
        state = _State(step, list(nothing), nothing, [policy not in anchors for policy in ledger.ids])
        for one in meetings(ledger):
            if isinstance(one, Duels):
                state.rate_duels(one)
            else:
                state.rate_meeting(one.sides, sum(one.placements.values()), mean_results(one.placements))
        games, ratings = ledger.games_played(), {}
        for policy, strength, information in zip(ledger.ids, state.strength, state.information, strict=True):
            value, half = strength * points_per_logit, 0.0
            if policy not in anchors:
                variance = 1.0 / max(information, 1e-6) + step / 2.0
                half = Z95 * math.sqrt(variance) * points_per_logit
            ratings[policy] = Rating(value, value - half, value + half, games[policy])
        return ratings


@dataclass(slots=True)
class _State:
    """Elo ratings after some meetings. step: K in log-odds.

    strength, information: in log-odds, by policy number. free: whether the rating may change; False for anchors.
    """

    step: float
    strength: list[float]
    information: list[float]
    free: list[bool]

    def rate_duels(self, duels: Duels) -> None:
        """Meetings of one policy against one. A special case for speed: they make up most of a long ledger."""
        strength, information, free, step, exp = self.strength, self.information, self.free, self.step, math.exp
        games = duels.wins + duels.draws + duels.losses
        scores = (duels.wins + 0.5 * duels.draws) / games
        for a, b, count, score in zip(
            *(one.tolist() for one in (duels.first, duels.second, games, scores)), strict=True
        ):
            movers = free[a] + free[b]
            gap, gained, told = strength[a] - strength[b], 0.0, 0.0
            for _ in range(count):
                expected = 1.0 / (1.0 + exp(-gap))
                told += expected * (1.0 - expected)
                move = step * (score - expected)
                gained += move
                # Each policy whose rating may change moves by `move`, and so widens the gap.
                gap += move * movers
            if free[a]:
                strength[a] += gained
                information[a] += told
            if free[b]:
                strength[b] -= gained
                information[b] += told

    def rate_meeting(self, sides: Sequence[Sequence[int]], games: int, pairs: Sequence[tuple[int, int, float]]) -> None:
        """One meeting of any number of sides. A side's information is the mean over its pairs."""
        strength, share = self.strength, 1.0 / (len(sides) - 1)
        for _ in range(games):
            now = [sum(strength[policy] for policy in side) for side in sides]
            gained, told = [0.0] * len(sides), [0.0] * len(sides)
            for i, j, score in pairs:
                expected = 1.0 / (1.0 + math.exp(now[j] - now[i]))
                for side, sign in ((i, 1.0), (j, -1.0)):
                    gained[side] += sign * self.step * share * (score - expected)
                    told[side] += share * expected * (1.0 - expected)
            for policies, gain, information in zip(sides, gained, told, strict=True):
                for policy in policies:
                    if self.free[policy]:
                        strength[policy] += gain
                        self.information[policy] += information


def mean_results(placements: Mapping[Pattern, int]) -> list[tuple[int, int, float]]:
    """The mean result of a meeting's games by pair of sides: `(i, j, score of i against j in [0, 1])`."""
    if len(placements) == 1:
        return list(pairwise_results(next(iter(placements))))
    total = sum(placements.values())
    sums: dict[tuple[int, int], float] = {}
    for pattern, count in placements.items():
        for i, j, score in pairwise_results(pattern):
            sums[i, j] = sums.get((i, j), 0.0) + count * score
    return [(i, j, value / total) for (i, j), value in sums.items()]
