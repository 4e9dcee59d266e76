"""The same in Python: train, read what a run left, and play an exported policy in a PettingZoo loop."""

from __future__ import annotations

import importlib
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from running import Called, tiny
from running import league as command

import league
from league.errors import ConfigError, GameError, PolicyError, RunError, SnapshotError
from league.games.registry import make


@pytest.fixture(scope="module")
def champions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Exported policies of Connect Four and of PettingZoo's tic-tac-toe, hardly trained."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("champions"))
        for name, game in (("connect_four", "connect_four"), ("tictactoe", "pettingzoo:classic/tictactoe-v3")):
            config = tiny(f"game.id={game}", "algorithm.slots=4", "population.learners=1", "budget.rounds=2")
            with league.League(config, f"runs/{name}") as run:
                assert run.run() == "budget"
                assert [line.snapshot.name for line in run.standings()["player"] if line.best] == ["main.1"]
            assert command("export", "best", "-r", name, "--out", name).code == 0
            found[name] = Path(name).absolute()
    return found


def environment(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(f"pettingzoo.classic.{name}").env()


@pytest.mark.parametrize(("name", "module"), [("connect_four", "connect_four_v3"), ("tictactoe", "tictactoe_v3")])
@pytest.mark.parametrize("sampled", [False, True])
def test_an_exported_policy_plays_a_pettingzoo_loop(
    champions: dict[str, Path], name: str, module: str, sampled: bool
) -> None:
    policy = league.load_policy(champions[name])
    rng = np.random.default_rng(0) if sampled else None
    env, moves = environment(module), []
    for seed in range(3):
        env.reset(seed=seed)
        for agent in env.agent_iter():
            observation, _, termination, truncation, _ = env.last()
            if termination or truncation:
                env.step(None)
                continue
            action = policy.act(observation, seat=agent, rng=rng)
            assert observation["action_mask"][action] == 1
            moves.append(action)
            env.step(action)
    third = len(moves) // 3
    assert (moves == moves[:third] * 3) == (not sampled), "greedy play repeats itself, sampled play does not"


def test_it_plays_as_it_was_trained(champions: dict[str, Path]) -> None:
    """What the loaded policy says of PettingZoo's observation is what it says of the native game's."""
    policy = league.load_policy(champions["connect_four"])
    env, game = environment("connect_four_v3"), make("connect_four", 1)
    env.reset(seed=0)
    import torch

    turn = game.start(torch.zeros(1, dtype=torch.int64))
    for column in (3, 3, 4, 2, 5, 6):
        observation = env.last()[0]
        acting = turn.acts["player"]
        seat = int(acting.seat)
        native = policy.probabilities(acting.obs[0, 0].numpy(), seat, acting.mask[0, 0].numpy())
        assert np.array_equal(policy.probabilities(observation, env.agent_selection), native)
        env.step(column)
        turn = game.step({"player": torch.tensor([[column]])}, torch.zeros(1, dtype=torch.int64))


def test_greedy_takes_the_most_probable_and_sampling_follows_the_probabilities(champions: dict[str, Path]) -> None:
    policy = league.load_policy(champions["tictactoe"])
    observation = np.zeros((3, 3, 2), dtype=np.int8)
    mask = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1], dtype=np.int8)
    chances = policy.probabilities(observation, "player_1", mask)
    assert chances.sum() == pytest.approx(1.0)
    assert (chances[mask == 0] == 0).all()
    assert policy.act(observation, "player_1", mask) == int(chances.argmax())
    rng = np.random.default_rng(1)
    drawn = np.bincount([policy.act(observation, 1, mask, rng) for _ in range(2000)], minlength=9) / 2000
    assert np.abs(drawn - chances).max() < 0.05
    assert (drawn[mask == 0] == 0).all()


def test_what_does_not_fit_is_refused(champions: dict[str, Path]) -> None:
    policy = league.load_policy(champions["tictactoe"])
    board, mask = np.zeros((3, 3, 2), dtype=np.int8), np.ones(9)
    for wrong, saying in (
        ((np.zeros((6, 7, 2)), "player_1", mask), r"shape \(2, 3, 3\), not \(6, 7, 2\)"),
        ((board, "player_7", mask), "no seat of this game; its seats are player_1, player_2"),
        ((board, 2, mask), "'2' is no seat"),
        ((board, -1, mask), "'-1' is no seat"),
        ((board, 0, np.ones(7)), "holds 9 flags"),
        ((board, 0, np.zeros(9)), "at least one of them set"),
        (({"board": board}, 0, None), "has no key 'observation'"),
    ):
        with pytest.raises(PolicyError, match=saying):
            policy.act(*wrong)


def test_loading_what_is_no_policy(champions: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="missing"):
        league.load_policy(tmp_path / "nowhere")
    with pytest.raises(SnapshotError, match="no policy"):
        league.load_policy(tmp_path)
    shutil.copytree(champions["tictactoe"], tmp_path / "two")
    shutil.copy(tmp_path / "two" / "policy.safetensors", tmp_path / "two" / "other.safetensors")
    with pytest.raises(SnapshotError, match="name one of these roles"):
        league.load_policy(tmp_path / "two", role="wolf")
    damaged = bytearray((champions["tictactoe"] / "policy.safetensors").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "two" / "policy.safetensors").write_bytes(damaged)
    with pytest.raises(SnapshotError, match="damaged"):
        league.load_policy(tmp_path / "two")
    checkpoint = next((champions["tictactoe"].parent / "runs" / "tictactoe" / "checkpoints").iterdir())
    with pytest.raises(SnapshotError, match="not a policy"):
        league.load_policy(checkpoint)


def test_reading_a_run(here: Path, finished: tuple[Path, Called]) -> None:
    with league.open_run() as newest, league.open_run("tiny") as named, league.open_run(here / "runs/tiny") as path:
        assert newest.standings() == named.standings() == path.standings()
        best = next(line.snapshot for line in named.standings() if line.best)
        assert named.policy().metadata["learner"] == best.learner
        assert named.policy(best.id[:10]).metadata == named.policy("best").metadata
        by_elo = named.standings(by="elo")
        assert {line.snapshot.id for line in by_elo} == {line.snapshot.id for line in named.standings()}
        with pytest.raises(PolicyError, match="scripted"):
            named.policy("random")
        with pytest.raises(GameError, match="no role 'wolf'"):
            named.standings("wolf")
        with pytest.raises(ConfigError, match="no rating system"):
            named.standings(by="nothing")
    with pytest.raises(RunError, match="is not a run"):
        league.open_run("nowhere")


def test_a_game_of_several_roles_asks_for_one(tmp_path: Path) -> None:
    config = tiny("game.id=mpe2:simple_tag_v3", "game.options={max_cycles = 4}", "algorithm.slots=2")
    league.League(config, tmp_path / "tag").close()
    with league.open_run(tmp_path / "tag") as run:
        with pytest.raises(GameError, match="name one: adversary, agent"):
            run.standings()
        with pytest.raises(GameError, match="name one: adversary, agent"):
            run.policy("best")
        assert run.standings("agent") == ()


def test_the_one_policy_of_an_export_may_be_named_by_its_role(champions: dict[str, Path]) -> None:
    folder = champions["tictactoe"]
    assert league.load_policy(folder, "player").policy.role == "player"
    with pytest.raises(SnapshotError, match="holds a policy of the role 'player', not of 'wolf'"):
        league.load_policy(folder, "wolf")


def test_the_package_names_what_it_offers() -> None:
    assert set(league.__all__) == {"League", "RunConfig", "load_policy", "open_run"}
    assert all(callable(getattr(league, name)) for name in league.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        league.nothing  # noqa: B018
