"""Scripted policies: random play is uniform, and one-ply does what a brute-force reading of the board says."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from league.errors import PolicyError
from league.games.actions import Discrete
from league.games.conformance.suite import random_actions
from league.games.core import Game
from league.games.counter_rng import mix
from league.games.registry import make
from league.play.fixture import fixtures
from league.play.match import play
from league.policies.core import Rows
from league.policies.scripted import OnePly, Random, make_scripted

Cell = tuple[int, int]


def has_line(stones: set[Cell], length: int) -> bool:
    return any(
        all((row + i * down, column + i * right) in stones for i in range(length))
        for row, column in stones
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1))
    )


def landing(name: str, taken: set[Cell], action: int) -> Cell | None:
    """Where a move puts its stone (row 0 on top), or None where it is not legal."""
    if name == "tictactoe":
        cell = divmod(action, 3)
        return None if cell in taken else cell
    free = [row for row in range(6) if (row, action) not in taken]
    return (max(free), action) if free else None


def brute_force(name: str, planes: Tensor) -> set[int]:
    """The moves of a one-ply bot: those that win, else those that stop an immediate win, else all."""
    length, actions = (3, 9) if name == "tictactoe" else (4, 7)
    own, other = ({(r, c) for r, c in plane.nonzero().tolist()} for plane in planes)
    cells = {action: landing(name, own | other, action) for action in range(actions)}
    legal = {action: cell for action, cell in cells.items() if cell is not None}
    wins = {action for action, cell in legal.items() if has_line(own | {cell}, length)}
    blocks = {action for action, cell in legal.items() if has_line(other | {cell}, length)}
    return wins or blocks or set(legal)


def positions(game: Game, turns: int) -> list[Rows]:
    """The batch after each of some random turns; forks are of these very positions."""
    found, turn = [], game.start(mix(torch.arange(game.slots), 1))
    for count in range(turns):
        acting = turn.acts["player"]
        assert acting.mask is not None
        copy = game.fork(torch.arange(game.slots))
        found.append(
            Rows(acting.obs[:, 0], acting.mask[:, 0], acting.seat[:, 0], lambda copy=copy: copy)  # type: ignore[misc]
        )
        turn = game.step(random_actions(game, turn, count), mix(torch.arange(game.slots), 2, count))
    return found


@pytest.mark.parametrize(("name", "actions", "turns"), [("tictactoe", 9, 12), ("connect_four", 7, 40)])
def test_one_ply_wins_blocks_or_plays_at_random(name: str, actions: int, turns: int) -> None:
    policy, kinds = OnePly("player", actions), {"forced": 0, "free": 0, "several": 0}
    for rows in positions(make(name, 25), turns):
        assert rows.mask is not None
        probability = policy.logits(rows).masked_fill(~rows.mask, -torch.inf).softmax(1)
        for slot in range(25):
            wanted = brute_force(name, rows.obs[slot])
            given = {action for action in range(actions) if probability[slot, action] > 1e-6}
            assert given == wanted
            assert torch.allclose(probability[slot, sorted(wanted)], torch.tensor(1 / len(wanted)))
            legal = int(rows.mask[slot].sum())
            kinds["forced" if len(wanted) == 1 < legal else "free" if len(wanted) == legal else "several"] += 1
    assert sum(kinds.values()) >= 300
    assert all(count > 3 for count in kinds.values()), kinds


def test_one_ply_leaves_the_game_as_it_is() -> None:
    game = make("connect_four", 5)
    rows = positions(game, 20)[-1]
    assert rows.fork is not None
    before = rows.fork().save()
    OnePly("player", 7).logits(rows)
    for key, value in rows.fork().save().items():
        assert torch.equal(value, before[key])


def test_one_ply_beats_random_play() -> None:
    game = make("connect_four", 50)
    policies = {"one": OnePly("player", 7), "random": Random("player", Discrete(7))}
    results = play([game], policies, fixtures(game.spec, ["one", "random"], 100, 2))
    won = sum(result.placements.get((0, 1) if result.lineup[0] == ("one",) else (1, 0), 0) for result in results)
    assert won > 85


def test_random_play_is_uniform_over_legal_moves() -> None:
    rows = Rows(torch.zeros(4, 1), None, torch.zeros(4, dtype=torch.int64))
    assert torch.equal(Random("player", Discrete(3)).logits(rows), torch.zeros(4, 3))


@pytest.mark.parametrize("name", ["kuhn", "rps", "biased_rps"])
def test_one_ply_is_for_board_games(name: str) -> None:
    with pytest.raises(PolicyError, match=f"one-ply plays board games.*not {name}"):
        make_scripted("one-ply", "player", make(name, 1).spec)


def test_one_ply_needs_a_game_that_can_be_copied() -> None:
    rows = Rows(torch.zeros(4, 2, 6, 7), None, torch.zeros(4, dtype=torch.int64))
    with pytest.raises(PolicyError, match="copied"):
        OnePly("player", 7).logits(rows)
    assert make_scripted("one-ply", "player", make("connect_four", 1).spec) == OnePly("player", 7)
    assert make_scripted("random", "player", make("connect_four", 1).spec) == Random("player", Discrete(7))
