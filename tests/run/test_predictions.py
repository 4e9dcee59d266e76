"""Do the ratings of a real run predict? Judged by games that neither training nor rating has seen.

Prints one line per run with `-s`. Each case takes a run's minutes and about one more; `-k` chooses.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from league.api import open_run
from league.config.load import with_overrides
from league.execution.executor import match_games
from league.games.registry import make
from league.orchestrator import League
from league.play.fixture import compares_same_role, fixtures
from league.play.match import play
from league.rating.core import expected_score
from league.records import PolicyId
from league.run.pairing import draw_others
from league.run.roster.roster import Roster
from league.run.slots import usual_slots

CONFIGS = Path(__file__).parents[2] / "configs"

PAIRS, GAMES = 60, 800
"""How many pairs are drawn uniformly, and how many new games each of them plays."""

AGAINST_RANDOM = 16_000
"""New games of the best snapshot against random play: their luck is at most 0.004."""

SHARES = 100
"""Where two policies do not fill the game, they meet beside so many draws of the others."""


@dataclass(frozen=True)
class Case:
    """A run to judge: overrides of the default config or of one in configs/; the rest are bounds as in `Judged`.

    Where others sit beside the two, they are drawn from the history, which grows after the two have met. Where scores
    against random play are far from 1, as in poker, it takes ten thousand games to know one to 0.01. A busy machine
    plays fewer rated games. `random` is for each seed, where a best snapshot that is new has few games; the median of
    the three seeds of the default run is within 0.01.
    """

    name: str
    overrides: tuple[str, ...] = ("budget.minutes=3",)
    config: str = ""
    error: float = 0.03
    largest: float = 0.12
    random: float = 0.02


CASES = (
    Case("default"),
    Case("leduc", config="leduc.toml", overrides=("budget.minutes=3",), random=0.05),
    Case("pettingzoo", ("game.id=pettingzoo:classic/tictactoe-v3", "budget.minutes=3"), largest=0.2, random=0.02),
    Case("tag", config="tag_native.toml", overrides=("budget.minutes=3",), error=0.05, largest=0.2, random=0.12),
    Case(
        "three",
        ("game.id=openspiel:kuhn_poker", "game.options={players = 3}", "budget.minutes=3"),
        error=0.05,
        largest=0.2,
        random=0.08,
    ),
)


@dataclass(frozen=True)
class Judged:
    """Predictions against new games. error: mean and largest over the pairs. luck: what the games' number explains.

    covered: the share of pairs of which the predicted interval, with that luck, holds what was seen. random: how far
    the score that a rating stands for is from direct play against random play, for the best snapshot.
    """

    error: float
    largest: float
    luck: float
    covered: float
    random: float


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ratings_predict_games_that_nobody_has_seen(case: Case, seed: int, tmp_path: Path) -> None:
    values = tomllib.loads((CONFIGS / case.config).read_text()) if case.config else {}
    with League(with_overrides(values, (*case.overrides, f"seed={seed}"), case.name), tmp_path / "run") as run:
        run.run()
        rows = run.store.query("SELECT seconds, phases FROM rounds")
    spent = sum(seconds for seconds, _ in rows)
    rating = sum(json.loads(phases).get("rated matches", 0.0) for _, phases in rows)
    with open_run(tmp_path / "run") as opened:
        config, roster = opened.config, opened.roster
        for role in roster.spec.roles if compares_same_role(roster.spec) else roster.spec.roles[:1]:
            found = judge(roster, role.name, config["game"])
            print(
                f"{case.name} {role.name} seed {seed}: error {found.error:.4f}, largest {found.largest:.3f} "
                f"(luck {found.luck:.4f}), covered {found.covered:.2f}, to random play {found.random:.4f}; "
                f"rated matches {rating / spent:.1%} of the time"
            )
            assert found.error <= case.error
            assert found.largest <= case.largest
            assert found.random <= case.random


def judge(roster: Roster, role: str, game: dict[str, object]) -> Judged:
    """Play pairs drawn uniformly among the rated policies of a role, and the best against random play."""
    payoff, ratings = roster.ratings.payoff, roster.ratings.reference
    assert payoff is not None
    ids = [one.id for one in roster.entrants.everyone if one.role == role and one.id in payoff.ids]
    (zero,) = (one.id for one in roster.entrants.anchors if one.zero and one.role == role)
    best = roster.ranking.best(role)
    assert best is not None
    every = [(a, b) for place, a in enumerate(ids) for b in ids[:place]]
    drawn = np.random.default_rng(2026).choice(len(every), min(PAIRS, len(every)), replace=False)
    pairs = [*(every[k] for k in drawn.tolist()), (best.id, zero)]
    seen, luck = played(roster, role, pairs, [GAMES] * (len(pairs) - 1) + [AGAINST_RANDOM], game)
    value, low, high = np.array([payoff.predict(a, b) for a, b in pairs]).T
    gap = np.abs(value - seen)[:-1]
    half = np.where(seen < value, value - low, high - value)[:-1]
    return Judged(
        error=float(gap.mean()),
        largest=float(gap.max()),
        luck=float(np.sqrt(2.0 / np.pi) * luck[:-1].mean()),
        covered=float((gap <= np.hypot(half, 1.96 * luck[:-1])).mean()),
        random=abs(expected_score(ratings[best.id].value, 0.0) - float(seen[-1])),
    )


def played(
    roster: Roster,
    role: str,
    pairs: Sequence[tuple[PolicyId, PolicyId]],
    games: Sequence[int],
    game: dict[str, object],
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The mean result of each pair's first policy against the second and its standard error, from so many new `games`.

    Further sides are filled from the roster, as in rated matches.
    """
    spec, rng, ids = roster.spec, np.random.default_rng(77), [one.id for one in roster.entrants.snapshots]
    (zero,) = (one.id for one in roster.entrants.anchors if one.zero and one.role == role)
    every, owner = [], []
    for k, (a, b) in enumerate(pairs):
        seed = 10**9 + 1000 * k
        if compares_same_role(spec):
            for share in range(SHARES):
                others = draw_others(roster, role, rng)
                every += fixtures(spec, (a, b), games[k] // SHARES, seed + share, others)
        else:
            shares = SHARES if len(spec.posts) > 2 else 1
            for share in range(shares):
                # Beside random play companions are random, as in rated matches.
                rest = (
                    [zero] * (len(spec.posts) - 2)
                    if zero in (a, b)
                    else rng.choice([one for one in ids if one not in (a, b)], len(spec.posts) - 2).tolist()
                )
                every += fixtures(spec, (a, b, *rest), games[k] // shares, seed + 10 * share)
        owner += [k] * (len(every) - len(owner))
    names = {name for fixture in every for lineup in fixture.episodes for name in lineup}

    def maker(slots: int) -> object:
        return make(str(game["id"]), slots, "cpu", game["options"])

    tables = match_games(maker, sum(one.episode_count for one in every), usual_slots(spec, False))
    results = play(tables, {name: roster.policy(name) for name in names}, every)
    for table in tables:
        table.close()
    won, total = np.zeros(len(pairs)), np.zeros(len(pairs))
    for k, result in zip(owner, results, strict=True):
        side, other = ([policies[0] for policies in result.lineup].index(one) for one in pairs[k])
        for pattern, count in result.placements.items():
            won[k] += count * ((pattern[side] < pattern[other]) + 0.5 * (pattern[side] == pattern[other]))
            total[k] += count
    score = won / total
    return score, np.sqrt(np.clip(score * (1.0 - score), 1e-4, None) / total)
