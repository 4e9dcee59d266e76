"""OpenAI Five's opponents: mostly oneself, else the past by quality scores (Berner et al. 2019, arXiv:1912.06680)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from league.matchmaking.core import Lineup, MatchmakingSettings, part_self_play, versus
from league.matchmaking.win_rates import Floats
from league.records import LeagueView, Plan, Snapshot, TrainingResult

MOST = 1.0
"""The most that a quality falls in one round. The rule of the paper is for single games; a round has many games against
few opponents, all drawn at the same probabilities, and the sum over them would overshoot."""


class OpenAIFive(MatchmakingSettings):
    """Part pure self-play, part against past snapshots of all learners, drawn by the softmax of their qualities."""

    self_play: float = Field(0.8, ge=0, le=1)
    """Share of the slots in pure self-play."""
    quality_rate: float = Field(0.01, gt=0)
    """How fast a snapshot's quality falls with every game that it loses."""

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """Self-play, and the snapshots that were drawn by quality; self-play alone before there are any."""
        pools: dict[str, list[Snapshot]] = {post.role: [] for post in view.posts}
        for snapshot in view.snapshots:
            pools[snapshot.role].append(snapshot)
        ids = {role: [snapshot.id for snapshot in pool] for role, pool in pools.items()}

        def others(table: int) -> Sequence[Lineup]:
            own = {learner.name for learner in view.learners if learner.table == table}
            rows = [row for row in view.training if row.learner in own]
            weights = {
                role: softmax(qualities(pool, rows, view.round, self.quality_rate)).tolist()
                for role, pool in pools.items()
            }
            return versus(view, table, ids, self.opponents, rng, weights)

        return part_self_play(view, self.self_play, others)


def qualities(pool: Sequence[Snapshot], results: Sequence[TrainingResult], round: int, rate: float) -> Floats:
    """The quality `[N]` of each snapshot of a pool as an opponent before a round (Berner et al. 2019, appendix N).

    pool: oldest first. results: of one table. They are replayed round by round: a snapshot joins with the highest
    quality of that time, the first with 0. For every game that snapshot i of N loses, its quality falls by
    rate / (N p_i), where p is the softmax of the qualities; a draw is half a loss. Its wins change nothing.
    """
    place = {snapshot.id: index for index, snapshot in enumerate(pool)}
    lost: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in results:
        for policy in set(row.opponent.split("+")) & place.keys():
            lost[row.round][place[policy]] += row.episodes * row.score
    quality, known = np.zeros(len(pool)), 0
    for now in sorted({*lost, round}):
        there = sum(snapshot.round < now for snapshot in pool)
        if there > known:
            quality[known:there] = quality[:known].max() if known else 0.0
            known = there
        if now in lost and now < round:
            met = np.array(list(lost[now]))
            games = np.array(list(lost[now].values()))
            chance = np.maximum(softmax(quality[:known])[met], np.finfo(float).tiny)
            quality[met] -= np.minimum(rate * games / (known * chance), MOST)
    return quality


def softmax(quality: Floats) -> Floats:
    """`[N]` probabilities in proportion to exp(quality)."""
    weight = np.exp(quality - quality.max(initial=-np.inf))
    return np.asarray(weight / weight.sum())
