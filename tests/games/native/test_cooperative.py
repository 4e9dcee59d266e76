"""Two-step, climbing and penalty games against the payoffs in their papers."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from league.games.core import Turn
from league.games.registry import make

CLIMBING = [[11, -30, 0], [-30, 7, 6], [0, 0, 5]]
PENALTY = [[-100, 0, 10], [0, 2, 0], [10, 0, -100]]


def every_pair(actions: int) -> torch.Tensor:
    """`[A * A, 2]`: all pairs of actions."""
    return torch.tensor(list(product(range(actions), repeat=2)))


def test_two_step_pays_as_in_the_qmix_paper() -> None:
    plans = torch.tensor(list(product(range(2), repeat=4)))
    game = make("two_step", len(plans))
    turn = game.start(torch.arange(len(plans)))
    assert turn.acts["agent"].obs.tolist() == [[[1, 0, 0]] * 2] * 16
    turn = game.step({"agent": plans[:, :2]}, torch.arange(16))
    assert not turn.ended.any()
    assert not turn.reward.any()
    # The first seat's action chooses the place, the second's has no effect.
    places = [[0, 1, 0], [0, 0, 1]]
    assert turn.acts["agent"].obs[:, 1].tolist() == [places[first] for first in plans[:, 0].tolist()]
    assert turn.state is not None
    assert torch.equal(turn.state, turn.acts["agent"].obs[:, 0])
    turn = game.step({"agent": plans[:, 2:]}, torch.arange(16))
    tables = [[[7, 7], [7, 7]], [[0, 1], [1, 8]]]
    wanted = [tables[first][one][two] for first, _, one, two in plans.tolist()]
    assert turn.reward.tolist() == [[value] * 2 for value in wanted]
    assert turn.score.tolist() == turn.reward.tolist()
    assert turn.ended.all()
    assert turn.terminated.all()
    assert turn.score.max() == 8 == game.spec.score_range[1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "options", "table", "best"),
    [
        ("climbing", {}, CLIMBING, 275),
        ("penalty", {}, PENALTY, 250),
        ("penalty", {"k": -5, "turns": 3}, [[-5, 0, 10], [0, 2, 0], [10, 0, -5]], 30),
        ("climbing", {"turns": 1}, CLIMBING, 11),
    ],
)
def test_repeated_games_pay_as_claus_and_boutiliers(
    name: str, options: dict[str, object], table: list[list[float]], best: float
) -> None:
    turns, pairs = int(str(options.get("turns", 25))), every_pair(3)
    game = make(name, len(pairs), options=options)
    turn: Turn = game.start(torch.arange(len(pairs)))
    wanted = [table[one][two] for one, two in pairs.tolist()]
    for count in range(1, turns + 1):
        assert turn.acts["agent"].obs.tolist() == [[[1], [1]]] * 9, "all that is seen is always the same"
        turn = game.step({"agent": pairs}, torch.arange(9))
        assert turn.reward.tolist() == [[value] * 2 for value in wanted]
        assert turn.ended.tolist() == [count == turns] * 9
        assert torch.equal(turn.terminated, turn.ended[:, None].expand(-1, 2)), "the last turn is part of the rules"
        assert not turn.truncated.any()
    assert turn.score[:, 0].tolist() == [turns * value for value in wanted]
    assert game.spec.score_range == (turns * min(map(min, table)), best)
    assert turn.score.max() == best


def test_positions_in_words() -> None:
    game = make("two_step", 1)
    game.start(torch.arange(1))
    game.step({"agent": torch.tensor([[1, 0]])}, torch.arange(1))
    assert game.render(0) == "0   1\n1   8\nplace 2, turn 1 of 2, so far 0"
