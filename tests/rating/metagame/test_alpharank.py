"""Alpha-rank equals OpenSpiel's, also where masses underflow, and its limit is the limit."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from league.errors import RatingError
from league.rating.metagame.alpharank import alpha_rank

pyspiel = pytest.importorskip("pyspiel")


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`open_spiel.python.egt.alpharank`, without its plots: these would need matplotlib."""
    plots = "open_spiel.python.egt.alpharank_visualizer"
    monkeypatch.setitem(sys.modules, plots, ModuleType(plots))
    from open_spiel.python.egt import alpharank

    return alpharank


# Han et al. 2013, the payoffs of OpenSpiel's alpharank_test; not zero-sum.
COMMITMENT = np.array(
    [[0.875, 0.75, 0, 2.75, 0.75], [1, 1, -1, -1, -1], [0, 2, 0, 0, 0], [-2, 2, 0, 0, 0], [1, 2, 0, 0, 0]]
)


def payoffs(name: str) -> np.ndarray:
    if name == "commitment":
        return COMMITMENT
    if name.startswith("random"):
        rng = np.random.default_rng(int(name.split()[1]))
        upper = np.triu(rng.uniform(0.0, 1.0, (9, 9)), 1)
        return upper + np.tril(1.0 - upper.T, -1) + 0.5 * np.eye(9)
    game = pyspiel.load_matrix_game(name)
    rows, columns = game.num_rows(), game.num_cols()
    return np.array([[game.row_utility(i, j) for j in range(columns)] for i in range(rows)])


SYMMETRIC = ["matrix_rps", "matrix_brps", "matrix_pd", "matrix_sh", "commitment", "random 1", "random 2", "random 3"]


@pytest.mark.parametrize("name", SYMMETRIC)
@pytest.mark.parametrize(("alpha", "population"), [(0.1, 20), (1.0, 50), (5.0, 10)])
def test_finite_alpha(oracle: ModuleType, name: str, alpha: float, population: int) -> None:
    payoff = payoffs(name)
    *_, expected, _, _ = oracle.compute([payoff], alpha=alpha, m=population)
    assert alpha_rank(payoff, alpha, population) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_infinite_alpha(oracle: ModuleType, name: str) -> None:
    payoff = payoffs(name)
    # OpenSpiel replaces the limit by rates of 1 - eps, eps, and 1 / 2 between equals: a population of 2.
    *_, expected, _, _ = oracle.compute([payoff], m=None, alpha=None, use_inf_alpha=True, inf_alpha_eps=1e-8)
    assert alpha_rank(payoff, None, 2) == pytest.approx(expected, abs=1e-6)
    assert alpha_rank(payoff, None, 2) == pytest.approx(oracle.sweep_pi_vs_epsilon([payoff]), abs=1e-4)


@pytest.mark.parametrize("name", ["matrix_rps", "matrix_brps", "random 1", "random 2", "random 3"])
def test_the_limit_is_what_a_large_alpha_comes_to(name: str) -> None:
    payoff = payoffs(name)
    assert alpha_rank(payoff, 1e7) == pytest.approx(alpha_rank(payoff), abs=1e-12)


def test_masses_that_differ_by_hundreds_of_digits_still_have_their_ratio() -> None:
    # Of two policies, the masses' ratio is exp((m - 1) u); a third that loses to both must not blur it.
    payoff = np.array([[0.5, 0.51, 1.0], [0.49, 0.5, 1.0], [0.0, 0.0, 0.5]])
    mass = alpha_rank(payoff, 12.0, 50)
    assert np.log(mass[0] / mass[1]) == pytest.approx(49 * 12.0 * 0.02, abs=1e-6)
    assert 0.0 < mass[2] < 1e-250


def test_rock_paper_scissors_is_even_and_a_beaten_policy_has_nothing() -> None:
    advantage = np.array([[0, -1, 1, 1], [1, 0, -1, 1], [-1, 1, 0, 1], [-1, -1, -1, 0.0]])
    assert alpha_rank(advantage) == pytest.approx(np.array([1 / 3, 1 / 3, 1 / 3, 0.0]), abs=1e-15)


def test_equals_replace_each_other_as_often_as_chance_would() -> None:
    # a beats b, b beats c, and a and c are level: out of a one comes by drift only, at 1 / m.
    advantage = np.array([[0, 1, 0], [-1, 0, 1], [0, -1, 0.0]])
    # Out of b and c: all of them. So c = b, and a loses a / 10 and gains b + c / 10.
    assert alpha_rank(advantage, None, 10) == pytest.approx(np.array([11 / 13, 1 / 13, 1 / 13]), abs=1e-12)


def test_unknown_payoffs_are_refused() -> None:
    with pytest.raises(RatingError, match="policy 0 against policy 1 is not known"):
        alpha_rank(np.array([[0.5, np.nan], [np.nan, 0.5]]))
