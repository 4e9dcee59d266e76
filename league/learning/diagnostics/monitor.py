"""The lookout of a run: after each round, which bad signs begin in its learners' metrics."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from league.games.actions import Discrete
from league.games.core import Game, GameSpec
from league.learning.diagnostics import observations, rules
from league.learning.diagnostics.catalogue import KEPT, Seen, begun
from league.learning.diagnostics.history import Facts, Round
from league.learning.learner import Learner
from league.learning.settings import ALGORITHMS
from league.storage.store import Store


@dataclass(slots=True)
class Lookout:
    """Remembers the last rounds' metrics. tables: the learners of each training table, as they train.

    make: a new game of so many slots, for a look at what each seat sees.
    """

    spec: GameSpec
    tables: Sequence[Sequence[Learner]]
    make: Callable[[int], Game]
    rounds: deque[Round]

    @staticmethod
    def of(store: Store, spec: GameSpec, tables: Sequence[Sequence[Learner]], make: Callable[[int], Game]) -> Lookout:
        """A lookout that has seen what the run has kept."""
        found: dict[int, dict[str, Mapping[str, float]]] = {}
        for row in store.metrics(last=KEPT):
            found.setdefault(row.round, {})[row.learner] = row.values
        return Lookout(spec, tables, make, deque(found.items(), maxlen=KEPT))

    def look(self, number: int, metrics: Mapping[str, Mapping[str, float]]) -> list[Seen]:
        """The signs that begin in a round, from its metrics by learner and those of the rounds before."""
        self.rounds.append((number, metrics))
        seen = begun(tuple(self.rounds), facts(self.spec, self.tables))
        return [self._with_sights(one, number) if one.sign.test is rules.seats_apart else one for one in seen]

    def _with_sights(self, seen: Seen, number: int) -> Seen:
        """A sign that may come from what seats see, with how that differs between them."""
        game = self.make(observations.SLOTS)
        try:
            differences = observations.observation_differences(observations.peek(game, number))
        finally:
            game.close()
        return replace(seen, what=f"{seen.what} (in random play, of what seats observe: {differences})")


def facts(spec: GameSpec, tables: Sequence[Sequence[Learner]]) -> dict[str, Facts]:
    """What signs must know of each learner, by its name. tables: as of `Lookout`."""
    sides = dict(zip(spec.seats, spec.side_of_seat, strict=True))
    return {
        learner.name: Facts(
            tuple(mate.name for mate in table),
            sides,
            spec.scored,
            isinstance(learner.role.actions, Discrete),
            _numbers(learner.settings.model_dump()),
            _unheeded(learner),
        )
        for table in tables
        for learner in table
    }


def _unheeded(learner: Learner) -> frozenset[str]:
    """Keys of the config that change nothing for a learner: those of other algorithms, and how rewards are shared."""
    own = type(learner.settings).model_fields
    others = {name for settings in ALGORITHMS.values() for name in settings.model_fields if name not in own}
    return frozenset(
        {f"algorithm.{name}" for name in others} | ({"game.reward"} if learner.uses_team_reward else set())
    )


def _numbers(settings: Mapping[str, object]) -> dict[str, float]:
    """The numbers among settings that are set."""
    return {name: float(value) for name, value in settings.items() if isinstance(value, int | float)}
