"""What a critic sees, and its values along the chains of a rollout.

Letters in shapes: M rows (see `play.trajectory`), D own decisions, N chains, B slots, R seats of the role, Q queries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from league.games.core import RoleSpec
from league.play.decisions import Decisions
from league.play.trajectory import Chains, Rollout
from league.policies.networks import Network
from league.threads import Threads

_MIN_CHAINS_PER_TASK = 256
"""A critic with memory is not evaluated on fewer chains than these in a task of its own."""


@dataclass(slots=True)
class CriticInputs:
    """What a critic sees. decisions: `[M, ...]`, before each decision.

    at_cut: (turn `[Q]`, slot `[Q]`, seat `[Q]`) → `[Q, ...]`, the position in which an episode was truncated. at_end:
    (slot `[Q]`, seat `[Q]`) → `[Q, ...]`, the position after the rollout's last turn. Seats are numbers within the
    role. None where the critic cannot see that position.
    """

    decisions: Tensor
    at_cut: Callable[[Tensor, Tensor, Tensor], Tensor] | None
    at_end: Callable[[Tensor, Tensor], Tensor] | None


@dataclass(slots=True, kw_only=True)
class CriticOutput:
    """A critic's outputs along chains, in its own units.

    output: `[D, N, outputs]`, zeros where the critic was not evaluated. cut: `[D, N]`, its first output for the
    position in which an episode was truncated. end: `[N]`, its first output for the position after the rollout.
    memory_before: `[D, N, M]`, its memory before each decision. memory: `[B, R, M]`, its memory before the first
    decision of the next rollout. Both are None for a critic without memory.
    """

    output: Tensor
    cut: Tensor
    end: Tensor
    memory_before: Tensor | None = None
    memory: Tensor | None = None


def global_state(rollout: Rollout, role: RoleSpec, rows: Decisions) -> CriticInputs:
    """The game's global state; in a game without one, what the seat itself observes."""
    here, pending = rollout.rows[role.name], rollout.pending[role.name]
    if rollout.state is None or pending.state is None:
        return own_observation(rollout, role, rows)
    by_seat = rollout.state[:, :, None].expand(*here.seat.shape, *rollout.state.shape[2:])
    final, end = rollout.final_state, rollout.last.state
    assert end is not None
    return CriticInputs(
        torch.cat((pending.state.flatten(0, 1), by_seat.flatten(0, 2))),
        None if final is None else lambda turn, slot, seat: final[turn, slot],
        lambda slot, seat: end[slot],
    )


def own_observation(rollout: Rollout, role: RoleSpec, rows: Decisions) -> CriticInputs:
    """What the seat itself observes."""
    final = None if rollout.final_obs is None else rollout.final_obs[role.name]
    acting = rollout.last.acts[role.name]
    seats = torch.tensor(role.seats, device=rows.obs.device)

    def at_end(slot: Tensor, seat: Tensor) -> Tensor:
        here = (acting.seat[slot] == seats[seat][:, None]) & acting.present[slot]
        return acting.obs[slot, here.to(torch.uint8).argmax(1)]

    return CriticInputs(rows.obs, None if final is None else lambda turn, slot, seat: final[turn, slot, seat], at_end)


def evaluate_critic(
    critic: Network,
    inputs: CriticInputs,
    chain: Chains,
    role: RoleSpec,
    mine: Tensor,
    memory: Tensor | None,
    microbatch_rows: int,
    threads: Threads,
) -> CriticOutput:
    """Evaluate a critic on the decisions `mine`, `[D, N]` bool, and on the positions that follow the last of them.

    memory: `[B, R, M]`, the critic's before the first decision of each chain; None without memory. microbatch_rows:
    the most rows that a thread evaluates at once. The result does not depend on the number of threads.
    """
    if memory is not None:
        return _evaluate_through_time(
            critic, inputs, chain, role=role, mine=mine, memory=memory, microbatch_rows=microbatch_rows, threads=threads
        )
    seats = len(role.seats)
    seat_of_chain = torch.tensor(role.seats, device=mine.device).repeat(mine.shape[1] // seats)
    depth, number = mine.nonzero(as_tuple=True)

    def evaluate(seen: Tensor, seat: Tensor) -> Tensor:
        microbatches = list(zip(seen.split(microbatch_rows), seat.split(microbatch_rows), strict=True))
        return torch.cat(threads.map(lambda one: _step(critic, *one)[0], microbatches))

    output = torch.zeros((*mine.shape, critic.spec.outputs), device=mine.device)
    output[depth, number] = evaluate(inputs.decisions.index_select(0, chain.row[depth, number]), seat_of_chain[number])
    cut, end = output.new_zeros(mine.shape), output.new_zeros(mine.shape[1])
    if inputs.at_cut is not None:
        depth, number = (mine & chain.truncated).nonzero(as_tuple=True)
        if len(number):
            seen = inputs.at_cut(chain.cut[depth, number], number // seats, number % seats)
            cut[depth, number] = evaluate(seen, seat_of_chain[number])[:, 0]
    if inputs.at_end is not None:
        due = (mine & chain.awaits).any(0).nonzero()[:, 0]
        if len(due):
            end[due] = evaluate(inputs.at_end(due // seats, due % seats), seat_of_chain[due])[:, 0]
    return CriticOutput(output=output, cut=cut, end=end)


def _evaluate_through_time(
    critic: Network,
    inputs: CriticInputs,
    chain: Chains,
    role: RoleSpec,
    mine: Tensor,
    memory: Tensor,
    microbatch_rows: int,
    threads: Threads,
) -> CriticOutput:
    """`evaluate_critic` for a critic with memory: decision after decision, in groups of chains."""

    def evaluate(numbers: Tensor) -> CriticOutput:
        return _evaluate_chains(
            critic, inputs, chain, role=role, mine=mine, memory=memory.flatten(0, 1)[numbers], numbers=numbers
        )

    size = min(microbatch_rows, max(mine.shape[1] // 4, _MIN_CHAINS_PER_TASK))
    parts = threads.map(evaluate, torch.arange(mine.shape[1], device=mine.device).split(size))
    after = torch.cat([part.memory for part in parts if part.memory is not None])
    return CriticOutput(
        output=torch.cat([part.output for part in parts], 1),
        cut=torch.cat([part.cut for part in parts], 1),
        end=torch.cat([part.end for part in parts]),
        memory_before=torch.cat([part.memory_before for part in parts if part.memory_before is not None], 1),
        memory=after.view(memory.shape),
    )


def _evaluate_chains(
    critic: Network, inputs: CriticInputs, chain: Chains, role: RoleSpec, mine: Tensor, memory: Tensor, numbers: Tensor
) -> CriticOutput:
    """The chains `numbers` `[n]`. memory: `[n, M]`, before each chain's first decision; likewise the result's."""
    seats = len(role.seats)
    slot, place = numbers // seats, numbers % seats
    seat = torch.tensor(role.seats, device=numbers.device)[place]
    own, row = mine[:, numbers], chain.row[:, numbers].clamp(min=0)
    output = torch.zeros((*own.shape, critic.spec.outputs), device=own.device)
    cut, end = output.new_zeros(own.shape), output.new_zeros(own.shape[1])
    before = output.new_zeros((*own.shape, memory.shape[1]))
    carried = memory
    follows, truncated, awaits = chain.follows[:, numbers], chain.truncated[:, numbers], chain.awaits[:, numbers]
    for depth in range(len(own)):
        if depth:
            # A decision that does not follow the one before it begins an episode.
            memory = torch.where(follows[depth - 1][:, None], memory, 0.0)
        before[depth] = memory
        found, after = _step(critic, inputs.decisions.index_select(0, row[depth]), seat, memory)
        memory = torch.where(own[depth][:, None], after, memory)
        output[depth] = torch.where(own[depth][:, None], found, 0.0)
        over = (own[depth] & truncated[depth]).nonzero()[:, 0]
        if inputs.at_cut is not None and len(over):
            seen = inputs.at_cut(chain.cut[depth, numbers[over]], slot[over], place[over])
            cut[depth, over] = _step(critic, seen, seat[over], memory[over])[0][:, 0]
        due = (own[depth] & awaits[depth]).nonzero()[:, 0]
        if inputs.at_end is not None and len(due):
            seen = inputs.at_end(slot[due], place[due])
            end[due] = _step(critic, seen, seat[due], memory[due])[0][:, 0]
        # Into the next rollout goes the memory after the last decision, or before it if it is pending.
        pending = own[depth] & chain.valid[depth, numbers] & ~chain.known[depth, numbers]
        ended = chain.valid[depth, numbers] & ~pending & ~(own[depth] & awaits[depth])
        carried = torch.where(ended[:, None], 0.0, carried)
        carried = torch.where(pending[:, None], before[depth], carried)
        carried = torch.where((own[depth] & awaits[depth])[:, None], memory, carried)
    return CriticOutput(output=output, cut=cut, end=end, memory_before=before, memory=carried)


def _step(critic: Network, seen: Tensor, seat: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`[Q, outputs]`, and the memory after it (`seat`, which nobody reads, for a critic without memory)."""
    # Whether gradients are recorded is a setting of each thread.
    with torch.no_grad():
        if memory is None:
            return critic(seen, seat), seat
        return critic.step(seen, seat, memory)
