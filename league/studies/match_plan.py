"""The plan of `league match`: POLICY texts become a contest, depending on the kind of game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from league.errors import PolicyError
from league.matchmaking.posts import by_seat
from league.play.fixture import Fixture, fixtures, sides_are_alike, sides_of
from league.run.roster.policy_text import split_roles
from league.run.roster.roster import Roster
from league.studies.contest import (
    Contest,
    Contestant,
    all_policies,
    contestant,
    roles_meant,
    same_policies,
    stand_ins,
    told_apart,
)
from league.studies.teams import Team, mixed_teams


@dataclass(frozen=True, slots=True)
class MatchPlan:
    """A match to play.

    contest: the games of the contestants themselves under None; in one-sided games also those of each mixed team.
    comparable: whether the contestants' scores can be compared.
    """

    contest: Contest[Team | None]
    contestants: tuple[Contestant, ...]
    comparable: bool
    note: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The contestants' labels."""
        return tuple(one.label for one in self.contestants)


def plan_match(roster: Roster, texts: Sequence[str], games: int, seed: int) -> MatchPlan:
    """Seat the policies that the texts name. Raises PolicyError if they do not fill the game's sides.

    - Sides that are alike: one POLICY per side, or two, of which the second takes all sides but one.
    - One-sided games: one POLICY, or two that play the same episodes, each with itself and mixed.
    - Sides that differ: one POLICY per side (their scores are shown, not compared), or two of the same roles, which
      play the same episodes with the best policies at all other posts.
    """
    spec = roster.spec
    if sides_are_alike(spec) and len(spec.sides) > 1:
        return _sides(roster, texts, games, seed)
    named = _policies_named(roster, texts)
    roles = [set().union(one) for one in named]
    if len(texts) == len(spec.sides) > 1 and sum(map(len, roles)) == len(set().union(*roles)):
        return _beside(roster, named, games, seed)
    if not 1 <= len(texts) <= 2:
        raise PolicyError(f"{spec.id}: name one policy, or two to compare, not {len(texts)}")
    if any(one != roles[0] for one in roles):
        shown = " and ".join(f"'{text}' ({', '.join(sorted(one))})" for text, one in zip(texts, roles, strict=True))
        raise PolicyError(f"{spec.id}: only policies of the same roles can be compared, not {shown}")
    return _compared(roster, texts, named, games, seed)


def _policies_named(roster: Roster, texts: Sequence[str]) -> list[dict[str, str]]:
    """For each text, the POLICY by role. A text without roles fills those of its side, or else all roles."""
    spec, meant = roster.spec, [roles_meant(text, roster) for text in texts]
    every = list(dict.fromkeys(post.role for post in spec.posts))
    filled = [every] * len(texts)
    if len(texts) == len(spec.sides) > 1 and all("" in roles for roles in meant):
        filled = [[post.role for post in posts] for posts in sides_of(spec)]
    return [
        dict.fromkeys(roles, texts_by_role[""]) if "" in texts_by_role else texts_by_role
        for roles, texts_by_role in zip(filled, meant, strict=True)
    ]


def _sides(roster: Roster, texts: Sequence[str], games: int, seed: int) -> MatchPlan:
    """Sides that are alike: one side per contestant. With two contestants, the second holds all other sides."""
    spec = roster.spec
    if len(texts) != len(spec.sides) and not len(texts) == 2 < len(spec.sides):
        raise PolicyError(f"{spec.id} has {len(spec.sides)} sides: name one policy for each, not {len(texts)}")
    found = []
    for number, (text, posts) in enumerate(zip(texts, sides_of(spec), strict=False)):
        named, by_role = split_roles(text, [role.name for role in spec.roles]), {}
        for role in dict.fromkeys(post.role for post in posts):
            if role not in named and "" not in named:
                raise PolicyError(f"'{text}' names no policy for the role '{role}'; write {role}=POLICY")
            by_role[role] = named.get(role, named.get("", ""))
        found.append(contestant(str(number), by_role, roster))
    contestants = told_apart(found, texts)
    lineup = [contestants[min(post.side, len(texts) - 1)].id(post.role) for post in spec.posts]
    played = fixtures(spec, lineup, games, seed)
    contest: Contest[Team | None] = Contest(spec, spec.posts, all_policies(contestants), {None: played})
    return MatchPlan(contest, contestants, comparable=True, note=_twins(contestants))


def _compared(
    roster: Roster, texts: Sequence[str], named: Sequence[Mapping[str, str]], games: int, seed: int
) -> MatchPlan:
    """Contestants that take the same posts in turn. named: for each, POLICY by role; all have the same roles."""
    spec = roster.spec
    posts = by_seat(spec.posts) if len(spec.sides) == 1 else spec.posts
    mine = [post.role in named[0] for post in posts]
    others = stand_ins(dict.fromkeys(post.role for post, own in zip(posts, mine, strict=True) if not own), roster)
    contestants = told_apart(
        [
            contestant(str(number), {post.role: roles[post.role] for post in posts if post.role in roles}, roster)
            for number, roles in enumerate(named)
        ],
        texts,
    )
    labels = tuple(dict.fromkeys(found.label for found in others.policies.values()))
    apart = Fixture(
        contestants=tuple((next(iter(one.ids)),) for one in contestants),
        episodes=tuple(
            tuple((one if own else others).id(post.role) for post, own in zip(posts, mine, strict=True))
            for one in contestants
        ),
        rated_index=tuple(tuple(number if own else -1 for own in mine) for number in range(len(contestants))),
        games=games,
        seed=seed,
        others=labels,
    )
    groups: dict[Team | None, Sequence[Fixture]] = {None: [apart]}
    if len(spec.sides) == 1:
        groups.update(mixed_teams(apart, [one.label for one in contestants]).items())
    contest = Contest(spec, posts, all_policies([*contestants, others]), groups)
    notes = [f"with {', '.join(labels)} at the other posts"] if labels else []
    notes += [twins] if (twins := _twins(contestants)) else []
    return MatchPlan(contest, contestants, comparable=len(contestants) > 1, note="; ".join(notes))


def _twins(contestants: Sequence[Contestant]) -> str:
    """A note where two contestants are one policy, by two names."""
    if len(contestants) == 2 and contestants[0].label != contestants[1].label and same_policies(*contestants):
        return f"{contestants[0].label} and {contestants[1].label} are the same policy"
    return ""


def _beside(roster: Roster, named: Sequence[Mapping[str, str]], games: int, seed: int) -> MatchPlan:
    """Sides whose roles differ: one contestant per side. Their scores are shown beside each other."""
    spec = roster.spec
    holder_of = {role: number for number, roles in enumerate(named) for role in roles}
    if missing := [post.role for post in spec.posts if post.role not in holder_of]:
        raise PolicyError(f"{spec.id}: no policy was named for the role {' and '.join(missing)}; write ROLE=POLICY")
    contestants = [contestant(str(number), roles, roster) for number, roles in enumerate(named)]
    holders = tuple(holder_of[post.role] for post in spec.posts)
    fixture = Fixture(
        contestants=tuple((next(iter(one.ids)),) for one in contestants),
        episodes=(tuple(contestants[holder].id(post.role) for post, holder in zip(spec.posts, holders, strict=True)),),
        rated_index=(holders,),
        games=games,
        seed=seed,
    )
    contest: Contest[Team | None] = Contest(spec, spec.posts, all_policies(contestants), {None: [fixture]})
    note = "scores of different roles are not compared"
    return MatchPlan(contest, tuple(contestants), comparable=False, note=note)
