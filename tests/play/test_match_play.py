"""Matches: every episode fixed beforehand and played once, seats balanced, paired where scores count, repeatable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from playing import Relay
from torch import Tensor

from league.errors import PolicyError
from league.games.actions import Discrete
from league.games.core import Acting, Game, GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import NativeGame, Outcome
from league.games.registry import make
from league.play.fixture import Fixture, compares_same_role, fixtures, rated_posts, sides_are_alike
from league.play.match import placements, play, post_scores
from league.play.table import Table
from league.policies.core import Policy, Rows
from league.policies.scripted import Random
from league.records import MatchResult

LONG = 20


class Sprint(NativeGame):
    """Seat 0 wins at once where the deal is short, seat 1 after 20 turns where it is long: winners win quickly."""

    def __init__(self, slots: int) -> None:
        role = RoleSpec(
            name="player", seats=(0, 1), acting=1, obs_shape=(1,), obs_dtype=torch.float32, actions=Discrete(2)
        )
        super().__init__(GameSpec("sprint", "1", ("a", "b"), ((0,), (1,)), (role,), score_range=(-1, 1)), slots)

    def deal(self, seeds: Tensor) -> State:
        return {"length": torch.where(uniform(seeds) < 0.5, 1, LONG), "clock": torch.zeros_like(seeds)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        clock = state["clock"] + 1
        ended = clock == state["length"]
        won = torch.where(state["length"] == 1, 1.0, -1.0) * ended
        score = torch.stack((won, -won), 1)
        return {"length": state["length"], "clock": clock}, Outcome(score, ended, score)

    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        seat = (state["clock"] % 2)[:, None]
        obs = torch.zeros((len(seat), 1, 1))
        return {"player": Acting(obs, None, seat, torch.ones_like(seat, dtype=torch.bool))}, None

    def text(self, state: State) -> str:
        return f"{int(state['clock'][0])}"


@dataclass(frozen=True)
class Always:
    """Plays its favourite action where it is legal."""

    role: str
    actions: int
    action: int

    def logits(self, rows: Rows) -> Tensor:
        return 30.0 * torch.nn.functional.one_hot(torch.tensor(self.action), self.actions).expand(len(rows.seat), -1)


def total(results: list[MatchResult]) -> dict[tuple[int, ...], int]:
    found: dict[tuple[int, ...], int] = {}
    for result in results:
        for pattern, count in result.placements.items():
            found[pattern] = found.get(pattern, 0) + count
    return found


@pytest.mark.parametrize("slots", [1, 8, 64, 200])
def test_short_games_are_not_favoured(slots: int) -> None:
    game = Sprint(slots)
    players = {name: Random("player", Discrete(2)) for name in "ab"}
    (first, second) = fixtures(game.spec, ["a", "b"], 100, 5)
    ended: list[float] = []
    results = play([game], players, [first, second], tick=ended.append)
    for result, seed in ((results[0], 5), (results[1], 6)):
        # What the deals say, whatever order they end in.
        dealt = [fixture for fixture in (first, second) if fixture.seed == seed]
        assert result.games == result.episodes == 50 == sum(result.placements.values())
        assert dealt[0].contestants == result.lineup
        short = result.placements[0, 1]
        assert 10 < short < 40
        assert result.turns == short + LONG * (50 - short)
        assert result.score_sum == (2.0 * short - 50, 50 - 2.0 * short)
        assert result.score_sq == (50.0, 50.0)
    assert ended[-1] == 1.0
    assert ended == sorted(ended)
    baseline = play([Sprint(7)], players, [first, second])
    assert results == baseline


def test_every_episode_is_played_once_and_none_twice() -> None:
    """The deals of a match are those of its seeds: counted once over, straight from the seeds."""
    game = Sprint(9)
    (fixture, _) = fixtures(game.spec, ["a", "b"], 60, 11)
    met: dict[int, int] = {}

    def watch(table: Table) -> None:
        for episode, clock in zip(table.episode.tolist(), table.clock.tolist(), strict=True):
            if clock == 0:
                met[episode] = met.get(episode, 0) + 1

    players = {name: Random("player", Discrete(2)) for name in "ab"}
    (result,) = play([game], players, [fixture], watch=watch)
    assert {episode: met[episode] for episode in range(30)} == dict.fromkeys(range(30), 1)
    assert sum(result.placements.values()) == 30


def test_seats_are_balanced() -> None:
    game = make("connect_four", 16)
    found = fixtures(game.spec, ["left", "right"], 40, 3)
    assert [(f.contestants, f.games) for f in found] == [((("left",), ("right",)), 20), ((("right",), ("left",)), 20)]
    assert len({f.seed for f in found}) == 2
    # A stronger policy shows its strength from both seats.
    players: dict[str, Policy] = {"left": Always("player", 7, 3), "right": Always("player", 7, 6)}
    results = play([game], players, found)
    assert [result.placements for result in results] == [{(0, 1): 20}, {(0, 1): 20}]
    assert [result.lineup for result in results] == [(("left",), ("right",)), (("right",), ("left",))]


def test_odd_numbers_of_games_are_rounded_up_and_self_matches_need_one_lineup() -> None:
    spec = make("tictactoe", 1).spec
    assert [f.games for f in fixtures(spec, ["a", "b"], 7, 0)] == [4, 4]
    assert [f.games for f in fixtures(spec, ["a", "a"], 7, 0)] == [7]
    with pytest.raises(PolicyError, match=r"seats 2 policies .*the lineup names 3"):
        fixtures(spec, ["a", "b", "c"], 7, 0)


def test_luck_of_the_deal_cancels_in_paired_games() -> None:
    """Two names for one deterministic policy draw every paired game of Leduc, though every deal has a winner."""
    game = make("leduc", 32)
    (fixture,) = fixtures(game.spec, ["a", "b"], 100, 3)
    assert fixture.episodes == (("a", "b"), ("b", "a"))
    same: dict[str, Policy] = {name: Always("player", 3, 1) for name in "ab"}
    (result,) = play([game], same, [fixture])
    assert result.paired
    assert (result.games, result.episodes) == (100, 200)
    assert result.placements == {(0, 0): 100}
    assert result.score_sum == (0.0, 0.0)
    assert result.score_sq[0] == result.score_sq[1] > 100.0
    # And a policy that raises wins more chips from one that folds whenever it may.
    (uneven,) = play([game], {"a": Always("player", 3, 2), "b": Always("player", 3, 0)}, [fixture])
    assert uneven.placements == {(0, 1): 100}
    assert uneven.score_sum[0] == -uneven.score_sum[1] > 0


def test_the_episodes_of_a_paired_game_draw_differently() -> None:
    """Equal seeds, but not equal keys: else a pair would be one game seen twice."""
    game = make("leduc", 32)
    (result,) = play([game], {n: Random("player", Discrete(3)) for n in "ab"}, fixtures(game.spec, ["a", "b"], 200, 3))
    assert set(result.placements) == {(0, 1), (1, 0), (0, 0)}
    assert result.placements.get((0, 0), 0) < 100


def test_policies_of_differing_sides_are_compared_with_the_same_others() -> None:
    game = make("mpe2:simple_tag_v3", 6, options={"max_cycles": 8})
    assert compares_same_role(game.spec)
    assert not sides_are_alike(game.spec)
    assert [post.role for post in rated_posts(game.spec, "agent")] == ["agent", "agent"]
    policies: dict[str, Policy] = {
        "still": Always("agent", 5, 0),
        "twin": Always("agent", 5, 0),
        "runs": Always("agent", 5, 1),
        "hunters": Always("adversary", 5, 2),
    }
    others = ("hunters", "")
    level, uneven = (
        play([game], policies, fixtures(game.spec, ["still", other], 10, 4, others))[0] for other in ("twin", "runs")
    )
    game.close()
    assert (level.lineup, level.others) == ((("still",), ("twin",)), ("hunters",))
    assert level.placements == {(0, 0): 10}
    assert level.score_sum[0] == level.score_sum[1]
    assert sum(uneven.placements.values()) == 10
    assert uneven.placements[0, 0] < 10
    assert uneven.score_sum[0] == level.score_sum[0] != uneven.score_sum[1]
    assert (uneven.episodes, uneven.turns, uneven.paired) == (20, 160, True)
    with pytest.raises(PolicyError, match="compares two policies of one role"):
        fixtures(game.spec, ["still", "runs"], 10, 4)


def test_one_sided_games_bring_a_score() -> None:
    game = make("mpe2:simple_spread_v3", 4, options={"max_cycles": 5})
    (fixture,) = fixtures(game.spec, ["team"], 9, 2)
    (result,) = play([game], {"team": Random("agent", Discrete(5))}, [fixture])
    game.close()
    assert (result.placements, result.episodes, result.turns) == ({(0,): 9}, 9, 45)
    assert result.score_sum[0] < 0 < result.score_sq[0]
    assert result.score_sq[0] >= result.score_sum[0] ** 2 / 9


def test_forfeits_are_counted_to_the_offender() -> None:
    """Relay without masks: whoever takes the hidden illegal action loses, and the others win."""
    fixture = Fixture(
        contestants=(("bold",), ("mate", "judge")),
        episodes=(("bold", "mate", "judge"),),
        rated_index=((0, 1, 2),),
        games=12,
        seed=3,
    )
    policies: dict[str, Policy] = {
        "bold": Always("runner", 3, 1),
        "mate": Always("runner", 3, 0),
        "judge": Always("judge", 4, 0),
    }
    (result,) = play([Relay(5, masks=False)], policies, [fixture])
    assert result.lineup == (("bold",), ("mate", "judge"))
    assert 0 < result.forfeits[0] <= 12
    assert result.forfeits[1:] == (0, 0)
    # A forfeit is worth -10 to the offender and 10 to each of the others, far from what is paid else.
    assert result.placements[1, 0] >= result.forfeits[0]
    (fair,) = play([Relay(5)], policies, [fixture])
    assert fair.forfeits == (0, 0, 0)


def test_teams_are_placed_by_their_total() -> None:
    totals = np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert placements(totals).tolist() == [[0, 2, 1], [0, 0, 2], [0, 0, 0]]
    spec = make("mpe2:simple_tag_v3", 1).spec
    assert post_scores(spec.posts, np.array([[1.0, 2.0, 6.0, -4.0]])).tolist() == [[3.0, -4.0]]


@pytest.mark.parametrize("name", ["connect_four", "kuhn", "relay"])
def test_equal_seeds_give_equal_results_in_any_number_of_slots(name: str) -> None:
    def played(slots: int, seed: int) -> list[MatchResult]:
        game: Game = Relay(slots) if name == "relay" else make(name, slots)
        role = game.spec.roles[0]
        policies: dict[str, Policy] = {name: Random(role.name, role.actions) for name in "ab"}
        policies["judge"] = Random("judge", Discrete(4))
        others = ("", "", "judge") if name == "relay" else ()
        return play([game], policies, fixtures(game.spec, ["a", "b"], 30, seed, others))

    first = played(4, 1)
    assert first == played(4, 1) == played(1, 1) == played(33, 1)
    assert first != [replace(result, seed=first[n].seed) for n, result in enumerate(played(4, 2))]
    assert all(sum(result.placements.values()) == result.games for result in first)


def test_several_fixtures_are_told_apart() -> None:
    """All fixtures of a job sit in one table; each result is as if it had been played alone."""
    game = make("tictactoe", 16)
    policies: dict[str, Policy] = {
        "random": Random("player", Discrete(9)),
        "corner": Always("player", 9, 0),
        "centre": Always("player", 9, 4),
    }
    pairs = [("random", "corner"), ("centre", "random"), ("corner", "centre")]
    job = [fixture for seed, pair in enumerate(pairs) for fixture in fixtures(game.spec, pair, 20, 100 * seed)]
    together = play([game], policies, job)
    assert together == [play([game], policies, [fixture])[0] for fixture in job]
    assert [result.lineup[0][0] for result in together] == ["random", "corner", "centre", "random", "corner", "centre"]
    assert play([game], policies, []) == []


def test_a_policy_of_another_role_cannot_sit_down() -> None:
    game = make("mpe2:simple_tag_v3", 2, options={"max_cycles": 3})
    (fixture,) = fixtures(game.spec, ["a", "b"], 2, 4, ("a", ""))
    with pytest.raises(PolicyError, match=r"'adversary'.*'agent'"):
        play([game], {"a": Random("adversary", Discrete(5)), "b": Random("agent", Discrete(5))}, [fixture])
    game.close()
