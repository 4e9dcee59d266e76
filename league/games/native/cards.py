"""Poker small enough to be written down whole: every public position and every deal, as tables. For Kuhn and Leduc."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from league.games.actions import Discrete
from league.games.core import Acting, GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import NativeGame, Outcome


@dataclass(frozen=True, slots=True)
class Betting:
    """A public position: all that both seats have done.

    rounds: the actions of each betting round so far, the current one last. paid: chips in the pot by seat.
    folded: the seat that gave up, or None. over: no one acts any more.
    """

    rounds: tuple[tuple[int, ...], ...]
    paid: tuple[int, int]
    folded: int | None = None
    over: bool = False

    @property
    def seat(self) -> int:
        """Who acts: the seats alternate, and seat 0 opens every round."""
        return len(self.rounds[-1]) % 2


class TablePoker(NativeGame):
    """Two seats with one private card each. State: `deal` and `node`, `[B]` int64: rows of `deals` and `nodes`.

    A subclass gives the rules as plain functions of `Betting`; they are unrolled once, when the game is made, and a
    step is then a few look-ups. deals: private card of seat 0, of seat 1, then public cards, all equally probable.

    Public, for exact traversal: `nodes` (`nodes[0]` is the start), `deals`, `children` `[nodes, A]` int64, the node
    after each action (the node itself where it is not legal), and `payoff` `[nodes, deals, 2]` float32, zero where the
    episode goes on.
    """

    def __init__(
        self, name: str, actions: int, deals: Sequence[tuple[int, ...]], slots: int, device: torch.device | str
    ) -> None:
        self.deals = tuple(deals)
        self.nodes, children = self._unroll()
        views = [[self.view(node, deal, node.seat) for deal in self.deals] for node in self.nodes]
        knows = [[self.state_view(node, deal) for deal in self.deals] for node in self.nodes]
        payoff = torch.tensor([[self._payoff(node, deal) for deal in self.deals] for node in self.nodes])
        top = float(payoff.max())
        role = RoleSpec("player", (0, 1), 1, (len(views[0][0]),), torch.uint8, Discrete(actions))
        spec = GameSpec(
            name,
            "1",
            ("player_0", "player_1"),
            ((0,), (1,)),
            (role,),
            outcome="score",
            score_range=(-top, top),
            state_shape=(len(knows[0][0]),),
        )
        super().__init__(spec, slots, device)
        self._actions = actions
        legal = [[child is not None for child in row] for row in children]
        # Nobody acts where the episode is over, but a mask without any True would be no mask.
        self._legal = torch.tensor([row if any(row) else [True] * actions for row in legal], device=self.device)
        after = [[index if child is None else child for child in row] for index, row in enumerate(children)]
        self.children = torch.tensor(after, device=self.device)
        self._after = self.children.flatten()
        self._seat = torch.tensor([node.seat for node in self.nodes], device=self.device)
        self._over = torch.tensor([node.over for node in self.nodes], device=self.device)
        self._views = torch.tensor(views, dtype=torch.uint8, device=self.device).flatten(0, 1)
        self._knows = torch.tensor(knows, dtype=torch.float32, device=self.device).flatten(0, 1)
        self.payoff = payoff.to(self.device)
        self._gains = self.payoff.flatten(0, 1)

    @abstractmethod
    def opening(self) -> Betting:
        """The public position after the deal."""

    @abstractmethod
    def after(self, node: Betting) -> list[Betting | None]:
        """The public position after each action, None where it is not legal. Only asked while `node` is not over."""

    @abstractmethod
    def strength(self, deal: tuple[int, ...], seat: int) -> int:
        """What decides a showdown: the higher wins, equals share."""

    @abstractmethod
    def view(self, node: Betting, deal: tuple[int, ...], seat: int) -> list[int]:
        """Everything that `seat` knows, as zeros and ones."""

    @abstractmethod
    def state_view(self, node: Betting, deal: tuple[int, ...]) -> list[int]:
        """Everything there is to know (both private cards), as zeros and ones."""

    def deal(self, seeds: Tensor) -> State:
        # Never reaches the number of deals: for every such product float32 rounds down.
        deal = uniform(seeds).mul_(len(self.deals)).long()
        return {"deal": deal, "node": torch.zeros_like(deal)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        move = torch.add(actions["player"].flatten(), state["node"], alpha=self._actions)
        node = self._after.index_select(0, move)
        score = self._gains.index_select(0, self._row(state["deal"], node))
        return {"deal": state["deal"], "node": node}, Outcome(score, self._over.index_select(0, node), score)

    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        node = state["node"]
        row = self._row(state["deal"], node)
        seat = self._seat.index_select(0, node).unsqueeze(1)
        obs = self._views.index_select(0, row).unsqueeze(1)
        mask = self._legal.index_select(0, node).unsqueeze(1)
        acting = Acting(obs, mask, seat, torch.ones_like(seat, dtype=torch.bool))
        return {"player": acting}, self._knows.index_select(0, row)

    def _row(self, deal: Tensor, node: Tensor) -> Tensor:
        """Where the tables by node and deal, flattened, have this position. All `[N]` int64."""
        return torch.add(deal, node, alpha=len(self.deals))

    def _unroll(self) -> tuple[tuple[Betting, ...], list[list[int | None]]]:
        """Every public position, and for each the index of its successor by action."""
        nodes, children = [self.opening()], []
        for node in nodes:  # grows while it is walked: breadth first
            followers = [] if node.over else self.after(node)
            row: list[int | None] = []
            for follower in followers:
                row.append(None if follower is None else len(nodes))
                if follower is not None:
                    nodes.append(follower)
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
