"""From a rollout to what a learner of action values keeps of it: the decisions of sides, in sequences.

A side decides on every turn on which at least one of its seats that play the learner acts. Rewards (the mean over the
side's seats) are summed up from a decision of the side to its next, and belong to the earlier one. A decision whose
successor lies beyond the rollout is pending, and comes first in the next rollout.

Letters in shapes: T turns, B slots, S seats of the game, Z sides, n seats of a side, N chains (slot by slot, side by
side), D decisions of a chain, r entries (of all chains, chain by chain), G sequences, M numbers of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from league.games.core import GameSpec, RoleSpec
from league.play.trajectory import Attribution, Rollout, acting_seats, before, numbers_by_seat

_FAR = torch.iinfo(torch.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class SideLayout:
    """The sides on which a role has seats.

    seats: `[Z, n]` seats of the game (the first one repeated, where a side has fewer). has_seat: `[Z, n]` bool, where
    there is one. all_seats: by side, its seats of any role. acting_known: in a truncated position it is known which
    seats would act, because all seats of the role act at once or every seat is a side.
    """

    role: RoleSpec
    seats: Tensor
    has_seat: Tensor
    all_seats: tuple[tuple[int, ...], ...]
    acting_known: bool

    @staticmethod
    def of(game: GameSpec, role: RoleSpec, device: torch.device) -> SideLayout:
        """The layout of one role of a game."""
        mine = [(side, [seat for seat in side if seat in role.seats]) for side in game.sides]
        mine = [(side, seats) for side, seats in mine if seats]
        most = max(len(seats) for _, seats in mine)
        return SideLayout(
            role=role,
            seats=torch.tensor([seats + seats[:1] * (most - len(seats)) for _, seats in mine], device=device),
            has_seat=torch.tensor([[place < len(seats) for place in range(most)] for _, seats in mine], device=device),
            all_seats=tuple(side for side, _ in mine),
            acting_known=role.acting == len(role.seats) or most == 1,
        )


@dataclass(slots=True)
class Segment:
    """What a learner keeps of one round, as it is stored: a file's tensors have these names.

    rows: by name `[r, ...]`, the entries of each chain in a row: `obs` `[r, n, *obs]`, `mask` `[r, n, A]` (not where
    every action is always legal), `present` `[r, n]` (who acts), `action` `[r, n]`, `side` `[r]`, `reward` `[r]`,
    `learns` `[r]` (its outcome is known), `goes_on` `[r]` (its value is bootstrapped from the next row), `begins` `[r]`
    (an episode begins with it), and `state` `[r, F]` where it was asked for. An entry that does not learn only serves
    another to bootstrap from: the position in which an episode was truncated, the turn after the rollout, or a pending
    decision.
    first: `[G]` row of the first decision of each sequence. before: `[G]` how many rows before it only burn in memory.
    count: `[G]` entries from `first` on. memory: `[G, n, M]` of each seat, before the first decision that it has in the
    sequence, burn-in included.
    """

    rows: dict[str, Tensor]
    first: Tensor
    before: Tensor
    count: Tensor
    memory: Tensor

    @staticmethod
    def of(tensors: Mapping[str, Tensor], device: torch.device) -> Segment:
        """The inverse of `tensors`. Raises KeyError where something is missing."""
        rows = {key.removeprefix("rows."): value.to(device) for key, value in tensors.items() if key[:5] == "rows."}
        return Segment(rows, *(tensors[name].to(device) for name in ("first", "before", "count", "memory")))

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name, as in a file."""
        rows = {f"rows.{key}": value for key, value in self.rows.items()}
        return rows | {"first": self.first, "before": self.before, "count": self.count, "memory": self.memory}

    @property
    def decisions(self) -> int:
        """How many decisions of sides can be learnt from."""
        return int(self.rows["learns"].sum())

    @property
    def steps(self) -> int:
        """How many decisions of seats can be learnt from."""
        return int(self.rows["present"][self.rows["learns"]].sum())


PendingRows = dict[str, Tensor]
"""Decisions whose successor lies beyond the rollout, by chain: `valid` `[N]`, `obs` `[N, n, *obs]` and so on as in
`Segment.rows`, `memory` `[N, n, M]`. Empty where there are none."""


@dataclass(slots=True, kw_only=True)
class _SideChains:
    """When each side decided, and the outcome. The clock is 0 for what was pending and t + 1 for turn t.

    row: `[T + 1, N, n]` row of the rollout with a seat's decision, -1 where there is none (and for pending ones).
    decides, reward, learns, goes_on, begins: `[T + 1, N]`; all but the first as in `Segment.rows`, valid where the side
    decides. cut: `[T + 1, N, n]` seats whose last observation is bootstrapped from, after a truncation. next_seats:
    `[N, n]` seats whose side's last decision is bootstrapped from the turn after the rollout. latest: `[N]` clock of
    the last decision, -1 for none. pending: `[N]` bool, the outcome of that one is not known yet.
    """

    row: Tensor
    decides: Tensor
    reward: Tensor
    learns: Tensor
    goes_on: Tensor
    begins: Tensor
    cut: Tensor
    next_seats: Tensor
    latest: Tensor
    pending: Tensor


def build_segment(
    rollout: Rollout, layout: SideLayout, owner: int, pending: PendingRows, chunk: int, burn_in: int, with_state: bool
) -> tuple[Segment, PendingRows]:
    """The segment of the policy `owner`, and its pending decisions. pending: those of the rollout before.

    chunk: decisions of a sequence. burn_in: the most rows before it that only burn in memory. A truncated episode is
    bootstrapped from where the role has no masks and it is known which seats would act; otherwise the decision before
    it is not learnt from.
    """
    if pending:
        # Nothing is pending where an episode begins: a game that does not replay has begun afresh.
        goes_on = (rollout.length[0] > 1).repeat_interleave(len(layout.seats))
        pending = pending | {"valid": pending["valid"] & goes_on}
    chains = _side_chains(rollout, layout, owner, pending)
    entries = torch.stack((chains.decides, chains.cut.any(2)), 1).flatten(0, 1)
    entries = torch.cat((entries, chains.next_seats.any(1)[None]))
    chain, place = entries.t().nonzero(as_tuple=True)
    found = _sequences(
        _Entries(rollout=rollout, layout=layout, chains=chains, pending=pending, chain=chain, place=place),
        with_state,
        chunk,
        burn_in,
    )
    if not bool(chains.pending.any()):
        return found, {}
    each = torch.arange(len(chains.pending), device=chain.device)
    left = _Entries(
        rollout=rollout, layout=layout, chains=chains, pending=pending, chain=each, place=2 * chains.latest.clamp(min=0)
    )
    memory = left.memory_before(each[:, None].expand(left.present.shape))
    return found, left.tensors(with_state) | {"valid": chains.pending, "memory": memory}


def _side_chains(rollout: Rollout, layout: SideLayout, owner: int, pending: PendingRows) -> _SideChains:
    rows, count = rollout.rows[layout.role.name], len(layout.seats)
    turns, slots, acting = rows.seat.shape
    device = rows.seat.device

    def by_side(by_seat: Tensor) -> Tensor:
        """`[..., B, S]` bool → `[..., N, n]`."""
        return (by_seat[..., layout.seats] & layout.has_seat).flatten(-3, -2)

    def clocked(by_turn: Tensor) -> Tensor:
        """`[T, ...]` bool → `[T + 1, ...]`, False for what was pending."""
        return torch.cat((torch.zeros_like(by_turn[:1]), by_turn))

    index = torch.arange(turns * slots * acting, device=device).view(turns, slots, acting)
    mine = rows.present & (rows.owner == owner)
    seats = rollout.reward.shape[2]
    by_seat = numbers_by_seat(torch.where(mine, index, -1), rows.seat, seats)
    row = torch.where(layout.has_seat, by_seat[..., layout.seats], -1).flatten(1, 2)
    row = torch.cat((torch.full_like(row[:1], -1), row))
    decides = (row >= 0).any(2)
    if pending:
        decides[0] = pending["valid"]
    playing = rollout.lineup[..., rollout.post_of_seat] == owner
    cut = clocked(by_side(rollout.truncated & playing))
    over = clocked(rollout.ended[..., None].expand(-1, -1, count).flatten(1))
    last = rollout.last.acts[layout.role.name]
    next_seats = by_side(acting_seats(last, last.seat, seats) & playing[-1])

    found = Attribution.of(decides, over)
    unfinished = found.decided[-1] > found.ended[-1]
    next_seats &= unfinished[:, None]
    still_pending = unfinished & ~next_seats.any(1)

    follows = torch.arange(1, found.depth + 1, device=device)[:, None] < found.count
    ended, cut_off = found.collect(over) > 0, found.collect(over & cut.any(2)) > 0
    # All seats of a side are paid the same (see `Learner.uses_team_reward`).
    paid = rollout.reward[..., [side[0] for side in layout.all_seats]].flatten(1)
    carried = pending["reward"] if pending else torch.zeros_like(paid[0])
    reward = found.collect_rewards(torch.cat((carried[None], paid)))
    bootstraps = layout.acting_known and rows.mask is None and rollout.final_obs is not None
    goes_on = torch.where(cut_off, bootstraps, ~ended & (follows | next_seats.any(1)))
    learns = torch.where(cut_off, bootstraps, ended | follows | ~still_pending)
    return _SideChains(
        row=row,
        decides=decides,
        reward=reward.gather(0, found.place),
        learns=learns.gather(0, found.place),
        goes_on=goes_on.gather(0, found.place),
        begins=decides & (found.place > 0) & (before(found.decided) <= before(found.ended)),
        cut=cut & (found.belongs & over & bootstraps)[..., None],
        next_seats=next_seats,
        latest=found.decided[-1],
        pending=still_pending,
    )


@dataclass(slots=True, kw_only=True)
class _Entries:
    """Entries of the chains `[r]` at the places `[r]`.

    place: twice the clock for a decision; one more for the position in which an episode was truncated on that turn; and
    twice T + 1 for the turn after the rollout.
    """

    rollout: Rollout
    layout: SideLayout
    chains: _SideChains
    pending: PendingRows
    chain: Tensor
    place: Tensor

    @property
    def clock(self) -> Tensor:
        """`[r]`, of decisions and truncations; arbitrary for the turn after the rollout."""
        return (self.place // 2).clamp(max=len(self.chains.decides) - 1)

    @property
    def is_last(self) -> Tensor:
        """`[r]`: the turn after the rollout."""
        return self.place == 2 * len(self.chains.decides)

    @property
    def is_cut(self) -> Tensor:
        """`[r]`: the position in which an episode was truncated."""
        return self.place % 2 == 1

    @property
    def decides(self) -> Tensor:
        """`[r]`: a decision."""
        return ~self.is_last & ~self.is_cut

    @property
    def was_pending(self) -> Tensor:
        """`[r]`: a decision that was pending after the rollout before."""
        return self.place == 0

    @property
    def present(self) -> Tensor:
        """`[r, n]`, see `Segment.rows`."""
        chains, clock, chain = self.chains, self.clock, self.chain
        found = chains.row[clock, chain] >= 0
        if self.pending:
            found = torch.where(self.was_pending[:, None], self.pending["present"][chain], found)
        found = torch.where(self.is_cut[:, None], chains.cut[clock, chain], found)
        return torch.where(self.is_last[:, None], chains.next_seats[chain], found)

    def tensors(self, with_state: bool) -> dict[str, Tensor]:
        """See `Segment.rows`."""
        rollout, chains, role = self.rollout, self.chains, self.layout.role
        rows, last = rollout.rows[role.name], rollout.last
        clock, chain, decides = self.clock, self.chain, self.decides
        count, most = self.layout.seats.shape
        slot, side = chain // count, chain % count
        size = (len(chain), most)
        obs = torch.zeros((*size, *role.obs_shape), dtype=role.obs_dtype, device=chain.device)
        found = {
            "obs": self._by_seat("obs", obs),
            "action": self._by_seat("action", torch.zeros(size, dtype=role.action_dtype, device=chain.device)),
            "present": self.present,
            "side": side,
            "reward": torch.where(decides, chains.reward[clock, chain], 0.0),
            **{name: decides & getattr(chains, name)[clock, chain] for name in ("learns", "goes_on", "begins")},
        }
        if rows.mask is not None:
            width = role.actions.width
            mask = torch.ones((*size, width), dtype=torch.bool, device=chain.device)
            found["mask"] = self._by_seat("mask", mask)
        if with_state and rollout.state is not None and last.state is not None:
            state = rollout.state[(clock - 1).clamp(min=0), slot]
            if rollout.final_state is not None:
                state[self.is_cut] = rollout.final_state[clock - 1, slot][self.is_cut]
            state[self.is_last] = last.state[slot[self.is_last]]
            state = state.flatten(1)
            if self.pending:
                state[self.was_pending] = self.pending["state"][chain[self.was_pending]]
            found["state"] = state
        return found

    def memory_before(self, entry: Tensor) -> Tensor:
        """`[G, n, M]`, the memory of each seat before its decision in `entry` `[G, n]`; zeros where that is -1."""
        rows = self.rollout.rows[self.layout.role.name]
        if rows.memory is None:
            return torch.zeros((*entry.shape, 0), device=entry.device)
        there, entry = entry >= 0, entry.clamp(min=0)
        seat = torch.arange(entry.shape[1], device=entry.device).expand(entry.shape)
        clock, chain = self.clock[entry], self.chain[entry]
        found = rows.memory.flatten(0, 2)[self.chains.row[clock, chain, seat].clamp(min=0)]
        if self.pending:
            found = torch.where(self.was_pending[entry][..., None], self.pending["memory"][chain, seat], found)
        return torch.where((there & (self.present[entry, seat]))[..., None], found, 0.0)

    def _by_seat(self, name: str, into: Tensor) -> Tensor:
        """Fill in a column of `Decisions` for each seat, `[r, n, ...]`."""
        rows, layout = self.rollout.rows[self.layout.role.name], self.layout
        row = torch.where(self.decides[:, None], self.chains.row[self.clock, self.chain], -1)
        taken = row >= 0
        into[taken] = getattr(rows, name).flatten(0, 2)[row[taken]]
        if self.pending:
            into[self.was_pending] = self.pending[name][self.chain[self.was_pending]]
        seats = layout.seats[self.chain % len(layout.seats)]
        slot = (self.chain // len(layout.seats))[:, None]
        if name == "obs" and self.rollout.final_obs is not None:
            local = torch.zeros(self.rollout.reward.shape[2], dtype=torch.int64, device=slot.device)
            local[list(layout.role.seats)] = torch.arange(len(layout.role.seats), device=slot.device)
            cut, turn = self.is_cut, (self.clock - 1)[:, None]
            into[cut] = self.rollout.final_obs[layout.role.name][turn[cut], slot[cut], local[seats[cut]]]
        acting = self.rollout.last.acts[layout.role.name]
        seen = getattr(acting, name, None)
        if seen is not None:
            last = self.is_last
            here = (acting.seat[slot[last]] == seats[last][..., None]) & acting.present[slot[last]]
            into[last] = seen[slot[last], here.to(torch.uint8).argmax(2)]
        return into


def _sequences(entries: _Entries, with_state: bool, chunk: int, burn_in: int) -> Segment:
    """Cut each chain's entries into sequences of `chunk`; the remainder is the chain's first sequence.

    In this way the last sequence, which is bootstrapped from the turn after the rollout, has enough decisions of each
    seat to know its memory there.
    """
    found, chain, decides = entries.tensors(with_state), entries.chain, entries.decides
    length = torch.bincount(chain, minlength=1)
    index = torch.arange(len(chain), device=chain.device)
    place = index - (length.cumsum(0) - length)[chain]
    beyond = (entries.chains.next_seats.any(1) | entries.chains.pending).to(torch.int64)
    left = (length[chain] - beyond[chain]) - place
    first = ((left > 0) & ((place == 0) | (left % chunk == 0))).nonzero()[:, 0]
    count, burnt_in = (left[first] - 1) % chunk + 1, place[first].clamp(max=burn_in)

    final = first + count - 1 + found["goes_on"][first + count - 1].to(torch.int64)
    decided = torch.where(found["present"] & decides[:, None], index[:, None], _FAR)
    following = decided.flip(0).cummin(0).values.flip(0)[first - burnt_in]
    known = following <= final[:, None]
    memory = entries.memory_before(torch.where(known, following, -1))
    if memory.shape[2]:
        unknown = (entries.is_last[final][:, None] & found["present"][final] & ~known).any(1)
        found["learns"][(first + count - 1)[unknown]] = False
    learnt = torch.cat((index[:1] * 0, found["learns"].cumsum(0))) if len(index) else index
    useful = (learnt[first + count] - learnt[first]) > 0
    return Segment(found, first[useful], burnt_in[useful], count[useful], memory[useful])
