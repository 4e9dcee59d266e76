"""Exact NashConv of the uniform mixture of policies, by full traversal: for rock-paper-scissors, Kuhn and Leduc."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from league.games.cards import TablePoker
from league.games.core import NativeGame
from league.policies.core import Policy, Rows, masked


def nash_conv_of_matrix(game: NativeGame, payoff: np.ndarray, policies: Sequence[Policy]) -> float:
    """What both seats together gain by best responses in a symmetric zero-sum matrix game. payoff: `[A, A]`, rows'."""
    acting = game.start(torch.zeros(1, dtype=torch.int64)).acts["player"]
    rows = Rows(acting.obs[0], None, acting.seat[0])
    mixture = np.mean([masked(policy.logits(rows), None).exp().double().numpy() for policy in policies], 0)
    return float((payoff @ mixture[1]).max() + (-payoff.T @ mixture[0]).max())


def nash_conv_of_poker(game: TablePoker, policies: Sequence[Policy]) -> float:
    """The sum over seats of a best response's value against the mixture (the values themselves sum to zero)."""
    chances = np.stack([_probabilities(game, policy) for policy in policies])
    return sum(_best_response(game, chances, seat) for seat in (0, 1))


def _probabilities(game: TablePoker, policy: Policy) -> np.ndarray:
    """`[nodes, deals, A]`."""
    nodes, deals = len(game.nodes), len(game.deals)
    state = {
        "node": torch.arange(nodes).repeat_interleave(deals),
        "deal": torch.arange(deals).repeat(nodes),
    }
    acting = game.look(state)[0]["player"]
    mask = acting.mask[:, 0]
    rows = Rows(acting.obs[:, 0], mask, acting.seat[:, 0])
    return masked(policy.logits(rows), mask).exp().double().numpy().reshape(nodes, deals, -1)


def _best_response(game: TablePoker, chances: np.ndarray, seat: int) -> float:
    """Value per game of the best response from `seat` to a uniform mixture. chances: `[K, nodes, deals, A]`."""
    count, nodes, deals, actions = chances.shape
    child = game._after.view(nodes, actions).numpy()
    reach = np.zeros((count, nodes, deals))
    reach[:, 0] = 1.0 / (count * deals)
    for node, betting in enumerate(game.nodes):
        if not betting.over:
            for action in range(actions):
                if child[node, action] != node:
                    weight = 1.0 if betting.seat == seat else chances[:, node, :, action]
                    reach[:, child[node, action]] = reach[:, node] * weight
    value = np.zeros((count, nodes, deals))
    for node in reversed(range(nodes)):
        betting = game.nodes[node]
        followers = [action for action in range(actions) if child[node, action] != node]
        if betting.over:
            value[:, node] = game.payoff[node, :, seat].numpy()
        elif betting.seat != seat:
            value[:, node] = sum(chances[:, node, :, a] * value[:, child[node, a]] for a in followers)
        else:
            gain = np.stack([(reach[:, node] * value[:, child[node, a]]).sum(0) for a in followers])
            known: dict[tuple[int, ...], list[int]] = {}
            for deal, cards in enumerate(game.deals):
                known.setdefault(tuple(game.view(betting, cards, seat)), []).append(deal)
            for same in known.values():
                best = followers[int(gain[:, same].sum(1).argmax())]
                value[:, node, same] = value[:, child[node, best]][:, same]
    return float((reach[:, 0] * value[:, 0]).sum())
