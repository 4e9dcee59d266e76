"""Leduc poker (Southey et al. 2005): six cards, two betting rounds. Rules as in OpenSpiel's `leduc_poker`."""

from __future__ import annotations

from functools import cache
from itertools import permutations

import torch

from league.games.core import State
from league.games.native.poker import Betting, TabularPoker, one_hot

FOLD, CALL, RAISE = 0, 1, 2
_RAISE_SIZES = (2, 4)
_MAX_RAISES = 2
_MAX_ACTIONS = 4
"""Most actions in one betting round: call, raise, raise, call."""
_RANKS = "JQK"


class Leduc(TabularPoker):
    """Leduc poker with OpenSpiel's actions (0 fold, 1 call or check, 2 raise or bet) and rules, two seats.

    Southey et al. 2005, "Bayes' Bluff". Six cards (three ranks, two suits; card // 2 is the rank), ante 1, raises of 2
    in the first round and 4 in the second, at most two a round; folding is legal only against a raise. A pair with the
    public card wins, otherwise the higher rank; equal ranks share.

    Observation `[23]` uint8: own rank (3), public rank or none (4), and for each of up to four actions of each round
    call and raise (2 x 4 x 2). Suits do not matter and are not shown. State `[26]`: with both seats' ranks.
    """

    sees = (
        "one-hot of one's own rank (J, Q, K) and of the public rank or none, then for each of up to four "
        "actions of both rounds: call, raise"
    )
    does = "0 fold, 1 call or check, 2 raise or bet"

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
        if history:  # the round is over: the raise is called, or both seats have checked
            last = len(node.rounds) == 2
            call = Betting(call.rounds if last else (*call.rounds, ()), call.paid, over=last)
        if history.count(RAISE) == _MAX_RAISES:
            return [fold, call, None]
        paid[seat] += _RAISE_SIZES[len(node.rounds) - 1]
        return [fold, call, Betting(self._with(node, RAISE), (paid[0], paid[1]))]

    def _with(self, node: Betting, action: int) -> tuple[tuple[int, ...], ...]:
        return (*node.rounds[:-1], (*node.rounds[-1], action))

    def strength(self, deal: tuple[int, ...], seat: int) -> int:
        own, public = deal[seat] // 2, deal[2] // 2
        return own + len(_RANKS) * (own == public)

    def observation(self, node: Betting, deal: tuple[int, ...], seat: int) -> list[int]:
        return one_hot(deal[seat] // 2, 3) + _public(node, deal[2] // 2)

    def full_information(self, node: Betting, deal: tuple[int, ...]) -> list[int]:
        return one_hot(deal[0] // 2, 3) + one_hot(deal[1] // 2, 3) + _public(node, deal[2] // 2)

    def text(self, state: State) -> str:
        node, deal = self.nodes[int(state["node"][0])], self.deals[int(state["deal"][0])]
        ranks = [_RANKS[card // 2] for card in deal]
        public = ranks[2] if len(node.rounds) == 2 else "none"
        rounds = [", ".join(("fold", "call", "raise")[action] for action in actions) for actions in node.rounds]
        betting = " / ".join(one or "none" for one in rounds)
        cards = f"player_0 {ranks[0]}, player_1 {ranks[1]}, public {public}"
        return f"cards: {cards}\nbetting: {betting}\npot: {sum(node.paid)}\nplayer_{node.seat} to act"


@cache
def _public(node: Betting, rank: int) -> list[int]:
    """The public card (none, J, Q, K), and the betting of both rounds."""
    bits = one_hot(rank + 1 if len(node.rounds) == 2 else 0, 4)
    for history in (*node.rounds, ())[:2]:
        bits += [
            int(place < len(history) and history[place] == action)
            for place in range(_MAX_ACTIONS)
            for action in (CALL, RAISE)
        ]
    return bits
