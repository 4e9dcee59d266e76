"""`league match --until decided` over a real run: what is decided, shown and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from running import league

from league.api import open_run
from league.cli.shared import game_maker
from league.rating.sequential import SequentialTest, log_likelihood_ratio
from league.studies.decisive_match import play_until_decided
from league.studies.match_plan import plan_match

DECIDE = ("--until", "decided", "--elo1", "50")


def test_a_match_that_settles_a_question(here: Path) -> None:
    called = league("match", "one-ply", "random", "--json", *DECIDE)
    assert called.code == 0, called.err
    found = called.json
    decision = found["decision"]
    assert decision["accepted"] == "H1"
    assert decision["llr"] >= decision["upper"] == pytest.approx(2.944, abs=1e-3)
    assert 2 * sum(decision["counts"]) == found["games"] == found["wins"] + found["draws"] + found["losses"]
    halves = sum(number * count for number, count in enumerate(decision["counts"]))
    assert halves == 2 * found["wins"] + found["draws"], "the pairs are the games that are counted"
    assert found["games"] + decision["beyond"] == 256
    assert found["low"] < found["score"] < found["high"]
    ratio = log_likelihood_ratio(SequentialTest(elo1=50), np.array([decision["counts"]]))
    assert decision["llr"] == pytest.approx(float(ratio[0]))
    shown = league("match", "one-ply", "random", *DECIDE).out
    assert "H1: 50 normalised Elo, not 0   llr " in " ".join(shown.split("\n"))
    mirrored = league("match", "random", "one-ply", "--json", *DECIDE).json
    assert mirrored["decision"]["accepted"] == "H0"


def test_a_match_without_an_answer_says_so(here: Path) -> None:
    found = league("match", "random", "random", "--json", "--until", "decided", "--elo1", "1", "--games", "60").json
    assert found["games"] == 60
    assert found["decision"]["accepted"] is None
    shown = league("match", "random", "random", "--until", "decided", "--elo1", "1", "--games", "60").out
    assert "undecided after 60 games" in shown


def test_the_decision_does_not_depend_on_how_many_games_are_played_at_once(here: Path) -> None:
    test = SequentialTest(elo1=60)
    with open_run("runs/tiny") as opened:
        plan = plan_match(opened.roster, ["one-ply", "random"], 4000, 3)
        make = game_maker(opened.config)
        played, repeated, decision = play_until_decided(make, plan, test)
        for pairs in (5, 300):
            again, repeated_again, same = play_until_decided(make, plan, test, pairs=pairs)
            assert replace(same, beyond=decision.beyond) == replace(decision, llr=same.llr)
            assert same.llr == pytest.approx(decision.llr, abs=1e-9)
            assert (again, repeated_again) == (played, repeated)
        assert [(fixture.seed, result.games) for fixture, result in played] == [(3, sum(decision.counts))] * 2
        assert played[0][1].lineup == played[1][1].lineup[::-1], "seats are swapped"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--elo0", "5", "--elo1", "5"), "the smaller one first, not elo0 5 and elo1 5"),
        (("--alpha", "0.7"), "error rates lie between 0 and 0.5, not alpha 0.7"),
        (("--games", "0"), "not --games 0"),
    ],
)
def test_what_cannot_be_tested_is_refused(here: Path, arguments: tuple[str, ...], message: str) -> None:
    called = league("match", "best", "random", "--until", "decided", *arguments)
    assert called.code == 2
    assert message in called.err


def test_hypotheses_without_a_test_are_refused(here: Path) -> None:
    called = league("match", "best", "random", "--elo1", "20", "--alpha", "0.1")
    assert called.code == 2
    assert "--elo1 and --alpha set the test of a match until it is decided: add --until decided" in called.err
