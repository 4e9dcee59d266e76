"""How many rated games a round plays: a rule of the config and the ledger, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import tiny, trained

from league.api import open_run
from league.config.load import load
from league.policies.neural import NeuralPolicy
from league.run.rated_budget import rated_turns, turn_cost
from league.storage.store import Store


def test_the_default_run_plays_by_its_share_of_the_work() -> None:
    """32 turns in 1024 slots are 32,768; a turn costs 1 + 2 x 2; 0.05 / 0.95 of that is 8,623.2."""
    config = load(None)
    assert rated_turns(config, 1024, native=True) == pytest.approx(32_768 * 5 / 19)
    assert rated_turns(load(None, ["rating.share=0.5"]), 1024, native=True) == pytest.approx(32_768 * 5)


def test_passes_in_bfloat16_cost_less() -> None:
    """A turn costs 1 + 0.9 x 2."""
    assert rated_turns(load(None), 1024, native=True, half_precision=True) == pytest.approx(32_768 * 2.8 / 19)


def test_a_rated_turn_costs_more_the_larger_the_networks_are() -> None:
    none = rated_turns(load(None), 1024, native=True)
    assert rated_turns(load(None), 1024, native=True, weights=150_000) == pytest.approx(none / 2.0)
    config = load(None, ["game.id=pettingzoo:classic/tictactoe-v3"])
    assert rated_turns(config, 128, native=False, weights=150_000) == rated_turns(config, 128, native=False)


def test_every_table_counts() -> None:
    one, more = load(None), load(None, ["population.learners=3", "population.snapshot_every=10"])
    assert rated_turns(more, 1024, native=True) == pytest.approx(3 * rated_turns(one, 1024, native=True))


def test_a_turn_in_python_costs_as_much_rated_as_trained() -> None:
    """64 turns in 128 slots, 8,192 turns; 1 / 19 of them."""
    config = load(None, ["game.id=pettingzoo:classic/tictactoe-v3"])
    assert rated_turns(config, 128, native=False) == pytest.approx(8_192 / 19)


@pytest.mark.parametrize(
    ("settings", "cost"),
    [
        (["algorithm.kind=ippo", "algorithm.epochs=10"], 21.0),
        (["algorithm.kind=coma", "algorithm.epochs=1"], 3.0),
        # 16 updates of 32 sequences of 16 decisions, for 32 slots of 64 turns: each is replayed four times.
        (["algorithm.kind=qmix"], 9.0),
        (["algorithm.kind=vdn", "algorithm.updates=8", "algorithm.chunk=8"], 3.0),
    ],
)
def test_a_turn_of_training_costs_playing_it_and_two_for_each_pass(settings: list[str], cost: float) -> None:
    assert turn_cost(load(None, settings).algorithm, 32) == cost


def test_a_run_plays_the_share_that_its_ledger_allows(tmp_path: Path) -> None:
    """Rounds 2, 4, 6 take snapshots of one learner: the first plays the least, the others what the ledger says."""
    settings = ("matchmaking.kind=naive", "population.learners=1", "population.spread={}", "algorithm.slots=64")
    config = tiny(*settings, "algorithm.precision=float32", "rating.matches_per_snapshot=none", "rating.share=0.3")
    folder = trained(config, tmp_path / "run")
    with Store.reader(folder) as store:
        played = {number: [one for one in store.results() if one.round == number] for number in (2, 4, 6)}
        turns = sum(one.turns for one in store.results())
        assert store.turns_per_game() == pytest.approx(turns / sum(one.games for one in store.results()))
    with open_run(folder) as run:
        policy = run.roster.policy(run.roster.entrants.snapshots[-1].id)
        assert isinstance(policy, NeuralPolicy)
        weights = sum(values.numel() for values in policy.weights().values())
    # Tic-tac-toe among three policies: three pairs and their floor of 6 matches of 8 games, whatever the share.
    assert sum(one.games for one in played[2]) == 6 * 8
    before = played[2]
    for number in (4, 6):
        per_game = sum(one.turns for one in before) / sum(one.games for one in before)
        allowed = 2 * 16 * 64 * 3 / (1 + weights / 150_000) * 0.3 / 0.7 / per_game
        assert sum(one.games for one in played[number]) == 8 * int(allowed / 8)
        before = before + played[number]


def test_before_any_rated_game_there_is_no_mean_length(tmp_path: Path) -> None:
    folder = trained(tiny("budget.rounds=1"), tmp_path / "run")
    with Store.reader(folder) as store:
        assert store.turns_per_game() is None
