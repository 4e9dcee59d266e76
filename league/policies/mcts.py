"""Monte Carlo tree search over native games, batched: one tree per row, all of them grown in lockstep.

UCT with random rollouts: Kocsis and Szepesvári 2006, "Bandit Based Monte-Carlo Planning"; Browne et al. 2012, "A Survey
of Monte Carlo Tree Search Methods". With several seats each maximises its own score (max^n, Luckhardt and Irani 1986).
Positions whose outcome the tree has proved are not simulated any more (Winands, Björnsson and Saito 2008, "Monte-Carlo
Tree Search Solver").
Letters in shapes: N rows, R of them that are searched together, Q nodes of a tree, A actions, S seats, L numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from league.errors import PolicyError
from league.games.actions import Discrete
from league.games.core import GameSpec, State
from league.games.counter_rng import mix, uniform
from league.games.native.core import NativeGame
from league.policies.core import Rows

EXPLORATION = 1.4
"""The weight of UCB1's bonus, for scores in [-1, 1]."""

SHARPNESS = 4.0
"""Moves are played with probabilities proportional to this power of their visits. Plain visit counts would
now and then play moves that were explored and found to lose; always taking the most visited move would repeat the same
game."""

_ROOM = 2**21
"""Most edges (rows times nodes times actions) in memory at once."""

_LONGEST = 2**12
"""Turns after which a rollout is stopped and counts as a draw."""

_DRAWN = 32
"""Turns of a rollout whose random numbers are drawn at once."""

_NEVER = -1e9


@dataclass(frozen=True, slots=True)
class MCTS:
    """UCT with `simulations` simulations a move. bounds: the lowest and the highest score of the game.

    Its random numbers are a hash of the searched position, so they do not depend on the rest of the batch.
    """

    role: str
    actions: int
    simulations: int
    bounds: tuple[float, float] = (-1.0, 1.0)
    looks_ahead: ClassVar[bool] = True
    """It needs a game that can be forked."""

    def logits(self, rows: Rows) -> Tensor:
        """`[N, A]`: `SHARPNESS` times the log of each move's visits, far below for those that were never tried."""
        game = rows.fork() if rows.fork is not None else None
        if not isinstance(game, NativeGame):
            raise PolicyError("mcts looks ahead: it needs a native game, or a game of OpenSpiel")
        size = max(1, _ROOM // ((self.simulations + 1) * self.actions))
        parts = []
        for begin in range(0, len(rows.seat), size):
            state = {name: value[begin : begin + size] for name, value in game.state.items()}
            parts.append(visit_logits(*_Search(game, self, state).found()))
        return torch.cat(parts)


def visit_logits(visits: Tensor, proved: Tensor, legal: Tensor) -> Tensor:
    """`[N, A]`, the logits of the moves after a search.

    visits: `[N, A]`. proved: `[N, A]`, the proved result of the move in [-1, 1], NaN if none is proved. legal: `[N, A]`
    bool. If a move is proved to win, or all results are proved, only the best moves are played; otherwise all but those
    proved to lose.
    """
    known = ~proved.isnan()
    best = torch.where(known, proved, -1.0).amax(1, keepdim=True)
    settled = (best == 1.0) | (known | ~legal).all(1, keepdim=True)
    open_ = legal & ~(known & (proved == -1.0))
    tried = open_ & (visits > 0)
    wanted = torch.where(settled, known & (proved == best), torch.where(tried.any(1, keepdim=True), tried, open_))
    return torch.where(wanted, SHARPNESS * visits.clamp(min=1).log(), _NEVER)


def why_not(spec: GameSpec) -> str | None:
    """Why `MCTS` cannot play a native game, or None where it can."""
    if spec.state_shape is not None:
        return "the acting seat does not see the whole position"
    if len(spec.roles) != 1 or spec.roles[0].acting != 1 or not isinstance(spec.roles[0].actions, Discrete):
        return "its seats do not act one after another in a single role"
    if spec.outcome != "placements" and spec.score_range is None:
        return "the range of its scores is not known"
    return None


class _Search:
    """R trees of one node for each simulation beside the root. Nodes of all trees are numbered together: tree r has
    the nodes r * Q … r * Q + Q - 1, its root first; the edge of action a from node n is number n * A + a.

    state: of the game, by node. legal: `[nodes, A]` bool. seat: `[nodes]`, who acts. over: `[nodes]` bool, whether the
    outcome is known: the game has ended, or what best play brings is proved. result: `[nodes, S]` in [-1, 1], where
    over. child: `[edges]`, a node, or -1 where the move was not tried yet. visits, total: `[edges]`, simulations
    through it and the sum of their results for the seat that moved. order: `[edges]` in [0, 1), which of equal moves
    goes first. key: `[R]`, what this row's draws depend on.
    """

    def __init__(self, game: NativeGame, settings: MCTS, state: State) -> None:
        self._game, self._settings = game, settings
        self._rows = len(next(iter(state.values())))
        self._nodes = settings.simulations + 1
        count, actions, device = self._rows * self._nodes, settings.actions, game.device
        self._state = {name: value.new_zeros((count, *value.shape[1:])) for name, value in state.items()}
        self._legal = torch.zeros((count, actions), dtype=torch.bool, device=device)
        self._seat = torch.zeros(count, dtype=torch.int64, device=device)
        self._over = torch.zeros(count, dtype=torch.bool, device=device)
        self._result = torch.zeros((count, len(game.spec.seats)), device=device)
        self._child = torch.full((count * actions,), -1, device=device)
        self._visits = torch.zeros(count * actions, device=device)
        self._total, self._order = torch.zeros_like(self._visits), torch.zeros_like(self._visits)
        # A table, so that the logarithm of a number does not depend on its place in the batch.
        self._log = torch.arange(self._nodes + 1, device=device).clamp(min=1).to(torch.float32).log()
        self._action = torch.arange(actions, device=device)
        self._root = torch.arange(self._rows, device=device) * self._nodes
        self._key = _hashed(state)
        self._add(self._root, state, self._key, 0)

    def found(self) -> tuple[Tensor, Tensor, Tensor]:
        """Run the search; the arguments of `visit_logits`, `[R, A]` each."""
        for simulation in range(1, self._nodes):
            open_ = (~self._over[self._root]).nonzero()[:, 0]
            if not len(open_):
                break
            self._simulate(open_, simulation)
        known, result = self._outcomes(self._root)
        visits = self._visits.view(-1, self._settings.actions)[self._root]
        return visits, torch.where(known, result, torch.nan), self._legal[self._root]

    def _simulate(self, row: Tensor, simulation: int) -> None:
        """One simulation in the trees `row`: descend to a known outcome, or to an untried move and a random rollout."""
        result = torch.empty((self._rows, self._result.shape[1]), device=row.device)
        node, trees, edges = self._root[row], [], []
        while len(row):
            edge = node * self._settings.actions + self._chosen(node)
            trees.append(row)
            edges.append(edge)
            fresh = (self._child[edge] < 0).nonzero()[:, 0]
            if len(fresh):
                result[row[fresh]] = self._expand(row[fresh], edge[fresh], simulation)
            child = self._child[edge]
            over = self._over[child]
            if bool(over.any()):
                result[row[over]] = self._result[child[over]]
            deeper = torch.where(child == self._root[row] + simulation, False, ~over).nonzero()[:, 0]
            row, node = row[deeper], child[deeper]
        for tree, edge in zip(reversed(trees), reversed(edges), strict=True):
            node = edge // self._settings.actions
            self._visits[edge] += 1.0
            self._total[edge] += result[tree, self._seat[node]]
            self._prove(node[self._over[self._child[edge]]])

    def _prove(self, node: Tensor) -> None:
        """Mark those of the nodes `[n]` as over whose outcome follows from a newly proved child."""
        if not len(node):
            return
        known, worth = self._outcomes(node)
        best, move = torch.where(known, worth, -torch.inf).max(1)
        sure = ((best == 1.0) | (known | ~self._legal[node]).all(1)).nonzero()[:, 0]
        child = self._child.view(-1, self._settings.actions)[node[sure], move[sure]]
        self._over[node[sure]], self._result[node[sure]] = True, self._result[child]

    def _outcomes(self, node: Tensor) -> tuple[Tensor, Tensor]:
        """`[n, A]`, the moves from nodes `[n]` with known outcomes, and `[n, A]`, their results for the mover."""
        child = self._child.view(-1, self._settings.actions)[node]
        mover = self._seat[node][:, None, None].expand(-1, self._settings.actions, 1)
        return (child >= 0) & self._over[child], self._result[child].gather(2, mover)[:, :, 0]

    def _chosen(self, node: Tensor) -> Tensor:
        """`[n]`, the move that UCB1 selects at each of the nodes `[n]`; untried moves go first."""
        shape = (-1, self._settings.actions)
        visits, order = self._visits.view(shape)[node], self._order.view(shape)[node]
        tried, (known, result) = visits.clamp(min=1.0), self._outcomes(node)
        bonus = (self._log[visits.sum(1, keepdim=True).long()] / tried).sqrt_()
        worth = (self._total.view(shape)[node] / tried).add_(bonus, alpha=EXPLORATION)
        worth = torch.where(known, result, worth).add_(order, alpha=1e-5)
        worth = torch.where(visits > 0, worth, order + 1e6)
        return torch.where(self._legal[node], worth, -torch.inf).argmax(1)

    def _expand(self, row: Tensor, edge: Tensor, simulation: int) -> Tensor:
        """Add the child at each edge `[n]` of the trees `row` `[n]`; `[n, S]`, the results of a rollout from there."""
        parent, node, key = edge // self._settings.actions, self._root[row] + simulation, self._key[row]
        before = {name: value[parent] for name, value in self._state.items()}
        state, score, over = self._played(before, edge % self._settings.actions)
        result = self._scaled(score)
        self._child[edge] = node
        self._over[node], self._result[node] = over, result
        going = (~over).nonzero()[:, 0]
        if len(going):
            state, key = {name: value[going] for name, value in state.items()}, key[going]
            legal = self._add(node[going], state, key, simulation)
            result[going] = self._rollout(state, legal, key, simulation)
        return result

    def _add(self, node: Tensor, state: State, key: Tensor, simulation: int) -> Tensor:
        """Note the positions of nodes `[n]` that are not over; `[n, A]`, the legal moves there."""
        for name, value in state.items():
            self._state[name][node] = value
        legal, self._seat[node] = self._look(state)
        self._legal[node] = legal
        shape = (-1, self._settings.actions)
        self._order.view(shape)[node] = uniform(mix(key, simulation)[:, None], self._action)
        return legal

    def _rollout(self, state: State, legal: Tensor, key: Tensor, simulation: int) -> Tensor:
        """`[n, S]`: results of play at random from positions that are not over."""
        found = torch.zeros((len(key), self._result.shape[1]), device=key.device)
        place, draws = torch.arange(len(key), device=key.device), torch.empty(0)
        for turn in range(_LONGEST):
            if turn % _DRAWN == 0:
                ahead = torch.arange(turn, turn + _DRAWN, device=key.device)
                draws = uniform(key[:, None], simulation * _LONGEST + ahead)
            counted = legal.cumsum(1)
            # The first move up to which there are more legal ones than the draw leaves out.
            action = (counted <= draws[:, turn % _DRAWN, None] * counted[:, -1:]).sum(1)
            state, score, over = self._played(state, action)
            if bool(over.any()):
                found[place[over]] = self._scaled(score[over])
                left = (~over).nonzero()[:, 0]
                if not len(left):
                    break
                place, key, draws = place[left], key[left], draws[left]
                state = {name: value[left] for name, value in state.items()}
            legal, _ = self._look(state)
        return found

    def _played(self, state: State, action: Tensor) -> tuple[State, Tensor, Tensor]:
        """The state after legal moves `[n]`, the scores `[n, S]` where it is over, and where `[n]` it is."""
        after, outcome = self._game.play(state, {self._settings.role: action[:, None]})
        return after, outcome.score, outcome.ended

    def _scaled(self, score: Tensor) -> Tensor:
        """Scores of any shape as results in [-1, 1]."""
        low, high = self._settings.bounds
        return (score - low) * (2.0 / (high - low)) - 1.0

    def _look(self, state: State) -> tuple[Tensor, Tensor]:
        """`[n, A]` legal moves, and `[n]` the seat to move."""
        acting = self._game.look(state)[0][self._settings.role]
        if acting.mask is None:
            shape = (len(acting.seat), self._settings.actions)
            return torch.ones(shape, dtype=torch.bool, device=acting.seat.device), acting.seat[:, 0]
        return acting.mask[:, 0], acting.seat[:, 0]


def _hashed(state: State) -> Tensor:
    """`[R]` int64: a hash of every row's position. state: tensors `[R, …]` of any dtype."""
    columns = []
    for _, value in sorted(state.items()):
        if value.is_floating_point():
            value = value.contiguous().view({2: torch.int16, 4: torch.int32, 8: torch.int64}[value.element_size()])
        columns.append(value.reshape(len(value), -1).to(torch.int64))
    numbers = torch.cat(columns, 1)
    return mix(mix(numbers, torch.arange(numbers.shape[1], device=numbers.device)).sum(1))
