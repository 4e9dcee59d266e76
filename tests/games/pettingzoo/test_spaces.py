"""Actions of every kind, observations that are padded or made smaller, and wrappers, through the PettingZoo adapter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import odd
import pytest
import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import Box, Discrete, MultiDiscrete
from league.games.conformance.suite import check, random_actions
from league.games.pettingzoo.game import PettingZooGame
from league.games.registry import make

HERE = str(Path(__file__).parent / "odd.py")
AGENTS = {
    "box": Box((-1.0, 0.0), (2.0, 0.5)),
    "multi": MultiDiscrete((3, 2, 4)),
    "bits": MultiDiscrete((2, 2)),
    "one": Discrete(4),
}


@pytest.mark.parametrize("agents", ["box multi bits one", "multi one", "box", "bits", "one"])
def test_every_kind_of_action_keeps_the_contract(agents: str) -> None:
    check(lambda slots: PettingZooGame(odd.Odd, slots, agents=agents), episodes=8)


def test_gymnasium_spaces_become_action_spaces() -> None:
    game = PettingZooGame(odd.Odd, 1)
    assert {role.name: role.actions for role in game.spec.roles} == AGENTS
    assert {role.name: role.action_dtype for role in game.spec.roles} == {
        name: torch.float32 if name == "box" else torch.int64 for name in AGENTS
    }


@pytest.mark.parametrize("workers", [0, 2])
def test_an_environment_receives_the_chosen_action(workers: int) -> None:
    game = make(f"{HERE}:Odd", 3, workers=workers)
    turn = game.start(torch.arange(3))
    for count in range(2 * odd.TURNS):
        actions = random_actions(game, turn, count)
        turn = game.step(actions, torch.arange(3) + count)
        for name, action in actions.items():
            first = action.reshape(3, -1)[:, 0].float() + 2 * (name == "one")
            (seat,) = game.spec.role(name).seats
            torch.testing.assert_close(turn.reward[:, seat], first)
            if not bool(turn.ended.any()):
                shown = turn.acts[name].obs[:, 0, 3:]  # Dict spaces put "drawn", three numbers, first
                torch.testing.assert_close(shown, action.reshape(3, -1).float() + 2 * (name == "one"))
    game.close()


@pytest.mark.parametrize(
    ("role", "action"),
    [("box", [0.0, 0.6]), ("box", [float("nan"), 0.1]), ("multi", [0, 2, 0]), ("multi", [-1, 0, 0]), ("one", 4)],
)
def test_an_action_outside_the_space_is_a_forfeit(role: str, action: object) -> None:
    game = PettingZooGame(odd.Odd, 2)
    turn = game.start(torch.arange(2))
    actions = random_actions(game, turn, 0)
    actions[role][1, 0] = torch.tensor(action, dtype=actions[role].dtype)
    turn = game.step(actions, torch.arange(2))
    (seat,) = game.spec.role(role).seats
    assert turn.ended.tolist() == [False, True]
    assert turn.forfeit is not None
    assert turn.forfeit.nonzero().tolist() == [[1, seat]]


def test_padding_lets_one_policy_serve_agents_with_different_shapes() -> None:
    roles = {"all": ["speaker_0", "listener_0"]}
    with pytest.raises(GameError, match="cannot hold both"):
        make("mpe2:simple_speaker_listener_v4", 1, options={"roles": roles})
    game = make("mpe2:simple_speaker_listener_v4", 4, options={"roles": roles, "pad": True})
    (role,) = game.spec.roles
    assert (role.obs_shape, role.actions) == ((11,), Discrete(5))
    turn = game.start(torch.arange(4))
    seen, mask = turn.acts["all"].obs, turn.acts["all"].mask
    assert mask is not None
    assert mask[0].tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    assert not bool(seen[:, 0, 3:].any())
    assert bool(seen[:, 0, :3].any(1).all())
    check(
        lambda slots: make("mpe2:simple_speaker_listener_v4", slots, options={"roles": roles, "pad": True}), episodes=4
    )
    with pytest.raises(GameError, match="pad = true needs agents with Discrete actions"):
        PettingZooGame(odd.Odd, 1, pad=True)


def test_images_are_shrunk_by_averaging() -> None:
    whole, half = (PettingZooGame(odd.Painted, 1, shrink=times) for times in (1, 2))
    seen, smaller = (game.start(torch.zeros(1, dtype=torch.int64)).acts["one"].obs[0, 0] for game in (whole, half))
    assert seen.shape == (3, 5, 7)
    assert smaller.shape == (3, 2, 3)
    assert smaller.dtype == torch.uint8
    assert smaller[0].tolist() == [[5, 5, 5], [25, 25, 25]]
    assert smaller[1].tolist() == [[5, 25, 45], [5, 25, 45]]
    with pytest.raises(GameError, match="shrink = 6 is too large for agent 'one''s images of 5 by 7"):
        PettingZooGame(odd.Painted, 1, shrink=6)
    with pytest.raises(GameError, match="shrink must be a whole number > 0, not 0"):
        PettingZooGame(odd.Painted, 1, shrink=0)


@pytest.mark.parametrize("workers", [0, 1])
def test_wrappers_wrap_the_environments(workers: int) -> None:
    with pytest.raises(GameError, match="which is unbounded: add bounds with a wrapper"):
        make(f"{HERE}:Unbounded", 2)
    game = make(f"{HERE}:Unbounded", 2, options={"wrappers": [f"{HERE}:bounds"]}, workers=workers)
    turn = game.start(torch.arange(2))
    actions = random_actions(game, turn, 0)
    turn = game.step(actions, torch.arange(2))
    torch.testing.assert_close(turn.reward[:, 0], actions["box"][:, 0, 0] + odd.LATER)
    assert game.spec.options == {"wrappers": [f"{Path(HERE).name}:bounds"]}, "wherever the file is"
    game.close()


def test_wrappers_that_cannot_be_used_are_named() -> None:
    with pytest.raises(GameError, match=r"the wrapper '.*broken_wrapper' failed: ValueError: no such thing"):
        make(f"{HERE}:Odd", 1, options={"wrappers": [f"{HERE}:broken_wrapper"]})
    with pytest.raises(GameError, match=r"wrapper 'nowhere\.py:Name'"):
        make(f"{HERE}:Odd", 1, options={"wrappers": ["nowhere.py:Name"]})
    with pytest.raises(GameError, match="must be a list"):
        make(f"{HERE}:Odd", 1, options={"wrappers": "one"})


def test_saved_episodes_with_box_actions_replay_exactly() -> None:
    game, twin = (PettingZooGame(odd.Odd, 3) for _ in range(2))
    turn = game.start(torch.arange(3))
    for count in range(3):
        turn = game.step(random_actions(game, turn, count), torch.arange(3))
    saved = game.save()
    assert saved["actions"].dtype == torch.float32
    assert tuple(saved["actions"].shape) == (3, 3, 4, 3)
    loaded = twin.load(saved)
    for name, acting in turn.acts.items():
        assert torch.equal(acting.obs, loaded.acts[name].obs)
    for left, right in zip(saved.values(), twin.save().values(), strict=True):
        assert torch.equal(left, right)


def test_uniform_draws_cover_each_space() -> None:
    draws = torch.rand((20_000, 3), generator=torch.Generator().manual_seed(0))
    for space in AGENTS.values():
        action: Tensor = space.uniform(draws[:, : space.draws], None)
        assert bool(space.legal(action, None).all())
        ends = action.reshape(20_000, -1).aminmax(dim=0)
        low, high = (
            (space.low, space.high)
            if isinstance(space, Box)
            else ((0,) * 3, tuple(n - 1 for n in getattr(space, "sizes", (4,))))
        )
        np.testing.assert_allclose(ends.min.numpy(), low[: space.draws], atol=1e-3)
        np.testing.assert_allclose(ends.max.numpy(), high, atol=1e-3)
