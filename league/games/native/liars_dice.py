"""Liar's dice with one die each: bid ever higher, or call the last bid a lie. Rules as in OpenSpiel's `liars_dice`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import torch
from torch import Tensor

from league.games.actions import Discrete
from league.games.core import Acting, GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import ActsAndState, NativeGame, Outcome

_FACES = 6
_BIDS = 2 * _FACES
LIAR = _BIDS


class LiarsDice(NativeGame):
    """Liar's dice with OpenSpiel's actions and payoffs: two seats, one six-sided die each, known to its owner only.

    Action 6 * (count - 1) + face - 1 bids that at least `count` of the two dice show `face`; every bid must be a higher
    action than the one before. Action 12 calls the last bid a lie and ends the episode: the caller wins if the bid is
    false, otherwise the bidder. Sixes are wild: they count as every face.

    Observation `[18]` uint8: own die (6), and the bids made so far (12). As bids only rise, these tell their order.
    State: `dice` `[B, 2]` int64, by seat, counted from 0; `bids` `[B]` int64, bit a is set where a was bid; for the
    critic `[24]`, both dice and the bids.
    """

    sees = "one-hot of one's own die, then one number for each bid: 1 if it was made"
    does = "6 * (count - 1) + face - 1 bids that so many of the dice show that face; 12 calls the last bid a lie"

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        role = RoleSpec(
            name="player",
            seats=(0, 1),
            acting=1,
            obs_shape=(_FACES + _BIDS,),
            obs_dtype=torch.uint8,
            actions=Discrete(_BIDS + 1),
        )
        spec = GameSpec(
            id="liars_dice",
            version="1",
            seats=("player_0", "player_1"),
            sides=((0,), (1,)),
            roles=(role,),
            score_range=(-1.0, 1.0),
            state_shape=(2 * _FACES + _BIDS,),
        )
        super().__init__(spec, slots, device)
        deals = torch.tensor(list(product(range(_FACES), repeat=2)))
        actions, sets = torch.arange(_BIDS + 1), torch.arange(1 << _BIDS)
        made = sets[:, None] >> actions[:-1] & 1
        # A bid is legal above the highest one so far, and a call where there is one.
        legal = torch.cat((sets[:, None] >> actions[:-1] == 0, sets[:, None] > 0), 1)
        last = (made * actions[:-1]).amax(1)
        seat = made.sum(1) % 2
        self._deals = deals.to(self.device)
        self._die = torch.eye(_FACES, dtype=torch.uint8, device=self.device)
        self._bit = torch.where(actions == LIAR, 0, 1 << actions).to(self.device)
        self._made = made.byte().to(self.device)
        self._legal = legal.to(self.device)
        self._seat = seat.to(self.device)
        self._called = _called(deals, last, seat).flatten(0, 1).to(self.device)

    def deal(self, seeds: Tensor) -> State:
        # Stays below the number of deals: float32 rounds every such product of 24 bits down.
        dice = self._deals.index_select(0, uniform(seeds).mul_(len(self._deals)).long())
        return {"dice": dice, "bids": torch.zeros_like(seeds)}

    def every_deal(self) -> State:
        return {"dice": self._deals.clone(), "bids": self._deals.new_zeros(len(self._deals))}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        dice, bids, action = state["dice"], state["bids"], actions["player"].flatten()
        ended = action == LIAR
        deal = torch.add(dice[:, 1], dice[:, 0], alpha=_FACES)
        called = self._called.index_select(0, torch.add(deal, bids, alpha=len(self._deals)))
        score = torch.where(ended.unsqueeze(1), called, 0.0)
        return {"dice": dice, "bids": bids | self._bit.index_select(0, action)}, Outcome(score, ended, score)

    def look(self, state: State) -> ActsAndState:
        dice, bids = state["dice"], state["bids"]
        seat = self._seat.index_select(0, bids).unsqueeze(1)
        made = self._made.index_select(0, bids)
        own = self._die.index_select(0, dice.gather(1, seat).squeeze(1))
        obs, mask = torch.cat((own, made), 1).unsqueeze(1), self._legal.index_select(0, bids).unsqueeze(1)
        both = self._die.index_select(0, dice.flatten()).view(-1, 2 * _FACES)
        acting = Acting(obs, mask, seat, torch.ones_like(seat, dtype=torch.bool))
        return {"player": acting}, torch.cat((both, made), 1).float()

    def text(self, state: State) -> str:
        dice, bids = (state["dice"][0] + 1).tolist(), int(state["bids"][0])
        made = (f"{bid // _FACES + 1}-{bid % _FACES + 1}" for bid in range(_BIDS) if bids >> bid & 1)
        return (
            f"dice: player_0 {dice[0]}, player_1 {dice[1]}\nbids (count-face): {', '.join(made) or 'none'}\n"
            f"player_{int(self._seat[bids])} to act"
        )


def _called(deals: Tensor, last: Tensor, seat: Tensor) -> Tensor:
    """Both seats' scores of a call, by set of bids and deal. deals: `[D, 2]`. last, seat: `[4096]`, bid and caller."""
    faces, counts = torch.arange(_BIDS) % _FACES, torch.arange(_BIDS) // _FACES + 1
    matching = (deals == faces[:, None, None]) | (deals == _FACES - 1)
    true = (matching.sum(2) >= counts[:, None])[last]
    caller = torch.where(true, -1.0, 1.0)
    first = torch.where(seat[:, None] == 0, caller, -caller)
    return torch.stack((first, -first), 2)
