"""What is in a particle world: agents, landmarks, and the rows of numbers of which observations are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from league.games.actions import ActionSpace, Box, Discrete

DIRECTIONS = ((0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
"""Directions (x, y) of the moves 0 … 4: stay, left, right, down, up."""

ObservationRows = list[tuple[int, int]]
"""One seat's observation, number by number: the difference of two rows of the world (`WorldRows`)."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, a disc of mass 1.

    name: of the seat. role: of the seat. radius: of the disc. force: of a move, 0 where the agent cannot move.
    max_speed: None where unlimited. words: how many messages it can choose from, 0 where it is silent.
    """

    name: str
    role: str
    radius: float
    force: float = 5.0
    max_speed: float | None = None
    words: int = 0

    @property
    def actions(self) -> int:
        """How many there are: moves, words, or pairs of both (action = move + 5 * word)."""
        return (len(DIRECTIONS) if self.force else 1) * max(self.words, 1)

    def space(self, continuous: bool) -> ActionSpace:
        """Its action space; if continuous, a strength from 0 to 1 for every move, then for every word."""
        if not continuous:
            return Discrete(self.actions)
        strengths = (len(DIRECTIONS) if self.force else 0) + self.words
        return Box((0.0,) * strengths, (1.0,) * strengths)


@dataclass(frozen=True, slots=True)
class Landmarks:
    """`count` landmarks, each coordinate uniform in [-within, within]. radius: None where agents pass through them."""

    count: int
    within: float = 1.0
    radius: float | None = None


class WorldRows:
    """Which row of a `[rows, B]` tensor holds which number of a world: names for what observations show.

    hints: how many rows the scenario adds (`ParticleGame.hints`). The last row is zeros.
    """

    def __init__(self, agents: Sequence[Agent], landmarks: int, hints: int) -> None:
        seats, words = len(agents), [agent.words for agent in agents if agent.words]
        self._seats, self._landmarks, self._words = seats, landmarks, words
        self._speed = 2 * (seats + landmarks)
        self._message = self._speed + 2 * seats
        self._hint = self._message + sum(words)
        self._zero = self._hint + hints

    def position(self, seat: int) -> ObservationRows:
        """x and y of an agent."""
        return self._pairs(self._position_of(seat))

    def velocity(self, seat: int) -> ObservationRows:
        """Velocity of an agent along x and y."""
        return self._pairs([self._speed + axis * self._seats + seat for axis in (0, 1)])

    def other_agents(self, seen_by: int) -> ObservationRows:
        """The position of each other agent relative to this one."""
        others = [seat for seat in range(self._seats) if seat != seen_by]
        return [
            pair for seat in others for pair in zip(self._position_of(seat), self._position_of(seen_by), strict=True)
        ]

    def landmarks(self, seen_by: int) -> ObservationRows:
        """The position of each landmark relative to an agent."""
        first = 2 * self._seats
        rows = [[first + axis * self._landmarks + index for axis in (0, 1)] for index in range(self._landmarks)]
        return [pair for place in rows for pair in zip(place, self._position_of(seen_by), strict=True)]

    def message(self, speaker: int) -> ObservationRows:
        """The last message of this speaker (numbered among speakers), one-hot; zeros before its first."""
        each, speakers = self._words[speaker], len(self._words)
        return self._pairs([self._message + word * speakers + speaker for word in range(each)])

    def hint(self, *numbers: int) -> ObservationRows:
        """The scenario's own rows with these numbers (`ParticleGame.hints`)."""
        return self._pairs([self._hint + number for number in numbers])

    def hinted_position(self, x: int, seen_by: int) -> ObservationRows:
        """The position in the scenario's own rows `x` and `x + 1`, relative to an agent."""
        return list(zip((self._hint + x, self._hint + x + 1), self._position_of(seen_by), strict=True))

    def zeros(self, count: int) -> ObservationRows:
        """Zeros, as for messages that nobody sends."""
        return self._pairs([self._zero] * count)

    def _position_of(self, seat: int) -> tuple[int, int]:
        return seat, self._seats + seat

    def _pairs(self, rows: Sequence[int]) -> ObservationRows:
        return [(row, self._zero) for row in rows]
