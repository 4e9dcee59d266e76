"""Leduc poker in batched torch."""

from __future__ import annotations

from functools import cache
from itertools import permutations

import torch

from league.games.core import State
from league.games.native.cards import Betting, TablePoker, one_hot

FOLD, CALL, RAISE = 0, 1, 2
_RAISE_BY = (2, 4)
_MOST_RAISES = 2
_LONGEST = 4
"""Most actions in one betting round: call, raise, raise, call."""
_RANKS = "JQK"


class Leduc(TablePoker):
    """Leduc poker with OpenSpiel's actions (0 fold, 1 call or check, 2 raise or bet) and rules, two seats.

    Southey et al. 2005, "Bayes' Bluff". Six cards (three ranks, two suits; card // 2 is the rank), ante 1, raises of 2
    in the first round and 4 in the second, at most two a round; folding is legal only against a raise; a pair with the
    public card wins, then the higher rank, and equal ranks share.

    Observation `[23]` uint8: own rank (3), public rank or none (4), and for each of up to four actions of each round
    call and raise (2 x 4 x 2). Suits decide nothing and are not shown. State `[26]`: with the ranks of both seats.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        super().__init__("leduc", 3, list(permutations(range(6), 3)), slots, device)

    def opening(self) -> Betting:
        return Betting(((),), (1, 1))

    def after(self, node: Betting) -> list[Betting | None]:
        history = node.rounds[-1]
        paid, seat = list(node.paid), node.seat
        fold = None
        if max(paid) > paid[seat]:
            fold = Betting(self._with(node, FOLD), node.paid, folded=seat, over=True)
        paid[seat] = max(paid)
        call = Betting(self._with(node, CALL), (paid[0], paid[1]))
        if history:  # the round is over: every raise is called, or both have checked
            last = len(node.rounds) == 2
            call = Betting(call.rounds if last else (*call.rounds, ()), call.paid, over=last)
        if history.count(RAISE) == _MOST_RAISES:
            return [fold, call, None]
        paid[seat] += _RAISE_BY[len(node.rounds) - 1]
        return [fold, call, Betting(self._with(node, RAISE), (paid[0], paid[1]))]

    def _with(self, node: Betting, action: int) -> tuple[tuple[int, ...], ...]:
        return (*node.rounds[:-1], (*node.rounds[-1], action))

    def strength(self, deal: tuple[int, ...], seat: int) -> int:
        own, public = deal[seat] // 2, deal[2] // 2
        return own + len(_RANKS) * (own == public)

    def view(self, node: Betting, deal: tuple[int, ...], seat: int) -> list[int]:
        return one_hot(deal[seat] // 2, 3) + _public(node, deal[2] // 2)

    def state_view(self, node: Betting, deal: tuple[int, ...]) -> list[int]:
        return one_hot(deal[0] // 2, 3) + one_hot(deal[1] // 2, 3) + _public(node, deal[2] // 2)

    def text(self, state: State) -> str:
        node, deal = self.nodes[int(state["node"][0])], self.deals[int(state["deal"][0])]
        ranks = [_RANKS[card // 2] for card in deal]
        public = ranks[2] if len(node.rounds) == 2 else "none"
        said = " / ".join(", ".join(("fold", "call", "raise")[a] for a in round_) or "none" for round_ in node.rounds)
        cards = f"player_0 {ranks[0]}, player_1 {ranks[1]}, public {public}"
        return f"cards: {cards}\nbetting: {said}\npot: {sum(node.paid)}\nplayer_{node.seat} to act"


@cache
def _public(node: Betting, rank: int) -> list[int]:
    """The public card (none, J, Q, K), and the betting of both rounds."""
    bits = one_hot(rank + 1 if len(node.rounds) == 2 else 0, 4)
    for history in (*node.rounds, ())[:2]:
        bits += [
            int(place < len(history) and history[place] == action)
            for place in range(_LONGEST)
            for action in (CALL, RAISE)
        ]
    return bits
