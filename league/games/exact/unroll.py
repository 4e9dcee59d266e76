"""The sequence form of a game: native games that list their deals, and small games of OpenSpiel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from league.errors import GameError
from league.games.core import Acting, Game, RoleSpec
from league.games.exact.sequence_form import (
    MAX_HISTORIES,
    SequenceForm,
    SequenceFormBuilder,
    not_zero_sum,
    too_large,
)
from league.games.exact.unroll_openspiel import unroll_openspiel
from league.games.native.core import NativeGame

Integers = npt.NDArray[np.int64]


def sequence_form(game: Game) -> SequenceForm:
    """The sequence form of a game.

    Raises GameError unless it has two seats against each other, is zero-sum, has at most `MAX_HISTORIES` histories, and
    is of a kind whose rules list all that may happen.
    """
    spec = game.spec
    if len(spec.seats) != 2 or len(spec.sides) != 2:
        raise GameError(
            f"{spec.id} has {len(spec.seats)} seat{'s' * (len(spec.seats) != 1)} on {len(spec.sides)} "
            f"side{'s' * (len(spec.sides) != 1)}: exploitability needs a game of two seats against each other"
        )
    if isinstance(game, NativeGame):
        return _unroll_native(game)
    if spec.id.startswith("openspiel:"):
        return unroll_openspiel(spec)
    raise GameError(
        f"{spec.id} cannot be traversed: only native games that list their deals, and small zero-sum games of "
        "OpenSpiel (openspiel:NAME), can"
    )


def _unroll_native(game: NativeGame) -> SequenceForm:
    """Visit every history breadth first, all positions of a turn at once."""
    builder, state = SequenceFormBuilder(game.spec), game.every_deal()
    so_far = np.zeros((len(next(iter(state.values()))), 2), np.int64)
    chance = 1 / len(so_far)
    while len(so_far):
        acts, _ = game.look(state)
        # A branch is a position with the actions chosen there so far: seats that act at once choose one after the
        # other, and do not see what was chosen before.
        position = np.arange(len(so_far))
        chosen = {name: np.zeros(acting.seat.shape, np.int64) for name, acting in acts.items()}
        for name, acting in acts.items():
            for place in range(acting.seat.shape[1]):
                seat, sequence, legal = _decide(builder, game.spec.role(name), acting, place, position, so_far)
                if builder.histories + legal.sum() > MAX_HISTORIES:
                    raise too_large(game.spec.id)
                branch, action = legal.nonzero()
                position, so_far = position[branch], so_far[branch]
                so_far[np.arange(len(branch)), seat[branch]] = sequence[branch] + action
                chosen = {role: actions[branch] for role, actions in chosen.items()}
                chosen[name][:, place] = action
        rows = torch.from_numpy(position).to(game.device)
        actions = {name: torch.from_numpy(one).to(game.device) for name, one in chosen.items()}
        state, outcome = game.play({key: value[rows] for key, value in state.items()}, actions)
        ended, score = outcome.ended.cpu().numpy(), outcome.score.double().cpu().numpy()
        if score[ended].sum(1).any():
            raise not_zero_sum(game.spec.id)
        for (first, second), payoff in zip(so_far[ended].tolist(), score[ended, 0].tolist(), strict=True):
            builder.add_terminal((first, second), payoff * chance)
        state, so_far = {key: value[~outcome.ended] for key, value in state.items()}, so_far[~ended]
    return builder.build()


def _decide(
    builder: SequenceFormBuilder, role: RoleSpec, acting: Acting, place: int, position: Integers, so_far: Integers
) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    """Add the decision of one of a role's acting seats in every branch.

    place: of the seat among the acting ones. position: `[N]`, by branch. so_far: `[N, 2]`, both seats' sequences.
    Returns by branch the seat `[N]`, its sequence after action 0 `[N]` and its legal actions `[N, A]`. Where nobody
    acts, action 0 alone is legal and leaves the sequence as it is.
    """
    seats, present = acting.seat[:, place].cpu().numpy(), acting.present[:, place].cpu().numpy()
    obs, mask = acting.obs[:, place].cpu().numpy(), np.ones((len(seats), role.actions.width), np.bool_)
    if acting.mask is not None:
        mask = acting.mask[:, place].cpu().numpy()
    keys = [one.tobytes() for one in obs]
    seat, legal = seats[position], np.where(present[:, None], mask, np.arange(mask.shape[1]) == 0)[position]
    sequence = so_far[np.arange(len(position)), seat]
    for branch in np.flatnonzero(present[position]).tolist():
        row = int(position[branch])
        before = builder.add_decision(
            int(seat[branch]),
            keys[row],
            int(sequence[branch]),
            lambda row=row: (obs[row], mask[row]),  # type: ignore[misc]
        )
        sequence[branch] = before + 1
    return seat, sequence, legal
