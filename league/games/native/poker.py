"""Poker games that are small enough for lookup tables over all public positions and deals. For Kuhn and Leduc."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from league.games.actions import Discrete
from league.games.core import Acting, GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import ActsAndState, NativeGame, Outcome


@dataclass(frozen=True, slots=True)
class Betting:
    """A public position: the betting so far.

    rounds: the actions of each betting round so far, the current one last. paid: chips in the pot by seat.
    folded: the seat that folded, or None. over: nobody acts any more.
    """

    rounds: tuple[tuple[int, ...], ...]
    paid: tuple[int, int]
    folded: int | None = None
    over: bool = False

    @property
    def seat(self) -> int:
        """The seat to act: the seats alternate, and seat 0 opens every round."""
        return len(self.rounds[-1]) % 2


class TabularPoker(NativeGame):
    """Two seats with one private card each. State: `deal` and `node`, `[B]` int64: rows of `deals` and `nodes`.

    A subclass defines the rules as plain functions of `Betting`. They are unrolled once, when the game is made; a step
    is then a few lookups. deals: private card of seat 0, of seat 1, then public cards; all deals are equally probable.

    Public: `nodes` (`nodes[0]` is the start), `deals`, and `payoff` `[nodes, deals, 2]` float32, zero where the episode
    goes on.
    """

    def __init__(
        self, name: str, actions: int, deals: Sequence[tuple[int, ...]], slots: int, device: torch.device | str
    ) -> None:
        self.deals = tuple(deals)
        self.nodes, children = self._unroll()
        observations = [[self.observation(node, deal, node.seat) for deal in self.deals] for node in self.nodes]
        states = [[self.full_information(node, deal) for deal in self.deals] for node in self.nodes]
        payoff = torch.tensor([[self._payoff(node, deal) for deal in self.deals] for node in self.nodes])
        top = float(payoff.max())
        role = RoleSpec(
            name="player",
            seats=(0, 1),
            acting=1,
            obs_shape=(len(observations[0][0]),),
            obs_dtype=torch.uint8,
            actions=Discrete(actions),
        )
        spec = GameSpec(
            id=name,
            version="1",
            seats=("player_0", "player_1"),
            sides=((0,), (1,)),
            roles=(role,),
            outcome="score",
            score_range=(-top, top),
            state_shape=(len(states[0][0]),),
        )
        super().__init__(spec, slots, device)
        self._actions = actions
        legal = [[child is not None for child in row] for row in children]
        # Nobody acts where the episode is over, but every mask must allow at least one action.
        self._legal = torch.tensor([row if any(row) else [True] * actions for row in legal], device=self.device)
        after = [[index if child is None else child for child in row] for index, row in enumerate(children)]
        self._after = torch.tensor(after, device=self.device).flatten()
        self._seat = torch.tensor([node.seat for node in self.nodes], device=self.device)
        self._over = torch.tensor([node.over for node in self.nodes], device=self.device)
        self._observations = torch.tensor(observations, dtype=torch.uint8, device=self.device).flatten(0, 1)
        self._states = torch.tensor(states, dtype=torch.float32, device=self.device).flatten(0, 1)
        self.payoff = payoff.to(self.device)
        self._flat_payoff = self.payoff.flatten(0, 1)

    @abstractmethod
    def opening(self) -> Betting:
        """The public position after the deal."""

    @abstractmethod
    def after(self, node: Betting) -> list[Betting | None]:
        """The public position after each action, None where it is illegal. Called only while `node` is not over."""

    @abstractmethod
    def strength(self, deal: tuple[int, ...], seat: int) -> int:
        """The strength of a seat's hand at a showdown: the higher one wins, equal ones share."""

    @abstractmethod
    def observation(self, node: Betting, deal: tuple[int, ...], seat: int) -> list[int]:
        """Everything that `seat` knows, as zeros and ones: its observation."""

    @abstractmethod
    def full_information(self, node: Betting, deal: tuple[int, ...]) -> list[int]:
        """Everything, both private cards included, as zeros and ones: the critic's state."""

    def deal(self, seeds: Tensor) -> State:
        # Stays below the number of deals: float32 rounds every such product down.
        deal = uniform(seeds).mul_(len(self.deals)).long()
        return {"deal": deal, "node": torch.zeros_like(deal)}

    def every_deal(self) -> State:
        deal = torch.arange(len(self.deals), device=self.device)
        return {"deal": deal, "node": torch.zeros_like(deal)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        move = torch.add(actions["player"].flatten(), state["node"], alpha=self._actions)
        node = self._after.index_select(0, move)
        score = self._flat_payoff.index_select(0, self._row(state["deal"], node))
        return {"deal": state["deal"], "node": node}, Outcome(score, self._over.index_select(0, node), score)

    def look(self, state: State) -> ActsAndState:
        node = state["node"]
        row = self._row(state["deal"], node)
        seat = self._seat.index_select(0, node).unsqueeze(1)
        obs = self._observations.index_select(0, row).unsqueeze(1)
        mask = self._legal.index_select(0, node).unsqueeze(1)
        acting = Acting(obs, mask, seat, torch.ones_like(seat, dtype=torch.bool))
        return {"player": acting}, self._states.index_select(0, row)

    def _row(self, deal: Tensor, node: Tensor) -> Tensor:
        """Row of this position in the flattened tables by node and deal. All `[N]` int64."""
        return torch.add(deal, node, alpha=len(self.deals))

    def _unroll(self) -> tuple[tuple[Betting, ...], list[list[int | None]]]:
        """Every public position, and for each the index of its successor by action."""
        nodes, children = [self.opening()], []
        for node in nodes:  # grows while it is walked: breadth first
            successors = [] if node.over else self.after(node)
            row: list[int | None] = []
            for successor in successors:
                row.append(None if successor is None else len(nodes))
                if successor is not None:
                    nodes.append(successor)
            children.append(row)
        width = max(len(row) for row in children)
        return tuple(nodes), [row or [None] * width for row in children]

    def _payoff(self, node: Betting, deal: tuple[int, ...]) -> tuple[float, float]:
        if not node.over:
            return 0.0, 0.0
        if node.folded is None:
            mine, theirs = self.strength(deal, 0), self.strength(deal, 1)
            sign = (mine > theirs) - (mine < theirs)
        else:
            sign = 1 if node.folded == 1 else -1
        gain = float(sign * min(node.paid))
        return gain, -gain


def one_hot(index: int, size: int) -> list[int]:
    """`size` zeros with a one at `index`."""
    return [int(index == place) for place in range(size)]
