"""The fast path comes to what the slow reference comes to: the same play, by decision, and the same learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
import torch
from playing import Relay
from reference import Happened, Lesson, Says, SlowTable
from reference_learning import Decision, Mlp, Student
from torch import Tensor

from league.execution import training_table
from league.execution.training_table import Trained, TrainingTable
from league.games.core import Game, GameSpec, Turn
from league.games.registry import make
from league.learning.on_policy.batch import Batch
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.play.rollout import collect
from league.play.trajectory import Rollout
from league.policies.core import Policy
from league.policies.neural import NeuralPolicy
from league.policies.scripted import Random
from league.policies.settings import NetworkSettings
from league.records import PolicyId, Seating

CLOSE = 1e-5
"""The fast path computes in float32, whose unit in the last place of numbers up to 10 is below 1e-6; the reference in
float64. Adam divides the gradient by its own size, so the weights keep the relative error of the gradients, times the
learning rate and the number of steps: well below this."""

JOB = 77


class Mild(Relay):
    """Relay as networks want it: the seed that it shows is scaled to below one."""

    def _states(self) -> Tensor:
        return super()._states() * torch.tensor([1e-6, 1.0])

    def _look(self) -> Turn:
        turn = super()._look()
        for acting in turn.acts.values():
            acting.obs[..., 0] *= 1e-6
        return turn


def connect_four(slots: int) -> Game:
    return make("connect_four", slots)


def leduc(slots: int) -> Game:
    return make("leduc", slots)


def tag(slots: int) -> Game:
    return make("tag", slots, options={"max_cycles": 5})


def simple_tag(slots: int) -> Game:
    return make("mpe2:simple_tag_v3", slots, options={"max_cycles": 5})


@dataclass(frozen=True)
class Case:
    """A game and how it is learned. turns: of each of three rounds."""

    game: Callable[[int], Game]
    turns: int
    network: NetworkSettings
    settings: dict[str, object] = field(default_factory=dict)
    slots: int = 8


PLAIN = NetworkSettings(actor=(12, 8), critic=(10,), symmetric=False)  # tests/policies/test_tying.py has symmetries
TANH = NetworkSettings(actor=(12,), critic=(10, 6), activation="tanh")
CASES = {
    "connect_four": Case(connect_four, 13, PLAIN),
    "leduc": Case(leduc, 7, TANH, {"clip": 0.05, "value_clip": 0.0, "learning_rate": 5e-3, "discount": 0.9}),
    "leduc, bare": Case(
        leduc,
        7,
        PLAIN,
        {"value_normalisation": False, "advantage_normalisation": False, "value_clip": 0.01, "learning_rate": 2e-3},
    ),
    "leduc, schedules": Case(
        leduc, 8, PLAIN, {"entropy_end": 0.0, "entropy_steps": 60, "target_kl": 1e-5, "learning_rate": 2e-3}
    ),
    "irregular": Case(Mild, 9, PLAIN, {"gae_lambda": 0.8, "max_grad_norm": 0.05, "value_coefficient": 0.5}),
    "tag": Case(tag, 7, TANH),
    "simple_tag": Case(simple_tag, 7, TANH),
}


class Both:
    """One table twice: the fast one, whose rollouts and batches are noted, and the reference."""

    def __init__(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        self.case, self.rollouts, self.batches = case, list[Rollout](), list[Batch]()
        self.game = case.game(case.slots)
        self.spec = self.game.spec
        settings = MappoSettings.model_validate({"epochs": 2, "minibatch": 24, **case.settings})
        self.learners = [
            Mappo(f"live-{role.name}", self.spec, role, case.network, settings, number)
            for number, role in enumerate(self.spec.roles)
        ]
        for learner in self.learners:
            learner.microbatch_rows = 10  # several pieces a minibatch
        self.frozen = frozen_of(self.spec, case.network)
        self.table = TrainingTable(self.game, 0, JOB)
        students = [Student(learner) for learner in self.learners]
        self.slow = SlowTable(lambda: case.game(1), case.slots, JOB, students, spoken(self.frozen))

        def noted_collect(*args: object, **kwargs: object) -> Rollout:
            self.rollouts.append(collect(*args, **kwargs))  # type: ignore[arg-type]
            return self.rollouts[-1]

        real = Mappo.update

        def noted_update(learner: Mappo, batch: Batch, *args: object) -> dict[str, float]:
            self.batches.append(batch)
            return real(learner, batch, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(training_table, "collect", noted_collect)
        monkeypatch.setattr(Mappo, "update", noted_update)

    def round(self, number: int) -> tuple[Trained, Lesson]:
        """One round of both; `rollouts[-1]` and the last `batches` are this round's."""
        self.batches.clear()
        seatings, turns = seatings_of(self.spec, number), self.case.turns
        trained = self.table.round(number, self.learners, self.frozen, seatings, turns)
        return trained, self.slow.round(number, seatings, turns)

    def close(self) -> None:
        """Close all games."""
        self.game.close()
        self.slow.close()


def frozen_of(spec: GameSpec, network: NetworkSettings) -> dict[PolicyId, Policy]:
    """Three networks and random play of every role."""
    found: dict[PolicyId, Policy] = {}
    for role in spec.roles:
        found[f"{role.name}-random"] = Random(role.name, role.actions)
        for age in range(3):
            found[f"{role.name}-{age}"] = Mappo("", spec, role, network, MappoSettings(), 100 + age).policy
    return found


def spoken(policies: Mapping[PolicyId, Policy]) -> dict[str, Says]:
    """Policies as the reference has them: functions of one observation."""

    def says(policy: Policy) -> Says:
        if isinstance(policy, NeuralPolicy):
            return Mlp(policy.actor)
        assert isinstance(policy, Random)
        actions = policy.actions.width
        return lambda obs, seat: torch.zeros(actions)

    return {name: says(policy) for name, policy in policies.items()}


def seatings_of(spec: GameSpec, number: int) -> list[Seating]:
    """Half self-play; else frozen policies at the first or at the last posts, other ones every round."""
    live = [f"live-{post.role}" for post in spec.posts]
    old = [f"{post.role}-{number % 3}" for post in spec.posts]
    aged = [f"{post.role}-{(number + 1) % 3}" for post in spec.posts]
    return [
        Seating(tuple(live), 0.5),
        Seating((old[0], *live[1:]), 0.125),
        Seating((aged[0], *live[1:]), 0.125),
        Seating((*live[:-1], old[-1]), 0.125),
        Seating((*live[:-1], f"{spec.posts[-1].role}-random"), 0.125),
    ]


@pytest.mark.parametrize("name", CASES)
def test_three_rounds_come_to_what_the_reference_comes_to(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    both = Both(CASES[name], monkeypatch)
    for number in range(3):
        trained, lesson = both.round(number)
        rollout = both.rollouts[-1]
        for slot, turns in enumerate(lesson.turns):
            for t, happened in enumerate(turns):
                same_turn(rollout, t, slot, happened, trained_names(both))
        for learner, student, batch in zip(both.learners, both.slow.students, both.batches, strict=True):
            same_lessons(batch, lesson.learned[student.name])
            assert trained.metrics[learner.name] == pytest.approx(lesson.metrics[student.name], rel=1e-4, abs=1e-5)
            for network, mlp in ((learner.actor, student.actor), (learner.critic, student.critic)):
                for fast, slow in zip(network.parameters(), mlp.parameters, strict=True):
                    torch.testing.assert_close(fast.double(), slow, rtol=CLOSE, atol=CLOSE)
            statistics = [float(number) for number in learner.values.scale()]
            assert statistics == pytest.approx(student.scale(), rel=1e-4)
        told = [[result.learner, result.round, result.opponent, result.episodes] for result in trained.results]
        assert told == [[result.learner, result.round, result.opponent, result.episodes] for result in lesson.results]
        numbers = [number for result in trained.results for number in (result.score, result.return_mean)]
        wanted = [number for result in lesson.results for number in (result.score, result.return_mean)]
        assert numbers == pytest.approx(wanted, rel=1e-5, abs=1e-6)
        assert trained.agent_steps == sum(len(lessons) for lessons in lesson.learned.values())
        assert trained.opponent_steps == lesson.opponent_steps
    # What would otherwise be compared in vain: episodes end, and decisions wait for the next round.
    assert all(rollout.ended.any() for rollout in both.rollouts[1:])
    waiting = [bool(pending.present.any()) for rollout in both.rollouts[1:] for pending in rollout.pending.values()]
    assert any(waiting) == (name not in ("tag", "simple_tag"))
    assert any(rollout.truncated.any() for rollout in both.rollouts) == both.spec.can_truncate
    both.close()


def trained_names(both: Both) -> list[str]:
    """The policies' names, by the index that this round's table has of them."""
    return list(both.table.carry()[1])


def same_turn(rollout: Rollout, t: int, slot: int, happened: Happened, names: list[str]) -> None:
    """One turn of one slot, exactly; log-probabilities closely."""
    assert tuple(names[index] for index in rollout.lineup[t, slot].tolist()) == happened.lineup
    assert rollout.reward[t, slot].tolist() == happened.reward
    assert rollout.terminated[t, slot].tolist() == happened.terminated
    assert rollout.truncated[t, slot].tolist() == happened.truncated
    assert bool(rollout.ended[t, slot]) == happened.ended
    assert int(rollout.length[t, slot]) == happened.length
    if happened.ended:
        assert rollout.score[t, slot].tolist() == happened.score
    for role, rows in rollout.rows.items():
        present = {(role, row) for row, here in enumerate(rows.present[t, slot].tolist()) if here}
        assert present == {key for key in happened.decisions if key[0] == role}
        for _, row in sorted(present):
            decision = happened.decisions[role, row]
            assert (int(rows.seat[t, slot, row]), int(rows.action[t, slot, row])) == (decision.seat, decision.action)
            assert names[int(rows.owner[t, slot, row])] == decision.owner
            assert torch.equal(rows.obs[t, slot, row], decision.obs)
            assert float(rows.log_prob[t, slot, row]) == pytest.approx(decision.log_prob, abs=CLOSE)


def same_lessons(batch: Batch, lessons: list[Decision]) -> None:
    """What a learner learns from, in its order."""
    assert batch.decisions.seat.tolist() == [lesson.seat for lesson in lessons]
    assert batch.decisions.action.tolist() == [lesson.action for lesson in lessons]
    assert torch.equal(batch.decisions.obs, torch.stack([lesson.obs for lesson in lessons]))
    assert torch.equal(batch.critic_inputs, torch.stack([lesson.sees for lesson in lessons]))
    if batch.decisions.mask is not None:
        assert [row.nonzero()[:, 0].tolist() for row in batch.decisions.mask] == [lesson.legal for lesson in lessons]
    found = {"log_prob": batch.decisions.log_prob} | {
        what: getattr(batch, what) for what in ("value", "advantage", "target")
    }
    for what, ours in found.items():
        wanted = torch.tensor([getattr(lesson, what) for lesson in lessons], dtype=torch.float64)
        torch.testing.assert_close(ours.double(), wanted, rtol=CLOSE, atol=CLOSE)


def test_half_precision_passes_give_nearly_the_same_gradient_and_whole_weights() -> None:
    """After one step, Adam's running mean is a tenth of the clipped gradient."""
    found = {}
    for precision in ("float32", "bfloat16"):
        settings = MappoSettings.model_validate({"epochs": 1, "minibatch": 10_000, "precision": precision})
        game = leduc(64)
        learner = Mappo("live", game.spec, game.spec.roles[0], NetworkSettings(), settings, 3)
        table = TrainingTable(game, 0, JOB)
        trained = table.round(0, [learner], {}, [Seating(("live", "live"), 1.0)], 20)
        assert trained.metrics["live"]["skipped_steps"] == 0.0
        assert all(torch.isfinite(torch.tensor(value)) for value in trained.metrics["live"].values())
        tensors = learner.tensors()
        whole = [value for name, value in tensors.items() if not name.startswith("values.")]
        assert {value.dtype for value in whole} == {torch.float32}
        found[precision] = [
            torch.cat([learner.optimiser.state[p]["exp_avg"].flatten() for p in network.parameters()])
            for network in (learner.actor, learner.critic)
        ]
    for exact, rough in zip(*found.values(), strict=True):
        assert not torch.equal(exact, rough)
        assert float(torch.nn.functional.cosine_similarity(exact, rough, 0)) > 0.99
