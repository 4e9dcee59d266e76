"""Matrix games: two seats choose at once, and a table says what each gets. Ships three of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from math import comb

import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import Discrete
from league.games.core import Acting, GameSpec, RoleSpec, State
from league.games.native.core import NativeGame, Outcome
from league.games.options import whole

Table = Sequence[Sequence[float]]
_MOST_DIVISIONS = 4096


class Bimatrix(NativeGame):
    """One simultaneous move: `row` and `column` `[R, C]` float32 say what each seat gets. Observation: `[1]`, always 1.

    Where both seats see the same game (the column's table is the row's transposed), they share one role "player";
    otherwise there are the roles "row" and "column". A zero-sum game of only wins, draws and losses (1, 0, -1) is
    decided by placements, any other by its score.

    Public, for exact traversal: `payoff` `[R, C, 2]` float32.
    """

    def __init__(
        self,
        name: str,
        row: Tensor,
        column: Tensor,
        slots: int,
        device: torch.device | str,
        options: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(_spec(name, row, column, options or {}), slots, device)
        self._columns = row.shape[1]
        self._seats = {role.name: torch.tensor(role.seats, device=self.device) for role in self.spec.roles}
        self.payoff = torch.stack((row, column), 2).to(self.device)
        self._payoff = self.payoff.flatten(0, 1)

    def deal(self, seeds: Tensor) -> State:
        # One move is the whole episode, so there is nothing to remember; a state only says how many slots there are.
        return {"move": torch.zeros_like(seeds)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        if len(self.spec.roles) == 1:
            row, column = actions["player"].unbind(1)
        else:
            row, column = actions["row"].flatten(), actions["column"].flatten()
        score = self._payoff.index_select(0, torch.add(column, row, alpha=self._columns))
        return state, Outcome(score, torch.ones_like(row, dtype=torch.bool), score)

    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        slots, acts = len(state["move"]), {}
        for role in self.spec.roles:
            shape = (slots, role.acting)
            seat = self._seats[role.name].expand(shape)
            obs = torch.ones((*shape, 1), device=self.device)
            acts[role.name] = Acting(obs, None, seat, torch.ones(shape, dtype=torch.bool, device=self.device))
        return acts, None

    def text(self, state: State) -> str:
        rows = self.payoff.tolist()
        return "\n".join("   ".join(f"{row:g}, {column:g}" for row, column in line) for line in rows)


class Matrix(Bimatrix):
    """A matrix game from a user's own table.

    payoff: what the row seat gets, by its action (rows) and the column seat's (columns). payoff_column: what the column
    seat gets, by the same indices; left out, the game is zero-sum. Raises GameError for tables that do not fit.
    """

    def __init__(
        self, slots: int, device: torch.device | str = "cpu", *, payoff: Table, payoff_column: Table | None = None
    ) -> None:
        row = _read(payoff, "payoff")
        column = -row if payoff_column is None else _read(payoff_column, "payoff_column")
        if row.shape != column.shape:
            shapes = f"{tuple(row.shape)} and {tuple(column.shape)}"
            raise GameError(f"matrix: payoff and payoff_column must have one shape; theirs are {shapes}")
        options: dict[str, object] = {"payoff": row.tolist()}
        if payoff_column is not None:
            options["payoff_column"] = column.tolist()
        super().__init__("matrix", row, column, slots, device, options)


class RockPaperScissors(Bimatrix):
    """Rock (0), paper (1), scissors (2); a win is worth 1. Equilibrium: each with probability 1/3."""

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        row = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
        super().__init__("rps", row, -row, slots, device)


class BiasedRPS(Bimatrix):
    """Rock-paper-scissors with unequal stakes, the payoffs of OpenSpiel's `matrix_brps`.

    Rock beats scissors for 50, paper beats rock for 25, scissors beat paper for 5. Equilibrium: rock 1/16, paper 10/16,
    scissors 5/16.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        row = torch.tensor([[0.0, -25.0, 50.0], [25.0, 0.0, -5.0], [-50.0, 5.0, 0.0]])
        super().__init__("biased_rps", row, -row, slots, device)


class Blotto(Bimatrix):
    """Colonel Blotto (Borel 1921): both seats divide `troops` over `fields`; who wins more fields wins (1, 0, -1).

    A field goes to whoever sent more troops there, and to nobody on equal numbers. Actions are all the `divisions` in
    lexicographic order, as in OpenSpiel's `blotto`. Raises GameError where there are none, or more than 4096.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu", *, troops: int = 5, fields: int = 3) -> None:
        for name, value in (("troops", troops), ("fields", fields)):
            whole("blotto", name, value)
        if comb(troops + fields - 1, fields - 1) > _MOST_DIVISIONS:
            raise GameError(
                f"blotto: {troops} troops over {fields} fields can be divided in "
                f"{comb(troops + fields - 1, fields - 1)} ways; at most {_MOST_DIVISIONS} can be played"
            )
        self.divisions = tuple(_divisions(troops, fields))
        sent = torch.tensor(self.divisions, dtype=torch.float32)
        row = sum((field[:, None] - field[None]).sign() for field in sent.unbind(1))
        row = torch.as_tensor(row).sign()
        super().__init__("blotto", row, -row, slots, device, {"troops": troops, "fields": fields})


def _divisions(troops: int, fields: int) -> list[tuple[int, ...]]:
    """All ways to divide troops over fields: bars between stars."""
    found = []
    for bars in combinations(range(troops + fields - 1), fields - 1):
        edges = (-1, *bars, troops + fields - 1)
        found.append(tuple(right - left - 1 for left, right in pairwise(edges)))
    return found


def _read(table: Table, name: str) -> Tensor:
    try:
        payoff = torch.tensor([[float(value) for value in line] for line in table])
    except (TypeError, ValueError) as error:
        raise GameError(f"matrix: {name} must be rows of numbers, all of one length; {error}") from error
    if payoff.dim() != 2 or payoff.numel() == 0 or not bool(payoff.isfinite().all()):
        raise GameError(f"matrix: {name} must be rows of finite numbers, at least one by one; it is {table!r}")
    return payoff


def _spec(name: str, row: Tensor, column: Tensor, options: Mapping[str, object]) -> GameSpec:
    zero_sum = bool((row == -column).all())
    unit = bool(row.sign().eq(row).all())
    if row.shape[0] == row.shape[1] and bool((row == column.T).all()):
        roles: tuple[RoleSpec, ...] = (RoleSpec("player", (0, 1), 2, (1,), torch.float32, Discrete(row.shape[0])),)
    else:
        roles = (
            RoleSpec("row", (0,), 1, (1,), torch.float32, Discrete(row.shape[0])),
            RoleSpec("column", (1,), 1, (1,), torch.float32, Discrete(row.shape[1])),
        )
    both = torch.stack((row, column))
    return GameSpec(
        name,
        "1",
        ("player_0", "player_1"),
        ((0,), (1,)),
        roles,
        outcome="placements" if zero_sum and unit else "score",
        score_range=(float(both.min()), float(both.max())),
        options=options,
    )
