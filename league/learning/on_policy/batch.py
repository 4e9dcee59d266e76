"""From a rollout to a batch: what a learner decided, with advantages and value targets, in chunks where it has memory.

Letters in shapes: M rows (see trajectory.py), D own decisions, N chains, R seats of the role, L decisions learned from,
C decisions of a chunk, G chunks, Q some decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from league.games.core import RoleSpec
from league.play.trajectory import Chains, Rollout
from league.policies.networks import Network
from league.threads import Threads

_WORTH_IT = 256
"""Chains that are worth a thread of their own."""


@dataclass(slots=True)
class Chunks:
    """Decisions of one seat in a row, that networks with memory are trained through.

    index: `[C, G]` int64, which of the batch's L decisions; where there are fewer, 0. there: `[C, G]` bool. fresh:
    `[C, G]` bool, the decision begins an episode, so that nothing is remembered before it. actor, critic: `[G, M]`
    memory before the first decision; None where that network has none.
    """

    index: Tensor
    there: Tensor
    fresh: Tensor
    actor: Tensor | None
    critic: Tensor | None


@dataclass(slots=True)
class Batch:
    """Decisions that a learner learns from; every tensor `[L, ...]`. action: `[L, *shape]` of the action space.

    inputs: what the critic sees. value: its value before the update, target: the return to learn (both in the game's
    own units, times `reward_scale`). log_prob: of the action under the policy that took it. chunks: where a network
    has memory.
    """

    obs: Tensor
    mask: Tensor | None
    seat: Tensor
    action: Tensor
    log_prob: Tensor
    inputs: Tensor
    value: Tensor
    target: Tensor
    advantage: Tensor
    chunks: Chunks | None = None


@dataclass(slots=True)
class Joined:
    """A role's decisions as flat rows `[M, ...]`, pending ones first. memory: None where the actor has none."""

    obs: Tensor
    mask: Tensor | None
    seat: Tensor
    action: Tensor
    log_prob: Tensor
    owner: Tensor
    memory: Tensor | None


@dataclass(slots=True)
class View:
    """What a critic sees. rows: `[M, ...]`, of each decision.

    cut: of the turns `[Q]`, slots `[Q]` and seats `[Q]` (numbers within the role) in which episodes were cut off,
    `[Q, ...]`. last: likewise on the turn after the rollout, of slots and seats. None where it cannot be seen.
    """

    rows: Tensor
    cut: Callable[[Tensor, Tensor, Tensor], Tensor] | None
    last: Callable[[Tensor, Tensor], Tensor] | None


@dataclass(slots=True)
class Judged:
    """What a critic said along chains. said: `[D, N, outputs]`, zeros where it was not asked. cut, last: `[D, N]` and
    `[N]`, its first output for what an episode was cut off in, and for the turn after the rollout.

    before: `[D, N, M]` its memory before each decision. context: `[N, M]` for the next rollout. None without memory.
    """

    said: Tensor
    cut: Tensor
    last: Tensor
    before: Tensor | None = None
    context: Tensor | None = None


def join(old: Tensor, new: Tensor) -> Tensor:
    """`[B, R, ...]` pending and `[T, B, K, ...]` as rows `[M, ...]`."""
    return torch.cat((old.flatten(0, 1), new.flatten(0, 2)))


def joined(rollout: Rollout, role: RoleSpec) -> Joined:
    """The rows of a role, flat."""
    rows, pending = rollout.rows[role.name], rollout.pending[role.name]
    seats = torch.tensor(role.seats, device=rows.seat.device).repeat(len(pending.valid))
    masked = rows.mask is not None and pending.mask is not None
    remembers = rows.memory is not None and pending.memory is not None
    return Joined(
        obs=join(pending.obs, rows.obs),
        mask=join(pending.mask, rows.mask) if masked else None,  # type: ignore[arg-type]
        seat=torch.cat((seats, rows.seat.flatten())),
        action=join(pending.action, rows.action),
        log_prob=join(pending.log_prob, rows.log_prob),
        owner=join(pending.owner, rows.owner),
        memory=join(pending.memory, rows.memory) if remembers else None,  # type: ignore[arg-type]
    )


def global_view(rollout: Rollout, role: RoleSpec, obs: Tensor) -> View:
    """The game's global state, where it has one, else what the seat itself sees. obs: `[M, ...]`."""
    rows, pending = rollout.rows[role.name], rollout.pending[role.name]
    if rollout.state is None or pending.state is None:
        return own_view(rollout, role, obs)
    spread = rollout.state[:, :, None].expand(*rows.seat.shape, *rollout.state.shape[2:])
    final, last = rollout.final_state, rollout.last.state
    assert last is not None
    return View(
        join(pending.state, spread),
        None if final is None else lambda turn, slot, seat: final[turn, slot],
        lambda slot, seat: last[slot],
    )


def own_view(rollout: Rollout, role: RoleSpec, obs: Tensor) -> View:
    """What the seat itself sees. obs: `[M, ...]`."""
    final = None if rollout.final_obs is None else rollout.final_obs[role.name]
    acting = rollout.last.acts[role.name]
    seats = torch.tensor(role.seats, device=obs.device)

    def last(slot: Tensor, seat: Tensor) -> Tensor:
        here = (acting.seat[slot] == seats[seat][:, None]) & acting.present[slot]
        return acting.obs[slot, here.to(torch.uint8).argmax(1)]

    return View(obs, None if final is None else lambda turn, slot, seat: final[turn, slot, seat], last)


def judge(
    critic: Network,
    view: View,
    chain: Chains,
    role: RoleSpec,
    mine: Tensor,
    context: Tensor | None,
    piece: int,
    threads: Threads,
) -> Judged:
    """Ask a critic of the decisions `mine`, `[D, N]`, and of what follows those that the rollout does not end.

    context: `[B, R, M]`, its memory before the first decision of each chain, where it has one. piece: rows that a
    thread computes at once, at most. The result does not depend on how many threads there are.
    """
    width = critic.spec.outputs
    if context is not None:
        return _judged_through_time(critic, view, chain, role, mine, context, piece, threads)
    seats = len(role.seats)
    seat_of_chain = torch.tensor(role.seats, device=mine.device).repeat(mine.shape[1] // seats)
    depth, number = mine.nonzero(as_tuple=True)

    def of(inputs: Tensor, seat: Tensor) -> Tensor:
        pieces = list(zip(inputs.split(piece), seat.split(piece), strict=True))
        return torch.cat(threads.map(lambda one: _ask(critic, *one)[0], pieces))

    said = torch.zeros((*mine.shape, width), device=mine.device)
    said[depth, number] = of(view.rows.index_select(0, chain.row[depth, number]), seat_of_chain[number])
    cut, last = said.new_zeros(mine.shape), said.new_zeros(mine.shape[1])
    if view.cut is not None:
        depth, number = (mine & chain.truncated).nonzero(as_tuple=True)
        if len(number):
            seen = view.cut(chain.cut[depth, number], number // seats, number % seats)
            cut[depth, number] = of(seen, seat_of_chain[number])[:, 0]
    if view.last is not None:
        waiting = (mine & chain.awaits).any(0).nonzero()[:, 0]
        if len(waiting):
            last[waiting] = of(view.last(waiting // seats, waiting % seats), seat_of_chain[waiting])[:, 0]
    return Judged(said, cut, last)


def _judged_through_time(
    critic: Network,
    view: View,
    chain: Chains,
    role: RoleSpec,
    mine: Tensor,
    context: Tensor,
    piece: int,
    threads: Threads,
) -> Judged:
    """`judge` for a critic with memory: decision after decision, every piece of the chains by itself."""

    def of(numbers: Tensor) -> Judged:
        return _judged_piece(critic, view, chain, role, mine, context.flatten(0, 1)[numbers], numbers)

    size = min(piece, max(mine.shape[1] // 4, _WORTH_IT))
    parts = threads.map(of, torch.arange(mine.shape[1], device=mine.device).split(size))
    before = torch.cat([part.before for part in parts if part.before is not None], 1)
    after = torch.cat([part.context for part in parts if part.context is not None])
    return Judged(
        torch.cat([part.said for part in parts], 1),
        torch.cat([part.cut for part in parts], 1),
        torch.cat([part.last for part in parts]),
        before,
        after.view(context.shape),
    )


def _judged_piece(
    critic: Network, view: View, chain: Chains, role: RoleSpec, mine: Tensor, memory: Tensor, numbers: Tensor
) -> Judged:
    """The chains `numbers` `[n]`. memory: `[n, M]`."""
    seats = len(role.seats)
    slot, place = numbers // seats, numbers % seats
    seat = torch.tensor(role.seats, device=numbers.device)[place]
    own, row = mine[:, numbers], chain.row[:, numbers].clamp(min=0)
    said = torch.zeros((*own.shape, critic.spec.outputs), device=own.device)
    cut, last = said.new_zeros(own.shape), said.new_zeros(own.shape[1])
    before = said.new_zeros((*own.shape, memory.shape[1]))
    kept = memory
    follows, truncated, awaits = chain.follows[:, numbers], chain.truncated[:, numbers], chain.awaits[:, numbers]
    for depth in range(len(own)):
        if depth:
            # A decision that does not follow the one before it begins an episode.
            memory = torch.where(follows[depth - 1][:, None], memory, 0.0)
        before[depth] = memory
        answer, new = _ask(critic, view.rows.index_select(0, row[depth]), seat, memory)
        memory = torch.where(own[depth][:, None], new, memory)
        said[depth] = torch.where(own[depth][:, None], answer, 0.0)
        over = (own[depth] & truncated[depth]).nonzero()[:, 0]
        if view.cut is not None and len(over):
            seen = view.cut(chain.cut[depth, numbers[over]], slot[over], place[over])
            cut[depth, over] = _ask(critic, seen, seat[over], memory[over])[0][:, 0]
        waiting = (own[depth] & awaits[depth]).nonzero()[:, 0]
        if view.last is not None and len(waiting):
            seen = view.last(slot[waiting], place[waiting])
            last[waiting] = _ask(critic, seen, seat[waiting], memory[waiting])[0][:, 0]
        # What goes on beyond the rollout: memory after the last decision, or before one that is pending.
        pending = own[depth] & chain.valid[depth, numbers] & ~chain.known[depth, numbers]
        ended = chain.valid[depth, numbers] & ~pending & ~(own[depth] & awaits[depth])
        kept = torch.where(ended[:, None], 0.0, kept)
        kept = torch.where(pending[:, None], before[depth], kept)
        kept = torch.where((own[depth] & awaits[depth])[:, None], memory, kept)
    return Judged(said, cut, last, before, kept)


def chunks(chain: Chains, chosen: Tensor, length: int, memory: Tensor | None, before: Tensor | None) -> Chunks:
    """Cut the decisions that are learned from, `chosen` `[D, N]`, into pieces of `length` along each chain.

    memory: `[M, …]` of the actor before each row. before: `[D, N, …]` of the critic. The batch numbers its decisions
    as `chosen` does, turn by turn.
    """
    device, count = chosen.device, chosen.shape[1]
    place = (chosen.cumsum(0) - 1).clamp(min=0)
    most = int(place.max()) // length + 1 if chosen.any() else 1
    at_depth, at_chain = chosen.nonzero(as_tuple=True)
    within, column = place[chosen] % length, place[chosen] // length * count + at_chain
    begins = torch.cat((torch.zeros_like(chosen[:1]), ~chain.follows[:-1]))
    index = torch.zeros((length, most * count), dtype=torch.int64, device=device)
    there, fresh = (torch.zeros(index.shape, dtype=torch.bool, device=device) for _ in range(2))
    index[within, column] = torch.arange(len(within), device=device)
    there[within, column] = True
    fresh[within, column] = begins[chosen]
    # What is before the first decision of a chunk is in its stored memory, zeros at an episode's start.
    fresh[0] = False
    used = there[0]
    first = index[0, used]
    index, there, fresh = index[:, used], there[:, used], fresh[:, used]
    row = chain.row[chosen][first]
    return Chunks(
        index,
        there,
        fresh,
        None if memory is None else memory.index_select(0, row),
        None if before is None else before[at_depth[first], at_chain[first]],
    )


def _ask(critic: Network, inputs: Tensor, seat: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What the critic says `[Q, outputs]`, and its memory after it (its own inputs' where it has none)."""
    # Whether gradients are wanted is a thread's own business.
    with torch.no_grad():
        if memory is None:
            return critic(inputs, seat), seat
        return critic.step(inputs, seat, memory)
