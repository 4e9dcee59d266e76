"""What all ratings share: the interface, rating systems by name, Elo's scale, and which policies are comparable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from league import plugins
from league.errors import ConfigError, RatingError, nearest
from league.records import PolicyId, Rating

if TYPE_CHECKING:
    from league.rating.ledger import Ledger, Pattern

POINTS = 400.0 / math.log(10.0)
"""Elo points per unit of log-odds: 400 points are odds of ten to one."""

Z95 = 1.959964
"""Half the width of a 95 % interval of a normal distribution, in standard deviations."""

RATINGS: dict[str, str] = {
    "melo": "league.rating.melo:Melo",
    "field": "league.rating.field:Field",
    "robust": "league.rating.field:Robust",
    "bradley-terry": "league.rating.bradley_terry:BradleyTerry",
    "elo": "league.rating.elo:Elo",
    "openskill": "league.rating.openskill:OpenSkill",
    "mean-score": "league.rating.mean_score:MeanScore",
    "nash": "league.rating.metagame.ratings:NashAveraging",
    "alpharank": "league.rating.metagame.ratings:AlphaRank",
    "deviation": "league.rating.metagame.ratings:DeviationRatings",
}
"""Rating systems by name, as `module:Class`. A class declares its settings as `settings_type` and takes them."""

META_GAMES = {
    "nash": "score against the Nash equilibrium ± 95 % interval",
    "alpharank": "share of a population that adopts what is better",
    "deviation": "gain by insisting on the policy ± 95 % interval",
}
"""What the values of a meta-game's rating systems are. Random play is not their 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterFacts:
    """What the ledger does not say about the policies in it.

    scripted: the policies beside random play that are not snapshots of learners. parents: the snapshot that each one
    descends from.
    """

    scripted: frozenset[PolicyId] = frozenset()
    parents: Mapping[PolicyId, PolicyId] = field(default_factory=dict)


NO_FACTS = RosterFacts()
"""For a ledger of which nothing else is known."""


def heading(by: str) -> str:
    """What the column of a rating system's values is called."""
    return f"{by}: {META_GAMES[by]}" if by in META_GAMES else f"{plugins.short(by)} ± 95 % interval"


class RatingModel(Protocol):
    """A rating system: a pure function of the ledger.

    A system that reads no score sums can declare `needs_scores = False`; a long ledger then loads faster. A system that
    declares `knows_roster = True` receives `RosterFacts` as the argument `roster` of `rate`.
    """

    def rate(self, ledger: Ledger, anchors: frozenset[PolicyId]) -> dict[PolicyId, Rating]:
        """Rate everybody who played. anchors: who is rated 0 by definition, one per role.

        `ledger.rows()` gives the matches one by one, `ledger.tables` their sums by lineup. An empty ledger has no
        ratings. Raises RatingError where the matches cannot be rated.
        """
        ...


def make_rating(name: str, **settings: object) -> RatingModel:
    """The rating system called `name` (a key of `RATINGS`, `package.module:Class` or `file.py:Class`).

    Raises ConfigError for an unknown name, a file, module or class that is not there, and settings that cannot be used.
    """
    if name not in RATINGS and ":" not in name:
        raise ConfigError(
            f"no rating system is called '{name}'{nearest(name, RATINGS)} (there are: {', '.join(RATINGS)})"
        )
    from pydantic import ValidationError

    strategy: Any = plugins.load(RATINGS.get(name, name), "rating system", ConfigError)
    if not hasattr(strategy, "settings_type"):
        raise ConfigError(f"rating system '{name}' has no settings_type, the class of its settings")
    try:
        return cast(RatingModel, strategy(strategy.settings_type(**settings)))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"settings of rating system '{name}': {wrong}") from error


def needs_scores(model: RatingModel) -> bool:
    """Whether a rating system reads score sums: assumed true unless declared."""
    return bool(getattr(model, "needs_scores", True))


def rate(
    model: RatingModel, ledger: Ledger, anchors: frozenset[PolicyId], roster: RosterFacts
) -> dict[PolicyId, Rating]:
    """Call `model.rate`, with `roster` if the model takes it. anchors: as in `RatingModel.rate`."""
    extra = {"roster": roster} if getattr(model, "knows_roster", False) else {}
    return model.rate(ledger, anchors, **extra)


def expected_score(a: float, b: float) -> float:
    """Expected result in [0, 1] of one rated `a` against one rated `b`, both in Elo points (Elo 1978, sec. 8.4)."""
    gap = (a - b) / POINTS
    return 1.0 / (1.0 + math.exp(-gap)) if gap >= 0 else math.exp(gap) / (1.0 + math.exp(gap))


@lru_cache(maxsize=4096)
def pairwise_results(pattern: Pattern) -> tuple[tuple[int, int, float], ...]:
    """The pairs of sides `(i, j, score)` of a pattern of ranks, i < j: 1 if i came before j, 0.5 if level, else 0."""
    return tuple(
        (i, j, 0.5 if pattern[i] == pattern[j] else float(pattern[i] < pattern[j]))
        for i in range(len(pattern))
        for j in range(i + 1, len(pattern))
    )


def require_opponents(ledger: Ledger) -> None:
    """Raises RatingError if a match has one side only: where nobody loses, relative strength has no meaning."""
    for table in ledger.tables:
        if len(table.sizes) < 2:
            lineup = (tuple(ledger.ids[policy] for policy in table.members[0].tolist()),)
            raise RatingError(
                f"games with one side have no opponents to be rated against (lineup {lineup}); rate by 'mean-score'"
            )


def require_one_on_one(ledger: Ledger, anchors: frozenset[PolicyId]) -> None:
    """Raises RatingError unless every match is one policy against another of the same role.

    Only such policies form a payoff: in games of teams or of more sides a result belongs to several policies at once,
    and where one role plays another, policies of one role never meet.
    """
    import numpy as np

    require_opponents(ledger)
    number = {policy: n for n, group in enumerate(role_groups(ledger, anchors)) for policy in group}
    role = np.array([number[policy] for policy in ledger.ids])
    for table in ledger.tables:
        if table.sizes != (1, 1):
            shape = " against ".join(map(str, table.sizes))
            raise RatingError(f"the game behind the table needs games of one policy against one, not of {shape}")
        apart = np.flatnonzero(role[table.members[:, 0]] != role[table.members[:, 1]])
        if len(apart):
            a, b = (ledger.ids[policy] for policy in table.members[apart[0]])
            raise RatingError(
                f"the game behind the table needs sides with the same role, but {a} and {b} played for different roles"
            )


def role_groups(ledger: Ledger, anchors: frozenset[PolicyId]) -> list[frozenset[PolicyId]]:
    """Policies grouped by role, ordered by their smallest id. Only members of one group have a common scale.

    There is an anchor per role. So policies that a chain of games joins are one group where at most one anchor is
    among them; where several are, roles play each other, each at posts of its own: then a chain of posts must join
    them, too. (The rows of a paired game do not name the posts, for each side sits at those of all.)
    """
    by_post: dict[tuple[int, int], set[PolicyId]] = {}
    for table in ledger.tables:
        for (side, k), members in zip(table.posts, table.members.T, strict=True):
            there = by_post.setdefault((0 if table.paired else side, k), set())
            there.update(ledger.ids[policy] for policy in ledger.distinct(members))
    groups: list[frozenset[PolicyId]] = []
    for component in _connected_components(ledger):
        parts = [component & there for there in by_post.values()] if len(component & anchors) > 1 else [component]
        for part in filter(None, parts):
            overlapping = [group for group in groups if group & part]
            groups = [*(group for group in groups if not group & part), frozenset(part).union(*overlapping)]
    return sorted(groups, key=min)


def _connected_components(ledger: Ledger) -> list[set[PolicyId]]:
    """Groups of policies that are connected by games."""
    import numpy as np

    joined, found = ledger.played_together(include_allies=True), []
    left = dict.fromkeys(range(len(joined)))
    while left:
        reached, edge = set[int](), {next(iter(left))}
        while edge:
            reached |= edge
            edge = set(np.flatnonzero(joined[list(edge)].any(axis=0)).tolist()) - reached
        for policy in reached:
            del left[policy]
        found.append({ledger.ids[policy] for policy in reached})
    return found
