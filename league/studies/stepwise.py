"""Long play in steps that each take about a second, so that what is committed after each step is hardly ever lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from league.errors import PolicyError
from league.events import Tick
from league.execution.executor import MATCH_SLOTS, Executor
from league.games.core import Game
from league.games.native.core import NativeGame
from league.play.fixture import Fixture
from league.policies.core import Policy
from league.records import MatchResult, PolicyId
from league.run.slots import usual_slots
from league.threads import Threads, alone

STEP = MATCH_SLOTS
"""The cost of a step: as many episodes as fill a batch of a native game."""

_SLOW = 64
"""The cost of an episode in a Python environment, and with a policy that looks ahead; of all others it is 1."""


class Stepwise:
    """Plays fixtures of one game, with sampled moves. Must be closed. make: makes a game with a number of slots."""

    def __init__(self, make: Callable[[int], Game]) -> None:
        alone()
        probe = make(1)
        probe.close()
        self.spec, self._can_fork, self._native = probe.spec, probe.can_fork, isinstance(probe, NativeGame)
        self._executor = Executor(make_game=make, seeds=(), slots=usual_slots(probe.spec, False), threads=Threads(0))

    def __enter__(self) -> Stepwise:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the games and their threads."""
        self._executor.close()

    def require_playable(self, name: str, policy: Policy) -> None:
        """Raises PolicyError for a policy that looks ahead where the game's state cannot be copied."""
        if getattr(policy, "looks_ahead", False) and not self._can_fork:
            raise PolicyError(f"'{name}' looks ahead, and the state of {self.spec.id} cannot be copied")

    def play(self, step: Sequence[Fixture], policies: Mapping[PolicyId, Policy], tick: Tick) -> list[MatchResult]:
        """One result for each fixture, in order. policies: by the ids in the fixtures. Raises as `play.match.play`."""
        return self._executor.play(step, policies, tick)

    def cost(self, fixture: Fixture, policies: Mapping[PolicyId, Policy]) -> int:
        """The time that a fixture takes, in episodes of native play with networks."""
        names = {name for episode in fixture.episodes for name in episode}
        slow = not self._native or any(getattr(policies[name], "looks_ahead", False) for name in names)
        return fixture.episode_count * (_SLOW if slow else 1)

    def steps(self, fixtures: Sequence[Fixture], policies: Mapping[PolicyId, Policy]) -> Iterator[list[Fixture]]:
        """The fixtures in steps. What is in a step depends on nothing before it, so that play which goes on after any
        step plays the same ones."""
        step, total = list[Fixture](), 0
        for fixture in fixtures:
            cost = self.cost(fixture, policies)
            if step and total + cost > STEP:
                yield step
                step, total = [], 0
            step.append(fixture)
            total += cost
        if step:
            yield step
