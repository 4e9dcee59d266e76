"""Multi-particle environments (MPE) in batched torch: the game that all scenarios share.

A scenario (`particle_scenarios.py`) defines the agents and landmarks (`particle_world.py`), the observations and the
rewards; motion and contacts are in `particle_physics.py`.
Letters in shapes: B slots, S seats (= agents), L landmarks, G goals, M speakers, W words, A actions.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from league.errors import GameError
from league.games.core import GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import ActsAndState, NativeGame, Outcome, all_acting
from league.games.native.layout import renew_ended, slot_first, slot_first_float32, slot_last
from league.games.native.particle_physics import ContactForces, integrate
from league.games.native.particle_world import DIRECTIONS, Agent, Landmarks, ObservationRows, WorldRows
from league.games.option_checks import check_bool, check_whole

_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_MAP = (31, 15)
"""Columns and rows of the map in `text`."""


class ParticleGame(NativeGame):
    """A world of discs: all agents act at once, and an episode is truncated after `max_cycles` cycles.

    State: `place` and `speed` (velocity) `[B, S, 2]`, `landmark` `[B, L, 2]`, `score` `[B, S]` (rewards so far), in
    `dtype`; `goal` `[B, G]` and `cycle` `[B]` int64; `message` `[B, M, W]` (one-hot, zeros at first) if any agent
    speaks. In memory they are slot last (`layout`); tensors with another layout can be loaded, too.
    Observations `[width]` and the critic's state (all observations in seat order) are float32 with either dtype.

    A subclass defines `observations`, `rewards` and, where observations show goals, `hints`.
    agents: those with the role "adversary" are one side, the others the other. goals: how many landmarks are drawn as
    goals. contact: agents collide with each other, and with landmarks that have a radius. continuous: actions are
    strengths of moves and words (`Agent.space`). bounds: lowest and highest reward of a seat in one cycle while nobody
    leaves the square from -1 to 1; times `max_cycles`, they are the scores of a forfeit.
    """

    def __init__(
        self,
        name: str,
        agents: Sequence[Agent],
        landmarks: Landmarks,
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
        check_bool(name, "continuous_actions", continuous)
        check_whole(name, "max_cycles", max_cycles)
        if dtype not in _DTYPES:
            raise GameError(f"{name}: dtype must be one of {', '.join(_DTYPES)}, not {dtype!r}")
        self._agents, self._landmarks, self._goals, self._cycles = tuple(agents), landmarks, goals, max_cycles
        observations = self.observations(WorldRows(agents, landmarks.count, hints))
        # Left out where it has its default: snapshots are bound to the options.
        given = {**options, "max_cycles": max_cycles} | ({"continuous_actions": True} if continuous else {})
        super().__init__(_spec(name, agents, observations, given, continuous), slots, device)
        self._continuous = continuous
        self.forfeits = (bounds[0] * max_cycles, bounds[1] * max_cycles)
        self._dtype = _DTYPES[dtype]
        self._seats = {role.name: torch.tensor(role.seats, device=self.device) for role in self.spec.roles}
        self._row, self._origin_row = (
            torch.tensor([pair[i] for rows in observations for pair in rows], device=self.device) for i in (0, 1)
        )
        self._counters = torch.arange(2 * (len(agents) + landmarks.count) + goals, device=self.device).unsqueeze(1)
        self._speakers = [seat for seat, agent in enumerate(agents) if agent.words]
        self._make_action_tables()
        self._contacts: ContactForces | None = None
        if contact:
            walls = [landmarks.radius] * landmarks.count if landmarks.radius is not None else []
            self._contacts = ContactForces([agent.radius for agent in agents], walls, self._dtype, self.device)
        self._max_speed = None
        if any(agent.max_speed is not None for agent in agents):
            speeds = [float("inf") if agent.max_speed is None else agent.max_speed for agent in agents]
            self._max_speed = self._tensor(speeds).unsqueeze(1)

    @abstractmethod
    def observations(self, rows: WorldRows) -> list[ObservationRows]:
        """By seat, the rows that it observes. Seats of one role observe equally many."""

    @abstractmethod
    def rewards(self, place: Tensor, landmark: Tensor, goal: Tensor) -> Tensor:
        """`[S, B]`: the rewards of a position by seat. place `[2, S, B]`, landmark `[2, L, B]`, goal `[G, B]`."""

    def hints(self, landmark: Tensor, goal: Tensor) -> list[Tensor]:
        """Rows about the goals that some seat observes: tensors `[n, B]`, with `hints` rows in all."""
        return []

    def _apply_discrete(self, choice: Tensor) -> tuple[Tensor, Tensor | None]:
        """The force of actions `[S, B]` on every agent, `[2, S, B]`, and the messages of speakers, `[W, M, B]`.

        Speakers have consecutive seats and equally many words.
        """
        index = choice + self._first_force
        force = self._force.index_select(0, index.flatten()).view(index.shape)
        if not self._speakers:
            return force, None
        index = choice[self._speakers[0] : self._speakers[-1] + 1] + self._first_word
        return force, self._word.index_select(0, index.flatten()).view(index.shape)

    def _apply_continuous(self, actions: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """As `_apply_discrete`, for continuous actions by role, `[B, K, D]`."""
        forces, messages = [], []
        for role in self.spec.roles:
            agent, strength = self._agents[role.seats[0]], slot_last(actions[role.name].to(self._dtype))
            if agent.force:
                forces.append((strength[2:5:2] - strength[1:4:2]) * agent.force)
            else:
                forces.append(torch.zeros_like(strength[:1]).expand(2, -1, -1))
            if agent.words:
                messages.append(strength[-agent.words :])
        return torch.cat(forces, 1), torch.cat(messages, 1) if messages else None

    def _tensor(self, values: Sequence[object]) -> Tensor:
        """Values, or nested lists of values, in the game's dtype and on its device."""
        return torch.tensor(values, dtype=self._dtype, device=self.device)

    def deal(self, seeds: Tensor) -> State:
        slots, seats, landmarks = len(seeds), len(self._agents), self._landmarks.count
        drawn = uniform(seeds, self._counters).to(self._dtype)
        places, goals = drawn[: 2 * (seats + landmarks)] * 2 - 1, drawn[2 * (seats + landmarks) :]
        state = {
            "place": slot_first(places[: 2 * seats].view(2, seats, slots)),
            "speed": slot_first(drawn.new_zeros((2, seats, slots))),
            "landmark": slot_first(places[2 * seats :].view(2, landmarks, slots) * self._landmarks.within),
            "score": slot_first(drawn.new_zeros((seats, slots))),
            # Stays below the number of landmarks: float32 rounds every such product of 24 bits down.
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
            force, message = self._apply_continuous(actions)
        else:
            choice = torch.cat([actions[role.name] for role in self.spec.roles], 1).t().contiguous()
            force, message = self._apply_discrete(choice)
        if self._contacts is not None and self._contacts.pairs:
            bodies = place if self._landmarks.radius is None else torch.cat((place, landmark), 1)
            force = force.add_(self._contacts.forces(bodies))
        place, speed = integrate(place, speed, force, self._max_speed)
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
        return after, Outcome(slot_first_float32(reward), over, slot_first_float32(score), over)

    def renewed(self, state: State, ended: Tensor, seeds: Tensor) -> State:
        return renew_ended(self, state, ended, seeds)

    def look(self, state: State) -> ActsAndState:
        landmark = slot_last(state["landmark"])
        parts = [slot_last(state["place"]).flatten(0, 1), landmark.flatten(0, 1)]
        parts.append(slot_last(state["speed"]).flatten(0, 1))
        if self._speakers:
            parts.append(slot_last(state["message"]).flatten(0, 1))
        parts += self.hints(landmark, slot_last(state["goal"]))
        parts.append(landmark.new_zeros((1, len(state["cycle"]))))
        rows = torch.cat(parts)
        state_rows = slot_first_float32(rows.index_select(0, self._row).sub_(rows.index_select(0, self._origin_row)))
        acts, first = {}, 0
        for role in self.spec.roles:
            width = role.obs_shape[0]
            obs = state_rows[:, first : first + role.acting * width].unflatten(1, (role.acting, width))
            acts[role.name] = all_acting(obs, self._seats[role.name])
            first += role.acting * width
        return acts, state_rows

    def text(self, state: State) -> str:
        """A map from -1 to 1 with agents as seat numbers and landmarks as letters, and a line for each agent."""
        columns, rows = _MAP
        grid = [["."] * columns for _ in range(rows)]
        signs = [*("abcdefghijklmnopqrstuvwxyz"[index % 26] for index in range(self._landmarks.count))]
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
                message = state["message"][0, self._speakers.index(seat)]
                line += f", says {int(message.argmax())}" if bool(message.any()) else ", says nothing"
            lines.append(line)
        if self._goals:
            lines.append("goal: " + ", ".join(signs[goal] for goal in state["goal"][0].tolist()))
        return "\n".join([*lines, f"cycle {int(state['cycle'][0])} of {self._cycles}"])

    def _make_action_tables(self) -> None:
        """Flat lookup tables of the force and word of every action, and where each row of `_apply_discrete` begins."""
        agents, most = self._agents, max(agent.actions for agent in self._agents)
        moves = [DIRECTIONS[action % len(DIRECTIONS)] for action in range(most)]
        force = [[[agent.force * move[axis] for move in moves] for agent in agents] for axis in (0, 1)]
        self._force = self._tensor(force).flatten()
        self._first_force = torch.arange(0, 2 * len(agents) * most, most, device=self.device).view(2, len(agents), 1)
        speakers = [agents[seat] for seat in self._speakers]
        if speakers:
            steps = [len(DIRECTIONS) if agent.force else 1 for agent in speakers]
            words = range(speakers[0].words)
            spoken = [[[float(action // step == word) for action in range(most)] for step in steps] for word in words]
            self._word = self._tensor(spoken).flatten()
            count = len(words) * len(speakers)
            first = torch.arange(0, count * most, most, device=self.device)
            self._first_word = first.view(len(words), len(speakers), 1)


def _spec(
    name: str,
    agents: Sequence[Agent],
    observations: Sequence[ObservationRows],
    options: Mapping[str, object],
    continuous: bool,
) -> GameSpec:
    names = list(dict.fromkeys(agent.role for agent in agents))
    seats_of = {name: tuple(seat for seat, agent in enumerate(agents) if agent.role == name) for name in names}
    roles = tuple(
        RoleSpec(
            name=role,
            seats=seats,
            acting=len(seats),
            obs_shape=(len(observations[seats[0]]),),
            obs_dtype=torch.float32,
            actions=agents[seats[0]].space(continuous),
        )
        for role, seats in seats_of.items()
    )
    # Roles are in seat order, so that each role's observations are a slice of the critic's state.
    assert [seat for role in roles for seat in role.seats] == list(range(len(agents)))
    against = seats_of.get("adversary", ())
    others = tuple(seat for seat in range(len(agents)) if seat not in against)
    return GameSpec(
        id=name,
        version="1",
        seats=tuple(agent.name for agent in agents),
        sides=(against, others) if against else (others,),
        roles=roles,
        outcome="score",
        can_truncate=True,
        state_shape=(sum(len(rows) for rows in observations),),
        options=options,
    )
