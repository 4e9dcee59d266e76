"""Posts: which seats one policy fills in a lineup.

A game's own posts (`GameSpec.posts`) give all seats of one role on one side to one policy. A run with
`game.posts = "seat"`, and studies that mix teams, give every seat a post of its own instead (`by_seat`). Code that
seats policies receives the posts to which its lineups refer; the game itself does not know them.
"""

from __future__ import annotations

from collections.abc import Sequence

from league.records import Post


def by_seat(posts: Sequence[Post]) -> tuple[Post, ...]:
    """The same seats in the same order, each a post of its own: team-mates of one role may be different policies."""
    return tuple(Post(post.side, post.role, (seat,)) for post in posts for seat in post.seats)


def post_of_seat(posts: Sequence[Post]) -> tuple[int, ...]:
    """The index of the post that holds each seat, `[S]`."""
    holder = {seat: index for index, post in enumerate(posts) for seat in post.seats}
    return tuple(holder[seat] for seat in range(len(holder)))
