"""Shared positions: every policy is asked what it would do at one decision of every game, whoever plays it.

The decision is drawn with equal probability from those of the game at which there is a choice. So long games count no
more than short ones, and the positions are independent of each other. Policies follow every game from its start, each
with a memory of its own, and look ahead from where the game stands.
Letters in shapes: B slots, K acting seats, S seats, N policies, R rows to ask at, A actions, M numbers of memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from league.errors import PolicyError
from league.games.core import Acting, Game, RoleSpec
from league.games.counter_rng import uniform
from league.play.inference import BatchedInference
from league.play.table import Table
from league.policies.core import Policy, memory_width
from league.policies.neural import NeuralPolicy
from league.studies.styles.distance import jensen_shannon
from league.studies.teams import halfwidth

_NUMBERS = 2**22
"""About as many probabilities are compared at once."""


class Questions:
    """Asks `policies` at one decision of `role` in each of the first `episodes` episodes of a table.

    The role's actions are `Discrete`. seed: of the draws of decisions. labels: of the policies, for error messages.
    """

    def __init__(
        self, game: Game, role: RoleSpec, policies: Sequence[Policy], labels: Sequence[str], episodes: int, seed: int
    ) -> None:
        self._role, self._labels, self._episodes, self._seed = role, labels, episodes, seed
        self._networks = [index for index, policy in enumerate(policies) if isinstance(policy, NeuralPolicy)]
        self._others = [
            (index, memory_width(policy) > 0)
            for index, policy in enumerate(policies)
            if not isinstance(policy, NeuralPolicy)
        ]
        self._inference = BatchedInference(role, policies, None, True, game.slots * role.acting)
        count, slots, seats = len(policies), game.slots, len(game.spec.seats)
        self._memory = torch.zeros((count, slots, seats, max(map(memory_width, policies))))
        # The decision with the least random number of an episode is drawn from all of them with equal probability.
        self._least = torch.ones(slots)
        self._answer = torch.zeros((count, slots, role.actions.width))
        self._total, self._square = torch.zeros((2, count, count), dtype=torch.float64)
        self.positions = 0

    @torch.inference_mode()
    def ask(self, table: Table) -> None:
        """Ask at the table's decisions of this turn, before they are taken. Raises PolicyError if one gives no answer.

        Every slot of the table must stay at its place.
        """
        acting = table.turn.acts[self._role.name]
        self._settle(table.clock == 0)
        present = acting.present & (table.episode < self._episodes)[:, None]
        choice = present if acting.mask is None else present & (acting.mask.sum(2) > 1)
        drawn = uniform(self._seed, table.episode[:, None], table.clock[:, None], acting.seat)
        least, column = torch.where(choice, drawn, 1.0).min(1)
        better = least < self._least
        self._least = torch.where(better, least, self._least)
        asked = torch.zeros_like(present).scatter_(1, column[:, None], better[:, None])
        # Whoever remembers sees everything that its seat sees.
        slot, place = (present if self._memory.shape[3] else asked).nonzero(as_tuple=True)
        if len(slot):
            answer = self._answers(acting, slot, place, asked, table.game)
            here = asked[slot, place]
            self._answer[:, slot[here]] = answer[:, here].exp()

    @torch.inference_mode()
    def distances(self) -> tuple[NDArray[np.float64], float]:
        """The mean Jensen-Shannon divergence of every two policies, `[N, N]`, in bits, once all games are over.

        Also returns half of the widest 95 % interval of them. Raises PolicyError if no game had a choice.
        """
        self._settle(torch.ones_like(self._least, dtype=torch.bool))
        if not self.positions:
            raise PolicyError("there was no choice in any game: every position has a single legal move")
        mean = (self._total / self.positions).numpy()
        squares = self._square.numpy()
        halves = [halfwidth(squares[place], mean[place], self.positions) for place in np.ndindex(mean.shape)]
        return mean, max(halves)

    def _answers(self, acting: Acting, slot: Tensor, place: Tensor, asked: Tensor, game: Game) -> Tensor:
        """The log-probabilities of every policy, `[N, R, A]`, at the rows (`slot`, `place`), which they remember.

        asked: `[B, K]` bool, the rows whose answers count: only there do others than networks answer without memory.
        """
        rows, widths = len(slot), self._memory.shape
        seat = acting.seat[slot, place]
        answer = torch.zeros((widths[0], rows, self._role.actions.width))
        if self._networks:
            many = len(self._networks)
            every = Acting(
                _repeated(acting.obs[slot, place], many),
                None if acting.mask is None else _repeated(acting.mask[slot, place], many),
                _repeated(seat, many),
                torch.ones((many * rows, 1), dtype=torch.bool),
            )
            owner = torch.tensor(self._networks).repeat_interleave(rows)[:, None]
            memory = self._memory[self._networks][:, slot, seat].flatten(0, 1)[:, None] if widths[3] else None
            given, after = self._inference.distribution(every, owner, game, memory)
            answer[self._networks] = given.view(many, rows, -1)
            if after is not None:
                which = torch.tensor(self._networks)[:, None]
                self._memory[which, slot, seat] = after.view(many, rows, -1)
        # Others may look ahead from the slots of the game itself, so they are asked one after the other.
        followed = torch.zeros_like(asked)
        followed[slot, place] = True
        for index, remembers in self._others:
            only = followed if remembers else asked
            memory = self._memory[index][torch.arange(widths[1])[:, None], acting.seat] if widths[3] else None
            given, after = self._inference.distribution(
                Acting(acting.obs, acting.mask, acting.seat, only), torch.full_like(acting.seat, index), game, memory
            )
            answer[index] = given.view(*acting.seat.shape, -1)[slot, place]
            if after is not None:
                self._memory[index, slot, seat] = after[slot, place]
        for index, label in enumerate(self._labels):
            if bool(answer[index].isnan().any()):
                raise PolicyError(f"{label} gives no distribution: its logits are NaN, or -inf where legal")
        return answer

    def _settle(self, fresh: Tensor) -> None:
        """Compare the answers of the slots `fresh` `[B]` bool, whose episodes are over, and begin their next ones."""
        done = (fresh & (self._least < 1.0)).nonzero()[:, 0]
        count, _, width = self._answer.shape
        for some in done.split(max(_NUMBERS // (count * count * width), 1)):
            divergence = jensen_shannon(self._answer[:, some])
            self._total += divergence.sum(2)
            self._square += divergence.square().sum(2)
            self.positions += len(some)
        self._least[fresh] = 1.0
        self._memory[:, fresh] = 0.0


def _repeated(values: Tensor, times: int) -> Tensor:
    """`[R, …]` → `[times * R, 1, …]`."""
    return values.repeat(times, *(1 for _ in values.shape[1:]))[:, None]
