"""How many rated games a round with new snapshots plays, by rule: no clock decides it, so equal runs stay equal."""

from __future__ import annotations

from league.config.run import RunConfig
from league.learning.settings import ActorCriticSettings, AlgorithmSettings, ReplaySettings

_PASS = 2.0
"""The work of one pass of an update over a turn, forward and backward, in turns that are only played (measured)."""

_HALF_PASS = 0.9
"""The same where networks compute in bfloat16."""

_WEIGHTS = 150_000
"""Actors of so many weights double the work of a rated turn (measured): there are as many of them as snapshots, and
reading the weights of each takes longer than what is done with the few rows that it is given."""


def rated_turns(config: RunConfig, slots: int, native: bool, half_precision: bool = False, weights: int = 0) -> float:
    """Turns of rated games for each round of training, so that they are `rating.share` of a run's work.

    slots: of each training table. native: whether the game is played in batched torch. half_precision: whether updates
    compute in bfloat16. weights: of an actor. Work is counted in turns that are played and not learnt from. A turn of
    training is `turn_cost` of them in a native game, a turn of rated games 1 + weights / 150,000. In Python
    environments, whose own step takes most of the time in training and in rated games, both count as one.
    """
    trained = config.algorithm.turns * slots * config.population.learners
    cost = turn_cost(config.algorithm, slots, half_precision) if native else 1.0
    rated_cost = 1.0 + weights / _WEIGHTS if native else 1.0
    share = config.rating.share
    return trained * cost / rated_cost * share / (1.0 - share)


def turn_cost(algorithm: AlgorithmSettings, slots: int, half_precision: bool = False) -> float:
    """The work of one turn of training: that of playing it, 1, and 2 for each pass of the update over it.

    With half precision it is 0.9 for each pass.
    """
    passes = 1.0
    if isinstance(algorithm, ActorCriticSettings):
        passes = algorithm.epochs
    elif isinstance(algorithm, ReplaySettings):
        passes = algorithm.updates * algorithm.batch * algorithm.chunk / (slots * algorithm.turns)
    return 1.0 + (_HALF_PASS if half_precision else _PASS) * passes
