"""Neural policies: what a snapshot says comes back as the same play, and only where it belongs."""

from __future__ import annotations

import json

import pytest
import torch

from league.errors import SnapshotError
from league.games.actions import Discrete
from league.games.core import GameSpec
from league.games.registry import make
from league.policies import weights
from league.policies.core import Rows
from league.policies.distributions import distribution
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy, actor_spec, epsilon_greedy, fits, restore, snapshot_metadata
from league.policies.settings import NetworkSettings

CONNECT_FOUR = make("connect_four", 1).spec
SETTINGS = {
    "mlp": NetworkSettings(actor=(16, 8)),
    "conv": NetworkSettings(kind="conv", actor=(16,), channels=(4, 4), activation="tanh"),
    "stack": NetworkSettings(actor=(16,), memory="stack", memory_length=3),
    "gru": NetworkSettings(actor=(16,), memory="gru", memory_units=8),
    "lstm": NetworkSettings(kind="conv", actor=(16,), channels=(4,), memory="lstm", memory_units=8),
    "transformer": NetworkSettings(actor=(16,), memory="transformer", memory_length=3, memory_units=8),
    "normalised": NetworkSettings(actor=(16, 8), normalise_observations=True),
    "by seat": NetworkSettings(actor=(16,), memory="gru", sharing="none", normalise_observations=True),
}


def new_policy(game: GameSpec, settings: NetworkSettings, seed: int = 0) -> NeuralPolicy:
    role = game.roles[0]
    actor = Network(actor_spec(game, role, settings), 1.0, torch.Generator().manual_seed(seed))
    if actor.spec.normalised:
        actor.normalise_with(torch.full(role.obs_shape, 0.4), torch.full(role.obs_shape, 0.5))
    return NeuralPolicy(role.name, actor)


def metadata_of(game: GameSpec, settings: NetworkSettings, role: int = 0) -> dict[str, object]:
    return snapshot_metadata(game, game.roles[role], actor_spec(game, game.roles[role], settings))


def rows_of(game: GameSpec, count: int = 6) -> Rows:
    generator = torch.Generator().manual_seed(5)
    obs = (torch.rand((count, *game.roles[0].obs_shape), generator=generator) < 0.4).to(game.roles[0].obs_dtype)
    return Rows(obs, None, torch.arange(count) % 2)


def hostile(kind: str, change: dict[str, object]) -> dict[str, object]:
    """The metadata of a policy with some values changed, by dotted key."""
    metadata = json.loads(json.dumps(metadata_of(CONNECT_FOUR, SETTINGS[kind])))
    for key, value in change.items():
        into, _, name = key.rpartition(".")
        (metadata[into] if into else metadata)[name] = value
    return metadata  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_snapshot_plays_as_its_policy_did(kind: str) -> None:
    policy, rows = new_policy(CONNECT_FOUR, SETTINGS[kind]), rows_of(CONNECT_FOUR)
    data = weights.pack(policy.weights(), metadata_of(CONNECT_FOUR, SETTINGS[kind]))
    metadata, tensors = weights.unpack(data)
    assert fits(metadata, CONNECT_FOUR) is None
    again = restore(metadata, tensors, "it")
    assert (again.role, again.actor.spec) == (policy.role, policy.actor.spec)
    assert torch.equal(again.logits(rows), policy.logits(rows))
    rows.memory = policy.recall(rows)[1]
    assert (rows.memory is not None) == (policy.memory > 0) == (again.memory > 0)
    assert torch.equal(again.logits(rows), policy.logits(rows))
    assert weights.pack(again.weights(), metadata_of(CONNECT_FOUR, SETTINGS[kind])) == data


def test_a_restored_policy_keeps_no_hold_of_the_tensors_it_came_from() -> None:
    policy, rows = new_policy(CONNECT_FOUR, SETTINGS["mlp"]), rows_of(CONNECT_FOUR)
    live = dict(policy.actor.state_dict())
    again = restore(metadata_of(CONNECT_FOUR, SETTINGS["mlp"]), live, "it")
    before = again.logits(rows)
    with torch.no_grad():
        for value in live.values():
            value.add_(1.0)
    assert torch.equal(again.logits(rows), before)
    assert not torch.equal(policy.logits(rows), before)


def test_weights_are_copies() -> None:
    policy = new_policy(CONNECT_FOUR, SETTINGS["mlp"])
    taken = policy.weights()
    before = taken["head.0.weight"].clone()
    with torch.no_grad():
        policy.actor.head[0].weight.add_(1.0)  # type: ignore[operator,union-attr]
    assert torch.equal(taken["head.0.weight"], before)
    assert not taken["head.0.weight"].requires_grad


@pytest.mark.parametrize(
    "change",
    [
        {"network": None},
        {"role": None},
        {"network": {"kind": "mlp"}},
        {"network.kind": "rnn"},
        {"network.activation": "swish"},
        {"network.hidden": "wide"},
        {"network.hidden": [-3]},
        {"network.hidden": [10**30]},
        {"network.hidden": [10**12]},
        {"network.hidden": [4, 4]},
        {"network.inputs": [None]},
        {"network.surprise": 1},
        {"network.seats": 3},
    ],
)
def test_metadata_that_does_not_fit_the_weights_is_refused(change: dict[str, object]) -> None:
    policy = new_policy(CONNECT_FOUR, SETTINGS["mlp"])
    with pytest.raises(SnapshotError, match="it: "):
        restore(hostile("mlp", change), policy.weights(), "it")


@pytest.mark.parametrize("kind", ["stack", "gru", "lstm", "transformer", "by seat"])
@pytest.mark.parametrize(
    "change",
    [
        {"network.memory": "none"},
        {"network.memory": "grue"},
        {"network.memory": None},
        {"network.memory": ["gru"]},
        {"network.length": 10**12},
        {"network.length": 10**30},
        {"network.length": -1},
        {"network.length": 2.5},
        {"network.length": "long"},
        {"network.units": 7},
        {"network.units": -8},
        {"network.units": 10**12},
        {"network.units": 10**30},
        {"network.units": 8.5},
        {"network.units": [8]},
        {"network.normalised": "maybe"},
        {"network.groups": [0]},
        {"network.groups": [1, 2]},
        {"network.groups": [0, 10**12]},
        {"network.groups": [0.5, 1]},
        {"network.groups": "01"},
        {"network.groups": 2},
    ],
    ids=str,
)
def test_memory_that_does_not_fit_the_weights_is_refused(kind: str, change: dict[str, object]) -> None:
    policy, metadata = new_policy(CONNECT_FOUR, SETTINGS[kind]), hostile(kind, change)
    if kind == "by seat" and "network.normalised" in change:
        metadata["network"]["normalised"] = False  # type: ignore[index]
    with pytest.raises(SnapshotError, match="it: "):
        restore(metadata, policy.weights(), "it")


@pytest.mark.parametrize("deviation", [0.0, -1.0])
def test_deviations_that_nothing_can_be_divided_by_are_refused(deviation: float) -> None:
    for kind, name in (("normalised", "norm.deviation"), ("by seat", "group.1.norm.deviation")):
        found = new_policy(CONNECT_FOUR, SETTINGS[kind]).weights()
        found[name][0] = deviation
        with pytest.raises(SnapshotError, match=f"0 or less \\(at {name}"):
            restore(metadata_of(CONNECT_FOUR, SETTINGS[kind]), found, "it")


def test_normalisation_is_frozen_in_a_snapshot() -> None:
    policy, rows = new_policy(CONNECT_FOUR, SETTINGS["normalised"]), rows_of(CONNECT_FOUR)
    taken, before = policy.weights(), policy.logits(rows)
    again = restore(metadata_of(CONNECT_FOUR, SETTINGS["normalised"]), taken, "it")
    policy.actor.normalise_with(torch.zeros(2, 6, 7), torch.ones(2, 6, 7))
    assert torch.equal(again.logits(rows), before)
    assert not torch.allclose(policy.logits(rows), before, atol=1e-3)


def test_values_become_probabilities_of_legal_actions() -> None:
    values = torch.tensor([[1.0, 3.0, 3.0, 9.0], [0.0, -1.0, -2.0, -3.0]])
    mask = torch.tensor([[True, True, True, False], [True, True, True, True]])
    probable = epsilon_greedy(values, mask, 0.3).exp()
    torch.testing.assert_close(probable, torch.tensor([[0.1, 0.8, 0.1, 0.0], [0.775, 0.075, 0.075, 0.075]]))
    everything = epsilon_greedy(values, None, 0.3).exp()
    torch.testing.assert_close(everything[0], torch.tensor([0.075, 0.075, 0.075, 0.775]))
    each = epsilon_greedy(values, mask, torch.tensor([[0.0], [1.0]]))
    least = torch.finfo(torch.float32).min
    assert each[0].tolist() == [least, 0.0, least, least]
    torch.testing.assert_close(each[1].exp(), torch.full((4,), 0.25))


def test_greedy_play_has_no_infinities_and_broken_values_are_found_out() -> None:
    values, mask = torch.tensor([[1.0, 2.0, 0.0], [torch.nan, 1.0, 2.0]]), torch.tensor([[True, True, False]] * 2)
    said = distribution(Discrete(3), epsilon_greedy(values, mask, 0.0), mask)
    assert said[0].isfinite().all()
    assert said[0, 1] == 0.0
    assert said[1, :2].isnan().all()


def test_an_epsilon_is_kept_in_a_snapshot_and_only_where_there_is_one() -> None:
    role, rows = CONNECT_FOUR.roles[0], rows_of(CONNECT_FOUR)
    policy = new_policy(CONNECT_FOUR, SETTINGS["mlp"])
    policy.epsilon = 0.25
    metadata = snapshot_metadata(CONNECT_FOUR, role, policy.actor.spec, policy.epsilon)
    plain = metadata_of(CONNECT_FOUR, SETTINGS["mlp"])
    assert metadata == plain | {"epsilon": 0.25}
    assert "epsilon" not in plain
    again = restore(metadata, policy.weights(), "it")
    assert torch.equal(again.logits(rows), policy.logits(rows))
    probable = again.logits(rows).exp()
    assert probable.amax(1).tolist() == pytest.approx([0.75 + 0.25 / 7] * 6)
    values = restore(plain, policy.weights(), "it").logits(rows)
    assert torch.equal(values.argmax(1), probable.argmax(1))


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": -0.1},
        {"epsilon": 1.5},
        {"epsilon": float("nan")},
        {"epsilon": True},
        {"epsilon": "0.1"},
        {"epsilon": [0.1]},
        {"epsilon": 0.1, "actions": {"low": [-1.0], "high": [1.0]}},
    ],
    ids=str,
)
def test_an_epsilon_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(SnapshotError, match="it: epsilon must be a number from 0 to 1"):
        restore(hostile("mlp", change), new_policy(CONNECT_FOUR, SETTINGS["mlp"]).weights(), "it")


def test_weights_of_another_type_or_name_are_refused() -> None:
    policy, metadata = new_policy(CONNECT_FOUR, SETTINGS["mlp"]), metadata_of(CONNECT_FOUR, SETTINGS["mlp"])
    with pytest.raises(SnapshotError, match=r"at head.0.weight\)"):
        restore(metadata, policy.weights() | {"head.0.weight": policy.weights()["head.0.weight"].double()}, "it")
    with pytest.raises(SnapshotError, match="extra"):
        restore(metadata, policy.weights() | {"extra": torch.zeros(1)}, "it")


def test_a_policy_fits_only_its_own_game() -> None:
    metadata = metadata_of(CONNECT_FOUR, SETTINGS["mlp"])
    other = make("tictactoe", 1).spec
    assert "it plays connect_four (version 1), not tictactoe" in str(fits(metadata, other))
    assert "(version 0)" in str(fits(metadata | {"game_version": "0"}, CONNECT_FOUR))
    assert "observations [3, 6, 7]" in str(fits(metadata | {"obs_shape": [3, 6, 7]}, CONNECT_FOUR))
    assert "8 actions" in str(fits(metadata | {"actions": 8}, CONNECT_FOUR))
    assert "seats ['a', 'b']" in str(fits(metadata | {"seats": ["a", "b"]}, CONNECT_FOUR))
    assert "its role 'predator' is not one of player" in str(fits(metadata | {"role": "predator"}, CONNECT_FOUR))


def test_a_game_with_other_options_is_another_game() -> None:
    prices = [[[0.0, 1.0], [2.0, 0.0]], [[0.0, 1.0], [3.0, 0.0]]]
    one, other = (make("matrix", 1, options={"payoff": payoff}).spec for payoff in prices)
    metadata, stored = metadata_of(one, SETTINGS["mlp"]), json.loads(json.dumps(metadata_of(one, SETTINGS["mlp"])))
    assert fits(metadata, one) is None
    assert fits(stored, one) is None
    assert "with the options" in str(fits(stored, other))
    assert "[3.0,0.0]" in str(fits(stored, other))
    small, large = (make("blotto", 1, options={"troops": troops}).spec for troops in (3, 4))
    assert "with the options" in str(fits(metadata_of(small, SETTINGS["mlp"]), large))
    # Equal options in another spelling are the same game.
    assert (
        fits(metadata_of(make("blotto", 1).spec, SETTINGS["mlp"]), make("blotto", 1, options={"fields": 3}).spec)
        is None
    )


def test_roles_have_their_own_shapes() -> None:
    game = make("mpe2:simple_tag_v3", 1, options={"max_cycles": 3})
    spec = game.spec
    game.close()
    for index, role in enumerate(spec.roles):
        metadata = metadata_of(spec, SETTINGS["mlp"], index)
        assert (metadata["role"], metadata["obs_shape"]) == (role.name, list(role.obs_shape))
        assert fits(metadata, spec) is None
    swapped = metadata_of(spec, SETTINGS["mlp"], 0) | {"role": spec.roles[1].name}
    assert "it was trained for" in str(fits(swapped, spec))
