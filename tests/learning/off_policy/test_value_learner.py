"""Learning action values: mixers, targets worked out by hand, and games of which the answer is known."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from trials import Trial

from league.errors import ConfigError
from league.execution.training_table import TrainingTable
from league.games.registry import make
from league.learning.algorithms import LEARNERS
from league.learning.off_policy.mixers import MonotonicMixer, SumMixer
from league.learning.off_policy.replay import SequenceBatch
from league.learning.off_policy.value_learner import Qmix, ValueLearner, Vdn
from league.learning.settings import ALGORITHMS
from league.policies.core import Rows
from league.policies.settings import NetworkSettings
from league.records import Seating

NETWORK = NetworkSettings(actor=(32,))


def learner(
    kind: str, game: str, network: NetworkSettings = NETWORK, seed: int = 0, **settings: object
) -> ValueLearner:
    name, _, continuous = game.partition(" with ")
    played = make(name, 1, options={continuous: True} if continuous else {})
    played.close()
    spec = played.spec
    found = LEARNERS[kind]("live", spec, spec.roles[0], network, ALGORITHMS[kind](**settings), seed)
    assert isinstance(found, ValueLearner)
    return found


def taught(one: ValueLearner, game: str, rounds: int, seed: int = 5, **options: object) -> list[dict[str, float]]:
    """Metrics of rounds of self-play."""
    played = make(game, one.settings.slots or 1, options=options)
    table = TrainingTable(played, 0, seed)
    seatings = [Seating(("live",) * len(played.spec.posts), 1.0)]
    found = [dict(table.round(n, [one], {}, seatings, one.settings.turns).metrics["live"]) for n in range(rounds)]
    played.close()
    return found


@given(st.integers(0, 10_000), st.integers(0, 2), st.floats(0.01, 5.0))
def test_qmix_rises_with_every_seats_value_whatever_the_state(seed: int, seat: int, more: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    mixer = MonotonicMixer(3, 4, 8, 8, generator)
    state, utilities = torch.randn((5, 4), generator=generator) * 3, torch.randn((5, 3), generator=generator)
    raised = utilities.clone()
    raised[:, seat] += more
    assert bool((mixer(raised, state) >= mixer(utilities, state)).all())


@pytest.mark.parametrize("seed", range(5))
def test_each_seats_best_action_is_part_of_the_best_joint_one(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mixer, values = MonotonicMixer(3, 4, 8, 8, generator), torch.randn((3, 4), generator=generator)
    state = torch.randn(4, generator=generator)
    joint = {
        actions: float(mixer(values[range(3), list(actions)], state).detach())
        for actions in itertools.product(range(4), repeat=3)
    }
    assert max(joint, key=lambda actions: joint[actions]) == tuple(values.argmax(1).tolist())


def test_vdn_is_the_sum() -> None:
    assert SumMixer()(torch.tensor([[1.0, 2.0, -4.0], [0.5, 0.0, 0.0]]), None).tolist() == [-1.0, 0.5]


def chain(learns: list[bool], goes_on: list[bool]) -> SequenceBatch:
    """Four decisions of the two-step game's side, at its places 0, 1, 2, 0, with rewards 1, 2, 3, 4."""
    place = torch.tensor([0, 1, 2, 0])
    seen = torch.eye(3)[place]
    rows = {
        "obs": seen[:, None, None].repeat(1, 1, 2, 1),
        "present": torch.tensor([[[True, True]], [[True, False]], [[True, True]], [[True, True]]]),
        "action": torch.tensor([[[0, 1]], [[1, 1]], [[0, 0]], [[1, 0]]]),
        "side": torch.zeros((4, 1), dtype=torch.int64),
        "reward": torch.arange(1.0, 5.0)[:, None],
        "learns": torch.tensor(learns)[:, None],
        "goes_on": torch.tensor(goes_on)[:, None],
        "begins": torch.zeros((4, 1), dtype=torch.bool),
        "state": seen[:, None],
    }
    return SequenceBatch(rows, torch.zeros((1, 2, 0)))


@pytest.mark.parametrize("double", [True, False])
def test_targets_are_as_worked_out_by_hand(double: bool) -> None:
    one = learner("vdn", "two_step", chunk=3, discount=0.5, reward_scale=10.0, double=double)
    with torch.no_grad():
        for parameter in one.target.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.3)
    # The second decision ends the episode; after the third it was cut off, in what the fourth row shows.
    estimate = one.estimate(chain([True, True, True, False], [True, False, True, False]))
    seats = torch.arange(2)
    places = torch.eye(3)
    here, there = (
        [network(places[p].repeat(2, 1), seats).tolist() for p in range(3)] for network in (one.actor, one.target)
    )
    chosen = [[here[0][0][0], here[0][1][1]], [here[1][0][1], 0.0], [here[2][0][0], here[2][1][0]]]
    assert torch.allclose(estimate.seat_values[:, 0], torch.tensor(chosen), atol=1e-6)
    assert torch.allclose(estimate.value[:, 0], torch.tensor(chosen).sum(1), atol=1e-6)
    says = here if double else there

    def best(place: int, seat: int) -> float:
        values = says[place][seat]
        return float(there[place][seat][values.index(max(values))])

    # Only the first seat acts at the second decision.
    expected = [10 + 0.5 * best(1, 0), 20.0, 30 + 0.5 * (best(0, 0) + best(0, 1))]
    assert torch.allclose(estimate.target[:, 0], torch.tensor(expected), atol=1e-5)
    assert not estimate.target.requires_grad


def test_the_target_becomes_the_network_after_so_many_steps_or_follows_it() -> None:
    one = learner("qmix", "two_step", slots=8, turns=8, warmup=1, updates=3, target_every=4, learning_rate=0.1)
    taught(one, "two_step", 1)
    first = one.target.state_dict()["head.0.weight"].clone()
    assert not torch.equal(first, one.actor.state_dict()["head.0.weight"])
    one.base_settings = one.settings.model_copy(update={"updates": 1})
    taught(one, "two_step", 1)
    for to, source in ((one.target, one.actor), (one.target_mixer, one.mixer)):
        assert all(torch.equal(value, source.state_dict()[name]) for name, value in to.state_dict().items())
    one.base_settings = one.settings.model_copy(update={"target_rate": 0.25})
    before = one.target.state_dict()["head.0.weight"].clone()
    taught(one, "two_step", 1)
    now = one.actor.state_dict()["head.0.weight"]
    assert torch.allclose(one.target.state_dict()["head.0.weight"], before + 0.25 * (now - before), atol=1e-6)


def test_nothing_is_learnt_before_the_buffer_is_warm() -> None:
    one = learner("qmix", "tictactoe", slots=8, turns=8, warmup=80, updates=2)
    before = one.actor.state_dict()["head.0.weight"].clone()
    metrics = taught(one, "tictactoe", 1)[0]
    assert "td_loss" not in metrics
    assert one.steps == metrics["agent_steps"] == metrics["buffer"] > 40
    assert torch.equal(before, one.actor.state_dict()["head.0.weight"])
    assert taught(one, "tictactoe", 1)[0]["updates"] == 2
    assert not torch.equal(before, one.actor.state_dict()["head.0.weight"])


def test_steps_that_are_not_finite_are_skipped_and_counted() -> None:
    one = learner("qmix", "two_step", slots=8, turns=8, warmup=1, updates=2, reward_scale=1e38, value_loss="squared")
    before = {key: value.clone() for key, value in one.tensors().items()}
    for rounds in (1, 2):
        assert taught(one, "two_step", 1)[0]["skipped_steps"] == 2
        assert one.skipped == rounds
    assert all(torch.equal(value, before[key]) for key, value in one.tensors().items())


def test_random_decisions_become_fewer_and_snapshots_have_their_own_share() -> None:
    one = learner("vdn", "two_step", epsilon=0.9, epsilon_end=0.1, epsilon_steps=100, epsilon_rated=0.03)
    assert one.policy.epsilon == pytest.approx(0.9)
    one.steps = 50
    assert one.policy.epsilon == pytest.approx(0.5)
    one.steps = 1000
    assert one.policy.epsilon == pytest.approx(0.1)
    assert one.frozen().epsilon == pytest.approx(0.03)


def test_learning_begins_though_whole_rounds_leave_the_buffer_a_little_below_its_capacity() -> None:
    # Each round brings 8 * 9 = 72 decisions, so that the buffer of 100 never holds more.
    one = learner("vdn", "two_step", slots=8, turns=9, updates=2, warmup=100, capacity=100)
    assert [metrics["buffer"] for metrics in taught(one, "two_step", 2)] == [72, 72]
    assert one.updates == 4


def greedy_return(one: ValueLearner) -> float:
    """What greedy play of the two-step game brings."""
    game = make("two_step", 1)
    turn, total = game.start(torch.zeros(1, dtype=torch.int64)), 0.0
    for _ in range(2):
        acting = turn.acts["agent"]
        rows = Rows(acting.obs[0], None, acting.seat[0])
        values = one.actor(rows.obs, rows.seat)
        turn = game.step({"agent": values.argmax(1)[None]}, torch.zeros(1, dtype=torch.int64))
        total += float(turn.reward[0, 0])
    return total


def two_step(seed: int, kind: str) -> float:
    """What greedy play of the two-step game brings, learned from random play (Rashid et al. 2018, section 5)."""
    one = learner(
        kind, "two_step", seed=seed, slots=32, turns=16, updates=8, warmup=500, chunk=8, learning_rate=3e-3,
        epsilon_end=1.0, target_every=50,
    )  # fmt: skip
    taught(one, "two_step", 60, seed)
    return greedy_return(one)


def spread(seed: int) -> float:
    """How much more a seat scores after 200 000 agent-steps than in the first rounds, of random play (-26 to -27)."""
    one = learner(
        "qmix", "spread", NetworkSettings(actor=(64, 64)), seed, turns=25, updates=16, learning_rate=1e-3,
        target_every=100, epsilon_steps=150_000, discount=0.95,
    )  # fmt: skip
    metrics = taught(one, "spread", 90, seed)
    early, late = (sum(m["return"] for m in part) / len(part) for part in (metrics[:5], metrics[-10:]))
    return late - early


TRIALS = [
    Trial(name="two-step game with qmix, greedy return", reach=partial(two_step, kind="qmix"), random=7.0, usual=8.0),
    Trial(name="two-step game with vdn, greedy return", reach=partial(two_step, kind="vdn"), random=8.0, usual=7.0),
    Trial(name="spread with qmix, score beyond random play's", reach=spread, random=0.0, usual=6.0, slow=True),
]
"""In the two-step game a sum of the seats' values finds 7 and misses 8: each kind is told from the other."""


@pytest.mark.parametrize("trial", TRIALS[:2], ids=str)
def test_qmix_finds_the_best_of_the_two_step_game_and_vdn_what_a_sum_can_say(trial: Trial) -> None:
    assert trial.reach(1) == trial.usual


@pytest.mark.parametrize(("memory", "priority"), [("none", 0.0), ("gru", 0.6), ("stack", 0.6)])
def test_tic_tac_toe_is_learnt_with_masks_and_against_itself(memory: str, priority: float) -> None:
    one = learner(
        "qmix", "tictactoe", NetworkSettings(actor=(32,), memory=memory, memory_units=16), slots=32, turns=8,
        warmup=200, updates=2, chunk=4, burn_in=2, priority=priority, epsilon=0.5,
    )  # fmt: skip
    assert isinstance(one.mixer, SumMixer), "a side of one seat has nothing to mix"
    metrics = taught(one, "tictactoe", 12)[-1]
    assert metrics["skipped_steps"] == 0
    assert -1.2 < metrics["q_value"] < 1.2
    assert metrics["td_loss"] < 0.5


def test_games_that_cannot_be_learnt_are_refused_with_what_can_be_used() -> None:
    for kind in ("qmix", "vdn"):
        with pytest.raises(ConfigError, match=r"one side: use game.options = \{ pad = true \}.*mappo"):
            learner(kind, "speaker_listener")
        with pytest.raises(ConfigError, match=r"needs discrete actions.*mappo"):
            learner(kind, "mpe2:simple_spread_v3 with continuous_actions")


@pytest.mark.parametrize("kind", ["qmix", "vdn"])
def test_sides_of_several_seats_share_what_they_learn(kind: str) -> None:
    one = learner(kind, "spread", slots=8, turns=16, warmup=64, updates=2, priority=0.5)
    assert isinstance(one, Qmix if kind == "qmix" else Vdn)
    assert isinstance(one.mixer, MonotonicMixer if kind == "qmix" else SumMixer)
    metrics = taught(one, "spread", 2)[-1]
    assert metrics["agent_steps"] == 8 * 16 * 3
    assert metrics["grad_norm"] > 0


@pytest.mark.slow
def test_qmix_learns_spread() -> None:
    passed, told = TRIALS[2].outcome()
    assert passed, told
