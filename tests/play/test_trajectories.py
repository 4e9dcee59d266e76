"""Chains of own decisions, against a slow account of the same play: nothing is lost, doubled or credited to another."""

from __future__ import annotations

import pytest
import torch
from playing import Decision, Hashed, Relay, account, play_rollouts
from torch import Tensor

from league.games.conformance.suite import check
from league.games.core import Game, GameSpec
from league.games.registry import make
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.play.trajectory import Chains, Rollout, chains, still_pending
from league.policies.core import Policy
from league.policies.scripted import Random
from league.policies.settings import NetworkSettings

GAMES = ["connect_four", "kuhn", "leduc", "rps", "relay", "tag", "mpe2:simple_tag_v3"]
SMALL = NetworkSettings(actor=(8,), critic=(8,))


def make_game(name: str, slots: int = 4) -> Game:
    if name == "relay":
        return Relay(slots)
    return make(name, slots, options={"max_cycles": 5} if "tag" in name else {})


def seated(spec: GameSpec) -> tuple[list[Policy], tuple[tuple[int, ...], ...]]:
    """For every role a network and random play, and which of them each post may draw."""
    policies: list[Policy] = []
    for number, role in enumerate(spec.roles):
        policies.append(Mappo(role.name, spec, role, SMALL, MappoSettings(), number).policy)
        policies.append(Random(role.name, role.actions))
    place = {role.name: index for index, role in enumerate(spec.roles)}
    return policies, tuple((2 * place[post.role], 2 * place[post.role] + 1) for post in spec.posts)


def played(name: str, turns: int, count: int) -> tuple[Game, list[Rollout]]:
    game = make_game(name)
    policies, choices = seated(game.spec)
    rollouts = play_rollouts(game, policies, Hashed(choices, 3), turns, count)
    game.close()
    return game, rollouts


def joined(old: Tensor, new: Tensor) -> Tensor:
    """Pending rows, then the rollout's, in the order that chains count in."""
    return torch.cat((old.flatten(0, 1), new.flatten(0, 2)))


def learned(chain: Chains, n: int) -> list[int]:
    """The depths of chain n that can be learned from, in order."""
    return [d for d in range(len(chain.row)) if chain.known[d, n]]


def expected(decisions: list[Decision], number: int, turns: int) -> list[Decision]:
    """Decisions of one seat whose outcome first lies within rollout `number`."""
    begin, end = number * turns, (number + 1) * turns
    found = []
    for decision in decisions:
        over = decision.terminated if decision.terminated is not None else decision.truncated
        # A next decision on the very first turn after a rollout counts as known in that rollout.
        known = over + 1 if over is not None else decision.next
        if known is not None and begin < known <= end:
            found.append(decision)
    return found


def test_the_hand_made_game_keeps_the_contract() -> None:
    assert check(Relay, episodes=50).episodes >= 50


@pytest.mark.parametrize("turns", [3, 8])
@pytest.mark.parametrize("name", GAMES)
def test_each_decision_is_learned_from_exactly_once_with_what_it_brought(name: str, turns: int) -> None:
    game, rollouts = played(name, turns, 36 // turns)
    everything = account(game.spec, rollouts)
    assert len(everything) > 20
    taken = 0
    for role in game.spec.roles:
        for number, rollout in enumerate(rollouts):
            chain, rows, pending = chains(rollout, role), rollout.rows[role.name], rollout.pending[role.name]
            for n in range(chain.row.shape[1]):
                slot, seat = n // len(role.seats), role.seats[n % len(role.seats)]
                own = [d for d in everything if (d.slot, d.seat) == (slot, seat)]
                wanted, depths = expected(own, number, turns), learned(chain, n)
                # After the last rollout nobody knows who would have been next: only `last` can tell, and it may.
                if number == len(rollouts) - 1 and len(depths) == len(wanted) + 1:
                    assert bool(chain.awaits[depths[-1], n])
                    depths = depths[:-1]
                assert len(depths) == len(wanted)
                for d, decision in zip(depths, wanted, strict=True):
                    row = chain.row[d, n]
                    assert int(joined(pending.action, rows.action)[row]) == decision.action
                    assert float(joined(pending.log_prob, rows.log_prob)[row]) == decision.log_prob
                    assert int(joined(pending.owner, rows.owner)[row]) == decision.owner
                    assert torch.equal(joined(pending.obs, rows.obs)[row], decision.obs)
                    if rows.mask is not None and pending.mask is not None and decision.mask is not None:
                        assert torch.equal(joined(pending.mask, rows.mask)[row], decision.mask)
                    assert float(chain.reward[d, n]) == pytest.approx(decision.reward, abs=1e-5)
                    assert bool(chain.terminated[d, n]) == (decision.terminated is not None)
                    assert bool(chain.truncated[d, n]) == (decision.truncated is not None)
                    if decision.truncated is not None:
                        assert int(chain.cut[d, n]) == decision.truncated - number * turns
                    if decision.next is not None:
                        assert bool(chain.awaits[d, n]) == (decision.next == (number + 1) * turns)
                        assert bool(chain.follows[d, n]) == (decision.next < (number + 1) * turns)
                    taken += 1
    closed = [d for d in everything if d.terminated is not None or d.truncated is not None or d.next is not None]
    assert taken == len(closed)


@pytest.mark.parametrize("name", GAMES)
def test_what_waits_keeps_its_reward_and_its_state(name: str) -> None:
    game, rollouts = played(name, 3, 6)
    everything = account(game.spec, rollouts)
    seen = 0
    for role in game.spec.roles:
        for number, rollout in enumerate(rollouts[1:], 1):
            pending = rollout.pending[role.name]
            for slot, place in pending.present.nonzero().tolist():
                before = [
                    d for d in everything if (d.slot, d.seat) == (slot, role.seats[place]) and d.turn < 3 * number
                ]
                (decision,) = before[-1:]
                sums = [r.reward[:, slot, decision.seat] for r in rollouts[:number]]
                assert float(pending.reward[slot, place]) == pytest.approx(
                    float(torch.cat(sums)[decision.turn :].sum())
                )
                if pending.state is not None and decision.state is not None:
                    assert torch.equal(pending.state[slot, place], decision.state)
                seen += 1
    # Where all seats act on every turn, nothing ever has to wait.
    assert (seen == 0) == (name in ("rps", "tag", "mpe2:simple_tag_v3"))


@pytest.mark.parametrize("name", ["connect_four", "kuhn", "rps"])
def test_rewards_sum_to_the_episodes_scores(name: str) -> None:
    """In these games every seat acts before the end, so that all rewards belong to some decision."""
    game, rollouts = played(name, 3, 40)
    (role,) = game.spec.roles
    given = torch.zeros(game.slots, 2)
    for rollout in rollouts:
        chain = chains(rollout, role)
        given += torch.where(chain.known, chain.reward, 0.0).sum(0).view(game.slots, 2)
    left = still_pending(rollouts[-1], role, chains(rollouts[-1], role))
    scores = sum(torch.where(r.ended[:, :, None], r.score, 0.0).sum(0) for r in rollouts)
    assert float(torch.as_tensor(scores).abs().sum()) > 0
    assert torch.equal(given + torch.where(left.present, left.reward, 0.0), scores)


def test_a_seat_that_dies_before_it_acts_adds_nothing() -> None:
    game, rollouts = played("relay", 40, 1)
    (rollout,), everything = rollouts, account(game.spec, rollouts)
    for role in game.spec.roles:
        chain = chains(rollout, role)
        for n in range(chain.row.shape[1]):
            own = [d for d in everything if (d.slot, d.seat) == (n // len(role.seats), role.seats[n % len(role.seats)])]
            assert int(chain.valid[:, n].sum()) == len(own)
    seats = {(b, seat): 0 for b in range(game.slots) for seat in range(3)}
    for decision in everything:
        seats[decision.slot, decision.seat] += decision.terminated is not None or decision.truncated is not None
    over = (rollout.terminated | rollout.truncated).sum(0)
    assert sum(int(over[b, seat]) - count for (b, seat), count in seats.items()) > 0
