"""Sets up labelled positions in a game: the moves of all of them are played together, one slot for each.

Letters in shapes: B slots, T the most moves of a position, A actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from league.errors import PositionError
from league.games.actions import Discrete
from league.games.core import Acting, Game, GameSpec, RoleSpec, Turn
from league.studies.probe.labelled_positions import LabelledPosition


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the walk.

    turn: who acts. playing: `[B]` bool, the slots that have not passed their position. reached: `[B]` bool, those that
    are at their position now.
    """

    turn: Turn
    playing: Tensor
    reached: Tensor


def check_walkable(spec: GameSpec) -> None:
    """Raises PositionError if the moves of a game cannot be written as one list of action numbers."""
    for role in spec.roles:
        if role.acting != 1 or not isinstance(role.actions, Discrete):
            raise PositionError(
                f"{spec.id} has no positions of moves: its seats must take turns, each with one of n moves"
            )


def walk(game: Game, positions: Sequence[LabelledPosition]) -> Iterator[Step]:
    """Play the moves of at most B positions; position b in slot b. Raises PositionError where one cannot be reached."""
    moves, length = _padded(positions, game.slots)
    seeds = torch.zeros(game.slots, dtype=torch.int64)
    seeds[: len(positions)] = torch.tensor([position.seed for position in positions])
    turn = game.start(seeds)
    for clock in range(moves.shape[1] + 1):
        playing, reached = length >= clock, length == clock
        _check_turns(game.spec, turn, playing, positions, clock)
        if bool(reached.any()):
            _check_labels(game.spec, turn, reached, positions)
        yield Step(turn, playing, reached)
        if clock == moves.shape[1]:
            return
        going = length > clock
        actions = {
            role.name: _actions(role, turn.acts[role.name], moves[:, clock], going, positions, clock)
            for role in game.spec.roles
        }
        turn = game.step(actions, seeds)
        for slot in (going & turn.ended).nonzero()[:, 0].tolist():
            position = positions[slot]
            left = f", {len(position.moves) - clock - 1} too early" if len(position.moves) > clock + 1 else ""
            raise PositionError(f"{position.where}: the game is over after {clock + 1} moves{left}: nobody can move")


def _padded(positions: Sequence[LabelledPosition], slots: int) -> tuple[Tensor, Tensor]:
    """The moves `[B, T]`, and how many each position has, `[B]`: -1 in slots without a position."""
    length = torch.full((slots,), -1)
    length[: len(positions)] = torch.tensor([len(position.moves) for position in positions])
    moves = torch.zeros((slots, int(length.max())), dtype=torch.int64)
    for slot, position in enumerate(positions):
        moves[slot, : len(position.moves)] = torch.tensor(position.moves, dtype=torch.int64)
    return moves, length


def _check_turns(
    spec: GameSpec, turn: Turn, playing: Tensor, positions: Sequence[LabelledPosition], clock: int
) -> None:
    acting = torch.stack([turn.acts[role.name].present[:, 0] for role in spec.roles]).sum(0)
    for slot in (playing & (acting != 1)).nonzero()[:, 0].tolist():
        raise PositionError(
            f"{positions[slot].where}: after {clock} moves {int(acting[slot])} seats of {spec.id} act at once; "
            "positions of moves need seats that take turns"
        )


def _check_labels(spec: GameSpec, turn: Turn, reached: Tensor, positions: Sequence[LabelledPosition]) -> None:
    """Every legal action, and no other, has a score."""
    for role in spec.roles:
        acting, width = turn.acts[role.name], role.actions.width
        for slot in (reached & acting.present[:, 0]).nonzero()[:, 0].tolist():
            where, scores = positions[slot].where, positions[slot].scores
            if len(scores) != width:
                raise PositionError(f"{where}: there are {len(scores)} scores for {width} actions of {spec.id}")
            legal = [True] * width if acting.mask is None else acting.mask[slot, 0].tolist()
            for action, (score, can) in enumerate(zip(scores, legal, strict=True)):
                if can and score is None:
                    raise PositionError(f"{where}: action {action} is legal there, but has no score")
                if not can and score is not None:
                    raise PositionError(f"{where}: action {action} has a score, but is illegal there: it must be null")


def _actions(
    role: RoleSpec, acting: Acting, wanted: Tensor, going: Tensor, positions: Sequence[LabelledPosition], clock: int
) -> Tensor:
    """`[B, 1]`: the next move of slots that have one; in all others the first legal action."""
    mask = None if acting.mask is None else acting.mask[:, 0]
    mine = going & acting.present[:, 0]
    for slot in (mine & ~role.actions.legal(wanted, mask)).nonzero()[:, 0].tolist():
        move = positions[slot].moves[clock]
        raise PositionError(f"{positions[slot].where}: move {clock + 1} of its moves ({move}) is illegal")
    first = torch.zeros_like(wanted) if mask is None else mask.to(torch.uint8).argmax(1)
    return torch.where(mine, wanted, first)[:, None]
