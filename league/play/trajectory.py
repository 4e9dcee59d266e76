"""What a rollout holds, turn-major, and its chains: each seat's own decisions in a row.

Letters in shapes: T turns, B slots, S seats of the game, R seats of one role, K acting seats, A actions, P posts,
D own decisions of a seat, N chains (one for each slot and seat of the role), M = B*R + T*B*K rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from league.games.core import RoleSpec, Turn


@dataclass(slots=True)
class Pending:
    """Last decisions whose successor lies beyond the rollout, by slot and seat of a role: `[B, R, ...]`.

    They enter the next rollout with their original log-probability; dropping them would keep only the decisive moves
    at a rollout's edge. valid: `[B, R]` bool. reward: `[B, R]` collected since. obs, mask, action, log_prob, owner,
    state and memory are those of the decision; owner is an index into the table's policies. memory: `[B, R, M]` before
    it, None where nothing is remembered. joint: `[B, R, S]` what every seat did on its turn, -1 for nothing; None where
    nobody asks for it.
    """

    valid: Tensor
    reward: Tensor
    obs: Tensor
    mask: Tensor | None
    action: Tensor
    log_prob: Tensor
    owner: Tensor
    state: Tensor | None
    memory: Tensor | None = None
    joint: Tensor | None = None


@dataclass(slots=True)
class RoleRows:
    """One role's part of a rollout: `[T, B, K, ...]` as in `Acting` and `Move`. memory: None where there is none."""

    obs: Tensor
    mask: Tensor | None
    seat: Tensor
    present: Tensor
    action: Tensor
    log_prob: Tensor
    owner: Tensor
    memory: Tensor | None = None


@dataclass(slots=True)
class Rollout:
    """The fixed-length training batch of one table, turn-major.

    rows, pending: by role. reward, terminated, truncated: `[T, B, S]`. ended: `[T, B]`. length: `[T, B]` turns, score:
    `[T, B, S]` of the episode, valid where ended. lineup: `[T, B, P]`, of which post_of_seat `[S]` says which post is a
    seat's (that of the table, which may be finer than the learner's game has it). state: `[T, B, *state]` before each
    move, final_state: `[T, B, *state]` where truncated, each None where the game has none. final_obs: by role,
    `[T, B, R, *obs]` where truncated. last: the turn after the final move.
    """

    rows: dict[str, RoleRows]
    pending: dict[str, Pending]
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    ended: Tensor
    length: Tensor
    score: Tensor
    lineup: Tensor
    post_of_seat: Tensor
    state: Tensor | None
    final_state: Tensor | None
    last: Turn
    final_obs: dict[str, Tensor] | None = None


@dataclass(slots=True)
class Chains:
    """Each seat's own decisions in a row. All tensors `[D, N]`; chain n is slot n // R, seat number n % R of the role.

    row: index into the M rows (pending ones first), -1 where a chain is shorter. reward: collected from this decision
    up to the next one or the episode's end. terminated, truncated: how the episode ended for the seat, if it did.
    cut: turn on which it was truncated, else 0. follows: the seat's next decision of the episode is the next in the
    chain. awaits: it is the one that the seat is to take on the last turn. A decision that has none of these four is
    pending: it cannot be learned from yet.
    """

    row: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    cut: Tensor
    follows: Tensor
    awaits: Tensor

    @property
    def valid(self) -> Tensor:
        """`[D, N]` bool: there is a decision."""
        return self.row >= 0

    @property
    def known(self) -> Tensor:
        """`[D, N]` bool: there is a decision, and what came after it lies within the rollout."""
        return self.valid & (self.terminated | self.truncated | self.follows | self.awaits)


def chains(rollout: Rollout, role: RoleSpec) -> Chains:
    """Gather each seat's own decisions of one role. One host synchronisation: the longest chain sets D."""
    rows, pending = rollout.rows[role.name], rollout.pending[role.name]
    turns, slots, acting = rows.seat.shape
    device, seats = rows.seat.device, torch.tensor(role.seats, device=rows.seat.device)
    local = torch.zeros(rollout.reward.shape[2], dtype=torch.int64, device=device)
    local[seats] = torch.arange(len(seats), device=device)

    # Turn 0 of these [1 + T, B, R] tensors stands for the pending decisions.
    number = torch.arange(turns * slots * acting, device=device).view(turns, slots, acting)
    index = _by_seat(torch.where(rows.present, number, -1), local[rows.seat], len(seats))
    first = torch.arange(slots * len(seats), device=device).view(slots, len(seats))
    row = torch.cat(
        (
            torch.where(pending.valid, first, -1)[None],
            torch.where(index >= 0, index + slots * len(seats), -1),
        )
    )
    nothing = torch.zeros((1, slots, len(seats)), dtype=torch.bool, device=device)
    reward = torch.cat((pending.reward[None], rollout.reward[:, :, seats]))
    terminated = torch.cat((nothing, rollout.terminated[:, :, seats]))
    truncated = torch.cat((nothing, rollout.truncated[:, :, seats]))

    acts = row >= 0
    clock = torch.arange(turns + 1, device=device)[:, None, None]
    decided = torch.where(acts, clock, -1).cummax(0).values
    ended = torch.where(terminated | truncated, clock, -1).cummax(0).values
    ended_before = torch.cat((torch.full_like(ended[:1], -1), ended[:-1]))
    # What happens on a turn belongs to the latest decision, unless the seat's episode has ended since.
    belongs = decided > ended_before
    position = (acts.cumsum(0) - 1).clamp(min=0)
    longest = max(int(acts.sum(0).max()), 1)
    awaited = _acting_now(rollout.last, role, local)

    def gather(values: Tensor) -> Tensor:
        empty = torch.zeros((longest, slots, len(seats)), dtype=torch.int64, device=device)
        return empty.scatter_add_(0, position, torch.where(belongs, values.to(torch.int64), 0))

    table = torch.zeros((longest, slots, len(seats)), dtype=torch.int64, device=device)
    table.scatter_add_(0, position, torch.where(acts, row + 1, 0))
    # Turn by turn, since the order in which a device adds floats to one place in one call is not fixed.
    collected = torch.zeros((longest, slots, len(seats)), device=device)
    for place, share in zip(position.split(1), torch.where(belongs, reward, 0.0).split(1), strict=True):
        collected.scatter_add_(0, place, share)
    chain_terminated = gather(terminated) > 0
    chain_truncated = gather(truncated) > 0
    over = chain_terminated | chain_truncated
    valid = table > 0
    next_valid = torch.cat((valid[1:], torch.zeros_like(valid[:1])))
    final = valid & ~next_valid
    return Chains(
        row=(table - 1).flatten(1),
        reward=collected.flatten(1),
        terminated=chain_terminated.flatten(1),
        truncated=chain_truncated.flatten(1),
        cut=gather(torch.where(truncated, (clock - 1).clamp(min=0), 0)).flatten(1),
        follows=(valid & ~over & next_valid).flatten(1),
        awaits=(final & ~over & awaited).flatten(1),
    )


def still_pending(rollout: Rollout, role: RoleSpec, chain: Chains) -> Pending:
    """The decisions that must wait for the next rollout."""
    rows, before = rollout.rows[role.name], rollout.pending[role.name]
    slots, seats = before.valid.shape
    waiting = chain.valid & ~chain.known
    valid = waiting.any(0)
    # At most one decision of a chain waits: its last.
    row = torch.where(waiting, chain.row, 0).amax(0)
    reward = torch.where(waiting, chain.reward, 0.0).sum(0)

    def pick(old: Tensor, new: Tensor) -> Tensor:
        both = torch.cat((old.flatten(0, 1), new.flatten(0, 2)))
        return both[row].view(slots, seats, *old.shape[2:])

    state = None
    if rollout.state is not None and before.state is not None:
        acting = rows.seat.shape[2]
        old, new = before.state.flatten(0, 1), rollout.state.flatten(0, 1)
        at = ((row - slots * seats).clamp(min=0)) // acting
        is_old = (row < slots * seats).view(-1, *([1] * (old.dim() - 1)))
        state = torch.where(is_old, old[row.clamp(max=slots * seats - 1)], new[at]).view(before.state.shape)
    return Pending(
        valid=valid.view(slots, seats),
        reward=reward.view(slots, seats),
        obs=pick(before.obs, rows.obs),
        mask=None if before.mask is None or rows.mask is None else pick(before.mask, rows.mask),
        action=pick(before.action, rows.action),
        log_prob=pick(before.log_prob, rows.log_prob),
        owner=pick(before.owner, rows.owner),
        state=state,
        memory=None if before.memory is None or rows.memory is None else pick(before.memory, rows.memory),
        joint=None if before.joint is None else pick(before.joint, joint_actions(rollout, role)),
    )


def joint_actions(rollout: Rollout, role: RoleSpec) -> Tensor:
    """`[T, B, K, S]` int64: what every seat did on the turn of each decision of a role, -1 for nothing.

    Every role must have one of n actions.
    """
    did = torch.full_like(rollout.reward, -1, dtype=torch.int64)
    for rows in rollout.rows.values():
        did.scatter_reduce_(2, rows.seat, torch.where(rows.present, rows.action, -1), "amax")
    return did[:, :, None].expand(-1, -1, rollout.rows[role.name].seat.shape[2], -1)


def _by_seat(number: Tensor, seat: Tensor, seats: int) -> Tensor:
    """`[T, B, K]` row numbers (or -1) → `[T, B, R]` by the seat that acted."""
    empty = torch.full((*number.shape[:2], seats), -1, dtype=torch.int64, device=number.device)
    return empty.scatter_reduce(2, seat, number, "amax")


def _acting_now(turn: Turn, role: RoleSpec, local: Tensor) -> Tensor:
    """`[B, R]` bool: the seats of a role that are to act on this turn."""
    acting = turn.acts[role.name]
    empty = torch.zeros((len(acting.seat), len(role.seats)), dtype=torch.int64, device=acting.seat.device)
    return empty.scatter_reduce(1, local[acting.seat], acting.present.to(torch.int64), "amax") > 0
