"""Multi-particle environments (MPE) in batched torch: agents that move and speak among landmarks, for all scenarios.

A scenario (`particle_games.py`) says who is there, what each agent sees and what a position is worth; the physics are
in `physics.py`. Letters in shapes: B slots, S seats (= agents), L landmarks, G goals, M speakers, W words, A actions.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import ActionSpace, Box, Discrete
from league.games.core import Acting, GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import NativeGame, Outcome
from league.games.native.layout import renewed, slot_first, slot_last, table
from league.games.native.particle_physics import Contacts, moved
from league.games.options import switch, whole

MOVES = ((0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
"""Directions (x, y) of the moves 0 … 4: stay, left, right, down, up."""

View = list[tuple[int, int]]
"""What one seat sees, number by number: a row of the world less another (`Rows`)."""

_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_MAP = (31, 15)
"""Columns and rows of a position as text."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, a disc of mass 1.

    name: of the seat. role: whose weights play it. radius: of the disc. push: the force of a move, 0 where it cannot
    move. top: its highest speed, or None. words: how many messages it can choose from, 0 where it is silent.
    """

    name: str
    role: str
    radius: float
    push: float = 5.0
    top: float | None = None
    words: int = 0

    @property
    def actions(self) -> int:
        """A move, or a word, or both at once: then action = move + 5 * word."""
        return (len(MOVES) if self.push else 1) * max(self.words, 1)

    def space(self, continuous: bool) -> ActionSpace:
        """Its actions; continuous: a strength from 0 to 1 of every move, then of every word."""
        if not continuous:
            return Discrete(self.actions)
        strengths = (len(MOVES) if self.push else 0) + self.words
        return Box((0.0,) * strengths, (1.0,) * strengths)


@dataclass(frozen=True, slots=True)
class Land:
    """Landmarks: `count` of them, each coordinate dealt from [-within, within]. radius: None where none can be hit."""

    count: int
    within: float = 1.0
    radius: float | None = None


class Rows:
    """Where the numbers that describe a world stand among the rows of one table: what views are made of."""

    def __init__(self, agents: Sequence[Agent], landmarks: int, hints: int) -> None:
        seats, words = len(agents), [agent.words for agent in agents if agent.words]
        self._seats, self._landmarks, self._words = seats, landmarks, words
        self._speed = 2 * (seats + landmarks)
        self._message = self._speed + 2 * seats
        self._hint = self._message + sum(words)
        self._zero = self._hint + hints
        self.count = self._zero + 1

    def place(self, seat: int) -> View:
        """x and y of an agent."""
        return self._pairs(self._place_of(seat))

    def speed(self, seat: int) -> View:
        """Speed of an agent along x and y."""
        return self._pairs([self._speed + axis * self._seats + seat for axis in (0, 1)])

    def agent(self, seat: int, seen_by: int) -> View:
        """Where an agent is, relative to another."""
        return list(zip(self._place_of(seat), self._place_of(seen_by), strict=True))

    def landmarks(self, seen_by: int) -> View:
        """Where each landmark is, relative to an agent."""
        first = 2 * self._seats
        rows = [[first + axis * self._landmarks + index for axis in (0, 1)] for index in range(self._landmarks)]
        return [pair for place in rows for pair in zip(place, self._place_of(seen_by), strict=True)]

    def message(self, speaker: int) -> View:
        """One 1 among zeros: what the agent that is the speaker of this number said last, all zeros before it did."""
        each, speakers = self._words[speaker], len(self._words)
        return self._pairs([self._message + word * speakers + speaker for word in range(each)])

    def hint(self, *numbers: int) -> View:
        """The scenario's own rows of these numbers (`Particles.hints`)."""
        return self._pairs([self._hint + number for number in numbers])

    def hinted_place(self, x: int, seen_by: int) -> View:
        """A place in the scenario's own rows `x` and `x + 1`, relative to an agent."""
        return list(zip((self._hint + x, self._hint + x + 1), self._place_of(seen_by), strict=True))

    def zeros(self, count: int) -> View:
        """Zeros: messages of the silent."""
        return self._pairs([self._zero] * count)

    def _place_of(self, seat: int) -> tuple[int, int]:
        return seat, self._seats + seat

    def _pairs(self, rows: Sequence[int]) -> View:
        return [(row, self._zero) for row in rows]


class Particles(NativeGame):
    """A world of discs: all agents act at once, and an episode is cut off after `max_cycles` cycles.

    State: `place` and `speed` `[B, S, 2]`, `landmark` `[B, L, 2]`, `score` `[B, S]` (rewards so far), in `dtype`;
    `goal` `[B, G]` and `cycle` `[B]` int64; `message` `[B, M, W]` (one-hot, zeros at first) where somebody speaks. In
    memory they lie slot last, as they are worked on; they can be set from tensors that lie otherwise.
    Observations `[width]` and the critic's state (all observations in seat order) are float32 in either dtype.

    A subclass gives `views`, `rewards` and, where goals show in what is seen, `hints`.
    agents: whose role is "adversary" are one side, the others the other. goals: how many landmarks are drawn as goals.
    contact: agents touch (and landmarks that have a radius). continuous: actions are strengths of moves and words
    (`Agent.space`), which push and sound in proportion. bounds: the least and most that a cycle can bring a seat
    while nobody leaves the square from -1 to 1; all of them together are what a forfeit costs and brings.
    """

    def __init__(
        self,
        name: str,
        agents: Sequence[Agent],
        land: Land,
        slots: int,
        device: torch.device | str,
        *,
        options: Mapping[str, object],
        max_cycles: int,
        dtype: str,
        bounds: tuple[float, float],
        goals: int = 0,
        hints: int = 0,
        contact: bool = False,
        continuous: bool = False,
    ) -> None:
        switch(name, "continuous_actions", continuous)
        whole(name, "max_cycles", max_cycles)
        if dtype not in _DTYPES:
            raise GameError(f"{name}: dtype must be one of {', '.join(_DTYPES)}, not {dtype!r}")
        self._agents, self._land, self._goals, self._cycles = tuple(agents), land, goals, max_cycles
        self._rows = Rows(agents, land.count, hints)
        views = self.views(self._rows)
        # Left out where it is as usual: snapshots are bound to options.
        given = {**options, "max_cycles": max_cycles} | ({"continuous_actions": True} if continuous else {})
        super().__init__(_spec(name, agents, views, given, continuous), slots, device)
        self._continuous = continuous
        self.forfeits = (bounds[0] * max_cycles, bounds[1] * max_cycles)
        self._dtype = _DTYPES[dtype]
        self._seats = {role.name: torch.tensor(role.seats, device=self.device) for role in self.spec.roles}
        self._plus, self._minus = (
            torch.tensor([pair[i] for view in views for pair in view], device=self.device) for i in (0, 1)
        )
        self._counters = torch.arange(2 * (len(agents) + land.count) + goals, device=self.device).unsqueeze(1)
        self._speakers = [seat for seat, agent in enumerate(agents) if agent.words]
        self._prepare_actions()
        self._contacts: Contacts | None = None
        if contact:
            walls = [land.radius] * land.count if land.radius is not None else []
            self._contacts = Contacts([agent.radius for agent in agents], walls, self._dtype, self.device)
        self._top = None
        if any(agent.top is not None for agent in agents):
            tops = [float("inf") if agent.top is None else agent.top for agent in agents]
            self._top = self.numbers(tops).unsqueeze(1)

    @abstractmethod
    def views(self, rows: Rows) -> list[View]:
        """What each seat sees. Seats of one role see equally much."""

    @abstractmethod
    def rewards(self, place: Tensor, landmark: Tensor, goal: Tensor) -> Tensor:
        """`[S, B]`: what a position brings each seat. place `[2, S, B]`, landmark `[2, L, B]`, goal `[G, B]`."""

    def hints(self, landmark: Tensor, goal: Tensor) -> list[Tensor]:
        """What some seat is told of the goals: tables `[n, B]` that have as many rows in all as `hints` said."""
        return []

    def acted(self, choice: Tensor) -> tuple[Tensor, Tensor | None]:
        """What actions `[S, B]` do: the force on every agent `[2, S, B]`, and what speakers say `[W, M, B]`.

        Speakers stand side by side and have equally many words.
        """
        index = choice + self._first_force
        force = self._force.index_select(0, index.flatten()).view(index.shape)
        if not self._speakers:
            return force, None
        index = choice[self._speakers[0] : self._speakers[-1] + 1] + self._first_word
        return force, self._word.index_select(0, index.flatten()).view(index.shape)

    def pushed(self, actions: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """As `acted`, of continuous actions by role, `[B, K, D]`."""
        forces, messages = [], []
        for role in self.spec.roles:
            agent, strength = self._agents[role.seats[0]], slot_last(actions[role.name].to(self._dtype))
            if agent.push:
                forces.append((strength[2:5:2] - strength[1:4:2]) * agent.push)
            else:
                forces.append(torch.zeros_like(strength[:1]).expand(2, -1, -1))
            if agent.words:
                messages.append(strength[-agent.words :])
        return torch.cat(forces, 1), torch.cat(messages, 1) if messages else None

    def numbers(self, values: Sequence[object]) -> Tensor:
        """Values, or lists of values, as a tensor of the game's dtype, on its device."""
        return torch.tensor(values, dtype=self._dtype, device=self.device)

    def deal(self, seeds: Tensor) -> State:
        slots, seats, landmarks = len(seeds), len(self._agents), self._land.count
        drawn = uniform(seeds, self._counters).to(self._dtype)
        places, goals = drawn[: 2 * (seats + landmarks)] * 2 - 1, drawn[2 * (seats + landmarks) :]
        state = {
            "place": slot_first(places[: 2 * seats].view(2, seats, slots)),
            "speed": slot_first(drawn.new_zeros((2, seats, slots))),
            "landmark": slot_first(places[2 * seats :].view(2, landmarks, slots) * self._land.within),
            "score": slot_first(drawn.new_zeros((seats, slots))),
            # Never reaches their number: for every such product of 24 bits float32 rounds down.
            "goal": slot_first((goals * landmarks).long()),
            "cycle": torch.zeros_like(seeds),
        }
        if self._speakers:
            words = self._agents[self._speakers[0]].words
            state["message"] = slot_first(drawn.new_zeros((words, len(self._speakers), slots)))
        return state

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        place, speed, landmark, goal, score = (
            slot_last(state[name]) for name in ("place", "speed", "landmark", "goal", "score")
        )
        if self._continuous:
            force, message = self.pushed(actions)
        else:
            choice = torch.cat([actions[role.name] for role in self.spec.roles], 1).t().contiguous()
            force, message = self.acted(choice)
        if self._contacts is not None and self._contacts.pairs:
            bodies = place if self._land.radius is None else torch.cat((place, landmark), 1)
            force = force.add_(self._contacts.forces(bodies))
        place, speed = moved(place, speed, force, self._top)
        reward = self.rewards(place, landmark, goal)
        score, cycle = score + reward, state["cycle"] + 1
        after = {
            **state,
            "place": slot_first(place),
            "speed": slot_first(speed),
            "score": slot_first(score),
            "cycle": cycle,
        }
        if message is not None:
            after["message"] = slot_first(message)
        over = cycle >= self._cycles
        return after, Outcome(table(reward), over, table(score), over)

    def renewed(self, state: State, ended: Tensor, seeds: Tensor) -> State:
        return renewed(self, state, ended, seeds)

    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        landmark = slot_last(state["landmark"])
        parts = [slot_last(state["place"]).flatten(0, 1), landmark.flatten(0, 1)]
        parts.append(slot_last(state["speed"]).flatten(0, 1))
        if self._speakers:
            parts.append(slot_last(state["message"]).flatten(0, 1))
        parts += self.hints(landmark, slot_last(state["goal"]))
        slots = len(state["cycle"])
        parts.append(landmark.new_zeros((1, slots)))
        rows = torch.cat(parts)
        seen = table(rows.index_select(0, self._plus).sub_(rows.index_select(0, self._minus)))
        acts, first = {}, 0
        for role in self.spec.roles:
            shape, width = (slots, role.acting), role.obs_shape[0]
            obs = seen[:, first : first + role.acting * width].unflatten(1, (role.acting, width))
            seat = self._seats[role.name].expand(shape)
            acts[role.name] = Acting(obs, None, seat, torch.ones(shape, dtype=torch.bool, device=self.device))
            first += role.acting * width
        return acts, seen

    def text(self, state: State) -> str:
        """A map from -1 to 1, agents by their seats' numbers and landmarks as letters, and a line for each agent."""
        columns, rows = _MAP
        grid = [["."] * columns for _ in range(rows)]
        signs = [*("abcdefghijklmnopqrstuvwxyz"[index % 26] for index in range(self._land.count))]
        signs += [str(seat % 10) for seat in range(len(self._agents))]
        for sign, (x, y) in zip(signs, [*state["landmark"][0].tolist(), *state["place"][0].tolist()], strict=True):
            column, row = round((x + 1) / 2 * (columns - 1)), round((1 - y) / 2 * (rows - 1))
            if 0 <= column < columns and 0 <= row < rows:
                grid[row][column] = sign
        lines = ["".join(line) for line in grid]
        for seat, agent in enumerate(self._agents):
            (x, y), (dx, dy) = state["place"][0, seat].tolist(), state["speed"][0, seat].tolist()
            line = f"{seat} {agent.name}: at {x:+.2f} {y:+.2f}, speed {dx:+.2f} {dy:+.2f}"
            if agent.words:
                said = state["message"][0, self._speakers.index(seat)]
                line += f", says {int(said.argmax())}" if bool(said.any()) else ", says nothing"
            lines.append(line)
        if self._goals:
            lines.append("goal: " + ", ".join(signs[goal] for goal in state["goal"][0].tolist()))
        return "\n".join([*lines, f"cycle {int(state['cycle'][0])} of {self._cycles}"])

    def _prepare_actions(self) -> None:
        """Tables of what every action does, flat, and where in them each number of `acted` begins."""
        agents, most = self._agents, max(agent.actions for agent in self._agents)
        moves = [MOVES[action % len(MOVES)] for action in range(most)]
        force = [[[agent.push * move[axis] for move in moves] for agent in agents] for axis in (0, 1)]
        self._force = self.numbers(force).flatten()
        self._first_force = torch.arange(0, 2 * len(agents) * most, most, device=self.device).view(2, len(agents), 1)
        speakers = [agents[seat] for seat in self._speakers]
        if speakers:
            steps = [len(MOVES) if agent.push else 1 for agent in speakers]
            words = range(speakers[0].words)
            said = [[[float(action // step == word) for action in range(most)] for step in steps] for word in words]
            self._word = self.numbers(said).flatten()
            count = len(words) * len(speakers)
            first = torch.arange(0, count * most, most, device=self.device)
            self._first_word = first.view(len(words), len(speakers), 1)


def _spec(
    name: str, agents: Sequence[Agent], views: Sequence[View], options: Mapping[str, object], continuous: bool
) -> GameSpec:
    names = list(dict.fromkeys(agent.role for agent in agents))
    seats_of = {name: tuple(seat for seat, agent in enumerate(agents) if agent.role == name) for name in names}
    roles = tuple(
        RoleSpec(role, seats, len(seats), (len(views[seats[0]]),), torch.float32, agents[seats[0]].space(continuous))
        for role, seats in seats_of.items()
    )
    # Roles stand in seat order, and so do the observations in the critic's state: roles' are slices of it.
    assert [seat for role in roles for seat in role.seats] == list(range(len(agents)))
    against = seats_of.get("adversary", ())
    others = tuple(seat for seat in range(len(agents)) if seat not in against)
    return GameSpec(
        name,
        "1",
        tuple(agent.name for agent in agents),
        (against, others) if against else (others,),
        roles,
        outcome="score",
        can_truncate=True,
        state_shape=(sum(len(view) for view in views),),
        options=options,
    )
