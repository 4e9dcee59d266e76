"""A learner's metrics over its last rounds, in the form that the rules read. Pure: numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

Curve = tuple[float, ...]
"""Values by round, oldest first; NaN where a round has none."""


@dataclass(frozen=True, slots=True)
class LearnerFacts:
    """What the rules must know of a learner beside its metrics.

    mates: the learners of its training table, including itself. sides: the side of each seat of the game, by name.
    scored: whether the size of a score counts. discrete: whether its actions are choices, not points in a box.
    settings: its numeric settings, switches as 0 and 1. unused_settings: keys of the config that have no effect on it.
    """

    mates: tuple[str, ...]
    sides: Mapping[str, int] = field(default_factory=dict)
    scored: bool = False
    discrete: bool = True
    settings: Mapping[str, float] = field(default_factory=dict)
    unused_settings: frozenset[str] = frozenset()

    @property
    def one_side(self) -> bool:
        """Whether the game has no opponents: only then does the return alone show whether a learner improves."""
        return len(set(self.sides.values())) <= 1


@dataclass(frozen=True, slots=True)
class History:
    """A learner's metrics, one value a round. values: by metric. seats: `return/SEAT` of its whole table, by seat."""

    learner: str
    facts: LearnerFacts
    rounds: tuple[int, ...]
    values: Mapping[str, Curve]
    seats: Mapping[str, Curve]

    def curve(self, name: str) -> Curve:
        """A metric's values; NaN in rounds without it."""
        return self.values.get(name) or (math.nan,) * len(self.rounds)

    def latest(self, name: str) -> float:
        """A metric's value in the last round; NaN if it has none."""
        return self.values[name][-1] if self.values.get(name) else math.nan

    def last(self, name: str, count: int) -> Curve:
        """The last `count` values of a metric; empty if one of them is missing."""
        values = self.curve(name)[-count:]
        return values if len(values) == count and all(map(math.isfinite, values)) else ()

    def matching(self, stem: str) -> list[str]:
        """The names of the metrics `stem` and `stem/…`, sorted."""
        return sorted(name for name in self.values if name == stem or name.startswith(stem + "/"))

    @property
    def complete(self) -> bool:
        """Whether it goes back to the run's first round."""
        return bool(self.rounds) and self.rounds[0] <= 1

    def window(self, back: int, length: int) -> History:
        """The `length` rounds that end `back` rounds before the last one."""
        cut = slice(max(len(self.rounds) - back - length, 0), max(len(self.rounds) - back, 0))
        return replace(
            self,
            rounds=self.rounds[cut],
            values={name: curve[cut] for name, curve in self.values.items()},
            seats={name: curve[cut] for name, curve in self.seats.items()},
        )


RoundMetrics = tuple[int, Mapping[str, Mapping[str, float]]]
"""A round's number and its metrics by learner."""


def history(learner: str, facts: LearnerFacts, rounds: Sequence[RoundMetrics]) -> History:
    """A learner's history. rounds: oldest first. Values that are not finite become NaN, as in a run's database."""
    values: dict[str, list[float]] = {}
    seats: dict[str, list[float]] = {}
    for place, (_, metrics) in enumerate(rounds):
        _put(values, metrics.get(learner, {}), place)
        for mate in facts.mates:
            found = metrics.get(mate, {})
            _put(seats, {seat: found[f"return/{seat}"] for seat in facts.sides if f"return/{seat}" in found}, place)
    numbers = tuple(number for number, _ in rounds)
    return History(learner, facts, numbers, _curves(values, len(rounds)), _curves(seats, len(rounds)))


def _put(into: dict[str, list[float]], metrics: Mapping[str, float], place: int) -> None:
    for name, value in metrics.items():
        curve = into.setdefault(name, [])
        curve += [math.nan] * (place - len(curve))
        curve.append(float(value) if math.isfinite(value) else math.nan)


def _curves(values: Mapping[str, list[float]], length: int) -> dict[str, Curve]:
    return {name: (*curve, *[math.nan] * (length - len(curve))) for name, curve in values.items()}


def finite(curve: Curve) -> Curve:
    """The finite values of a curve."""
    return tuple(value for value in curve if math.isfinite(value))


def mean(curve: Curve) -> float:
    """The mean of finite values, at least one."""
    return sum(curve) / len(curve)


def noise(curve: Curve) -> float:
    """The noise of a curve of finite values without its trend: the median size of the changes from round to round."""
    changes = [abs(after - before) for before, after in pairwise(curve)]
    return median(changes) if changes else 0.0


def change_correlation(first: Curve, second: Curve) -> float:
    """The correlation of the round-to-round changes of two equally long curves; 0 if one of them is constant."""
    a = [after - before for before, after in pairwise(first)]
    b = [after - before for before, after in pairwise(second)]
    a, b = ([change - sum(changes) / len(changes) for change in changes] for changes in (a, b))
    size = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / size if size > 0 else 0.0
