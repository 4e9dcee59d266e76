"""The PettingZoo adapter against plain PettingZoo and OpenSpiel loops, and the rest of its contract."""

from __future__ import annotations

import importlib
import random
import warnings
from typing import Any

import numpy as np
import pyspiel
import pytest
import torch
from gymnasium.utils import seeding

from league.errors import GameError
from league.games.conformance.suite import check, random_actions
from league.games.core import Turn
from league.games.pettingzoo.driver import fold_seed
from league.games.pettingzoo.game import PettingZooGame

Script = list[dict[str, int]]


def _plain(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(name)


def _plain_aec(env: Any, seed: int) -> tuple[Script, dict[str, float]]:
    """One random episode as PettingZoo's documentation plays it: actions, and returns by `last()`."""
    rng, script, returns = np.random.default_rng(seed), [], dict.fromkeys(env.possible_agents, 0.0)
    env.reset(seed=seed)
    for agent in env.agent_iter():
        observation, reward, over, cut, _ = env.last()
        returns[agent] += reward
        action = None if over or cut else int(rng.choice(np.flatnonzero(observation["action_mask"])))
        if action is not None:
            script.append({agent: action})
        env.step(action)
    return script, returns


def _plain_parallel(env: Any, seed: int) -> tuple[Script, dict[str, float]]:
    rng, script, returns = np.random.default_rng(seed), [], dict.fromkeys(env.possible_agents, 0.0)
    env.reset(seed=seed)
    while env.agents:
        script.append({agent: int(rng.integers(env.action_space(agent).n)) for agent in env.agents})
        for agent, reward in env.step(script[-1])[1].items():
            returns[agent] += reward
    return script, returns


def _act(game: PettingZooGame, turn: Turn, wanted: dict[str, int]) -> dict[str, torch.Tensor]:
    """The scripted actions of slot 0 as tensors; fails unless exactly the scripted agents are to act."""
    actions, acting = {}, set()
    for role in game.spec.roles:
        rows = turn.acts[role.name]
        actions[role.name] = torch.zeros_like(rows.seat)
        for k in range(role.acting):
            if rows.present[0, k]:
                agent = game.spec.seats[int(rows.seat[0, k])]
                acting.add(agent)
                actions[role.name][0, k] = wanted[agent]
    assert acting == set(wanted)
    return actions


def _replay(game: PettingZooGame, script: Script, seed: int) -> tuple[Turn, torch.Tensor]:
    """Play a script in one slot: the last turn, and the sum of rewards `[S]`."""
    seeds, rewards = torch.tensor([seed]), torch.zeros(len(game.spec.seats))
    turn = game.start(seeds)
    for count, wanted in enumerate(script, 1):
        turn = game.step(_act(game, turn, wanted), seeds)
        rewards += turn.reward[0]
        assert bool(turn.ended[0]) == (count == len(script))
    return turn, rewards


@pytest.mark.parametrize("name", ["tictactoe_v3", "connect_four_v3", "leduc_holdem_v4", "texas_holdem_v4"])
def test_turn_based_returns_are_those_of_a_plain_loop(name: str) -> None:
    env, game = _plain(f"pettingzoo.classic.{name}").env(), PettingZooGame(f"pettingzoo:classic/{name}", 1)
    for seed in range(8):
        script, returns = _plain_aec(env, seed)
        turn, rewards = _replay(game, script, seed)
        assert rewards.tolist() == turn.score[0].tolist() == list(returns.values())
        assert turn.terminated.all()
        assert not turn.truncated.any()


@pytest.mark.parametrize(
    ("name", "origin", "options", "cut"),
    [
        ("mpe2.simple_spread_v3", "mpe2:simple_spread_v3", {"max_cycles": 5}, True),
        ("mpe2.simple_tag_v3", "mpe2:simple_tag-v3", {"max_cycles": 4}, True),
        ("mpe2.simple_speaker_listener_v4", "mpe2:simple_speaker_listener_v4", {"max_cycles": 3}, True),
        ("pettingzoo.classic.rps_v2", "pettingzoo:classic/rps-v2", {"max_cycles": 6}, False),
    ],
)
def test_simultaneous_returns_are_those_of_a_plain_loop(
    name: str, origin: str, options: dict[str, Any], cut: bool
) -> None:
    env, game = _plain(name).parallel_env(**options), PettingZooGame(origin, 1, **options)
    assert game.spec.can_truncate == cut
    for seed in range(3):
        script, returns = _plain_parallel(env, seed)
        assert len(script) == options["max_cycles"]
        turn, rewards = _replay(game, script, seed)
        torch.testing.assert_close(rewards, torch.tensor(list(returns.values()), dtype=torch.float32))
        torch.testing.assert_close(turn.score[0], rewards)
        assert turn.truncated.all() == cut
        assert turn.terminated.all() != cut


def test_returns_of_dying_knights_are_those_of_a_plain_loop() -> None:
    # One new environment each: this one does not reset its spawning of zombies.
    options: dict[str, Any] = {"max_cycles": 400, "spawn_delay": 3, "line_death": True}
    game = PettingZooGame("pettingzoo:butterfly/knights_archers_zombies-v11", 3, **options)
    assert not game.replays
    assert [role.name for role in game.spec.roles] == ["archer", "knight"]
    env = _plain("pettingzoo.butterfly.knights_archers_zombies_v11").parallel_env(**options)
    script, returns = _plain_parallel(env, 5)
    # The first two slots were used to learn about the game; only the third is as new as the plain environment.
    seeds, rewards, deaths = torch.tensor([5, 5, 5]), torch.zeros(4), 0
    turn = game.start(seeds)
    for wanted in script:
        actions = {}
        for role in game.spec.roles:
            rows = turn.acts[role.name]
            actions[role.name] = torch.tensor(
                [[wanted.get(game.spec.seats[seat], 0) for seat in row] for row in rows.seat.tolist()]
            )
            for seat, present in zip(rows.seat[2].tolist(), rows.present[2].tolist(), strict=True):
                assert present == (game.spec.seats[seat] in wanted)
        turn = game.step(actions, seeds)
        rewards += turn.reward[2]
        deaths += int(turn.terminated[2].sum())
    assert turn.ended[2]
    assert deaths == 4
    assert rewards.tolist() == turn.score[2].tolist() == list(returns.values())


@pytest.mark.parametrize("name", ["kuhn_poker", "leduc_poker", "coop_box_pushing", "goofspiel"])
def test_openspiel_scores_are_the_games_own_returns(name: str) -> None:
    # Against OpenSpiel itself: Shimmy 2.0 cuts Kuhn poker off after one bet, and pays player_1 twice at the end.
    game, table = PettingZooGame(f"openspiel:{name}", 1), pyspiel.load_game(name)
    for seed in range(12):
        rng, chance, script = np.random.default_rng(seed), seeding.np_random(seed)[0], []
        state = table.new_initial_state()
        while not state.is_terminal():
            if state.is_chance_node():
                moves, odds = zip(*state.chance_outcomes(), strict=True)
                state.apply_action(chance.choice(moves, p=odds))
                continue
            both = state.is_simultaneous_node()
            seats = range(2) if both else [state.current_player()]
            chosen = [int(rng.choice(state.legal_actions(seat))) for seat in seats]
            script += [{f"player_{seat}": action} for seat, action in zip(seats, chosen, strict=True)]
            if both:
                state.apply_actions(chosen)
            else:
                state.apply_action(chosen[0])
        turn, rewards = _replay(game, script, seed)
        expected = torch.tensor(state.returns())
        torch.testing.assert_close(rewards, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(turn.score[0], expected)


@pytest.mark.parametrize("horizon", ["terminal", "truncation"])
def test_observations_masks_and_state_are_the_environments_own(horizon: str) -> None:
    game = PettingZooGame("pettingzoo:classic/connect_four_v3", 1, horizon=horizon)
    plain = _plain("pettingzoo.classic.connect_four_v3").raw_env()
    plain.reset()
    turn = game.start(torch.tensor([0]))
    for column in (3, 3, 3, 3, 3, 3, 0):
        seen, other = plain.observe(plain.agent_selection), plain.observe(plain.possible_agents[0])
        acting = turn.acts["player"]
        assert acting.obs.dtype == torch.uint8
        assert torch.equal(acting.obs[0, 0], torch.from_numpy(seen["observation"]).permute(2, 0, 1))
        assert acting.mask is not None
        assert torch.equal(acting.mask[0, 0], torch.from_numpy(seen["action_mask"]).bool())
        # Whoever acts sees the whole board; a state of its own is wanted only where an episode can be cut off.
        assert (turn.state is None) == (horizon == "terminal")
        if turn.state is not None:
            planes = torch.from_numpy(other["observation"]).permute(2, 0, 1).reshape(-1)
            assert torch.equal(turn.state[0, :84], planes.float())
        plain.step(column)
        turn = game.step({"player": torch.tensor([[column]])}, torch.tensor([0]))
    assert game.render(0).splitlines()[-1] == "X . . X . . ."
    assert game.render(0).splitlines()[0] == ". . . O . . ."


GAMES: list[tuple[str, dict[str, Any], bool]] = [
    ("pettingzoo:classic/tictactoe-v3", {}, True),
    ("pettingzoo:classic/connect_four-v3", {}, True),
    ("pettingzoo:classic/rps-v2", {"max_cycles": 5}, True),
    ("pettingzoo:classic/leduc_holdem-v4", {}, True),
    ("mpe2:simple_tag_v3", {"max_cycles": 5}, False),
    ("mpe2:simple_spread_v3", {"max_cycles": 5}, False),
    ("mpe2:simple_speaker_listener_v4", {"max_cycles": 5}, False),
    ("pettingzoo:butterfly/knights_archers_zombies-v11", {"max_cycles": 40, "spawn_delay": 2}, False),
    ("openspiel:kuhn_poker", {}, True),
    ("openspiel:goofspiel", {"num_cards": 3}, True),
]


@pytest.mark.parametrize(("origin", "options", "zero_sum"), GAMES, ids=[origin for origin, _, _ in GAMES])
def test_contract(origin: str, options: dict[str, Any], zero_sum: bool) -> None:
    checked = check(lambda slots: PettingZooGame(origin, slots, **options), episodes=8, slots=3, zero_sum=zero_sum)
    assert checked.episodes >= 8


def _step(game: PettingZooGame, turn: Turn, action: int = 0) -> Turn:
    actions = {name: torch.full_like(acting.seat, action) for name, acting in turn.acts.items()}
    return game.step(actions, torch.arange(game.slots))


def test_an_illegal_action_is_a_forfeit_and_never_reaches_the_environment() -> None:
    game = PettingZooGame("pettingzoo:classic/tictactoe-v3", 2)
    turn = _step(game, game.start(torch.tensor([0, 1])), 4)
    turn = game.step({"player": torch.tensor([[4], [0]])}, torch.tensor([2, 3]))
    assert turn.forfeit is not None
    assert turn.forfeit.tolist() == [[False, True], [False, False]]
    assert turn.ended.tolist() == [True, False]
    assert turn.score[0].tolist() == [1, -1]
    assert turn.acts["player"].obs[0].sum() == 0
    for action in (-1, 9):
        game.start(torch.tensor([0, 1]))
        assert game.step({"player": torch.full((2, 1), action)}, torch.tensor([2, 3])).ended.all()


@pytest.mark.parametrize(
    ("origin", "options"),
    [
        ("pettingzoo:classic/leduc_holdem-v4", {}),
        ("mpe2:simple_tag_v3", {"max_cycles": 6}),
        ("openspiel:kuhn_poker", {}),
    ],
)
def test_a_loaded_game_continues_as_the_saved_one(origin: str, options: dict[str, Any]) -> None:
    game, twin = PettingZooGame(origin, 3, **options), PettingZooGame(origin, 1, **options)
    assert game.replays
    turn = game.start(torch.tensor([7, 2**40 + 1, -3]))
    for count in range(9):
        turn = game.step(random_actions(game, turn, count), torch.arange(3) + 3 * count)
    again = twin.load(game.save())
    assert twin.slots == 3
    for count in range(9):
        assert turn.state is not None
        assert again.state is not None
        assert torch.equal(turn.state, again.state)
        for name, acting in turn.acts.items():
            assert torch.equal(acting.obs, again.acts[name].obs)
            assert torch.equal(acting.present, again.acts[name].present)
        actions, seeds = random_actions(game, turn, 50 + count), torch.arange(3) * 11 + count
        turn, again = game.step(actions, seeds), twin.step(actions, seeds)
        assert torch.equal(turn.reward, again.reward)
        assert torch.equal(turn.score[turn.ended], again.score[again.ended])


def test_a_state_that_cannot_be_replayed_is_refused() -> None:
    game = PettingZooGame("pettingzoo:classic/tictactoe-v3", 1)
    _step(game, game.start(torch.tensor([0])), 4)
    state = game.save()
    state["score"][0, 0] = 1.0
    with pytest.raises(GameError, match="slot 0's episode, played again"):
        game.load(state)


def test_no_global_generator_is_touched() -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
    for origin in ("pettingzoo:classic/connect_four-v3", "mpe2:simple_spread_v3"):
        game = PettingZooGame(origin, 2)
        _step(game, game.start(torch.tensor([0, 1])))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (np.random.get_state()[1].tolist(), random.getstate())  # type: ignore[index]


def test_seeds_are_folded_to_31_bits() -> None:
    assert [fold_seed(seed) for seed in (0, 5, 2**31 - 1)] == [0, 5, 2**31 - 1]
    assert len({fold_seed(seed) for seed in (2**31, 2**33, 2**40 + 5, -1, -2)}) == 5
    assert all(0 <= fold_seed(seed) < 2**31 for seed in (2**63 - 1, -(2**63)))


@pytest.mark.parametrize("workers", [0, 2])
def test_many_large_observations_become_a_mean_for_each_role(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PettingZooGame("mpe2:simple_tag_v3", 2)
    monkeypatch.setattr("league.games.pettingzoo.probe._MAX_STATE_NUMBERS", 62 * 4 - 1)
    game = PettingZooGame("mpe2:simple_tag_v3", 2, "cpu", workers)
    assert (whole.spec.state_shape, game.spec.state_shape) == ((62,), (30,))
    turn = game.start(torch.tensor([0, 1]))
    for count in range(30):  # over an episode's end, too
        parts = [turn.acts[role.name].obs.mean(1) for role in game.spec.roles]
        torch.testing.assert_close(turn.state, torch.cat(parts, 1))
        turn = game.step(random_actions(game, turn, count), torch.tensor([2, 3]))
        assert turn.final_state is not None
        assert bool(turn.final_state.any()) == bool(turn.truncated.any())
        assert turn.final_obs is not None
        if turn.truncated.any():
            parts = [turn.final_obs[role.name].mean(1) for role in game.spec.roles]
            torch.testing.assert_close(turn.final_state, torch.cat(parts, 1))
    game.close()
