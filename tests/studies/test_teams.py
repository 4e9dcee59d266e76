"""Teams of two contestants mixed: who sits where, on which games, and what is summed up of it."""

from __future__ import annotations

import pytest

from league.games.actions import Discrete
from league.games.registry import make
from league.matchmaking.posts import by_seat
from league.play.fixture import Fixture
from league.play.match import play
from league.policies.scripted import Random
from league.studies.teams import halfwidth, mixed_teams, team_score


def apart(posts: int, held: tuple[int, ...] | None = None, games: int = 7) -> Fixture:
    """Two contestants that play the same posts in turn; -1 where others sit."""
    held = held or (0,) * posts
    lineups = tuple(tuple(f"{number}:" if holder >= 0 else "other:" for holder in held) for number in range(2))
    holders = tuple(tuple(number if holder >= 0 else -1 for holder in held) for number in range(2))
    return Fixture(contestants=(("0:",), ("1:",)), episodes=lineups, rated_index=holders, games=games, seed=5)


def test_each_sits_among_the_others_at_every_seat_in_turn():
    teams = mixed_teams(apart(3), ["a", "b"])
    assert [team.label for team in teams] == ["a among b", "b among a"]
    first, second = teams.values()
    assert [fixture.episodes[0] for fixture in first] == [
        ("0:", "1:", "1:"), ("1:", "0:", "1:"), ("1:", "1:", "0:")
    ]  # fmt: skip
    assert second[0].episodes[0] == ("1:", "0:", "0:")
    for team in (first, second):
        games = [number for fixture in team for number in range(*_span(fixture))]
        assert sorted(games) == list(range(7)), "every game once, at one seat or another"
        assert {fixture.seed for fixture in team} == {5}


def _span(fixture: Fixture) -> tuple[int, int, int]:
    first, step = fixture.numbers
    return first, first + step * fixture.games, step


def test_where_two_sit_there_is_one_way_to_mix_and_where_one_sits_there_is_none():
    (pair,) = mixed_teams(apart(2), ["a", "b"])
    assert (pair.label, pair.shares) == ("a with b", (0.5, 0.5))
    assert mixed_teams(apart(2, (0, -1)), ["a", "b"]) == {}
    assert mixed_teams(apart(1), ["a", "b"]) == {}


def test_others_keep_their_posts():
    (pair,) = mixed_teams(apart(3, (0, -1, 0)), ["a", "b"]).values()
    assert [fixture.episodes[0] for fixture in pair] == [("0:", "other:", "1:"), ("1:", "other:", "0:")]


def test_fewer_games_than_seats_leave_seats_out():
    first, _ = mixed_teams(apart(3, games=2), ["a", "b"]).values()
    assert [fixture.games for fixture in first] == [1, 1]


def test_a_team_is_summed_up_over_its_seats_and_by_agent():
    game = make("mpe2:simple_spread_v3", 4, options={"max_cycles": 4})
    team, fixtures = next(iter(mixed_teams(apart(3, games=9), ["a", "b"]).items()))
    policies = {name: Random("agent", Discrete(5)) for name in ("0:", "1:")}
    results = play([game], policies, fixtures, posts=by_seat(game.spec.posts))
    game.close()
    found = team_score(game.spec, team, list(zip(fixtures, results, strict=True)))
    assert found.episodes == 9
    total, square = (sum(getattr(result, name)[0] for result in results) for name in ("score_sum", "score_sq"))
    assert (found.mean, found.halfwidth) == (total / 9, halfwidth(square, total / 9, 9))
    assert [agent.seat for agent in found.agents] == ["agent_0", "agent_1", "agent_2"]
    assert sum(agent.mean for agent in found.agents) / 3 == pytest.approx(found.mean)
    assert all(agent.halfwidth > 0 for agent in found.agents)


def test_half_an_interval_by_hand():
    # 1, 2, 3: mean 2, variance 2/3 of three values; 1.96 sqrt(2/3 / 2).
    assert halfwidth(14.0, 2.0, 3) == pytest.approx(1.959964 * (1 / 3) ** 0.5)
    assert halfwidth(4.0, 2.0, 1) == 0.0
