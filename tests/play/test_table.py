"""The table: lineups hold for an episode, decisions depend on nothing but their own counter, roles do not mix."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from playing import Hashed, Relay, play_rollouts
from torch import Tensor

from league.errors import PolicyError
from league.games.actions import Discrete
from league.games.core import Game
from league.games.registry import make
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.play.rollout import collect, nothing_pending
from league.play.table import Table
from league.policies.core import Policy, Rows
from league.policies.scripted import Random
from league.policies.settings import NetworkSettings

TAG = {"max_cycles": 4}


@dataclass
class Watcher:
    """Random play that notes whose rows it was shown."""

    role: str
    actions: int
    seats: set[int] = field(default_factory=set)
    shapes: set[tuple[int, ...]] = field(default_factory=set)
    sizes: list[int] = field(default_factory=list)

    def logits(self, rows: Rows) -> Tensor:
        self.seats |= set(rows.seat.tolist())
        self.shapes.add(tuple(rows.obs.shape[1:]))
        self.sizes.append(len(rows.seat))
        assert rows.mask is None or rows.mask.any(1).all()
        return torch.zeros((len(rows.seat), self.actions))


@dataclass(frozen=True)
class Says:
    """A policy whose answer is given."""

    role: str
    answer: Tensor

    def logits(self, rows: Rows) -> Tensor:
        return self.answer.expand(len(rows.seat), -1)


def table_of(
    game: Game, policies: list[Policy], choices: tuple[tuple[int, ...], ...], temperature: float = 1.0
) -> Table:
    table = Table(game, policies, Hashed(choices), temperature)
    table.start()
    return table


def test_a_lineup_holds_until_its_episode_ends() -> None:
    policies: list[Policy] = [
        Random("runner", Discrete(3)),
        Random("runner", Discrete(3)),
        Random("judge", Discrete(4)),
        Random("judge", Discrete(4)),
    ]
    rollouts = play_rollouts(Relay(6), policies, Hashed(((0, 1), (0, 1), (2, 3))), 10, 4)
    lineup, ended = (torch.cat([getattr(r, what) for r in rollouts]) for what in ("lineup", "ended"))
    changed = (lineup[1:] != lineup[:-1]).any(2)
    assert changed.any()
    assert not (changed & ~ended[:-1]).any()
    for rollout in rollouts:
        for name, rows in rollout.rows.items():
            post_of_seat = torch.tensor([0, 1, 2])
            wanted = rollout.lineup.gather(2, post_of_seat[rows.seat])
            assert torch.equal(rows.owner[rows.present], wanted[rows.present]), name


def test_new_episodes_follow_the_schedule() -> None:
    schedule = Hashed(((0, 1), (0, 1)), 4)
    table = Table(make("kuhn", 5), [Random("player", Discrete(2)), Random("player", Discrete(2))], schedule)
    table.start()
    seen: dict[int, list[int]] = {}
    for _ in range(20):
        move = table.advance()
        for slot, episode in enumerate(move.episode.tolist()):
            assert episode % 5 == slot
            seen[episode] = move.lineup[slot].tolist()
            assert int(move.clock[slot]) < 3
    assert sorted(seen) != list(range(5))
    for episode, lineup in seen.items():
        assert schedule.lineups(torch.tensor([episode]))[0].tolist() == lineup
    for slot in range(5):
        mine = sorted(episode for episode in seen if episode % 5 == slot)
        assert mine == list(range(slot, mine[-1] + 1, 5))


@pytest.mark.parametrize("name", ["connect_four", "leduc", "relay", "tag", "mpe2:simple_tag_v3"])
def test_an_episode_comes_out_the_same_whatever_else_is_in_the_batch(name: str) -> None:
    stories = []
    for slots in (1, 3, 8):
        game = Relay(slots) if name == "relay" else make(name, slots, options=TAG if "tag" in name else {})
        policies: list[Policy] = []
        for role in game.spec.roles:
            policies += [Random(role.name, role.actions), Random(role.name, role.actions)]
        names = [role.name for role in game.spec.roles]
        choices = tuple((2 * names.index(post.role), 2 * names.index(post.role) + 1) for post in game.spec.posts)
        table = table_of(game, policies, choices)
        story: dict[int, list[tuple[object, ...]]] = {}
        done: dict[int, list[float]] = {}
        while len(done) < 8 or not all(episode in done for episode in range(8)):
            move = table.advance()
            for slot, episode in enumerate(move.episode.tolist()):
                for role in game.spec.roles:
                    acting = move.acts[role.name]
                    rows = zip(acting.seat[slot].tolist(), move.action[role.name][slot].tolist(), strict=True)
                    told = [row for row, here in zip(rows, acting.present[slot].tolist(), strict=True) if here]
                    story.setdefault(episode, []).append((int(move.clock[slot]), role.name, *told))
                if move.turn.ended[slot]:
                    done[episode] = move.turn.score[slot].tolist()
        game.close()
        stories.append([(story[episode], done[episode]) for episode in range(8)])
    assert stories[0] == stories[1] == stories[2]


def test_a_policy_sees_only_rows_of_its_role_and_its_posts() -> None:
    game = make("mpe2:simple_tag_v3", 3, options=TAG)
    adversary, agent = Watcher("adversary", 5), Watcher("agent", 5)
    table = table_of(game, [adversary, agent], ((0,), (1,)))
    for _ in range(6):
        table.advance()
    game.close()
    assert (adversary.seats, agent.seats) == ({0, 1, 2}, {3})
    assert (adversary.shapes, agent.shapes) == ({(16,)}, {(14,)})
    # One call a turn for all of its rows.
    assert (adversary.sizes, agent.sizes) == ([9] * 6, [3] * 6)


def test_rows_where_nobody_acts_are_shown_to_no_policy() -> None:
    game = Relay(4)
    runner, judge = Watcher("runner", 3), Watcher("judge", 4)
    table = table_of(game, [runner, judge], ((0,), (0,), (1,)))
    shown = 0
    for _ in range(12):
        move = table.advance()
        shown += sum(int(acting.present.sum()) for acting in move.acts.values())
    assert sum(runner.sizes) + sum(judge.sizes) == shown < 12 * 4 * 3


def test_log_probabilities_are_those_of_the_choices() -> None:
    game = make("leduc", 16)
    learner = Mappo("main", game.spec, game.spec.roles[0], NetworkSettings(actor=(8,)), MappoSettings(), 3)
    with torch.no_grad():
        learner.actor.head[-1].bias.copy_(torch.tensor([0.5, -1.0, 1.0]))  # type: ignore[operator,union-attr]
    table = table_of(game, [learner.policy, Random("player", Discrete(3))], ((0,), (1,)))
    for _ in range(8):
        move = table.advance()
        acting = move.acts["player"]
        assert acting.mask is not None
        for slot in range(16):
            mask, seat = acting.mask[slot, 0], acting.seat[slot]
            logits = torch.zeros(3) if seat == 1 else learner.policy.logits(Rows(acting.obs[slot], None, seat))[0]
            share = torch.where(mask, logits.exp(), 0.0)
            chosen = int(move.action["player"][slot, 0])
            assert mask[chosen]
            wanted = float((share[chosen] / share.sum()).log())
            assert float(move.log_prob["player"][slot, 0]) == pytest.approx(wanted, abs=1e-5)


def test_choices_are_as_frequent_as_they_are_probable() -> None:
    game = make("rps", 4000)
    table = table_of(game, [Says("player", torch.tensor([0.5, 0.3, 0.2]).log())], ((0,), (0,)))
    counts = torch.bincount(table.advance().action["player"].flatten(), minlength=3) / 8000
    # Three standard errors of a share of a half.
    assert torch.allclose(counts, torch.tensor([0.5, 0.3, 0.2]), atol=3 * (0.25 / 8000) ** 0.5)


def test_temperature_zero_takes_the_best_and_leaves_random_play_random() -> None:
    game = make("rps", 300)
    table = table_of(
        game, [Says("player", torch.tensor([0.1, 0.3, 0.2])), Random("player", Discrete(3))], ((0,), (1,)), 0.0
    )
    action = table.advance().action["player"]
    assert set(action[:, 0].tolist()) == {1}
    assert torch.bincount(action[:, 1], minlength=3).min() > 60


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Says("column", torch.zeros(1, 3)), "'column'.*'player'"),
        (Says("player", torch.zeros(1, 4)), r"\[4, 4\], not \[4, 3\]"),
        (Says("player", torch.tensor([[0.0, float("nan"), 0.0]])), "NaN"),
        (Says("player", torch.full((1, 3), -torch.inf)), "NaN"),
    ],
)
def test_a_policy_that_cannot_be_used_is_named(policy: Policy, words: str) -> None:
    table = table_of(make("rps", 4), [Random("player", Discrete(3)), policy], ((0,), (1,)))
    pending = {role.name: nothing_pending(table.game, role) for role in table.game.spec.roles}
    with pytest.raises(PolicyError, match=rf"(?s)policy 1 of the table \(Says\).*{words}"):
        collect(table, 1, pending)


def test_a_table_goes_on_from_saved_tensors() -> None:
    one, other = make("connect_four", 4), make("connect_four", 4)
    policies: list[Policy] = [Random("player", Discrete(7)), Random("player", Discrete(7))]
    table, again = table_of(one, policies, ((0, 1), (0, 1))), Table(other, policies, Hashed(((0, 1), (0, 1))))
    for _ in range(15):
        table.advance()
    again.resume(one.save(), table.episode.clone(), table.clock.clone(), table.lineup.clone(), table.memory.clone())
    for _ in range(15):
        left, right = table.advance(), again.advance()
        assert torch.equal(left.action["player"], right.action["player"])
        assert torch.equal(left.turn.score, right.turn.score)
        assert torch.equal(left.lineup, right.lineup)
