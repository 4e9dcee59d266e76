"""The score against the field and the choice of the best: clones, cycles, specialists, newcomers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from builders import RANDOM, duel, snapshot

from league.rating.core import RosterFacts, expected_score, make_rating, rate
from league.rating.ledger import Ledger
from league.rating.standings import best_ids
from league.records import MatchResult, Rating


def games(score: dict[tuple[str, str], float], each: int = 400) -> Ledger:
    """A ledger in which every pair scores exactly this, seats balanced."""
    rows: list[MatchResult] = []
    for (a, b), share in score.items():
        won = round(each * share / 2)
        rows += [duel(a, b, won, 0, each // 2 - won), duel(b, a, each // 2 - won, 0, won)]
    return Ledger(rows)


def rated(name: str, ledger: Ledger) -> dict[str, Rating]:
    return rate(make_rating(name), ledger, RANDOM, RosterFacts())


CYCLE = {("rock", "scissors"): 0.8, ("scissors", "paper"): 0.8, ("paper", "rock"): 0.8}
AGAINST_RANDOM = {(one, "random"): 0.9 for one in ("rock", "scissors", "paper")}


def test_a_cycle_of_equals_scores_a_half_against_the_field_and_alike_against_random() -> None:
    ledger = games(CYCLE | AGAINST_RANDOM)
    field, above = rated("field", ledger), rated("melo", ledger)
    for one in ("rock", "scissors", "paper"):
        assert field[one].value == pytest.approx(0.5, abs=0.01)
        assert expected_score(above[one].value, 0.0) == pytest.approx(0.9, abs=0.01)
    assert field["random"].value == pytest.approx(0.1, abs=0.02)


def test_the_distance_to_random_play_is_the_score_of_direct_play_however_long_the_chain() -> None:
    """Everybody beats the one before by 0.75, random play by 0.95 and no more: a chain of log-odds would inflate."""
    names = [f"s{k:02}" for k in range(20)]
    chain = {(b, a): 0.75 for a, b in pairwise(names)}
    ledger = games(chain | {(one, "random"): 0.95 for one in names})
    above = rated("melo", ledger)
    for one in names:
        assert expected_score(above[one].value, 0.0) == pytest.approx(0.95, abs=0.01)
        assert expected_score(above[one].low, 0.0) <= 0.95 <= expected_score(above[one].high, 0.0)
    inflated = make_rating("bradley-terry").rate(ledger, RANDOM)
    assert expected_score(inflated[names[-1]].value, 0.0) > 0.97


def test_copies_of_a_snapshot_weigh_as_one() -> None:
    copies = {(f"rock{k}", other): share for k in range(8) for other, share in (("scissors", 0.8), ("paper", 0.2))}
    copies |= {(f"rock{k}", f"rock{n}"): 0.5 for k in range(8) for n in range(k)}
    ledger = games(
        copies | {("scissors", "paper"): 0.8} | {(one, "random"): 0.9 for one in ("scissors", "paper", "rock0")}
    )
    field = rated("field", ledger)
    # With eight equal weights for rock, scissors would score 0.27 and paper 0.73.
    assert field["scissors"].value == pytest.approx(0.5, abs=0.05)
    assert field["paper"].value == pytest.approx(0.5, abs=0.05)


def test_best_beats_the_strongest_and_has_no_nemesis() -> None:
    """`farmer` beats the many weak and so the field, `solid` beats the strong; `gambler` beats all but its nemesis."""
    weak, strong = [f"weak{k}" for k in range(12)], [f"strong{k}" for k in range(10)]
    score = {(a, b): 0.75 for a in strong for b in weak}
    score |= {(a, b): 0.5 for group in (weak, strong) for k, a in enumerate(group) for b in group[:k]}
    score |= {("farmer", one): 0.98 for one in weak} | {("farmer", one): 0.42 for one in strong}
    score |= {("solid", one): 0.76 for one in weak} | {("solid", one): 0.6 for one in strong}
    score |= {("gambler", one): 0.76 for one in weak} | {("gambler", one): 0.65 for one in strong[1:]}
    score |= {
        ("gambler", strong[0]): 0.05,
        ("solid", "farmer"): 0.55,
        ("solid", "gambler"): 0.5,
        ("farmer", "gambler"): 0.5,
    }
    ledger = games(score)
    roster = [snapshot(one) for one in ledger.ids]
    assert best_ids(roster, rated("robust", ledger)) == {"any": "solid"}
    everyone = {one: value.value for one, value in rated("field", ledger).items()}
    assert max(everyone, key=everyone.__getitem__) != "solid"


def test_a_newcomer_that_won_its_few_games_is_not_best_and_judges_nobody() -> None:
    even = {(f"s{k}", f"s{n}"): 0.5 + 0.02 * (k - n) for k in range(6) for n in range(k)}
    before = rated("robust", games(even))
    ledger = games(even)
    ledger.extend([duel("new", "s0", 3, 0, 0), duel("s0", "new", 0, 0, 3)])
    after = rated("robust", ledger)
    assert best_ids([snapshot(one) for one in ledger.ids], after) == {"any": "s5"}
    assert after["new"].value > after["s5"].value
    for one, rating in before.items():
        assert after[one].value == pytest.approx(rating.value, abs=0.01)


def test_intervals_stay_within_0_and_1() -> None:
    for name in ("field", "robust"):
        for rating in rated(name, games(CYCLE | AGAINST_RANDOM, 8)).values():
            assert 0.0 <= rating.low < rating.value < rating.high <= 1.0
            assert np.isfinite((rating.low, rating.high)).all()
