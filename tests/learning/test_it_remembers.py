"""A game that only memory wins is won with every kind of memory, and not without."""

from __future__ import annotations

import pytest

from league.execution.training_table import TrainingTable
from league.games.registry import make
from league.learning.algorithms import LEARNERS
from league.learning.settings import ALGORITHMS
from league.play.fixture import fixtures
from league.play.match import play
from league.policies.scripted import Random
from league.policies.settings import NetworkSettings
from league.records import Seating

CUES, DELAY, GAMES = 3, 1, 400
BLIND, KNOWS = 0.0, 1 - 1 / CUES
"""The mean score against a guesser of one who guesses, too, and of one who knows."""

SHARED = {"discount": 1.0, "chunk": DELAY + 2, "learning_rate": 5e-3, "max_grad_norm": 10.0}
KINDS = {
    "mappo": {"minibatch": 768, "epochs": 4, "entropy": 0.01, **SHARED},
    "coma": {"minibatch": 768, "epochs": 4, "entropy": 0.01, **SHARED},
    "qmix": {"batch": 64, "updates": 16, "warmup": 500, "epsilon_end": 0.2, "epsilon_steps": 20_000, **SHARED},
}


def score(memory: str, kind: str = "mappo", rounds: int = 30) -> float:
    """The mean score against uniformly random answers of what a learner has become."""
    game = make("recall", 64, options={"cues": CUES, "delay": DELAY})
    (role,) = game.spec.roles
    look = {"actor": (24,), "critic": (24,), "memory": memory, "memory_units": 16, "memory_length": DELAY + 2}
    settings = ALGORITHMS[kind].model_validate(KINDS[kind])
    learner = LEARNERS[kind]("main", game.spec, role, NetworkSettings.model_validate(look), settings, 3)
    table = TrainingTable(game, 0, 7)
    for number in range(rounds):
        table.round(number, [learner], {}, [Seating(("main", "main"), 1.0)], 4 * (DELAY + 2))
    policies = {"learned": learner.frozen(), "random": Random(role.name, role.actions)}
    found = play([game], policies, fixtures(game.spec, ["learned", "random"], GAMES, 5))
    total = sum(one.score_sum[one.policies.index("learned")] for one in found)
    return total / sum(one.episodes for one in found)


@pytest.mark.parametrize("memory", ["stack", "gru", "lstm", "transformer"])
def test_what_was_shown_is_remembered(memory: str) -> None:
    # The standard error of 400 games is below 0.04.
    assert score(memory) == pytest.approx(KNOWS, abs=0.15)


def test_without_memory_nobody_knows() -> None:
    assert score("none") == pytest.approx(BLIND, abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["coma", "qmix"])
def test_others_than_ppo_remember_too(kind: str) -> None:
    assert score("gru", kind, 40) == pytest.approx(KNOWS, abs=0.15)
