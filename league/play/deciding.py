"""Who decides, and what each policy says of its rows: one forward for each, or one for many of them together.

Where rows may be counted (on a CPU), a policy sees its own rows only, and policies with few rows are stacked. Elsewhere
counting would be waiting for the device: a policy sees all rows and is heard where they are its own, and the stack has
room for as many rows as its policies can have. Letters in shapes: B slots, K acting seats, N = B*K rows, A actions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from league.errors import PolicyError
from league.games.core import Acting, Game, RoleSpec
from league.policies.core import Policy, Rows
from league.policies.distributions import distribution
from league.policies.neural import NeuralPolicy
from league.policies.stacked import Stack

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

    def distribution(self, acting: Acting, owner: Tensor, game: Game) -> Tensor:
        """`[N, A]`, a distribution of the role's actions (`policies.distributions`); where nobody acts, any one.

        owner: `[B, K]`, the policy that decides. Raises PolicyError where a policy's role or answer does not fit.
        """
        obs, seat = acting.obs.flatten(0, 1), acting.seat.flatten()
        rows = Rows(obs, None if acting.mask is None else acting.mask.flatten(0, 1), seat)
        decider = torch.where(acting.present, owner, -1).flatten()
        said = (self._counted if self._counts else self._everywhere)(rows, decider, game)
        return distribution(self._role.actions, said, rows.mask)

    def _counted(self, rows: Rows, decider: Tensor, game: Game) -> Tensor:
        absent, *counts = torch.bincount(decider + 1, minlength=len(self._policies) + 1).tolist()
        deciding = [index for index, count in enumerate(counts) if count]
        if len(deciding) == 1 and not absent:
            return self._hear(deciding[0], rows, None, game)
        few = [index for index in deciding if counts[index] <= _FEW and index in self._stackable]
        if len(few) > 1:
            logits = self._together(rows, decider, few, max(counts[index] for index in few))
        else:
            few, logits = [], torch.zeros((len(decider), self._role.actions.width), device=decider.device)
        for index in deciding:
            if index not in few:
                mine = (decider == index).nonzero()[:, 0]
                logits.index_copy_(0, mine, self._hear(index, rows, mine, game))
        return logits

    def _everywhere(self, rows: Rows, decider: Tensor, game: Game) -> Tensor:
        logits = torch.zeros((len(decider), self._role.actions.width), device=decider.device)
        if self._stackable:
            logits = self._together(rows, decider, None, self._room)
        for index, policy in enumerate(self._policies):
            if policy.role == self._role.name and index not in self._stackable:
                said = self._hear(index, rows, None, game)
                logits = torch.where((decider == index)[:, None], said, logits)
        return logits

    def _together(self, rows: Rows, decider: Tensor, heard: Collection[int] | None, room: int) -> Tensor:
        """`[N, A]`: what stacked policies say of their rows, zeros elsewhere. heard: some of them; None: all."""
        if self._stack is None:
            networks = [self._policies[index] for index in self._stackable]
            self._stack = Stack([network for network in networks if isinstance(network, NeuralPolicy)])
            self._number = self._numbers(self._stackable, decider.device)
        # Bringing numbers to a device is waiting for it, so those of all are kept.
        number = self._number if heard is None else self._numbers(heard, decider.device)
        return self._stack.logits(rows.obs, rows.seat, number[decider], room)

    def _numbers(self, heard: Collection[int], device: torch.device) -> Tensor:
        """By policy: which of the stack it is, -1 where it is not heard; the last is where -1, nobody, looks it up."""
        place = [self._stackable.index(index) if index in heard else -1 for index in range(len(self._policies))]
        return torch.tensor([*place, -1], device=device)

    def _hear(self, index: int, rows: Rows, mine: Tensor | None, game: Game) -> Tensor:
        """What one policy says of the rows `mine` (None: all). Raises PolicyError where its role or answer is wrong."""
        policy, called = self._policies[index], describe(self._policies, index)
        if policy.role != self._role.name:
            raise PolicyError(f"{called} plays the role '{policy.role}', it was seated as '{self._role.name}'")
        obs, mask, seat = rows.obs, rows.mask, rows.seat
        if mine is not None:
            obs, seat = obs.index_select(0, mine), seat.index_select(0, mine)
            mask = None if mask is None else mask.index_select(0, mine)
        which = torch.arange(len(seat), device=seat.device) if mine is None else mine
        slots = which // self._role.acting
        fork = (lambda: game.fork(slots)) if game.can_fork else None
        logits = policy.logits(Rows(obs, mask, seat, fork, lambda: game.positions(slots)))
        wanted = [len(seat), self._role.actions.width]
        if not isinstance(logits, Tensor):
            raise PolicyError(f"{called} gives a {type(logits).__name__}, not a tensor of shape {wanted}")
        if list(logits.shape) != wanted:
            raise PolicyError(f"{called} gives logits of shape {list(logits.shape)}, not {wanted}")
        return logits.to(torch.float32)


def describe(policies: Sequence[Policy], index: int) -> str:
    """What to call one of a table's policies in an error."""
    return f"policy {index} of the table ({type(policies[index]).__name__})"


def _alike(policies: Sequence[Policy], role: str) -> list[int]:
    """The largest group of networks of one role that have one architecture."""
    groups: dict[object, list[int]] = {}
    for index, policy in enumerate(policies):
        if isinstance(policy, NeuralPolicy) and policy.role == role:
            groups.setdefault(policy.actor.spec, []).append(index)
    return max(groups.values(), key=len, default=[])
