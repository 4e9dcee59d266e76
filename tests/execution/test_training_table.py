"""Rounds of training: they go on bit by bit from a carry, count decisions rightly, and train every role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from league.errors import SnapshotError
from league.execution.training_table import Trained, TrainingTable, same_action, score_of_sides, training_results
from league.games.actions import Box, Discrete
from league.games.core import Acting, Game, GameSpec, RoleSpec, State, Turn
from league.games.native.connect_four import ConnectFour
from league.games.native.core import NativeGame, Outcome
from league.games.registry import make
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.matchmaking.posts import by_seat
from league.play.decisions import Decisions
from league.play.trajectory import Rollout
from league.policies import weights
from league.policies.core import Policy
from league.policies.scripted import Random
from league.policies.settings import NetworkSettings
from league.records import PolicyId, Seating, TrainingResult

SETTINGS = MappoSettings(epochs=2, minibatch=32)
NETWORK = NetworkSettings(actor=(16,), critic=(16,))
TURNS = 7


class Forgetful(ConnectFour):
    """A game that says of itself that equal seeds do not give equal episodes."""

    replays = False


@dataclass
class Bench:
    """A table, its learners, and opponents of every role that change from round to round.

    name: of a game; with " by seat", every seat is a post of its own.
    """

    name: str
    slots: int = 6
    learners: list[Mappo] = field(init=False)
    table: TrainingTable = field(init=False)

    def __post_init__(self) -> None:
        self.game: Game
        if self.name == "forgetful":
            self.game = Forgetful(self.slots)
        else:
            name = self.name.removesuffix(" by seat")
            self.game = make(name, self.slots, options={"max_cycles": 5} if "tag" in name or ":" in name else {})
        spec = self.game.spec
        posts = by_seat(spec.posts) if self.name.endswith(" by seat") else spec.posts
        self.learners = [
            Mappo(f"live-{role.name}", spec, role, NETWORK, SETTINGS, number) for number, role in enumerate(spec.roles)
        ]
        self.table = TrainingTable(self.game, 0, 77, posts=posts)

    def frozen(self) -> dict[PolicyId, Policy]:
        """Three generations of networks by role, whatever the learners are."""
        found: dict[PolicyId, Policy] = {}
        for role in self.game.spec.roles:
            for age in range(3):
                made = Mappo("", self.game.spec, role, NETWORK, SETTINGS, 100 + age)
                found[f"{role.name}-{age}"] = made.policy
        return found

    def seatings(self, number: int) -> list[Seating]:
        """Half self-play; else the first or last post is held by the round's own generation."""
        live = [f"live-{post.role}" for post in self.table.posts]
        posts, age = self.table.posts, number % 3
        first = (f"{posts[0].role}-{age}", *live[1:])
        last = (*live[:-1], f"{posts[-1].role}-{age}")
        return [Seating(tuple(live), 0.5), Seating(first, 0.25), Seating(last, 0.25)]

    def round(self, number: int) -> Trained:
        return self.table.round(number, self.learners, self.frozen(), self.seatings(number), TURNS)

    def pack(self) -> bytes:
        """All that must be kept, as a checkpoint keeps it."""
        tensors, names = self.table.carry()
        tensors = {f"table.{key}": value for key, value in tensors.items()}
        for learner in self.learners:
            tensors |= {f"{learner.name}.{key}": value for key, value in learner.tensors().items()}
        return weights.pack(tensors, {"names": list(names), "steps": [learner.steps for learner in self.learners]})

    def unpack(self, data: bytes) -> None:
        metadata, tensors = weights.unpack(data)
        names, steps = metadata["names"], metadata["steps"]
        assert isinstance(names, list)
        assert isinstance(steps, list)
        self.table.restore(part(tensors, "table."), names)
        for learner, count in zip(self.learners, steps, strict=True):
            learner.load(part(tensors, f"{learner.name}."))
            learner.steps = count


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def outcome(trained: Trained) -> tuple[object, ...]:
    return trained.metrics, trained.results, trained.agent_steps, trained.opponent_steps


@pytest.mark.parametrize(
    "name",
    [
        "connect_four",
        "leduc",
        "kuhn",
        "rps",
        "tag",
        "mpe2:simple_tag_v3",
        "mpe2:simple_spread_v3 by seat",
        "forgetful",
    ],
)
def test_a_restored_table_goes_on_bit_by_bit(name: str) -> None:
    straight, resumed = Bench(name), Bench(name)
    straight.round(1)
    straight.round(2)
    saved = straight.pack()
    third = outcome(straight.round(3))
    if name == "forgetful":  # its carry is not kept: it begins every round with fresh episodes
        for learner, source in zip(resumed.learners, straight.learners, strict=True):
            learner.load(part(weights.unpack(saved)[1], f"{source.name}."))
    else:
        resumed.unpack(saved)
        assert resumed.pack() == saved
    assert outcome(resumed.round(3)) == third
    if name != "forgetful":
        assert resumed.pack() == straight.pack()
        # And once more, from a table that was never restored to one that was.
        assert outcome(resumed.round(4)) == outcome(straight.round(4))
        assert resumed.pack() == straight.pack()
    assert saved != straight.pack()
    for bench in (straight, resumed):
        bench.game.close()


def test_unfinished_episodes_keep_their_opponents() -> None:
    bench = Bench("connect_four", slots=8)
    bench.round(0)
    bench.round(0)
    tensors, names = bench.table.carry()
    before = [[names[policy] for policy in row] for row in tensors["lineup"].tolist()]
    episode = tensors["episode"].clone()
    assert bench.table.seated() == {"live-player", "player-0"}
    bench.round(1)
    assert "player-0" in bench.table.seated()
    bench.round(1)
    tensors, names = bench.table.carry()
    after = [[names[policy] for policy in row] for row in tensors["lineup"].tolist()]
    same = (tensors["episode"] == episode).tolist()
    assert any(same)
    assert not all(same)
    for slot in range(8):
        if same[slot]:
            assert after[slot] == before[slot]
        else:
            assert "player-0" not in after[slot]


def test_a_carried_decision_stays_with_who_took_it() -> None:
    """Indices of policies change from round to round; what they mean does not, however many rounds a decision waits."""
    bench, known = Bench("leduc", slots=64), dict[PolicyId, Policy]()
    for number in range(12):
        newcomer = f"from-{99 - number}"  # sorts before all who came earlier, so that their indices move
        known[newcomer] = Random("player", Discrete(3))
        bench.table.round(number, bench.learners, known, [Seating(("live-player", newcomer), 1.0)], 1)
        tensors, names = bench.table.carry()
        valid = tensors["pending.player.valid"]
        assert valid.any()
        for slot, seat in valid.nonzero().tolist():
            owner = names[int(tensors["pending.player.owner"][slot, seat])]
            assert owner == names[int(tensors["lineup"][slot, seat])]


def test_opponents_are_counted_apart_and_not_trained_on() -> None:
    """Rock-paper-scissors: every decision is known at once. Of 8 slots 4 hold two of ours, 4 one and an opponent."""
    bench = Bench("rps", slots=8)
    trained = bench.round(1)
    assert (trained.agent_steps, trained.opponent_steps) == (TURNS * (4 * 2 + 4), TURNS * 4)
    assert bench.learners[0].steps == trained.agent_steps
    assert trained.metrics["live-player"]["agent_steps"] == trained.agent_steps
    alone = bench.table.round(2, bench.learners, bench.frozen(), [Seating(("player-0", "player-1"), 1.0)], TURNS)
    # Only in the episodes that had begun as the round before ended is one of us still seated.
    assert (alone.agent_steps, alone.opponent_steps) == (12, 4 + (TURNS - 1) * 8 * 2)
    none = bench.table.round(3, bench.learners, bench.frozen(), [Seating(("player-0", "player-1"), 1.0)], TURNS)
    nothing = dict.fromkeys(("agent_steps", "agent_steps/player_0", "agent_steps/player_1"), 0.0)
    assert none.metrics["live-player"] == {**nothing, "episodes": TURNS * 8.0}
    assert none.results == ()


def test_agent_steps_count_each_own_decision_once() -> None:
    bench = Bench("connect_four", slots=8)
    agent = opponent = 0
    for number in range(5):
        trained = bench.round(number)
        agent, opponent = agent + trained.agent_steps, opponent + trained.opponent_steps
    tensors, names = bench.table.carry()
    mine = [name == "live-player" for name in names]
    waiting = tensors["pending.player.valid"] & torch.tensor(mine)[tensors["pending.player.owner"]]
    assert agent + opponent + int(waiting.sum()) == 5 * TURNS * 8


def test_frozen_policies_stay_as_they_are() -> None:
    bench = Bench("connect_four")
    frozen = bench.frozen()
    before = {name: policy.weights() for name, policy in frozen.items()}  # type: ignore[attr-defined]
    bench.table.round(0, bench.learners, frozen, bench.seatings(0), TURNS)
    for name, policy in frozen.items():
        for key, value in policy.weights().items():  # type: ignore[attr-defined]
            assert torch.equal(value, before[name][key])


def test_every_role_is_trained() -> None:
    bench = Bench("mpe2:simple_tag_v3", slots=4)
    before = [learner.policy.weights() for learner in bench.learners]
    trained = bench.table.round(0, bench.learners, {}, [Seating(("live-adversary", "live-agent"), 1.0)], 10)
    bench.game.close()
    assert set(trained.metrics) == {"live-adversary", "live-agent"}
    assert [learner.steps for learner in bench.learners] == [10 * 4 * 3, 10 * 4]
    for learner, old in zip(bench.learners, before, strict=True):
        assert any(not torch.equal(value, old[key]) for key, value in learner.policy.weights().items())
    metrics = trained.metrics["live-adversary"]
    assert metrics["episodes"] == 8.0
    assert metrics["episode_length"] == 5.0
    seats = [metrics[f"return/adversary_{n}"] for n in range(3)]
    assert metrics["return/side0"] == pytest.approx(sum(seats), abs=1e-4)
    assert metrics["return"] == pytest.approx(sum(seats) / 3, abs=1e-4)
    assert "return/agent_0" not in metrics
    assert {(r.learner, r.opponent, r.episodes) for r in trained.results} == {
        ("live-adversary", "live-agent", 8),
        ("live-agent", "live-adversary", 8),
    }


def test_other_rounds_and_jobs_play_other_games() -> None:
    one, other = Bench("leduc"), Bench("leduc")
    other.table = TrainingTable(other.game, 1, 78)
    assert outcome(one.round(1)) != outcome(other.round(1))


def test_progress_is_told_in_order() -> None:
    bench, told = Bench("rps"), list[float]()
    bench.table.round(0, bench.learners, bench.frozen(), bench.seatings(0), TURNS, told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("key", ["lineup", "clock", "pending.player.valid", "pending.player.action"])
def test_a_carry_that_is_not_whole_is_refused(key: str) -> None:
    bench = Bench("connect_four")
    bench.round(0)
    tensors, names = bench.table.carry()
    with pytest.raises(SnapshotError, match=f"table 0: .*'{key}'"):
        Bench("connect_four").table.restore({k: v for k, v in tensors.items() if k != key}, names)
    with pytest.raises(SnapshotError, match="does not fit this game"):
        Bench("connect_four", slots=4).table.restore(tensors, names)
    with pytest.raises(SnapshotError, match="does not fit this game"):
        Bench("leduc").table.restore(tensors, names)


def test_an_empty_carry_is_a_beginning() -> None:
    bench, fresh = Bench("connect_four"), Bench("connect_four")
    bench.table.restore(*fresh.table.carry())
    assert outcome(bench.round(0)) == outcome(fresh.round(0))


def test_results_of_sides() -> None:
    spec = make("connect_four", 1).spec
    scores = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]]).double()
    assert score_of_sides(spec, scores).tolist() == [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
    tag = Bench("mpe2:simple_tag_v3", slots=1)
    # A team's total decides: 3 against 4.
    assert score_of_sides(tag.game.spec, torch.tensor([[1.0, 1.0, 1.0, 4.0]])).tolist() == [[0.0, 1.0]]
    tag.game.close()
    spread = Bench("mpe2:simple_spread_v3", slots=1)
    assert score_of_sides(spread.game.spec, torch.tensor([[1.0, 1.0, 1.0]])).tolist() == [[0.5]]
    spread.game.close()


def test_training_results_by_opponent() -> None:
    """Four episodes by hand: won and lost as first seat against "old", drawn as second, and one of self-play."""
    spec, turns = make("connect_four", 1).spec, 3
    ended = torch.tensor([[True, False], [True, True], [False, True]])
    score, lineup = torch.zeros(turns, 2, 2), torch.full((turns, 2, 2), 1)
    score[0, 0], lineup[0, 0] = torch.tensor([1.0, -1.0]), torch.tensor([0, 1])
    score[1, 0], lineup[1, 0] = torch.tensor([-1.0, 1.0]), torch.tensor([0, 1])
    score[1, 1], lineup[1, 1] = torch.tensor([0.0, 0.0]), torch.tensor([1, 0])
    score[2, 1], lineup[2, 1] = torch.tensor([-1.0, 1.0]), torch.tensor([0, 0])
    score[0, 1], lineup[0, 1] = torch.tensor([9.0, 9.0]), torch.tensor([0, 1])  # not ended: means nothing
    none = torch.zeros(turns, 2)
    last = Turn(acts={}, reward=none, terminated=none, truncated=none, ended=none, score=none)
    rollout = Rollout(
        rows={},
        pending={},
        reward=score,
        terminated=none,
        truncated=none,
        ended=ended,
        length=none,
        score=score,
        lineup=lineup,
        post_of_seat=torch.arange(2),
        state=None,
        final_state=None,
        last=last,
    )
    assert training_results(spec, spec.posts, rollout, ("main", "old"), ["main"], 7) == (
        TrainingResult(learner="main", round=7, opponent="main", episodes=2, score=0.5, return_mean=0.0),
        TrainingResult(learner="main", round=7, opponent="old", episodes=3, score=0.5, return_mean=0.0),
    )
    rollout.ended = torch.tensor([[True, False], [False, True], [False, False]])
    assert training_results(spec, spec.posts, rollout, ("main", "old"), ["main"], 7) == (
        TrainingResult(learner="main", round=7, opponent="old", episodes=2, score=0.75, return_mean=0.5),
    )
    rollout.ended[:] = False
    assert training_results(spec, spec.posts, rollout, ("main", "old"), ["main"], 7) == ()


def test_random_play_may_sit_in() -> None:
    bench = Bench("leduc")
    seatings = [Seating(("live-player", "random"), 0.5), Seating(("random", "live-player"), 0.5)]
    trained = bench.table.round(0, bench.learners, {"random": Random("player", Discrete(3))}, seatings, 20)
    assert {result.opponent for result in trained.results} == {"random"}


def test_of_a_team_by_seat_only_the_learners_own_seats_are_trained() -> None:
    bench = Bench("mpe2:simple_spread_v3 by seat", slots=4)
    # In two slots all three seats are live, in one the first is not, in one the last is not; all act on every turn.
    found = [bench.round(number) for number in (1, 2)]
    bench.game.close()
    live, frozen = 2 * 3 + 2 + 2, 1 + 1
    assert [trained.opponent_steps for trained in found] == [TURNS * frozen] * 2
    assert [trained.agent_steps for trained in found] == [TURNS * live] * 2
    opponents = {result.opponent: result for trained in found for result in trained.results}
    # An episode keeps its lineup: those of the second round's partners have not ended yet.
    assert set(opponents) == {"live-agent+live-agent", "agent-1+live-agent", "live-agent+agent-1"}
    assert all(result.learner == "live-agent" for result in opponents.values())


class Paid(NativeGame):
    """Seats a and b are one side, c is the other; an episode is one turn, which pays them 1, 0 and 5."""

    def __init__(self, slots: int) -> None:
        roles = tuple(
            RoleSpec(name=name, seats=(seat,), acting=1, obs_shape=(1,), obs_dtype=torch.float32, actions=Discrete(2))
            for seat, name in enumerate("abc")
        )
        super().__init__(
            GameSpec(id="paid", version="1", seats=("a", "b", "c"), sides=((0, 1), (2,)), roles=roles, outcome="score"),
            slots,
        )

    def deal(self, seeds: Tensor) -> State:
        return {"nothing": torch.zeros(len(seeds))}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        paid = torch.tensor([1.0, 0.0, 5.0]).expand(self.slots, 3)
        return state, Outcome(paid, torch.ones(self.slots, dtype=torch.bool), paid)

    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        present = torch.ones((self.slots, 1), dtype=torch.bool)
        seats = {name: torch.full((self.slots, 1), seat) for seat, name in enumerate("abc")}
        obs = torch.zeros((self.slots, 1, 1))
        return {name: Acting(obs, None, seat, present) for name, seat in seats.items()}, None

    def text(self, state: State) -> str:
        return "paid"


@pytest.mark.parametrize(("team", "targets"), [(False, [1.0, 0.0, 5.0]), (True, [0.5, 0.5, 5.0])])
def test_seats_learn_from_their_own_reward_or_from_the_mean_of_their_side(team: bool, targets: list[float]) -> None:
    game = Paid(4)
    learners = [Mappo(role.name, game.spec, role, NETWORK, SETTINGS, 1) for role in game.spec.roles]
    table = TrainingTable(game, 0, 5, team_reward=team)
    trained = table.round(1, learners, {}, [Seating(("a", "b", "c"), 1.0)], 4)
    found = [float(learner.values.mean / learner.values.weight) for learner in learners]
    assert found == pytest.approx(targets, abs=1e-6)
    assert [trained.metrics[name]["return"] for name in "abc"] == [1.0, 0.0, 5.0], "what is shown stays their own"


def test_the_favourite_action_counts_where_there_is_a_choice() -> None:
    def decisions(rows: list[tuple[str, int, int]], masked: bool = True) -> Decisions:
        """Rows of: legal actions, the action taken, who took it."""
        mask = torch.tensor([[str(action) in legal for action in range(3)] for legal, _, _ in rows])
        action, owner = (torch.tensor([row[column] for row in rows]) for column in (1, 2))
        present = torch.ones(len(rows), dtype=torch.bool)
        zeros = torch.zeros(len(rows))
        return Decisions(
            obs=zeros,
            mask=mask if masked else None,
            seat=zeros.long(),
            present=present,
            action=action,
            log_prob=zeros,
            owner=owner,
        )

    rows = [("012", 1, 0), ("012", 1, 0), ("012", 0, 0), ("01", 1, 0), ("1", 1, 0), ("12", 2, 1)]
    # Of the learner's four choices three are action 1; action 2 is legal in three, and never taken.
    assert same_action(Discrete(3), decisions(rows), 0) == {"same_action": 0.75}
    # Without a mask all five decisions are choices.
    assert same_action(Discrete(3), decisions(rows, masked=False), 0) == {"same_action": pytest.approx(0.8)}
    # An action that is always taken where it is legal, but is so in one of three, says nothing.
    rare = [("02", 2, 0), ("01", 0, 0), ("01", 1, 0)]
    assert same_action(Discrete(3), decisions(rare), 0) == {"same_action": 0.5}
    assert same_action(Discrete(3), decisions([("1", 1, 0)]), 0) == {}
    assert same_action(Discrete(3), decisions(rows), 2) == {}
    assert same_action(Box((-1.0,), (1.0,)), decisions(rows), 0) == {}
