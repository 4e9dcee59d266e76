"""Warning signs: each is found in metrics of a run gone wrong, none in those of a healthy run, each reported once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import cache

import pytest
import torch

from league.config.load import load
from league.execution.training_table import TrainingTable
from league.games.registry import make
from league.learning.diagnostics.catalogue import (
    DIAGNOSTICS,
    QUIET_ROUNDS,
    ROUNDS_NEEDED,
    WINDOW,
    Finding,
    new_findings,
)
from league.learning.diagnostics.history import LearnerFacts, RoundMetrics
from league.learning.diagnostics.monitor import facts
from league.learning.settings import ALGORITHMS
from league.records import Seating
from league.run.learners import new_learner

Curve = Callable[[int], float]
"""A metric's value by round, from 1 on."""

NAMES = [sign.name for sign in DIAGNOSTICS]
TEAM = {"a": 0, "b": 0}
RIVALS = {"a": 0, "b": 1}
SETTINGS = {"max_grad_norm": 0.5, "epochs": 4.0, "target_kl": 0.02, "discount": 0.95}

HEALTHY: dict[str, Curve] = {
    "approx_kl": lambda n: 0.008 + 0.003 * math.sin(2.1 * n),
    "approx_kl/a": lambda n: 0.009 + 0.004 * math.sin(1.7 * n),
    "clip_fraction": lambda n: 0.08 + 0.05 * math.sin(1.3 * n),
    "entropy": lambda n: 0.4 + 1.2 * 0.97**n,
    "explained_variance": lambda n: 0.8 - 0.9 * 0.9**n,
    "value_loss": lambda n: 0.1 + 0.4 * 0.95**n + 0.02 * math.sin(n),
    "grad_norm": lambda n: 0.2 + 0.05 * math.sin(1.9 * n),
    "critic_grad_norm": lambda n: 0.6 + 0.3 * math.sin(2.3 * n),
    "return": lambda n: -20 - 10 * 0.95**n + 0.4 * math.sin(5.1 * n),
    "return/a": lambda n: -20 - 10 * 0.95**n + 0.4 * math.sin(5.1 * n),
    "return/b": lambda n: -20 - 10 * 0.95**n + 0.4 * math.sin(4.3 * n),
    "td_loss": lambda n: 0.3 + 0.1 * math.sin(n),
    "q_value": lambda n: -12 + 0.5 * math.sin(n),
    "truncated": lambda n: 1.0,
    "replay_ratio": lambda n: 4.0,
    "epsilon": lambda n: max(1.0 - n / 10, 0.05),
    "skipped_steps": lambda n: 0.0,
    "epochs": lambda n: 4.0 if n % 3 else 2.0,
    "agent_steps": lambda n: 9600.0,
    "agent_steps/a": lambda n: 4800.0,
    "episodes": lambda n: 128.0,
    "episode_length": lambda n: 25.0,
}
"""Of a team that learns: shapes and sizes as in configs/spread.toml, with a little unrest."""


def jump(n: int) -> float:
    return 0.05 if n == 30 else HEALTHY["approx_kl"](n)


BAD: dict[str, tuple[dict[str, Curve], LearnerFacts, int]] = {
    "kl_jump": ({"approx_kl/a": lambda n: 0.31 if n == 12 else 0.009}, LearnerFacts(("m",), TEAM), 12),
    "kl_jump by its median": ({"approx_kl": jump}, LearnerFacts(("m",), TEAM), 30),
    "clip_fraction_high": ({"clip_fraction": lambda n: 0.1 + min(0.02 * n, 0.4)}, LearnerFacts(("m",), TEAM), 20),
    "entropy_collapsed": ({"entropy": lambda n: 1.6 * 0.85**n}, LearnerFacts(("m",), TEAM), 11),
    "entropy_collapsed late": ({"entropy": lambda n: max(1.6 - n / 40, 0.004)}, LearnerFacts(("m",), TEAM), 68),
    "entropy_flat": (
        {"entropy": lambda n: 1.609 - 0.0001 * n, "return": lambda n: -25 + math.sin(5.1 * n)},
        LearnerFacts(("m",), TEAM),
        40,
    ),
    "entropy_exploding": ({"entropy": lambda n: 2.8 + 0.08 * n}, LearnerFacts(("m",), TEAM, discrete=False), 30),
    "critic_blind": ({"explained_variance": lambda n: -0.02 + 0.015 * math.sin(n)}, LearnerFacts(("m",), TEAM), 15),
    "loss_diverging": (
        {"value_loss": lambda n: 0.3 * (1.0 if n < 20 else 1.8 ** (n - 20))},
        LearnerFacts(("m",), TEAM),
        27,
    ),
    "loss_diverging of Q": (
        {"td_loss": lambda n: 0.2 * (1.0 if n < 20 else 3.0 ** (n - 19))},
        LearnerFacts(("m",), TEAM),
        24,
    ),
    "gradient_exploding": ({"critic_grad_norm": lambda n: 9.0 if n == 25 else 0.6}, LearnerFacts(("m",), TEAM), 25),
    "gradient_exploding after more than a new target": (
        {"grad_norm": lambda n: 90.0 if n in (25, 26) else 6.0},
        LearnerFacts(("m",), TEAM, settings={"max_grad_norm": 10.0, "target_every": 200.0}),
        26,
    ),
    "gradient_clipped": (
        {"grad_norm": lambda n: 4 + math.sin(n)},
        LearnerFacts(("m",), TEAM, settings=SETTINGS),
        20,
    ),
    "gradient_vanishing": ({"grad_norm": lambda n: 0.2 * 0.5**n}, LearnerFacts(("m",), TEAM), 22),
    "steps_skipped": ({"skipped_steps": lambda n: 2.0 * (n == 7)}, LearnerFacts(("m",), TEAM), 7),
    "return_falling": (
        {"return": lambda n: -30 + 10 * min(n, 25) / 25 - 0.4 * max(n - 30, 0) + 0.4 * math.sin(5.1 * n)},
        LearnerFacts(("m",), TEAM),
        45,
    ),
    "behind_past": (
        {"against_past": lambda n: 0.1 - 0.02 * n, "against_past_high": lambda n: 0.25 - 0.02 * n},
        LearnerFacts(("m",), RIVALS),
        13,
    ),
    "same_action": ({"same_action": lambda n: min(0.4 + 0.05 * n, 0.99)}, LearnerFacts(("m",), TEAM), 17),
    "standing_still": ({"approx_kl": lambda n: 1e-9 * (n % 3)}, LearnerFacts(("m",), TEAM), 10),
    "standing_still in several passes": (
        {"approx_kl": lambda n: 0.0, "agent_steps": lambda n: 500.0},
        LearnerFacts(("m",), TEAM, settings={"minibatch": 2048.0, "epochs": 4.0, "clip": 0.2}),
        10,
    ),
    "standing_still with no better return": (
        {"return": lambda n: -25 + math.sin(5.1 * n)},
        LearnerFacts(("m",), TEAM),
        40,
    ),
    "seats_apart": (
        {
            "return/a": lambda n: 5 + 0.3 * n + math.sin(5.1 * n),
            "return/b": lambda n: 5 - 0.3 * n + math.sin(4.3 * n),
        },
        LearnerFacts(("m",), TEAM),
        26,
    ),
    "seats_apart of rivals": (
        {
            "return/a": lambda n: 5 + 0.3 * n + math.sin(5.1 * n),
            "return/b": lambda n: 5 - 0.2 * n + math.sin(5.1 * n),
        },
        LearnerFacts(("m",), RIVALS, scored=True),
        32,
    ),
    "values_run_away": ({"q_value": lambda n: 1.2**n}, LearnerFacts(("m",), TEAM, settings=SETTINGS), 22),
    "values_run_away downwards": (
        {"value": lambda n: -25.0 - 4.0 * n},
        LearnerFacts(("m",), TEAM, settings=SETTINGS),
        30,
    ),
    "values_run_away of rewards that were scaled down": (
        {"q_value": lambda n: 4.0} | dict.fromkeys(("return", "return/a", "return/b"), lambda n: 5.0 + n % 2),
        LearnerFacts(("m",), TEAM, settings=SETTINGS | {"reward_scale": 0.1}),
        25,
    ),
    "cuts_undiscounted": ({"truncated": lambda n: 0.5}, LearnerFacts(("m",), TEAM, settings={"discount": 1.0}), 1),
    "replay_thin": ({"replay_ratio": lambda n: 0.25}, LearnerFacts(("m",), TEAM, settings=SETTINGS), 5),
    "stopped_early": ({"epochs": lambda n: 1.0 + n % 2}, LearnerFacts(("m",), TEAM, settings=SETTINGS), 10),
    "never_acting": ({"agent_steps/a": lambda n: 0.0}, LearnerFacts(("m",), TEAM), 5),
    "endless": ({"episodes": lambda n: 0.0}, LearnerFacts(("m",), TEAM), 20),
}
"""What goes wrong, by the sign's name (and a word, where there are several): curves that differ from the healthy ones,
facts, and the round in which it must be told at the latest."""


def rounds(curves: Mapping[str, Curve], count: int, learner: str = "m") -> list[RoundMetrics]:
    """So many rounds of one learner, whose metrics are those curves."""
    return [(n, {learner: {name: curve(n) for name, curve in curves.items()}}) for n in range(1, count + 1)]


def told(run: list[RoundMetrics], facts: Mapping[str, LearnerFacts]) -> list[tuple[int, Finding]]:
    """All that is told of a run, with the round in which it is."""
    return [(run[end - 1][0], seen) for end in range(1, len(run) + 1) for seen in new_findings(run[:end], facts)]


@cache
def real_run(game: str, count: int) -> tuple[list[RoundMetrics], dict[str, LearnerFacts]]:
    """Self-play in batched torch, as a run trains: its metrics and facts."""
    small = ("slots=64", "turns=25", "minibatch=512")
    networks = ("network.actor=[32]", "network.critic=[32]")
    config = load(None, [f"game.id={game}", *(f"algorithm.{setting}" for setting in small), *networks])
    table = TrainingTable(make(game, 64), 0, 5)
    spec = table.game.spec
    learners = [new_learner(config, spec, 0, role, torch.device("cpu")) for role in range(len(spec.roles))]
    names = {learner.role.name: learner.name for learner in learners}
    seating = [Seating(tuple(names[post.role] for post in spec.posts), 1.0)]
    run = [(n, dict(table.round(n, learners, {}, seating, 25).metrics)) for n in range(1, count + 1)]
    return run, facts(spec, [learners])


def test_every_sign_says_all_that_there_is_to_know() -> None:
    assert len(set(NAMES)) == len(DIAGNOSTICS) >= 10
    assert {name.split()[0] for name in BAD} == set(NAMES), "every sign has a run gone wrong, below"
    keys = {key for sign in DIAGNOSTICS for key in sign.setting.split(", ")}
    data = load(None).model_dump()
    data["algorithm"] = {name for settings in ALGORITHMS.values() for name in settings.model_fields}
    for key in keys:
        table, name = key.split(".")
        assert name in data[table], f"{key} is no setting"
    assert all(sign.metrics and sign.threshold and sign.cause for sign in DIAGNOSTICS)


@pytest.mark.parametrize("name", BAD)
def test_a_sign_is_told_of_a_run_gone_wrong_and_not_before(name: str) -> None:
    changed, facts, latest = BAD[name]
    seen = told(rounds(HEALTHY | changed, latest), {"m": facts})
    assert name.split()[0] in {one.diagnostic.name for _, one in seen}
    alike = {"standing_still", "entropy_flat"} if "return" in changed else set()
    assert {one.diagnostic.name for _, one in seen} <= {name.split()[0]} | alike, "and nothing else"
    for _, one in seen:
        assert one.learner == "m"
        assert one.what in one.message
        assert one.setting in one.message
    assert told(rounds(HEALTHY, latest), {"m": dataclasses.replace(facts, settings=SETTINGS)}) == []


@pytest.mark.parametrize("game", ["connect_four", "leduc", "spread", "tag"])
def test_a_healthy_run_shows_no_sign(game: str) -> None:
    run, facts = real_run(game, 14)
    assert all(len(metrics) == len(facts) for _, metrics in run)
    assert [(number, seen.what) for number, seen in told(run, facts)] == []


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_only_settings_that_the_algorithm_has_are_named(kind: str) -> None:
    game, config = make("spread", 1), load(None, ["game.id=spread", f"algorithm.kind={kind}"])
    learner = new_learner(config, game.spec, 0, 0, torch.device("cpu"))
    (about,) = facts(game.spec, [[learner]]).values()
    keys = {f"algorithm.{name}" for name in ALGORITHMS[kind].model_fields}
    for changed, shown, latest in BAD.values():
        for _, one in told(
            rounds(HEALTHY | changed, latest), {"m": dataclasses.replace(shown, unused_settings=about.unused_settings)}
        ):
            every, named = one.diagnostic.setting.split(", "), one.setting.split(", ")
            assert named == every or {key for key in named if key.startswith("algorithm.")} <= keys
            assert one.record()["setting"] == one.setting
    own = dataclasses.replace(BAD["seats_apart"][1], unused_settings=about.unused_settings)
    ((_, apart),) = told(rounds(HEALTHY | BAD["seats_apart"][0], 26), {"m": own})
    assert ("game.reward" in apart.setting) == (kind in ("mappo", "ippo"))
    ((_, still),) = told(
        rounds(HEALTHY | BAD["standing_still"][0], 10),
        {"m": LearnerFacts(("m",), TEAM, unused_settings=about.unused_settings)},
    )
    assert ("algorithm.entropy" in still.setting) == (kind in ("mappo", "ippo", "coma"))
    assert ("algorithm.epsilon_steps" in still.setting) == (kind in ("qmix", "vdn"))


def test_returns_of_random_play_say_nothing() -> None:
    facts = LearnerFacts(("m",), TEAM)
    for name in ("return_falling", "standing_still with no better return"):
        changed = BAD[name][0] | {"epsilon": lambda n: 0.9, "entropy": lambda n: math.nan}
        assert told(rounds(HEALTHY | changed, 60), {"m": facts}) == []


def test_what_is_next_to_nothing_is_no_sign() -> None:
    facts = LearnerFacts(("m",), TEAM)
    jolts = {"grad_norm": lambda n: 90.0 if n % 12 == 0 else 6.0}
    targets = LearnerFacts(("m",), TEAM, settings={"max_grad_norm": 10.0, "target_every": 200.0})
    assert told(rounds(HEALTHY | jolts, 60), {"m": targets}) == []
    settled = {name: lambda n: 175.0 - 0.01 * (n >= 15) for name in ("return", "return/a", "return/b")}
    assert told(rounds(HEALTHY | settled | {"q_value": lambda n: 100.0}, 30), {"m": facts}) == []
    solved = {"explained_variance": lambda n: -40.0, "value_loss": lambda n: 1e-5}
    normalised = LearnerFacts(("m",), TEAM, settings={"value_normalisation": 1.0})
    assert told(rounds(HEALTHY | solved, 40), {"m": normalised}) == []
    assert {one.diagnostic.name for _, one in told(rounds(HEALTHY | solved, 40), {"m": facts})} == {"critic_blind"}
    one_move: dict[str, Curve] = {"same_action": lambda n: 1.0, "episode_length": lambda n: 1.0}
    assert told(rounds(HEALTHY | one_move, 30), {"m": facts}) == []
    level: dict[str, Curve] = {"against_past": lambda n: -0.2, "against_past_high": lambda n: 0.0}
    assert told(rounds(HEALTHY | level, 30), {"m": facts}) == []
    calm: dict[str, Curve] = {"q_value": lambda n: 0.01, "value": lambda n: -0.02}
    calm |= {name: lambda n: 5e-4 if n < 10 else 0.0 for name in ("return", "return/a", "return/b")}
    assert told(rounds(HEALTHY | calm, 30), {"m": facts}) == []


def test_in_a_real_run_each_metric_gone_wrong_is_told() -> None:
    run, facts = real_run("leduc", 14)
    number, metrics = run[-1]
    for name, value, sign in (("approx_kl", 0.4, "kl_jump"), ("grad_norm", 50.0, "gradient_exploding")):
        (values,) = metrics.values()
        broken = [*run[:-1], (number, dict.fromkeys(facts, dict(values) | {name: value}))]
        assert [seen.diagnostic.name for seen in new_findings(broken, facts)] == [sign]


def test_a_sign_is_told_when_it_begins_and_again_only_after_it_was_away_for_a_while() -> None:
    def numbers(*bad: int) -> list[int]:
        curves = HEALTHY | {"skipped_steps": lambda n: float(n in bad)}
        return [number for number, _ in told(rounds(curves, 60), {"m": LearnerFacts(("m",), TEAM)})]

    assert numbers(*range(20, 61)) == [20]
    assert numbers(20, 25, 30 + QUIET_ROUNDS // 2) == [20], "away for less than that"
    assert numbers(20, 20 + QUIET_ROUNDS, 21 + 2 * QUIET_ROUNDS) == [20, 21 + 2 * QUIET_ROUNDS]


def test_what_is_told_depends_on_the_last_rounds_alone() -> None:
    changed, facts, _ = BAD["seats_apart"]
    run = rounds(HEALTHY | changed | BAD["kl_jump by its median"][0], 150)
    for end in range(1, len(run) + 1):
        assert new_findings(run[:end], {"m": facts}) == new_findings(
            run[max(end - ROUNDS_NEEDED, 0) : end], {"m": facts}
        )
    assert WINDOW < ROUNDS_NEEDED


def test_nothing_is_told_where_metrics_are_missing_or_not_finite() -> None:
    assert new_findings([], {"m": LearnerFacts(("m",), TEAM)}) == []
    for value in (math.nan, math.inf):
        run = rounds(dict.fromkeys(HEALTHY, lambda n, value=value: value), 45)
        assert told(run, {"m": LearnerFacts(("m",), TEAM)}) == []
    empty: list[RoundMetrics] = [(n, {"m": {"agent_steps": 5.0}}) for n in range(1, 45)]
    assert told(empty, {"m": LearnerFacts(("m",), TEAM)}) == []


@pytest.mark.parametrize(
    ("why", "curves", "facts"),
    [
        (
            "zero-sum play",
            {"return/a": lambda n: 0.3 * n + math.sin(n), "return/b": lambda n: -0.3 * n - math.sin(n)},
            LearnerFacts(("m",), RIVALS, scored=True),
        ),
        (
            "opponents who win what the other loses, though not to the point",
            {
                "return/a": lambda n: 0.3 * n + math.sin(4.1 * n),
                "return/b": lambda n: -0.1 * n - 0.4 * math.sin(4.1 * n) + 0.1 * math.sin(n),
            },
            LearnerFacts(("m",), RIVALS, scored=True),
        ),
        (
            "games that are won or lost",
            {"return/a": lambda n: 0.3 * n + math.sin(5.1 * n), "return/b": lambda n: -0.3 * n + math.sin(4.3 * n)},
            LearnerFacts(("m",), RIVALS),
        ),
        ("returns against rivals who learn, too", {"return": lambda n: -0.5 * n}, LearnerFacts(("m",), RIVALS)),
        ("equilibria in mixed strategies", {"entropy": lambda n: 1.0986}, LearnerFacts(("m",), RIVALS)),
        (
            "one-shot games",
            {"explained_variance": lambda n: -1e-4, "episode_length": lambda n: 1.0},
            LearnerFacts(("m",), RIVALS),
        ),
        (
            "densities, which may be below 1 nat",
            {"entropy": lambda n: 2 - 0.05 * n},
            LearnerFacts(("m",), TEAM, False, False),
        ),
        (
            "policies that take one step a round, before which nothing has changed",
            {"approx_kl": lambda n: 0.0, "agent_steps": lambda n: 500.0},
            LearnerFacts(("m",), TEAM, settings={"minibatch": 2048.0, "epochs": 4.0}),
        ),
        (
            "values of rewards that were scaled up",
            {"q_value": lambda n: 40 * (1 - 0.9**n)}
            | dict.fromkeys(("return", "return/a", "return/b"), lambda n: 5 * (1 - 0.9**n)),
            LearnerFacts(("m",), TEAM, settings=SETTINGS | {"reward_scale": 10.0}),
        ),
        (
            "values in rounds in which no episode ends",
            {
                "value": lambda n: 190.0,
                "q_value": lambda n: 190.0,
                "episode_length": lambda n: 50.0 if n % 4 == 0 else math.nan,
            }
            | dict.fromkeys(("return", "return/a", "return/b"), lambda n: 50.0 + n % 2 if n % 4 == 0 else math.nan),
            LearnerFacts(("m",), TEAM, settings=SETTINGS | {"discount": 0.995}),
        ),
        (
            "values that look beyond where episodes are cut",
            {"q_value": lambda n: 40 * (1 - 0.9**n), "episode_length": lambda n: 5.0}
            | dict.fromkeys(("return", "return/a", "return/b"), lambda n: 10 * (1 - 0.9**n)),
            LearnerFacts(("m",), TEAM, settings=SETTINGS),
        ),
    ],
)
def test_what_only_looks_bad_is_not_told(why: str, curves: dict[str, Curve], facts: LearnerFacts) -> None:
    assert told(rounds(HEALTHY | curves, 60), {"m": facts}) == [], why


def test_seats_of_two_learners_at_one_table_are_looked_at_together() -> None:
    changed, _, latest = BAD["seats_apart"]
    run: list[RoundMetrics] = [
        (n, {who: {f"return/{who}": changed[f"return/{who}"](n)} for who in ("a", "b")}) for n in range(1, latest + 1)
    ]
    facts = LearnerFacts(("a", "b"), TEAM)
    assert {(seen.learner, seen.diagnostic.name) for _, seen in told(run, {"a": facts, "b": facts})} == {
        ("a", "seats_apart")
    }
    apart = {"a": dataclasses.replace(facts, mates=("a",)), "b": dataclasses.replace(facts, mates=("b",))}
    assert told(run, apart) == [], "tables of their own have nothing to do with each other"
