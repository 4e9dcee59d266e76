"""`league match --show`: one game, position by position, as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from league.games.core import Game
from league.play.fixture import Fixture
from league.play.match import play
from league.play.table import Table
from league.run.roster.roster import Roster
from league.studies.match_plan import plan_match


def render_game(
    make: Callable[[int], Game], roster: Roster, texts: Sequence[str], seed: int, temperature: float
) -> list[str]:
    """One game of the match between these policies: each position as text, then each side's score.

    Raises PolicyError if the policies cannot play a match, GameError if the game cannot be rendered.
    """
    plan = plan_match(roster, texts, 1, seed)
    spec, posts, lineup = plan.contest.spec, plan.contest.posts, plan.contest.fixtures[None][0].episodes[0]
    # One contestant at all posts, so that the result holds each post's own score.
    fixture = Fixture(
        contestants=(lineup,), episodes=(lineup,), rated_index=(tuple(range(len(lineup))),), games=1, seed=seed
    )
    game, frames = make(1), []

    def watch(table: Table) -> None:
        frames.append(table.game.render(0))

    try:
        (result,) = play([game], plan.contest.policies, [fixture], temperature, watch=watch, posts=posts)
    finally:
        game.close()
    labels = {id: one.label for one in plan.contestants for id in one.ids}
    # The last move has already started the next game, so the final position cannot be shown, only the scores.
    scores = [
        f"  {' '.join(spec.seats[seat] for seat in post.seats)} ({labels.get(policy, 'another')}): {score:g}"
        for post, policy, score in zip(posts, lineup, result.score_sum, strict=True)
    ]
    return [*frames, "\n".join(["The game is over. Scores:", *scores])]
