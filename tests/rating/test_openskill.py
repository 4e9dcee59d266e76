"""OpenSkill: equal to the package for every model and shape of game, and to its published numbers."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any, get_args

import numpy as np
import openskill.models
import pytest
from builders import RANDOM, duel, row

from league.errors import RatingError
from league.rating.core import POINTS
from league.rating.ledger import Ledger
from league.rating.meetings import Meeting
from league.rating.openskill import ModelName, OpenSkill, OpenSkillSettings, Skill, _State

MODELS = get_args(ModelName)


def _system(model: str) -> OpenSkill:
    return OpenSkill(OpenSkillSettings(model=model))


def _package(model: str) -> Any:
    return getattr(openskill.models, model)(tau=0.0)


@pytest.mark.parametrize("model", MODELS)
def test_long_play_of_duels_equals_the_package_game_by_game(model: str) -> None:
    rng, package = np.random.default_rng(2), _package(model)
    names = [f"s{number}" for number in range(20)]
    theirs = {name: package.rating() for name in names}
    # Each pair meets once: all games of two policies are rated together.
    pairs, rows = [pair for pair in combinations(names, 2) if rng.random() < 0.8], []
    rng.shuffle(pairs)
    assert len(pairs) > 140
    for pair in pairs:
        a, b = rng.permutation(pair).tolist()
        pattern = [(0, 1), (1, 0), (0, 0)][rng.choice(3, p=[0.55, 0.25, 0.2])]
        rows.append(row(a, b, placements={pattern: 1}))
        ranks = [float(rank) for rank in pattern]
        [[theirs[a]], [theirs[b]]] = package.rate([[theirs[a]], [theirs[b]]], ranks=ranks)
    for name, skill in _system(model).skills(Ledger(rows)).items():
        assert skill.mu == pytest.approx(theirs[name].mu, rel=1e-10)
        assert skill.sigma == pytest.approx(theirs[name].sigma, rel=1e-10)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("sides", "pattern"),
    [
        (("a", "b", "c"), (2, 0, 1)),
        (("a", "b", "c"), (0, 0, 1)),
        (("a b", "c d"), (1, 0)),
        (("a", "b c", "d"), (0, 1, 1)),
    ],
)
def test_teams_and_many_sides_equal_the_package(model: str, sides: tuple[str, ...], pattern: tuple[int, ...]) -> None:
    package = _package(model)
    teams = [[package.rating() for _ in side.split()] for side in sides]
    theirs = package.rate(teams, ranks=[float(rank) for rank in pattern])
    ours = _system(model).skills(Ledger([row(*sides, placements={pattern: 1})]))
    for side, team in zip(sides, theirs, strict=True):
        for name, rated in zip(side.split(), team, strict=True):
            assert (ours[name].mu, ours[name].sigma) == (rated.mu, rated.sigma)


def test_the_published_example_of_two_teams() -> None:
    # OpenSkill's README: a1, a2 beat b1, b2 (Plackett-Luce, no tau).
    sides = [[Skill(25.0, 25 / 3), Skill(32.444, 5.123)], [Skill(43.381, 2.421), Skill(25.188, 6.211)]]
    [[a1, a2], [b1, b2]] = _system("PlackettLuce").update(sides, (0, 1))
    assert (a1.mu, a1.sigma) == pytest.approx((28.669648436582808, 8.071520788025197))
    assert (a2.mu, a2.sigma) == pytest.approx((33.83086971107981, 5.062772998705765))
    assert (b1.mu, b1.sigma) == pytest.approx((43.071274808241974, 2.4166900452721256))
    assert (b2.mu, b2.sigma) == pytest.approx((23.149503312339064, 6.1378606973362135))


def test_the_first_game_worked_out_by_hand() -> None:
    # c² = 2 (25/3)² + 2 (25/6)², p = 1/2, so mu moves by sigma² / (2c) and the variance by 1 - (sigma/c)³ / 4.
    sigma = 25 / 3
    c = math.sqrt(2 * sigma**2 + 2 * (25 / 6) ** 2)
    skills = _system("BradleyTerryFull").skills(Ledger([duel("a", "b", 1, 0, 0)]))
    assert skills["a"].mu == pytest.approx(25 + sigma**2 / c / 2)
    assert skills["b"].mu == pytest.approx(25 - sigma**2 / c / 2)
    assert skills["a"].sigma == pytest.approx(sigma * math.sqrt(1 - (sigma / c) ** 3 / 4))
    assert skills["a"].mu == pytest.approx(27.63523138347365)


@pytest.mark.parametrize("model", MODELS)
def test_equal_games_are_the_packages_one_after_the_other(model: str) -> None:
    package = _package(model)
    teams = [[package.rating()], [package.rating()]]
    for _ in range(30):
        teams = package.rate(teams, ranks=[0.0, 1.0])
    skills = _system(model).skills(Ledger([duel("a", "b", 30, 0, 0)]))
    assert skills["a"].mu == pytest.approx(teams[0][0].mu, rel=1e-10)
    assert skills["b"].sigma == pytest.approx(teams[1][0].sigma, rel=1e-10)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("result", [(3, 0, 1), (1, 2, 3), (0, 5, 1)])
def test_a_mixed_meeting_takes_the_mean_of_what_its_games_say(model: str, result: tuple[int, int, int]) -> None:
    package = _package(model)
    mean, games = 0.0, sum(result)
    for ranks, count in zip(([0.0, 1.0], [0.0, 0.0], [1.0, 0.0]), result, strict=True):
        mean += count * package.rate([[package.rating()], [package.rating()]], ranks=ranks)[0][0].mu / games
    # The first of the meeting's updates, found by the same shares of ever fewer games' worth: one update of one state.
    system = _system(model)
    state = _State([package.mu, package.mu], [package.sigma, package.sigma])
    duels = Meeting(((0,), (1,)), dict(zip(((0, 1), (0, 0), (1, 0)), result, strict=True)))
    assert system._mean_update(state, duels)[0][0] == pytest.approx(mean)


@pytest.mark.parametrize("model", MODELS)
def test_several_games_at_a_time_lead_where_single_ones_do(model: str) -> None:
    package = _package(model)
    teams = [[package.rating()] for _ in range(3)]
    for _ in range(200):
        teams = package.rate(teams, ranks=[0.0, 1.0, 1.0])
    skills = _system(model).skills(Ledger([row("a", "b", "c", placements={(0, 1, 1): 200})]))
    for name, [theirs] in zip("abc", teams, strict=True):
        assert skills[name].mu == pytest.approx(theirs.mu, abs=0.4)
        assert skills[name].sigma == pytest.approx(theirs.sigma, rel=0.03)


def test_sigma_only_shrinks_for_a_snapshots_skill_does_not_drift() -> None:
    sigmas = [OpenSkill().skills(Ledger([duel("a", "b", n, 0, n)]))["a"].sigma for n in (1, 4, 16, 64, 256)]
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[-1] < 1.2


def test_ratings_are_distances_to_the_anchor_in_elo_points() -> None:
    rows = [duel("a", "random", 30, 0, 10), duel("b", "a", 10, 0, 5)]
    skills, ratings = OpenSkill().skills(Ledger(rows)), OpenSkill().rate(Ledger(rows), RANDOM)
    unit = POINTS / (math.sqrt(2.0) * 25 / 6)
    assert ratings["random"].value == 0.0
    assert ratings["a"].value == pytest.approx(unit * (skills["a"].mu - skills["random"].mu))
    assert ratings["b"].high - ratings["b"].value == pytest.approx(unit * 1.959964 * skills["b"].sigma)
    assert ratings["a"].games == 55


def test_settled_policies_rating_gap_is_their_log_odds() -> None:
    ratings = OpenSkill().rate(Ledger([duel("a", "random", 3, 0, 1)] * 3000), RANDOM)
    assert ratings["a"].value == pytest.approx(POINTS * math.log(3.0), abs=8.0)


def test_each_role_is_measured_from_its_own_anchor() -> None:
    anchors = frozenset({"random/fox", "random/hen"})
    rows = [
        row("random/fox", "random/hen", placements={(0, 1): 30}),
        row("f", "random/hen", placements={(0, 1): 30}),
        row("random/fox", "h", placements={(0, 1): 30}),
    ]
    ratings, skills = OpenSkill().rate(Ledger(rows), anchors), OpenSkill().skills(Ledger(rows))
    unit = POINTS / (math.sqrt(2.0) * 25 / 6)
    assert ratings["random/fox"].value == ratings["random/hen"].value == 0.0
    assert ratings["h"].value == pytest.approx(unit * (skills["h"].mu - skills["random/hen"].mu))


def test_a_policy_on_several_sides_takes_the_mean_of_what_they_would_become() -> None:
    package = _package("PlackettLuce")
    [[first], [_], [last]] = package.rate([[package.rating()] for _ in range(3)], ranks=[0.0, 1.0, 2.0])
    skill = OpenSkill().skills(Ledger([row("a", "b", "a", placements={(0, 1, 2): 1})]))["a"]
    assert skill.mu == pytest.approx((first.mu + last.mu) / 2)


def test_games_against_oneself_change_nothing() -> None:
    assert OpenSkill().skills(Ledger([duel("a", "a", 5, 0, 0)]))["a"] == Skill(25.0, 25 / 3)


def test_a_skill_that_is_no_number_is_an_error() -> None:
    system = OpenSkill()
    system._model.beta = math.nan
    with pytest.raises(RatingError, match="not a number"):
        system.skills(Ledger([duel("a", "b", 1, 0, 0)]))


def test_one_sided_games_are_refused() -> None:
    with pytest.raises(RatingError, match="mean-score"):
        OpenSkill().rate(Ledger([row("a", placements={(0,): 1})]), RANDOM)
