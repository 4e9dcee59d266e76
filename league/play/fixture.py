"""Fixtures: the games to play for a lineup, which depend on the kind of game. Pure, no torch.

A **fixture** is a number of rated games. Each game is one or more episodes with the same seed; contestants are compared
by their total score over these episodes:

- games of placements: one episode; the contestants are the sides. One fixture for each rotation of the lineup.
- score games whose sides are alike (poker): the lineup rotated over the sides, so luck of the deal cancels.
- score games whose sides differ (predator and prey): two policies of one role, each with the same others.
- one-sided games: one episode, one contestant, rated by its score.

Teams in which one policy plays among others are not rated (`mixed_team`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from league.errors import PolicyError
from league.games.core import GameSpec
from league.records import PolicyId, Post


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """`games` rated games of the same contestants.

    contestants: the policies of each contestant. episodes: for each episode of a game, the policy at each post.
    rated_index: for each episode and post, the index of that policy in the concatenated `contestants`, to which its
    score counts; -1 if the policy is not rated. others: the unrated policies that the result names.
    numbers: (first, step): of the games numbered 0, 1, … that `seed` defines it plays first, first + step, …
    """

    contestants: tuple[tuple[PolicyId, ...], ...]
    episodes: tuple[tuple[PolicyId, ...], ...]
    rated_index: tuple[tuple[int, ...], ...]
    games: int
    seed: int
    others: tuple[PolicyId, ...] = ()
    numbers: tuple[int, int] = (0, 1)

    @property
    def episode_count(self) -> int:
        """The episodes of all its games."""
        return self.games * len(self.episodes)


def sides_are_alike(spec: GameSpec) -> bool:
    """Whether all sides have the same roles, so that lineups can be rotated over them."""
    roles = [tuple(post.role for post in posts) for posts in sides_of(spec)]
    return len(set(roles)) == 1


def pairs_meet(spec: GameSpec) -> bool:
    """Whether two policies can simply meet: two sides that are alike, each of one post."""
    return len(spec.sides) == 2 and len(spec.posts) == 2 and sides_are_alike(spec)


def compares_same_role(spec: GameSpec) -> bool:
    """Whether two policies of one role are rated by comparison, each with the same others (see above)."""
    return spec.outcome == "score" and len(spec.sides) > 1 and not sides_are_alike(spec)


def rated_posts(spec: GameSpec, role: str) -> tuple[Post, ...]:
    """The posts that a rated lineup of this game has, where policies of `role` are to be rated."""
    if compares_same_role(spec):
        return (Post(0, role, ()), Post(1, role, ()))
    return spec.posts


def fixtures(
    spec: GameSpec, lineup: Sequence[PolicyId], games: int, seed: int, others: Sequence[PolicyId] = ()
) -> list[Fixture]:
    """At least `games` rated games of a lineup, seat-balanced.

    lineup: policy by rated post (flat). others: policy by post of the game, needed where policies are compared (the
    contestants take the posts of their role). Raises PolicyError where the lineup has the wrong length.
    """
    if compares_same_role(spec):
        return [_comparison(spec, lineup, games, seed, others)]
    if len(lineup) != len(spec.posts):
        posts = ", ".join(f"{post.role} on side {post.side}" for post in spec.posts)
        raise PolicyError(f"{spec.id} seats {len(spec.posts)} policies ({posts}); the lineup names {len(lineup)}")
    sides = _grouped(spec, lineup)
    turns = len(sides) if sides_are_alike(spec) and len(sides) > 1 and len(set(sides)) > 1 else 1
    rotations = [sides[shift:] + sides[:shift] for shift in range(turns)]
    flat = [tuple(policy for side in rotation for policy in side) for rotation in rotations]
    if spec.outcome == "score" and turns > 1:
        width = len(sides[0])
        numbers = list(range(len(lineup)))
        rated_index = tuple(tuple(numbers[shift * width :] + numbers[: shift * width]) for shift in range(turns))
        return [
            Fixture(contestants=tuple(sides), episodes=tuple(flat), rated_index=rated_index, games=games, seed=seed)
        ]
    share = -(-games // turns)
    return [
        Fixture(
            contestants=tuple(rotation),
            episodes=(policies,),
            rated_index=(tuple(range(len(lineup))),),
            games=share,
            seed=seed + shift,
        )
        for shift, (rotation, policies) in enumerate(zip(rotations, flat, strict=True))
    ]


def mixed_team(
    one: Sequence[PolicyId], rest: Sequence[PolicyId], posts: Sequence[int], games: int, seed: int, name: PolicyId
) -> list[Fixture]:
    """`games` games of a team in which `one` holds one post and `rest` all others; it sits at each post equally often.

    one, rest: policy by post. posts: at which of them `one` sits in turn. The team is one contestant, called `name`:
    its score is the mean over all seats. Game by game the seeds are those of every other team with this `seed`.
    """
    if tuple(one) == tuple(rest):
        return [
            Fixture(
                contestants=((name,),), episodes=(tuple(one),), rated_index=((0,) * len(one),), games=games, seed=seed
            )
        ]
    found = []
    for turn, post in enumerate(posts):
        lineup = tuple(one[index] if index == post else policy for index, policy in enumerate(rest))
        if share := len(range(turn, games, len(posts))):
            numbers = (turn, len(posts))
            found.append(
                Fixture(
                    contestants=((name,),),
                    episodes=(lineup,),
                    rated_index=((0,) * len(lineup),),
                    games=share,
                    seed=seed,
                    numbers=numbers,
                )
            )
    return found


def sides_of(spec: GameSpec) -> list[list[Post]]:
    """The posts of each side."""
    return [[post for post in spec.posts if post.side == side] for side in range(len(spec.sides))]


def _grouped(spec: GameSpec, lineup: Sequence[PolicyId]) -> list[tuple[PolicyId, ...]]:
    held = list(zip(spec.posts, lineup, strict=True))
    return [tuple(policy for post, policy in held if post.side == side) for side in range(len(spec.sides))]


def _comparison(
    spec: GameSpec, lineup: Sequence[PolicyId], games: int, seed: int, others: Sequence[PolicyId]
) -> Fixture:
    """Two policies of one role, each in turn at all posts of that role, with the same others elsewhere."""
    if len(lineup) != 2 or len(others) != len(spec.posts):
        raise PolicyError(f"{spec.id} compares two policies of one role, with others at the other posts; got {lineup}")
    compared = [index for index, other in enumerate(others) if other == ""]
    episodes = tuple(
        tuple(policy if index in compared else other for index, other in enumerate(others)) for policy in lineup
    )
    rated_index = tuple(
        tuple(number if index in compared else -1 for index in range(len(others))) for number in range(2)
    )
    rest = tuple(other for other in others if other)
    return Fixture(
        contestants=((lineup[0],), (lineup[1],)),
        episodes=episodes,
        rated_index=rated_index,
        games=games,
        seed=seed,
        others=rest,
    )
