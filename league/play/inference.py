"""Batched inference: every policy of a table evaluated on its rows, one forward pass each or one for several.

On a CPU each policy is given only its own rows, and policies with few rows are stacked into one forward pass. On a GPU,
counting rows would synchronise with the device: each policy is given all rows and its output is masked to its own, and
the stack has room for as many rows as its policies can have. Letters in shapes: B slots, K acting seats, N = B*K rows,
A actions, M numbers of memory.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from league.errors import PolicyError
from league.games.core import Acting, Game, RoleSpec
from league.policies.core import Policy, PolicyWithMemory, Rows, memory_width
from league.policies.distributions import distribution
from league.policies.mixture import Mixture
from league.policies.neural import NeuralPolicy
from league.policies.stacked import Stack, is_large, stackable

Output = tuple[Tensor, Tensor | None]
"""Logits `[n, A]` of some rows, and the memory after the decisions, `[n, M]`; None without memory."""

_STACK_ROWS = 256
"""Most rows with which a policy is stacked with others on a CPU; with more, it is faster alone."""

_STACK_ROWS_LARGE = 64
"""The same for large networks (`is_large`)."""

_STACK_SHARE = 0.25
"""Largest share of all rows for a policy in a stack of fixed capacity: a larger one would waste most of its room."""


class BatchedInference:
    """Evaluates the policies of a table for one role. policies: by index.

    places: the most rows that each policy can have in a turn, if known. counts: whether rows may be counted every turn,
    which synchronises with the device.
    """

    def __init__(
        self, role: RoleSpec, policies: Sequence[Policy], places: Sequence[int] | None, counts: bool, rows: int
    ) -> None:
        self._role, self._policies, self._counts = role, policies, counts
        self._room = 0
        alike = _largest_stackable_group(policies, role.name)
        if not counts:
            alike = [index for index in alike if places is not None and places[index] <= _STACK_SHARE * rows]
            self._room = max((places[index] for index in alike), default=0) if places is not None else 0
        self._stackable = alike if len(alike) > 1 else []
        first = policies[alike[0]] if alike else None
        large = isinstance(first, NeuralPolicy) and is_large(first.actor)
        self._stack_rows = _STACK_ROWS_LARGE if large else _STACK_ROWS
        self._stack: Stack | None = None
        self._number = torch.empty(0)

    def distribution(
        self, acting: Acting, owner: Tensor, game: Game, memory: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The distributions of the role's actions (`policies.distributions`), `[N, A]`; arbitrary where nobody acts.

        Also returns the memory after the decisions, `[B, K, M]`; None if `memory` is. owner: `[B, K]`, the index of the
        policy that decides. memory: `[B, K, M]`, before the decisions. Raises PolicyError if a policy's role or output
        does not fit.
        """
        obs, seat = acting.obs.flatten(0, 1), acting.seat.flatten()
        rows = Rows(obs, None if acting.mask is None else acting.mask.flatten(0, 1), seat)
        if memory is not None:
            rows.memory = memory.flatten(0, 1)
        decider = torch.where(acting.present, owner, -1).flatten()
        logits, after = (self._infer_gathered if self._counts else self._infer_masked)(rows, decider, game)
        given = distribution(self._role.actions, logits, rows.mask)
        return given, None if memory is None or after is None else after.view(memory.shape)

    def _infer_gathered(self, rows: Rows, decider: Tensor, game: Game) -> Output:
        absent, *counts = torch.bincount(decider + 1, minlength=len(self._policies) + 1).tolist()
        deciding = [index for index, count in enumerate(counts) if count]
        if len(deciding) == 1 and not absent:
            return self._infer_one(deciding[0], rows, None, game)
        few = [index for index in deciding if counts[index] <= self._stack_rows and index in self._stackable]
        if len(few) > 1:
            logits, memory = self._infer_stacked(rows, decider, few, max(counts[index] for index in few))
        else:
            few, memory = [], None if rows.memory is None else rows.memory.clone()
            logits = torch.zeros((len(decider), self._role.actions.width), device=decider.device)
        for index in deciding:
            if index not in few:
                mine = (decider == index).nonzero()[:, 0]
                own, after = self._infer_one(index, rows, mine, game)
                logits.index_copy_(0, mine, own)
                if memory is not None and after is not None:
                    memory.index_copy_(0, mine, after)
        return logits, memory

    def _infer_masked(self, rows: Rows, decider: Tensor, game: Game) -> Output:
        logits, memory = torch.zeros((len(decider), self._role.actions.width), device=decider.device), rows.memory
        if self._stackable:
            logits, memory = self._infer_stacked(rows, decider, None, self._room)
        for index, policy in enumerate(self._policies):
            # A mixture never decides: its members do (`MixtureDraws`).
            if policy.role == self._role.name and index not in self._stackable and not isinstance(policy, Mixture):
                own, after = self._infer_one(index, rows, None, game)
                mine = (decider == index)[:, None]
                logits = torch.where(mine, own, logits)
                if memory is not None and after is not None:
                    memory = torch.where(mine, after, memory)
        return logits, memory

    def _infer_stacked(self, rows: Rows, decider: Tensor, selected: Collection[int] | None, room: int) -> Output:
        """The output of stacked policies on their rows: zeros elsewhere, memory unchanged elsewhere.

        selected: which of the stacked policies; None: all.
        """
        if self._stack is None:
            networks = [self._policies[index] for index in self._stackable]
            self._stack = Stack([network for network in networks if isinstance(network, NeuralPolicy)])
            self._number = self._numbers(self._stackable, decider.device)
        # Copying numbers to a device synchronises with it, so those for all policies are kept.
        number = self._number if selected is None else self._numbers(selected, decider.device)
        which = number[decider]
        width = memory_width(self._policies[self._stackable[0]])
        memory = None if rows.memory is None else rows.memory[:, :width]
        logits, after = self._stack.recall(rows.obs, rows.seat, memory, rows.mask, which, room)
        if rows.memory is None or after is None:
            return logits, rows.memory
        return logits, torch.where((which < 0)[:, None], rows.memory, _widen_memory(rows.memory, after))

    def _numbers(self, selected: Collection[int], device: torch.device) -> Tensor:
        """By policy: its index in the stack, -1 if not selected; the last entry is for the index -1, nobody."""
        place = [self._stackable.index(index) if index in selected else -1 for index in range(len(self._policies))]
        return torch.tensor([*place, -1], device=device)

    def _infer_one(self, index: int, rows: Rows, mine: Tensor | None, game: Game) -> Output:
        """The output of one policy on the rows `mine` (None: all). Raises PolicyError if role or output is wrong."""
        policy, called = self._policies[index], policy_label(self._policies, index)
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
        request = Rows(obs, mask, seat, fork, lambda: game.positions(slots))
        if not (width := memory_width(policy)) or memory is None or not isinstance(policy, PolicyWithMemory):
            return self._checked(policy.logits(request), called, len(seat)), memory
        request.memory = memory[:, :width]
        logits, after = policy.recall(request)
        if not isinstance(after, Tensor) or after.shape != request.memory.shape:
            found = list(after.shape) if isinstance(after, Tensor) else type(after).__name__
            raise PolicyError(f"{called} remembers {found}, not a tensor of shape {[len(seat), width]}")
        return self._checked(logits, called, len(seat)), _widen_memory(memory, after)

    def _checked(self, logits: object, called: str, count: int) -> Tensor:
        """The logits as float32. Raises PolicyError if they are not a tensor `[count, A]`."""
        wanted = [count, self._role.actions.width]
        if not isinstance(logits, Tensor):
            raise PolicyError(f"{called} gives a {type(logits).__name__}, not a tensor of shape {wanted}")
        if list(logits.shape) != wanted:
            raise PolicyError(f"{called} gives logits of shape {list(logits.shape)}, not {wanted}")
        return logits.to(torch.float32)


def _widen_memory(before: Tensor, after: Tensor) -> Tensor:
    """`after` `[n, m]` with the rest of `before` `[n, M]`: a policy may use less memory than the table has."""
    return after if after.shape == before.shape else torch.cat((after, before[:, after.shape[1] :]), 1)


def policy_label(policies: Sequence[Policy], index: int) -> str:
    """A name for one of a table's policies in error messages."""
    return f"policy {index} of the table ({type(policies[index]).__name__})"


def _largest_stackable_group(policies: Sequence[Policy], role: str) -> list[int]:
    """The indices of the largest group of networks of one role with the same architecture."""
    groups: dict[object, list[int]] = {}
    for index, policy in enumerate(policies):
        if isinstance(policy, NeuralPolicy) and policy.role == role and stackable(policy):
            groups.setdefault(policy.actor.spec, []).append(index)
    return max(groups.values(), key=len, default=[])
