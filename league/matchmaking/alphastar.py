"""The AlphaStar league (Vinyals et al. 2019, "Grandmaster level in StarCraft II", methods and supplementary code).

Every training table has a **league role**: its learners are main agents, main exploiters or league exploiters.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from league.matchmaking.core import Lineup, MatchmakingSettings, past, seatings, self_play_lineup, tables, versus
from league.matchmaking.pfsp import Weighting, pfsp_weights
from league.matchmaking.snapshot_rules import gate_is_open
from league.matchmaking.win_rates import Floats, WinRates
from league.records import Exploit, LeagueView, Plan, PolicyId

LeagueRole = Literal["main", "main_exploiter", "league_exploiter"]
Pools = dict[str, list[PolicyId]]
"""Policies by the game's role."""
Part = tuple[float, Sequence[Lineup]]
"""A share of a table's slots, and the lineups that divide it."""

TOO_STRONG, OUT_OF_REACH = 0.3, 0.1
"""Win rates of main agents and of main exploiters at which a live opponent is too strong to learn from: its past is met
instead. (The paper's text has 0.2 for main exploiters, its code 0.1.)"""

PROBED = 0.1
"""The share of those slots that still meets the live opponent, to see when it can be met again."""

EXPLOITED, FORGOTTEN = 0.3, 0.7
"""Win rates of a main agent below which a past exploiter, or a past main agent, is met again to make up for it."""


class AlphaStar(MatchmakingSettings):
    """Main agents that are to be robust, and exploiters that find weaknesses of theirs and of the whole league."""

    self_play: float = Field(0.35, ge=0, le=1)
    """Share of a main agent's slots in self-play among the main agents."""
    pfsp: float = Field(0.5, ge=0, le=1)
    """Share of a main agent's slots against all past snapshots, the hardest first; the rest is against past exploiters
    that still win and past main agents whom it has forgotten to beat, or else self-play."""
    main_agents: PositiveInt = 1
    """How many of the learners are main agents: the first ones."""
    main_exploiters: NonNegativeInt = 1
    """How many of the others exploit the main agents; all that are left exploit the whole league."""
    win_rate: float = Field(0.7, ge=0, le=1)
    """Win rate above which a learner is frozen: against all past snapshots, or of a main exploiter against the main
    agents."""
    min_steps: PositiveInt = 200_000
    """Agent-steps since its last snapshot before a learner is frozen."""
    max_steps: PositiveInt = 400_000
    """Agent-steps since its last snapshot after which a learner is frozen, whatever its win rate is."""
    reset_probability: float = Field(0.25, ge=0, le=1)
    """Probability that a league exploiter starts again once it is frozen; main exploiters always do."""
    half_life: float = Field(20.0, gt=0)
    """Rounds after which a training result counts half in win rates."""

    @model_validator(mode="after")
    def _settings_fit(self) -> AlphaStar:
        if self.self_play + self.pfsp > 1 + 1e-9:
            raise ValueError(f"self_play + pfsp must be at most 1, not {self.self_play} + {self.pfsp}")
        if self.min_steps > self.max_steps:
            raise ValueError(f"min_steps must be at most max_steps, not {self.min_steps} with {self.max_steps}")
        return self

    def league_roles(self, count: int) -> list[LeagueRole]:
        """The league role of each of `count` tables."""
        named: list[LeagueRole] = ["main"] * self.main_agents
        named += ["main_exploiter"] * self.main_exploiters
        named += ["league_exploiter"] * (count - len(named))
        return named[:count]

    def labels(self, count: int) -> list[str]:
        """What the learners of each table are called: by their league role, numbered where several have it."""
        roles = self.league_roles(count)
        numbers = [roles[:table].count(role) for table, role in enumerate(roles)]
        return [
            role if roles.count(role) == 1 else f"{role}-{number}" for role, number in zip(roles, numbers, strict=True)
        ]

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """Seatings by league role, resets of exploiters that were frozen, and the learners that are to be frozen."""
        now = _Now(self, view, rng, self.league_roles(len(tables(view))), WinRates.of(view, self.half_life))
        return Plan(
            seatings=tuple(seatings(now.parts(table)) for table in tables(view)),
            exploits=tuple(exploit for table in tables(view) for exploit in now.resets(table)),
            snapshots=tuple(learner.name for learner in view.learners if now.ready(learner.table)),
        )


@dataclass(frozen=True, slots=True)
class _Now:
    """The league before a round. roles: by table."""

    settings: AlphaStar
    view: LeagueView
    rng: np.random.Generator
    roles: Sequence[LeagueRole]
    rates: WinRates

    def parts(self, table: int) -> list[Part]:
        """How a table divides its slots."""
        mains, role = self._tables("main"), self.roles[table]
        if role == "league_exploiter":
            return [(1.0, self._prioritised(table, past(self.view), "linear_capped"))]
        if role == "main_exploiter":
            return [part for main in mains for part in self._met(1 / len(mains), table, main, OUT_OF_REACH)]
        share, verified = self.settings.self_play, max(0.0, round(1 - self.settings.self_play - self.settings.pfsp, 9))
        parts: list[Part] = [(self.settings.pfsp, self._prioritised(table, past(self.view), "squared"))]
        for main in mains:
            asked = self._to_verify(table, main)
            if asked:
                parts.append((verified / len(mains), self._prioritised(table, asked, "squared")))
            parts += self._met((share if asked else share + verified) / len(mains), table, main, TOO_STRONG)
        return parts

    def ready(self, table: int) -> bool:
        """Whether a table's learners are to be frozen."""
        steps = {snapshot.id: snapshot.steps for snapshot in self.view.snapshots}
        learners = [learner for learner in self.view.learners if learner.table == table]
        trained = min(learner.steps - steps.get(learner.latest, 0) for learner in learners)
        if self.roles[table] == "main_exploiter":
            mains = self._tables("main")
            measured = [learner.name for learner in self.view.learners if learner.table in mains]
        else:
            measured = list(steps)
        return gate_is_open(
            strong=float(self.rates.against(table, measured).min(initial=1.0)) > self.settings.win_rate,
            least=trained >= self.settings.min_steps,
            most=trained >= self.settings.max_steps,
        )

    def resets(self, table: int) -> list[Exploit]:
        """The resets of a table's learners: of exploiters that have not trained since they were frozen."""
        if self.roles[table] == "main":
            return []
        snapshots = {snapshot.id: snapshot for snapshot in self.view.snapshots}
        first = {snapshot.learner: snapshot.id for snapshot in reversed(self.view.snapshots)}
        learners = [learner for learner in self.view.learners if learner.table == table]
        for learner in learners:
            latest = snapshots.get(learner.latest)
            if latest is None or latest.origin == "initial" or latest.steps != learner.steps:
                return []
        if self.roles[table] == "league_exploiter" and self.rng.random() >= self.settings.reset_probability:
            return []
        return [
            Exploit(learner.name, learner.name, first[learner.name], dict(learner.hyperparameters))
            for learner in learners
        ]

    def _tables(self, role: LeagueRole) -> list[int]:
        return [table for table, found in enumerate(self.roles) if found == role]

    def _history(self, of: Collection[int]) -> Pools:
        """The past snapshots of the learners of these tables, oldest first."""
        names = {learner.name for learner in self.view.learners if learner.table in of}
        kept = {snapshot.id for snapshot in self.view.snapshots if snapshot.learner in names}
        return {role: [policy for policy in pool if policy in kept] for role, pool in past(self.view).items()}

    def _prioritised(self, table: int, pools: Pools, weighting: Weighting) -> Sequence[Lineup]:
        """Lineups against opponents drawn by `pfsp_weights`; self-play where there are none."""
        weights = {
            role: pfsp_weights(self.rates.against(table, pool), weighting).tolist() for role, pool in pools.items()
        }
        return versus(self.view, table, pools, self.settings.opponents, self.rng, weights)

    def _met(self, share: float, table: int, main: int, least: float) -> list[Part]:
        """A main agent with its live weights; mostly its past, the most equal first, where the win rate is too low."""
        if main == table:
            return [(share, [self_play_lineup(self.view, table)])]
        live: Pools = {learner.role: [learner.name] for learner in self.view.learners if learner.table == main}
        names = [name for found in live.values() for name in found]
        lineups = versus(self.view, table, live, 1, self.rng)
        if self.rates.against(table, names).mean() > least:
            return [(share, lineups)]
        before = self._prioritised(table, self._history([main]), "variance")
        return [(share * PROBED, lineups), (share * (1 - PROBED), before)]

    def _to_verify(self, table: int, main: int) -> Pools:
        """Past exploiters that a main agent loses to; else what of a main agent's past it has forgotten to beat."""
        pools = self._history(self._tables("main_exploiter"))
        found = {role: pool for role, pool in pools.items() if self._lowest(table, pool) < EXPLOITED}
        if found:
            return found
        pools = {role: self._forgotten(table, pool) for role, pool in self._history([main]).items()}
        return {role: pool for role, pool in pools.items() if self._lowest(table, pool) < FORGOTTEN}

    def _lowest(self, table: int, pool: Sequence[PolicyId]) -> float:
        return float(self.rates.against(table, pool).min(initial=1.0))

    def _forgotten(self, table: int, pool: list[PolicyId]) -> list[PolicyId]:
        return pool[: without_falling_end(self.rates.against(table, pool))]


def without_falling_end(win_rate: Floats) -> int:
    """How many of a history's win rates `[N]`, oldest first, come before the end from which on they only fall.

    It is natural that newer snapshots are harder to beat; an old one that is harder than its successor was forgotten.
    """
    rises = [index for index, (before, after) in enumerate(pairwise(win_rate.tolist()), 1) if before < after]
    return rises[-1] + 1 if rises else 0
