"""Learning shows: short runs whose outcome a broken update, mask, sign or bootstrap would spoil."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from league.execution.training_table import TrainingTable
from league.games.actions import ActionSpace, Box, Discrete, MultiDiscrete
from league.games.conformance.suite import check
from league.games.core import Acting, Game, GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import NativeGame, Outcome
from league.games.registry import make
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.play.fixture import fixtures
from league.play.match import play
from league.policies.core import Policy, Rows
from league.policies.scripted import OnePly, Random
from league.policies.settings import NetworkSettings
from league.records import Seating


def trained(
    game: Game, rounds: int, turns: int, seed: int, width: int = 64, others: Policy | None = None, **settings: object
) -> Mappo:
    """A learner after `rounds` rounds of play: against itself, or in every seat in turn against `others`."""
    spec, network = game.spec, NetworkSettings(actor=(width, width), critic=(width, width))
    learner = Mappo("main", spec, spec.roles[0], network, MappoSettings.model_validate(settings), seed)
    table = TrainingTable(game, 0, seed)
    seatings = [Seating(("main",) * len(spec.posts), 1.0)]
    if others is not None:
        seatings = [Seating(("main", "others"), 0.5), Seating(("others", "main"), 0.5)]
    for number in range(rounds):
        table.round(number, [learner], {"others": others} if others else {}, seatings, turns)
    return learner


def score(game: Game, one: Policy, other: Policy, games: int, seed: int) -> float:
    """Mean result of the first policy, seat-balanced."""
    total = 0.0
    for result in play([game], {"one": one, "other": other}, fixtures(game.spec, ["one", "other"], games, seed)):
        first = result.lineup[0] == ("one",)
        total += result.placements.get((0, 1) if first else (1, 0), 0) + 0.5 * result.placements.get((0, 0), 0)
    return total / games


def probabilities(policy: Policy, obs: torch.Tensor, seat: int) -> torch.Tensor:
    return policy.logits(Rows(obs[None], None, torch.tensor([seat])))[0].softmax(0)


def test_tictactoe_is_won_against_random_play() -> None:
    """Learned from play against itself only, whose scores say nothing of strength."""
    learner = trained(
        make("tictactoe", 128), 45, 24, 1, 128, learning_rate=3e-3, minibatch=512, discount=1.0, entropy=0.03
    )
    assert score(make("tictactoe", 200), learner.policy, Random("player", Discrete(9)), 400, 5) > 0.9


def test_a_prisoner_defects() -> None:
    """A general-sum game with a dominant action, learned as a score game by both seats of one role."""
    game = make("matrix", 64, options={"payoff": [[3.0, 0.0], [5.0, 1.0]], "payoff_column": [[3.0, 5.0], [0.0, 1.0]]})
    learner = trained(game, 30, 8, 2, width=16, learning_rate=5e-3, minibatch=256)
    for seat in (0, 1):
        assert probabilities(learner.policy, torch.ones(1), seat)[1] > 0.9


def test_the_best_answer_to_random_play_is_found_in_kuhn() -> None:
    """Facing a random bet, king and queen call and the jack folds; a king that may bet does (both seats)."""
    game = make("kuhn", 256)
    learner = trained(
        game,
        60,
        12,
        3,
        32,
        Random("player", Discrete(2)),
        learning_rate=5e-3,
        minibatch=1024,
        entropy=0.0,
        discount=1.0,
    )
    # Own card (jack, queen, king), the seat, the actions so far (0 pass, 1 bet), and the best answer.
    for card, seat, past, best in (
        (0, 1, (1,), 0),
        (1, 1, (1,), 1),
        (2, 1, (1,), 1),
        (2, 1, (0,), 1),
        (2, 0, (), 1),
    ):
        obs = torch.zeros(9, dtype=torch.uint8)
        obs[[card, *(3 + 2 * turn + action for turn, action in enumerate(past))]] = 1
        assert probabilities(learner.policy, obs, seat)[best] > 0.8, (card, seat, past)


def test_an_agent_that_is_cut_off_learns_to_go_where_it_should() -> None:
    """Navigation, cut off after ten cycles: the trained agent scores more than random play, -5.4 an episode."""
    game = make("mpe2:simple_spread_v3", 8, options={"max_cycles": 10, "N": 1})
    learner = trained(game, 15, 30, 4, learning_rate=3e-3, minibatch=240, entropy=0.0, discount=0.9)
    scores = []
    for policy in (learner.policy, Random("agent", Discrete(5))):
        (fixture,) = fixtures(game.spec, ["team"], 100, 9)
        (result,) = play([game], {"team": policy}, [fixture])
        scores.append(result.score_sum[0] / 100)
    game.close()
    assert scores[0] > scores[1] + 0.5, scores


class Target(NativeGame):
    """One seat sees a number and is paid by how near its action comes to it; an episode is one turn."""

    def __init__(self, slots: int, actions: ActionSpace) -> None:
        role = RoleSpec(name="archer", seats=(0,), acting=1, obs_shape=(1,), obs_dtype=torch.float32, actions=actions)
        super().__init__(
            GameSpec(id="target", version="1", seats=("archer",), sides=((0,),), roles=(role,), outcome="score"), slots
        )

    def deal(self, seeds: Tensor) -> State:
        return {"target": uniform(seeds)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        action, target = actions["archer"][:, 0], state["target"][:, None]
        wanted = torch.cat((3 * target - 1, 0.5 * target), 1) if action.is_floating_point() else (3 * target).long()
        missed = (action - wanted).abs().float().sum(1, keepdim=True)
        return state, Outcome(-missed, torch.ones_like(missed[:, 0], dtype=torch.bool), -missed)

    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        seat = torch.zeros((self.slots, 1), dtype=torch.int64)
        return {"archer": Acting(state["target"].view(-1, 1, 1), None, seat, seat == 0)}, None

    def text(self, state: State) -> str:
        return f"{float(state['target'][0]):.2f}"


@pytest.mark.parametrize(
    ("actions", "random", "good"),
    [(Box((-1.0, 0.0), (2.0, 0.5)), -1.16, -0.15), (MultiDiscrete((3, 3)), -1.78, -0.3)],
    ids=str,
)
def test_actions_with_parts_are_learned(actions: ActionSpace, random: float, good: float) -> None:
    """Random play misses by E|3u - 3v| + E|u - v| / 2 = 7/6 in the box, and by 2 * 8/9 where one of three is meant."""
    check(lambda slots: Target(slots, actions), episodes=20)
    game = Target(512, actions)
    learner = trained(game, 50, 8, 3, learning_rate=3e-3, minibatch=1024, entropy=0.0, discount=0.0)
    found = []
    for policy in (Random("archer", actions), learner.policy):
        (fixture,) = fixtures(game.spec, ["archer"], 2000, 9)
        (result,) = play([game], {"archer": policy}, [fixture])
        found.append(result.score_sum[0] / 2000)
    assert found[0] == pytest.approx(random, abs=0.06)
    assert found[1] > good, found


@pytest.mark.slow
def test_connect_four_is_learned_well_enough_to_trouble_one_ply() -> None:
    """Two minutes of plain self-play; random play scores 0.5 and about 0.05."""
    learner = trained(
        make("connect_four", 256),
        60,
        64,
        1,
        width=256,
        discount=1.0,
        learning_rate=1e-3,
        epochs=2,
        max_grad_norm=1.0,
        entropy=0.05,
        entropy_end=0.02,
        entropy_steps=800_000,
    )
    game = make("connect_four", 200)
    assert score(game, learner.policy, Random("player", Discrete(7)), 400, 5) > 0.8
    assert score(game, learner.policy, OnePly("player", 7), 400, 6) > 0.12
