"""Policies of the user's own: what they must have, memory included."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from league.errors import PolicyError
from league.games.registry import make
from league.policies.core import Rows, memory_width
from league.policies.foreign import load_user_policy

SPEC = make("tictactoe", 1).spec

COUNTING = """
import torch

class Counting:
    memory = {memory}

    def __init__(self, role, spec):
        self.role, self.width = role, spec.role(role).actions.width

    def logits(self, rows):
        return self.{name}(rows)[0]

    def {name}(self, rows):
        return rows.memory.expand(-1, self.width), rows.memory + 1
"""


def test_a_policy_may_remember(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(COUNTING.format(memory=1, name="recall"))
    made = load_user_policy(f"{tmp_path / 'mine.py'}:Counting", "player", SPEC)
    assert memory_width(made) == 1
    rows = Rows(torch.zeros(2, 2, 3, 3), None, torch.tensor([0, 1]), memory=torch.tensor([[0.0], [4.0]]))
    said, memory = made.recall(rows)  # type: ignore[attr-defined]
    assert said.tolist() == [[0.0] * 9, [4.0] * 9]
    assert memory.tolist() == [[1.0], [5.0]]


@pytest.mark.parametrize(
    ("memory", "name", "message"),
    [
        ("'much'", "recall", "memory must be a whole number ≥ 0"),
        ("-1", "recall", "memory must be a whole number ≥ 0"),
        ("3", "remember", r"remembers, but has no method recall\(rows\)"),
    ],
)
def test_memory_that_cannot_be_kept_is_refused(tmp_path: Path, memory: str, name: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(COUNTING.format(memory=memory, name=name))
    with pytest.raises(PolicyError, match=message):
        load_user_policy(f"{tmp_path / 'mine.py'}:Counting", "player", SPEC)
