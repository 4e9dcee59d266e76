"""The contract of a matchmaker, its look-up by name, and the lineups of which plans consist."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Literal, Protocol, cast, get_args

import numpy as np
from pydantic import AfterValidator, Field, PositiveInt, ValidationError

from league import plugins
from league.errors import ConfigError, PlanError, nearest
from league.records import Exploit, LeagueView, Plan, PolicyId, Seating
from league.settings import Settings

Lineup = tuple[PolicyId, ...]
"""A policy id for every post of `LeagueView.posts`, in their order."""

MATCHMAKERS: dict[str, str] = {
    "naive": "league.matchmaking.naive:Naive",
    "fictitious": "league.matchmaking.fictitious:Fictitious",
    "ring": "league.matchmaking.ring:Ring",
    "pfsp": "league.matchmaking.pfsp:PFSP",
    "openai_five": "league.matchmaking.openai_five:OpenAIFive",
    "psro": "league.matchmaking.psro:PSRO",
    "pbt": "league.matchmaking.pbt:PBT",
    "alphastar": "league.matchmaking.alphastar:AlphaStar",
}
"""Matchmakers by the name that `matchmaking.kind` gives them."""


Solution = Literal["latest", "average", "nash"]
"""A POLICY: the newest snapshot, or a mixture of all of a run's (`run.roster.mixtures`)."""


class Matchmaker(Protocol):
    """Decides who trains against whom: a pure function of the league's history and of a random generator."""

    def plan(self, view: LeagueView, rng: np.random.Generator) -> Plan:
        """The next round's seatings and exploits; equal arguments give equal plans."""
        ...


class MatchmakingSettings(Settings):
    """The settings of every kind that ships. A kind is a class of frozen settings with a method `plan`."""

    @property
    def solution(self) -> Solution:
        """What the method says to play in the end; see `solution_of`."""
        return "latest"

    self_play: float = Field(0.5, ge=0, le=1)
    """Share of the slots in pure self-play: every post held by the table's own learners."""
    opponents: PositiveInt = 4
    """Distinct opponents drawn a round for each table, by role and by source; they share the other slots equally."""


def _is_range(value: tuple[float, float]) -> tuple[float, float]:
    if not 0 < value[0] < value[1]:
        raise ValueError(f"must be two numbers with 0 < low < high, not {list(value)}")
    return value


LogRange = Annotated[tuple[float, float], AfterValidator(_is_range)]
"""The lowest and highest value of a log-uniform distribution."""


def log_uniform(ranges: Mapping[str, tuple[float, float]], rng: np.random.Generator) -> dict[str, float]:
    """One log-uniform draw for each name. The order of the names makes no difference."""
    return {
        name: float(np.clip(math.exp(rng.uniform(math.log(low), math.log(high))), low, high))
        for name, (low, high) in sorted(ranges.items())
    }


def matchmaker_class(kind: str) -> type:
    """The class of a matchmaker: a key of `MATCHMAKERS`, or a user's `package.module:Name` or `file.py:Name`.

    Raises ConfigError where nothing has that name.
    """
    if kind not in MATCHMAKERS and ":" not in kind:
        known = ", ".join(MATCHMAKERS)
        raise ConfigError(
            f"unknown matchmaker '{kind}'{nearest(kind, MATCHMAKERS)} (there are {known}, and package.module:Name "
            "or file.py:Name for your own: see `league docs matchmaking`)"
        )
    found = plugins.load(MATCHMAKERS.get(kind, kind), "matchmaker", ConfigError)
    if not isinstance(found, type):
        raise ConfigError(f"matchmaker '{kind}' must be a class with a method plan(view, rng)")
    return found


def make_matchmaker(kind: str, settings: Mapping[str, object]) -> Matchmaker:
    """A matchmaker of that kind, constructed with `settings` as keyword arguments.

    Raises ConfigError where the kind is unknown, refuses its settings or has no `plan`.
    """
    found = matchmaker_class(kind)
    try:
        made = found(**settings)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ConfigError(f"matchmaker '{kind}' refuses its settings: {faults}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"matchmaker '{kind}' refuses its settings {dict(settings)}: {error}") from error
    if not callable(getattr(made, "plan", None)):
        raise ConfigError(f"matchmaker '{kind}' has no method plan(view, rng)")
    return cast(Matchmaker, made)


def solution_of(matchmaker: Matchmaker) -> Solution:
    """What a method's theory says to play: for fictitious play the average of the past, for PSRO its mixture.

    Where a user's matchmaker has no `solution`, it is the newest snapshot. Raises ConfigError for other words.
    """
    found = getattr(matchmaker, "solution", "latest")
    if found not in get_args(Solution):
        raise ConfigError(f"a matchmaker's solution must be one of {', '.join(get_args(Solution))}, not {found!r}")
    return cast(Solution, found)


def label(table: int, count: int) -> str:
    """What the learners of a table are called unless the matchmaker says otherwise: `main`, or `main-0` and so on."""
    return "main" if count == 1 else f"main-{table}"


def table_labels(matchmaker: Matchmaker, count: int) -> list[str]:
    """What the learners of `count` tables are called: as the matchmaker's `labels(count)` says, else by number."""
    labels = getattr(matchmaker, "labels", None)
    if labels is None:
        return [label(table, count) for table in range(count)]
    found = [str(one) for one in labels(count)]
    if len(set(found)) != count:
        raise ConfigError(f"the matchmaker must give {count} learners as many different labels, not {found}")
    return found


def tables(view: LeagueView) -> range:
    """The training tables of a league, numbered from 0."""
    return range(1 + max(learner.table for learner in view.learners))


def self_play_lineup(view: LeagueView, table: int) -> Lineup:
    """Every post held by the table's own learner of its role."""
    learners = {learner.role: learner.name for learner in view.learners if learner.table == table}
    return tuple(learners[post.role] for post in view.posts)


def past(view: LeagueView) -> dict[str, list[PolicyId]]:
    """Every snapshot of the pool, initial and trained, of all learners, by role, oldest first."""
    return {
        role: [snapshot.id for snapshot in view.snapshots if snapshot.role == role]
        for role in dict.fromkeys(post.role for post in view.posts)
    }


def others(view: LeagueView, table: int) -> dict[str, list[PolicyId]]:
    """The learners of all other tables, with their live weights, by role."""
    return {
        role: [learner.name for learner in view.learners if learner.role == role and learner.table != table]
        for role in dict.fromkeys(post.role for post in view.posts)
    }


def versus(
    view: LeagueView,
    table: int,
    pools: Mapping[str, Sequence[PolicyId]],
    count: int,
    rng: np.random.Generator,
    weights: Mapping[str, Sequence[float]] | None = None,
) -> tuple[Lineup, ...]:
    """Lineups of equal weight: the table's learners hold one side, opponents from `pools` (by role) hold the others.

    The learners hold each side in turn, so that each of them sits at every post of its role equally often. All posts of
    their side are live, because a side shares one outcome and learns from it together. In games with one side there are
    partners instead of opponents: the learners hold each post in turn. For each role at most `count` distinct policies
    are drawn uniformly; with `weights` (by role, of its pool, not negative, not all 0), `count` are drawn in proportion
    to them, and some may be drawn several times. Each draw is seated equally often at each post, as far as the number
    of lineups allows, and posts are filled independently of each other.

    If the game has one post, or all pools are empty, the self-play lineup is the only one. A post whose role has an
    empty pool is held by the table's learner. Neighbouring lineups differ in the side that the learners hold, so a
    table with fewer slots than lineups is still balanced.
    """
    live = self_play_lineup(view, table)
    held = [post.side for post in view.posts]
    if len(set(held)) == 1:
        held = list(range(len(view.posts)))
    roles = dict.fromkeys(post.role for post in view.posts)
    drawn: dict[str, list[PolicyId]] = {}
    if len(held) > 1:
        drawn = {
            role: _draw(pools.get(role, ()), count, rng)
            if weights is None
            else _draw_weighted(pools.get(role, ()), weights.get(role, ()), count, rng)
            for role in roles
        }
    groups = max((len(found) for found in drawn.values()), default=0)
    if groups == 0:
        return (live,)
    by_side = []
    for mine in dict.fromkeys(held):
        columns = [
            [live[index]] * groups
            if held[index] == mine or not drawn[post.role]
            else [drawn[post.role][k] for k in rng.permutation(np.arange(groups) % len(drawn[post.role]))]
            for index, post in enumerate(view.posts)
        ]
        by_side.append(list(zip(*columns, strict=True)))
    return tuple(lineup for group in zip(*by_side, strict=True) for lineup in group)


def seatings(parts: Iterable[tuple[float, Sequence[Lineup]]]) -> tuple[Seating, ...]:
    """Seatings from (share, lineups): a share is divided equally over its lineups, and equal lineups are merged."""
    shares: dict[Lineup, float] = {}
    for share, lineups in parts:
        for lineup in lineups:
            shares[lineup] = shares.get(lineup, 0.0) + share / len(lineups)
    return tuple(Seating(lineup, share) for lineup, share in shares.items() if share > 0)


def part_self_play(view: LeagueView, share: float, others: Callable[[int], Sequence[Lineup]]) -> Plan:
    """A plan in which every table gives `share` of its slots to pure self-play and divides the rest over other lineups.

    others: from a table to its lineups, which share equally (`versus`).
    """
    return Plan(
        tuple(
            seatings([(share, [self_play_lineup(view, table)]), (1 - share, others(table))]) for table in tables(view)
        )
    )


def largest_remainder(shares: Sequence[float], slots: int) -> list[int]:
    """Whole slots by share, by the largest remainder method; of equal remainders the first comes first.

    shares: not negative, summing to 1. The result sums to `slots`.
    """
    quotas = [share * slots for share in shares]
    # Rounding errors must not turn a whole quota into a remainder, nor equal remainders into different ones.
    counts = [math.floor(quota + 1e-9) for quota in quotas]
    order = sorted(range(len(shares)), key=lambda index: (-round(quotas[index] - counts[index], 9), index))
    for index in order[: slots - sum(counts)]:
        counts[index] += 1
    return counts


def validate(plan: Plan, view: LeagueView) -> None:
    """Raises PlanError, naming the fault, where a plan cannot be carried out in the league that `view` shows."""
    if not isinstance(plan, Plan):
        raise PlanError(f"a matchmaker must return a league.records.Plan, not {type(plan).__name__}")
    if len(plan.seatings) != len(tables(view)):
        raise PlanError(f"the plan seats {len(plan.seatings)} tables; the league has {len(tables(view))}")
    roles = {learner.name: learner.role for learner in view.learners}
    roles |= {snapshot.id: snapshot.role for snapshot in (*view.snapshots, *view.anchors)}
    for table, seated in enumerate(plan.seatings):
        _validate_shares(table, seated)
        for seating in seated:
            _validate_lineup(table, seating.lineup, view, roles)
    for exploit in plan.exploits:
        _validate_exploit(exploit, view, roles)
    learners = [learner.name for learner in view.learners]
    for name in plan.snapshots or ():
        if name not in learners:
            raise PlanError(f"snapshots: unknown learner '{name}'{nearest(name, learners)}")
    copied = [exploit.learner for exploit in plan.exploits]
    for learner in copied:
        if copied.count(learner) > 1:
            raise PlanError(f"learner '{learner}' is copied over more than once in one plan")


def _draw(pool: Sequence[PolicyId], count: int, rng: np.random.Generator) -> list[PolicyId]:
    chosen = rng.choice(len(pool), size=min(count, len(pool)), replace=False) if pool else ()
    return [pool[int(index)] for index in chosen]


def _draw_weighted(
    pool: Sequence[PolicyId], weights: Sequence[float], count: int, rng: np.random.Generator
) -> list[PolicyId]:
    """`count` draws with repetition: each policy is drawn its weight's share of `count` times, rounded up or down.

    Systematic sampling: equidistant points with a random start, so that shares are exact in the mean over rounds.
    """
    if not pool:
        return []
    ends = np.cumsum(weights)
    points = (rng.random() + np.arange(count)) / count * ends[-1]
    # Rounding can put the last point on the end itself.
    chosen = np.minimum(np.searchsorted(ends, points, side="right"), np.flatnonzero(weights)[-1])
    return [pool[index] for index in chosen.tolist()]


def _validate_shares(table: int, seated: Sequence[Seating]) -> None:
    for seating in seated:
        if not seating.share >= 0:
            raise PlanError(f"table {table}: the share of {list(seating.lineup)} is {seating.share}; shares are >= 0")
    total = math.fsum(seating.share for seating in seated)
    if not abs(total - 1) <= 1e-9:
        raise PlanError(f"table {table}: the shares sum to {total}, not to 1")


def _validate_lineup(table: int, lineup: Lineup, view: LeagueView, roles: Mapping[PolicyId, str]) -> None:
    if len(lineup) != len(view.posts):
        raise PlanError(f"table {table}: the lineup {list(lineup)} must fill {len(view.posts)} posts")
    for index, (policy, post) in enumerate(zip(lineup, view.posts, strict=True)):
        if policy not in roles:
            raise PlanError(f"table {table}, post {index}: unknown policy '{policy}'{nearest(policy, roles)}")
        if roles[policy] != post.role:
            raise PlanError(
                f"table {table}, post {index} is for role '{post.role}'; '{policy}' is of role '{roles[policy]}'"
            )
    own = [learner.name for learner in view.learners if learner.table == table]
    if not set(own) & set(lineup):
        raise PlanError(f"table {table}: the lineup {list(lineup)} has none of the table's learners {own}")


def _validate_exploit(exploit: Exploit, view: LeagueView, roles: Mapping[PolicyId, str]) -> None:
    learners = [learner.name for learner in view.learners]
    for name in (exploit.learner, exploit.source):
        if name not in learners:
            raise PlanError(f"exploit: unknown learner '{name}'{nearest(name, learners)}")
    if exploit.snapshot not in {snapshot.id for snapshot in view.snapshots}:
        raise PlanError(f"exploit of '{exploit.learner}': unknown snapshot '{exploit.snapshot}'")
    for name in (exploit.source, exploit.snapshot):
        if roles[name] != roles[exploit.learner]:
            raise PlanError(
                f"exploit: '{exploit.learner}' is of role '{roles[exploit.learner]}', '{name}' of role '{roles[name]}'"
            )
    for name, value in exploit.hyperparameters.items():
        if not math.isfinite(value):
            raise PlanError(f"exploit of '{exploit.learner}': hyperparameter '{name}' is {value}")
