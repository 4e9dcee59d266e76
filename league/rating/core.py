"""What all ratings share: the interface, the strategies by name, Elo's scale, and who can be compared with whom."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import lru_cache
from typing import Protocol, cast

from pydantic import ValidationError

from league.errors import ConfigError, RatingError, nearest
from league.records import MatchResult, PolicyId, Rating

Lineup = tuple[tuple[PolicyId, ...], ...]
Pattern = tuple[int, ...]

POINTS = 400.0 / math.log(10.0)
"""Elo points per unit of log-odds: 400 points are odds of ten to one."""

Z95 = 1.959964
"""Half the width of a 95 % interval of a normal distribution, in standard deviations."""

RATINGS: dict[str, str] = {
    "bradley-terry": "league.rating.bradley_terry:BradleyTerry",
    "elo": "league.rating.elo:Elo",
    "openskill": "league.rating.openskill:OpenSkill",
    "mean-score": "league.rating.mean_score:MeanScore",
}
"""Rating systems by name, as `module:Class`. A class declares its settings as `settings_type` and takes them."""


class RatingModel(Protocol):
    """A rating system: a pure function of the ledger."""

    def rate(self, results: Sequence[MatchResult], anchors: frozenset[PolicyId]) -> dict[PolicyId, Rating]:
        """Rate everybody who played. results: in ledger order; anchors: who is rated 0 by definition, one per role.

        No results, no ratings. Raises RatingError where the results cannot be rated.
        """
        ...


def make_rating(name: str, **settings: object) -> RatingModel:
    """The rating system called `name` (a key of `RATINGS`, or `package.module:Class`), with its settings.

    Raises ConfigError for an unknown name, a module or class that is not there, and settings that cannot be used.
    """
    if name not in RATINGS and ":" not in name:
        raise ConfigError(
            f"no rating system is called '{name}'{nearest(name, RATINGS)} (there are: {', '.join(RATINGS)})"
        )
    module, _, attribute = RATINGS.get(name, name).partition(":")
    try:
        strategy = getattr(importlib.import_module(module), attribute)
        return cast(RatingModel, strategy(strategy.settings_type(**settings)))
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"rating system '{name}' cannot be used: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"settings of rating system '{name}': {wrong}") from error


def predict(a: float, b: float) -> float:
    """Expected result in [0, 1] of one rated `a` against one rated `b`, both in Elo points (Elo 1978, sec. 8.4)."""
    gap = (a - b) / POINTS
    return 1.0 / (1.0 + math.exp(-gap)) if gap >= 0 else math.exp(gap) / (1.0 + math.exp(gap))


@lru_cache(maxsize=4096)
def comparisons(pattern: Pattern) -> tuple[tuple[int, int, float], ...]:
    """The pairs of sides `(i, j, score)` of a pattern of ranks, i < j: 1 if i came before j, 0.5 if level, else 0."""
    return tuple(
        (i, j, 0.5 if pattern[i] == pattern[j] else float(pattern[i] < pattern[j]))
        for i in range(len(pattern))
        for j in range(i + 1, len(pattern))
    )


def tells_nothing(lineup: Lineup) -> bool:
    """Whether all sides hold the same policies: whatever the outcome, it cannot tell them apart."""
    return lineup.count(lineup[0]) == len(lineup)


def games_played(results: Iterable[MatchResult]) -> dict[PolicyId, int]:
    """Rated games by policy; a game counts once for a policy that sat at several of its posts."""
    by_lineup: dict[Lineup, int] = {}
    for row in results:
        by_lineup[row.lineup] = by_lineup.get(row.lineup, 0) + row.games
    games: dict[PolicyId, int] = {}
    for lineup, count in by_lineup.items():
        for policy in dict.fromkeys(policy for side in lineup for policy in side):
            games[policy] = games.get(policy, 0) + count
    return games


def require_opponents(results: Iterable[MatchResult]) -> None:
    """Raises RatingError if a row has one side only: where nobody loses, relative strength has no meaning."""
    for row in results:
        if len(row.lineup) < 2:
            raise RatingError(
                f"games with one side have no opponents to be rated against (lineup {row.lineup}); rate by 'mean-score'"
            )


def peers(results: Iterable[MatchResult], anchors: frozenset[PolicyId]) -> list[frozenset[PolicyId]]:
    """Policies grouped by role, ordered by their smallest id. Only members of one group have a common scale.

    There is an anchor per role. So policies that a chain of games joins are one group where at most one anchor is
    among them; where several are, roles play each other, each at posts of its own: then a chain of posts must join
    them, too. (The rows of a paired game do not name the posts, for each side sits at those of all.)
    """
    by_post: dict[tuple[int, int], set[PolicyId]] = {}
    meetings = []
    for row in results:
        meetings.append(row.policies)
        for i, side in enumerate(row.lineup):
            for k, policy in enumerate(side):
                by_post.setdefault((0 if row.paired else i, k), set()).add(policy)
    return grouped(by_post.values(), meetings, anchors)


def grouped(
    by_post: Iterable[Set[PolicyId]], meetings: Iterable[Sequence[PolicyId]], anchors: frozenset[PolicyId]
) -> list[frozenset[PolicyId]]:
    """`peers`, from who sat at each post and who met in each game."""
    by_post = list(by_post)
    root = _components({policy for there in by_post for policy in there}, meetings)
    members: dict[PolicyId, set[PolicyId]] = {}
    for policy, its in root.items():
        members.setdefault(its, set()).add(policy)
    groups: list[frozenset[PolicyId]] = []
    for component in members.values():
        parts = [component & there for there in by_post] if len(component & anchors) > 1 else [component]
        for part in filter(None, parts):
            overlapping = [group for group in groups if group & part]
            groups = [*(group for group in groups if not group & part), frozenset(part).union(*overlapping)]
    return sorted(groups, key=min)


def _components(policies: Set[PolicyId], meetings: Iterable[Sequence[PolicyId]]) -> dict[PolicyId, PolicyId]:
    """Each policy's component of the graph of who met whom, named by one of its members."""
    root = {policy: policy for policy in policies}

    def find(policy: PolicyId) -> PolicyId:
        while root[policy] != policy:
            root[policy] = root[root[policy]]
            policy = root[policy]
        return policy

    apart = len(root)
    for first, *others in meetings:
        for other in others:
            a, b = find(first), find(other)
            if a != b:
                root[max(a, b)] = min(a, b)
                apart -= 1
        if apart == 1:
            break
    return {policy: find(policy) for policy in policies}


def spread(placements: Mapping[Pattern, int]) -> list[Pattern]:
    """A row's games one by one, its patterns spread evenly over the row (the ledger keeps no order within a row).

    The k-th of c games of a pattern is put at (k + 1/2) / c of the way; equal places go by the pattern's ranks.
    """
    places = [((k + 0.5) / count, pattern) for pattern, count in placements.items() for k in range(count)]
    return [pattern for _, pattern in sorted(places)]
