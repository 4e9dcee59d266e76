"""Rating systems are judged by pairs that all of them were fitted without."""

from __future__ import annotations

import numpy as np
from builders import RANDOM, duel, row

from league.rating.core import NO_FACTS, make_rating
from league.rating.ledger import Ledger
from league.rating.prediction.compared import compare

SYSTEMS = {name: make_rating(name) for name in ("melo", "bradley-terry", "elo")}


def played(cyclic: float, seed: int = 0, count: int = 16) -> Ledger:
    """Sixteen policies on a line of strengths and, if `cyclic`, on a circle where each beats those before it."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(count):
        for j in range(i):
            eta = 0.15 * (i - j) + cyclic * np.sin(2.0 * np.pi * (i - j) / count)
            for a, b, p in ((i, j, 1.0 / (1.0 + np.exp(-eta))), (j, i, 1.0 / (1.0 + np.exp(eta)))):
                won = int(rng.binomial(50, p))
                rows.append(duel(f"s{a:02}", f"s{b:02}", won, 0, 50 - won))
    rng.shuffle(rows)
    return Ledger(rows)


def test_a_cycle_is_predicted_by_components_alone_and_a_line_by_one_number_as_well() -> None:
    found = compare(played(2.0), RANDOM, NO_FACTS, SYSTEMS)
    assert found["melo"].error < 0.06
    assert found["bradley-terry"].error > 2.0 * found["melo"].error
    assert found["elo"].error > found["melo"].error
    assert {one.pairs for one in found.values()} == {120}
    assert found["melo"].covered > 0.85
    assert found["elo"].covered is None
    line = compare(played(0.0), RANDOM, NO_FACTS, SYSTEMS)
    assert line["melo"].error < 0.03
    assert line["bradley-terry"].error < 0.03


def test_few_pairs_judge_nobody() -> None:
    rows = [duel("a", "random", 30, 0, 5), duel("b", "a", 20, 0, 5)]
    assert compare(Ledger(rows), RANDOM, NO_FACTS, SYSTEMS) == dict.fromkeys(SYSTEMS)


def test_a_ledger_of_chosen_rows_is_that_of_these_results() -> None:
    rows = [
        duel("a", "b", 3, 1, 2),
        row("a", "b", "c", placements={(0, 1, 2): 4}),
        duel("b", "c", 1, 0, 1, paired=True),
        duel("b", "a", 2, 2, 2),
    ]
    keep = np.array([False, True, True, True])
    chosen, whole = Ledger(rows).where(keep), Ledger(rows[1:])
    assert chosen.ids == whole.ids
    assert list(chosen.rows()) == list(whole.rows())
    assert chosen.games == whole.games
