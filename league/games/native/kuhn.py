"""Kuhn poker (Kuhn 1950): three cards, one bet. Rules as in OpenSpiel's `kuhn_poker`."""

from __future__ import annotations

from itertools import permutations

import torch

from league.games.core import State
from league.games.native.poker import Betting, TabularPoker, one_hot

PASS, BET = 0, 1
_CARDS = "JQK"


class Kuhn(TabularPoker):
    """Kuhn poker with OpenSpiel's actions (0 pass, 1 bet) and payoffs (ante 1, bet 1).

    Kuhn 1950, "A Simplified Two-Person Poker". Observation `[9]` uint8: own card (3), then for each of up to three
    actions pass and bet (3 x 2). State: as the observation, with the cards of both seats (3 + 3).
    """

    sees = "one-hot of one's own card (J, Q, K), then for each of up to three actions: pass, bet"
    does = "0 pass, 1 bet"

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        super().__init__("kuhn", 2, list(permutations(range(3), 2)), slots, device)

    def opening(self) -> Betting:
        return Betting(((),), (1, 1))

    def after(self, node: Betting) -> list[Betting | None]:
        return [self._acted(node, PASS), self._acted(node, BET)]

    def _acted(self, node: Betting, action: int) -> Betting:
        history = node.rounds[0]
        paid = list(node.paid)
        paid[node.seat] += action == BET
        folded = node.seat if action == PASS and BET in history else None
        over = BET in history or (action == PASS and len(history) == 1)
        return Betting(((*history, action),), (paid[0], paid[1]), folded, over)

    def strength(self, deal: tuple[int, ...], seat: int) -> int:
        return deal[seat]

    def observation(self, node: Betting, deal: tuple[int, ...], seat: int) -> list[int]:
        return one_hot(deal[seat], 3) + _bits(node)

    def full_information(self, node: Betting, deal: tuple[int, ...]) -> list[int]:
        return one_hot(deal[0], 3) + one_hot(deal[1], 3) + _bits(node)

    def text(self, state: State) -> str:
        node, deal = self.nodes[int(state["node"][0])], self.deals[int(state["deal"][0])]
        betting = ", ".join(("pass", "bet")[action] for action in node.rounds[0]) or "none"
        cards = f"player_0 {_CARDS[deal[0]]}, player_1 {_CARDS[deal[1]]}"
        return f"cards: {cards}\nbetting: {betting}\npot: {sum(node.paid)}\nplayer_{node.seat} to act"


def _bits(node: Betting) -> list[int]:
    history = node.rounds[0]
    return [int(place < len(history) and history[place] == action) for place in range(3) for action in (PASS, BET)]
