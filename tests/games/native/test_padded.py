"""Padded native games: equal to the padded environments of the same name, and within the contract."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from test_particles_parity import THEIRS, copied
from torch import Tensor

from league.errors import GameError
from league.games.actions import Discrete
from league.games.conformance.suite import check, random_actions
from league.games.core import Acting, Game, GameSpec, RoleSpec, State
from league.games.native.core import ActsAndState, NativeGame, Outcome
from league.games.native.padded import Padded
from league.games.native.particle_game import ParticleGame
from league.games.pettingzoo.game import PettingZooGame
from league.games.registry import make

EPISODES, CYCLES = 12, 25
CHICKEN: dict[str, object] = {"payoff": [[0, 7, 1], [2, 6, 3]]}


class Scattered(NativeGame):
    """Roles whose seats are not adjacent: each seat observes its number, and its reward is its action."""

    def __init__(self, slots: int, device: str = "cpu", acting: int = 2) -> None:
        roles = (
            RoleSpec(
                name="even", seats=(0, 2), acting=acting, obs_shape=(2, 2), obs_dtype=torch.uint8, actions=Discrete(2)
            ),
            RoleSpec(name="odd", seats=(1, 3), acting=2, obs_shape=(3,), obs_dtype=torch.float32, actions=Discrete(4)),
        )
        super().__init__(
            GameSpec(
                id="scattered", version="1", seats=tuple("abcd"), sides=((0, 1, 2, 3),), roles=roles, outcome="score"
            ),
            slots,
            device,
        )

    def deal(self, seeds: Tensor) -> State:
        return {"seed": seeds}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        even, odd = actions["even"], actions["odd"]
        score = torch.stack((even[:, 0], odd[:, 0], even[:, 1], odd[:, 1]), 1).float()
        return state, Outcome(score, torch.ones_like(even[:, 0], dtype=torch.bool), score)

    def look(self, state: State) -> ActsAndState:
        acts = {}
        for role in self.spec.roles:
            seat = torch.tensor(role.seats).expand(len(state["seed"]), -1)
            seen = seat.view(-1, 2, *[1] * len(role.obs_shape)).expand(-1, -1, *role.obs_shape).to(role.obs_dtype)
            mask = (torch.arange(4) != 0).expand(len(seat), 2, 4) if role.name == "odd" else None
            acts[role.name] = Acting(seen, mask, seat, torch.ones_like(seat, dtype=torch.bool))
        return acts, None

    def text(self, state: State) -> str:
        return "scattered"


@pytest.mark.parametrize("name", ["speaker_listener", "adversary", "tag", "spread"])
def test_a_padded_game_plays_as_the_padded_environment(name: str) -> None:
    game = make(name, EPISODES, options={"pad": True, "dtype": "float64"})
    other = PettingZooGame(f"mpe2:{THEIRS[name]}", EPISODES, pad=True)
    assert (game.spec.roles, game.spec.sides) == (other.spec.roles, other.spec.sides)
    assert (game.spec.seats, game.spec.outcome) == (other.spec.seats, other.spec.outcome)
    (role,) = game.spec.roles
    assert role.name == ("agent" if name == "spread" else "player")
    assert role.seats == tuple(range(len(game.spec.seats)))
    seeds = torch.arange(EPISODES)
    theirs = other.start(seeds)
    worlds = [slot.driver.env.unwrapped.world for slot in other._backend._slots]  # type: ignore[attr-defined]
    game.start(seeds)
    mine = game.load(copied(game, worlds))  # type: ignore[arg-type]
    unlike = 0.0
    for cycle in range(CYCLES):
        one, two = mine.acts[role.name], theirs.acts[role.name]
        unlike = max(unlike, float((one.obs - two.obs).abs().max()))
        assert (one.mask is None) == (two.mask is None)
        if one.mask is not None and two.mask is not None:
            assert torch.equal(one.mask, two.mask)
        assert torch.equal(one.seat, two.seat)
        assert torch.equal(one.present, two.present)
        actions = random_actions(game, mine, cycle)
        mine, theirs = game.step(actions, seeds + 99), other.step(actions, seeds + 99)
        unlike = max(unlike, float((mine.reward - theirs.reward).abs().max()))
        assert torch.equal(mine.ended, theirs.ended)
        assert torch.equal(mine.truncated, theirs.truncated)
    assert mine.ended.all()
    assert mine.final_obs is not None
    assert theirs.final_obs is not None
    unlike = max(unlike, float((mine.final_obs[role.name] - theirs.final_obs[role.name]).abs().max()))
    # float64 worlds, shown in float32.
    assert unlike < 1e-5


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in ("speaker_listener", "adversary", "tag", "tictactoe", "kuhn")),
        ("matrix", CHICKEN),
    ],
)
def test_padded_games_keep_the_contract(name: str, options: dict[str, object]) -> None:
    def made(slots: int) -> Game:
        return make(name, slots, options={**options, "pad": True})

    assert check(made, episodes=20).episodes >= 20
    spec = made(1).spec
    assert spec.options["pad"] is True
    assert make(name, 2, options=spec.options).spec == spec
    assert len(spec.roles) == 1
    assert "pad" not in make(name, 1, options={**options, "pad": False}).spec.options


def test_rows_of_scattered_roles_are_in_seat_order() -> None:
    game = Padded(Scattered(2))
    check(lambda slots: Padded(Scattered(slots)), episodes=8)
    acting = game.start(torch.arange(2)).acts["player"]
    assert acting.seat.tolist() == [[0, 1, 2, 3]] * 2
    assert acting.obs[0].tolist() == [[0] * 4, [1, 1, 1, 0], [2] * 4, [3, 3, 3, 0]]
    assert acting.obs.dtype == torch.float32
    assert acting.mask is not None
    even, odd = [True, True, False, False], [False, True, True, True]
    assert acting.mask[1].tolist() == [even, odd, even, odd]
    turn = game.step({"player": torch.tensor([[0, 1, 1, 3], [1, 2, 0, 1]])}, torch.arange(2))
    assert turn.reward.tolist() == [[0, 1, 1, 3], [1, 2, 0, 1]]


def test_a_game_that_cannot_be_padded_is_refused() -> None:
    with pytest.raises(GameError, match="scattered: pad = true needs a game with one role, or one whose seats all act"):
        Padded(Scattered(2, acting=1))
    with pytest.raises(GameError, match="pad = true needs a PettingZoo environment or a NativeGame"):
        make("test_padded:unpadded", 2, options={"pad": True})


def unpadded(slots: int, device: str = "cpu") -> Game:
    """A game that is not native."""
    return PettingZooGame("pettingzoo:classic/tictactoe-v3", slots)


def test_a_padded_particle_game_plays_the_inner_game() -> None:
    game = make("tag", 3, options={"pad": True})
    assert isinstance(game, Padded)
    turn = game.start(torch.arange(3))
    plain = make("tag", 3)
    assert isinstance(plain, ParticleGame)
    twin = plain.start(torch.arange(3))
    assert game.forfeits == plain.forfeits
    assert game.render(1) == plain.render(1)
    assert torch.equal(turn.acts["player"].obs[:, :3], twin.acts["adversary"].obs)
    assert np.array_equal(turn.acts["player"].obs[:, 3, 14:], np.zeros((3, 2)))
    fork = game.fork(torch.tensor([2, 0]))
    assert torch.equal(fork.load(fork.save()).acts["player"].obs, turn.acts["player"].obs[[2, 0]])
