"""Learning through time: what networks remember in the update is what they remembered when it was played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from league.execution.training_table import TrainingTable
from league.games.core import Game
from league.games.registry import make
from league.learning.learner import TrainingInput
from league.learning.on_policy.actor_critic import ActorCritic
from league.learning.on_policy.batch import Batch
from league.learning.on_policy.coma import Coma
from league.learning.on_policy.forward import forward
from league.learning.on_policy.ppo import Ippo, Mappo
from league.learning.settings import ComaSettings, IppoSettings, MappoSettings
from league.play.trajectory import Rollout
from league.policies.core import Policy
from league.policies.distributions import distribution, log_prob
from league.policies.settings import NetworkSettings
from league.records import PolicyId, Seating
from league.threads import Threads

SLOTS, TURNS, STILL = 5, 11, 1e-30
"""STILL: a step size that moves no weight, so that a policy stays what it was when it played."""

MEMORIES = {
    "gru": NetworkSettings(actor=(12,), critic=(8,), memory="gru", memory_units=6),
    "lstm": NetworkSettings(actor=(12,), critic=(8,), memory="lstm", memory_units=6),
    "stack": NetworkSettings(actor=(12,), critic=(8,), memory="stack", memory_length=3),
    "transformer": NetworkSettings(actor=(12,), critic=(8,), memory="transformer", memory_length=4, memory_units=8),
}
GAMES = {"leduc": {}, "tag": {"max_cycles": 7}, "connect_four": {}, "mpe2:simple_tag_v3": {"max_cycles": 5}}


@dataclass
class Studied:
    """A table whose learners' lessons and batches are noted; opponents of the same architecture sit in some slots."""

    game: Game
    learners: list[ActorCritic]
    lessons: list[tuple[ActorCritic, TrainingInput, Batch]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = TrainingTable(self.game, 0, 5)
        self.spec = self.game.spec

    def rounds(self, monkeypatch: pytest.MonkeyPatch, count: int) -> Iterator[None]:
        real = ActorCritic.batch

        def noted(learner: ActorCritic, inputs: TrainingInput, threads: Threads) -> tuple[Batch, Tensor | None]:
            batch, context = real(learner, inputs, threads)
            self.lessons.append((learner, inputs, batch))
            return batch, context

        monkeypatch.setattr(ActorCritic, "batch", noted)
        frozen: dict[PolicyId, Policy] = {f"old-{one.role.name}": one.frozen() for one in self.learners}
        live = tuple(f"live-{post.role}" for post in self.spec.posts)
        mixed = (f"old-{self.spec.posts[0].role}", *live[1:])
        for number in range(1, count + 1):
            self.lessons.clear()
            self.table.round(number, self.learners, frozen, [Seating(live, 0.6), Seating(mixed, 0.4)], TURNS)
            yield


def studied(name: str, kind: str, memory: str, **settings: object) -> Studied:
    game = make(name, SLOTS, options=GAMES[name])
    classes = {"mappo": (Mappo, MappoSettings), "ippo": (Ippo, IppoSettings), "coma": (Coma, ComaSettings)}
    made, declared = classes[kind]
    given = declared.model_validate({"learning_rate": STILL, "chunk": 4, "minibatch": 16, "epochs": 1, **settings})
    return Studied(
        game,
        [
            made(f"live-{role.name}", game.spec, role, MEMORIES[memory], given, number)
            for number, role in enumerate(game.spec.roles)
        ],
    )


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("name", GAMES)
def test_actors_say_in_the_update_what_they_said_at_the_table(
    name: str, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ratios are 1 before the first step: chunks begin with the right memory, and forget where episodes begin."""
    bench = studied(name, "mappo", memory)
    compared = 0
    for _ in bench.rounds(monkeypatch, 3):
        for learner, _, batch in bench.lessons:
            assert batch.chunks is not None
            chunks = torch.arange(batch.chunks.index.shape[1])
            outputs = forward(learner.actor, learner.critic, batch, chunks, with_actor=True)
            take, logits = outputs.take, outputs.logits
            assert logits is not None
            assert sorted(take.tolist()) == list(range(len(batch))), "every decision is in one chunk"
            mask = None if batch.decisions.mask is None else batch.decisions.mask[take]
            given = distribution(learner.role.actions, logits, mask)
            now = log_prob(learner.role.actions, given, batch.decisions.action[take])
            torch.testing.assert_close(now, batch.decisions.log_prob[take], rtol=0, atol=1e-5)
            compared += len(take)
    assert compared > 100
    bench.game.close()


class Slow:
    """A critic asked decision by decision, seat by seat, from the first of each episode on."""

    def __init__(self, learner: ActorCritic, owner: int) -> None:
        self.learner, self.owner = learner, owner
        self.memory: dict[tuple[int, int], Tensor] = {}
        self.waiting: dict[tuple[int, int], float] = {}

    def values(self, rollout: Rollout) -> dict[int, float]:
        """The value of each of the learner's own decisions, by its row."""
        learner, rows = self.learner, rollout.rows[self.learner.role.name]
        seats = learner.role.seats
        found = {slot * len(seats) + seats.index(seat): value for (slot, seat), value in self.waiting.items()}
        turns, slots, acting = rows.seat.shape
        for t in range(turns):
            for slot in range(slots):
                for k in range(acting):
                    if rows.present[t, slot, k] and rows.owner[t, slot, k] == self.owner:
                        seat = int(rows.seat[t, slot, k])
                        shown = rollout.state[t, slot] if rollout.state is not None else rows.obs[t, slot, k]
                        value = self.ask(shown, slot, seat)
                        found[(SLOTS * len(seats)) + (t * slots + slot) * acting + k] = value
                        self.waiting[slot, seat] = value
                if rollout.ended[t, slot]:
                    for seat in range(len(learner.game.seats)):
                        self.memory.pop((slot, seat), None)
        return found

    def ask(self, shown: Tensor, slot: int, seat: int) -> float:
        critic = self.learner.critic
        before = self.memory.get((slot, seat), torch.zeros(critic.memory))
        with torch.no_grad():
            said, after = critic.step(shown[None], torch.tensor([seat]), before[None])
        self.memory[slot, seat] = after[0]
        return float(self.learner.values.in_game_units(said)[0, 0])


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("name", ["leduc", "tag", "connect_four"])
def test_critics_remember_each_episode_from_its_beginning_and_over_rounds(
    name: str, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = studied(name, "mappo", memory, value_normalisation=False)
    slow = {learner.name: Slow(learner, number) for number, learner in enumerate(bench.learners)}
    compared = 0
    for _ in bench.rounds(monkeypatch, 3):
        for learner, inputs, batch in bench.lessons:
            values = slow[learner.name].values(inputs.rollout)
            mine = inputs.chains.valid & inputs.chains.known
            rows = inputs.chains.row[mine].tolist()
            owned = [row for row in rows if _owner(inputs, learner, row) == inputs.owner]
            wanted = torch.tensor([values[row] for row in owned])
            torch.testing.assert_close(batch.value, wanted, rtol=1e-5, atol=1e-5)
            assert batch.chunks is not None
            outputs = forward(learner.actor, learner.critic, batch, torch.arange(batch.chunks.index.shape[1]), False)
            assert outputs.logits is None
            take = batch.chunks.index[batch.chunks.there]
            torch.testing.assert_close(outputs.critic[:, 0], batch.value[take], rtol=1e-5, atol=1e-5)
            compared += len(owned)
    assert compared > 100


def _owner(inputs: TrainingInput, learner: ActorCritic, row: int) -> int:
    name = learner.role.name
    pending, rows = inputs.rollout.pending[name], inputs.rollout.rows[name]
    return int(torch.cat((pending.owner.flatten(), rows.owner.flatten()))[row])


@pytest.mark.parametrize("kind", ["ippo", "coma"])
@pytest.mark.parametrize("memory", ["gru", "transformer"])
def test_every_kind_of_learner_learns_through_time(kind: str, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = studied("tag", kind, memory, learning_rate=1e-3)
    before = [parameter.detach().clone() for parameter in bench.learners[0].parameters()]
    for _ in bench.rounds(monkeypatch, 2):
        pass
    assert bench.learners[0].skipped == 0
    moved = [bool((old != new).any()) for old, new in zip(before, bench.learners[0].parameters(), strict=True)]
    assert sum(moved) > 0.8 * len(moved), "actor and critic, memory included, have moved"
