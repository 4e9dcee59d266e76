"""Recall: only a policy that remembers the first observation knows the answer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from league.games.counter_rng import mix
from league.games.registry import make

SLOTS = 4096


def episode(cues: int, delay: int, answers: tuple[str, str]) -> tuple[list[Tensor], Tensor]:
    """What player_0 sees on each turn, `[B, N]`, and the scores `[B, 2]`. answers: "right" or "constant"."""
    game = make("recall", SLOTS, options={"cues": cues, "delay": delay})
    turn = game.start(mix(torch.arange(SLOTS), 5))
    cue = turn.acts["player"].obs[:, 0, :cues].argmax(1)
    seen = []
    for count in range(delay + 2):
        acting = turn.acts["player"]
        assert torch.equal(acting.obs[:, 0], acting.obs[:, 1])
        assert turn.state is not None
        assert torch.equal(turn.state[:, :cues].argmax(1), cue), "the critic sees the cue on every turn"
        seen.append(acting.obs[:, 0])
        # Before the last turn all actions do nothing.
        choice = torch.stack([cue if answer == "right" else torch.zeros_like(cue) for answer in answers], 1)
        turn = game.step({"player": choice if count == delay + 1 else 1 - choice.clamp(max=1)}, torch.arange(SLOTS))
        assert turn.ended.tolist() == [count == delay + 1] * SLOTS
        assert count == delay + 1 or not turn.reward.any()
    assert torch.equal(turn.reward, turn.score)
    assert turn.terminated.all()
    return seen, turn.score


@pytest.mark.parametrize(("cues", "delay"), [(4, 6), (2, 0), (5, 1)])
def test_the_last_delay_plus_two_observations_include_the_cue_and_fewer_do_not(cues: int, delay: int) -> None:
    seen, _ = episode(cues, delay, ("right", "right"))
    assert len(seen) == delay + 2
    assert len(seen[0].unique(dim=0)) == cues
    assert (seen[0].sum(1) == 2).all()
    for late in seen[1:]:
        assert len(late.unique(dim=0)) == 1, "equal, whatever was shown"
        assert late[0].sum() == 1
    assert seen[-1][0, cues:].tolist() == [0, 0, 1]
    cue = seen[0][:, :cues].float().mean(0)
    # Five standard deviations of a share.
    assert (cue - 1 / cues).abs().max() < 5 * (1 / cues * (1 - 1 / cues) / SLOTS) ** 0.5


def test_a_policy_with_memory_beats_one_without() -> None:
    _, score = episode(4, 6, ("right", "constant"))
    assert torch.equal(score[:, 0], -score[:, 1])
    assert set(score[:, 0].tolist()) == {0.0, 1.0}
    # Without memory, one answer in four is right. Five standard deviations.
    assert abs(float(score[:, 0].mean()) - 0.75) < 5 * (0.75 * 0.25 / SLOTS) ** 0.5
    for same in (("right", "right"), ("constant", "constant")):
        assert not episode(4, 6, same)[1].any()


def test_positions_in_words() -> None:
    game = make("recall", 1, options={"cues": 2, "delay": 1})
    game.start(torch.arange(1))
    cue = int(game.save()["cue"][0])
    said = [game.render(0)]
    for _ in range(2):
        game.step({"player": torch.zeros((1, 2), dtype=torch.int64)}, torch.arange(1))
        said.append(game.render(0))
    phases = ["the cue is shown", "waiting", "the answer is due"]
    assert said == [f"cue {cue} of 2; turn {turn}: {phase}" for turn, phase in enumerate(phases)]
