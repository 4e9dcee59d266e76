"""Who decides, and what each policy says of its rows: one forward for each, or one for many of them together.

Where rows may be counted (on a CPU), a policy sees its own rows only, and policies with few rows are stacked. Elsewhere
counting would be waiting for the device: a policy sees all rows and is heard where they are its own, and the stack has
room for as many rows as its policies can have. Letters in shapes: B slots, K acting seats, N = B*K rows, A actions,
M numbers of memory.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from league.errors import PolicyError
from league.games.core import Acting, Game, RoleSpec
from league.policies.core import Policy, Remembering, Rows, memory_of
from league.policies.distributions import distribution
from league.policies.neural import NeuralPolicy
from league.policies.stacked import Stack, stackable

Said = tuple[Tensor, Tensor | None]
"""Of some rows: logits `[n, A]`, and what is remembered after the decisions, `[n, M]` of the table, None without."""

_FEW = 256
"""Rows up to which a policy is stacked with others; with more, it is faster alone."""

_MINOR = 0.25
"""Share of all rows that a policy of a stack with fixed places may have: one with more would leave most of it empty."""


class Deciders:
    """The policies of a table, as they decide for one role. policies: by index.

    places: rows that each policy may have at most in a turn, where that is known beforehand. counts: whether rows may
    be counted every turn.
    """

    def __init__(
        self, role: RoleSpec, policies: Sequence[Policy], places: Sequence[int] | None, counts: bool, rows: int
    ) -> None:
        self._role, self._policies, self._counts = role, policies, counts
        self._room = 0
        alike = _alike(policies, role.name)
        if not counts:
            alike = [index for index in alike if places is not None and places[index] <= _MINOR * rows]
            self._room = max((places[index] for index in alike), default=0) if places is not None else 0
        self._stackable = alike if len(alike) > 1 else []
        self._stack: Stack | None = None
        self._number = torch.empty(0)

    def distribution(
        self, acting: Acting, owner: Tensor, game: Game, memory: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """`[N, A]`, a distribution of the role's actions (`policies.distributions`); where nobody acts, any one.

        With it, what is remembered after the decisions, `[B, K, M]`; None where memory is. owner: `[B, K]`, the policy
        that decides. memory: `[B, K, M]`, before them. Raises PolicyError where a policy's role or answer does not fit.
        """
        obs, seat = acting.obs.flatten(0, 1), acting.seat.flatten()
        rows = Rows(obs, None if acting.mask is None else acting.mask.flatten(0, 1), seat)
        if memory is not None:
            rows.memory = memory.flatten(0, 1)
        decider = torch.where(acting.present, owner, -1).flatten()
        said, after = (self._counted if self._counts else self._everywhere)(rows, decider, game)
        given = distribution(self._role.actions, said, rows.mask)
        return given, None if memory is None or after is None else after.view(memory.shape)

    def _counted(self, rows: Rows, decider: Tensor, game: Game) -> Said:
        absent, *counts = torch.bincount(decider + 1, minlength=len(self._policies) + 1).tolist()
        deciding = [index for index, count in enumerate(counts) if count]
        if len(deciding) == 1 and not absent:
            return self._hear(deciding[0], rows, None, game)
        few = [index for index in deciding if counts[index] <= _FEW and index in self._stackable]
        if len(few) > 1:
            logits, memory = self._together(rows, decider, few, max(counts[index] for index in few))
        else:
            few, memory = [], None if rows.memory is None else rows.memory.clone()
            logits = torch.zeros((len(decider), self._role.actions.width), device=decider.device)
        for index in deciding:
            if index not in few:
                mine = (decider == index).nonzero()[:, 0]
                said, after = self._hear(index, rows, mine, game)
                logits.index_copy_(0, mine, said)
                if memory is not None and after is not None:
                    memory.index_copy_(0, mine, after)
        return logits, memory

    def _everywhere(self, rows: Rows, decider: Tensor, game: Game) -> Said:
        logits, memory = torch.zeros((len(decider), self._role.actions.width), device=decider.device), rows.memory
        if self._stackable:
            logits, memory = self._together(rows, decider, None, self._room)
        for index, policy in enumerate(self._policies):
            if policy.role == self._role.name and index not in self._stackable:
                said, after = self._hear(index, rows, None, game)
                mine = (decider == index)[:, None]
                logits = torch.where(mine, said, logits)
                if memory is not None and after is not None:
                    memory = torch.where(mine, after, memory)
        return logits, memory

    def _together(self, rows: Rows, decider: Tensor, heard: Collection[int] | None, room: int) -> Said:
        """What stacked policies say of their rows, zeros elsewhere; memory likewise, unchanged elsewhere.

        heard: some of them; None: all.
        """
        if self._stack is None:
            networks = [self._policies[index] for index in self._stackable]
            self._stack = Stack([network for network in networks if isinstance(network, NeuralPolicy)])
            self._number = self._numbers(self._stackable, decider.device)
        # Bringing numbers to a device is waiting for it, so those of all are kept.
        number = self._number if heard is None else self._numbers(heard, decider.device)
        which = number[decider]
        width = memory_of(self._policies[self._stackable[0]])
        memory = None if rows.memory is None else rows.memory[:, :width]
        logits, after = self._stack.recall(rows.obs, rows.seat, memory, rows.mask, which, room)
        if rows.memory is None or after is None:
            return logits, rows.memory
        return logits, torch.where((which < 0)[:, None], rows.memory, _kept(rows.memory, after))

    def _numbers(self, heard: Collection[int], device: torch.device) -> Tensor:
        """By policy: which of the stack it is, -1 where it is not heard; the last is where -1, nobody, looks it up."""
        place = [self._stackable.index(index) if index in heard else -1 for index in range(len(self._policies))]
        return torch.tensor([*place, -1], device=device)

    def _hear(self, index: int, rows: Rows, mine: Tensor | None, game: Game) -> Said:
        """What one policy says of the rows `mine` (None: all). Raises PolicyError where its role or answer is wrong."""
        policy, called = self._policies[index], describe(self._policies, index)
        if policy.role != self._role.name:
            raise PolicyError(f"{called} plays the role '{policy.role}', it was seated as '{self._role.name}'")
        obs, mask, seat, memory = rows.obs, rows.mask, rows.seat, rows.memory
        if mine is not None:
            obs, seat = obs.index_select(0, mine), seat.index_select(0, mine)
            mask = None if mask is None else mask.index_select(0, mine)
            memory = None if memory is None else memory.index_select(0, mine)
        which = torch.arange(len(seat), device=seat.device) if mine is None else mine
        slots = which // self._role.acting
        fork = (lambda: game.fork(slots)) if game.can_fork else None
        asked = Rows(obs, mask, seat, fork, lambda: game.positions(slots))
        if not (width := memory_of(policy)) or memory is None or not isinstance(policy, Remembering):
            return self._checked(policy.logits(asked), called, len(seat)), memory
        asked.memory = memory[:, :width]
        logits, after = policy.recall(asked)
        if not isinstance(after, Tensor) or after.shape != asked.memory.shape:
            found = list(after.shape) if isinstance(after, Tensor) else type(after).__name__
            raise PolicyError(f"{called} remembers {found}, not a tensor of shape {[len(seat), width]}")
        return self._checked(logits, called, len(seat)), _kept(memory, after)

    def _checked(self, logits: object, called: str, count: int) -> Tensor:
        """The logits `[count, A]`. Raises PolicyError where they are something else."""
        wanted = [count, self._role.actions.width]
        if not isinstance(logits, Tensor):
            raise PolicyError(f"{called} gives a {type(logits).__name__}, not a tensor of shape {wanted}")
        if list(logits.shape) != wanted:
            raise PolicyError(f"{called} gives logits of shape {list(logits.shape)}, not {wanted}")
        return logits.to(torch.float32)


def _kept(before: Tensor, after: Tensor) -> Tensor:
    """`[n, M]`: what is remembered, where a policy uses only the beginning of the table's memory. after: `[n, m]`."""
    return after if after.shape == before.shape else torch.cat((after, before[:, after.shape[1] :]), 1)


def describe(policies: Sequence[Policy], index: int) -> str:
    """What to call one of a table's policies in an error."""
    return f"policy {index} of the table ({type(policies[index]).__name__})"


def _alike(policies: Sequence[Policy], role: str) -> list[int]:
    """The largest group of networks of one role that have one architecture."""
    groups: dict[object, list[int]] = {}
    for index, policy in enumerate(policies):
        if isinstance(policy, NeuralPolicy) and policy.role == role and stackable(policy):
            groups.setdefault(policy.actor.spec, []).append(index)
    return max(groups.values(), key=len, default=[])
