"""Level-Based Foraging: agents on a grid load food, which may take several of them. Rules as in lbforaging 2.0.

Letters in shapes: B slots, S seats (= agents), F foods, N entities, C cells of the field.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import Discrete
from league.games.core import GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import ActsAndState, NativeGame, Outcome, all_acting
from league.games.native.layout import renew_ended, slot_first, slot_first_float32, slot_last
from league.games.option_checks import check_bool, check_whole

LOAD = 5
_MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))
"""By action, along rows and columns: none, north, south, west, east, load."""
_LOADERS = 3
"""A food's level is at most the sum of this many agents' levels, the lowest ones."""


class Foraging(NativeGame):
    """`players` agents and `food` foods with levels on a field of `size` by `size` cells, as in lbforaging 2.0.

    Christianos, Schäfer and Albrecht 2020 (SEAC, arXiv:2006.07169); Papoudakis et al. 2021 (arXiv:2006.07869). The
    defaults are those of `Foraging-8x8-2p-2f-coop-v3`.

    Agents stay, move one cell, or load. An agent that would leave the field or enter a food's cell stays; so do all
    agents that want to enter the same cell. Agents that load next to a food at once succeed if their levels together
    reach its level. The reward of each is its share of their levels times the food's share of all foods' levels: all
    foods bring 1 to all seats together. The episode ends with the last food, or after `max_cycles` turns, which counts
    as the end by the rules, as in lbforaging.

    levels: the highest level of an agent; the lowest is 1. A food's level is from 1 to the sum of the three lowest
    agents' levels, and always that sum where `coop`. sight: how far agents see along rows and columns; by default,
    everything.
    Observation `[3 F + 3 S]`: row, column and level of the visible foods, row by row, then of oneself and of the other
    visible agents; -1, -1, 0 for each that is not visible. Rows and columns count from the edge of the visible area.

    State: `place` `[B, S, 2]`, `level` `[B, S]`, `food` `[B, F, 3]` (row, column, level, 0 once it is loaded; in the
    order of rows), `spawned` `[B]` (levels of all foods) and `cycle` `[B]`, int64; `score` `[B, S]` float32. In memory
    they are slot last. The critic's state: all observations in seat order. Raises GameError for invalid options.
    """

    sees = (
        "row, column and level of each visible food, row by row, then of oneself and of the other "
        "visible agents; -1, -1, 0 for each that is not visible"
    )
    does = "0 stay, 1 north, 2 south, 3 west, 4 east, 5 load"

    def __init__(
        self,
        slots: int,
        device: torch.device | str = "cpu",
        *,
        size: int = 8,
        players: int = 2,
        food: int = 2,
        coop: bool = True,
        sight: int | None = None,
        levels: int = 2,
        max_cycles: int = 50,
    ) -> None:
        given = {"size": size, "players": players, "food": food, "levels": levels, "max_cycles": max_cycles}
        for name, value in given.items():
            check_whole("foraging", name, value, 3 if name == "size" else 1)
        check_bool("foraging", "coop", coop)
        if players > size**2:
            raise GameError(f"foraging: players must be at most {size**2}, the number of cells, not {players}")
        self._size, self._players, self._foods, self._coop = size, players, food, coop
        self._sight, self._levels, self._cycles = size, levels, max_cycles
        options: dict[str, object] = {**given, "coop": coop}
        if sight is not None:
            check_whole("foraging", "sight", sight)
            self._sight, options["sight"] = min(sight, size), sight
        super().__init__(_spec(players, 3 * (food + players), options), slots, device)
        self._moves = torch.tensor(_MOVES, device=self.device).t().contiguous()
        self._seats = torch.arange(players, device=self.device)
        others = [[seat, *(other for other in range(players) if other != seat)] for seat in range(players)]
        self._others = torch.tensor(others, device=self.device).flatten()
        self._absent = torch.tensor([-1.0, -1.0, 0.0], device=self.device).view(3, 1)
        self._cells = torch.arange(size**2, device=self.device)
        row, column = self._cells // size, self._cells % size
        self._within = (row > 0) & (row < size - 1) & (column > 0) & (column < size - 1)
        away, aside = (row[:, None] - row).abs(), (column[:, None] - column).abs()
        # No two foods touch, not even at corners, or are two cells apart along a row or column.
        self._apart = (torch.maximum(away, aside) > 1) & ((away + aside != 2) | (away == aside))

    def deal(self, seeds: Tensor) -> State:
        players, foods, cells = self._players, self._foods, self._size**2
        counters = torch.arange(2 * (players + foods), device=self.device)
        drawn = uniform(seeds[:, None], counters)
        where, strength = drawn.split(players + foods, 1)
        # Stays below `levels`: float32 rounds every such product of 24 bits down.
        level = (strength[:, :players] * self._levels).long() + 1
        heaviest = level.sort(1).values[:, :_LOADERS].sum(1, keepdim=True)
        weight = (strength[:, players:] * heaviest).long() + 1
        if self._coop:
            weight = heaviest.expand(-1, foods)
        free = torch.ones((len(seeds), cells), dtype=torch.bool, device=self.device)
        chosen, there = [], []
        for number in range(players + foods):
            if number == players:
                free = free & self._within
            there.append(free.any(1))
            chosen.append(Discrete(cells).uniform(where[:, number : number + 1], free))
            if number < players:
                free = free & (self._cells != chosen[-1][:, None])
            else:
                free = free & self._apart.index_select(0, chosen[-1])
        agents, cell = torch.stack(chosen[:players], 1), torch.stack(chosen[players:], 1)
        # There are fewer foods where no more fit.
        weight = weight * torch.stack(there[players:], 1)
        cell, order = cell.sort(1)
        weight = weight.gather(1, order)
        state = {
            "place": torch.stack((agents // self._size, agents % self._size), 2),
            "level": level,
            "food": torch.stack((cell // self._size, cell % self._size, weight), 2),
            "spawned": weight.sum(1),
            "cycle": torch.zeros_like(seeds),
            "score": torch.zeros(agents.shape, device=self.device),
        }
        return {name: slot_first(slot_last(value)) for name, value in state.items()}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        place, food, level = (slot_last(state[name]) for name in ("place", "food", "level"))
        action = slot_last(actions["agent"])
        wanted = place + self._moves.index_select(1, action.flatten()).view(place.shape)
        spot, weight = food[:2].unsqueeze(2), food[2]
        remains = weight.unsqueeze(1) > 0
        # By food, seat and slot.
        blocked = (spot == wanted.unsqueeze(1)).all(0) & remains
        off = ((wanted < 0) | (wanted >= self._size)).any(0)
        wanted = torch.where(off | blocked.any(0), place, wanted)
        cell = wanted[0] * self._size + wanted[1]
        alone = (cell.unsqueeze(0) == cell.unsqueeze(1)).sum(0) == 1
        adjacent = ((spot - place.unsqueeze(1)).abs().sum(0) == 1) & remains & (action == LOAD)
        lifting = (adjacent * level).sum(1)
        loaded = (lifting >= weight) & (weight > 0)
        share = torch.where(loaded, weight, 0) / (lifting * state["spawned"]).clamp_(min=1)
        reward = (adjacent * share.unsqueeze(1)).sum(0) * level
        food = torch.cat((food[:2], torch.where(loaded, 0, weight).unsqueeze(0)))
        cycle, score = state["cycle"] + 1, slot_last(state["score"]) + reward
        after = {
            **state,
            "place": slot_first(torch.where(alone, wanted, place)),
            "food": slot_first(food),
            "cycle": cycle,
            "score": slot_first(score),
        }
        over = (food[2].sum(0) == 0) | (cycle >= self._cycles)
        return after, Outcome(slot_first_float32(reward), over, slot_first_float32(score))

    def renewed(self, state: State, ended: Tensor, seeds: Tensor) -> State:
        return renew_ended(self, state, ended, seeds)

    def look(self, state: State) -> ActsAndState:
        place, food, level = (slot_last(state[name]).float() for name in ("place", "food", "level"))
        seats, slots = self._players, len(state["cycle"])
        agents = torch.cat((place, level.unsqueeze(0))).index_select(1, self._others)
        agents = agents.view(3, seats, seats, slots).transpose(0, 1)
        foods = food.expand(seats, -1, -1, -1)
        if self._sight == self._size:
            seen = self._packed(food.unsqueeze(0), food[2:].unsqueeze(0) > 0).expand(seats, -1, -1, -1)
        else:
            # The edge of each seat's visible area, by axis and seat.
            edge = place.transpose(0, 1) - place.transpose(0, 1).clamp(max=self._sight)
            near = (foods[:, :2] - place.transpose(0, 1).unsqueeze(2)).abs() <= self._sight
            seen = self._packed(_relative(foods, edge), (near.all(1) & (foods[:, 2] > 0)).unsqueeze(1))
            agents = _relative(agents, edge)
            # Agents are visible up to twice the sight from that edge, which is farther than foods, as in lbforaging.
            inside = ((agents[:, :2] >= 0) & (agents[:, :2] <= 2 * self._sight)).all(1, keepdim=True)
            agents = self._packed(agents, inside)
        whole = torch.cat((seen, agents), 2).transpose(1, 2).flatten(0, 2)
        critic = slot_first_float32(whole)
        return {"agent": all_acting(critic.unflatten(1, (seats, -1)), self._seats)}, critic

    def text(self, state: State) -> str:
        """The field, foods as their levels and agents as letters, and a line for each agent."""
        grid = [["."] * self._size for _ in range(self._size)]
        for row, column, level in state["food"][0].tolist():
            if level:
                grid[row][column] = str(level)
        lines = []
        for seat, (row, column) in enumerate(state["place"][0].tolist()):
            grid[row][column] = sign = chr(ord("a") + seat % 26)
            level, score = int(state["level"][0, seat]), float(state["score"][0, seat])
            lines.append(f"{sign} {self.spec.seats[seat]}: level {level}, score {score:.3f}")
        return "\n".join([*map("".join, grid), *lines, f"cycle {int(state['cycle'][0])} of {self._cycles}"])

    def _packed(self, things: Tensor, visible: Tensor) -> Tensor:
        """`[S, 3, N, B]`: the visible `things` in their order, then -1, -1, 0 for each that is not.

        visible: `[S, 1, N, B]` bool.
        """
        count = things.shape[2]
        rank = torch.where(visible, visible.cumsum(2) - 1, count)
        shape = (things.shape[0], 3, count + 1, things.shape[3])
        packed = self._absent.unsqueeze(2).expand(shape).clone()
        return packed.scatter_(2, rank.expand(things.shape), things)[:, :, :count]


def _relative(things: Tensor, edge: Tensor) -> Tensor:
    """`[S, 3, N, B]`: things with rows and columns counted from each seat's edge, `[S, 2, B]`."""
    return torch.cat((things[:, :2] - edge.unsqueeze(2), things[:, 2:]), 1)


def _spec(players: int, width: int, options: Mapping[str, object]) -> GameSpec:
    seats = tuple(range(players))
    role = RoleSpec(
        name="agent",
        seats=seats,
        acting=players,
        obs_shape=(width,),
        obs_dtype=torch.float32,
        actions=Discrete(len(_MOVES)),
    )
    return GameSpec(
        id="foraging",
        version="1",
        seats=tuple(f"agent_{seat}" for seat in seats),
        sides=(seats,),
        roles=(role,),
        outcome="score",
        score_range=(0.0, 1.0),
        state_shape=(players * width,),
        options=options,
    )
