"""The exact NashConv that learning tests lean on, against OpenSpiel's and against values known by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyspiel
import pytest
import torch
from nashconv import nash_conv_of_matrix, nash_conv_of_poker
from open_spiel.python.algorithms.exploitability import nash_conv
from open_spiel.python.policy import TabularPolicy, UniformRandomPolicy
from torch import Tensor

from league.games.actions import Discrete
from league.games.cards import TablePoker
from league.games.kuhn import Kuhn
from league.games.leduc import Leduc
from league.games.matrix import RockPaperScissors
from league.policies.core import Rows
from league.policies.scripted import Random

RPS = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])


@dataclass(frozen=True)
class Fixed:
    """Always the same logits, whatever it sees."""

    favoured: tuple[float, ...]
    role: str = "player"

    def logits(self, rows: Rows) -> Tensor:
        return torch.tensor(self.favoured).expand(len(rows.seat), -1)


@dataclass(frozen=True)
class Equilibrium:
    """Kuhn's equilibrium in which the first seat bluffs with a jack one time in three (Kuhn 1950)."""

    role: str = "player"

    def logits(self, rows: Rows) -> Tensor:
        bet = torch.tensor(
            [self._bets(seen, seat) for seen, seat in zip(rows.obs.tolist(), rows.seat.tolist(), strict=True)]
        )
        return torch.stack((1 - bet, bet), 1).log()

    def _bets(self, seen: list[int], seat: int) -> float:
        jack, queen, king = seen[:3]
        said = seen[3:]
        if seat == 0 and not any(said):
            return jack / 3 + king
        if seat == 0:
            return queen * 2 / 3 + king
        faces_bet = said[1] == 1
        return queen / 3 + king if faces_bet else jack / 3 + king


@pytest.mark.parametrize(("game", "name"), [(Kuhn(1), "kuhn_poker"), (Leduc(1), "leduc_poker")], ids=["kuhn", "leduc"])
def test_of_uniform_play_is_openspiels(game: TablePoker, name: str) -> None:
    theirs = pyspiel.load_game(name)
    actions = game.spec.roles[0].actions
    assert nash_conv_of_poker(game, [Random("player", actions)]) == pytest.approx(
        nash_conv(theirs, UniformRandomPolicy(theirs)), abs=1e-6
    )


@pytest.mark.parametrize("favoured", [(0.0, 1.0), (1.0, 0.0), (-2.0, 1.5)])
def test_of_lopsided_play_is_openspiels(favoured: tuple[float, float]) -> None:
    theirs = pyspiel.load_game("kuhn_poker")
    tabular = TabularPolicy(theirs)
    tabular.action_probability_array[:] = np.exp(favoured) / np.exp(favoured).sum()
    assert nash_conv_of_poker(Kuhn(1), [Fixed(favoured)]) == pytest.approx(nash_conv(theirs, tabular), abs=1e-6)


def test_of_an_equilibrium_is_zero() -> None:
    assert nash_conv_of_poker(Kuhn(1), [Equilibrium()]) == pytest.approx(0.0, abs=1e-6)
    assert nash_conv_of_matrix(RockPaperScissors(1), RPS, [Random("player", Discrete(3))]) == pytest.approx(
        0.0, abs=1e-6
    )


def test_a_mixture_is_drawn_once_an_episode() -> None:
    """Always passing or always betting, by one coin at the start, tells a seat more than a coin at every decision."""
    pure = [Fixed((30.0, 0.0)), Fixed((0.0, 30.0))]
    mixed = nash_conv_of_poker(Kuhn(1), pure)
    assert mixed == pytest.approx(_by_realisation(0.5), abs=1e-6)
    assert nash_conv_of_poker(Kuhn(1), pure[:1] * 2) == pytest.approx(nash_conv_of_poker(Kuhn(1), pure[:1]), abs=1e-9)


def test_opposite_pure_policies_mix_to_less_than_either() -> None:
    game = RockPaperScissors(1)
    pure = [Fixed(tuple(30.0 * (action == k) for action in range(3))) for k in range(3)]
    assert [nash_conv_of_matrix(game, RPS, [one]) for one in pure] == pytest.approx([2.0] * 3, abs=1e-6)
    assert nash_conv_of_matrix(game, RPS, pure) == pytest.approx(0.0, abs=1e-6)
    assert nash_conv_of_matrix(game, RPS, pure[:2]) == pytest.approx(1.0, abs=1e-6)


def _by_realisation(share: float) -> float:
    """OpenSpiel's value where the first seat's second decision keeps to the coin of its first.

    The second decision after a pass is reached by the passing policy alone, so there it passes for certain.
    """
    theirs = pyspiel.load_game("kuhn_poker")
    tabular = TabularPolicy(theirs)
    tabular.action_probability_array[:] = (1 - share, share)
    for key, row in tabular.state_lookup.items():
        if key.endswith("pb"):
            tabular.action_probability_array[row] = (1.0, 0.0)
    return float(nash_conv(theirs, tabular))
