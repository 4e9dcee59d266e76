"""The sequence form of a game: matrix games, Kuhn and Leduc poker, and small games of OpenSpiel."""

from __future__ import annotations

import torch

from league.errors import GameError
from league.games.core import Game
from league.games.exact.sequence_form import (
    MAX_HISTORIES,
    SequenceForm,
    SequenceFormBuilder,
    not_zero_sum,
    too_large,
    with_move,
)
from league.games.exact.unroll_openspiel import unroll_openspiel
from league.games.native.matrix import Bimatrix
from league.games.native.poker import TabularPoker


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
    if isinstance(game, Bimatrix):
        return _unroll_matrix(game)
    if isinstance(game, TabularPoker):
        return _unroll_poker(game)
    if spec.id.startswith("openspiel:"):
        return unroll_openspiel(spec)
    raise GameError(
        f"{spec.id} cannot be traversed: only matrix games, kuhn, leduc, and small zero-sum games of OpenSpiel "
        "(openspiel:NAME) can"
    )


def _unroll_matrix(game: Bimatrix) -> SequenceForm:
    rows, columns, _ = game.payoff.shape
    payoff = game.payoff.double().cpu().numpy()
    if (payoff.sum(2) != 0).any():
        raise not_zero_sum(game.spec.id)
    if rows * columns > MAX_HISTORIES:
        raise too_large(game.spec.id)
    acts, _ = game.look(game.deal(torch.zeros(1, dtype=torch.int64)))
    obs = {
        seat: acting.obs[0, k].cpu().numpy()
        for acting in acts.values()
        for k, seat in enumerate(acting.seat[0].tolist())
    }
    builder = SequenceFormBuilder(game.spec)
    first = builder.add_decision(0, "row", 0, lambda: (obs[0], None)) + 1
    for row in range(rows):
        # The seats choose at once: the column seat does not see the row.
        second = builder.add_decision(1, "column", 0, lambda: (obs[1], None)) + 1
        for column in range(columns):
            builder.add_terminal((first + row, second + column), float(payoff[row, column, 0]))
    return builder.build()


def _unroll_poker(game: TabularPoker) -> SequenceForm:
    nodes, deals = len(game.nodes), len(game.deals)
    if nodes * deals > MAX_HISTORIES:
        raise too_large(game.spec.id)
    acts, _ = game.look(
        {"node": torch.arange(nodes).repeat_interleave(deals), "deal": torch.arange(deals).repeat(nodes)}
    )
    acting, children, payoff = acts["player"], game.children.tolist(), game.payoff[..., 0].tolist()
    assert acting.mask is not None
    obs, mask = acting.obs[:, 0].cpu().numpy(), acting.mask[:, 0].cpu().numpy()
    builder = SequenceFormBuilder(game.spec)
    # By node and deal, both seats' sequences; every node comes before its successors.
    sequences: dict[tuple[int, int], tuple[int, int]] = {(0, deal): (0, 0) for deal in range(deals)}
    for node, betting in enumerate(game.nodes):
        seat = betting.seat
        for deal in range(deals):
            so_far, row = sequences.pop((node, deal)), node * deals + deal
            if betting.over:
                builder.add_terminal(so_far, payoff[node][deal] / deals)
                continue
            here = builder.add_decision(
                seat,
                obs[row].tobytes(),
                so_far[seat],
                lambda row=row: (obs[row], mask[row]),  # type: ignore[misc]
            )
            for action, child in enumerate(children[node]):
                if child != node:
                    sequences[child, deal] = with_move(so_far, seat, here + 1 + action)
    return builder.build()
