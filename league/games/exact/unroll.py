"""A game in sequence form: matrix games, table poker, and the games of OpenSpiel that are small enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from league.errors import GameError
from league.games.core import Game
from league.games.native.cards import TablePoker
from league.games.native.matrix import Bimatrix

if TYPE_CHECKING:
    pass

from league.games.exact.sequence_form import MOST, SequenceForm, Unrolling, not_zero_sum, too_large, with_move
from league.games.exact.unroll_openspiel import unroll


def sequence_form(game: Game) -> SequenceForm:
    """The whole of a game. Raises GameError where it is not of two seats against each other, not zero-sum, too large
    (`MOST`), or of a kind whose rules cannot be asked for everything that may happen."""
    spec = game.spec
    if len(spec.seats) != 2 or len(spec.sides) != 2:
        raise GameError(
            f"{spec.id} is played by {len(spec.seats)} seat{'s' * (len(spec.seats) != 1)} on {len(spec.sides)} "
            f"side{'s' * (len(spec.sides) != 1)}: it takes two seats against each other to be exploited"
        )
    if isinstance(game, Bimatrix):
        return _of_matrix(game)
    if isinstance(game, TablePoker):
        return _of_poker(game)
    if spec.id.startswith("openspiel:"):
        return unroll(spec)
    raise GameError(
        f"{spec.id} cannot be traversed: that can be done with matrix games, kuhn, leduc, and the zero-sum games of "
        "OpenSpiel that are small enough (openspiel:NAME)"
    )


def _of_matrix(game: Bimatrix) -> SequenceForm:
    rows, columns, _ = game.payoff.shape
    payoff = game.payoff.double().cpu().numpy()
    if (payoff.sum(2) != 0).any():
        raise not_zero_sum(game.spec.id)
    if rows * columns > MOST:
        raise too_large(game.spec.id)
    acts, _ = game.look(game.deal(torch.zeros(1, dtype=torch.int64)))
    seen = {
        seat: acting.obs[0, k].cpu().numpy()
        for acting in acts.values()
        for k, seat in enumerate(acting.seat[0].tolist())
    }
    unrolling = Unrolling(game.spec)
    first = unrolling.decision(0, "row", 0, lambda: (seen[0], None)) + 1
    for row in range(rows):
        # Whoever chooses at the same time does not see what the other chose.
        second = unrolling.decision(1, "column", 0, lambda: (seen[1], None)) + 1
        for column in range(columns):
            unrolling.end((first + row, second + column), float(payoff[row, column, 0]))
    return unrolling.form()


def _of_poker(game: TablePoker) -> SequenceForm:
    nodes, deals = len(game.nodes), len(game.deals)
    if nodes * deals > MOST:
        raise too_large(game.spec.id)
    acts, _ = game.look(
        {"node": torch.arange(nodes).repeat_interleave(deals), "deal": torch.arange(deals).repeat(nodes)}
    )
    acting, children, payoff = acts["player"], game.children.tolist(), game.payoff[..., 0].tolist()
    assert acting.mask is not None
    obs, mask = acting.obs[:, 0].cpu().numpy(), acting.mask[:, 0].cpu().numpy()
    unrolling = Unrolling(game.spec)
    # By node and deal, both seats' sequences; a node stands before all that follow it.
    sequences: dict[tuple[int, int], tuple[int, int]] = {(0, deal): (0, 0) for deal in range(deals)}
    for node, betting in enumerate(game.nodes):
        seat = betting.seat
        for deal in range(deals):
            so_far, row = sequences.pop((node, deal)), node * deals + deal
            if betting.over:
                unrolling.end(so_far, payoff[node][deal] / deals)
                continue
            here = unrolling.decision(
                seat,
                obs[row].tobytes(),
                so_far[seat],
                lambda row=row: (obs[row], mask[row]),  # type: ignore[misc]
            )
            for action, child in enumerate(children[node]):
                if child != node:
                    sequences[child, deal] = with_move(so_far, seat, here + 1 + action)
    return unrolling.form()
