"""The PettingZoo adapter on two tiny environments: agents die early, with a reward, and off-turn masks lie."""

from __future__ import annotations

import pytest
import torch
from dying import Duel, Mortal

from league.games.conformance.suite import check
from league.games.core import Turn
from league.games.pettingzoo.game import PettingZooGame


def _step(game: PettingZooGame, turn: Turn, action: int = 0) -> Turn:
    actions = {name: torch.full_like(acting.seat, action) for name, acting in turn.acts.items()}
    return game.step(actions, torch.arange(game.slots))


def _actors(game: PettingZooGame, turn: Turn) -> list[str]:
    return [
        game.spec.seats[seat] for acting in turn.acts.values() for seat in acting.seat[0][acting.present[0]].tolist()
    ]


@pytest.mark.parametrize(("cut", "horizon"), [(False, "truncation"), (True, "truncation"), (True, "terminal")])
def test_turn_based_agent_dies_with_a_reward(cut: bool, horizon: str) -> None:
    game = PettingZooGame(Mortal, 2, cut=cut, horizon=horizon, sides=[["a_0"], ["b_0"], ["c_0"]])
    turn, seen = game.start(torch.tensor([0, 1])), []
    for _ in range(5):
        seen.append(_actors(game, turn))
        turn = _step(game, turn)
        if len(seen) == 3:
            assert turn.reward[0].tolist() == [1, 5, 0]
            assert turn.terminated[0].tolist() == [False, True, False]
            assert not turn.ended.any()
            assert turn.state is not None
            assert turn.state[0, 2:4].tolist() == [0, 0]
    assert seen == [["a_0"], ["b_0"], ["c_0"], ["a_0"], ["c_0"]]
    assert turn.ended.all()
    assert turn.score[0].tolist() == [0, 5, 2]
    last = [[True, False, True]] * 2
    truncated = cut and horizon == "truncation"
    assert turn.truncated.tolist() == (last if truncated else [[False] * 3] * 2)
    assert turn.terminated.tolist() == ([[False] * 3] * 2 if truncated else last)
    assert (turn.final_state is None) == (horizon == "terminal")
    if turn.final_state is not None and truncated:
        torch.testing.assert_close(turn.final_state[0], torch.tensor([0.5, 1, 0, 0, 0.5, 1]))
        assert turn.final_obs is not None
        last = torch.cat([turn.final_obs[role.name][0] for role in game.spec.roles])
        torch.testing.assert_close(last, torch.tensor([[0.5, 1], [0, 0], [0.5, 1]]))
    check(lambda slots: PettingZooGame(Mortal, slots, cut=cut, horizon=horizon))


def test_simultaneous_agent_dies_with_a_reward_and_missing_flags_follow_the_end() -> None:
    game = PettingZooGame(Duel, 1, roles={"player": ["red_0", "red_1", "blue_0", "blue_1"]})
    turn = game.start(torch.tensor([5]))  # luck 2
    assert turn.acts["player"].obs.shape == (1, 4, 5)
    masks = []
    for count in range(1, 5):
        mask = turn.acts["player"].mask
        assert mask is not None
        masks.append(mask[0, 0].tolist())
        turn = _step(game, turn)
        assert bool(turn.ended[0]) == (count == 4)
        if count == 2:
            assert turn.reward[0].tolist() == [2, 9, -2, -2]
            assert turn.terminated[0].tolist() == [False, True, False, False]
            assert turn.acts["player"].present[0].tolist() == [True, False, True, True]
        if count == 3:
            assert turn.reward[0].tolist() == [2, 0, -2, -2]
            assert not turn.terminated.any()
    assert masks == [[True, False], [True, True], [True, False], [True, True]]
    assert turn.truncated[0].tolist() == [True, False, True, True]
    assert not turn.terminated.any()
    assert turn.score[0].tolist() == [8, 11, -8, -8]
    assert turn.final_state is not None
    assert turn.final_state[0].reshape(4, 5).argmax(1).tolist() == [4, 0, 4, 4]
    assert turn.final_state[0].sum() == 3
    assert turn.final_obs is not None
    assert turn.final_obs["player"].shape == (1, 4, 5)
    assert turn.final_obs["player"].flatten(1).tolist() == turn.final_state.tolist()
    assert turn.final_obs["player"].dtype == torch.uint8
    check(lambda slots: PettingZooGame(Duel, slots))


def test_dead_agents_do_not_count_in_the_critics_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("league.games.pettingzoo.probe._MAX_STATE_NUMBERS", 1)
    game = PettingZooGame(Duel, 1)
    assert game.spec.state_shape == (5,), "one role, whose observation is one of five"
    turn, living = game.start(torch.tensor([0])), []
    for count in range(4):
        assert turn.state is not None
        assert turn.state[0].tolist() == [float(count == place) for place in range(5)], "all that live see the same"
        living.append(len(_actors(game, turn)))
        turn = _step(game, turn)
    assert living == [4, 4, 3, 3]
