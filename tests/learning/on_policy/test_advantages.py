"""Advantages: numbers worked out by hand, and one episode at a time on what real rollouts brought."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from league.games.registry import make
from league.learning.learner import TrainingInput
from league.learning.on_policy.advantages import gae, next_values
from league.learning.on_policy.batch import Batch
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.play.rollout import collect, nothing_pending
from league.play.table import Table
from league.play.trajectory import Chains, Rollout, chains, still_pending
from league.policies.settings import NetworkSettings

GAMMA, LAM = 0.5, 0.5
YES, NO = True, False


class SelfPlay:
    """The learner everywhere, for ever."""

    def __init__(self, posts: int) -> None:
        self.posts = posts

    def lineups(self, episodes: Tensor) -> Tensor:
        return torch.zeros((len(episodes), self.posts), dtype=torch.int64)

    def seeds(self, episodes: Tensor) -> Tensor:
        return episodes + 17

    def keys(self, episodes: Tensor) -> Tensor:
        return episodes * 31 + 5


def column(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


def flags(*values: bool) -> Tensor:
    return torch.tensor(values)[:, None]


def hand_worked(last: float, terminated: bool, truncated: bool, known: bool, awaited: float = 0.0) -> list[float]:
    """Three decisions with rewards 1, 0, 2 and values 0.5, 1, 1.5; discount and lambda are a half."""
    value, follows = column(0.5, 1.0, 1.5), flags(YES, YES, NO)
    cut = flags(NO, NO, truncated)
    following = next_values(value, column(0, 0, last), torch.tensor([awaited]), cut, follows)
    over = flags(NO, NO, terminated)
    advantage = gae(column(1.0, 0.0, 2.0), value, following, over, follows, flags(YES, YES, known), GAMMA, LAM)
    return [float(x) for x in advantage[:, 0]]


def test_an_episode_that_ends_has_no_value_beyond() -> None:
    # delta: 1 + .5*1 - .5 = 1; 0 + .5*1.5 - 1 = -.25; 2 - 1.5 = .5. Each adds a quarter of the one after it.
    assert hand_worked(4.0, terminated=True, truncated=False, known=True) == [0.96875, -0.125, 0.5]


def test_an_episode_that_is_cut_off_counts_the_state_it_was_in() -> None:
    # The last delta: 2 + .5*4 - 1.5 = 2.5.
    assert hand_worked(4.0, terminated=False, truncated=True, known=True) == [1.09375, 0.375, 2.5]


def test_the_rollouts_edge_counts_the_decision_that_comes_next() -> None:
    # The last delta: 2 + .5*3 - 1.5 = 2.
    assert hand_worked(0.0, terminated=False, truncated=False, known=True, awaited=3.0) == [1.0625, 0.25, 2.0]


def test_a_decision_whose_outcome_is_not_known_lends_its_value_only() -> None:
    # What the pending one will bring is not known: its delta is 0, not 2 - 1.5.
    assert hand_worked(0.0, terminated=False, truncated=False, known=False) == [0.9375, -0.25, 0.0]


def test_episodes_of_one_chain_do_not_mix() -> None:
    follows, over, known = flags(NO, NO), flags(YES, YES), flags(YES, YES)
    value = column(1.0, -1.0)
    following = next_values(value, torch.zeros(2, 1), torch.tensor([9.0]), flags(NO, NO), follows)
    advantage = gae(column(3.0, 5.0), value, following, over, follows, known, 0.9, 0.9)
    assert advantage[:, 0].tolist() == [2.0, 6.0]


def rollout_of(
    name: str, turns: int, role: int, before: int = 0, **settings: float
) -> tuple[Mappo, Rollout, Chains, Batch]:
    """What a learner with random weights plays against itself (after `before` shorter rollouts), and its batch."""
    game = make(name, 5, options={"max_cycles": 6} if "tag" in name else {})
    spec = game.spec
    network = NetworkSettings(actor=(8,), critic=(8,))
    learners = [Mappo(r.name, spec, r, network, MappoSettings(**settings), 4 + i) for i, r in enumerate(spec.roles)]
    learners[role].values.update(torch.tensor([1.0, 4.0, -2.0]))

    class Seats(SelfPlay):
        def lineups(self, episodes: Tensor) -> Tensor:
            names = [r.name for r in spec.roles]
            return torch.tensor([[names.index(post.role) for post in spec.posts]]).expand(len(episodes), -1)

    table = Table(game, [learner.policy for learner in learners], Seats(len(spec.posts)))
    table.start()
    pending = {r.name: nothing_pending(game, r) for r in spec.roles}
    for _ in range(before):
        rollout = collect(table, 3, pending)
        pending = {r.name: still_pending(rollout, r, chains(rollout, r)) for r in spec.roles}
    rollout = collect(table, turns, pending)
    chain = chains(rollout, spec.roles[role])
    game.close()
    return learners[role], rollout, chain, batch_of(rollout, chain, learners[role], role)


def batch_of(rollout: Rollout, chain: Chains, learner: Mappo, owner: int) -> Batch:
    return learner.batch(
        TrainingInput(rollout=rollout, chains=chain, owner=owner, critic_memory=None, generator=torch.Generator())
    )[0]


def critic_says(learner: Mappo, inputs: Tensor, seat: int) -> float:
    mean, deviation = learner.values.scale()
    with torch.no_grad():
        return float(learner.critic(inputs[None], torch.tensor([seat]))[0, 0] * deviation + mean)


@pytest.mark.parametrize(
    ("name", "role"),
    [("kuhn", 0), ("leduc", 0), ("tag", 0), ("tag", 1), ("mpe2:simple_tag_v3", 0), ("mpe2:simple_tag_v3", 1)],
)
def test_targets_are_those_of_each_episode_by_itself(name: str, role: int) -> None:
    """Lambda-returns summed up term by term, over the episodes that a rollout holds from beginning to end."""
    discount, lam, turns = 0.9, 0.8, 24
    learner, rollout, chain, batch = rollout_of(name, turns, role, discount=discount, gae_lambda=lam)
    spec = learner.role
    rows, targets, compared = rollout.rows[spec.name], iter(batch.target.tolist()), 0
    found = {(d, n): next(targets) for d, n in chain.known.nonzero().tolist()}
    for n in range(chain.row.shape[1]):
        slot, seat = n // len(spec.seats), spec.seats[n % len(spec.seats)]
        own = [
            (t, k)
            for t in range(turns)
            for k in range(spec.acting)
            if rows.present[t, slot, k] and rows.seat[t, slot, k] == seat
        ]
        ends = [t for t in range(turns) if rollout.ended[t, slot]]
        for begin, end in zip([-1, *ends[:-1]], ends, strict=True):
            mine = [(index, t) for index, (t, _) in enumerate(own) if begin < t <= end]
            assert rollout.state is not None
            values = [critic_says(learner, rollout.state[t, slot], seat) for _, t in mine]
            beyond = 0.0
            if rollout.truncated[end, slot, seat]:
                assert rollout.final_state is not None
                beyond = critic_says(learner, rollout.final_state[end, slot], seat)
                assert beyond != 0.0
            after, total = [*values[1:], beyond], 0.0
            for place in reversed(range(len(mine))):
                until = mine[place + 1][1] if place + 1 < len(mine) else end + 1
                reward = float(rollout.reward[mine[place][1] : until, slot, seat].sum())
                total = reward + discount * after[place] - values[place] + discount * lam * total
                assert found[mine[place][0], n] == pytest.approx(values[place] + total, abs=1e-4)
                compared += 1
    assert compared > 20


def test_a_pending_decision_does_not_leak_into_the_ones_before_it() -> None:
    """Of a Connect Four rollout without an end, every known target is a lambda-return that stops at a known value."""
    learner, rollout, chain, batch = rollout_of("connect_four", 5, 0, discount=1.0, gae_lambda=1.0)
    assert not rollout.ended.any()
    assert (chain.valid & ~chain.known).any(0).sum() == 5  # one seat of each slot waits
    values, (role,) = torch.zeros(chain.row.shape), (learner.role,)
    for d, n in chain.valid.nonzero().tolist():
        row = int(chain.row[d, n]) - 10
        values[d, n] = critic_says(learner, rollout.rows[role.name].obs[row // 5, row % 5, 0], n % 2)
    targets = iter(batch.target.tolist())
    for d, n in chain.known.nonzero().tolist():
        # No reward yet: with discount and lambda 1 the target is the value of the last decision that is known of.
        waits = bool((chain.valid & ~chain.known)[:, n].any())
        last = rollout.last.acts["player"].obs[n // 2, 0]
        wanted = float(values[chain.valid[:, n].sum() - 1, n]) if waits else critic_says(learner, last, n % 2)
        assert next(targets) == pytest.approx(wanted, abs=1e-5), (d, n)


def test_carried_decisions_are_in_the_next_batch() -> None:
    _, rollout, chain, batch = rollout_of("leduc", 3, 0, before=5)
    carried = rollout.pending["player"]
    assert carried.present.any()
    assert len(batch) == int(chain.known.sum())
    first = (chain.known[0] & carried.present.flatten()).nonzero()[:, 0]
    assert set(carried.log_prob.flatten()[first].tolist()) <= set(batch.decisions.log_prob.tolist())


def test_only_the_learners_own_decisions_are_taken() -> None:
    learner, rollout, chain, batch = rollout_of("leduc", 12, 0)
    rows = rollout.rows["player"]
    rows.owner[:, :2] = 1
    less = batch_of(rollout, chain, learner, 0)
    assert 0 < len(less) < len(batch)
    kept = torch.where(chain.known, (chain.row - 10).clamp(min=0) % 5 >= 2, False)
    assert len(less) == int(kept.sum())
