"""What may be set of learning: step sizes, losses, barrier, magnet, averages, reward scale, normalisation; IPPO."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from league.errors import SnapshotError
from league.execution.training_table import Trained, TrainingTable
from league.games.actions import Discrete
from league.games.registry import make
from league.learning.learner import TrainingInput
from league.learning.on_policy.actor_critic import ActorCritic
from league.learning.on_policy.batch import Batch
from league.learning.on_policy.losses import entropy, log_barrier, regression_loss
from league.learning.on_policy.ppo import Ippo, Mappo
from league.learning.settings import IppoSettings, MappoSettings
from league.policies.distributions import distribution
from league.policies.settings import NetworkSettings
from league.records import Seating
from league.threads import Threads

SLOTS, TURNS = 6, 9


class Bench:
    """A learner of every role in self-play. batches: what was learned from, latest last."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        kind: str = "mappo",
        network: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.game = make("spread", SLOTS, options={"max_cycles": 6})
        made, declared = {"mappo": (Mappo, MappoSettings), "ippo": (Ippo, IppoSettings)}[kind]
        given = declared.model_validate({"epochs": 1, "minibatch": 40, **settings})
        look = NetworkSettings.model_validate({"actor": (10,), "critic": (12,), **(network or {})})
        (role,) = self.game.spec.roles
        self.learner: ActorCritic = made("agent", self.game.spec, role, look, given, 3)
        self.table = TrainingTable(self.game, 0, 5)
        self.lessons: list[tuple[TrainingInput, Batch]] = []
        self.number = 0
        real = ActorCritic.batch

        def noted(learner: ActorCritic, inputs: TrainingInput, threads: Threads) -> tuple[Batch, Tensor | None]:
            batch, context = real(learner, inputs, threads)
            self.lessons.append((inputs, batch))
            return batch, context

        monkeypatch.setattr(ActorCritic, "batch", noted)

    def round(self) -> dict[str, float]:
        self.number += 1
        found: Trained = self.table.round(self.number, [self.learner], {}, [Seating(("agent",), 1.0)], TURNS)
        return dict(found.metrics["agent"])


def test_step_sizes_of_actor_and_critic_move_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(
        monkeypatch,
        learning_rate=1e-3,
        learning_rate_end=1e-4,
        learning_rate_steps=4 * SLOTS * TURNS * 3,
        critic_learning_rate=2e-3,
    )
    rates = [bench.round()["learning_rate"] for _ in range(6)]
    assert rates == pytest.approx([1e-3, 7.75e-4, 5.5e-4, 3.25e-4, 1e-4, 1e-4])
    assert [group["lr"] for group in bench.learner.optimiser.param_groups] == pytest.approx([1e-4, 2e-4])


def test_hubers_loss_is_linear_beyond_its_delta() -> None:
    error = torch.tensor([-4.0, -0.5, 0.0, 1.0, 3.0])
    squared = regression_loss(error, "squared", 10.0)
    huber = regression_loss(error, "huber", 1.0)
    assert squared.tolist() == [8.0, 0.125, 0.0, 0.5, 4.5]
    assert huber.tolist() == [3.5, 0.125, 0.0, 0.5, 2.5]


def test_rewards_are_scaled_in_what_is_learnt_and_not_in_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Bench(monkeypatch, learning_rate=1e-30, gae_lambda=1.0, value_normalisation=False)
    shown = plain.round()
    scaled = Bench(monkeypatch, learning_rate=1e-30, gae_lambda=1.0, value_normalisation=False, reward_scale=0.1)
    assert scaled.round()["return"] == shown["return"]
    (inputs, batch), (_, less) = plain.lessons[0], scaled.lessons[0]
    # With lambda 1, and where the rules or the rollout do not cut it off, a target is the sum of what follows.
    over = inputs.chains.known & ~inputs.chains.truncated & ~inputs.chains.follows
    assert less.target.abs().mean() < 0.5 * batch.target.abs().mean()
    assert not bool(over.all())


@pytest.mark.parametrize("every", [None, 2])
def test_the_magnet_follows_slowly(every: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, magnet=0.1, magnet_rate=0.25, magnet_every=every, learning_rate=1e-2)
    learner = bench.learner
    assert learner.magnet is not None
    weights = [(learner.actor.head[-1].weight.clone(), learner.magnet.head[-1].weight.clone())]
    for _ in range(3):
        bench.round()
        weights.append((learner.actor.head[-1].weight.clone(), learner.magnet.head[-1].weight.clone()))
    assert torch.equal(*weights[0])
    for number in range(1, 4):
        (_, before), (policy, after) = weights[number - 1], weights[number]
        share = 0.25 if every is None else 1.0 if number % every == 0 else 0.0
        torch.testing.assert_close(after, before.lerp(policy, share), rtol=0, atol=1e-6)


def test_a_strong_magnet_holds_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for weight in (0.0, 1e-9, 50.0):
        bench = Bench(monkeypatch, magnet=weight, magnet_rate=0.0, learning_rate=3e-3, entropy=0.0)
        begun = bench.learner.frozen().actor.state_dict()
        metrics = [bench.round() for _ in range(8)]
        now = bench.learner.actor.state_dict()
        apart = sum(float((value - begun[name]).square().sum()) for name, value in now.items())
        found[weight] = (apart, metrics[-1].get("magnet_kl"), metrics[-1].get("magnet_weight"))
    assert found[0.0][1] is None, "without a magnet there is nothing to report"
    assert found[0.0][0] == pytest.approx(found[1e-9][0], rel=0.05)
    assert found[50.0][1] < 0.2 * found[1e-9][1]
    assert found[50.0][2] == 50.0


def test_the_log_barrier_pulls_on_actions_that_the_entropy_bonus_has_lost() -> None:
    space, logits = Discrete(3), torch.tensor([[0.0, 0.0, -14.0]], requires_grad=True)
    policy = distribution(space, logits, None)
    (bonus,) = torch.autograd.grad(-entropy(space, policy).sum(), logits, retain_graph=True)
    (barrier,) = torch.autograd.grad(log_barrier(space, policy).sum(), logits)
    assert abs(float(bonus[0, 2])) < 2e-5
    torch.testing.assert_close(barrier[0], policy.detach().exp()[0] - 1 / 3, atol=1e-6, rtol=0)


def test_a_log_barrier_keeps_every_action_alive_and_falls_with_the_entropy_bonus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    least = {}
    for weight in (0.0, 50.0):
        bench = Bench(monkeypatch, log_barrier=weight, entropy=0.1, entropy_end=0.0, learning_rate=1e-2)
        for _ in range(8):
            bench.round()
        batch = bench.lessons[-1][1].decisions
        with torch.no_grad():
            logits = bench.learner.actor(batch.obs, batch.seat, None)
        least[weight] = float(logits.log_softmax(-1).min())
        learner = bench.learner
        assert learner.barrier_weight() == pytest.approx(weight * (1 - learner.steps / 1_000_000))
    assert least[50.0] > least[0.0] + 0.5


def test_the_magnet_of_a_learner_that_begins_with_a_policy_is_that_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, other = (Bench(monkeypatch, magnet=0.1, magnet_rate=0.0).learner for _ in range(2))
    with torch.no_grad():
        other.actor.head[-1].bias.add_(1.0)
    learner.initialise_from(other.frozen())
    assert learner.magnet is not None
    for network in (learner.actor, learner.magnet):
        assert all(torch.equal(value, network.state_dict()[key]) for key, value in other.actor.state_dict().items())


def test_magnets_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, magnet=0.1, magnet_every=3, learning_rate=1e-2)
    bench.round()
    saved = {name: value.clone() for name, value in bench.learner.tensors().items()}
    other = Bench(monkeypatch, magnet=0.1, magnet_every=3).learner
    other.load(saved)
    assert all(torch.equal(value, saved[name]) for name, value in other.tensors().items())
    assert other.magnet_age == 1
    with pytest.raises(SnapshotError, match="does not fit its magnet"):
        other.load({name: value for name, value in saved.items() if not name.startswith("magnet.")})


def test_snapshots_average_a_share_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, average=0.8, learning_rate=1e-2)
    learner = bench.learner
    seen, steps = [learner.frozen().actor.head[-1].weight], [0]
    for _ in range(4):
        bench.round()
        seen.append(learner.actor.head[-1].weight.clone())
        steps.append(learner.steps)
    expected = seen[0]
    for number in range(1, 5):
        share = min((steps[number] - steps[number - 1]) / (0.8 * steps[number]), 1.0)
        expected = expected.lerp(seen[number], share)
    snapshot = learner.frozen()
    torch.testing.assert_close(snapshot.actor.head[-1].weight, expected, rtol=0, atol=1e-6)
    assert not torch.equal(expected, seen[-1])
    bench.round()
    torch.testing.assert_close(snapshot.actor.head[-1].weight, expected, rtol=0, atol=1e-6)


def test_averages_are_saved_and_begin_with_the_policy_given(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, average=0.5, learning_rate=1e-2)
    bench.round()
    saved = {name: value.clone() for name, value in bench.learner.tensors().items()}
    other = Bench(monkeypatch, average=0.5).learner
    other.load(saved)
    for name, value in bench.learner.frozen().weights().items():
        assert torch.equal(value, other.frozen().weights()[name])
    fresh = Bench(monkeypatch, average=0.5).learner
    fresh.initialise_from(other.frozen())
    for name, value in other.frozen().weights().items():
        assert torch.equal(value, fresh.frozen().weights()[name])


def test_observations_are_normalised_by_what_was_learned_from_before(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, network={"normalise_observations": True})
    actor = bench.learner.actor
    assert bool((actor.norm.mean == 0).all())
    frozen = bench.learner.frozen()
    bench.round()
    first = bench.lessons[0][1].decisions.obs.double()
    torch.testing.assert_close(actor.norm.mean.double(), first.mean(0), rtol=1e-4, atol=1e-5)
    wanted = first.std(0, unbiased=False)
    varied = wanted > 0.01
    torch.testing.assert_close(actor.norm.deviation.double()[varied], wanted[varied], rtol=1e-4, atol=1e-5)
    bench.round()
    both = torch.cat([batch.decisions.obs for _, batch in bench.lessons]).double()
    torch.testing.assert_close(actor.norm.mean.double(), both.mean(0), rtol=1e-4, atol=1e-5)
    assert bool((frozen.actor.norm.mean == 0).all()), "a frozen policy goes on with what it had"
    saved = {name: value.clone() for name, value in bench.learner.tensors().items()}
    again = Bench(monkeypatch, network={"normalise_observations": True}).learner
    again.load(saved)
    assert all(torch.equal(value, saved[name]) for name, value in again.tensors().items())
    with pytest.raises(SnapshotError, match="lacks its actor's input moments"):
        again.load({name: value for name, value in saved.items() if "moments" not in name})


def test_a_learner_that_begins_with_a_policy_goes_on_from_its_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, network={"normalise_observations": True})
    norm = bench.learner.actor.norm
    policy = bench.learner.frozen()
    bench.learner.initialise_from(policy)
    bench.round()
    first = bench.lessons[-1][1].decisions.obs
    torch.testing.assert_close(norm.mean, first.mean(0), rtol=1e-4, atol=1e-5, msg="a policy that never learned")
    assert len(first) < 1_000, "a hundredth of what moments taken over stand for"
    mean, deviation = torch.linspace(-3, 3, 18), torch.linspace(2, 9, 18)
    policy.actor.normalise_with(mean, deviation)
    bench.learner.initialise_from(policy)
    bench.round()
    torch.testing.assert_close(norm.mean, mean, rtol=0.02, atol=0.02)
    torch.testing.assert_close(norm.deviation, deviation, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("memory", ["none", "gru"])
@pytest.mark.parametrize("sharing", ["none", [["agent_0", "agent_2"]]])
def test_seats_that_share_no_weights_learn_apart(memory: str, sharing: object, monkeypatch: pytest.MonkeyPatch) -> None:
    network = {"sharing": sharing, "memory": memory, "memory_units": 8}
    bench = Bench(monkeypatch, network=network, learning_rate=1e-2)
    groups = [list(member.parameters()) for member in bench.learner.actor.members]
    assert len(groups) == (3 if sharing == "none" else 2)
    before = [[value.detach().clone() for value in group] for group in groups]
    assert bench.round()["skipped_steps"] == 0
    for group, old in zip(groups, before, strict=True):
        assert any(bool((new != value).any()) for new, value in zip(group, old, strict=True))
    said = [bench.learner.actor(torch.ones(1, 18), torch.tensor([seat])) for seat in range(3)]
    assert not torch.allclose(said[0], said[1])


def test_ippos_critic_sees_what_the_seat_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values, and what an episode was cut off in, from the seat's own observations."""
    bench = Bench(monkeypatch, "ippo", gae_lambda=0.0, discount=0.9, value_normalisation=False, learning_rate=1e-30)
    bench.round()
    (inputs, batch), learner = bench.lessons[0], bench.learner
    assert learner.critic.spec.inputs == learner.role.obs_shape

    def says(obs: Tensor, seat: int) -> float:
        with torch.no_grad():
            return float(learner.critic(obs[None], torch.tensor([seat]))[0, 0])

    chain, rows, cut = inputs.chains, inputs.rollout.rows["agent"], 0
    before, final = SLOTS * 3, inputs.rollout.final_obs
    assert final is not None
    for number, (d, n) in enumerate(chain.known.nonzero().tolist()):
        t, rest = divmod(int(chain.row[d, n]) - before, SLOTS * 3)
        slot, seat = divmod(rest, 3)
        assert float(batch.value[number]) == pytest.approx(says(rows.obs[t, slot, seat], seat), abs=1e-5)
        if chain.truncated[d, n]:
            ahead = says(final["agent"][t, slot, seat], seat)
            assert float(batch.target[number]) == pytest.approx(float(chain.reward[d, n]) + 0.9 * ahead, abs=1e-4)
            cut += 1
    assert cut == SLOTS * 3


def test_how_far_each_seat_moved_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Bench(monkeypatch, learning_rate=1e-2, epochs=3).round()
    seats = [metrics[f"approx_kl/agent_{seat}"] for seat in range(3)]
    assert sum(seats) / 3 == pytest.approx(metrics["approx_kl"], rel=0.05)
    assert len(set(seats)) == 3
