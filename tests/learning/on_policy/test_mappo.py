"""MAPPO's update: its losses by hand, what it refuses to take over, and that it goes on bit by bit after a reload."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from league.errors import SnapshotError
from league.games.registry import make
from league.learning.on_policy.batch import Batch, partition
from league.learning.on_policy.ppo import Mappo
from league.learning.on_policy.value_statistics import ValueStatistics
from league.learning.settings import MappoSettings
from league.play.decisions import Decisions
from league.policies.settings import NetworkSettings

SPEC = make("leduc", 1).spec
ROLE = SPEC.roles[0]
assert SPEC.state_shape is not None
STATE = SPEC.state_shape


def new_learner(seed: int = 1, **settings: object) -> Mappo:
    network = NetworkSettings(actor=(16, 16), critic=(16,))
    return Mappo("main", SPEC, ROLE, network, MappoSettings.model_validate(settings), seed)


def batch(count: int, seed: int = 0, learner: Mappo | None = None) -> Batch:
    """Decisions with random legal moves; the log-probabilities are about those of the learner's own actor."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    mask = random(count, 3) < 0.6
    mask[:, 1] = True
    obs, seat = (random(count, *ROLE.obs_shape) < 0.3).to(torch.uint8), (random(count) < 0.5).long()
    action = (random(count, 3) * mask).argmax(1)
    action = torch.where(mask.gather(1, action[:, None])[:, 0], action, 1)
    log_prob = torch.full((count,), -1.0)
    if learner is not None:
        log_prob = log_probs(learner, obs, mask, seat).gather(1, action[:, None])[:, 0]
    noise = 0.4 * (random(count) - 0.5)
    value, target = random(count) * 3 - 1, random(count) * 5
    inputs = (random(count, *STATE) < 0.3).to(torch.float32)
    decisions = Decisions(
        obs=obs,
        mask=mask,
        seat=seat,
        present=torch.ones(count, dtype=torch.bool),
        action=action,
        log_prob=log_prob + noise,
        owner=torch.zeros(count, dtype=torch.int64),
    )
    return Batch(decisions=decisions, critic_inputs=inputs, value=value, target=target, advantage=target - value)


def log_probs(learner: Mappo, obs: Tensor, mask: Tensor, seat: Tensor) -> Tensor:
    with torch.no_grad():
        logits = learner.actor(obs, seat)
    return logits - torch.where(mask, logits.exp(), 0.0).sum(1, keepdim=True).log()


def copies(learner: Mappo) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in learner.tensors().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def generator(seed: int = 9) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("value_clip", [0.0, 0.2])
@pytest.mark.parametrize("normalised", [True, False])
def test_the_losses_of_one_minibatch_by_hand(value_clip: float, normalised: bool) -> None:
    settings = {"epochs": 1, "minibatch": 64, "clip": 0.1, "value_clip": value_clip, "value_normalisation": normalised}
    learner = new_learner(**settings)
    data = batch(40, learner=learner)
    with torch.no_grad():
        output = learner.critic(data.critic_inputs, data.decisions.seat)[:, 0]
    # The values before the update: half of them as the critic has them, the others moved beyond the clip.
    data = replace(data, value=output + 0.5 * (torch.arange(40) % 2))
    now = log_probs(learner, data.decisions.obs, data.decisions.mask, data.decisions.seat)  # type: ignore[arg-type]
    metrics = learner.update(data, generator())

    advantage = (data.advantage - data.advantage.mean()) / (data.advantage.std() + 1e-8)
    policy, clipped, entropy, divergence, value = 0.0, 0, 0.0, 0.0, 0.0
    mean, deviation = (float(data.target.mean()), float(data.target.std(unbiased=False))) if normalised else (0.0, 1.0)
    for i in range(40):
        ratio = float((now[i, data.decisions.action[i]] - data.decisions.log_prob[i]).exp())
        gain = float(advantage[i])
        policy -= min(ratio * gain, min(max(ratio, 0.9), 1.1) * gain) / 40
        clipped += abs(ratio - 1) > 0.1
        divergence += (ratio - 1 - float(torch.tensor(ratio).log())) / 40
        assert data.decisions.mask is not None
        entropy -= sum(float(now[i, a].exp() * now[i, a]) for a in range(3) if data.decisions.mask[i, a]) / 40
        goal, said, old = (float(data.target[i]) - mean) / deviation, float(output[i]), float(data.value[i])
        near = old + min(max(said - old, -value_clip), value_clip)
        value += 0.5 * max((said - goal) ** 2, (near - goal) ** 2 if value_clip else 0.0) / 40
    assert 0 < clipped < 40
    assert metrics["policy_loss"] == pytest.approx(policy, abs=1e-5)
    assert metrics["clip_fraction"] == pytest.approx(clipped / 40)
    assert metrics["entropy"] == pytest.approx(entropy, abs=1e-5)
    assert metrics["approx_kl"] == pytest.approx(divergence, abs=1e-5)
    assert metrics["value_loss"] == pytest.approx(value, rel=1e-4)
    assert metrics["agent_steps"] == learner.steps == 40


def test_the_gradient_is_that_of_the_stated_loss() -> None:
    """One step of an update is one step of Adam down policy_loss - entropy + value_loss, each network clipped."""
    settings = {"epochs": 1, "minibatch": 64, "entropy": 0.3, "max_grad_norm": 0.01, "value_clip": 0.0}
    learner, twin = new_learner(**settings), new_learner(**settings)
    data = batch(40, learner=learner)
    learner.update(data, generator())
    assert data.decisions.mask is not None
    logits = twin.actor(data.decisions.obs, data.decisions.seat).masked_fill(~data.decisions.mask, -1e9)
    distribution = torch.distributions.Categorical(logits=logits)
    ratio = (distribution.log_prob(data.decisions.action) - data.decisions.log_prob).exp()
    gain = (data.advantage - data.advantage.mean()) / data.advantage.std()
    twin.values.update(data.target)
    policy = -torch.minimum(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
    value = (
        0.5
        * (twin.critic(data.critic_inputs, data.decisions.seat)[:, 0] - twin.values.normalised(data.target))
        .square()
        .mean()
    )
    (policy - 0.3 * distribution.entropy().mean() + value).backward()  # type: ignore[no-untyped-call]
    for network in (twin.actor, twin.critic):
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.01)
    twin.optimiser.step()
    for name, weight in learner.tensors().items():
        assert torch.allclose(weight, twin.tensors()[name], atol=2e-6), name


def test_forced_moves_have_no_entropy_and_give_no_nan() -> None:
    learner = new_learner(epochs=2, minibatch=8)
    data = batch(16)
    mask = torch.zeros(16, 3, dtype=torch.bool).scatter_(1, data.decisions.action[:, None], True)
    metrics = learner.update(
        replace(data, decisions=replace(data.decisions, mask=mask, log_prob=torch.zeros(16))), generator()
    )
    assert metrics["entropy"] == 0.0
    assert metrics["skipped_steps"] == 0.0
    assert all(bool(value.isfinite().all()) for value in learner.tensors().values())


@pytest.mark.parametrize("field", ["advantage", "target", "log_prob", "critic_inputs"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_changes_nothing(field: str, bad: float) -> None:
    learner = new_learner(epochs=2, minibatch=64)
    learner.update(batch(40, 1, learner), generator())
    before, data = copies(learner), batch(40, 2, learner)
    if field == "log_prob":
        data.decisions.log_prob[3] = -bad
    else:
        getattr(data, field)[3] = bad
    for count in (1, 2):
        metrics = learner.update(data, generator())
        assert metrics["skipped_steps"] == 2.0
        assert learner.skipped == count
    after = {name: value for name, value in learner.tensors().items() if not name.startswith("values.")}
    assert same(after, {name: value for name, value in before.items() if not name.startswith("values.")})
    assert all(bool(value.isfinite().all()) for value in learner.tensors().values())
    learner.update(batch(40, 3, learner), generator())
    assert learner.skipped == 0


def test_one_bad_minibatch_does_not_stop_the_others() -> None:
    learner = new_learner(epochs=1, minibatch=10)
    data = batch(40, learner=learner)
    data.decisions.log_prob[0] = float("nan")
    before = copies(learner)
    metrics = learner.update(data, generator())
    assert metrics["skipped_steps"] == 1.0
    assert learner.skipped == 0
    assert not torch.equal(before["actor.head.0.weight"], learner.tensors()["actor.head.0.weight"])
    assert metrics["policy_loss"] == metrics["policy_loss"]  # the bad one is not in the mean


def test_target_kl_ends_the_update_early() -> None:
    data = batch(64)
    stopped, free = new_learner(target_kl=1e-9, epochs=4, minibatch=16), new_learner(epochs=4, minibatch=16)
    loose = new_learner(target_kl=100.0, epochs=4, minibatch=16)
    assert stopped.update(data, generator())["epochs"] == 1.0
    assert free.update(data, generator())["epochs"] == 4.0
    assert loose.update(data, generator())["epochs"] == 4.0
    assert same(copies(free), copies(loose))


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 4]), (8, 4, [4, 4]), (1, 4, [1]), (5, 100, [5]), (6, 4, [4, 2]), (5, 4, [4])],
)
def test_minibatches_are_a_random_partition(count: int, size: int, sizes: list[int]) -> None:
    parts = partition(count, size, generator(1), torch.device("cpu"))
    assert [len(part) for part in parts] == sizes
    rows = torch.cat(parts).tolist()
    assert len(set(rows)) == len(rows)
    assert set(rows) <= set(range(count))
    again = partition(count, size, generator(1), torch.device("cpu"))
    assert torch.cat(again).tolist() == rows
    if count > 5:
        assert torch.cat(partition(count, size, generator(2), torch.device("cpu"))).tolist() != rows


def test_the_entropy_bonus_moves_in_a_straight_line() -> None:
    learner = new_learner(entropy=0.2, entropy_end=0.1, entropy_steps=1000)
    for steps, weight in ((0, 0.2), (250, 0.175), (1000, 0.1), (5000, 0.1)):
        learner.steps = steps
        assert learner.entropy_weight() == pytest.approx(weight)
    learner.hyperparameters = {"entropy": 0.3}
    learner.steps = 500
    assert learner.entropy_weight() == pytest.approx(0.2)
    assert new_learner(entropy=0.2).entropy_weight() == 0.2


def test_entropy_bonus_and_learning_rate_fall_for_ever_but_not_below_their_ends() -> None:
    learner = new_learner(
        entropy=0.1,
        entropy_end=0.01,
        entropy_half_steps=1000,
        learning_rate=0.2,
        learning_rate_half_steps=2000,
        learning_rate_end=0.02,
    )
    for steps, weight, rate in ((0, 0.1, 0.2), (1000, 0.05, 0.4 / 3), (3000, 0.025, 0.08), (50_000, 0.01, 0.02)):
        learner.steps = steps
        assert learner.entropy_weight() == pytest.approx(weight)
        assert learner.learning_rate() == pytest.approx(rate)


def test_hyperparameters_override_the_settings_in_the_next_update() -> None:
    learner = new_learner(epochs=1, learning_rate=1e-3)
    assert learner.update(batch(8), generator())["learning_rate"] == 1e-3
    learner.hyperparameters["learning_rate"] = 1e-30
    before = copies(learner)
    assert learner.update(batch(8), generator())["learning_rate"] == 1e-30
    assert torch.equal(before["actor.head.0.weight"], learner.tensors()["actor.head.0.weight"])


def test_a_reloaded_learner_goes_on_bit_by_bit() -> None:
    one, other = new_learner(1), new_learner(2)
    one.update(batch(50, 1, one), generator(1))
    saved = copies(one)
    # What was saved must not be changed by learning on.
    other.load(saved)
    other.steps = one.steps
    assert same(copies(other), saved)
    data = batch(50, 2, one)
    assert one.update(data, generator(2)) == other.update(data, generator(2))
    assert same(copies(one), copies(other))
    assert not same(copies(one), saved)
    third = new_learner(3)
    third.load(saved)
    assert same(copies(third), saved)


def test_what_is_loaded_is_a_copy() -> None:
    source, target = new_learner(1), new_learner(2)
    source.update(batch(20, 1, source), generator())
    target.load(source.tensors())
    before = copies(target)
    source.update(batch(20, 2, source), generator())
    assert same(copies(target), before)


@pytest.mark.parametrize("missing", ["actor.head.0.weight", "critic.head.0.bias", "values.mean"])
def test_a_checkpoint_that_does_not_fit_is_refused(missing: str) -> None:
    learner = new_learner()
    tensors = learner.tensors()
    del tensors[missing]
    with pytest.raises(SnapshotError, match=r"main.*(actor|critic|value statistics)"):
        new_learner().load(tensors)


def test_nothing_to_learn_from_is_no_update() -> None:
    learner = new_learner()
    before = copies(learner)
    assert learner.update(batch(0), generator()) == {"agent_steps": 0.0}
    assert same(copies(learner), before)


def test_value_statistics_are_debiased_means() -> None:
    statistics = ValueStatistics()
    assert [float(x) for x in statistics.scale()] == [0.0, 1.0]
    statistics.update(torch.tensor([1.0, 3.0]))
    assert [float(x) for x in statistics.scale()] == pytest.approx([2.0, 1.0])
    statistics.update(torch.tensor([10.0, 10.0]))
    # Weights 0.99 and 1 on the two updates: mean (0.99*2 + 10) / 1.99, mean square (0.99*5 + 100) / 1.99.
    mean = (0.99 * 2 + 10) / 1.99
    deviation = ((0.99 * 5 + 100) / 1.99 - mean**2) ** 0.5
    assert [float(x) for x in statistics.scale()] == pytest.approx([mean, deviation])
    values = torch.tensor([1.0, -4.0])
    assert torch.allclose(statistics.in_game_units(statistics.normalised(values)), values, atol=1e-5)


def test_the_value_clip_holds_when_the_statistics_jump() -> None:
    """On the first update the targets' scale becomes known; what the critic said before still is what it said."""
    learner = new_learner(epochs=1, minibatch=64, value_clip=0.2)
    data = batch(40, learner=learner)
    with torch.no_grad():
        value = learner.critic(data.critic_inputs, data.decisions.seat)[:, 0]
    data = replace(data, value=value, target=value + 1000.0)
    metrics = learner.update(data, generator())
    goal = learner.values.normalised(data.target)
    # The critic has not moved yet, so the clip cannot bite.
    assert metrics["value_loss"] == pytest.approx(float(0.5 * (value - goal).square().mean()), rel=1e-5)
