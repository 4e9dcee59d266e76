"""A game that only memory wins is won with every kind of memory, and not without."""

from __future__ import annotations

from functools import partial

import pytest
from trials import Trial

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
CALM = {"learning_rate": 2e-3, "max_grad_norm": 0.5}
"""For attention: with the steps that suit the others, a seed now and then forgets all that it has learned."""
KINDS = {
    "mappo": {"minibatch": 768, "epochs": 4, "entropy": 0.01, **SHARED},
    "coma": {"minibatch": 768, "epochs": 4, "entropy": 0.01, **SHARED},
    "qmix": {"batch": 64, "updates": 16, "warmup": 500, "epsilon_end": 0.2, "epsilon_steps": 20_000, **SHARED},
}


def score(seed: int, memory: str, kind: str = "mappo", rounds: int = 20, **changes: float) -> float:
    """The mean score of what a learner has become, against uniformly random answers. changes: of its settings."""
    game = make("recall", 64, options={"cues": CUES, "delay": DELAY})
    (role,) = game.spec.roles
    look = {"actor": (24,), "critic": (24,), "memory": memory, "memory_units": 16, "memory_length": DELAY + 2}
    settings = ALGORITHMS[kind].model_validate(KINDS[kind] | changes)
    learner = LEARNERS[kind]("main", game.spec, role, NetworkSettings.model_validate(look), settings, seed)
    table = TrainingTable(game, 0, seed)
    for number in range(rounds):
        table.round(number, [learner], {}, [Seating(("main", "main"), 1.0)], 4 * (DELAY + 2))
    policies = {"learned": learner.frozen(), "random": Random(role.name, role.actions)}
    found = play([game], policies, fixtures(game.spec, ["learned", "random"], GAMES, 5))
    total = sum(one.score_sum[one.policies.index("learned")] for one in found)
    return total / sum(one.episodes for one in found)


TRIALS = [
    *(
        Trial(
            name=f"recall with {memory}, score",
            reach=partial(score, memory=memory, rounds=rounds, **changes),
            random=BLIND,
            usual=KNOWS,
        )
        for memory, rounds, changes in (("stack", 20, {}), ("gru", 20, {}), ("lstm", 25, {}), ("transformer", 30, CALM))
    ),
    *(
        Trial(
            name=f"recall with gru and {kind}, score",
            reach=partial(score, memory="gru", kind=kind, rounds=40),
            random=BLIND,
            usual=KNOWS,
            slow=True,
        )
        for kind in ("coma", "qmix")
    ),
]
WITHOUT = Trial(name="recall without memory, score", reach=partial(score, memory="none"), random=KNOWS, usual=BLIND)
"""The control: nobody who cannot remember comes half way to one who knows."""


@pytest.mark.parametrize("trial", [trial for trial in TRIALS if not trial.slow], ids=str)
def test_what_was_shown_is_remembered(trial: Trial) -> None:
    passed, told = trial.outcome()
    assert passed, told


def test_without_memory_nobody_knows() -> None:
    passed, told = WITHOUT.outcome()
    assert passed, told


@pytest.mark.slow
@pytest.mark.parametrize("trial", [trial for trial in TRIALS if trial.slow], ids=str)
def test_others_than_ppo_remember_too(trial: Trial) -> None:
    passed, told = trial.outcome()
    assert passed, told
