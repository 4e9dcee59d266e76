"""Labelled positions: reading them, setting them up in a game, and how much of a policy's play keeps the result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from league.errors import PositionError
from league.games.registry import make
from league.policies.core import Rows
from league.policies.scripted import make_scripted
from league.studies.probe.labelled_positions import LabelledPosition, read_positions
from league.studies.probe.probe import asymmetry, check_symmetric, keeping

POSITIONS = Path(__file__).parents[1] / "data" / "connect_four_positions.jsonl"

FULL = [0.0] * 9


def position(
    moves: Sequence[int], best: Sequence[int], score: float = 1.0, game: str = "tictactoe"
) -> LabelledPosition:
    """A position at which the actions `best` have this score, every other legal one a worse one."""
    played = make(game, 1)
    turn = played.start(torch.zeros(1, dtype=torch.int64))
    for move in moves:
        turn = played.step({"player": torch.tensor([[move]])}, torch.zeros(1, dtype=torch.int64))
    mask = turn.acts["player"].mask
    assert mask is not None
    scores = [(score if a in best else score - 1) if can else None for a, can in enumerate(mask[0, 0].tolist())]
    return LabelledPosition("here", tuple(moves), tuple(scores))


@dataclass(frozen=True)
class Fixed:
    """Always the same logits."""

    favoured: tuple[float, ...]
    role: str = "player"

    def logits(self, rows: Rows) -> Tensor:
        return torch.tensor(self.favoured).expand(len(rows.seat), -1)


@dataclass(frozen=True)
class Counts:
    """Takes the action whose number is how often this seat has decided in the episode: only memory tells it."""

    actions: int
    role: str = "player"
    memory: int = 1

    def recall(self, rows: Rows) -> tuple[Tensor, Tensor]:
        assert rows.memory is not None
        chosen = torch.nn.functional.one_hot(rows.memory[:, 0].long(), self.actions)
        return chosen * 50.0, rows.memory + 1

    def logits(self, rows: Rows) -> Tensor:
        return self.recall(rows)[0]


def written(folder: Path, *lines: object) -> Path:
    path = folder / "positions.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_probabilities_and_most_likely_moves_are_those_worked_out_by_hand() -> None:
    # After 0 and 1 seven actions are legal; log 2 on action 2 makes its probability 2 / 8.
    favours_2 = Fixed((0.0, 0.0, 0.6931472, *[0.0] * 6))
    places = [position((0, 1), (2,)), position((0, 1), (2, 3, 4)), position((0, 1), (5,)), position((), (0, 2))]
    sampled, likely = keeping(make("tictactoe", 4), places, {"player": favours_2})
    assert sampled.tolist() == pytest.approx([2 / 8, 4 / 8, 1 / 8, 3 / 10])
    assert likely.tolist() == [1, 1, 0, 1]
    even = keeping(make("tictactoe", 4), places, {"player": Fixed((0.0,) * 9)})
    assert even[0].tolist() == pytest.approx([1 / 7, 3 / 7, 1 / 7, 2 / 9])
    assert even[1].tolist() == pytest.approx(even[0].tolist()), "of equally likely moves, the mean"


@pytest.mark.parametrize(("best", "worse", "keeps"), [(3, 1, True), (3, 0, False), (0, -1, False), (-1, -9, True)])
def test_a_move_keeps_the_result_if_its_score_has_the_sign_of_the_best(best: float, worse: float, keeps: bool) -> None:
    place = LabelledPosition("here", (), (best, worse, *[-9.0] * 7))
    sampled, _ = keeping(make("tictactoe", 1), [place], {"player": Fixed((0.0, 50.0, *[0.0] * 7))})
    assert float(sampled) == pytest.approx(float(keeps), abs=1e-6)


def test_positions_of_any_length_are_set_up_together_and_the_batch_changes_nothing() -> None:
    labelled = read_positions(POSITIONS)[:60]
    policies = {"player": make_scripted("mcts=6", "player", make("connect_four", 1).spec)}
    whole = keeping(make("connect_four", 60), labelled, policies)
    parts = [keeping(make("connect_four", 1), [one], policies) for one in labelled[:8]]
    assert torch.equal(torch.cat([sampled for sampled, _ in parts]), whole[0][:8])
    # Fewer slots than positions, which do not divide them: the last batch has empty slots.
    assert torch.equal(keeping(make("connect_four", 7), labelled, policies)[0], whole[0])


def test_uniform_play_keeps_what_the_file_says() -> None:
    labelled = read_positions(POSITIONS)
    assert len(labelled) == 2000
    spec = make("connect_four", 1).spec
    uniform, _ = keeping(make("connect_four", 2000), labelled, {"player": make_scripted("random", "player", spec)})
    # 0.369: the README of the file, to three digits.
    assert float(uniform.mean()) == pytest.approx(0.369, abs=5e-4)
    better, _ = keeping(make("connect_four", 2000), labelled, {"player": make_scripted("one-ply", "player", spec)})
    assert float(better.mean()) > 0.55


def test_games_of_pettingzoo_have_the_same_positions() -> None:
    labelled = [position((0, 1, 3, 2), (6,)), position((0,), (4,)), position((4, 0, 8), (1,))]
    native = keeping(make("tictactoe", 3), labelled, {"player": Fixed((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0))})
    # PettingZoo numbers the cells by columns.
    turned = [
        LabelledPosition("here", tuple(map(_turned, one.moves)), tuple(one.scores[_turned(a)] for a in range(9)))
        for one in labelled
    ]
    environment = make("pettingzoo:classic/tictactoe-v3", 2)
    role = environment.spec.roles[0].name
    theirs = keeping(environment, turned, {role: Fixed((0.0, 3.0, 6.0, 1.0, 4.0, 7.0, 2.0, 5.0, 8.0), role)})
    environment.close()
    assert theirs[0].tolist() == pytest.approx(native[0].tolist())


def _turned(cell: int) -> int:
    return cell % 3 * 3 + cell // 3


def test_a_policy_with_memory_follows_the_moves_that_lead_to_a_position() -> None:
    labelled = [position((), (0,)), position((3, 4), (1,)), position((3, 4, 5), (1,)), position((3, 4, 5, 6), (2,))]
    sampled, likely = keeping(make("tictactoe", 4), labelled, {"player": Counts(9)})
    assert sampled.tolist() == pytest.approx([1, 1, 1, 1])
    assert likely.tolist() == [1, 1, 1, 1]
    # In the next batch, slots begin with nothing remembered.
    again, _ = keeping(make("tictactoe", 2), labelled, {"player": Counts(9)})
    assert again.tolist() == pytest.approx([1, 1, 1, 1])


def test_the_seed_of_a_position_is_that_of_its_deal() -> None:
    deals = [LabelledPosition("here", (), (0.0, 1.0), seed) for seed in range(40)]
    game = make("kuhn", 40)
    acting = game.start(torch.arange(40)).acts["player"]
    bets = acting.obs[:, 0, :3].float() @ torch.tensor([0.0, 25.0, 50.0])

    class SeesCards:
        role = "player"

        def logits(self, rows: Rows) -> Tensor:
            return torch.stack(
                (torch.full((len(rows.seat),), 25.0), rows.obs[:, :3].float() @ torch.tensor([0.0, 25.0, 50.0])), 1
            )

    sampled, _ = keeping(game, deals, {"player": SeesCards()})
    assert sampled.tolist() == pytest.approx(torch.sigmoid(bets - 25.0).tolist(), abs=1e-6)
    assert 0 < float(sampled.mean()) < 1


LINES = (
    ("", "there is no position in it"),
    ('{"moves": "0"', "line 1: this is not JSON"),
    ("[" * 100_000, "line 1: this JSON is nested too deeply"),
    ([1], "line 1: this is no object"),
    ({"moves": "0"}, "line 1: there is no key 'scores' (there are: moves)"),
    ({"moves": "0a", "scores": FULL}, "line 1: moves must be a string of digits or a list of action numbers"),
    ({"moves": [0, -1], "scores": FULL}, "line 1: moves must be"),
    ({"moves": "", "scores": 3}, "line 1: scores must be a list"),
    ({"moves": "", "scores": [True]}, "line 1: the score of action 0 must be a number or null, not True"),
    ('{"moves": "", "scores": [NaN]}', "line 1: the score of action 0 must be a number or null, not nan"),
    ({"moves": "", "scores": [None] * 9}, "line 1: no action has a score"),
    ({"moves": "", "scores": FULL, "seed": -1}, "line 1: seed must be a whole number"),
)
"""Lines that are wrong in themselves, and what is said of them."""

MOVES = (
    ({"moves": "00", "scores": FULL}, "line 2: move 2 of its moves (0) is illegal"),
    ({"moves": [12], "scores": FULL}, "line 2: move 1 of its moves (12) is illegal"),
    ({"moves": "03142", "scores": FULL}, "line 2: the game is over after 5 moves: nobody can move"),
    ({"moves": "0314258", "scores": FULL}, "line 2: the game is over after 5 moves, 2 too early"),
    ({"moves": "", "scores": FULL[1:]}, "line 2: there are 8 scores for 9 actions of tictactoe"),
    ({"moves": "4", "scores": FULL}, "line 2: action 4 has a score, but is illegal there: it must be null"),
    ({"moves": "", "scores": [*FULL[1:], None]}, "line 2: action 8 is legal there, but has no score"),
)
"""Lines that do not fit tic-tac-toe."""


@pytest.mark.parametrize(("line", "why"), LINES, ids=[why[:40] for _, why in LINES])
def test_lines_that_are_wrong_are_named(line: object, why: str, tmp_path: Path) -> None:
    with pytest.raises(PositionError) as caught:
        read_positions(written(tmp_path, line))
    assert why in str(caught.value)
    assert "positions.jsonl" in str(caught.value)


@pytest.mark.parametrize(("line", "why"), MOVES, ids=[why[8:40] for _, why in MOVES])
def test_positions_that_cannot_be_reached_are_named(line: object, why: str, tmp_path: Path) -> None:
    labelled = read_positions(written(tmp_path, {"moves": "", "scores": FULL}, line))
    with pytest.raises(PositionError, match=r"positions\.jsonl, line 2") as caught:
        keeping(make("tictactoe", 2), labelled, {"player": Fixed((0.0,) * 9)})
    assert why in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PositionError, match=r"absent\.jsonl: No such file or directory: name a file of labelled"):
        read_positions(tmp_path / "absent.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(PositionError, match=r"binary\.jsonl: is not UTF-8 text"):
        read_positions(tmp_path / "binary.jsonl")


def test_blank_lines_are_skipped_and_lists_are_moves_too(tmp_path: Path) -> None:
    first, second = read_positions(
        written(tmp_path, {"moves": "01", "scores": [1]}, "", {"moves": [10], "scores": [1]})
    )
    assert (first.moves, second.moves) == ((0, 1), (10,))
    assert second.where.endswith("line 3")


def test_asymmetry_is_how_differently_mirrored_positions_are_played() -> None:
    spec = make("connect_four", 1).spec
    labelled = read_positions(POSITIONS)[:200]
    # One-ply looks at the rules alone, so it knows no left and no right.
    even = make_scripted("one-ply", "player", spec)
    assert asymmetry(make("connect_four", 200), labelled, {"player": even}) == pytest.approx(0.0, abs=1e-6)
    # All columns are open. Log 3 on the first makes it 3 / 9, and the last 1 / 9.
    places = [position((3, 3, 3), (0,), game="connect_four")]
    leans = Fixed((1.0986123, *[0.0] * 6))
    assert asymmetry(make("connect_four", 1), places, {"player": leans}) == pytest.approx(2 / 9)


def test_games_without_symmetries_have_no_asymmetry() -> None:
    check_symmetric(make("tictactoe", 1).spec)
    with pytest.raises(PositionError, match="kuhn has no symmetries"):
        check_symmetric(make("kuhn", 1).spec)
