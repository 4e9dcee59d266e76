"""Decisions as columns: one record that rollouts, pending decisions and batches share.

Letters in shapes: `...` leading dimensions, the same in all columns, A numbers in a mask, M numbers of memory, S seats
of the game.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(slots=True, kw_only=True)
class Decisions:
    """Decisions of one role's seats; a column that is not needed is None.

    obs: `[..., *obs_shape]`. mask: `[..., A]` bool, True where legal; None where every action always is. seat: `[...]`
    int64, of the game. present: `[...]` bool; where it is False there is no decision, and the other columns mean
    nothing. action: `[..., *shape]` of the action space. log_prob: `[...]` float32, of the action under the policy that
    took it. owner: `[...]` int64, index of that policy among the table's. memory: `[..., M]` float32, that policy's
    before the decision. state: `[..., *state]`, the game's global state. joint_action: `[..., S]` int64, what every
    seat did on the same turn, -1 for nothing. reward: `[...]` float32, collected since.
    """

    obs: Tensor
    mask: Tensor | None
    seat: Tensor
    present: Tensor
    action: Tensor
    log_prob: Tensor
    owner: Tensor
    memory: Tensor | None = None
    state: Tensor | None = None
    joint_action: Tensor | None = None
    reward: Tensor | None = None

    @staticmethod
    def of(columns: Mapping[str, Tensor]) -> Decisions:
        """The inverse of `columns`."""
        return Decisions(**({"mask": None} | dict(columns)))  # type: ignore[arg-type]

    def columns(self) -> dict[str, Tensor]:
        """The columns that are not None, by name."""
        found = ((field.name, getattr(self, field.name)) for field in fields(Decisions))
        return {name: column for name, column in found if column is not None}

    def map(self, function: Callable[[Tensor], Tensor]) -> Decisions:
        """Apply a function to every column."""
        return Decisions.of({name: function(column) for name, column in self.columns().items()})

    def flatten(self, dimensions: int) -> Decisions:
        """Merge the first `dimensions` dimensions into one."""
        return self.map(lambda column: column.flatten(0, dimensions - 1))

    def take(self, rows: Tensor) -> Decisions:
        """The decisions `rows` `[n]` along the first dimension."""
        return self.map(lambda column: column.index_select(0, rows))

    def write(self, index: int, decisions: Decisions) -> None:
        """Copy decisions to `index` of the first dimension. Columns that this record does not have are ignored."""
        given = decisions.columns()
        for name, column in self.columns().items():
            if name in given:
                column[index] = given[name]

    @staticmethod
    def cat(parts: Sequence[Decisions]) -> Decisions:
        """One after another along the first dimension; a column that a part lacks is left out."""
        given = [part.columns() for part in parts]
        shared = [name for name in given[0] if all(name in columns for columns in given)]
        return Decisions.of({name: torch.cat([columns[name] for columns in given]) for name in shared})
