"""From a rollout to what a learner of action values keeps of it: the decisions of sides, in sequences.

A side decides on every turn on which at least one of its seats that play the learner acts. Rewards (the mean over the
side's seats) are summed up from a decision of the side to its next, and belong to the earlier. A decision whose
successor lies beyond the rollout waits, and comes first in the next one.

Letters in shapes: T turns, B slots, S seats of the game, Z sides, n seats of a side, N chains (slot by slot, side by
side), X entries of a chain, D decisions of a chain, r rows (entries of all chains, chain by chain), G sequences, M
numbers of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from league.games.core import GameSpec, RoleSpec
from league.play.trajectory import Attribution, Rollout, before

_FAR = torch.iinfo(torch.int64).max


@dataclass(frozen=True, slots=True)
class Sides:
    """The sides on which a role has seats. seats: `[Z, n]` seats of the game (the first, where a side has fewer).

    there: `[Z, n]` bool, where there is one. all: by side, its seats of any role. together: all seats of the role act
    at once, or each is a side: it is known who would act in a cut-off position.
    """

    role: RoleSpec
    seats: Tensor
    there: Tensor
    all: tuple[tuple[int, ...], ...]
    together: bool

    @staticmethod
    def of(game: GameSpec, role: RoleSpec, device: torch.device) -> Sides:
        """Of a role of a game."""
        mine = [(side, [seat for seat in side if seat in role.seats]) for side in game.sides]
        mine = [(side, seats) for side, seats in mine if seats]
        most = max(len(seats) for _, seats in mine)
        return Sides(
            role,
            torch.tensor([seats + seats[:1] * (most - len(seats)) for _, seats in mine], device=device),
            torch.tensor([[place < len(seats) for place in range(most)] for _, seats in mine], device=device),
            tuple(side for side, _ in mine),
            role.acting == len(role.seats) or most == 1,
        )


@dataclass(slots=True)
class Segment:
    """What a learner keeps of one round.

    rows: by name `[r, ...]`, each chain's entries in a row: `obs` `[r, n, *obs]`, `mask` `[r, n, A]` (not where all is
    always legal), `present` `[r, n]` (who acts), `action` `[r, n]`, `side` `[r]`, `reward` `[r]`, `learns` `[r]` (what
    came of it is known), `goes_on` `[r]` (its value is bootstrapped from the next row), `begins` `[r]` (an episode
    begins with it), and `state` `[r, F]` where it was asked for. An entry that does not learn is what another is
    bootstrapped from: what was seen as an episode was cut off, or on the turn after the rollout, or a decision that
    waits.
    first: `[G]` row of the first decision of each sequence. before: `[G]` how many rows before it only bring memory up
    to date. count: `[G]` its entries, from `first` on. memory: `[G, n, M]` of each seat, before the first decision that
    it has in the sequence, from the rows before on.
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
        """All of it by name, as a file has it."""
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


Waiting = dict[str, Tensor]
"""Decisions whose successor lies beyond the rollout, by chain: `valid` `[N]`, `obs` `[N, n, *obs]` and so on as in
`Segment.rows`, `memory` `[N, n, M]`."""


@dataclass(slots=True)
class _Chains:
    """When each side decided, and what came of it. The clock is 0 for what waited and t + 1 for turn t.

    number: `[T + 1, N, n]` row of the rollout that holds a seat's decision, -1 where there is none (and for what
    waited). decides, reward, learns, goes_on, begins: `[T + 1, N]`, the latter as in `Segment.rows`, where it decides.
    cut: `[T + 1, N, n]` seats whose last observation is bootstrapped from. next: `[N, n]` seats of sides whose last
    decision is bootstrapped from the turn after the rollout. latest: `[N]` clock of the last decision, -1 for none.
    waits: `[N]` it is known only later what came of that.
    """

    number: Tensor
    decides: Tensor
    reward: Tensor
    learns: Tensor
    goes_on: Tensor
    begins: Tensor
    cut: Tensor
    next: Tensor
    latest: Tensor
    waits: Tensor


def segment(
    rollout: Rollout, sides: Sides, owner: int, waiting: Waiting, chunk: int, burn_in: int, with_state: bool
) -> tuple[Segment, Waiting]:
    """What a round brought the policy `owner`, and which decisions wait for the next one. waiting: of the last one.

    chunk: decisions of a sequence. burn_in: rows before its first that bring memory up to date, at most. An episode
    that was cut off is bootstrapped from where the role has no masks and it is known who would act; else the decision
    before it is not learnt from.
    """
    if waiting:
        # Nothing waits where an episode begins: a game that does not replay began afresh.
        goes_on = (rollout.length[0] > 1).repeat_interleave(len(sides.seats))
        waiting = waiting | {"valid": waiting["valid"] & goes_on}
    chains = _chains(rollout, sides, owner, waiting)
    entries = torch.stack((chains.decides, chains.cut.any(2)), 1).flatten(0, 1)
    entries = torch.cat((entries, chains.next.any(1)[None]))
    chain, place = entries.t().nonzero(as_tuple=True)
    rows = _Rows(rollout, sides, chains, waiting, chain, place)
    found = _sequences(rows, with_state, chunk, burn_in)
    if not bool(chains.waits.any()):
        return found, {}
    each = torch.arange(len(chains.waits), device=chain.device)
    left = _Rows(rollout, sides, chains, waiting, each, 2 * chains.latest.clamp(min=0))
    memory = left.remembered(each[:, None].expand(left.present.shape))
    return found, left.tensors(with_state) | {"valid": chains.waits, "memory": memory}


def _chains(rollout: Rollout, sides: Sides, owner: int, waiting: Waiting) -> _Chains:
    rows, count = rollout.rows[sides.role.name], len(sides.seats)
    turns, slots, acting = rows.seat.shape
    device = rows.seat.device

    def of_sides(by_seat: Tensor) -> Tensor:
        """`[..., B, S]` bool → `[..., N, n]`."""
        return (by_seat[..., sides.seats] & sides.there).flatten(-3, -2)

    index = torch.arange(turns * slots * acting, device=device).view(turns, slots, acting)
    mine = rows.present & (rows.owner == owner)
    by_seat = torch.full_like(rollout.reward, -1, dtype=torch.int64)
    by_seat.scatter_reduce_(2, rows.seat, torch.where(mine, index, -1), "amax")
    number = torch.where(sides.there, by_seat[..., sides.seats], -1).flatten(1, 2)
    number = torch.cat((torch.full_like(number[:1], -1), number))
    decides = (number >= 0).any(2)
    if waiting:
        decides[0] = waiting["valid"]
    playing = rollout.lineup[..., rollout.post_of_seat] == owner
    cut = of_sides(rollout.truncated & playing)
    cut = torch.cat((torch.zeros_like(cut[:1]), cut))
    over = rollout.ended[..., None].expand(-1, -1, count).flatten(1)
    over = torch.cat((torch.zeros_like(over[:1]), over))
    last = rollout.last.acts[sides.role.name]
    acts = torch.zeros((slots, rollout.reward.shape[2]), dtype=torch.int64, device=device)
    next = of_sides((acts.scatter_reduce_(1, last.seat, last.present.to(torch.int64), "amax") > 0) & playing[-1])

    found = Attribution.of(decides, over)
    live = found.decided[-1] > found.ended[-1]
    next &= live[:, None]
    waits = live & ~next.any(1)

    follows = torch.arange(1, found.depth + 1, device=device)[:, None] < found.count
    ended, cut_off = found.collect(over) > 0, found.collect(over & cut.any(2)) > 0
    # All seats of a side are paid the same (see `Learner.uses_team_reward`).
    paid = rollout.reward[..., [side[0] for side in sides.all]].flatten(1)
    begun = waiting["reward"] if waiting else torch.zeros_like(paid[0])
    collected = found.collect_rewards(torch.cat((begun[None], paid)))
    known = sides.together and rows.mask is None and rollout.final_obs is not None
    goes_on = torch.where(cut_off, known, ~ended & (follows | next.any(1)))
    learns = torch.where(cut_off, known, ended | follows | ~waits)
    return _Chains(
        number=number,
        decides=decides,
        reward=collected.gather(0, found.place),
        learns=learns.gather(0, found.place),
        goes_on=goes_on.gather(0, found.place),
        begins=decides & (found.place > 0) & (before(found.decided) <= before(found.ended)),
        cut=cut & (found.belongs & over & known)[..., None],
        next=next,
        latest=found.decided[-1],
        waits=waits,
    )


@dataclass(slots=True)
class _Rows:
    """Entries of chains: of the chains `[r]`, at the places `[r]`: twice the clock for a decision, one more for what
    was seen as an episode was cut off on that turn, and twice T + 1 for the turn after the rollout."""

    rollout: Rollout
    sides: Sides
    chains: _Chains
    waiting: Waiting
    chain: Tensor
    place: Tensor

    @property
    def clock(self) -> Tensor:
        """`[r]`, that of decisions and cuts; of the turn after the rollout, any."""
        return (self.place // 2).clamp(max=len(self.chains.decides) - 1)

    @property
    def is_last(self) -> Tensor:
        """`[r]`: on the turn after the rollout."""
        return self.place == 2 * len(self.chains.decides)

    @property
    def is_cut(self) -> Tensor:
        """`[r]`: what was seen as an episode was cut off."""
        return self.place % 2 == 1

    @property
    def decides(self) -> Tensor:
        """`[r]`: a decision."""
        return ~self.is_last & ~self.is_cut

    @property
    def waited(self) -> Tensor:
        """`[r]`: a decision that waited from the rollout before."""
        return self.place == 0

    @property
    def present(self) -> Tensor:
        """`[r, n]`, see `Segment.rows`."""
        chains, clock, chain = self.chains, self.clock, self.chain
        found = chains.number[clock, chain] >= 0
        if self.waiting:
            found = torch.where(self.waited[:, None], self.waiting["present"][chain], found)
        found = torch.where(self.is_cut[:, None], chains.cut[clock, chain], found)
        return torch.where(self.is_last[:, None], chains.next[chain], found)

    def tensors(self, with_state: bool) -> dict[str, Tensor]:
        """See `Segment.rows`."""
        rollout, chains, role = self.rollout, self.chains, self.sides.role
        rows, last = rollout.rows[role.name], rollout.last
        clock, chain, decides = self.clock, self.chain, self.decides
        count, most = self.sides.seats.shape
        slot, side = chain // count, chain % count
        size = (len(chain), most)
        found = {
            "obs": self._seats("obs", torch.zeros((*size, *role.obs_shape), dtype=role.obs_dtype, device=chain.device)),
            "action": self._seats("action", torch.zeros(size, dtype=role.action_dtype, device=chain.device)),
            "present": self.present,
            "side": side,
            "reward": torch.where(decides, chains.reward[clock, chain], 0.0),
            **{name: decides & getattr(chains, name)[clock, chain] for name in ("learns", "goes_on", "begins")},
        }
        if rows.mask is not None:
            width = role.actions.width
            found["mask"] = self._seats("mask", torch.ones((*size, width), dtype=torch.bool, device=chain.device))
        if with_state and rollout.state is not None and last.state is not None:
            state = rollout.state[(clock - 1).clamp(min=0), slot]
            if rollout.final_state is not None:
                state[self.is_cut] = rollout.final_state[clock - 1, slot][self.is_cut]
            state[self.is_last] = last.state[slot[self.is_last]]
            state = state.flatten(1)
            if self.waiting:
                state[self.waited] = self.waiting["state"][chain[self.waited]]
            found["state"] = state
        return found

    def remembered(self, row: Tensor) -> Tensor:
        """`[G, n, M]`, the memory of each seat before the decision `row` `[G, n]` of it; zeros where that is -1."""
        rows = self.rollout.rows[self.sides.role.name]
        if rows.memory is None:
            return torch.zeros((*row.shape, 0), device=row.device)
        there, row = row >= 0, row.clamp(min=0)
        seat = torch.arange(row.shape[1], device=row.device).expand(row.shape)
        clock, chain = self.clock[row], self.chain[row]
        found = rows.memory.flatten(0, 2)[self.chains.number[clock, chain, seat].clamp(min=0)]
        if self.waiting:
            found = torch.where(self.waited[row][..., None], self.waiting["memory"][chain, seat], found)
        return torch.where((there & (self.present[row, seat]))[..., None], found, 0.0)

    def _seats(self, name: str, into: Tensor) -> Tensor:
        """Fill in, `[r, n, ...]`, what each seat saw, could do or did."""
        rows, sides = self.rollout.rows[self.sides.role.name], self.sides
        number = torch.where(self.decides[:, None], self.chains.number[self.clock, self.chain], -1)
        taken = number >= 0
        into[taken] = getattr(rows, name).flatten(0, 2)[number[taken]]
        if self.waiting:
            into[self.waited] = self.waiting[name][self.chain[self.waited]]
        seats = sides.seats[self.chain % len(sides.seats)]
        slot = (self.chain // len(sides.seats))[:, None]
        if name == "obs" and self.rollout.final_obs is not None:
            local = torch.zeros(self.rollout.reward.shape[2], dtype=torch.int64, device=slot.device)
            local[list(sides.role.seats)] = torch.arange(len(sides.role.seats), device=slot.device)
            cut, turn = self.is_cut, (self.clock - 1)[:, None]
            into[cut] = self.rollout.final_obs[sides.role.name][turn[cut], slot[cut], local[seats[cut]]]
        acting = self.rollout.last.acts[sides.role.name]
        seen = getattr(acting, name, None)
        if seen is not None:
            last = self.is_last
            here = (acting.seat[slot[last]] == seats[last][..., None]) & acting.present[slot[last]]
            into[last] = seen[slot[last], here.to(torch.uint8).argmax(2)]
        return into


def _sequences(rows: _Rows, with_state: bool, chunk: int, burn_in: int) -> Segment:
    """Cut each chain's entries into pieces of `chunk`; what is left over is its first piece.

    So a side's last seats in a rollout have decisions enough before the turn after it to tell what they remember.
    """
    found, chain, decides = rows.tensors(with_state), rows.chain, rows.decides
    length = torch.bincount(chain, minlength=1)
    index = torch.arange(len(chain), device=chain.device)
    place = index - (length.cumsum(0) - length)[chain]
    beyond = (rows.chains.next.any(1) | rows.chains.waits).to(torch.int64)
    left = (length[chain] - beyond[chain]) - place
    first = ((left > 0) & ((place == 0) | (left % chunk == 0))).nonzero()[:, 0]
    count, before = (left[first] - 1) % chunk + 1, place[first].clamp(max=burn_in)

    final = first + count - 1 + found["goes_on"][first + count - 1].to(torch.int64)
    decided = torch.where(found["present"] & decides[:, None], index[:, None], _FAR)
    following = decided.flip(0).cummin(0).values.flip(0)[first - before]
    known = following <= final[:, None]
    memory = rows.remembered(torch.where(known, following, -1))
    if memory.shape[2]:
        unknown = (rows.is_last[final][:, None] & found["present"][final] & ~known).any(1)
        found["learns"][(first + count - 1)[unknown]] = False
    learnt = torch.cat((index[:1] * 0, found["learns"].cumsum(0))) if len(index) else index
    useful = (learnt[first + count] - learnt[first]) > 0
    return Segment(found, first[useful], before[useful], count[useful], memory[useful])
