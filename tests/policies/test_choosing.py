"""Choosing: legal moves only, as often as they are probable, and never a NaN."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from league.policies.core import choose, masked


@st.composite
def rows(draw: st.DrawFn) -> tuple[Tensor, Tensor, float]:
    """Logits `[1, A]`, a mask with at least one legal action, and a uniform number."""
    count = draw(st.integers(1, 6))
    logits = draw(st.lists(st.floats(-300, 300, width=32), min_size=count, max_size=count))
    mask = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(any))
    uniform = draw(st.sampled_from([0.0, 0.5, 1 - 2**-24]) | st.floats(0, 1 - 2**-24, width=32))
    return torch.tensor([logits]), torch.tensor([mask]), uniform


@given(rows(), st.sampled_from([0.0, 0.1, 1.0, 7.0]))
def test_only_legal_actions_are_chosen(row: tuple[Tensor, Tensor, float], temperature: float) -> None:
    logits, mask, uniform = row
    log_probs = masked(logits, mask)
    assert not log_probs.isnan().any()
    assert float(torch.where(mask, log_probs.exp(), 0.0).sum()) == pytest.approx(1.0, abs=1e-5)
    assert (log_probs.exp()[~mask] == 0).all()
    action = int(choose(log_probs, torch.tensor([uniform]), temperature)[0])
    assert mask[0, action]
    if temperature == 0.0:
        assert log_probs[0, action] == log_probs.max()


@pytest.mark.parametrize(
    ("uniform", "action"), [(0.0, 1), (0.2499, 1), (0.25, 2), (0.7499, 2), (0.75, 4), (1 - 2**-24, 4)]
)
def test_the_first_action_whose_cumulative_probability_exceeds_the_draw(uniform: float, action: int) -> None:
    probabilities = torch.tensor([[0.0, 0.25, 0.5, 0.0, 0.25, 0.0]])
    assert choose(probabilities.log(), torch.tensor([uniform])).tolist() == [action]


def test_temperature_sharpens_and_flattens() -> None:
    log_probs, draws = torch.tensor([0.8, 0.2]).log().expand(1000, 2), torch.arange(1000) / 1000
    shares = [float((choose(log_probs, draws, t) == 0).float().mean()) for t in (0.0, 0.5, 1.0, 2.0)]
    # p ** (1 / t), normalised: 16/17 and 2/3.
    assert shares == pytest.approx([1.0, 16 / 17, 0.8, 2 / 3], abs=2e-3)


def test_greedy_play_takes_equals_equally_often() -> None:
    log_probs, draws = torch.tensor([0.4, 0.2, 0.4]).log().expand(1000, 3), torch.arange(1000) / 1000
    assert torch.bincount(choose(log_probs, draws, 0.0)).tolist() == [500, 0, 500]


def test_a_decision_does_not_depend_on_its_batch() -> None:
    generator = torch.Generator().manual_seed(3)
    logits, draws = torch.randn((100, 7), generator=generator), torch.rand(100, generator=generator)
    mask = torch.rand((100, 7), generator=generator) < 0.7
    mask[:, 3] = True
    together = choose(masked(logits, mask), draws)
    alone = [choose(masked(logits[i : i + 1], mask[i : i + 1]), draws[i : i + 1]) for i in range(100)]
    assert torch.equal(together, torch.cat(alone))
