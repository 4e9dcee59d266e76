"""Learning shows: short runs whose outcome a broken update, mask, sign or bootstrap would spoil."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from trials import Trial

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


def result(game: Game, one: Policy, other: Policy, games: int, seed: int) -> float:
    """Mean result of the first policy, seat-balanced."""
    total = 0.0
    for found in play([game], {"one": one, "other": other}, fixtures(game.spec, ["one", "other"], games, seed)):
        first = found.lineup[0] == ("one",)
        total += found.placements.get((0, 1) if first else (1, 0), 0) + 0.5 * found.placements.get((0, 0), 0)
    return total / games


def mean_score(game: Game, policy: Policy, games: int) -> float:
    """Mean score of the first seat in a game of one side, all of whose seats the policy takes."""
    (fixture,) = fixtures(game.spec, ["policy"], games, 9)
    (found,) = play([game], {"policy": policy}, [fixture])
    return found.score_sum[0] / games


def probabilities(policy: Policy, obs: torch.Tensor, seat: int) -> torch.Tensor:
    return policy.logits(Rows(obs[None], None, torch.tensor([seat])))[0].softmax(0)


def tictactoe(seed: int) -> float:
    """Mean result against random play, learned from play against itself only, whose scores say nothing of strength."""
    learner = trained(
        make("tictactoe", 128), 20, 24, seed, learning_rate=3e-3, minibatch=512, discount=1.0, entropy=0.03
    )
    return result(make("tictactoe", 200), learner.policy, Random("player", Discrete(9)), 400, 5)


def prisoner(seed: int) -> float:
    """Probability of defecting, in the seat where it is lower: a general-sum game in which that is dominant."""
    game = make("matrix", 64, options={"payoff": [[3.0, 0.0], [5.0, 1.0]], "payoff_column": [[3.0, 5.0], [0.0, 1.0]]})
    learner = trained(game, 10, 8, seed, width=16, learning_rate=5e-3, minibatch=256)
    return min(float(probabilities(learner.policy, torch.ones(1), seat)[1]) for seat in (0, 1))


def kuhn(seed: int) -> float:
    """Lowest probability of the best answer to random play: the jack folds, queen and king call, a king bets."""
    learner = trained(
        make("kuhn", 256),
        60,
        12,
        seed,
        32,
        Random("player", Discrete(2)),
        learning_rate=5e-3,
        minibatch=512,
        max_grad_norm=5.0,
        entropy=0.0,
        discount=1.0,
    )
    found = []
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
        found.append(float(probabilities(learner.policy, obs, seat)[best]))
    return min(found)


def navigation(seed: int) -> float:
    """How much more than random play an agent scores whose episodes are cut off after ten cycles."""
    game = make("mpe2:simple_spread_v3", 8, options={"max_cycles": 10, "N": 1})
    learner = trained(game, 15, 30, seed, learning_rate=3e-3, minibatch=240, entropy=0.0, discount=0.9)
    learned, random = (mean_score(game, policy, 100) for policy in (learner.policy, Random("agent", Discrete(5))))
    game.close()
    return learned - random


class Target(NativeGame):
    """One seat sees a number and is paid by how near the parts of its action come to it; an episode is one turn.

    paid: the parts of the action that are paid for.
    """

    def __init__(self, slots: int, actions: ActionSpace, paid: tuple[int, ...] = (0, 1)) -> None:
        role = RoleSpec(name="archer", seats=(0,), acting=1, obs_shape=(1,), obs_dtype=torch.float32, actions=actions)
        super().__init__(
            GameSpec(id="target", version="1", seats=("archer",), sides=((0,),), roles=(role,), outcome="score"), slots
        )
        self.paid = list(paid)

    def deal(self, seeds: Tensor) -> State:
        return {"target": uniform(seeds)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        action, target = actions["archer"][:, 0], state["target"][:, None]
        wanted = torch.cat((3 * target - 1, 0.5 * target), 1) if action.is_floating_point() else (3 * target).long()
        missed = (action - wanted).abs().float()[:, self.paid].sum(1, keepdim=True)
        return state, Outcome(-missed, torch.ones_like(missed[:, 0], dtype=torch.bool), -missed)

    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        seat = torch.zeros((self.slots, 1), dtype=torch.int64)
        return {"archer": Acting(state["target"].view(-1, 1, 1), None, seat, seat == 0)}, None

    def text(self, state: State) -> str:
        return f"{float(state['target'][0]):.2f}"


BOX, PAIR = Box((-1.0, 0.0), (2.0, 0.5)), MultiDiscrete((3, 3))
MISSES = {BOX: (1.0, 1 / 6), PAIR: (8 / 9, 8 / 9)}
"""By how much random play misses with each part: E|3u - 3v| and E|u - v| / 2 in the box, where one of three is meant
E|i - j| of i, j in 0, 1, 2."""


def parts(actions: ActionSpace, seed: int, learning_rate: float) -> float:
    """Share of what random play misses that is no longer missed, in the part of the action that is learned worse."""
    learner = trained(
        Target(256, actions), 50, 8, seed, 32, learning_rate=learning_rate, minibatch=1024, entropy=0.0, discount=0.0
    )
    return min(
        1 + mean_score(Target(256, actions, (part,)), learner.policy, 1000) / missed
        for part, missed in enumerate(MISSES[actions])
    )


class Patience(NativeGame):
    """One seat stops for 1 at once, or waits a turn for 1.5; the position that it leaves behind is the first one again.

    cut: an episode is then cut off, as if there was more to come, and not over.
    """

    def __init__(self, slots: int, cut: bool) -> None:
        role = RoleSpec(
            name="waiter", seats=(0,), acting=1, obs_shape=(2,), obs_dtype=torch.float32, actions=Discrete(2)
        )
        spec = GameSpec(
            id="patience",
            version="1",
            seats=("waiter",),
            sides=((0,),),
            roles=(role,),
            outcome="score",
            can_truncate=cut,
            state_shape=(2,),
        )
        super().__init__(spec, slots)
        self.cut = cut

    def deal(self, seeds: Tensor) -> State:
        return {"waited": torch.zeros(len(seeds), dtype=torch.int64)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        second = state["waited"] == 1
        ended = second | (actions["waiter"][:, 0] == 0)
        paid = torch.where(second, 1.5, torch.where(ended, 1.0, 0.0))[:, None]
        return {"waited": (~ended).long()}, Outcome(paid, ended, paid, ended if self.cut else None)

    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        seen = nn.functional.one_hot(state["waited"], 2).float()[:, None]
        seat = torch.zeros((len(seen), 1), dtype=torch.int64)
        return {"waiter": Acting(obs=seen, mask=None, seat=seat, present=seat == 0)}, seen[:, 0]

    def text(self, state: State) -> str:
        return str(int(state["waited"][0]))


def patience(seed: int, cut: bool) -> float:
    """Probability of the better first action: to wait where the end is the end, to stop where play only is cut off.

    At a discount of 0.8, waiting brings 1.2 and stopping 1; but whoever begins again and again gets 5 by stopping and
    3.3 by waiting. So a bootstrap that is not cut at the end, or is cut at a truncation, learns the other action.
    """
    game = Patience(64, cut)
    learner = trained(game, 12, 16, seed, 16, learning_rate=5e-3, minibatch=256, entropy=0.0, discount=0.8)
    return float(probabilities(learner.policy, torch.tensor([1.0, 0.0]), 0)[0 if cut else 1])


def connect_four(seed: int) -> tuple[float, float]:
    """Mean results against random play and against one ply of search, after two minutes of plain self-play."""
    learner = trained(
        make("connect_four", 256),
        60,
        64,
        seed,
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
    return (
        result(game, learner.policy, Random("player", Discrete(7)), 400, 5),
        result(game, learner.policy, OnePly("player", 7), 400, 6),
    )


TRIALS = [
    Trial(name="tic-tac-toe, result against random play", reach=tictactoe, random=0.5, usual=0.92),
    Trial(name="prisoner's dilemma, probability of the dominant action", reach=prisoner, random=0.5, usual=1.0),
    Trial(name="Kuhn poker, probability of the best answer", reach=kuhn, random=0.5, usual=0.99),
    Trial(name="navigation, score beyond random play's", reach=navigation, random=0, usual=1.1),
    Trial(name="patience, waits to the end", reach=lambda seed: patience(seed, cut=False), random=0.5, usual=1.0),
    Trial(name="patience, stops to begin again", reach=lambda seed: patience(seed, cut=True), random=0.5, usual=1.0),
    Trial(name="box of two numbers, share learned", reach=lambda seed: parts(BOX, seed, 1e-3), random=0, usual=0.9),
    Trial(name="two choices of three, share learned", reach=lambda seed: parts(PAIR, seed, 3e-3), random=0, usual=0.9),
]


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_it_learns(trial: Trial) -> None:
    passed, told = trial.outcome()
    assert passed, told


@pytest.mark.slow
def test_connect_four_is_learned_well_enough_to_trouble_one_ply() -> None:
    """Random play scores 0.5 and about 0.05."""
    against_random, against_one_ply = connect_four(1)
    assert against_random > 0.8
    assert against_one_ply > 0.12


@pytest.mark.parametrize("actions", MISSES, ids=str)
def test_random_play_misses_by_what_is_known(actions: ActionSpace) -> None:
    check(lambda slots: Target(slots, actions), episodes=20)
    for part, missed in enumerate(MISSES[actions]):
        found = mean_score(Target(512, actions, (part,)), Random("archer", actions), 2000)
        assert found == pytest.approx(-missed, rel=0.05)
