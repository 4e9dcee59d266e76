"""COMA: its baseline and its returns by brute force, what its critic is shown, and which decisions it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from league.config.load import load
from league.errors import ConfigError
from league.execution.training_table import TrainingTable
from league.games.registry import make
from league.learning.learner import TrainingInput, UpdateResult
from league.learning.on_policy.actor_critic import ActorCritic
from league.learning.on_policy.advantages import counterfactual_baseline
from league.learning.on_policy.batch import Batch
from league.learning.on_policy.coma import Coma
from league.learning.on_policy.update import clip_gradients
from league.learning.settings import ComaSettings
from league.orchestrator import League
from league.policies.architecture import NetworkSpec
from league.policies.networks import Network
from league.policies.settings import NetworkSettings
from league.records import Seating
from league.threads import Threads

Noted = tuple[Coma, TrainingInput, Batch]

SLOTS, TURNS = 6, 9


def inputs_of(name: str, monkeypatch: pytest.MonkeyPatch, **settings: object) -> list[Noted]:
    """What COMA makes of the second round of self-play, before it learns from it."""
    game = make(name, SLOTS, options={"max_cycles": 6} if name in ("spread", "tag") else {})
    network = NetworkSettings(actor=(10,), critic=(12,))
    given = ComaSettings.model_validate({"learning_rate": 1e-30, "value_normalisation": False, **settings})
    learners = [Coma(r.name, game.spec, r, network, given, 3 + i) for i, r in enumerate(game.spec.roles)]
    for learner in learners:  # begin less uniform than learners do
        with torch.no_grad():
            learner.actor.head[-1].weight.mul_(100.0)  # type: ignore[operator]
    found: list[Noted] = []
    real = ActorCritic.batch

    def noted(learner: Coma, inputs: TrainingInput, threads: Threads) -> tuple[Batch, Tensor | None]:
        batch, context = real(learner, inputs, threads)
        found.append((learner, inputs, batch))
        return batch, context

    monkeypatch.setattr(Coma, "batch", noted)
    table = TrainingTable(game, 0, 5)
    for number in (1, 2):
        found.clear()
        table.round(number, learners, {}, [Seating(tuple(p.role for p in game.spec.posts), 1.0)], TURNS)
    return found


def told(learner: Coma, state: Tensor, seat: int, did: dict[int, int]) -> Tensor:
    """What the critic sees, written out: the state, then what each team-mate did, one after another."""
    side = next(seats for seats in learner.game.sides if seat in seats)
    most = max(len(seats) for seats in learner.game.sides) - 1
    actions = max(role.actions.width for role in learner.game.roles)
    mates = [mate for mate in side if mate != seat]
    shown = torch.zeros(most, actions)
    for place, mate in enumerate(mates):
        if mate in did:
            shown[place, did[mate]] = 1.0
    return torch.cat((state.flatten().float(), shown.flatten()))


@pytest.mark.parametrize("name", ["spread", "tag", "leduc"])
def test_the_baseline_is_the_marginalisation_over_ones_own_action(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Value and advantage against every joint action in which one seat alone does something else."""
    compared = 0
    for learner, inputs, batch in inputs_of(name, monkeypatch):
        rollout, rows = inputs.rollout, inputs.rollout.rows[learner.role.name]
        chosen = inputs.chains.known & (inputs.chains.terminated | inputs.chains.follows)
        before = SLOTS * len(learner.role.seats)
        for number, row in enumerate(inputs.chains.row[chosen].tolist()):
            if row < before:
                continue
            t, rest = divmod(row - before, SLOTS * rows.seat.shape[2])
            slot, k = divmod(rest, rows.seat.shape[2])
            seat = int(rows.seat[t, slot, k])
            did = {
                int(one.seat[t, slot, j]): int(one.action[t, slot, j])
                for one in rollout.rows.values()
                for j in range(one.seat.shape[2])
                if one.present[t, slot, j]
            }
            state = rollout.state[t, slot] if rollout.state is not None else rows.obs[t, slot, k]
            with torch.no_grad():
                logits = learner.actor(rows.obs[t, slot, k][None], torch.tensor([seat]))[0]
            legal = torch.ones_like(logits, dtype=torch.bool) if rows.mask is None else rows.mask[t, slot, k]
            chance = logits.masked_fill(~legal, -torch.inf).softmax(0)
            expected, taken = 0.0, 0.0
            for action in range(learner.role.actions.width):
                joint = {**did, seat: action}
                with torch.no_grad():
                    shown = told(learner, state, seat, joint)
                    worth = float(learner.critic(shown[None], torch.tensor([seat]))[0, action])
                expected += float(chance[action]) * worth
                taken = worth if action == did[seat] else taken
            assert float(batch.value[number]) == pytest.approx(taken, abs=1e-5)
            assert float(batch.advantage[number]) == pytest.approx(taken - expected, abs=1e-5)
            compared += 1
    assert compared > 40


def test_the_baseline_weighs_each_action_by_its_probability() -> None:
    probabilities, values = (
        torch.tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]),
        torch.tensor([[4.0, 0.0, 8.0], [9.0, 3.0, 9.0]]),
    )
    assert counterfactual_baseline(probabilities, values).tolist() == [4.0, 3.0]


def test_returns_lean_on_the_value_of_the_next_action_and_end_where_it_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lambda-returns summed up term by term; what is cut off or goes on beyond the rollout is left out."""
    discount, lam = 0.9, 0.7
    ((learner, inputs, batch),) = inputs_of("spread", monkeypatch, discount=discount, gae_lambda=lam)
    chain = inputs.chains
    chosen = chain.known & (chain.terminated | chain.follows)
    assert bool(chain.truncated.any())
    assert not bool((chosen & (chain.truncated | chain.awaits)).any())
    places = [(d, n) for d, n in chosen.nonzero().tolist()]
    values = dict(zip(places, batch.value.tolist(), strict=True))
    targets = dict(zip(places, batch.target.tolist(), strict=True))
    pairs = [((d, n), (d + 1, n)) for d, n in places if (d + 1, n) in values and chain.follows[d, n]]
    for here, after in pairs:
        ahead = (1 - lam) * values[after] + lam * targets[after]
        assert targets[here] == pytest.approx(float(chain.reward[here]) + discount * ahead, rel=1e-4, abs=1e-4)
    assert len(pairs) > 30
    assert learner.steps == 2 * len(batch), "as many in each of two rounds"


def test_the_actor_takes_one_pass_and_the_critic_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ((learner, _, _),) = inputs_of("spread", monkeypatch, epochs=3, minibatch=10_000)
    actor, critic = learner.actor.head[-1].weight, learner.critic.head[-1].weight
    # Two rounds: one gradient step of the actor in each, three of the critic.
    assert learner.optimiser.state[actor]["step"] == 2  # type: ignore[index]
    assert learner.optimiser.state[critic]["step"] == 6  # type: ignore[index]


def test_actions_must_be_one_of_n() -> None:
    game = make("spread", 1, options={"continuous_actions": True})
    with pytest.raises(ConfigError, match="needs discrete actions at every seat"):
        Coma("", game.spec, game.spec.roles[0], NetworkSettings(), ComaSettings(), 1)


def test_norms_of_gradients_lie_where_the_networks_do_though_only_the_critic_has_some() -> None:
    """On a device that is not the CPU, as in passes over the batch in which the actor stands still."""
    spec = NetworkSpec(kind="mlp", inputs=(3,), seats=1, outputs=2, hidden=(4,))
    actor, critic = Network(spec).to("meta"), Network(spec).to("meta")
    for parameter in critic.parameters():
        parameter.grad = torch.zeros_like(parameter)
    norms = clip_gradients((actor, critic), 0.5)
    assert (norms.device.type, norms.shape) == ("meta", (2,))


def test_norms_of_gradients_are_those_before_they_are_scaled_down() -> None:
    spec = NetworkSpec(kind="mlp", inputs=(3,), seats=1, outputs=2, hidden=())
    actor, critic = (Network(spec, 1.0, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    for parameter in critic.parameters():
        parameter.grad = torch.ones_like(parameter)
    # Ten numbers: four inputs' weights and a bias for each of two outputs.
    assert clip_gradients((actor, critic), 0.5).tolist() == pytest.approx([0.0, 10**0.5])
    assert sum(float(parameter.grad.square().sum()) for parameter in critic.parameters()) == pytest.approx(0.25)


def test_seats_are_paid_what_their_side_is(tmp_path: Path) -> None:
    def rewards(kind: str, *settings: str) -> Tensor:
        given = [f"algorithm.kind={kind}", "algorithm.slots=4", "algorithm.turns=5", "budget.rounds=1", *settings]
        with League(load(None, ["game.id=spread", *given]), tmp_path / f"{kind}{len(settings)}") as league:
            learner = league.learners[0]
            real, found = learner.learn, []

            def learn(inputs: TrainingInput, *others: Any) -> UpdateResult:
                found.append(inputs.rollout.reward.clone())
                return real(inputs, *others)

            learner.learn = learn  # type: ignore[method-assign]
            league.run()
            return found[0]

    own, team = rewards("mappo"), rewards("mappo", "game.reward=team")
    assert not torch.equal(own, team)
    for kind in ("coma", "qmix", "vdn"):
        assert torch.equal(rewards(kind), team)
