"""What a learner of action values keeps of a round, against a slow account of the same turns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from playing import Hashed, Relay
from torch import Tensor

from league.execution.training_table import team_rewards
from league.games.core import Game
from league.games.registry import make
from league.learning.off_policy.experience import PendingRows, Segment, SideLayout, build_segment
from league.learning.off_policy.replay import ReplayBuffer, SequenceBatch
from league.learning.off_policy.value_learner import unroll_values
from league.matchmaking.posts import by_seat
from league.play.rollout import collect, nothing_pending
from league.play.table import Table
from league.play.trajectory import Rollout, chains, still_pending
from league.policies.architecture import NetworkSpec
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy, actor_spec
from league.policies.scripted import Random
from league.policies.settings import NetworkSettings

TURNS, ROUNDS = 7, 4
NETWORK = NetworkSettings(actor=(8,), memory="gru", memory_units=4)


class Lineups:
    """A schedule: policy 0 sits at every second post of every second episode, else everywhere."""

    def __init__(self, posts: int) -> None:
        self.posts = torch.arange(posts)

    def lineups(self, episodes: Tensor) -> Tensor:
        return ((episodes[:, None] + self.posts) % 2) * (episodes[:, None] % 4 // 2)

    def seeds(self, episodes: Tensor) -> Tensor:
        return episodes * 31 + 7

    def keys(self, episodes: Tensor) -> Tensor:
        return episodes * 17 + 3


@dataclass
class Played:
    """A few rounds of a game with one role, and what policy 0 keeps of each."""

    game: Game
    policy: NeuralPolicy
    rollouts: list[Rollout]
    segments: list[Segment]
    waited: list[PendingRows]


def played(name: str, chunk: int = 3, burn_in: int = 0, **options: object) -> Played:
    game = make(name.removesuffix(" by seat"), 5, options=options)
    layout = SideLayout.of(game.spec, game.spec.roles[0], game.device)
    posts = by_seat(game.spec.posts) if name.endswith(" by seat") else game.spec.posts
    role = game.spec.roles[0]
    assert len(game.spec.roles) == 1
    generator = torch.Generator().manual_seed(3)
    policies = [
        NeuralPolicy(role.name, Network(actor_spec(game.spec, role, NETWORK), 1.0, generator), 0.7) for _ in range(2)
    ]
    table = Table(game, policies, Lineups(len(posts)), posts=posts)
    table.start()
    pending = {role.name: nothing_pending(game, role, policies[0].memory)}
    found = Played(game, policies[0], [], [], [])
    waiting = {}
    for _ in range(ROUNDS):
        rollout = collect(table, TURNS, pending)
        rollout.reward = team_rewards(game.spec, rollout.reward)
        kept, waiting = build_segment(rollout, layout, 0, waiting, chunk, burn_in, game.spec.state_shape is not None)
        found.rollouts.append(rollout)
        found.segments.append(kept)
        found.waited.append(waiting)
        pending = {role.name: still_pending(rollout, role, chains(rollout, role))}
    return found


def close(value: Tensor) -> list[float]:
    return [round(float(one), 4) for one in value.flatten()]


def told(found: Played) -> list[object]:
    """Every decision learnt from: what was seen and done, the reward, and what was seen next (None: the end)."""
    stories = []
    for one in found.segments:
        rows = one.rows
        width = rows["present"].shape[1]

        def seen(row: int, rows: dict[str, Tensor] = rows, width: int = width) -> object:
            seats = {
                place: (close(rows["obs"][row, place]), rows["mask"][row, place].tolist() if "mask" in rows else None)
                for place in range(width)
                if rows["present"][row, place]
            }
            return seats, close(rows["state"][row]) if "state" in rows else None

        for first, count in zip(one.first.tolist(), one.count.tolist(), strict=True):
            for row in range(first, first + count):
                if rows["learns"][row]:
                    acts = [
                        (place, int(rows["action"][row, place]))
                        for place in range(width)
                        if rows["present"][row, place]
                    ]
                    after = seen(row + 1) if rows["goes_on"][row] else None
                    stories.append((int(rows["side"][row]), seen(row), acts, close(rows["reward"][row]), after))
    return stories


def expected(found: Played) -> list[object]:
    """The same from the turns, one after another."""
    spec, role = found.game.spec, found.game.spec.roles[0]
    stories: list[object] = []
    for slot in range(found.game.slots):
        for side, seats in enumerate(spec.sides):
            open_one: list[object] | None = None
            for number, rollout in enumerate(found.rollouts):
                rows = rollout.rows[role.name]
                for t in range(TURNS):
                    owners = rollout.lineup[t, slot][rollout.post_of_seat].tolist()
                    acts, view = {}, {}
                    for k in range(rows.seat.shape[2]):
                        seat = int(rows.seat[t, slot, k])
                        if rows.present[t, slot, k] and seat in seats and owners[seat] == 0:
                            mask = None if rows.mask is None else rows.mask[t, slot, k].tolist()
                            view[seats.index(seat)] = (close(rows.obs[t, slot, k]), mask)
                            acts[seats.index(seat)] = int(rows.action[t, slot, k])
                    if acts:
                        state = None if rollout.state is None else close(rollout.state[t, slot])
                        here = (dict(sorted(view.items())), state)
                        if open_one is not None:
                            stories.append((*open_one, here))
                        open_one = [side, here, sorted(acts.items()), 0.0]
                    if open_one is not None:
                        open_one[3] += float(rollout.reward[t, slot][list(seats)].mean())
                        if rollout.ended[t, slot]:
                            cut = [s for s in seats if rollout.truncated[t, slot, s] and owners[s] == 0]
                            if not cut:
                                stories.append((*open_one, None))
                            elif rows.mask is None:
                                last = rollout.final_obs[role.name][t, slot]
                                view = {seats.index(s): (close(last[role.seats.index(s)]), None) for s in cut}
                                stories.append((*open_one, (view, close(rollout.final_state[t, slot]))))
                            open_one = None
                if open_one is not None and number == ROUNDS - 1:
                    last_turn = rollout.last.acts[role.name]
                    owners = rollout.lineup[-1, slot][rollout.post_of_seat].tolist()
                    view = {}
                    for k in range(last_turn.seat.shape[1]):
                        seat = int(last_turn.seat[slot, k])
                        if last_turn.present[slot, k] and seat in seats and owners[seat] == 0:
                            mask = None if last_turn.mask is None else last_turn.mask[slot, k].tolist()
                            view[seats.index(seat)] = (close(last_turn.obs[slot, k]), mask)
                    if view:
                        state = None if rollout.last.state is None else close(rollout.last.state[slot])
                        stories.append((*open_one, (dict(sorted(view.items())), state)))
    return [(*story[:3], close(torch.tensor(story[3])), story[4]) for story in stories]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tictactoe", {}),
        ("leduc", {}),
        ("connect_four", {}),
        ("rps", {}),
        ("two_step", {}),
        ("spread", {"max_cycles": 5}),
        ("spread by seat", {"max_cycles": 5}),
        ("pettingzoo:classic/tictactoe_v3", {}),
    ],
)
def test_every_decision_of_a_side_is_kept_once_with_what_came_of_it(name: str, options: dict[str, object]) -> None:
    found = played(name, **options)
    assert sorted(map(repr, told(found))) == sorted(map(repr, expected(found)))
    assert len(told(found)) > 30
    assert any(found.waited) == (name in ("tictactoe", "leduc", "connect_four", "pettingzoo:classic/tictactoe_v3"))
    found.game.close()


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_decisions_of_seats_that_died_wait_for_the_end_of_the_episode(turns: int) -> None:
    """Each is learnt from once, however many rounds it waits, also where no seat of the table awaits anything."""
    game = Relay(1, masks=False)
    runner = game.spec.roles[0]
    policies = [Random(role.name, role.actions) for role in game.spec.roles]
    table = Table(game, policies, Hashed(tuple((int(post.role == "judge"),) for post in game.spec.posts)))
    table.start()
    pending = {role.name: nothing_pending(game, role) for role in game.spec.roles}
    layout, waiting, taken, learnt, alone = SideLayout.of(game.spec, runner, game.device), {}, 0, 0, 0
    for _ in range(120):
        rollout = collect(table, turns, pending)
        kept, waiting = build_segment(rollout, layout, 0, waiting, 3, 0, False)
        taken += int(rollout.rows["runner"].present.sum())
        learnt += kept.decisions
        pending = {role.name: still_pending(rollout, role, chains(rollout, role)) for role in game.spec.roles}
        alone += bool(waiting) and not bool(pending["runner"].present.any())
    assert taken == learnt + (int(waiting["valid"].sum()) if waiting else 0)
    assert alone > 5


def test_what_waited_is_forgotten_where_the_game_began_afresh() -> None:
    game = make("tictactoe", 4)
    role = game.spec.roles[0]
    layout, waiting = SideLayout.of(game.spec, role, game.device), {}
    for _ in range(2):
        table = Table(game, [Random(role.name, role.actions)], Hashed(((0,), (0,))))
        table.start()
        rollout = collect(table, 3, {role.name: nothing_pending(game, role)})
        kept, waiting = build_segment(rollout, layout, 0, waiting, 3, 0, False)
        # Of three moves the first is learnt from, and the second as the fourth is due; the third waits.
        assert kept.decisions == 4 * 2
        assert int(waiting["valid"].sum()) == 4


@pytest.mark.parametrize(("name", "burn_in"), [("leduc", 0), ("leduc", 2), ("spread", 2), ("spread by seat", 0)])
def test_memory_before_a_sequence_is_what_was_remembered_as_it_was_played(name: str, burn_in: int) -> None:
    """While the weights have not changed, what the network says of a sequence is what it said in play."""
    found = played(name, 3, burn_in, **({"max_cycles": 5} if "spread" in name else {}))
    replay = ReplayBuffer(
        10_000, torch.ones(found.segments[0].rows["present"].shape[1:], dtype=torch.bool)[None].repeat(2, 1)
    )
    for one in found.segments:
        replay.add(one)
    window = replay.gather(torch.arange(len(replay.first)), 3, burn_in)
    layout = SideLayout.of(found.game.spec, found.game.spec.roles[0], found.game.device)
    seats = layout.seats[window.rows["side"][0]].flatten()
    said = unroll_values(found.policy.actor, window, seats, burn_in)[:-1]
    rows = {key: value[burn_in:-1] for key, value in window.rows.items()}
    # Each decision was the best by what the network said, unless it was one of the random ones.
    heard = {}
    for rollout in found.rollouts:
        played_rows = rollout.rows[found.game.spec.roles[0].name]
        mine = played_rows.present & (played_rows.owner == 0)
        answers = found.policy.actor.step(played_rows.obs[mine], played_rows.seat[mine], played_rows.memory[mine])[0]
        for obs, seat, answer in zip(played_rows.obs[mine], played_rows.seat[mine], answers, strict=True):
            heard.setdefault((int(seat), tuple(close(obs))), []).append(answer)
    count = 0
    for place in (rows["present"] & rows["learns"][..., None]).nonzero().tolist():
        c, q, n = place
        seat = int(layout.seats[rows["side"][c, q], n])
        options = torch.stack(heard[seat, tuple(close(rows["obs"][c, q, n]))])
        assert float((options - said[c, q, n]).detach().abs().amax(1).min()) < 1e-5
        count += 1
    assert count > 30
    # Memory matters: had it been forgotten, the answers would be others.
    blank = replace(window, memory=torch.zeros_like(window.memory))
    assert burn_in or not torch.allclose(unroll_values(found.policy.actor, blank, seats, burn_in)[:-1], said, atol=1e-3)


def test_a_seat_that_passes_by_a_turn_remembers_what_it_did() -> None:
    """Rows in which a seat does not act leave its memory alone, as unrolling its own decisions step by step does."""
    generator = torch.Generator().manual_seed(0)
    spec = NetworkSpec(kind="mlp", inputs=(4,), seats=2, outputs=3, hidden=(8,), memory="gru", units=5)
    network = Network(spec, 1.0, generator)
    length, count = 7, 6
    obs = torch.randn((length, count, 2, 4), generator=generator)
    present = torch.rand((length, count, 2), generator=generator) < 0.6
    begins = torch.rand((length, count), generator=generator) < 0.3
    memory = torch.randn((count, 2, 5), generator=generator)
    rows = {"obs": obs, "present": present, "begins": begins, "side": torch.zeros((length, count), dtype=torch.int64)}
    window = SequenceBatch(rows, memory)
    for burn_in in (0, 2):
        said = unroll_values(network, window, torch.arange(2).repeat(count), burn_in)
        for q in range(count):
            for seat in range(2):
                held = memory[q, seat][None]
                for t in range(length):
                    if begins[t, q]:
                        held = torch.zeros_like(held)
                    if present[t, q, seat]:
                        answer, held = network.step(obs[t, q, seat][None], torch.tensor([seat]), held)
                        if t >= burn_in:
                            assert torch.allclose(answer[0], said[t - burn_in, q, seat], atol=1e-6)
