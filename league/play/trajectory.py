"""What a rollout holds, turn-major, and its chains: each seat's own decisions in a row.

Letters in shapes: T turns, B slots, S seats of the game, R seats of one role, K acting seats, A actions, P posts,
D own decisions of a seat, N chains (one for each slot and seat of the role), M = B*R + T*B*K rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from league.games.core import Acting, RoleSpec, Turn
from league.play.decisions import Decisions


@dataclass(slots=True, kw_only=True)
class Rollout:
    """The fixed-length training batch of one table, turn-major.

    rows: by role, `[T, B, K]` decisions. pending: by role, `[B, R]` decisions of the rollout before whose successors
    lay beyond it, with the reward collected since. They keep their log-probability; dropping them would leave only the
    decisive moves at a rollout's edge.
    reward, terminated, truncated: `[T, B, S]`. ended: `[T, B]`. length: `[T, B]` turns, score: `[T, B, S]` of the
    episode, valid where ended. lineup: `[T, B, P]`; post_of_seat: `[S]`, which post a seat belongs to at the table
    (whose posts may be finer than those of the learner's game). state: `[T, B, *state]` before each move, final_state:
    `[T, B, *state]` where truncated; None where the game has none. final_obs: by role, `[T, B, R, *obs]` where
    truncated. last: the turn after the final move.
    """

    rows: dict[str, Decisions]
    pending: dict[str, Decisions]
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


@dataclass(slots=True, kw_only=True)
class Chains:
    """Each seat's own decisions in a row. All tensors `[D, N]`; chain n is slot n // R, seat number n % R of the role.

    row: index into the M rows (pending ones first), -1 where a chain is shorter. reward: collected from this decision
    to the next one or the end of the episode. terminated, truncated: how the episode ended for the seat, if it did.
    cut: the turn on which it was truncated, else 0. follows: the chain's next entry is the seat's next decision of the
    same episode. awaits: the seat's next decision is due on the turn after the rollout. A decision with none of these
    four remains pending: it cannot be learned from yet.
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


@dataclass(slots=True, kw_only=True)
class Attribution:
    """Which decision of a chain each turn belongs to. The clock is 0 for what was pending and t + 1 for turn t.

    Whatever happens on a turn belongs to the chain's latest decision, unless the episode has ended since. decided,
    ended: `[T + 1, N]` clock of the latest decision and of the latest end of an episode so far, -1 for none. place:
    `[T + 1, N]` index of the latest decision in its chain. belongs: `[T + 1, N]` bool, the turn belongs to it. count:
    `[N]` decisions of each chain. depth: D.
    """

    decided: Tensor
    ended: Tensor
    place: Tensor
    belongs: Tensor
    count: Tensor
    depth: int

    @staticmethod
    def of(decides: Tensor, over: Tensor) -> Attribution:
        """decides, over: `[T + 1, N]` bool, a decision is taken, and the episode ends. Waits for the device once."""
        clock = torch.arange(len(decides), device=decides.device)[:, None]
        decided = torch.where(decides, clock, -1).cummax(0).values
        ended = torch.where(over, clock, -1).cummax(0).values
        count = decides.sum(0)
        return Attribution(
            decided=decided,
            ended=ended,
            place=(decides.cumsum(0) - 1).clamp(min=0),
            belongs=decided > before(ended),
            count=count,
            depth=max(int(count.max()), 1),
        )

    def collect(self, values: Tensor) -> Tensor:
        """Sum up integers or flags `[T + 1, N]` by decision: `[D, N]` int64."""
        found = torch.zeros((self.depth, len(self.count)), dtype=torch.int64, device=values.device)
        return found.scatter_add_(0, self.place, torch.where(self.belongs, values.to(torch.int64), 0))

    def collect_rewards(self, reward: Tensor) -> Tensor:
        """Sum up float32 rewards `[T + 1, N]` by decision: `[D, N]`."""
        found = torch.zeros((self.depth, len(self.count)), device=reward.device)
        # Turn by turn: a device adds floats to one place in an unspecified order within one call.
        for place, share in zip(self.place.split(1), torch.where(self.belongs, reward, 0.0).split(1), strict=True):
            found.scatter_add_(0, place, share)
        return found


def before(clock: Tensor) -> Tensor:
    """`[T + 1, N]`, the latest clock before each turn; -1 before the first."""
    return torch.cat((torch.full_like(clock[:1], -1), clock[:-1]))


def chains(rollout: Rollout, role: RoleSpec) -> Chains:
    """Gather each seat's own decisions of one role. Waits for the device once: the longest chain sets D."""
    rows, pending = rollout.rows[role.name], rollout.pending[role.name]
    assert pending.reward is not None
    turns, slots, acting = rows.seat.shape
    device, seats = rows.seat.device, torch.tensor(role.seats, device=rows.seat.device)
    local = torch.zeros(rollout.reward.shape[2], dtype=torch.int64, device=device)
    local[seats] = torch.arange(len(seats), device=device)

    number = torch.arange(turns * slots * acting, device=device).view(turns, slots, acting)
    index = numbers_by_seat(torch.where(rows.present, number, -1), local[rows.seat], len(seats))
    first = torch.arange(slots * len(seats), device=device).view(slots, len(seats))
    row = _clocked(torch.where(pending.present, first, -1), torch.where(index >= 0, index + slots * len(seats), -1))
    nothing = torch.zeros_like(pending.present)
    terminated = _clocked(nothing, rollout.terminated[:, :, seats])
    truncated = _clocked(nothing, rollout.truncated[:, :, seats])

    turn = torch.arange(-1, turns, device=device)[:, None].clamp(min=0)
    found = Attribution.of(row >= 0, terminated | truncated)
    chain_row = found.collect(torch.where(row >= 0, row + 1, 0)) - 1
    chain_terminated, chain_truncated = found.collect(terminated) > 0, found.collect(truncated) > 0
    over = chain_terminated | chain_truncated
    valid = chain_row >= 0
    next_valid = torch.cat((valid[1:], torch.zeros_like(valid[:1])))
    last = rollout.last.acts[role.name]
    due = acting_seats(last, local[last.seat], len(seats)).flatten()
    return Chains(
        row=chain_row,
        reward=found.collect_rewards(_clocked(pending.reward, rollout.reward[:, :, seats])),
        terminated=chain_terminated,
        truncated=chain_truncated,
        cut=found.collect(torch.where(truncated, turn, 0)),
        follows=valid & ~over & next_valid,
        awaits=valid & ~next_valid & ~over & due,
    )


def all_decisions(rollout: Rollout, role: RoleSpec) -> Decisions:
    """The M decisions of a role as flat rows, pending ones first, as `Chains.row` numbers them."""
    return Decisions.cat([rollout.pending[role.name].flatten(2), rollout.rows[role.name].flatten(3)])


def still_pending(rollout: Rollout, role: RoleSpec, chain: Chains) -> Decisions:
    """The decisions `[B, R]` whose successors lie beyond this rollout: they go into the next one."""
    old, new = rollout.pending[role.name], rollout.rows[role.name]
    if rollout.state is not None:
        new = replace(new, state=rollout.state[:, :, None].expand(*new.seat.shape, *rollout.state.shape[2:]))
    if old.joint_action is not None:
        new = replace(new, joint_action=joint_actions(rollout, role))
    waiting = chain.valid & ~chain.known
    # At most one decision of a chain is pending: its last.
    row = torch.where(waiting, chain.row, 0).amax(0)
    slots, seats = old.present.shape
    is_new, late = row >= slots * seats, (row - slots * seats).clamp(min=0)
    turn, slot, place = late // new.seat[0].numel(), late // new.seat.shape[2] % slots, late % new.seat.shape[2]
    early, columns = row.clamp(max=slots * seats - 1), new.columns()

    def pick(name: str, column: Tensor) -> Tensor:
        chosen = column.flatten(0, 1)[early]
        where = is_new.view(-1, *(1 for _ in chosen.shape[1:]))
        return torch.where(where, columns[name][turn, slot, place], chosen).view(column.shape)

    picked = {name: pick(name, column) for name, column in old.columns().items() if name in columns}
    picked |= {
        "present": waiting.any(0).view(slots, seats),
        "reward": torch.where(waiting, chain.reward, 0.0).sum(0).view(slots, seats),
        "seat": old.seat,
    }
    return Decisions.of(picked)


def joint_actions(rollout: Rollout, role: RoleSpec) -> Tensor:
    """`[T, B, K, S]` int64: what every seat did on the turn of each decision of a role, -1 for nothing.

    Every role must have discrete actions.
    """
    did = torch.full_like(rollout.reward, -1, dtype=torch.int64)
    for rows in rollout.rows.values():
        did.scatter_reduce_(2, rows.seat, torch.where(rows.present, rows.action, -1), "amax")
    return did[:, :, None].expand(-1, -1, rollout.rows[role.name].seat.shape[2], -1)


def _clocked(pending: Tensor, turns: Tensor) -> Tensor:
    """`[B, R]` and `[T, B, R]` → `[T + 1, N]`."""
    return torch.cat((pending[None], turns)).flatten(1)


def numbers_by_seat(number: Tensor, seat: Tensor, seats: int) -> Tensor:
    """Row numbers `[T, B, K]` (-1: none) by the seat that acted, `[T, B, seats]`. seat: `[T, B, K]` below `seats`."""
    empty = torch.full((*number.shape[:2], seats), -1, dtype=torch.int64, device=number.device)
    return empty.scatter_reduce(2, seat, number, "amax")


def acting_seats(acting: Acting, seat: Tensor, seats: int) -> Tensor:
    """`[B, seats]` bool: the seats that act. seat: `[B, K]`, the number below `seats` of each acting seat."""
    empty = torch.zeros((len(seat), seats), dtype=torch.int64, device=seat.device)
    return empty.scatter_reduce(1, seat, acting.present.to(torch.int64), "amax") > 0
