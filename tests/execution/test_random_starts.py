"""Random starts: who decides, what is learnt from, and what a checkpoint in the middle of one leads to."""

from __future__ import annotations

import pytest
import torch

from league.config.load import with_overrides
from league.errors import ConfigError
from league.execution.random_starts import RandomStarts
from league.execution.training_table import TrainingTable
from league.games.registry import make
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.play.rollout import collect, nothing_pending
from league.policies.settings import NetworkSettings
from league.records import Seating
from league.run.open import random_starts

ALONE = [Seating(("main", "main"), 1.0)]


def table_of(starts: RandomStarts | None, slots: int = 64) -> tuple[TrainingTable, Mappo]:
    game = make("tictactoe", slots)
    learner = Mappo("main", game.spec, game.spec.roles[0], NetworkSettings(actor=(8,), critic=(8,)), MappoSettings(), 3)
    return TrainingTable(game, 0, 11, starts=starts), learner


def test_the_share_and_the_turns_are_drawn_as_asked() -> None:
    drawn = RandomStarts(0.25, 6).drawn(7, torch.arange(40_000))
    assert float((drawn > 0).double().mean()) == pytest.approx(0.25, abs=0.01)
    counts = torch.bincount(drawn[drawn > 0], minlength=7)[1:]
    assert counts.sum() == (drawn > 0).sum()
    assert len(counts) == 6
    assert (counts.double() / counts.sum() - 1 / 6).abs().max() < 0.015
    assert torch.equal(drawn, RandomStarts(0.25, 6).drawn(7, torch.arange(40_000)))
    assert not torch.equal(drawn, RandomStarts(0.25, 6).drawn(8, torch.arange(40_000)))


def test_the_first_turns_are_played_at_random_and_not_learnt_from() -> None:
    starts = RandomStarts(1.0, 3)
    table, learner = table_of(starts)
    seated = table._seat([learner], {}, ALONE)
    rollout = collect(seated, 30, {"player": nothing_pending(table.game, table.game.spec.roles[0])})
    rows, opener = rollout.rows["player"], 1
    clock, episode = rollout.length - 1, torch.arange(64).repeat(30, 1)
    before = torch.cat((torch.zeros_like(rollout.ended[:1]), rollout.ended[:-1])).long().cumsum(0)
    turns = starts.drawn(11, (episode + 64 * before).flatten()).view_as(clock)
    assert torch.equal(rows.owner[..., 0] == opener, clock < turns)
    legal = rows.mask.sum(-1)[rows.owner == opener]
    assert torch.allclose(rows.log_prob[rows.owner == opener], -legal.double().log().float(), atol=1e-6)


def test_agent_steps_are_the_learners_own_decisions() -> None:
    table, learner = table_of(RandomStarts(1.0, 3))
    found = table.round(0, [learner], {}, ALONE, 30)
    assert 0.2 * 30 * 64 < found.opponent_steps < 0.5 * 30 * 64
    # Decisions on the last turns, whose outcome is not known yet, are learnt from in the next round.
    assert 0 <= 30 * 64 - found.opponent_steps - found.agent_steps <= 2 * 64
    plain, other = table_of(None)
    assert plain.round(0, [other], {}, ALONE, 30).opponent_steps == 0


def test_a_table_restored_in_the_middle_of_a_start_goes_on_alike() -> None:
    table, learner = table_of(RandomStarts(0.7, 5))
    table.round(0, [learner], {}, ALONE, 4)
    carry, weights = table.carry(), learner.tensors() | {}
    again, other = table_of(RandomStarts(0.7, 5))
    again.restore(*carry)
    other.load({name: value.clone() for name, value in weights.items()})
    one, two = table.round(1, [learner], {}, ALONE, 16), again.round(1, [other], {}, ALONE, 16)
    assert one.results == two.results
    assert one.opponent_steps == two.opponent_steps
    assert all(torch.equal(a, b) for a, b in zip(learner.parameters(), other.parameters(), strict=True))


def test_boards_start_at_random_by_default_and_cards_do_not() -> None:
    def starts(*overrides: str) -> RandomStarts | None:
        config = with_overrides({}, overrides, "test")
        return random_starts(config, make(config.game.id, 1).spec)

    assert starts("game.id=tictactoe") == RandomStarts(0.5, 20)
    assert starts("game.id=leduc") is None
    assert starts("game.id=leduc", "game.random_starts=0.25") == RandomStarts(0.25, 20)
    assert starts("game.id=tictactoe", "game.random_starts=0") is None
    assert starts("game.id=tictactoe", "algorithm.kind=qmix") is None
    with pytest.raises(ConfigError, match="random_starts"):
        starts("game.id=tictactoe", "algorithm.kind=qmix", "game.random_starts=0.5")
