"""Matrix games: two seats choose at once, and payoff matrices give the score of each.

The user's own (`Matrix`), rock-paper-scissors (also biased, as in OpenSpiel), and Colonel Blotto (Borel 1921).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from math import comb

import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import Discrete
from league.games.core import GameSpec, RoleSpec, State
from league.games.native.core import ActsAndState, NativeGame, Outcome, all_acting
from league.games.option_checks import check_whole

PayoffMatrix = Sequence[Sequence[float]]
"""`[R][C]`, by the row seat's and the column seat's action."""

_MAX_DIVISIONS = 4096


class Bimatrix(NativeGame):
    """One simultaneous move. row, column: the payoffs of each seat, `[R, C]` float32. Observation: `[1]`, always 1.

    In a symmetric game (the column seat's payoffs are the row seat's transposed) the seats share one role "player";
    otherwise the roles are "row" and "column". A zero-sum game with payoffs 1, 0 and -1 only is decided by placements,
    any other by its score.

    Public: `payoff` `[R, C, 2]` float32.
    """

    sees = "always 1"
    does = "the row or the column of the payoff matrix"

    def __init__(
        self,
        name: str,
        slots: int,
        device: torch.device | str,
        *,
        row: Tensor,
        column: Tensor,
        options: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(_spec(name, row, column, options or {}), slots, device)
        self._columns = row.shape[1]
        self._seats = {role.name: torch.tensor(role.seats, device=self.device) for role in self.spec.roles}
        self.payoff = torch.stack((row, column), 2).to(self.device)
        self._payoff = self.payoff.flatten(0, 1)

    def deal(self, seeds: Tensor) -> State:
        # One move is the whole episode, so the state holds nothing but the number of slots.
        return {"move": torch.zeros_like(seeds)}

    def every_deal(self) -> State:
        return {"move": torch.zeros(1, dtype=torch.int64, device=self.device)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        if len(self.spec.roles) == 1:
            row, column = actions["player"].unbind(1)
        else:
            row, column = actions["row"].flatten(), actions["column"].flatten()
        score = self._payoff.index_select(0, torch.add(column, row, alpha=self._columns))
        return state, Outcome(score, torch.ones_like(row, dtype=torch.bool), score)

    def look(self, state: State) -> ActsAndState:
        slots = len(state["move"])
        obs = {role.name: torch.ones((slots, role.acting, 1), device=self.device) for role in self.spec.roles}
        return {name: all_acting(one, self._seats[name]) for name, one in obs.items()}, None

    def text(self, state: State) -> str:
        rows = self.payoff.tolist()
        return "\n".join("   ".join(f"{row:g}, {column:g}" for row, column in line) for line in rows)


class Matrix(Bimatrix):
    """A matrix game with the user's own payoffs.

    payoff: the row seat's, by its action (rows) and the column seat's (columns). payoff_column: the column seat's, with
    the same indices; without it, the game is zero-sum. Raises GameError for matrices of unequal or ragged shape.
    """

    def __init__(
        self,
        slots: int,
        device: torch.device | str = "cpu",
        *,
        payoff: PayoffMatrix,
        payoff_column: PayoffMatrix | None = None,
    ) -> None:
        row = _read(payoff, "payoff")
        column = -row if payoff_column is None else _read(payoff_column, "payoff_column")
        if row.shape != column.shape:
            shapes = f"{tuple(row.shape)} and {tuple(column.shape)}"
            raise GameError(f"matrix: payoff and payoff_column must have the same shape; theirs are {shapes}")
        options: dict[str, object] = {"payoff": row.tolist()}
        if payoff_column is not None:
            options["payoff_column"] = column.tolist()
        super().__init__("matrix", slots, device, row=row, column=column, options=options)


class RockPaperScissors(Bimatrix):
    """Rock (0), paper (1), scissors (2); a win is worth 1. Equilibrium: each with probability 1/3."""

    does = "0 rock, 1 paper, 2 scissors"

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        row = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
        super().__init__("rps", slots, device, row=row, column=-row)


class BiasedRPS(Bimatrix):
    """Rock-paper-scissors with unequal stakes, the payoffs of OpenSpiel's `matrix_brps`.

    Rock beats scissors for 50, paper beats rock for 25, scissors beat paper for 5. Equilibrium: rock 1/16, paper 10/16,
    scissors 5/16.
    """

    does = "0 rock, 1 paper, 2 scissors"

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        row = torch.tensor([[0.0, -25.0, 50.0], [25.0, 0.0, -5.0], [-50.0, 5.0, 0.0]])
        super().__init__("biased_rps", slots, device, row=row, column=-row)


class Blotto(Bimatrix):
    """Colonel Blotto (Borel 1921): both seats divide `troops` over `fields`; the seat with more fields wins (1, 0, -1).

    A field goes to the seat that sent more troops there, and to nobody on equal numbers. Actions are all `divisions` in
    lexicographic order, as in OpenSpiel's `blotto`. Raises GameError where there are none, or more than 4096.
    """

    does = "a division of the troops over the fields, in lexicographic order"

    def __init__(self, slots: int, device: torch.device | str = "cpu", *, troops: int = 5, fields: int = 3) -> None:
        for name, value in (("troops", troops), ("fields", fields)):
            check_whole("blotto", name, value)
        if comb(troops + fields - 1, fields - 1) > _MAX_DIVISIONS:
            raise GameError(
                f"blotto: {troops} troops over {fields} fields can be divided in "
                f"{comb(troops + fields - 1, fields - 1)} ways; the limit is {_MAX_DIVISIONS}"
            )
        self.divisions = tuple(_divisions(troops, fields))
        sent = torch.tensor(self.divisions, dtype=torch.float32)
        row = sum((field[:, None] - field[None]).sign() for field in sent.unbind(1))
        row = torch.as_tensor(row).sign()
        options = {"troops": troops, "fields": fields}
        super().__init__("blotto", slots, device, row=row, column=-row, options=options)


def _divisions(troops: int, fields: int) -> list[tuple[int, ...]]:
    """All ways to divide troops over fields: bars between stars."""
    found = []
    for bars in combinations(range(troops + fields - 1), fields - 1):
        edges = (-1, *bars, troops + fields - 1)
        found.append(tuple(right - left - 1 for left, right in pairwise(edges)))
    return found


def _read(matrix: PayoffMatrix, name: str) -> Tensor:
    try:
        payoff = torch.tensor([[float(value) for value in line] for line in matrix])
    except (TypeError, ValueError) as error:
        raise GameError(f"matrix: {name} must be rows of numbers of equal length: {error}") from error
    if payoff.dim() != 2 or payoff.numel() == 0 or not bool(payoff.isfinite().all()):
        raise GameError(f"matrix: {name} must be a non-empty matrix of finite numbers, not {matrix!r}")
    return payoff


def _spec(name: str, row: Tensor, column: Tensor, options: Mapping[str, object]) -> GameSpec:
    zero_sum = bool((row == -column).all())
    unit = bool(row.sign().eq(row).all())
    if row.shape[0] == row.shape[1] and bool((row == column.T).all()):
        roles: tuple[RoleSpec, ...] = (_role("player", (0, 1), row.shape[0]),)
    else:
        roles = _role("row", (0,), row.shape[0]), _role("column", (1,), row.shape[1])
    both = torch.stack((row, column))
    return GameSpec(
        id=name,
        version="1",
        seats=("player_0", "player_1"),
        sides=((0,), (1,)),
        roles=roles,
        outcome="placements" if zero_sum and unit else "score",
        score_range=(float(both.min()), float(both.max())),
        options=options,
    )


def _role(name: str, seats: tuple[int, ...], actions: int) -> RoleSpec:
    return RoleSpec(
        name=name,
        seats=seats,
        acting=len(seats),
        obs_shape=(1,),
        obs_dtype=torch.float32,
        actions=Discrete(actions),
    )
